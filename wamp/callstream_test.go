package wamp_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// totals adds up the chunks it gets: a running total for each, and the last as
// its result.
func totals(ctx context.Context, inv *wamp.Invocation) error {
	total := 0
	for chunk := range inv.Chunks() {
		var n int
		if err := chunk.Scan(&n); err != nil {
			return wamp.ErrInvalidArgument
		}
		total += n
		if err := inv.Progress(wamp.Args(total)); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return inv.Return(wamp.Args(total))
}

// upTo is a channel with the numbers from 1 up to n, closed behind them.
func upTo(n int) <-chan wamp.Payload {
	ch := make(chan wamp.Payload, n)
	for i := range n {
		ch <- wamp.Args(i + 1)
	}
	close(ch)
	return ch
}

// collect reads a stream of numbers to its end.
func collect(t *testing.T, results wamp.Results) (progress []int, last wamp.Result) {
	t.Helper()
	for r := range results {
		if last = r; r.Progress {
			progress = append(progress, number(t, r.Payload))
		}
	}
	return progress, last
}

func TestCallStreamBothWays(t *testing.T) {
	for _, cd := range serializers {
		t.Run(cd.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				r := wamptest.NewRouter(t, wamptest.WithHook(p.hook))
				s, callee := join(t, r, wamp.WithSerializers(cd)), join(t, r)
				handle(t, callee, "com.example.total", totals)
				progress, last := collect(t, s.CallStream(t.Context(), "com.example.total", upTo(4), wamp.Progressive(), wamp.DiscloseMe(), wamp.Set("_x_app", 7)))
				if !slices.Equal(progress, []int{1, 3, 6, 10}) || last.Err != nil || number(t, last.Payload) != 10 {
					t.Errorf("%v, then %v", progress, last)
				}
				calls := p.take(proto.Call)
				if len(calls) != 5 {
					t.Fatalf("%d messages CALL", len(calls))
				}
				for i, m := range calls {
					if m.Request != calls[0].Request || m.URI != "com.example.total" {
						t.Errorf("chunk %d: request %d, %s", i, m.Request, m.URI)
					}
					want := map[string]any{"progress": true}
					if i == 0 {
						want = map[string]any{"progress": true, "receive_progress": true, "disclose_me": true, "_x_app": int64(7)}
					} else if i == 4 {
						want = nil
					}
					if got := m.Options.Map(); len(got) != len(want) || len(want) > 0 && got["progress"] != true {
						t.Errorf("chunk %d: options %v, want %v", i, got, want)
					}
				}
				if v := r.Stats().Violations; len(v) > 0 {
					t.Errorf("violations: %q", v)
				}
				empty(t, s)
				empty(t, callee)
			})
		})
	}
}

// A payload marked as the last saves an empty chunk, and ends what is taken
// from the channel.
func TestCallStreamLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
		handle(t, callee, "com.example.total", totals)
		ch := make(chan wamp.Payload, 3)
		ch <- wamp.Args(1)
		ch <- wamp.Args(2).Last()
		ch <- wamp.Args(3)
		if r, err := s.CallStream(t.Context(), "com.example.total", ch).Final(); err != nil || number(t, r.Payload) != 3 {
			t.Error(err)
		}
		if calls := p.take(proto.Call); len(calls) != 2 || calls[1].Options.Bool("progress") {
			t.Errorf("%d messages CALL", len(calls))
		}
		if len(ch) != 1 {
			t.Error("it took a payload behind the last one")
		}
		close(ch)
		if r, err := s.CallStream(t.Context(), "com.example.total", ch).Final(); err != nil || number(t, r.Payload) != 3 {
			t.Error(err)
		}
	})
}

func TestCallStreamEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
		handle(t, callee, "com.example.chunks", func(_ context.Context, inv *wamp.Invocation) error {
			n := 0
			for range inv.Chunks() {
				n++
			}
			for range inv.Chunks() { // it is the same channel
				n += 100
			}
			return inv.Return(wamp.Args(n))
		})
		for name, tt := range map[string]struct {
			results wamp.Results
			chunks  int
		}{
			"no payload":   {s.CallStream(t.Context(), "com.example.chunks", upTo(0)), 0},
			"a plain call": {s.Call(t.Context(), "com.example.chunks", wamp.Args(1)), 1},
			"one, marked": {s.CallFunc(t.Context(), "com.example.chunks", func(_ context.Context, send func(wamp.Payload) error) error {
				return send(wamp.Args(1).Last())
			}), 1},
		} {
			r, err := tt.results.Final()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if n := number(t, r.Payload); n != tt.chunks {
				t.Errorf("%s: %d chunks", name, n)
			}
		}
		if calls := p.take(proto.Call); len(calls) != 3 {
			t.Errorf("%d messages CALL", len(calls))
		}
		// What cannot be handed over.
		if _, err := s.CallStream(t.Context(), "not a uri", upTo(1)).Final(); err == nil {
			t.Error("a bad URI")
		}
		if _, err := s.CallStream(t.Context(), "com.example.chunks", upTo(1), wamp.Timeout(-1)).Final(); err == nil {
			t.Error("a bad option")
		}
		_, err := s.CallFunc(t.Context(), "com.example.chunks", func(_ context.Context, send func(wamp.Payload) error) error {
			return send(wamp.Args(make(chan int)))
		}).Final()
		if err == nil {
			t.Error("a bad payload")
		}
		why := errors.New("nothing to say")
		_, err = s.CallFunc(t.Context(), "com.example.chunks", func(context.Context, func(wamp.Payload) error) error { return why }).Final()
		if !errors.Is(err, why) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		results := s.CallStream(ctx, "com.example.chunks", make(chan wamp.Payload))
		synctest.Wait()
		cancel(why)
		if _, err := results.Final(); !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if calls := p.take(proto.Call); len(calls) != 0 {
			t.Errorf("%d messages CALL", len(calls))
		}
		empty(t, s)
	})
}

func TestCallFuncErrorCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
		causes := hung(t, callee, "com.example.hang")
		why := errors.New("the source is gone")
		_, err := s.CallFunc(t.Context(), "com.example.hang", func(_ context.Context, send func(wamp.Payload) error) error {
			if err := send(wamp.Args(1)); err != nil {
				t.Error(err)
			}
			return why
		}).Final()
		if !errors.Is(err, why) {
			t.Error(err)
		}
		var in *wamp.Interrupt
		if err := <-causes; !errors.As(err, &in) {
			t.Errorf("callee: %v", err)
		}
		p.one(t, proto.Cancel)
		empty(t, s)
	})
}

// A callee that ends early ends the sending, and nothing is taken from the
// channel any more.
func TestCallStreamCalleeEndsEarly(t *testing.T) {
	ends := map[string]wamp.Handler{
		"with a result": func(_ context.Context, inv *wamp.Invocation) error {
			<-inv.Chunks()
			<-inv.Chunks()
			return inv.Return(wamp.Args("enough"))
		},
		"with an error": func(_ context.Context, inv *wamp.Invocation) error {
			<-inv.Chunks()
			<-inv.Chunks()
			return wamp.ErrInvalidArgument
		},
	}
	for name, h := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _, callee := slowRig(t)
				s := join(t, r, wamp.WithOutbound(16<<10)) // a flood, but a small one
				handle(t, callee, "com.example.early", h)
				ch := make(chan wamp.Payload)
				results := s.CallStream(t.Context(), "com.example.early", ch)
				ch <- wamp.Args(1)
				ch <- wamp.Args(2)
				synctest.Wait()
				select {
				case ch <- wamp.Args(3):
					t.Error("a payload was taken behind the end")
				default:
				}
				if _, err := results.Final(); (err != nil) != (name == "with an error") {
					t.Error(err)
				}
				// Chunks that race with the end are dropped by everybody.
				for range 5 {
					sent, stopped := 0, make(chan struct{})
					_, err := s.CallFunc(t.Context(), "com.example.early", func(ctx context.Context, send func(wamp.Payload) error) error {
						defer close(stopped)
						for {
							if err := send(wamp.Args(sent)); err != nil {
								if !errors.Is(err, wamp.ErrCallEnded) || !errors.Is(context.Cause(ctx), wamp.ErrCallEnded) {
									t.Error(err, context.Cause(ctx))
								}
								return err
							}
							if sent++; sent%1000 == 0 {
								time.Sleep(time.Millisecond) // the others catch up, also on a single processor
							}
						}
					}).Final()
					<-stopped
					if sent < 2 || (err != nil) != (name == "with an error") {
						t.Errorf("%d chunks: %v", sent, err)
					}
				}
				synctest.Wait()
				empty(t, s)
				empty(t, callee)
				if v := r.Stats().Violations; len(v) > 0 {
					t.Errorf("violations: %q", v)
				}
				alive(t, s)
			})
		})
	}
}

// The end of the ctx ends both directions, in every mode.
func TestCallStreamCancelled(t *testing.T) {
	for _, mode := range []wamp.Mode{wamp.KillNoWait, wamp.Kill, wamp.Skip} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				r, s, callee := slowRig(t, wamptest.WithHook(p.hook))
				ended := make(chan error, 1)
				handle(t, callee, "com.example.total", func(ctx context.Context, inv *wamp.Invocation) error {
					err := totals(ctx, inv)
					ended <- context.Cause(ctx)
					return err
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				produced := make(chan error, 1)
				results := s.CallFunc(ctx, "com.example.total", func(ctx context.Context, send func(wamp.Payload) error) error {
					for i := 1; ; i++ {
						if err := send(wamp.Args(i)); err != nil {
							produced <- err
							return err
						}
						<-time.After(time.Second)
					}
				}, wamp.Progressive(), wamp.CancelMode(mode))
				<-time.After(2500 * time.Millisecond)
				why := errors.New("why")
				cancel(why)
				progress, last := collect(t, results)
				if len(progress) > 3 || !errors.Is(last.Err, why) || !errors.Is(last.Err, wamp.ErrCanceled) || !errors.Is(last.Err, context.Canceled) {
					t.Errorf("%v, then %v", progress, last.Err)
				}
				if err := <-produced; !errors.Is(err, why) {
					t.Errorf("the producer: %v", err)
				}
				synctest.Wait()
				want := mode.String()
				if mode == wamp.Skip { // the callee would wait for the rest for ever
					want = "killnowait"
				}
				if m := p.one(t, proto.Cancel); m.Options.Str("mode") != want {
					t.Errorf("CANCEL %v", m.Options.Map())
				}
				var in *wamp.Interrupt
				if err := <-ended; !errors.As(err, &in) || in.Mode != want {
					t.Errorf("callee: %v", err)
				}
				<-time.After(20 * time.Second)
				empty(t, s)
				if v := r.Stats().Violations; len(v) > 0 {
					t.Errorf("violations: %q", v)
				}
			})
		})
	}
}

// The link is cut in the middle, at the caller or the callee.
func TestCallStreamCut(t *testing.T) {
	for name, reconnect := range map[string][]wamp.Option{"": nil, " with reconnect": {wamp.WithReconnect(wamp.Backoff{})}} {
		for _, who := range []string{"caller", "callee"} {
			t.Run(who+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					s, callee := join(t, r, reconnect...), join(t, r, reconnect...)
					causes := make(chan error, 1)
					handle(t, callee, "com.example.total", func(ctx context.Context, inv *wamp.Invocation) error {
						err := totals(ctx, inv)
						causes <- context.Cause(ctx)
						return err
					})
					ch := make(chan wamp.Payload)
					results := s.CallStream(t.Context(), "com.example.total", ch, wamp.Progressive(), wamp.Idempotent())
					ch <- wamp.Args(1)
					ch <- wamp.Args(2)
					synctest.Wait()
					if who == "caller" {
						r.Cut(s.ID())
					} else {
						r.Cut(callee.ID())
					}
					progress, last := collect(t, results)
					if !slices.Equal(progress, []int{1, 3}) {
						t.Error(progress)
					}
					var unknown *wamp.OutcomeUnknown
					switch {
					case who == "callee" && !errors.Is(last.Err, wamp.ErrCanceled),
						who == "caller" && reconnect != nil && (!errors.As(last.Err, &unknown) || unknown.Delivered != 2),
						who == "caller" && reconnect == nil && !errors.Is(last.Err, wamp.ErrSessionClosed):
						t.Error(last.Err)
					}
					if err := <-causes; err == nil {
						t.Error("the callee's context has not ended")
					}
					select {
					case ch <- wamp.Args(3):
						t.Error("a payload was taken behind the end")
					default:
					}
				})
			})
		}
	}
}

// A router that does not announce progressive calls is never sent one.
func TestCallStreamNeedsFeature(t *testing.T) {
	for name, option := range map[string]wamptest.Option{
		"without it":    wamptest.WithFeatures(wamptest.FeaturesWithout(proto.ProgressiveCallInvocations)),
		"like Crossbar": wamptest.CrossbarQuirks(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				_, s, callee := slowRig(t, option, wamptest.WithHook(p.hook))
				handle(t, callee, "com.example.total", totals)
				var missing *wamp.FeatureError
				_, err := s.CallStream(t.Context(), "com.example.total", upTo(3)).Final()
				if !errors.As(err, &missing) || missing.Feature != proto.ProgressiveCallInvocations || missing.Role != proto.Dealer {
					t.Error(err)
				}
				synctest.Wait()
				if calls := p.take(proto.Call); len(calls) > 0 {
					t.Errorf("%d messages CALL", len(calls))
				}
				alive(t, s)
			})
		})
	}
}

// A caller that stays silent is ended by the limit between results; the dealer
// keeps it too.
func TestCallStreamSilentCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		handle(t, callee, "com.example.total", totals)
		ch := make(chan wamp.Payload, 2)
		ch <- wamp.Args(1)
		start := time.Now()
		progress, last := collect(t, s.CallStream(t.Context(), "com.example.total", ch, wamp.Progressive(), wamp.Timeout(3*time.Second)))
		if time.Since(start) != 3*time.Second || !errors.Is(last.Err, wamp.ErrTimeout) || len(progress) != 1 {
			t.Errorf("after %v: %v, %v", time.Since(start), progress, last.Err)
		}
		synctest.Wait()
		empty(t, s)
		empty(t, callee)
	})
}

// Close ends producers that are under way.
func TestCallStreamClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, callee := slowRig(t)
		handle(t, callee, "com.example.total", totals)
		s := join(t, r)
		ch := make(chan wamp.Payload, 1)
		ch <- wamp.Args(1)
		begun := s.CallStream(t.Context(), "com.example.total", ch)
		waiting := s.CallStream(t.Context(), "com.example.total", make(chan wamp.Payload))
		synctest.Wait()
		closeIt(t, s)
		for _, results := range []wamp.Results{begun, waiting} {
			if _, err := results.Final(); !errors.Is(err, wamp.ErrSessionClosed) {
				t.Error(err)
			}
		}
		if _, err := s.CallStream(t.Context(), "com.example.total", ch).Final(); !errors.Is(err, wamp.ErrSessionClosed) {
			t.Error(err)
		}
	})
}
