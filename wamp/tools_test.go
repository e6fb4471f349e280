package wamp_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

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

// within returns a context that ends after d, at the latest with the test.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// number is the first argument of a payload.
func number(t *testing.T, p wamp.Payload) int {
	t.Helper()
	var n int
	if err := p.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
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

// publish publishes the numbers from begin up to end, and waits until the
// broker has them.
func publish(t *testing.T, s *wamp.Session, topic string, begin, end int, rest ...any) {
	t.Helper()
	for i := begin; i < end-1; i++ {
		s.Publish(t.Context(), topic, wamp.Args(append([]any{i}, rest...)...))
	}
	if _, err := s.Publish(t.Context(), topic, wamp.Args(append([]any{end - 1}, rest...)...), wamp.Acknowledge()).Wait(); err != nil {
		t.Fatal(err)
	}
}

// alive checks that a session can call, at once. Somebody has to have
// registered com.example.echo.
func alive(t *testing.T, s *wamp.Session) {
	t.Helper()
	r, err := s.Call(within(t, time.Second), "com.example.echo", wamp.Args(7)).Final()
	if err != nil {
		t.Fatalf("the session does not work: %v", err)
	}
	if number(t, r.Payload) != 7 {
		t.Fatal("the echo is wrong")
	}
}

// empty checks that nothing is pending in a session's tables, save what is
// registered and subscribed.
func empty(t *testing.T, s *wamp.Session) {
	t.Helper()
	if st := s.Stats(); st.Tables.Requests+st.Tables.Invocations+st.Tables.Timers > 0 {
		t.Errorf("tables: %+v", st.Tables)
	}
}

// hung registers a procedure that waits for the end of its context, whose
// cause it tells.
func hung(t *testing.T, s *wamp.Session, procedure string, options ...wamp.RegisterOption) <-chan error {
	t.Helper()
	causes := make(chan error, 100)
	handle(t, s, procedure, func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	}, options...)
	return causes
}
