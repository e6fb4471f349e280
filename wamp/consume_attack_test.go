package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// TestConsumerByChance has a consumer on which everything happens at once.
func TestConsumerByChance(t *testing.T) {
	for i := range 5 * *chanceSeeds {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
			s, other := join(t, r, wamp.WithReconnect(quick())), join(t, r)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var now, top, ran atomic.Int32
			options := []wamp.SubscribeOption{wamp.Concurrency(1 + i%4)}
			if i%2 == 0 {
				options = append(options, wamp.FromHistory(wamp.HistoryQuery{Last: 5}))
			}
			if i%3 == 0 {
				options = append(options, wamp.Buffer(0, 500))
			}
			var v *wamp.Consumer
			ready := make(chan struct{})
			v, err := s.SubscribeFunc(ctx, "com.example.topic", func(ctx context.Context, ev wamp.Event) error {
				<-ready
				n := now.Add(1)
				defer now.Add(-1)
				if n > top.Load() {
					top.Store(n)
				}
				switch k := ran.Add(1); {
				case k%7 == 3:
					runtime.Goexit()
				case k%7 == 5:
					panic("x")
				case k == 41:
					switch i % 5 {
					case 0:
						_ = v.Unsubscribe(ctx)
					case 1:
						_ = s.Close(ctx)
					case 2:
						_ = s.Drain(ctx)
					case 3:
						cancel()
					case 4:
						r.Cut(s.ID())
					}
				}
				return errors.New("e")
			}, options...)
			close(ready)
			if err != nil {
				t.Fatal(err)
			}
			v2 := consumer(t, s, func(context.Context, int) error { return nil })
			publish(t, other, "com.example.topic", 0, 100)
			synctest.Wait()
			<-time.After(time.Second)
			if int(top.Load()) > 1+i%4 {
				t.Errorf("%d at once", top.Load())
			}
			start := time.Now()
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("%d: %v", i, err)
			}
			if d := time.Since(start); d > 0 {
				t.Errorf("%d: close took %v", i, d)
			}
			<-v.Done()
			<-v2.Done()
		})
	}
}

// TestConsumerCounts has events that are handled, or counted: by Dropped, or by the
// ClosedError.
func TestConsumerCounts(t *testing.T) {
	for _, history := range []bool{false, true} {
		for _, most := range []int{1, 3} {
			for name, o := range map[string][]wamp.SubscribeOption{"default": nil, "oldest": {wamp.Buffer(5, 1<<20)}, "newest": {wamp.Buffer(5, 1<<20), wamp.OverflowDropNewest()}} {
				for _, how := range []string{"Close", "Drain", "hung Close", "goexit Close"} {
					t.Run(fmt.Sprint(history, most, name, how), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
							s, other := join(t, r), join(t, r)
							options := append([]wamp.SubscribeOption{wamp.Concurrency(most)}, o...)
							if history {
								options = append(options, wamp.FromHistory(wamp.HistoryQuery{Last: 5}))
							}
							var ran atomic.Int32
							v, err := s.SubscribeFunc(t.Context(), "com.example.topic", func(ctx context.Context, _ wamp.Event) error {
								ran.Add(1)
								if how == "hung Close" {
									<-ctx.Done()
									return nil
								}
								<-time.After(10 * time.Millisecond)
								if how == "goexit Close" {
									runtime.Goexit()
								}
								return nil
							}, options...)
							if err != nil {
								t.Fatal(err)
							}
							publish(t, other, "com.example.topic", 0, 200)
							synctest.Wait()
							<-time.After(95 * time.Millisecond)
							start := time.Now()
							if how == "Drain" {
								err = s.Drain(t.Context())
							} else {
								err = s.Close(t.Context())
							}
							took := time.Since(start)
							synctest.Wait()
							var closed *wamp.ClosedError
							n := 0
							if errors.As(v.Err(), &closed) {
								n = closed.Undelivered
							}
							sum := int(ran.Load()) + n + int(v.Dropped())
							if sum != 200 {
								t.Errorf("ran %d, undelivered %d, dropped %d: %d; %v %v took %v", ran.Load(), n, v.Dropped(), sum, err, v.Err(), took)
							}
							if err != nil {
								t.Errorf("%v took %v", err, took)
							}
						})
					})
				}
			}
		}
	}
}

// TestDrainInsideCounts has events that a Drain in their handler has given up. Somebody says
// so.
func TestDrainInsideCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, other := join(t, r), join(t, r)
		outcome := make(chan error, 1)
		var ran atomic.Int32
		v := consumer(t, s, func(ctx context.Context, n int) error {
			if ran.Add(1) == 1 {
				<-time.After(time.Millisecond)
				outcome <- s.Drain(ctx)
			}
			return nil
		})
		publish(t, other, "com.example.topic", 0, 10)
		err := <-outcome
		synctest.Wait()
		var closed *wamp.ClosedError
		if ran.Load() != 10 && err == nil && v.Dropped() == 0 && !errors.As(v.Err(), &closed) {
			t.Errorf("%d events of 10 were handled, and nobody says so: %v, %v", ran.Load(), err, v.Err())
		}
	})
}

// TestConsumerErrBehindClose asks for Err when Close has returned: it says what it says
// later.
func TestConsumerErrBehindClose(t *testing.T) {
	for i := range 50 {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s, other := join(t, r), join(t, r)
			var ran atomic.Int32
			begun := make(chan struct{}, 100)
			v := consumer(t, s, func(ctx context.Context, n int) error { ran.Add(1); begun <- struct{}{}; <-ctx.Done(); return nil })
			publish(t, other, "com.example.topic", 0, 40)
			<-begun
			synctest.Wait() // all have arrived
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := v.Err()
			n := ran.Load()
			<-time.After(time.Minute)
			if later := v.Err(); later.Error() != err.Error() || ran.Load() != n {
				t.Fatalf("%d: behind Close: %v, later: %v; ran %d %d", i, err, later, n, ran.Load())
			}
		})
	}
}
