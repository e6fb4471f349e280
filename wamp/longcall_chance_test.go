package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestResumeByChance has calls that are resumed, under cuts, restarts, slow readers and
// small buffers by chance: nothing comes twice, and nothing is lost.
func TestResumeByChance(t *testing.T) {
	for seed := range uint64(5 * *chanceSeeds) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			r := wamptest.NewRouter(t)
			o := []wamp.Option{wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, FailFast: rnd.IntN(3) == 0})}
			if rnd.IntN(2) == 0 {
				o = append(o, wamp.WithInterceptors(newWitness(t, "")))
			}
			s, sl := join(t, r, o...), join(t, r, o...)
			const last = 400
			step := time.Duration(rnd.IntN(3)) * 500 * time.Microsecond
			handle(t, sl, "com.x", func(ctx context.Context, inv *wamp.Invocation) error {
				var after, last int
				if err := inv.Scan(&after, &last); err != nil {
					return err
				}
				for n := after + 1; n < last; n++ {
					if err := inv.Progress(wamp.Args(n)); err != nil {
						return err
					}
					if step > 0 || n%50 == 0 {
						<-time.After(step + time.Microsecond)
					}
				}
				return inv.Return(wamp.Args(last))
			})
			stop := make(chan struct{})
			go func() {
				rnd := rand.New(rand.NewPCG(seed, 9))
				for range 1 + rnd.IntN(20) {
					d := time.Duration(rnd.IntN(20000)) * time.Microsecond
					kind := rnd.IntN(12)
					select {
					case <-time.After(d):
					case <-stop:
						return
					}
					switch kind {
					case 0:
						r.Restart()
					case 1:
						r.Cut(sl.ID())
					case 2:
						r.RefuseDials(2, errors.New("no"))
						r.Cut(s.ID())
					default:
						r.Cut(s.ID())
					}
				}
			}()
			defer close(stop)
			options := []wamp.CallOption{after(last)}
			switch rnd.IntN(4) {
			case 0:
				options = append(options, wamp.OverflowBlock())
			case 1:
				options = append(options, wamp.Buffer(1, 1<<20), wamp.OverflowBlock())
			}
			if rnd.IntN(2) == 0 {
				options = append(options, wamp.Timeout(time.Minute))
			}
			slow := time.Duration(rnd.IntN(3)) * 300 * time.Microsecond
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var got []int
			var err error
			switch form := rnd.IntN(3); form {
			case 0:
				for res := range s.Call(ctx, "com.x", wamp.Args(0, last), options...) {
					if err = res.Err; err == nil {
						got = append(got, number(t, res.Payload))
					}
					<-time.After(slow)
				}
			case 1:
				for n, e := range wamp.Stream[int](ctx, s, "com.x", wamp.Args(0, last), options...) {
					if err = e; err == nil {
						got = append(got, n)
					}
					<-time.After(slow)
				}
			case 2:
				st := wamp.OpenStream[int, int](ctx, s, "com.x", wamp.Args(0, last), options...)
				for n, e := range st.All() {
					if err = e; err == nil {
						got = append(got, n)
					}
					<-time.After(slow)
				}
				if err == nil {
					var n int
					n, err = st.Result()
					got = append(got, n)
				}
			}
			for i, n := range got {
				if n != i+1 {
					t.Fatalf("seed %d: %d at %d", seed, n, i)
				}
			}
			if err != nil && errors.Is(err, wamp.ErrCanceled) && ctx.Err() == nil {
				return // the callee was gone
			}
			if err != nil || len(got) != last {
				t.Errorf("seed %d: %d, %v", seed, len(got), err)
			}
			cancel()
			_ = s.Close(context.Background())
			_ = sl.Close(context.Background())
		})
	}
}

// TestEndsByChance ends operations of all kinds at moments by chance: interceptors are told
// of each end once, everything ends, and Close too.
func TestEndsByChance(t *testing.T) {
	for seed := range uint64(10 * *chanceSeeds) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			r := wamptest.NewRouter(t)
			w, wl := newWitness(t, fmt.Sprint("caller", seed)), newWitness(t, fmt.Sprint("callee", seed))
			re := wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, FailFast: rnd.IntN(3) == 0})
			s, sl := join(t, r, re, wamp.WithInterceptors(w)), join(t, r, re, wamp.WithInterceptors(wl))
			pause := func() { <-time.After(time.Duration(rnd.IntN(3000)) * time.Microsecond) }
			h := func(ctx context.Context, inv *wamp.Invocation) error {
				for range inv.Chunks() {
					if err := inv.Progress(wamp.Args(1)); err != nil {
						return err
					}
				}
				for range 20 {
					if err := inv.Progress(wamp.Args(1)); err != nil {
						return err
					}
					<-time.After(100 * time.Microsecond)
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return nil
			}
			handle(t, sl, "com.x", h, wamp.Buffer(4, 1<<20), wamp.Concurrency(1+rnd.IntN(3)))
			reg, err := sl.Register(t.Context(), "com.y", wamp.Buffer(4, 1<<20))
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				if seed%2 == 0 {
					for inv := range reg.Invocations() {
						go func() { _ = h(inv.Context(), inv); _ = inv.Return() }()
					}
				} else {
					for inv, err := range reg.All() {
						if err == nil && inv != nil {
							go func() { _ = h(inv.Context(), inv); _ = inv.Return() }()
						}
					}
				}
			}()
			sub := subscribe(t, s, "com.t", wamp.Buffer(5, 1<<20))
			go func() {
				for range sub.Events() {
					<-time.After(50 * time.Microsecond)
				}
			}()
			_, _ = s.SubscribeFunc(t.Context(), "com.t", func(context.Context, wamp.Event) error { <-time.After(50 * time.Microsecond); return nil }, wamp.Concurrency(2), wamp.Buffer(5, 1<<20))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for range 12 {
				uri := []string{"com.x", "com.y"}[rnd.IntN(2)]
				var options []wamp.CallOption
				for _, o := range []wamp.CallOption{wamp.Progressive(), wamp.Timeout(3 * time.Millisecond), wamp.CancelMode(wamp.Kill), wamp.Retry(wamp.RetryPolicy{Min: time.Millisecond}), wamp.Buffer(1, 1<<16)} {
					if rnd.IntN(3) == 0 {
						options = append(options, o)
					}
				}
				form, read, wait := rnd.IntN(6), rnd.IntN(30), time.Duration(rnd.IntN(4000))*time.Microsecond
				go func() {
					<-time.After(wait)
					switch form {
					case 0:
						n := 0
						for range s.Call(ctx, uri, wamp.Args(1), options...) {
							if n++; n > read {
								break
							}
						}
					case 1:
						n := 0
						for range wamp.Stream[int](ctx, s, uri, wamp.Args(1), options...) {
							if n++; n > read {
								break
							}
						}
					case 2:
						_, _ = wamp.Call[int](ctx, s, uri, wamp.Args(1), options...)
					case 3:
						n := 0
						for range s.CallStream(ctx, uri, upTo(5), options...) {
							if n++; n > read {
								break
							}
						}
					case 4:
						allAcks(s.PublishStream(ctx, "com.t", upTo(30), wamp.Window(3), wamp.GoOn()))
					case 5:
						st := wamp.OpenStream[int, int](ctx, s, uri, wamp.Args(1), options...)
						_, _ = st.Result()
					}
				}()
			}
			for range 1 + rnd.IntN(4) {
				pause()
				switch rnd.IntN(7) {
				case 0:
					r.Cut(s.ID())
				case 1:
					r.Cut(sl.ID())
				case 2:
					cancel()
				case 3:
					r.Restart()
				case 4:
					_ = reg.Unregister(context.Background())
				case 5:
					go func() { _ = s.Close(context.Background()) }()
				case 6:
					go func() { _ = sl.Drain(context.Background()) }()
				}
			}
			<-time.After(30 * time.Millisecond)
			cancel()
			<-time.After(time.Minute)
			began := time.Now()
			_ = s.Close(context.Background())
			_ = sl.Close(context.Background())
			if time.Since(began) > 3*time.Second {
				t.Errorf("seed %d: Close took %v", seed, time.Since(began))
			}
			<-time.After(time.Minute)
		})
	}
}
