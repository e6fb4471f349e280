package wamp_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// tap keeps what clients send, as the router sees it.
type tap struct {
	mu   sync.Mutex
	seen []tapped
}

// tapped is a message with its payload as plain values.
type tapped struct {
	proto.Message
	session wamp.ID
	args    []any
	kwargs  map[string]any
}

// hook is the hook of a router.
func (p *tap) hook(x *wamptest.Exchange) wamptest.Action {
	if x.Sent {
		return wamptest.Pass()
	}
	m := tapped{Message: *x.Message, session: x.Session}
	payload := x.Payload()
	m.args, _ = payload.Args()
	m.kwargs, _ = payload.Kwargs()
	m.Args, m.Kwargs = slices.Clone(m.Args), slices.Clone(m.Kwargs)
	p.mu.Lock()
	p.seen = append(p.seen, m)
	p.mu.Unlock()
	return wamptest.Pass()
}

// take returns the messages of a type, oldest first, and forgets everything.
func (p *tap) take(types ...proto.MessageType) []tapped {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []tapped
	for _, m := range p.seen {
		if slices.Contains(types, m.Type) {
			out = append(out, m)
		}
	}
	p.seen = nil
	return out
}

// one returns the only message of a type.
func (p *tap) one(t *testing.T, typ proto.MessageType) tapped {
	t.Helper()
	got := p.take(typ)
	if len(got) != 1 {
		t.Fatalf("%d messages %s, want one", len(got), typ)
	}
	return got[0]
}

// ascend reads a call's stream to its end. The progressive results must be the
// numbers from 0 on, without a hole; it returns how many they were, and the
// last element.
func ascend(t *testing.T, results wamp.Results) (n int, last wamp.Result) {
	t.Helper()
	for r := range results {
		if last = r; !r.Progress {
			continue
		}
		if got := number(t, r.Payload); got != n {
			t.Fatalf("progressive result %d is %d", n, got)
		}
		n++
	}
	if last.Progress {
		t.Fatal("the stream has ended without a last element")
	}
	return n, last
}
