package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// next reads a state and checks its phase.
func next(t *testing.T, states <-chan wamp.State, phase wamp.Phase) wamp.State {
	t.Helper()
	select {
	case s := <-states:
		if s.Phase != phase {
			t.Fatalf("state %s (cause %v), want %s", s.Phase, s.Cause, phase)
		}
		return s
	case <-time.After(time.Minute):
		t.Fatalf("no state, want %s", phase)
	}
	return wamp.State{}
}

func TestReconnectRestores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, other := join(t, r, wamp.WithReconnect(quick())), join(t, r, wamp.WithReconnect(quick()))
		states := s.States(t.Context())
		first := next(t, states, wamp.Joined)
		var subs []*wamp.Subscription
		for i := range 20 {
			subs = append(subs, subscribe(t, s, fmt.Sprintf("com.example.topic%d", i)))
			handle(t, s, fmt.Sprintf("com.example.proc%d", i), echo)
		}
		pattern := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix))
		for range 3 {
			r.Restart()
			var l *wamp.LinkError
			if st := next(t, states, wamp.Reconnecting); !errors.As(st.Cause, &l) || st.Attempt != 1 || st.Delay != 100*time.Millisecond {
				t.Errorf("state %+v", st)
			}
			if st := next(t, states, wamp.Joined); st.Details.Session == first.Details.Session || st.Details != s.Details() {
				t.Errorf("details %+v", st.Details)
			}
			<-time.After(15 * time.Second) // the other one is back, and the link has held
			for i, sub := range subs {
				if _, err := other.Publish(t.Context(), sub.Topic(), wamp.Args(i), wamp.Acknowledge()).Wait(); err != nil {
					t.Fatal(err)
				}
				if ev := <-sub.Events(); !ev.AfterGap {
					t.Error("the first event after the gap does not say so")
				}
				if ev := <-pattern.Events(); ev.AfterGap != (i == 0) || ev.Topic != sub.Topic() {
					t.Errorf("event %d: after gap %v, topic %s", i, ev.AfterGap, ev.Topic)
				}
				var n int
				res, err := other.Call(t.Context(), fmt.Sprintf("com.example.proc%d", i), wamp.Args(i)).Final()
				if err != nil || res.Scan(&n) != nil || n != i {
					t.Errorf("call %d: %d, %v", i, n, err)
				}
			}
		}
		st := r.Stats()
		if st.Callees != 20 || st.Subscribers != 21 {
			t.Errorf("the router has %d callees and %d subscribers", st.Callees, st.Subscribers)
		}
	})
}

func TestReconnectOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, callee := join(t, r, wamp.WithReconnect(quick())), join(t, r)
		var runs atomic.Int32
		handle(t, callee, "com.example.work", func(ctx context.Context, inv *wamp.Invocation) error {
			n := runs.Add(1)
			if n > 2 {
				return inv.Return(wamp.Args(n))
			}
			if err := inv.Progress(wamp.Args(1)); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
		written := s.Call(t.Context(), "com.example.work", wamp.Args(), wamp.Progressive())
		again := s.Call(t.Context(), "com.example.work", wamp.Args(), wamp.Idempotent())
		synctest.Wait()
		r.Cut(s.ID())
		synctest.Wait()
		waiting := make(chan error, 1)
		go func() {
			_, err := s.Call(t.Context(), "com.example.work", wamp.Args()).Final()
			waiting <- err
		}()
		var unknown *wamp.OutcomeUnknown
		var l *wamp.LinkError
		if _, err := written.Final(); !errors.As(err, &unknown) || unknown.Delivered != 1 || !errors.As(err, &l) {
			t.Errorf("the written call: %v", err)
		}
		if _, err := again.Final(); err != nil {
			t.Errorf("the idempotent call: %v", err)
		}
		if err := <-waiting; err != nil {
			t.Errorf("the call that began without a link: %v", err)
		}
	})
}

// What was written and not answered has the same error whatever there is behind the
// loss: another link, no policy, a policy that gives up, or the user's own Close.
func TestLostOperationsAreTheSameEverywhere(t *testing.T) {
	gaveUp := quick()
	gaveUp.Attempts = 2
	for name, row := range map[string]struct {
		options []wamp.Option
		end     func(r *wamptest.Router, s *wamp.Session)
		over    bool
	}{
		"another link": {[]wamp.Option{wamp.WithReconnect(quick())}, func(r *wamptest.Router, s *wamp.Session) { r.Cut(s.ID()) }, false},
		"no policy":    {nil, func(r *wamptest.Router, s *wamp.Session) { r.Cut(s.ID()) }, true},
		"it gives up": {[]wamp.Option{wamp.WithReconnect(gaveUp)}, func(r *wamptest.Router, s *wamp.Session) {
			r.RefuseDials(20, errors.New("booting"))
			r.Cut(s.ID())
		}, true},
		"a Close": {nil, func(_ *wamptest.Router, s *wamp.Session) { _ = s.Close(context.Background()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, callee := join(t, r, row.options...), join(t, r)
				handle(t, callee, "com.example.work", func(ctx context.Context, _ *wamp.Invocation) error {
					<-ctx.Done()
					return ctx.Err()
				})
				r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
					if x.Sent && x.Message.Type == proto.Published {
						return wamptest.Drop()
					}
					return wamptest.Pass()
				})
				var unknown *wamp.OutcomeUnknown
				call := s.Call(t.Context(), "com.example.work", wamp.Args())
				acked := s.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.Acknowledge())
				twice := s.Call(t.Context(), "com.example.work", wamp.Args(), wamp.Idempotent())
				synctest.Wait()
				row.end(r, s)
				if !row.over {
					_, err := call.Final()
					if !errors.As(err, &unknown) || errors.Is(err, wamp.ErrSessionClosed) {
						t.Errorf("the call: %v", err)
					}
					if _, err := acked.Wait(); !errors.As(err, &unknown) || errors.Is(err, wamp.ErrSessionClosed) {
						t.Errorf("the publish: %v", err)
					}
					return
				}
				synctest.Wait() // the loss has been seen: before, the call could still be written
				late := s.Call(t.Context(), "com.example.work", wamp.Args())
				_, err := call.Final()
				_, err2 := twice.Final()
				_, err3 := acked.Wait()
				if name == "it gives up" { // they had ended before the session did
					if !errors.As(err, &unknown) || !errors.As(err3, &unknown) {
						t.Errorf("the call: %v; the publish: %v", err, err3)
					}
					err, err3 = err2, err2
				}
				for _, err := range []error{err, err2, err3} {
					if !errors.As(err, &unknown) || !errors.Is(err, wamp.ErrSessionClosed) {
						t.Errorf("%v", err)
					}
				}
				if _, err := late.Final(); errors.As(err, &unknown) || !errors.Is(err, wamp.ErrSessionClosed) {
					t.Errorf("what was never written: %v", err)
				}
			})
		})
	}
}

func TestReconnectWaitingCallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		policy := quick()
		policy.Min = time.Hour
		s := join(t, r, wamp.WithReconnect(policy))
		r.Cut(s.ID())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := s.Call(ctx, "com.example.proc", wamp.Args()).Final(); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("call after %v: %v", time.Since(start), err)
		}
		if _, err := s.Subscribe(ctx, "com.example.topic"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("subscribe: %v", err)
		}
		if _, err := s.Publish(ctx, "com.example.topic", wamp.Args(), wamp.Acknowledge()).Wait(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("publish: %v", err)
		}
	})
}

func TestReconnectFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		policy := quick()
		policy.FailFast = true
		s := join(t, r, wamp.WithReconnect(policy))
		r.Cut(s.ID())
		synctest.Wait()
		if _, err := s.Call(t.Context(), "com.example.proc", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNotConnected) {
			t.Errorf("call: %v", err)
		}
		<-time.After(time.Second)
		if _, err := s.Call(t.Context(), "com.example.proc", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNoSuchProcedure) {
			t.Errorf("call on the next link: %v", err)
		}
	})
}

func TestReconnectEnds(t *testing.T) {
	goodbye := func(reason string) func(*wamptest.Router, *wamp.Session) {
		return func(r *wamptest.Router, s *wamp.Session) { r.Kill(s.ID(), reason) }
	}
	for name, tt := range map[string]struct {
		end    func(*wamptest.Router, *wamp.Session)
		policy func(*wamp.Backoff)
		final  bool
	}{
		"cut":                         {end: func(r *wamptest.Router, s *wamp.Session) { r.Cut(s.ID()) }},
		"system_shutdown":             {end: goodbye(proto.CloseURISystemShutdown)},
		"close_realm":                 {end: goodbye(proto.CloseURICloseRealm)},
		"killed":                      {end: goodbye(proto.CloseURIKilled), final: true},
		"killed, asked for":           {end: goodbye(proto.CloseURIKilled), policy: func(p *wamp.Backoff) { p.Killed = true }},
		"normal":                      {end: goodbye(proto.CloseURINormal)},
		"no such realm after success": {end: func(r *wamptest.Router, s *wamp.Session) { r.Refuse(2, proto.ErrURINoSuchRealm); r.Cut(s.ID()) }},
		"login refused for a while":   {end: func(r *wamptest.Router, s *wamp.Session) { r.Refuse(4, proto.ErrURINotAuthorized); r.Cut(s.ID()) }},
		"login refused":               {end: func(r *wamptest.Router, s *wamp.Session) { r.Refuse(1000, proto.ErrURINotAuthorized); r.Cut(s.ID()) }, final: true},
		"as the user says":            {end: goodbye(proto.CloseURIKilled), policy: func(p *wamp.Backoff) { p.Redial = func(error) bool { return true } }},
		"as the user says, no":        {end: func(r *wamptest.Router, s *wamp.Session) { r.Cut(s.ID()) }, policy: func(p *wamp.Backoff) { p.Redial = func(error) bool { return false } }, final: true},
		"unavailable for a while":     {end: func(r *wamptest.Router, s *wamp.Session) { r.Refuse(3, proto.ErrURIUnavailable); r.Cut(s.ID()) }},
		"refused dials":               {end: func(r *wamptest.Router, s *wamp.Session) { r.RefuseDials(5, errors.New("booting")); r.Cut(s.ID()) }},
		"attempts used up": {end: func(r *wamptest.Router, s *wamp.Session) { r.RefuseDials(5, errors.New("booting")); r.Cut(s.ID()) },
			policy: func(p *wamp.Backoff) { p.Attempts = 5 }, final: true},
		"time used up": {end: func(r *wamptest.Router, s *wamp.Session) { r.RefuseDials(1000, errors.New("booting")); r.Cut(s.ID()) },
			policy: func(p *wamp.Backoff) { p.Time = time.Minute }, final: true},
		"violation": {end: func(r *wamptest.Router, s *wamp.Session) {
			_, _ = r.Send(s.ID(), &proto.Message{Type: proto.Welcome, ID: 5})
		}},
		"violation each time": {end: func(r *wamptest.Router, s *wamp.Session) {
			r.SetHook(behind(proto.Welcome, func(*wamptest.Exchange) *proto.Message { return &proto.Message{Type: proto.Welcome, ID: 5} }))
			r.Cut(s.ID())
		}, final: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				policy := quick()
				if tt.policy != nil {
					tt.policy(&policy)
				}
				s := join(t, r, wamp.WithReconnect(policy))
				sub := subscribe(t, s, "com.example.topic")
				states := s.States(t.Context())
				next(t, states, wamp.Joined)
				tt.end(r, s)
				<-time.After(10 * time.Minute)
				last := next(t, states, map[bool]wamp.Phase{true: wamp.Closed, false: wamp.Joined}[tt.final])
				if tt.final {
					if last.Cause == nil || s.Err() == nil || !errors.Is(s.Err(), wamp.ErrSessionClosed) {
						t.Errorf("cause %v, Err %v", last.Cause, s.Err())
					}
					if _, open := <-sub.Events(); open || sub.Err() == nil {
						t.Errorf("the subscription goes on: %v", sub.Err())
					}
					return
				}
				if _, err := s.Publish(t.Context(), "com.example.topic", wamp.Args(1), wamp.Acknowledge(), wamp.ExcludeMe(false)).Wait(); err != nil {
					t.Error(err)
				}
				<-sub.Events()
			})
		})
	}
}

// The router still holds the registrations of a session that it does not know
// to be dead.
func TestReconnectProcedureAlreadyExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r, wamp.WithReconnect(quick())), join(t, r)
		reg := handle(t, s, "com.example.echo", echo)
		r.Cut(s.ID())
		synctest.Wait()
		ghost := handle(t, c, "com.example.echo", echo) // holds it as the dead session would
		<-time.After(3 * time.Second)
		if reg.Err() != nil || s.Stats().Tables.Registrations != 0 {
			t.Fatalf("Err %v, %d registrations", reg.Err(), s.Stats().Tables.Registrations)
		}
		if err := ghost.Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		if reg.Err() != nil || s.Stats().Tables.Registrations != 1 {
			t.Errorf("Err %v, %d registrations", reg.Err(), s.Stats().Tables.Registrations)
		}
		r.Cut(s.ID())
		synctest.Wait()
		handle(t, c, "com.example.echo", echo)
		<-time.After(24 * time.Hour) // for as long as the session lives
		if reg.Err() != nil || s.Stats().Tables.Registrations != 0 {
			t.Errorf("a procedure that somebody else keeps: %v, %d registrations", reg.Err(), s.Stats().Tables.Registrations)
		}
	})
}

func TestReconnectRefusedRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(quick()))
		bad, good := subscribe(t, s, "com.example.bad"), subscribe(t, s, "com.example.good")
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if !x.Sent && x.Message.Type == proto.Subscribe && x.Message.URI == "com.example.bad" {
				m := *x.Message
				m.URI = "" // the router refuses that
				return wamptest.Replace(&m)
			}
			return wamptest.Pass()
		})
		r.Cut(s.ID())
		<-time.After(10 * time.Second)
		if _, open := <-bad.Events(); open || !errors.Is(bad.Err(), wamp.ErrInvalidURI) {
			t.Errorf("bad: %v", bad.Err())
		}
		if good.Err() != nil || s.Err() != nil {
			t.Errorf("good: %v, session: %v", good.Err(), s.Err())
		}
	})
}

func TestReconnectInitial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		r.RefuseDials(3, errors.New("booting"))
		if _, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithReconnect(quick())); err == nil {
			t.Error("the first connection was tried again without being asked for")
		}
		policy := quick()
		policy.Initial = true
		join(t, r, wamp.WithReconnect(policy))
	})
}

// An attempt that falls into a hole is given up, the next one may do better.
func TestReconnectDialIsBounded(t *testing.T) {
	for name, initial := range map[string]bool{"the first connection": true, "another one": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				hole := initial
				dial := func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
					if hole {
						hole = false
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return r.Dial(ctx, protocols)
				}
				policy := quick()
				policy.Initial = initial
				start := time.Now()
				s := join(t, r, wamp.WithTransport(dial), wamp.WithReconnect(policy), wamp.DialTimeout(3*time.Second))
				if !initial {
					hole = true
					states := s.States(t.Context())
					next(t, states, wamp.Joined)
					r.Cut(s.ID())
					for st := range states {
						if st.Phase == wamp.Joined {
							break
						}
					}
				}
				if took := time.Since(start); took < 3*time.Second || took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
