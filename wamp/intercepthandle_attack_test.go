package wamp_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestInterceptedInvocationsAreFreed has interrupted invocations of a channel, which are not
// kept for the life of the session.
func TestInterceptedInvocationsAreFreed(t *testing.T) {
	for _, with := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s, sl := join(t, r), join(t, r, idle(with)...)
			reg, err := sl.Register(t.Context(), "com.x")
			if err != nil {
				t.Fatal(err)
			}
			var freed atomic.Int64
			go func() {
				for inv := range reg.Invocations() {
					big := new([1 << 16]byte)
					runtime.SetFinalizer(big, func(*[1 << 16]byte) { freed.Add(1) })
					inv.Payload = wamp.Args(big[:])
					go func() { <-inv.Context().Done(); _ = inv.Fail(inv.Context().Err()) }()
				}
			}()
			const n = 100
			for range n {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, _ = s.Call(ctx, "com.x", wamp.Args(1)).Final()
				cancel()
			}
			<-time.After(time.Minute)
			synctest.Wait()
			for range 200 {
				runtime.GC()
				for range 1000 {
					runtime.Gosched()
				}
				if freed.Load() == n {
					break
				}
			}
			if k := int(freed.Load()); k < n*8/10 {
				t.Errorf("with interceptors %v: %d of %d answered invocations are freed", with, k, n)
			}
		})
	}
}

// TestInterceptedHandlesLeaveNothing has subscriptions and registrations that are over. They
// leave no goroutine behind in a context of the user's type.
func TestInterceptedHandlesLeaveNothing(t *testing.T) {
	for _, how := range []string{"refused", "close", "Handle"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				base, cancel := context.WithCancel(context.Background())
				defer cancel()
				ctx := ownCtx{base}
				sl := join(t, r)
				handle(t, sl, "com.taken", echo)
				synctest.Wait()
				before := runtime.NumGoroutine()
				for range 20 {
					s := join(t, r, wamp.WithInterceptors(wamp.InterceptorFuncs{}))
					switch how {
					case "refused":
						if _, err := s.Register(ctx, "com.taken"); err == nil {
							t.Error("no error")
						}
					case "close":
						if _, err := s.Subscribe(ctx, "com.topic"); err != nil {
							t.Error(err)
						}
					case "Handle":
						if _, err := s.Handle(ctx, "com.z", echo); err != nil {
							t.Error(err)
						}
					}
					closeIt(t, s)
				}
				<-time.After(time.Minute)
				synctest.Wait()
				if n := runtime.NumGoroutine() - before; n > 5 {
					t.Errorf("%d goroutines are left", n)
				}
			})
		})
	}
}

// TestCloseWhileInterceptorsRun closes a session whose events nobody reads, while an
// interceptor takes its time with one.
func TestCloseWhileInterceptorsRun(t *testing.T) {
	for _, with := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			var o []wamp.Option
			if with {
				o = append(o, wamp.WithInterceptors(wamp.InterceptorFuncs{BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
					if op.Kind == wamp.OpEvent {
						<-time.After(200 * time.Millisecond)
					}
					return ctx, nil
				}}))
			}
			s := join(t, r, o...)
			sub := subscribe(t, s, "com.topic")
			_ = sub.Events()
			publish(t, join(t, r), "com.topic", 1, 5)
			synctest.Wait()
			began := time.Now()
			err := s.Close(context.Background())
			if took := time.Since(began); took > 1500*time.Millisecond || err != nil {
				t.Errorf("with interceptors %v: Close took %v: %v; %v", with, took, err, sub.Err())
			}
		})
	}
}

// TestInterceptedEventsBehindClose reads events behind the end of the session: they are
// there, or counted.
func TestInterceptedEventsBehindClose(t *testing.T) {
	for _, with := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := join(t, r, idle(with)...)
			sub := subscribe(t, s, "com.topic")
			publish(t, join(t, r), "com.topic", 1, 4)
			synctest.Wait()
			if err := s.Close(context.Background()); err != nil {
				t.Error(err)
			}
			n := 0
			for range sub.Events() {
				n++
			}
			var c *wamp.ClosedError
			errors.As(sub.Err(), &c)
			if n != 3 && (c == nil || c.Undelivered != 3-n) {
				t.Errorf("with interceptors %v: %d of 3 events, Err %v", with, n, sub.Err())
			}
		})
	}
}

// TestInterceptRefusedEventKeepsGap refuses the event that says that there was a gap. The
// next one says so.
func TestInterceptRefusedEventKeepsGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		n := 0
		s := join(t, r, wamp.WithReconnect(quick()), wamp.WithInterceptors(slip(wamp.OpEvent, "Begin", func() error {
			if n++; n == 1 {
				return errors.New("not this one")
			}
			return nil
		})))
		sub := subscribe(t, s, "com.topic")
		r.Cut(s.ID())
		<-time.After(10 * time.Second)
		publish(t, join(t, r), "com.topic", 1, 3)
		ev := <-sub.Events()
		if !ev.AfterGap {
			t.Errorf("event %d does not say that there was a gap", number(t, ev.Payload))
		}
	})
}

// TestInterceptGoexitCostsOneEvent ends the goroutine at one event. The others come.
func TestInterceptGoexitCostsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		n := 0
		s := join(t, r, wamp.WithInterceptors(slip(wamp.OpEvent, "Begin", func() error {
			if n++; n == 2 {
				runtime.Goexit()
			}
			return nil
		})))
		sub := subscribe(t, s, "com.topic")
		published := make(chan struct{})
		go func() {
			defer close(published)
			publish(t, join(t, r), "com.topic", 1, 6)
		}()
		got := 0
		for range sub.Events() {
			if got++; got == 4 {
				break
			}
		}
		if got != 4 {
			t.Errorf("%d of 4 events, and Err is %v", got, sub.Err())
		}
		<-published
	})
}

// TestInterceptGoexitDoesNotTruncate ends the goroutine at a chunk, which is not the end of
// the input.
func TestInterceptGoexitDoesNotTruncate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		sl := join(t, r, wamp.WithInterceptors(wamp.InterceptorFuncs{
			ProgressFunc: func(_ context.Context, op *wamp.Op, p *wamp.Part) error {
				if op.Kind == wamp.OpInvocation && !p.Sent && p.N == 3 {
					runtime.Goexit()
				}
				return nil
			}}))
		handle(t, sl, "com.sum", func(ctx context.Context, inv *wamp.Invocation) error {
			sum := 0
			for range inv.Chunks() {
				sum++
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return inv.Return(wamp.Args(sum))
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := join(t, r).CallStream(ctx, "com.sum", upTo(10)).Final()
		if err == nil {
			n := 0
			_ = res.Scan(&n)
			t.Errorf("the handler took %d chunks for all of them", n)
		}
	})
}

// TestInterceptLimitDoesNotTruncate gives an invocation a context with a limit, which cuts
// its input. That is not the end of it.
func TestInterceptLimitDoesNotTruncate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		limit := wamp.InterceptorFuncs{BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
			if op.Kind == wamp.OpInvocation {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				context.AfterFunc(ctx, cancel)
			}
			return ctx, nil
		}}
		s, callee := join(t, r), join(t, r, wamp.WithInterceptors(limit))
		_, err := wamp.ServeChunks(t.Context(), callee, "com.example.up", func(_ context.Context, in iter.Seq2[int, error], _ func(int) error) (int, error) {
			n := 0
			for _, err := range in {
				if err != nil {
					return 0, err
				}
				n++
			}
			return n, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n, err := wamp.OpenCall[int, int, int](t.Context(), s, "com.example.up", func(_ context.Context, send func(int) error) error {
			for i := range 10 {
				if err := send(i); err != nil {
					return err
				}
				<-time.After(300 * time.Millisecond)
			}
			return nil
		}).Result()
		if err == nil && n != 10 {
			t.Errorf("the handler has taken %d of 10 chunks for the whole input", n)
		}
	})
}

// TestInterceptEndsBeforeCloseReturns has an invocation of a channel that Close interrupts:
// its end is told by the time that Close has returned.
func TestInterceptEndsBeforeCloseReturns(t *testing.T) {
	const rounds = 100
	late := 0
	for range rounds {
		r := wamptest.NewRouter(t)
		done := make(chan struct{}, 1)
		s, sl := join(t, r), join(t, r, wamp.WithInterceptors(wamp.InterceptorFuncs{EndFunc: func(_ context.Context, op *wamp.Op, _ error) {
			if op.Kind == wamp.OpInvocation {
				done <- struct{}{}
			}
		}}))
		reg, err := sl.Register(t.Context(), "com.x")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		res := s.Call(ctx, "com.x", wamp.Args(1))
		<-reg.Invocations()
		_ = sl.Close(t.Context())
		select {
		case <-done:
		default:
			late++
			<-done
		}
		cancel()
		_, _ = res.Final()
		_ = s.Close(t.Context())
	}
	if late > 0 {
		t.Errorf("%d of %d ends came after Close had returned", late, rounds)
	}
}

// TestInterceptEndsWithAnswer has an invocation that is answered by the library, as its
// chunks are not read: it has ended then.
func TestInterceptEndsWithAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		w := newWitness(t, "")
		s, sl := join(t, r), join(t, r, wamp.WithInterceptors(w))
		reg, err := sl.Register(t.Context(), "com.x", wamp.Buffer(1, 1000))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ended := make(chan time.Duration, 1)
		w.end = func(op *wamp.Op, _ error) {
			if op.Kind == wamp.OpInvocation {
				ended <- time.Since(began)
			}
		}
		go func() {
			for range reg.Invocations() { // never answered, chunks never read
			}
		}()
		_, err = s.CallFunc(t.Context(), "com.x", func(ctx context.Context, send func(wamp.Payload) error) error {
			for {
				if err := send(wamp.Args(make([]byte, 500))); err != nil {
					return err
				}
			}
		}).Final()
		if err == nil {
			t.Error("a result")
		}
		if took := <-ended; took > time.Second {
			t.Errorf("an invocation that was answered at once ended after %v", took)
		}
	})
}

// TestInterceptRefusesOnePart refuses one progressive result. The handler is told, and goes
// on.
func TestInterceptRefusesOnePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		boom := errors.New("boom")
		wl := newWitness(t, "")
		wl.progress = func(op *wamp.Op, p *wamp.Part) error {
			if op.Kind == wamp.OpInvocation && p.Sent && p.N == 2 {
				return boom
			}
			return nil
		}
		s, sl := join(t, r), join(t, r, wamp.WithInterceptors(wl))
		handle(t, sl, "com.x", func(_ context.Context, inv *wamp.Invocation) error {
			if err := inv.Progress(wamp.Args(1)); err != nil {
				t.Error(err)
			}
			if err := inv.Progress(wamp.Args(2)); !errors.Is(err, boom) {
				t.Error(err)
			}
			return inv.Return(wamp.Args(3))
		})
		n := 0
		for res := range s.Call(t.Context(), "com.x", wamp.Args(1), wamp.Progressive()) {
			n++
			if res.Err != nil {
				t.Error(res.Err)
			}
		}
		if n != 2 {
			t.Errorf("%d results", n)
		}
		synctest.Wait()
		if _, err := wl.last(wamp.OpInvocation); err != nil {
			t.Error(err)
		}
	})
}

// blocks keeps whoever encodes it.
type blocks struct{ free chan struct{} }

func (b blocks) MarshalText() ([]byte, error) { <-b.free; return nil, nil }
func (b blocks) MarshalCBOR() ([]byte, error) { <-b.free; return []byte{1}, nil }

// TestInterceptRefusalBlocks refuses an invocation with an error that cannot be encoded.
// Close ends all the same.
func TestInterceptRefusalBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		free := make(chan struct{})
		sl := join(t, r, wamp.WithInterceptors(slip(wamp.OpInvocation, "Begin", func() error {
			return wamp.NewError("com.x.error", wamp.Args(blocks{free}))
		})))
		reg, err := sl.Register(t.Context(), "com.x")
		if err != nil {
			t.Fatal(err)
		}
		_ = reg.Invocations()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = join(t, r).Call(ctx, "com.x", wamp.Args(1)).Final()
		began := time.Now()
		err = sl.Close(context.Background())
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("Close took %v: %v", took, err)
		}
		close(free)
	})
}
