package wamp_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A GOODBYE of the router is answered, and its reason is the session's error.
func TestRouterSaysGoodbye(t *testing.T) {
	for _, reason := range []string{proto.CloseURISystemShutdown, proto.CloseURICloseRealm, proto.CloseURIKilled} {
		synctest.Test(t, func(t *testing.T) {
			script := wamptest.NewScript(t, wamptest.Welcome(), wamptest.Expect(proto.Call),
				say(m{6, d{"message": "good night"}, reason}),
				wamptest.Expect(proto.Goodbye, func(m *proto.Message) error {
					if m.URI != proto.CloseURIGoodbyeAndOut {
						return errors.New(m.URI)
					}
					return nil
				}), wamptest.ExpectEnd())
			s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial))
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Call(t.Context(), "com.example.proc", wamp.Args()).Final()
			<-s.Done()
			for _, err := range []error{err, s.Err(), context.Cause(s.Context())} {
				var goodbye *wamp.GoodbyeError
				if !errors.Is(err, wamp.ErrSessionClosed) || !errors.As(err, &goodbye) || goodbye.Reason != reason || goodbye.Message != "good night" {
					t.Errorf("%v", err)
				}
			}
			script.Wait()
			closeIt(t, s)
		})
	}
}

// Ping measures the way to the router; a router that does not answer ends the
// ping, not the session.
func TestPing(t *testing.T) {
	r := wamptest.NewRouter(t)
	overSockets(t, r, func(t *testing.T, _ scheme, address string, options []wamp.Option) {
		s := connect(t, address, options...)
		if s.RTT() != (wamp.RTT{}) {
			t.Errorf("before the first: %+v", s.RTT())
		}
		d, err := s.Ping(within(t, 10*time.Second))
		if rtt := s.RTT(); err != nil || d <= 0 || rtt.Last != d || rtt.Min != d || rtt.Smoothed != d {
			t.Errorf("%v, %+v, %v", d, rtt, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		handle(t, s, "com.example.echo", echo)
		r.Stall(s.ID())
		start := time.Now()
		if _, err := s.Ping(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		r.Unstall(s.ID())
		alive(t, s)
		closeIt(t, s)
		if _, err := s.Ping(t.Context()); !errors.Is(err, wamp.ErrSessionClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		reg := handle(t, s, "com.example.slow", func(context.Context, *wamp.Invocation) error {
			<-time.After(2 * time.Second)
			return nil
		}, wamp.Concurrency(1))
		var calls []wamp.Results
		for range 3 {
			calls = append(calls, c.Call(t.Context(), "com.example.slow", wamp.Args()))
		}
		synctest.Wait()
		ack := s.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.Acknowledge())
		drained := make(chan error, 1)
		go func() { drained <- s.Drain(t.Context()) }()
		synctest.Wait()
		if _, err := c.Call(t.Context(), "com.example.slow", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Errorf("a call while draining: %v", err)
		}
		for _, call := range calls {
			if _, err := call.Final(); err != nil {
				t.Errorf("a call that had arrived: %v", err)
			}
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if _, err := ack.Wait(); err != nil {
			t.Error(err)
		}
		if !errors.Is(reg.Err(), wamp.ErrDraining) {
			t.Errorf("registration: %v", reg.Err())
		}
	})
}

// A listener costs nothing after its context, and nothing after the session.
func TestStatesListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 { // in whatever order the two reach the actor
			for range s.States(ended) {
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		one, other := s.States(ctx), s.States(t.Context())
		if st := next(t, one, wamp.Joined); st.Details.Session != s.ID() {
			t.Error(st.Details)
		}
		next(t, other, wamp.Joined)
		cancel()
		if st, open := <-one; open {
			t.Error(st)
		}
		closeIt(t, s)
		if st := next(t, other, wamp.Closed); st.Cause != nil {
			t.Error(st.Cause)
		}
		if st, open := <-other; open {
			t.Error(st)
		}
		late := s.States(t.Context())
		next(t, late, wamp.Closed)
		if st, open := <-late; open {
			t.Error(st)
		}
	})
}

// A publish that waits for a connection when Drain is called is waited for.
func TestDrainWaitsForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		r.RefuseDials(20, errors.New("booting"))
		r.Cut(s.ID())
		synctest.Wait()
		acked := make(chan error, 1)
		go func() {
			_, err := s.Publish(t.Context(), "com.example.topic", wamp.Args(1), wamp.Acknowledge()).Wait()
			acked <- err
		}()
		synctest.Wait()
		if err := s.Drain(within(t, time.Hour)); err != nil {
			t.Error(err)
		}
		if err := <-acked; err != nil {
			t.Errorf("the publish: %v", err)
		}
	})
}
