package wamp_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// slip is an interceptor that slips at one place, with operations of one kind.
func slip(kind wamp.OpKind, place string, how func() error) wamp.Interceptor {
	at := func(op *wamp.Op, p string) error {
		if op.Kind == kind && p == place {
			return how()
		}
		return nil
	}
	return wamp.InterceptorFuncs{
		BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
			if err := at(op, "Begin"); err != nil {
				return nil, err
			}
			return ctx, nil
		},
		ProgressFunc: func(_ context.Context, op *wamp.Op, _ *wamp.Part) error { return at(op, "Progress") },
		EndFunc:      func(_ context.Context, op *wamp.Op, _ error) { _ = at(op, "End") },
	}
}

// apart runs f on a goroutine of its own, which it may end by runtime.Goexit.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// TestInterceptSlips has interceptors that panic, refuse or end their goroutine at each
// place of each operation. It costs that operation, and the session goes on.
func TestInterceptSlips(t *testing.T) {
	boom := errors.New("boom")
	hows := map[string]func() error{
		"panics":  func() error { panic(boom) },
		"refuses": func() error { return boom },
		"Goexit":  func() error { runtime.Goexit(); return nil },
	}
	for how, f := range hows {
		for _, place := range []string{"Begin", "Progress", "End"} {
			for form, call := range callForms {
				t.Run("call/"+place+"/"+how+"/"+form, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						w := newWitness(t, "")
						s := join(t, r, wamp.WithInterceptors(w, slip(wamp.OpCall, place, f)))
						handle(t, join(t, r), "com.x", echo)
						returned := false
						apart(func() {
							_, err := call(t.Context(), s)
							returned = true
							if place == "End" {
								if err != nil && how != "Goexit" {
									t.Error(err)
								}
								return
							}
							if how != "Goexit" && !errors.Is(err, boom) || err == nil || strings.Count(err.Error(), "wamp: ") != 1 {
								t.Error(err)
							}
							var p *wamp.PanicError
							if errors.As(err, &p) != (how == "panics") {
								t.Errorf("%T", err)
							}
						})
						if !returned && how != "Goexit" {
							t.Error("the caller's goroutine has ended")
						}
						if op, err := w.last(wamp.OpCall); op == nil || place != "End" && err == nil {
							t.Errorf("the other one was told %v", err)
						}
						if n, err := wamp.Call[int](t.Context(), join(t, r), "com.x", wamp.Args(7)); n != 7 {
							t.Error(err)
						}
						if n := s.Stats().Faults; n != 0 != (how == "panics") {
							t.Errorf("%d faults", n)
						}
						endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) })
					})
				})
			}
			for _, reader := range []string{"Handle", "Invocations", "All"} {
				t.Run("invocation/"+place+"/"+how+"/"+reader, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						w := newWitness(t, "")
						s, sl := join(t, r), join(t, r, wamp.WithInterceptors(w, slip(wamp.OpInvocation, place, f)))
						switch reader {
						case "Handle":
							handle(t, sl, "com.x", echo)
						default:
							reg, err := sl.Register(t.Context(), "com.x")
							if err != nil {
								t.Fatal(err)
							}
							go func() {
								if reader == "All" {
									for inv, err := range reg.All() {
										if err == nil {
											_ = echo(inv.Context(), inv)
										}
									}
									return
								}
								for inv := range reg.Invocations() {
									_ = echo(inv.Context(), inv)
								}
							}()
						}
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						defer cancel()
						_, err := wamp.Call[int](ctx, s, "com.x", wamp.Args(1))
						switch {
						case place == "End" && how != "Goexit" && err != nil:
							t.Error(err)
						case place != "End" && (err == nil || reader != "All" && reader != "Invocations" && !errors.Is(err, wamp.ErrRuntimeError)):
							t.Error(err)
						}
						if how != "Goexit" { // which ends a loop of the user's, or the relay
							if _, err = wamp.Call[int](ctx, s, "com.x", wamp.Args(1)); place == "End" && err != nil {
								t.Error(err)
							}
						}
						endsWithin(t, "Close", 2*time.Second, func() error { return sl.Close(context.Background()) })
					})
				})
			}
			for _, acked := range []bool{false, true} {
				if place == "Progress" {
					continue
				}
				t.Run("publish/"+place+"/"+how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						w := newWitness(t, "")
						s := join(t, r, wamp.WithInterceptors(w, slip(wamp.OpPublish, place, f)))
						sub := subscribe(t, join(t, r), "com.topic")
						var options []wamp.PublishOption
						if acked {
							options = append(options, wamp.Acknowledge())
						}
						apart(func() {
							_, err := s.Publish(t.Context(), "com.topic", wamp.Args(1), options...).Wait()
							if (err != nil) != (place == "Begin") && how != "Goexit" || how == "refuses" && place == "Begin" && !errors.Is(err, boom) {
								t.Error(err)
							}
						})
						synctest.Wait()
						if n := len(sub.Events()); n != 0 == (place == "Begin") {
							t.Errorf("%d events", n)
						}
						apart(func() {
							acks := allAcks(s.PublishStream(t.Context(), "com.topic", upTo(3)))
							if place == "Begin" && (len(acks) == 0 || acks[len(acks)-1].Err == nil) {
								t.Error(acks)
							}
						})
						endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) })
					})
				})
			}
			if place == "Progress" {
				continue
			}
			for _, reader := range []string{"Events", "All"} {
				t.Run("event/"+place+"/"+how+"/"+reader, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						n := 0
						s := join(t, r, wamp.WithInterceptors(newWitness(t, ""), slip(wamp.OpEvent, place, func() error {
							if n++; n == 1 {
								return f()
							}
							return nil
						})))
						sub := subscribe(t, s, "com.topic")
						publish(t, join(t, r), "com.topic", 1, 4)
						got := 0
						read := func() {
							if reader == "All" {
								for ev, err := range sub.All() {
									if err != nil {
										return
									}
									got = number(t, ev.Payload)
									if got == 3 {
										return
									}
								}
								return
							}
							for ev := range sub.Events() {
								if got = number(t, ev.Payload); got == 3 {
									return
								}
							}
						}
						apart(read)
						if how != "Goexit" && got != 3 {
							t.Errorf("the last event is %d", got)
						}
						endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) })
					})
				})
			}
			for _, kind := range []wamp.OpKind{wamp.OpSubscribe, wamp.OpRegister} {
				t.Run(kind.String()+"/"+place+"/"+how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						s := join(t, r, wamp.WithInterceptors(newWitness(t, ""), slip(kind, place, f)))
						apart(func() {
							var err error
							if kind == wamp.OpSubscribe {
								_, err = s.Subscribe(t.Context(), "com.topic")
							} else {
								_, err = s.Handle(t.Context(), "com.x", echo)
							}
							if (err != nil) != (place == "Begin") {
								t.Error(err)
							}
						})
						endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) })
					})
				})
			}
			t.Run("connect/"+place+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					apart(func() {
						w := newWitness(t, "")
						s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(r.Dial), wamp.WithInterceptors(w, slip(wamp.OpConnect, place, f)))
						if (err != nil) != (place == "Begin") {
							t.Error(err)
						}
						if err == nil {
							closeIt(t, s)
						}
					})
					synctest.Wait()
					if n := r.Stats().Sessions; n != 0 {
						t.Errorf("%d sessions are left", n)
					}
				})
			})
		}
	}
}

// TestInterceptBlocks has interceptors that block for ever. Close ends all the same.
func TestInterceptBlocks(t *testing.T) {
	for _, place := range []string{"Begin", "Progress", "End"} {
		for _, kind := range []wamp.OpKind{wamp.OpCall, wamp.OpInvocation, wamp.OpEvent, wamp.OpPublish} {
			t.Run(kind.String()+"/"+place, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					free := make(chan struct{})
					s := join(t, r, wamp.WithInterceptors(slip(kind, place, func() error { <-free; return nil })))
					sub := subscribe(t, s, "com.topic")
					reg, err := s.Register(t.Context(), "com.x")
					if err != nil {
						t.Fatal(err)
					}
					go func() {
						for inv := range reg.Invocations() {
							_ = inv.Return(inv.Payload)
						}
					}()
					go func() {
						for range sub.Events() {
						}
					}()
					go publish(t, join(t, r), "com.topic", 1, 3)
					go func() { _, _ = s.Publish(context.Background(), "com.other", wamp.Args(1), wamp.Acknowledge()).Wait() }()
					go func() {
						_, _ = s.Call(context.Background(), "com.x", wamp.Args(1), wamp.Progressive()).Final()
					}()
					<-time.After(time.Minute)
					began := time.Now()
					err = s.Close(context.Background())
					if took := time.Since(began); took > 3*time.Second {
						t.Errorf("Close took %v: %v", took, err)
					}
					close(free)
				})
			})
		}
	}
}

// TestInterceptEndsOnce has invocations and events that their readers do nothing with.
func TestInterceptEndsOnce(t *testing.T) {
	for _, end := range []string{"cancel", "cut", "close", "unregister", "caller lost"} {
		for _, reader := range []string{"Invocations", "All"} {
			t.Run(end+"/"+reader, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					w := newWitness(t, "")
					s, sl := join(t, r, wamp.WithReconnect(quick())), join(t, r, wamp.WithInterceptors(w), wamp.WithReconnect(quick()))
					reg, err := sl.Register(t.Context(), "com.x")
					if err != nil {
						t.Fatal(err)
					}
					sub := subscribe(t, sl, "com.topic")
					events := sub.Events()
					publish(t, join(t, r), "com.topic", 1, 20)
					if reader == "All" {
						go func() {
							for range reg.All() {
							}
						}()
					} else {
						go func() { // the others wait in the stream
							<-reg.Invocations()
							<-reg.Invocations()
						}()
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					for range 5 {
						go func() { _, _ = s.Call(ctx, "com.x", wamp.Args(1)).Final() }()
					}
					<-time.After(time.Second)
					switch end {
					case "cancel":
						cancel()
					case "cut":
						r.Cut(sl.ID())
					case "unregister":
						_ = reg.Unregister(t.Context())
						_ = sub.Unsubscribe(t.Context())
						for range events {
						}
						if _, err := w.last(wamp.OpEvent); !errors.Is(err, wamp.ErrEventDropped) {
							t.Error(err)
						}
					case "caller lost":
						r.Cut(s.ID())
					}
					<-time.After(time.Minute)
					closeIt(t, sl)
					cancel()
					synctest.Wait()
				})
			})
		}
	}
}

// TestInterceptLeavesLoop leaves the loop over a stream.
func TestInterceptLeavesLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		w := newWitness(t, "")
		s := join(t, r, wamp.WithInterceptors(w))
		callee := newWitness(t, "")
		handle(t, join(t, r, wamp.WithInterceptors(callee)), "com.x", numbering)
		for _, leave := range []func(){func() {}, func() { panic("out") }, func() { runtime.Goexit() }} {
			apart(func() {
				defer func() { _ = recover() }()
				for n := range wamp.Stream[int](t.Context(), s, "com.x", wamp.Args(0, 100)) {
					if n == 3 {
						leave()
						break
					}
				}
			})
			<-time.After(time.Second)
			var c *wamp.CanceledError
			if op, err := w.last(wamp.OpCall); !errors.As(err, &c) || op.Received != 3 {
				t.Errorf("%+v, %v", op, err)
			}
			var i *wamp.Interrupt
			if _, err := callee.last(wamp.OpInvocation); !errors.As(err, &i) {
				t.Error(err)
			}
		}
	})
}

// TestInterceptContext has an interceptor that gives calls a budget of time.
func TestInterceptContext(t *testing.T) {
	forEachCallForm(t, func(t *testing.T, call func(ctx context.Context, s *wamp.Session, options ...wamp.CallOption) ([]int, error)) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithInterceptors(wamp.InterceptorFuncs{BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
			if op.Kind != wamp.OpCall {
				return ctx, nil
			}
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			context.AfterFunc(ctx, cancel)
			return ctx, nil
		}}))
		hung(t, join(t, r), "com.x")
		began := time.Now()
		if _, err := call(t.Context(), s); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestInterceptResume sees one operation where a call was made several times.
func TestInterceptResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		w := newWitness(t, "")
		s := join(t, r, wamp.WithInterceptors(w), wamp.WithReconnect(quick()))
		handle(t, join(t, r), "com.x", numbering)
		go func() {
			<-time.After(3500 * time.Millisecond)
			r.Cut(s.ID())
		}()
		w.take()
		for res := range s.Call(t.Context(), "com.x", wamp.Args(0, 6), after(6)) {
			if res.Err != nil {
				t.Error(res.Err)
			}
		}
		w.expect("a call that was resumed", "begin call com.x", "got call 1", "got call 2", "got call 3", "got call 4", "sent call 1 last", "got call 5", "got call 6 last", "end call")
		if op, err := w.last(wamp.OpCall); err != nil || op.Attempts != 2 {
			t.Errorf("%+v, %v", op, err)
		}
	})
}

// TestInterceptConnectFails sees a connection that is refused.
func TestInterceptConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWitness(t, "")
		r := wamptest.NewRouter(t)
		r.Refuse(1, "wamp.error.no_such_realm")
		if _, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithInterceptors(w), wamp.WithTransport(r.Dial)); err == nil {
			t.Error("no error")
		}
		if op, err := w.last(wamp.OpConnect); err == nil || op.Session != nil {
			t.Errorf("%+v, %v", op, err)
		}
		for _, o := range []wamp.Option{wamp.WithInterceptors(nil), wamp.WithInterceptors(w, nil)} {
			if _, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(wamptest.NewRouter(t).Dial), o); err == nil {
				t.Error("no error for a nil interceptor")
			}
		}
	})
}

// TestInterceptPublishEnds has publishes whose acknowledgements do not come.
func TestInterceptPublishEnds(t *testing.T) {
	for _, end := range []string{"ctx", "cut", "close", "nothing"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				w := newWitness(t, "")
				s := join(t, r, wamp.WithInterceptors(w), wamp.WithReconnect(quick()))
				r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
					if x.Message.Type.String() == "PUBLISHED" {
						return wamptest.Drop()
					}
					return wamptest.Pass()
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				acks := s.Publish(ctx, "com.topic", wamp.Args(1), wamp.Acknowledge())
				stream := s.PublishStream(ctx, "com.topic", upTo(100))
				synctest.Wait()
				switch end {
				case "ctx":
					cancel()
				case "cut":
					r.Cut(s.ID())
				case "close":
					go func() { _ = s.Close(context.Background()) }()
				}
				if _, err := acks.Wait(); err == nil {
					t.Error("no error")
				}
				if all := allAcks(stream); len(all) == 0 || all[len(all)-1].Err == nil {
					t.Error(all)
				}
				<-time.After(time.Minute)
				if _, err := w.last(wamp.OpPublish); err == nil {
					t.Error("no error")
				}
			})
		})
	}
}
