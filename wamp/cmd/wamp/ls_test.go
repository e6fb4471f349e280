package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// peopled has a session beside the program that serves and subscribes.
func (b *bench) peopled() *wamp.Session {
	b.Helper()
	s := b.session()
	ctx := context.WithoutCancel(b.Context())
	for uri, options := range map[string][]wamp.RegisterOption{
		"com.example.add": nil, "com.example.any.": {wamp.Match(wamp.Prefix)}, "com..one": {wamp.Match(wamp.Wildcard), wamp.Invoke(wamp.RoundRobin)},
	} {
		if _, err := s.Handle(ctx, uri, benchEcho, options...); err != nil {
			b.Fatal(err)
		}
	}
	for uri, options := range map[string][]wamp.SubscribeOption{
		"com.example.news": nil, "com.example.news.": {wamp.Match(wamp.Prefix)}, "com..late": {wamp.Match(wamp.Wildcard)},
	} {
		if _, err := s.Subscribe(ctx, uri, options...); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func TestLs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.peopled()
	b.expect(b.run("ls", "procedures", "--format", "{{.URI}} {{.Match}} {{.Invoke}}"), 0,
		"com..one wildcard roundrobin\ncom.example.add exact single\ncom.example.any. prefix single\n")
	b.expect(b.run("ls", "topics", "--format", "{{.URI}} {{.Match}}"), 0,
		"com..late wildcard\ncom.example.news exact\ncom.example.news. prefix\n")
	b.expect(b.run("ls", "procedures", "com.example.*", "-o", "raw"), 0, "com.example.add\ncom.example.any.\n")
	b.expect(b.run("ls", "topics", "nobody", "-o", "raw"), 0, "")
	got := b.run("ls", "sessions")
	if n := strings.Count(got.out, "\n"); n != 2 || got.code != 0 || !strings.Contains(got.out, fmt.Sprintf(`"id":%d,"authid":"`, s.ID())) {
		t.Errorf("%+v", got)
	}
	b.expect(b.run("ls", "sessions", fmt.Sprint(s.ID()), "--format", "{{.AuthRole}}"), 0, "anonymous\n")
	got = b.run("ls")
	var kinds []string
	for l := range strings.Lines(got.out) {
		var e entryLine
		if err := json.Unmarshal([]byte(l), &e); err != nil || e.ID == 0 || e.Kind != kindSession && e.Created == nil {
			t.Errorf("%q, %v", l, err)
		}
		kinds = append(kinds, e.Kind)
	}
	if want := []string{"session", "session", "procedure", "procedure", "procedure", "topic", "topic", "topic"}; !slices.Equal(kinds, want) {
		t.Errorf("%q", kinds)
	}
	got = b.run("ls", "-o", "pretty")
	has(t, got.out, "SESSION ", "\n\nPROCEDURE         MATCH     INVOKE      CREATED", "\n\nTOPIC ", "com.example.any.  prefix    single")
}

func TestLsSlips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.expect(b.run("ls", "prozedures"), exitUsage, "", "sessions, procedures, topics")
	b.expect(b.run("ls", "topics", "a", "b"), exitUsage, "", "wamp ls --help")
	b.expect(b.run("ls", "--realm", "realm2"), exitRefused, "", "no_such_realm")
	bare := newBench(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.SessionMetaAPI, proto.RegistrationMetaAPI, proto.SubscriptionMetaAPI)))
	bare.expect(bare.run("ls"), exitAnswer, "", "no meta API", "no_such_procedure")
	bare.expect(bare.run("ls", "--follow"), exitAnswer, "", "no meta API", "session_meta_api")
	bare.expect(bare.run("describe", "com.example.add"), exitAnswer, "", "no meta API")
	bare.expect(bare.run("describe", "12345"), exitAnswer, "", "no meta API")
	bare.expect(bare.run("kill", "12345"), exitAnswer, "", "no meta API")
	bare.expect(bare.run("trace"), exitAnswer, "", "no meta API")
}

// denied is a router on which some meta procedures may not be called.
func denied(t *testing.T, procedures ...string) *bench {
	return newBench(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
		if m.Type == proto.Call && slices.Contains(procedures, m.URI) {
			m.URI = "com.example.denied"
		}
		return wamptest.Pass()
	}))
}

// refusing has a callee that answers as a router does that denies.
func (b *bench) refusing(err error) *bench {
	b.Helper()
	b.handle("com.example.denied", func(context.Context, *wamp.Invocation) error { return err })
	return b
}

func TestLsDenied(t *testing.T) {
	t.Parallel()
	b := denied(t, proto.MetaSessionList).refusing(wamp.ErrNotAuthorized)
	b.expect(b.run("ls"), exitAnswer, "", "wamp.error.not_authorized")
	b = denied(t, proto.MetaRegistrationGet).refusing(wamp.ErrNotAuthorized)
	b.expect(b.run("ls", "procedures"), 0, "", "1 of 1 cannot be looked at")
	// who has gone between the list and the look at it is no error
	b = denied(t, proto.MetaSessionGet).refusing(wamp.ErrNoSuchSession)
	b.expect(b.run("ls", "sessions"), 0, "")
	b = denied(t, proto.MetaSessionGet).refusing(wamp.ErrInvalidArgument)
	b.expect(b.run("ls", "sessions"), exitAnswer, "", "wamp.error.invalid_argument")
}

// Many sessions are looked at with few questions at once.
func TestLsMany(t *testing.T) {
	t.Parallel()
	const sessions = 500
	b := newBench(t, wamptest.WithQueueLimit(64))
	for range sessions {
		s, err := wamp.Connect(t.Context(), b.url, "realm1", wamp.WithTransport(b.router.Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(context.WithoutCancel(t.Context()))
	}
	got := b.run("ls", "sessions", "-o", "raw")
	if n := strings.Count(got.out, "\n"); n != sessions+1 || got.code != 0 || got.errs != "" {
		t.Errorf("%d sessions, code %d, %s", n, got.code, got.errs)
	}
}

func TestLike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "a", true}, {"a", "a", true}, {"a", "b", false}, {"*", "", true}, {"a*", "ab", true}, {"a*", "ba", false}, {"*b", "ab", true},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "axbxc", true}, {"a*b*c", "axcxb", false}, {"*b*", "abc", true}, {"*b*b*", "abc", false},
		{"a**b", "ab", true},
	} {
		if got := like(c.pattern, c.text); got != c.want {
			t.Errorf("like(%q, %q): %v", c.pattern, c.text, got)
		}
	}
}
