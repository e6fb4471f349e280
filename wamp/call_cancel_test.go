package wamp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a callee does when it is interrupted, or is not.
var obstinate = map[string]func(t *testing.T, r *wamptest.Router, callee *wamp.Session) wamp.Handler{
	"stops": func(*testing.T, *wamptest.Router, *wamp.Session) wamp.Handler {
		return func(ctx context.Context, _ *wamp.Invocation) error {
			<-ctx.Done()
			return ctx.Err()
		}
	},
	"answers late": func(*testing.T, *wamptest.Router, *wamp.Session) wamp.Handler {
		return func(context.Context, *wamp.Invocation) error {
			<-time.After(3 * time.Second) // it does not look at its ctx
			return wamp.NewError("com.example.error.late", wamp.Args("text"))
		}
	},
	"returns a result": func(*testing.T, *wamptest.Router, *wamp.Session) wamp.Handler {
		return func(_ context.Context, inv *wamp.Invocation) error {
			<-time.After(3 * time.Second)
			return inv.Return(wamp.Args("done"))
		}
	},
	"is gone": func(t *testing.T, r *wamptest.Router, callee *wamp.Session) wamp.Handler {
		return func(ctx context.Context, _ *wamp.Invocation) error {
			<-time.After(3 * time.Second)
			if !r.Cut(callee.ID()) {
				t.Error("the callee was not there")
			}
			<-ctx.Done()
			return ctx.Err()
		}
	},
	"says nothing": func(*testing.T, *wamptest.Router, *wamp.Session) wamp.Handler {
		return func(context.Context, *wamp.Invocation) error {
			<-time.After(time.Hour)
			return nil
		}
	},
}

func TestCancelModes(t *testing.T) {
	// Cancelled at 1 s. Where mode kill waits for the callee, what it says comes
	// at 3 s, and the grace period ends at 6 s: before the callee's session answers
	// for a handler that does not end.
	at := map[string]time.Duration{"stops": time.Second, "says nothing": 6 * time.Second}
	for name, option := range map[string]wamptest.Option{"by the text": wamptest.WithSeed(1), "like Crossbar": wamptest.CrossbarQuirks()} {
		for mode, wire := range map[wamp.Mode]string{wamp.KillNoWait: "killnowait", wamp.Kill: "kill", wamp.Skip: "skip"} {
			for what, handler := range obstinate {
				t.Run(name+", "+wire+", callee "+what, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var p tap
						r := wamptest.NewRouter(t, option, wamptest.WithHook(p.hook))
						s, callee, other := join(t, r), join(t, r), join(t, r)
						handle(t, other, "com.example.echo", echo)
						h := handler(t, r, callee)
						causes := hung(t, other, "com.example.unrelated")
						cause := errors.New("none")
						handle(t, callee, "com.example.work", func(ctx context.Context, inv *wamp.Invocation) error {
							stop := context.AfterFunc(ctx, func() { cause = context.Cause(ctx) })
							defer func() {
								if stop() && ctx.Err() != nil {
									cause = context.Cause(ctx)
								}
							}()
							return h(ctx, inv)
						})
						start := time.Now()
						why := errors.New("why")
						ctx, cancel := context.WithCancelCause(t.Context())
						unrelated := s.Call(t.Context(), "com.example.unrelated", wamp.Args())
						results := s.Call(ctx, "com.example.work", wamp.Args(), wamp.CancelMode(mode), wamp.KillGrace(5*time.Second), wamp.Progressive())
						<-time.After(time.Second)
						p.take()
						cancel(why)
						res, err := results.Final()
						took := time.Since(start)
						if _, more := <-results; more {
							t.Error("the stream is not closed")
						}
						want := time.Second
						if mode == wamp.Kill {
							want = 3 * time.Second
							if d, ok := at[what]; ok {
								want = d
							}
						}
						if took != want {
							t.Errorf("it ended after %v, want %v: %v", took, want, err)
						}
						checkCanceled(t, name, what, mode, why, res, err)
						synctest.Wait()
						if m := p.one(t, proto.Cancel); m.Options.Str("mode") != wire || m.session != s.ID() {
							t.Errorf("CANCEL %v", m.Options.Map())
						}
						var in *wamp.Interrupt
						if mode == wamp.Skip {
							if errors.As(cause, &in) {
								t.Errorf("the callee was interrupted: %v", cause)
							}
						} else if !errors.As(cause, &in) || in.Mode != wire || !errors.Is(in, wamp.ErrCanceled) {
							t.Errorf("the callee's context: %v", cause)
						}
						if st := s.Stats(); st.Tables.Requests != 1 || st.Tables.Timers != 0 { // that is the unrelated one
							t.Errorf("tables: %+v", st.Tables)
						}
						alive(t, s)
						<-time.After(5 * time.Second) // late answers do no harm
						alive(t, s)
						if s.Err() != nil || len(unrelated) != 0 || len(causes) != 0 {
							t.Errorf("an unrelated call has ended; the session: %v", s.Err())
						}
						if v := r.Stats().Violations; len(v) > 0 {
							t.Errorf("violations: %q", v)
						}
						<-time.After(2 * time.Hour)
					})
				})
			}
		}
	}
}

// checkCanceled checks how a cancelled call ended.
func checkCanceled(t *testing.T, router, what string, mode wamp.Mode, why error, res wamp.Result, err error) {
	t.Helper()
	if mode == wamp.Kill && what == "returns a result" && router == "by the text" {
		var text string
		if err != nil || res.Scan(&text) != nil || text != "done" {
			t.Errorf("the callee's result was %q, %v", text, err)
		}
		return
	}
	var e *wamp.CanceledError
	if !errors.As(err, &e) || !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !errors.Is(err, wamp.ErrCanceled) {
		t.Errorf("the call ended with %v", err)
		return
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, wamp.ErrTimeout) {
		t.Errorf("it looks like a timeout: %v", err)
	}
	answered := mode == wamp.Kill && what != "says nothing"
	if (e.Peer != nil) != answered {
		t.Errorf("what the callee said: %v", e.Peer)
	}
	if answered {
		uri := proto.ErrURICanceled
		if what == "answers late" && router == "by the text" {
			uri = "com.example.error.late"
		}
		if e.Peer.URI != uri {
			t.Errorf("the callee said %v, want %v", e.Peer.URI, uri)
		}
	}
}

func TestCancelByDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		causes := hung(t, callee, "com.example.hang")
		why := errors.New("too slow")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, why)
		defer cancel()
		start := time.Now()
		_, err := s.Call(ctx, "com.example.hang", wamp.Args()).Final()
		if time.Since(start) != 2*time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, why) || !errors.Is(err, wamp.ErrTimeout) {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, wamp.ErrCanceled) {
			t.Errorf("it looks cancelled: %v", err)
		}
		if err := <-causes; !errors.Is(err, wamp.ErrCanceled) {
			t.Errorf("callee: %v", err)
		}
		// A context that has ended sends nothing.
		sent := s.Stats().Sent
		if _, err := s.Call(ctx, "com.example.hang", wamp.Args()).Final(); !errors.Is(err, why) {
			t.Error(err)
		}
		if got := s.Stats().Sent; got != sent {
			t.Errorf("%d messages were sent", got-sent)
		}
		empty(t, s)
	})
}

func TestKillGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		handle(t, callee, "com.example.deaf", func(_ context.Context, inv *wamp.Invocation) error {
			<-time.After(time.Minute)
			return inv.Return(wamp.Args("too late"))
		})
		for _, grace := range []time.Duration{0, time.Millisecond, 7 * time.Second} {
			start := time.Now()
			_, err := s.Call(within(t, time.Second), "com.example.deaf", wamp.Args(), wamp.CancelMode(wamp.Kill), wamp.KillGrace(grace)).Final()
			if took := time.Since(start); took != time.Second+grace || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after %v: %v", took, err)
			}
			empty(t, s)
		}
		<-time.After(2 * time.Minute)
		alive(t, s)
	})
}

func TestCallTimeout(t *testing.T) {
	for name, option := range map[string]wamptest.Option{
		"kept by both":   wamptest.WithSeed(1),
		"kept by us":     wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallTimeout)),
		"kept by us (2)": wamptest.CrossbarQuirks(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				r, s, callee := slowRig(t, option, wamptest.WithHook(p.hook))
				causes := hung(t, callee, "com.example.hang")
				handle(t, callee, "com.example.ticks", func(_ context.Context, inv *wamp.Invocation) error {
					for i := range 5 {
						<-time.After(900 * time.Millisecond)
						if err := inv.Progress(wamp.Args(i)); err != nil {
							return err
						}
					}
					return nil
				})
				start := time.Now()
				_, err := s.Call(t.Context(), "com.example.hang", wamp.Args(), wamp.Timeout(time.Second)).Final()
				if took := time.Since(start); took != time.Second || !errors.Is(err, wamp.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", took, err)
				}
				_, sent := p.one(t, proto.Call).Options.Get("timeout")
				if sent != (name == "kept by both") {
					t.Errorf("the option was sent: %v", sent)
				}
				if err := <-causes; !errors.Is(err, wamp.ErrCanceled) && !errors.Is(err, wamp.ErrTimeout) {
					t.Errorf("callee: %v", err)
				}
				// It bounds the time between results, not the whole.
				if got, last := ascend(t, s.Call(t.Context(), "com.example.ticks", wamp.Args(), wamp.Progressive(), wamp.Timeout(time.Second))); got != 5 || last.Err != nil {
					t.Errorf("%d results: %v", got, last.Err)
				}
				_, err = s.Call(t.Context(), "com.example.ticks", wamp.Args(), wamp.Progressive(), wamp.Timeout(800*time.Millisecond)).Final()
				if !errors.Is(err, wamp.ErrTimeout) {
					t.Error(err)
				}
				<-time.After(10 * time.Second)
				alive(t, s)
				empty(t, s)
				if v := r.Stats().Violations; len(v) > 0 {
					t.Errorf("violations: %q", v)
				}
			})
		})
	}
}

// Where the dealer has no call_canceling the end is local: nothing is sent.
func TestCancelWithoutFeature(t *testing.T) {
	for _, mode := range []wamp.Mode{wamp.KillNoWait, wamp.Kill, wamp.Skip} {
		synctest.Test(t, func(t *testing.T) {
			r, s, callee := slowRig(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallCanceling)))
			handle(t, callee, "com.example.slow", func(_ context.Context, inv *wamp.Invocation) error {
				<-time.After(time.Minute)
				return inv.Return(wamp.Args("nobody waits"))
			})
			start := time.Now()
			_, err := s.Call(within(t, time.Second), "com.example.slow", wamp.Args(), wamp.CancelMode(mode), wamp.PassDeadline(false)).Final()
			if took := time.Since(start); took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("mode %v, after %v: %v", mode, took, err)
			}
			<-time.After(2 * time.Minute)
			alive(t, s)
			empty(t, s)
			if st := r.Stats(); len(st.Violations) > 0 || st.Received[proto.Cancel] > 0 || s.Stats().Late != 1 {
				t.Errorf("violations %q, %d CANCEL, %d late answers", st.Violations, st.Received[proto.Cancel], s.Stats().Late)
			}
		})
	}
}

// The callee of a caller that is gone is interrupted.
func TestCallerGone(t *testing.T) {
	for name, leave := range map[string]func(*testing.T, *wamptest.Router, *wamp.Session){
		"cut":    func(_ *testing.T, r *wamptest.Router, s *wamp.Session) { r.Cut(s.ID()) },
		"closed": func(t *testing.T, _ *wamptest.Router, s *wamp.Session) { closeIt(t, s) },
		"killed": func(_ *testing.T, r *wamptest.Router, s *wamp.Session) { r.Kill(s.ID(), proto.CloseURIKilled) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s, callee := slowRig(t)
				causes := hung(t, callee, "com.example.hang")
				results := s.Call(t.Context(), "com.example.hang", wamp.Args())
				synctest.Wait()
				leave(t, r, s)
				var in *wamp.Interrupt
				if err := <-causes; !errors.As(err, &in) {
					t.Errorf("callee: %v", err)
				}
				if _, err := results.Final(); !errors.Is(err, wamp.ErrSessionClosed) {
					t.Errorf("caller: %v", err)
				}
				synctest.Wait()
				empty(t, callee)
			})
		})
	}
}

// Timeout counts whether there is a connection or not, also while an operation
// waits to be handed over.
func TestTimeoutWithoutLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: time.Hour, Max: time.Hour}), wamp.WithOutbound(1000))
		r.RefuseDials(1000, errors.New("down"))
		r.Stall(s.ID())
		hanging := s.Call(t.Context(), "com.example.none", wamp.Args(), wamp.Timeout(3*time.Second), wamp.Idempotent())
		synctest.Wait()
		big := strings.Repeat("x", 2000)
		s.Publish(t.Context(), "com.example.topic", wamp.Args(big)) // what comes now waits for room
		for _, cut := range []bool{false, true} {
			if cut {
				r.Cut(s.ID())
				synctest.Wait()
			}
			start := time.Now()
			_, err := s.Call(t.Context(), "com.example.none", wamp.Args(big), wamp.Timeout(time.Second)).Final()
			if took := time.Since(start); took != time.Second || !errors.Is(err, wamp.ErrTimeout) || cut != strings.Contains(err.Error(), "while not connected") {
				t.Errorf("after %v: %v", took, err)
			}
		}
		start := time.Now()
		if _, err := hanging.Final(); !errors.Is(err, wamp.ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("the call that is repeated, after %v: %v", time.Since(start), err)
		}
	})
}

// The deadline of the ctx travels to the dealer, and to a callee that asks.
func TestDeadlineIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
		type seen struct {
			left  time.Duration
			has   bool
			cause error
		}
		got := make(chan seen, 1)
		work := func(ctx context.Context, inv *wamp.Invocation) error {
			at, has := ctx.Deadline()
			start := time.Now()
			for i := 0; ctx.Err() == nil && i < 3; i++ {
				select {
				case <-time.After(1500 * time.Millisecond):
					_ = inv.Progress(wamp.Args())
				case <-ctx.Done():
				}
			}
			<-ctx.Done()
			got <- seen{at.Sub(start), has, context.Cause(ctx)}
			return ctx.Err()
		}
		handle(t, callee, "com.example.keeps", work, wamp.ForwardTimeout())
		handle(t, callee, "com.example.leaves", work)
		var in *wamp.Interrupt
		var late *wamp.TimeoutError
		for _, tt := range []struct {
			name, procedure string
			options         []wamp.CallOption
			deadline        time.Duration
			sent            int64
			after           time.Duration
			has             bool
			cause           any
		}{
			{"kept by the dealer", "com.example.leaves", nil, 2 * time.Second, 2001, 2 * time.Second, false, &in},
			{"kept by the callee", "com.example.keeps", nil, 2 * time.Second, 2001, 2 * time.Second, true, &in},
			{"of a context below", "com.example.keeps", nil, -2 * time.Second, 2001, 2 * time.Second, true, &in},
			{"not passed on", "com.example.keeps", []wamp.CallOption{wamp.PassDeadline(false)}, 2 * time.Second, 0, 2 * time.Second, false, &in},
			{"the shorter one", "com.example.keeps", []wamp.CallOption{wamp.Timeout(time.Second)}, 2 * time.Second, 1000, time.Second, true, nil},
			{"no deadline", "com.example.keeps", []wamp.CallOption{wamp.Timeout(time.Second)}, 0, 1000, time.Second, true, nil},
			{"between results", "com.example.keeps", []wamp.CallOption{wamp.Progressive(), wamp.Timeout(2 * time.Second), wamp.PassDeadline(true)}, 0, 2000, 6500 * time.Millisecond, false, nil},
		} {
			ctx := t.Context()
			if tt.deadline > 0 {
				ctx = within(t, tt.deadline)
			} else if tt.deadline < 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(within(t, -tt.deadline))
				defer cancel()
			}
			start := time.Now()
			_, err := s.Call(ctx, tt.procedure, wamp.Args(), tt.options...).Final()
			if took := time.Since(start); took != tt.after || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wamp.ErrTimeout) {
				t.Errorf("%s: after %v: %v", tt.name, took, err)
			}
			if n, _ := p.one(t, proto.Call).Options.Int("timeout"); n != tt.sent {
				t.Errorf("%s: timeout %d", tt.name, n)
			}
			g := <-got
			if g.has != tt.has || tt.has && g.left != time.Duration(tt.sent)*time.Millisecond {
				t.Errorf("%s: the callee's deadline: %+v", tt.name, g)
			}
			if tt.cause != nil && !errors.As(g.cause, tt.cause) || tt.cause == nil && !errors.As(g.cause, &late) && !errors.As(g.cause, &in) {
				t.Errorf("%s: the callee's cause: %v", tt.name, g.cause)
			}
			<-time.After(time.Second)
			p.take()
		}
		empty(t, s)
		empty(t, callee)
	})
}
