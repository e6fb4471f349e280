package main

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// traced starts wamp trace, and waits until it tells of what happens.
func (b *bench) traced(args ...string) *started {
	b.Helper()
	s := b.start(append([]string{"trace"}, args...)...)
	s.probed(b.session(), "com.example.probe")
	return s
}

func TestTrace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx := context.WithoutCancel(t.Context())
	b.handle("com.example.old", benchEcho)
	tr := b.traced("--format", "{{.Event}} {{.Kind}} {{.URI}} {{if .By}}{{.By}}{{else}}{{.ID}}{{end}}")
	s, err := wamp.Connect(ctx, b.url, "realm1")
	if err != nil {
		t.Fatal(err)
	}
	reg, err := s.Handle(ctx, "com.example.add", benchEcho)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := s.Subscribe(ctx, "com.example.news")
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	if err := sub.Unsubscribe(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	got := tr.lineWith("join session")
	if got != fmt.Sprintf("join session  %d", s.ID()) {
		t.Errorf("%q", got)
	}
	for _, want := range []string{ // in the order in which it happened
		"create procedure com.example.add", "register procedure com.example.add", "create topic com.example.news", "subscribe topic com.example.news",
		"unregister procedure com.example.add", "delete procedure com.example.add", "unsubscribe topic com.example.news", "delete topic com.example.news",
		"leave session ",
	} {
		if got := tr.line(); got != fmt.Sprintf("%s %d", want, s.ID()) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	// what was there before has its name too
	if err := b.peer.Close(ctx); err != nil {
		t.Fatal(err)
	}
	tr.lineWith("unregister procedure com.example.old")
	tr.interrupt()
	if got := tr.end(); got.code != exitInterrupted {
		t.Errorf("%+v", got)
	}
}

func TestTracePattern(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.traced("com.example.*", "-o", "json")
	b.handle("com.other", benchEcho)
	b.handle("com.example.add", benchEcho)
	var l traceLine
	if err := json.Unmarshal([]byte(tr.lineWith("com.")), &l); err != nil {
		t.Fatal(err)
	}
	for l.URI == "com.example.probe" {
		if err := json.Unmarshal([]byte(tr.line()), &l); err != nil {
			t.Fatal(err)
		}
	}
	if l.Event != "create" || l.URI != "com.example.add" || l.By != uint64(b.peer.ID()) || l.ByAuthID != b.peer.Details().AuthID || l.Time.IsZero() {
		t.Errorf("%+v", l)
	}
}

// It goes on behind a restart of the router, which gives everything other ids.
func TestTraceRestart(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]wamptest.Option{
		"all": nil, "topics": {wamptest.WithFeatures(wamptest.FeaturesWithout(proto.SessionMetaAPI, proto.RegistrationMetaAPI))},
	} {
		t.Run(name, func(t *testing.T) { traceRestart(t, newBench(t, options...)) })
	}
}

func traceRestart(t *testing.T, b *bench) {
	tr := b.traced("-o", "raw")
	b.router.Restart()
	tr.waitFor("connected again")
	b.peer = nil
	by := b.session()
	tr.probed(by, "com.example.behind", "subscribe topic com.example.behind by ", fmt.Sprint(by.ID()))
}

// A router that tells of some things only.
func TestTraceHalf(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.SessionMetaAPI, proto.RegistrationMetaAPI)))
	tr := b.traced()
	tr.waitFor("nothing will be told of sessions")
	tr.waitFor("nothing will be told of procedures")
}

// An output that is closed ends it.
func TestTraceOutputClosed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.command("trace")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		probe, err := b.session().Subscribe(t.Context(), "com.example.probe")
		if err != nil {
			t.Fatal(err)
		}
		_ = probe.Unsubscribe(t.Context())
		select {
		case <-ended:
			return
		case <-t.Context().Done():
			t.Fatal("it goes on")
		default:
		}
	}
}
