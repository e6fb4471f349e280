package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
)

// What comes and goes is told, also what did while the connection was lost.
func TestLsFollow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.session()
	ctx := context.WithoutCancel(t.Context())
	f := b.start("ls", "--follow", "--format", "{{.Change}} {{.Kind}} {{.URI}} {{.ID}}")
	f.lineWith(fmt.Sprintf(" session  %d", s.ID()))
	f.probed(s, "com.example.probe", "added topic com.example.probe")
	reg, err := s.Handle(ctx, "com.example.add", benchEcho)
	if err != nil {
		t.Fatal(err)
	}
	f.lineWith("added procedure com.example.add")
	if err := reg.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	f.lineWith("removed procedure com.example.add")
	other, err := wamp.Connect(ctx, b.url, "realm1")
	if err != nil {
		t.Fatal(err)
	}
	f.lineWith(fmt.Sprintf("added session  %d", other.ID()))
	b.router.Restart()
	f.waitFor("connection lost")
	f.waitFor("connected again")
	f.lineWith(fmt.Sprintf("removed session  %d", other.ID()))
	b.peer = nil
	if _, err := b.session().Subscribe(ctx, "com.example.news"); err != nil {
		t.Fatal(err)
	}
	f.lineWith("added topic com.example.news")
	f.interrupt()
	if got := f.end(); got.code != exitInterrupted {
		t.Errorf("%+v", got)
	}
}

// Changes of what the pattern does not say are not told; -o pretty has a line for each.
func TestLsFollowPattern(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.add", benchEcho)
	f := b.start("ls", "procedures", "com.example.*", "--follow", "-o", "pretty")
	f.lineWith("PROCEDURE")
	f.lineWith("com.example.add")
	b.handle("com.other", benchEcho)
	b.handle("com.example.echo", benchEcho)
	if got := f.line(); !strings.HasPrefix(got, "added procedure: com.example.echo  exact  ") {
		t.Errorf("%q", got)
	}
}

// A router that sends the session away for good ends it.
func TestLsFollowKilled(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.start("ls", "sessions", "--follow", "--format", "{{.ID}}")
	var id uint64
	if _, err := fmt.Sscan(f.line(), &id); err != nil {
		t.Fatal(err)
	}
	b.router.Kill(wamp.ID(id), "wamp.close.killed")
	if got := f.end(); got.code != exitNetwork {
		t.Errorf("%+v", got)
	}
}
