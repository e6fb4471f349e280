package wamp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// ill checks that a session is not ready, and why, and returns that without its cause.
func ill(t *testing.T, s *wamp.Session, cause error, text string) wamp.HealthError {
	t.Helper()
	synctest.Wait()
	err := s.Healthy()
	var h *wamp.HealthError
	if !errors.As(err, &h) {
		t.Fatalf("Healthy returns %v", err)
	}
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), "wamp: ") ||
		!strings.Contains(err.Error(), h.Since.Format(time.RFC3339)) {
		t.Errorf("Healthy returns %q, want %v and %q", err, cause, text)
	}
	said := *h
	said.Cause = nil
	return said
}

// well checks that a session is ready.
func well(t *testing.T, s *wamp.Session) {
	t.Helper()
	synctest.Wait()
	if err := s.Healthy(); err != nil {
		t.Errorf("Healthy returns %v", err)
	}
}

// want checks what is said beside the cause.
func want(t *testing.T, got, want wamp.HealthError) {
	t.Helper()
	if !got.Since.Equal(want.Since) {
		t.Errorf("since %v, want %v", got.Since, want.Since)
	}
	got.Since, want.Since = time.Time{}, time.Time{}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Without a connection a session is not ready: while it waits, connects, logs in.
func TestHealthWithoutConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("secret")))
		slow := make(chan time.Duration, 10) // how long a dial takes, and a login
		pause := func() {
			select {
			case d := <-slow:
				<-time.After(d)
			default:
			}
		}
		dial := func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
			pause()
			return r.Dial(ctx, p)
		}
		ticket := func(context.Context, authn.Request) (string, error) { pause(); return "secret", nil }
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(dial), wamp.WithAuth(authn.Ticket("joe", ticket)),
			wamp.WithReconnect(wamp.Backoff{Min: 2 * time.Second, Max: 2 * time.Second}))
		if err != nil {
			t.Fatal(err)
		}
		defer closeIt(t, s)
		well(t, s)
		<-time.After(time.Minute)
		r.RefuseDials(1, errors.New("no route"))
		down := time.Now()
		r.Cut(s.ID())
		h := ill(t, s, wamp.ErrNotConnected, "attempt 1 follows: connection lost")
		want(t, h, wamp.HealthError{Phase: wamp.Reconnecting, Since: down, Attempt: 1})
		<-time.After(2 * time.Second)
		h = ill(t, s, wamp.ErrNotConnected, "attempt 2 follows: no route")
		want(t, h, wamp.HealthError{Phase: wamp.Reconnecting, Since: down, Attempt: 2})
		slow <- 3 * time.Second
		slow <- 3 * time.Second
		<-time.After(2 * time.Second)
		h = ill(t, s, wamp.ErrNotConnected, "attempt 2 connects: no route")
		want(t, h, wamp.HealthError{Phase: wamp.Connecting, Since: down, Attempt: 2})
		<-time.After(3 * time.Second)
		h = ill(t, s, wamp.ErrNotConnected, "attempt 2 logs in: no route")
		want(t, h, wamp.HealthError{Phase: wamp.Connecting, Since: down, Attempt: 2, Login: true})
		<-time.After(3 * time.Second)
		well(t, s)
	})
}

// A policy of the user's that is being asked may say that there is no other attempt.
func TestHealthWhileAPolicyIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		policy := quick()
		policy.Redial = func(error) bool { <-time.After(time.Second); return true }
		policy.Min, policy.Max = time.Second, time.Second
		s := join(t, r, wamp.WithReconnect(policy))
		down := time.Now()
		r.RefuseDials(1, errors.New("no route"))
		r.Cut(s.ID())
		want(t, ill(t, s, wamp.ErrNotConnected, "attempt 1 follows: connection lost"), wamp.HealthError{Phase: wamp.Reconnecting, Since: down, Attempt: 1})
		<-time.After(2500 * time.Millisecond)
		want(t, ill(t, s, wamp.ErrNotConnected, "attempt 2 follows: no route"), wamp.HealthError{Phase: wamp.Reconnecting, Since: down, Attempt: 2})
		<-time.After(time.Minute)
		well(t, s)
	})
}

// A consumer who holds the connection back makes a session unready after a while, and one
// that is slow now and then does not.
func TestHealthHeldBack(t *testing.T) {
	for name, keep := range map[string]wamp.Option{"alone": wamp.WithAgent("x"), "with keepalive": wamp.WithKeepalive(wamp.Keepalive{Interval: time.Hour})} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, p := join(t, r, keep), join(t, r)
				sub := subscribe(t, s, "com.example.topic", wamp.OverflowBlock(), wamp.Buffer(4, 0))
				held := time.Now()
				publish(t, p, "com.example.topic", 0, 100)
				well(t, s)
				<-time.After(5*time.Second - 1)
				well(t, s)
				<-time.After(1)
				want(t, ill(t, s, wamp.ErrHeldBack, "a slow consumer holds the connection back since"), wamp.HealthError{Phase: wamp.Joined, Since: held})
				for range 100 {
					<-sub.Events()
				}
				well(t, s)
				for range 20 {
					publish(t, p, "com.example.topic", 0, 100)
					<-time.After(time.Second)
					well(t, s)
					for range 100 {
						<-sub.Events()
					}
				}
			})
		})
	}
}

// A session whose handles are not back is not ready: nobody reaches them.
func TestHealthRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHalfOpen(10*time.Second))
		s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: time.Second, Max: time.Second}))
		handle(t, s, "com.example.one", echo)
		handle(t, s, "com.example.two", echo)
		subscribe(t, s, "com.example.topic")
		well(t, s)
		r.Cut(s.ID())
		<-time.After(time.Second)
		back := time.Now()
		want(t, ill(t, s, wamp.ErrRestoring, "2 registrations and subscriptions are not back"), wamp.HealthError{Phase: wamp.Joined, Since: back, Missing: 2})
		<-time.After(30 * time.Second)
		well(t, s)
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action { // a router that takes its time
			if x.Sent && (x.Message.Type == proto.Registered || x.Message.Type == proto.Subscribed) {
				return wamptest.Hold(3 * time.Second)
			}
			return wamptest.Pass()
		})
		<-time.After(10 * time.Second)
		r.Cut(s.ID())
		<-time.After(time.Second)
		back = time.Now()
		want(t, ill(t, s, wamp.ErrRestoring, "3 registrations and subscriptions are not back"), wamp.HealthError{Phase: wamp.Joined, Since: back, Missing: 3})
		<-time.After(30 * time.Second)
		well(t, s)
	})
}

// What the router has refused for good is not missing.
func TestHealthWithoutWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: time.Second, Max: time.Second}))
		sub := subscribe(t, s, "com.example.topic")
		handle(t, s, "com.example.echo", echo)
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == proto.Subscribed {
				return wamptest.Replace(&proto.Message{Type: proto.Error, RequestType: proto.Subscribe, Request: x.Message.Request, URI: proto.ErrURINotAuthorized})
			}
			return wamptest.Pass()
		})
		r.Cut(s.ID())
		<-time.After(2 * time.Second)
		well(t, s)
		if !errors.Is(sub.Err(), wamp.ErrNotAuthorized) {
			t.Errorf("the subscription has ended by %v", sub.Err())
		}
	})
}

// With keepalive the last pong must not be older than its limits, also where other
// messages come.
func TestHealthPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		deaf := false
		s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithKeepalive(wamp.Keepalive{Interval: 10 * time.Second, Timeout: 5 * time.Second}),
			wamp.WithTransport(func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
				c, err := r.Dial(ctx, p)
				return &pongless{c, &deaf}, err
			}))
		if err != nil {
			t.Fatal(err)
		}
		defer closeIt(t, s)
		p := join(t, r)
		subscribe(t, s, "com.example.topic")
		<-time.After(10*time.Minute + time.Second)
		well(t, s)
		last := time.Now().Add(-time.Second)
		deaf = true
		for range 15 { // a sign of life, so that the connection is kept
			publish(t, p, "com.example.topic", 0, 1)
			well(t, s)
			<-time.After(time.Second)
		}
		want(t, ill(t, s, wamp.ErrPongTimeout, "no pong in time since"), wamp.HealthError{Phase: wamp.Joined, Since: last})
		deaf = false
		publish(t, p, "com.example.topic", 0, 1)
		if _, err := s.Ping(within(t, time.Second)); err != nil {
			t.Fatal(err)
		}
		well(t, s)
	})
}

// pongless is a connection on which no pong comes while it is deaf.
type pongless struct {
	transport.Conn
	deaf *bool
}

func (c *pongless) Ping(ctx context.Context) error {
	if *c.deaf {
		<-ctx.Done()
		return ctx.Err()
	}
	return c.Conn.Ping(ctx)
}

// A session that is being left, or is over, is not ready.
func TestHealthAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithoutGoodbye())
		s := join(t, r)
		goOn := make(chan struct{})
		handle(t, s, "com.example.proc", func(_ context.Context, inv *wamp.Invocation) error { <-goOn; return inv.Return() })
		s.Call(t.Context(), "com.example.proc", wamp.Args())
		synctest.Wait()
		begun := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(within(t, time.Minute)) }()
		want(t, ill(t, s, wamp.ErrDraining, "the session is being drained since"), wamp.HealthError{Phase: wamp.Joined, Since: begun})
		<-time.After(2 * time.Second)
		close(goOn)
		h := ill(t, s, wamp.ErrSessionClosed, "session closed since")
		want(t, h, wamp.HealthError{Phase: wamp.Closed, Since: begun.Add(2 * time.Second)})
		<-drained
		ill(t, s, wamp.ErrSessionClosed, "session closed since")

		s = join(t, r)
		r.Kill(s.ID(), "com.example.killed")
		want(t, ill(t, s, wamp.ErrSessionClosed, "com.example.killed"), wamp.HealthError{Phase: wamp.Closed, Since: time.Now()})
	})
}

// Healthy is cheap.
func TestHealthyAllocatesNothing(t *testing.T) {
	s := join(t, wamptest.NewRouter(t))
	if n := testing.AllocsPerRun(100, func() { _ = s.Healthy() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
