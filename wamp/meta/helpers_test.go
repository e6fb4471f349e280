package meta_test

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

var serializers = []codec.Codec{codec.CBOR, codec.MsgPack, codec.JSON}

// join joins a router.
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

// named is a router that lets everybody in by a name.
func named() wamptest.Option {
	return wamptest.WithLogins(wamptest.Ticket(func(authid, _ string) (ticket, role string, ok bool) {
		return "secret", strings.TrimRight(authid, "0123456789"), true
	}))
}

// joinAs joins under a name; the role is the name without its digits.
func joinAs(t *testing.T, r *wamptest.Router, name string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	return join(t, r, append([]wamp.Option{wamp.WithAuth(authn.Ticket(name, "secret"))}, options...)...)
}

// handle registers a handler and fails the test if it cannot.
func handle(t *testing.T, s *wamp.Session, procedure string, h wamp.Handler, options ...wamp.RegisterOption) *wamp.Service {
	t.Helper()
	return must(s.Handle(t.Context(), procedure, h, options...))(t)
}

// subscribe subscribes and fails the test if it cannot.
func subscribe(t *testing.T, s *wamp.Session, topic string, options ...wamp.SubscribeOption) *wamp.Subscription {
	t.Helper()
	return must(s.Subscribe(t.Context(), topic, options...))(t)
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// echo returns what it got.
func echo(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

// quick is a policy without chance.
func quick() wamp.Backoff {
	return wamp.Backoff{Min: 100 * time.Millisecond, Max: time.Second, Random: func() float64 { return 0 }}
}
