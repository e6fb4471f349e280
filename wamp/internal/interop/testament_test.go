//go:build interop

package interop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// ends are the ways in which a session goes.
var ends = []string{"goodbye", "cut", "killed"}

// Testaments of ours, heard by both sides: the detached ones first, and each
// once, however the session ends.
func TestTestaments(t *testing.T) {
	for _, end := range ends {
		t.Run(end, func(t *testing.T) {
			topic := fresh("com.interop.testament.")
			other, p := pubsubCell.join(t), newPartner(t, peerCell, "", nil)
			sub := subscribe(t, other, topic)
			p.ask(t, "subscribe", request{"topic": topic})
			g := newGate(t)
			s, err := wamp.Connect(limit(t), g.url, realm)
			if err != nil {
				t.Fatal(err)
			}
			add := func(scope wamp.Scope, word string, options ...wamp.TestamentOption) {
				t.Helper()
				if err := s.AddTestament(limit(t), scope, topic, wamp.Args(word, []byte{1}).With("from", s.ID()), options...); err != nil {
					t.Fatal(err)
				}
			}
			add(wamp.Destroyed, "flushed")
			add(wamp.Detached, "detached")
			if err := s.FlushTestaments(limit(t), wamp.Destroyed); err != nil {
				t.Fatal(err)
			}
			add(wamp.Destroyed, "destroyed")
			add(wamp.Destroyed, "for the peer", wamp.Eligible(p.id))
			add(wamp.Destroyed, "kept", wamp.Retain(), wamp.ExcludeAuthRole("limited"))
			switch end {
			case "goodbye":
				leave(t, s)
			case "cut":
				g.cut()
			case "killed":
				if err := meta.Of(other).KillSession(limit(t), s.ID()); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"detached", "destroyed", "for the peer", "kept"}
			for i, ev := range p.events(t, topic, len(want)) {
				if i >= len(want) || !sameMessage(ev, []any{want[i], []byte{1}}, map[string]any{"from": uint64(s.ID())}) {
					t.Errorf("the peer got %s", show(ev))
				}
			}
			for _, word := range []string{"detached", "destroyed", "kept"} {
				if ev := next(t, sub); text(t, ev.Payload) != word {
					t.Errorf("%q, want %q", text(t, ev.Payload), word)
				}
			}
			publish(t, other, topic, wamp.Args(last), wamp.ExcludeMe(false))
			if word := text(t, next(t, sub).Payload); word != last {
				t.Errorf("one more: %q", word)
			}
			if ev := next(t, subscribe(t, pubsubCell.join(t), topic, wamp.GetRetained())); !ev.Retained || text(t, ev.Payload) != "kept" {
				t.Errorf("%+v", ev)
			}
			select {
			case <-s.Done():
			case <-time.After(patience):
				t.Fatal("the session lives")
			}
			leave(t, s)
		})
	}
}

// Testaments of autobahn-python, heard here.
func TestTestamentsOfThePeer(t *testing.T) {
	for _, end := range ends {
		t.Run(end, func(t *testing.T) {
			topic := fresh("com.interop.testament.")
			s, p := pubsubCell.join(t), newPartner(t, peerCell, "", nil)
			sub := subscribe(t, s, topic)
			for _, scope := range []string{"destroyed", "detached"} {
				r := p.ask(t, "call", request{"uri": "wamp.session.add_testament", "kwargs": map[string]tagged{"scope": tag(scope)},
					"args": tagAll(topic, []any{scope}, map[string]any{"k": 7})})
				if r.Failed != nil {
					t.Fatal(show(r.Failed))
				}
			}
			switch end {
			case "goodbye":
				p.leave(t)
			case "cut":
				p.ask(t, "drop", nil)
			case "killed":
				if err := meta.Of(s).KillSession(limit(t), p.id, meta.KillReason("com.example.enough")); err != nil {
					t.Fatal(err)
				}
				if r := p.ask(t, "left", nil); r.Goodbye != "com.example.enough" {
					t.Errorf("the peer was told %q", r.Goodbye)
				}
			}
			p.gone = true
			for _, scope := range []string{"detached", "destroyed"} {
				if err := samePayload(next(t, sub).Payload, []any{scope}, map[string]any{"k": int64(7)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// After a reconnect the new session has the testaments that the old one had,
// which have been published.
func TestTestamentsAfterReconnect(t *testing.T) {
	topic := fresh("com.interop.testament.")
	sub := subscribe(t, pubsubCell.join(t), topic)
	g := newGate(t)
	s := g.join(t, realm)
	for _, scope := range []wamp.Scope{wamp.Destroyed, wamp.Detached} {
		if err := s.AddTestament(limit(t), scope, topic, wamp.Args(string(scope))); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want ...string) {
		t.Helper()
		var got []string
		for range want {
			got = append(got, text(t, next(t, sub).Payload))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for range 3 {
		old := s.ID()
		g.cut()
		expect("detached", "destroyed")
		g.open()
		rejoined(t, s, old)
	}
	if err := s.FlushTestaments(limit(t), wamp.Detached); err != nil {
		t.Fatal(err)
	}
	old := s.ID()
	g.cut()
	expect("destroyed")
	g.open()
	rejoined(t, s, old)
	if err := s.FlushTestaments(limit(t), wamp.Destroyed); err != nil {
		t.Fatal(err)
	}
	old = s.ID()
	g.cut()
	g.open()
	rejoined(t, s, old)
	publish(t, s, topic, wamp.Args(last))
	expect(last)
}
