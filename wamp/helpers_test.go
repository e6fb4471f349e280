package wamp_test

import (
	"context"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// join joins a session to a router in memory and closes it with the test.
func join(t *testing.T, r *wamptest.Router, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s, err := wamp.Connect(t.Context(), "", "realm1", append([]wamp.Option{wamp.WithTransport(r.Dial)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, s) })
	return s
}

// closeIt closes a session and checks that nothing is left of it.
func closeIt(t *testing.T, s *wamp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if tables := s.Stats().Tables; tables != (wamp.Tables{}) {
		t.Errorf("tables after Close: %+v", tables)
	}
}

// handle registers a handler and fails the test if it cannot.
func handle(t *testing.T, s *wamp.Session, procedure string, h wamp.Handler, options ...wamp.RegisterOption) *wamp.Service {
	t.Helper()
	r, err := s.Handle(t.Context(), procedure, h, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// subscribe subscribes and fails the test if it cannot.
func subscribe(t *testing.T, s *wamp.Session, topic string, options ...wamp.SubscribeOption) *wamp.Subscription {
	t.Helper()
	sub, err := s.Subscribe(t.Context(), topic, options...)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// echo returns what it got.
func echo(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

// countTo streams the numbers below its argument.
func countTo(_ context.Context, inv *wamp.Invocation) error {
	var n int
	if err := inv.Scan(&n); err != nil {
		return wamp.ErrInvalidArgument
	}
	for i := range n {
		if err := inv.Progress(wamp.Args(i)); err != nil {
			return err
		}
	}
	return inv.Return(wamp.Args(n))
}

// behind makes the router send what more makes right behind its messages of
// type t, in the same write.
func behind(t proto.MessageType, more func(x *wamptest.Exchange) *proto.Message) wamptest.Hook {
	return func(x *wamptest.Exchange) wamptest.Action {
		if !x.Sent || x.Message.Type != t {
			return wamptest.Pass()
		}
		m := *x.Message
		return wamptest.Replace(&m, more(x))
	}
}

// value is a value that came without an error.
func value[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
