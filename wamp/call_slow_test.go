package wamp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a stream may hold beside its bound: the channel, and the run of values
// that its feeder has in hand.
const (
	inChannel = 32
	inHand    = 32
)

// slowRig is a caller with a callee that streams and one that echoes.
func slowRig(t *testing.T, options ...wamptest.Option) (r *wamptest.Router, caller, callee *wamp.Session) {
	t.Helper()
	r = wamptest.NewRouter(t, options...)
	caller, callee = join(t, r), join(t, r)
	handle(t, callee, "com.example.count", countTo)
	handle(t, callee, "com.example.echo", echo)
	return r, caller, callee
}

func TestSlowCallFails(t *testing.T) {
	const n, bound = 5000, 100
	for name, buffer := range map[string]wamp.StreamOption{
		"by messages": wamp.Buffer(bound, 0),
		"by bytes":    wamp.Buffer(0, bound*296),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				r, s, callee := slowRig(t, wamptest.WithHook(p.hook))
				interrupted := make(chan error, 1)
				handle(t, callee, "com.example.flood", func(ctx context.Context, inv *wamp.Invocation) error {
					for i := range n {
						if err := inv.Progress(wamp.Args(i, strings.Repeat("x", 35))); err != nil {
							break
						}
					}
					<-ctx.Done()
					interrupted <- context.Cause(ctx)
					return ctx.Err()
				})
				other := s.Call(t.Context(), "com.example.count", wamp.Args(n), wamp.Progressive())
				slow := s.Call(t.Context(), "com.example.flood", wamp.Args(), wamp.Progressive(), buffer)
				synctest.Wait()
				var in *wamp.Interrupt
				if err := <-interrupted; !errors.As(err, &in) || in.Mode != "killnowait" {
					t.Errorf("the callee was not interrupted: %v", err)
				}
				if st := s.Stats(); st.Overflowed != 1 {
					t.Errorf("Overflowed is %d", st.Overflowed)
				}
				got, last := ascend(t, slow)
				if !errors.Is(last.Err, wamp.ErrSlowConsumer) {
					t.Errorf("the stream ended with %v", last.Err)
				}
				if got < bound || got > bound+inChannel+inHand+1 {
					t.Errorf("it held %d, its bound is %d", got, bound)
				}
				if got, last := ascend(t, other); got != n || last.Err != nil {
					t.Errorf("the other stream has %d: %v", got, last.Err)
				}
				alive(t, s)
				empty(t, s)
				if st := r.Stats(); st.Calls != 0 {
					t.Errorf("the router still has %d calls", st.Calls)
				}
			})
		})
	}
}

func TestSlowCallBlocks(t *testing.T) {
	const n = 20_000
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		causes := hung(t, callee, "com.example.hang")
		cancelCtx, cancel := context.WithCancel(t.Context())
		hanging := s.Call(cancelCtx, "com.example.hang", wamp.Args())
		synctest.Wait()
		slow := s.Call(t.Context(), "com.example.count", wamp.Args(n), wamp.Progressive(), wamp.Buffer(100, 0), wamp.OverflowBlock())
		synctest.Wait()
		start := time.Now()
		waiting := s.Call(t.Context(), "com.example.echo", wamp.Args(1))
		synctest.Wait()
		select {
		case r := <-waiting:
			t.Fatalf("the link is not held back: %v", r.Err)
		default:
		}
		cancel() // control is not held back
		if _, err := hanging.Final(); !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled call: %v", err)
		}
		if err := <-causes; !errors.Is(err, wamp.ErrCanceled) {
			t.Errorf("the callee: %v", err)
		}
		if time.Since(start) != 0 {
			t.Error("cancelling took time")
		}
		if got, last := ascend(t, slow); got != n || last.Err != nil {
			t.Errorf("%d results: %v", got, last.Err)
		}
		if _, err := waiting.Final(); err != nil {
			t.Errorf("the call that waited: %v", err)
		}
		alive(t, s)
	})
}

// A consumer that calls inside its own loop waits for itself: the deadline of
// its call ends that.
func TestSlowCallBlocksItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, _ := slowRig(t)
		slow := s.Call(t.Context(), "com.example.count", wamp.Args(1000), wamp.Progressive(), wamp.Buffer(10, 0), wamp.OverflowBlock())
		synctest.Wait()
		start := time.Now()
		<-slow
		_, err := s.Call(within(t, 3*time.Second), "com.example.echo", wamp.Args(1)).Final()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		n := 1
		for r := range slow {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			n++
		}
		if n != 1001 {
			t.Errorf("%d results", n)
		}
		alive(t, s)
	})
}

// gated starts something that holds the link back until it is ended by end.
func gated(t *testing.T, name string, block func(t *testing.T, ctx context.Context, s, other *wamp.Session) (end func() error)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, s, other := slowRig(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end := block(t, ctx, s, other)
			synctest.Wait()
			waiting := s.Call(t.Context(), "com.example.echo", wamp.Args(1))
			synctest.Wait()
			select {
			case <-waiting:
				t.Fatal("the link is not held back")
			default:
			}
			start := time.Now()
			if end == nil {
				cancel()
			} else if err := end(); err != nil {
				t.Error(err)
			}
			if _, err := waiting.Final(); err != nil || time.Since(start) > 0 {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			alive(t, s)
		})
	})
}

func TestSlowStreamEndsAndLetsGo(t *testing.T) {
	const n = 10_000
	bound := wamp.Buffer(50, 0)
	gated(t, "call by its ctx", func(_ *testing.T, ctx context.Context, s, _ *wamp.Session) func() error {
		s.Call(ctx, "com.example.count", wamp.Args(n), wamp.Progressive(), bound, wamp.OverflowBlock())
		return nil
	})
	events := func(t *testing.T, ctx context.Context, s, other *wamp.Session) *wamp.Subscription {
		sub, err := s.Subscribe(ctx, "com.example.topic", bound, wamp.OverflowBlock())
		if err != nil {
			t.Fatal(err)
		}
		publish(t, other, "com.example.topic", 0, n)
		return sub
	}
	gated(t, "subscription by its ctx", func(t *testing.T, ctx context.Context, s, other *wamp.Session) func() error {
		events(t, ctx, s, other)
		return nil
	})
	gated(t, "subscription by Unsubscribe", func(t *testing.T, ctx context.Context, s, other *wamp.Session) func() error {
		sub := events(t, ctx, s, other)
		return func() error { return sub.Unsubscribe(within(t, time.Second)) }
	})
	invocations := func(t *testing.T, ctx context.Context, s, other *wamp.Session) *wamp.Registration {
		reg, err := s.Register(ctx, "com.example.slow", bound, wamp.OverflowBlock())
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			other.Call(t.Context(), "com.example.slow", wamp.Args(i))
		}
		return reg
	}
	gated(t, "registration by its ctx", func(t *testing.T, ctx context.Context, s, other *wamp.Session) func() error {
		invocations(t, ctx, s, other)
		return nil
	})
	gated(t, "registration by Unregister", func(t *testing.T, ctx context.Context, s, other *wamp.Session) func() error {
		reg := invocations(t, ctx, s, other)
		return func() error { return reg.Unregister(within(t, time.Second)) }
	})
}

func TestSlowStreamBlocksAndCloseEndsIt(t *testing.T) {
	const n = 10_000
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		sub := subscribe(t, s, "com.example.topic", wamp.Buffer(50, 0), wamp.OverflowBlock())
		publish(t, other, "com.example.topic", 0, n)
		synctest.Wait()
		start := time.Now()
		if err := s.Close(within(t, 2*time.Second)); err != nil || time.Since(start) != time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		got := 0
		for range sub.Events() {
			got++
		}
		var closed *wamp.ClosedError
		if !errors.As(sub.Err(), &closed) || closed.Undelivered == 0 || closed.Reason != nil {
			t.Errorf("after %d events: %v", got, sub.Err())
		}
	})
	synctest.Test(t, func(t *testing.T) { // somebody reads: Close is orderly
		_, s, other := slowRig(t)
		sub := subscribe(t, s, "com.example.topic", wamp.Buffer(50, 0), wamp.OverflowBlock())
		publish(t, other, "com.example.topic", 0, n)
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- s.Close(within(t, 2*time.Second)) }()
		synctest.Wait()
		for range sub.Events() { // what comes after GOODBYE is dropped
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// A call whose ctx has ended does not put its end behind what nobody reads, also
// where the end comes later: in mode kill.
func TestEndOfACanceledCallDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		handle(t, other, "com.example.part", func(ctx context.Context, inv *wamp.Invocation) error {
			for i := range 1000 {
				if err := inv.Progress(wamp.Args(i)); err != nil {
					return err
				}
			}
			<-ctx.Done()
			<-time.After(time.Second)
			return wamp.NewError("com.example.stopped", wamp.Args())
		})
		ctx, cancel := context.WithCancel(t.Context())
		results := s.Call(ctx, "com.example.part", wamp.Args(), wamp.Progressive(), wamp.CancelMode(wamp.Kill))
		synctest.Wait()
		cancel()
		<-time.After(2 * time.Second)
		n, last := 0, wamp.Result{}
		for last = range results {
			n++
		}
		if !errors.Is(last.Err, context.Canceled) || wamp.ErrorURI(last.Err) != "com.example.stopped" || n > inChannel {
			t.Errorf("%d elements, then %v", n, last.Err)
		}
	})
}

// Nor does the end of one that is over: its feeder has it in hand, or it waits in
// the backlog.
func TestEndOfAFinishedCallDoesNotWait(t *testing.T) {
	for _, results := range []int{inChannel, inChannel + inHand/2, 1000} {
		synctest.Test(t, func(t *testing.T) {
			_, s, _ := slowRig(t)
			ctx, cancel := context.WithCancel(t.Context())
			call := s.Call(ctx, "com.example.count", wamp.Args(results), wamp.Progressive())
			synctest.Wait()
			if n := s.Stats().Tables.Requests; n != 0 {
				t.Fatalf("%d requests are unanswered", n)
			}
			cancel()
			synctest.Wait()
			n, last := 0, wamp.Result{}
			for last = range call {
				n++
			}
			if last.Progress || last.Err != nil || n > inChannel {
				t.Errorf("%d results: %d elements, then %+v", results, n, last)
			}
		})
	}
}
