package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// killed waits until a session has been sent away.
func killed(t *testing.T, s *wamp.Session) *wamp.GoodbyeError {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Fatal("the session goes on")
	}
	var goodbye *wamp.GoodbyeError
	if !errors.As(s.Err(), &goodbye) {
		t.Fatalf("the session has ended with %v", s.Err())
	}
	return goodbye
}

func TestKill(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	join := func() *wamp.Session {
		s, err := wamp.Connect(t.Context(), b.url, "realm1")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := join()
	b.expect(b.run("kill", fmt.Sprint(s.ID()), "--reason", "com.example.enough", "--message", "go home"), 0,
		fmt.Sprintf(`{"killed":1,"sessions":[%d]}`+"\n", s.ID()))
	if g := killed(t, s); g.Reason != "com.example.enough" || g.Message != "go home" {
		t.Errorf("%+v", g)
	}
	s, other := join(), join()
	b.expect(b.run("kill", "--by-authid", s.Details().AuthID, "-o", "raw"), 0, "1\n")
	if g := killed(t, s); g.Reason != "wamp.close.killed" {
		t.Errorf("%+v", g)
	}
	b.expect(b.run("kill", "--by-role", "anonymous", "-o", "raw"), 0, "1\n") // and not itself
	killed(t, other)
	s = join()
	got := b.run("kill", "12345", fmt.Sprint(s.ID()))
	b.expect(got, exitAnswer, fmt.Sprintf(`{"killed":1,"sessions":[%d]}`+"\n", s.ID()), "12345: ", "no_such_session")
	killed(t, s)
}

func TestKillSlips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.expect(b.run("kill"), exitUsage, "", "--by-authid")
	b.expect(b.run("kill", "alice"), exitUsage, "", `"alice" is not the id of a session`)
	b.expect(b.run("kill", "0"), exitUsage, "", "not the id")
	b.expect(b.run("kill", "--", "-5"), exitUsage, "", "not the id")
	b.expect(b.run("kill", "5", "--by-role", "x"), exitUsage, "", "wamp kill --help")
	b.expect(b.run("kill", "--authid", "alice", "--auth", "anonymous"), exitUsage, "", "--by-authid") // that is whom to log in as
	b.expect(b.run("kill", "--by-role", "nobody"), 0, `{"killed":0}`+"\n")
	b.expect(b.run("kill", "12345"), exitAnswer, "", "no_such_session")
}
