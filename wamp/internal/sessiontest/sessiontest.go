// Package sessiontest has what the tests of several packages do with sessions at an
// in-process router. Nothing but tests may need it.
package sessiontest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Serializers are all there are.
var Serializers = codec.All()

// Join joins a session to a router in memory and closes it with the test.
func Join(t *testing.T, r *wamptest.Router, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s, err := wamp.Connect(t.Context(), "", "realm1", append([]wamp.Option{wamp.WithTransport(r.Dial)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(t, s) })
	return s
}

// Close closes a session and checks that nothing is left of it.
func Close(t *testing.T, s *wamp.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second) // it runs behind the test
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if tables := s.Stats().Tables; tables != (wamp.Tables{}) {
		t.Errorf("tables after Close: %+v", tables)
	}
}

// Named lets everybody in as who they say they are.
func Named() wamptest.Option {
	return wamptest.WithLogins(wamptest.Ticket(func(authid, _ string) (ticket, role string, ok bool) {
		return "secret", strings.TrimRight(authid, "0123456789"), true
	}))
}

// JoinAs joins a router that is Named; the role is the name without its digits.
func JoinAs(t *testing.T, r *wamptest.Router, name string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	return Join(t, r, append([]wamp.Option{wamp.WithAuth(authn.Ticket(name, "secret"))}, options...)...)
}

// Handle registers a handler and fails the test if it cannot.
func Handle(t *testing.T, s *wamp.Session, procedure string, h wamp.Handler, options ...wamp.RegisterOption) *wamp.Service {
	t.Helper()
	r, err := s.Handle(t.Context(), procedure, h, options...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Subscribe subscribes and fails the test if it cannot.
func Subscribe(t *testing.T, s *wamp.Session, topic string, options ...wamp.SubscribeOption) *wamp.Subscription {
	t.Helper()
	sub, err := s.Subscribe(t.Context(), topic, options...)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// Echo returns what it got.
func Echo(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

// Quick reconnects without chance.
func Quick() wamp.Backoff {
	return wamp.Backoff{Min: 100 * time.Millisecond, Max: time.Second, Random: func() float64 { return 0 }}
}
