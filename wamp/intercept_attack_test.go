package wamp_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// idle are the options of a session with an interceptor that does nothing, or without one.
func idle(with bool) []wamp.Option {
	if !with {
		return nil
	}
	return []wamp.Option{wamp.WithInterceptors(wamp.InterceptorFuncs{})}
}

// TestInterceptRefusalIsNotRetried refuses calls with an error that Retry is for: nothing is
// sent, and nothing is tried again.
func TestInterceptRefusalIsNotRetried(t *testing.T) {
	for _, place := range []string{"Begin", "Resume"} {
		t.Run(place, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				refused := 0
				f := wamp.InterceptorFuncs{}
				if place == "Begin" {
					f.BeginFunc = func(ctx context.Context, op *wamp.Op) (context.Context, error) {
						if op.Kind == wamp.OpCall {
							refused++
							return ctx, wamp.ErrUnavailable // such as a circuit breaker
						}
						return ctx, nil
					}
				} else {
					f.ProgressFunc = func(_ context.Context, _ *wamp.Op, p *wamp.Part) error {
						if p.Sent {
							refused++
							return wamp.ErrUnavailable
						}
						return nil
					}
				}
				s := join(t, r, wamp.WithInterceptors(f), wamp.WithReconnect(quick()))
				ran := 0
				handle(t, join(t, r), "com.x", func(ctx context.Context, inv *wamp.Invocation) error {
					ran++
					return numbering(ctx, inv)
				})
				time.AfterFunc(2500*time.Millisecond, func() { r.Cut(s.ID()) })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var err error
				if place == "Begin" {
					_, err = s.Call(ctx, "com.x", wamp.Args(0, 5), wamp.Retry(wamp.RetryPolicy{Attempts: 5})).Final()
				} else {
					_, err = s.Call(ctx, "com.x", wamp.Args(0, 5), after(5)).Final()
					ran--
				}
				if ran != 0 || refused != 1 || !errors.Is(err, wamp.ErrUnavailable) {
					t.Errorf("the callee ran %d times, refused %d times, %v", ran, refused, err)
				}
			})
		})
	}
}

// TestInterceptRetryOptions has options and a payload that Begin sets: each attempt is sent
// with them.
func TestInterceptRetryOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithForwardedOptions("x_a"))
		n := 0
		var last *wamp.Op
		s := join(t, r, wamp.WithInterceptors(wamp.InterceptorFuncs{BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
			op.Options = op.Options.With("x_a", "b")
			op.Payload = wamp.Args(7)
			return ctx, nil
		}, EndFunc: func(_ context.Context, op *wamp.Op, _ error) { last = op }}))
		handle(t, join(t, r), "com.x", func(_ context.Context, inv *wamp.Invocation) error {
			if number(t, inv.Payload) != 7 || inv.Details.Str("x_a") != "b" {
				t.Error(inv.Details)
			}
			if n++; n < 3 {
				return wamp.ErrUnavailable
			}
			return nil
		})
		_, err := s.Call(t.Context(), "com.x", wamp.Args(1), wamp.Retry(wamp.RetryPolicy{}), wamp.DiscloseMe()).Final()
		if err != nil || last.Attempts != 3 || last.Sent != 1 {
			t.Errorf("%v %+v", err, last)
		}
	})
}

// TestInterceptCloseInside closes the session inside of an interceptor. It ends with its
// timeout at the latest.
func TestInterceptCloseInside(t *testing.T) {
	for _, kind := range []wamp.OpKind{wamp.OpCall, wamp.OpInvocation, wamp.OpEvent, wamp.OpPublish, wamp.OpSubscribe, wamp.OpRegister} {
		for _, place := range []string{"Begin", "Progress", "End"} {
			t.Run(kind.String()+"/"+place, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					var s *wamp.Session
					var first sync.Once
					s = join(t, r, wamp.WithInterceptors(newWitness(t, ""), slip(kind, place, func() error {
						first.Do(func() {
							began := time.Now()
							err := s.Close(context.Background())
							if took := time.Since(began); took > 2*time.Second {
								t.Errorf("Close took %v: %v", took, err)
							}
						})
						return nil
					})))
					sl := join(t, r)
					go func() {
						sub, err := s.Subscribe(t.Context(), "com.t")
						if err != nil {
							return
						}
						_, err = s.Handle(t.Context(), "com.x", echo)
						if err != nil {
							return
						}
						go func() {
							for range sub.Events() {
							}
						}()
						go func() { _, _ = sl.Publish(t.Context(), "com.t", wamp.Args(1)).Wait() }()
						_, _ = s.Call(t.Context(), "com.x", wamp.Args(1)).Final()
						_, _ = s.Publish(t.Context(), "com.x", wamp.Args(1), wamp.Acknowledge()).Wait()
					}()
					<-time.After(time.Minute)
					endsWithin(t, "Close", 2*time.Second, func() error { return s.Close(context.Background()) })
				})
			})
		}
	}
}

// TestInterceptCloseWithProducer closes a session whose progressive call has not sent its
// first chunk.
func TestInterceptCloseWithProducer(t *testing.T) {
	for _, with := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := join(t, r, idle(with)...)
			free := make(chan struct{})
			_ = s.CallFunc(context.Background(), "com.x", func(context.Context, func(wamp.Payload) error) error { <-free; return nil })
			synctest.Wait()
			began := time.Now()
			err := s.Close(context.Background())
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("with interceptors %v: Close took %v: %v", with, took, err)
			}
			close(free)
		})
	}
}

// TestInterceptContextOfUnreadCalls has a deadline of Begin, which ends calls that nobody
// reads.
func TestInterceptContextOfUnreadCalls(t *testing.T) {
	for _, form := range []string{"Call", "CallFunc"} {
		t.Run(form, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				w := newWitness(t, "")
				w.begin = func(ctx context.Context, op *wamp.Op) (context.Context, error) {
					if op.Kind == wamp.OpCall {
						c, cancel := context.WithTimeout(ctx, 3*time.Second)
						context.AfterFunc(c, cancel)
						return c, nil
					}
					return ctx, nil
				}
				s := join(t, r, wamp.WithInterceptors(w))
				handle(t, join(t, r), "com.x", func(ctx context.Context, inv *wamp.Invocation) error {
					for n := range 100 {
						if err := inv.Progress(wamp.Args(n)); err != nil {
							return err
						}
					}
					<-ctx.Done()
					return ctx.Err()
				})
				if form == "Call" {
					_ = s.Call(context.Background(), "com.x", wamp.Args(1), wamp.Progressive())
				} else {
					_ = s.CallFunc(context.Background(), "com.x", func(ctx context.Context, send func(wamp.Payload) error) error {
						_ = send(wamp.Args(1))
						<-ctx.Done()
						return ctx.Err()
					}, wamp.Progressive())
				}
				<-time.After(time.Minute)
				if op, err := w.last(wamp.OpCall); op == nil || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a minute after its deadline of 3 s the call has ended with %v", err)
				}
			})
		})
	}
}

// ownCtx is a context of the user's own type.
type ownCtx struct{ context.Context }

// TestInterceptOwnContextType has a context of the user's type, which End gets as it was.
func TestInterceptOwnContextType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		ends := 0
		s := join(t, r, wamp.WithInterceptors(wamp.InterceptorFuncs{
			BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) { return ownCtx{ctx}, nil },
			EndFunc: func(ctx context.Context, op *wamp.Op, _ error) {
				ends++
				if _, is := ctx.(ownCtx); !is {
					t.Errorf("%s: End got a %T", op.Kind, ctx)
				}
			},
		}))
		_, _ = s.Publish(t.Context(), "com.t", wamp.Args(1)).Wait()
		if ends != 2 {
			t.Errorf("%d ends of connect and publish", ends)
		}
	})
}

// TestInterceptOptionsThatLie has options of Begin that an operation is not made for. They
// cost the operation, and not the session.
func TestInterceptOptionsThatLie(t *testing.T) {
	for name, c := range map[string]struct {
		kind  wamp.OpKind
		key   string
		value any
	}{
		"acknowledge":      {wamp.OpPublish, "acknowledge", true},
		"receive_progress": {wamp.OpCall, "receive_progress", true},
		"progress":         {wamp.OpCall, "progress", true},
		"request":          {wamp.OpCall, "ppt_scheme", "x_rev"},
		"match":            {wamp.OpSubscribe, "match", "prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithInterceptors(wamp.InterceptorFuncs{BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
					if op.Kind == c.kind {
						op.Options = op.Options.With(c.key, c.value)
					}
					return ctx, nil
				}}))
				handle(t, join(t, r), "com.x", func(ctx context.Context, inv *wamp.Invocation) error {
					if err := inv.Progress(wamp.Args(1)); err != nil {
						return err
					}
					for range inv.Chunks() {
					}
					return inv.Return(wamp.Args(2))
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, _ = s.Publish(ctx, "com.topic", wamp.Args(1)).Wait()
				_, _ = s.Call(ctx, "com.x", wamp.Args(1)).Final()
				_, _ = s.Subscribe(ctx, "com.topic")
				<-time.After(time.Second)
				if n := s.Stats().Reconnects; s.Err() != nil || n > 0 {
					t.Errorf("%v, %d reconnects", s.Err(), n)
				}
			})
		})
	}
}

// exits ends the goroutine of whoever encodes it.
type exits struct{}

func (exits) MarshalCBOR() ([]byte, error)    { runtime.Goexit(); return nil, nil }
func (exits) MarshalMsgpack() ([]byte, error) { runtime.Goexit(); return nil, nil }
func (exits) MarshalJSON() ([]byte, error)    { runtime.Goexit(); return nil, nil }
func (exits) MarshalText() ([]byte, error)    { runtime.Goexit(); return nil, nil }

// TestInterceptGoexitInMarshaler has values that end the goroutine of whoever encodes them:
// each operation ends, and the session can be closed.
func TestInterceptGoexitInMarshaler(t *testing.T) {
	for name, f := range map[string]func(s *wamp.Session){
		"call":    func(s *wamp.Session) { _, _ = s.Call(context.Background(), "com.x", wamp.Args(exits{})).Final() },
		"callone": func(s *wamp.Session) { _, _ = wamp.Call[int](context.Background(), s, "com.x", wamp.Args(exits{})) },
		"publish": func(s *wamp.Session) { _, _ = s.Publish(context.Background(), "com.x", wamp.Args(exits{})).Wait() },
		"stream": func(s *wamp.Session) {
			ch := make(chan wamp.Payload, 1)
			ch <- wamp.Args(exits{})
			close(ch)
			allAcks(s.PublishStream(context.Background(), "com.x", ch))
		},
		"chunks": func(s *wamp.Session) {
			ch := make(chan wamp.Payload, 1)
			ch <- wamp.Args(exits{})
			close(ch)
			_, _ = s.CallStream(context.Background(), "com.x", ch).Final()
		},
		"chunk 2": func(s *wamp.Session) {
			ch := make(chan wamp.Payload, 2)
			ch <- wamp.Args(1)
			ch <- wamp.Args(exits{})
			close(ch)
			_, _ = s.CallStream(context.Background(), "com.echo", ch).Final()
		},
		"result": func(s *wamp.Session) {
			svc, err := s.Handle(context.Background(), "com.y", func(_ context.Context, inv *wamp.Invocation) error { return inv.Return(wamp.Args(exits{})) })
			if err == nil {
				_, _ = s.Call(context.Background(), "com.y", wamp.Args(1)).Final()
				_ = svc.Unregister(context.Background())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithInterceptors(newWitness(t, "")))
				apart(func() { f(s) })
				<-time.After(20 * time.Second)
				closeIt(t, s)
			})
		})
	}
}
