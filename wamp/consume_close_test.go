package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Close waits for handlers of events, and names those that still run.
func TestCloseWaitsForEventHandlers(t *testing.T) {
	for name, row := range map[string]struct {
		takes time.Duration // the handler, behind the end of its ctx
		text  string
	}{
		"quick": {500 * time.Millisecond, ""},
		"deaf":  {time.Hour, "2 handlers of events of com.example.topic still run"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, other := join(t, r), join(t, r)
				var ended atomic.Int32
				consumer(t, s, func(ctx context.Context, _ int) error {
					<-ctx.Done()
					<-time.After(row.takes)
					ended.Add(1)
					return nil
				}, wamp.Concurrency(2))
				publish(t, other, "com.example.topic", 0, 50)
				synctest.Wait()
				start := time.Now()
				err := s.Close(t.Context())
				took := time.Since(start)
				switch {
				case row.text == "" && (err != nil || took != row.takes || ended.Load() != 2):
					t.Errorf("%v after %v, %d ended", err, took, ended.Load())
				case row.text != "" && (err == nil || !strings.Contains(err.Error(), row.text) || took != time.Second):
					t.Errorf("%v after %v", err, took)
				}
				<-time.After(2 * time.Hour)
			})
		})
	}
}

// Drain ends the subscription and waits until what has arrived is handled; what is left
// at its end is named.
func TestDrainWaitsForEvents(t *testing.T) {
	for _, most := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s, other := join(t, r), join(t, r)
			var done atomic.Int32
			v := consumer(t, s, func(ctx context.Context, _ int) error {
				<-time.After(100 * time.Millisecond)
				if ctx.Err() == nil {
					// The session works until the last one is through.
					if _, err := s.Publish(ctx, "com.example.done", wamp.Args(), wamp.Acknowledge()).Wait(); err != nil {
						t.Error(err)
					}
					done.Add(1)
				}
				return nil
			}, wamp.Concurrency(most))
			publish(t, other, "com.example.topic", 0, 30)
			synctest.Wait()
			if err := s.Drain(t.Context()); err != nil {
				t.Error(err)
			}
			if n := done.Load(); n != 30 {
				t.Errorf("%d were handled", n)
			}
			if !errors.Is(v.Err(), wamp.ErrDraining) {
				t.Error(v.Err())
			}
		})
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s, other := join(t, r), join(t, r)
			wake := make(chan struct{})
			consumer(t, s, func(context.Context, int) error { <-wake; return nil }, wamp.Concurrency(most))
			publish(t, other, "com.example.topic", 0, 10)
			synctest.Wait()
			draining := make(chan error, 1)
			go func() { draining <- s.Drain(within(t, time.Minute)) }()
			synctest.Wait()
			if _, err := s.SubscribeFunc(t.Context(), "com.example.late", func(context.Context, wamp.Event) error { return nil }); !errors.Is(err, wamp.ErrDraining) {
				t.Errorf("while it drains: %v", err)
			}
			err := <-draining
			text := "1 handler of events of com.example.topic still runs"
			if most > 1 {
				text = fmt.Sprintf("%d handlers of events of com.example.topic still run", most)
			}
			if !errors.Is(err, context.DeadlineExceeded) || strings.Count(err.Error(), text) != 1 {
				t.Error(err)
			}
			close(wake)
		})
	}
}

// A handler that closes or drains its session does not wait for itself, nor for events
// that wait for it.
func TestCloseInsideEventHandler(t *testing.T) {
	for name, leave := range map[string]func(*wamp.Session, context.Context) error{"Close": (*wamp.Session).Close, "Drain": (*wamp.Session).Drain} {
		for _, most := range []int{1, 4} {
			for _, events := range []int{1, 3, 100} {
				t.Run(fmt.Sprint(name, most, events), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := wamptest.NewRouter(t)
						s, other := join(t, r), join(t, r)
						outcome := make(chan error, 1)
						var took time.Duration
						var began, ended, now, top atomic.Int32
						consumer(t, s, func(ctx context.Context, n int) error {
							defer ended.Add(1)
							defer now.Add(-1)
							if c := now.Add(1); c > top.Load() {
								top.Store(c)
							}
							if began.Add(1); n > 0 {
								if name == "Close" {
									<-ctx.Done() // a drain lets them be
								}
								<-time.After(100 * time.Millisecond)
								return nil
							}
							<-time.After(time.Millisecond)
							start := time.Now()
							derived, cancel := context.WithCancel(context.WithValue(ctx, valueKey{}, 1))
							defer cancel()
							err := leave(s, derived)
							took = time.Since(start)
							outcome <- err
							return err
						}, wamp.Concurrency(most))
						publish(t, other, "com.example.topic", 0, events)
						if err := <-outcome; err != nil {
							t.Error(err)
						}
						want := time.Duration(0)
						if most > 1 && events > 1 { // the others are waited for
							want = 100 * time.Millisecond
							if name == "Drain" {
								want = time.Duration((events-1+most-2)/(most-1))*100*time.Millisecond - time.Millisecond
							}
						}
						if took != want {
							t.Errorf("it took %v, want %v", took, want)
						}
						synctest.Wait()
						switch n := int(began.Load()); {
						case int(top.Load()) > most:
							t.Errorf("%d at once", top.Load())
						case n != int(ended.Load()):
							t.Errorf("%d began, %d ended", n, ended.Load())
						case name == "Drain" && most > 1 && n != events:
							t.Errorf("%d of %d were handled", n, events)
						case most == 1 && n != 1:
							t.Errorf("%d were handled", n)
						}
					})
				})
			}
		}
	}
	// In a handler of another session, or one that was not told: it is waited for.
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, other := join(t, r), join(t, r)
		outcome := make(chan error, 1)
		consumer(t, s, func(ctx context.Context, _ int) error {
			outcome <- other.Close(ctx)
			return nil
		})
		other.Publish(t.Context(), "com.example.topic", wamp.Args(0))
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	})
}

// An invocation's handler that subscribes, and an event's that registers, are told apart.
func TestCloseInsideNestedHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, other := join(t, r), join(t, r)
		outcome := make(chan error, 1)
		handle(t, s, "com.example.outer", func(ctx context.Context, _ *wamp.Invocation) error {
			_, err := s.SubscribeFunc(ctx, "com.example.topic", func(ctx context.Context, _ wamp.Event) error {
				start := time.Now()
				err := s.Close(ctx)
				if took := time.Since(start); took != 50*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				outcome <- err
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			<-time.After(50 * time.Millisecond) // Close waits for this one
			return nil
		})
		other.Call(t.Context(), "com.example.outer", wamp.Args())
		synctest.Wait()
		publish(t, other, "com.example.topic", 0, 1)
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	})
}

// An error that comes behind the end of the session is logged too.
func TestEventHandlerFailsBehindClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		r := wamptest.NewRouter(t)
		s, other := join(t, r, log.Option()), join(t, r)
		consumer(t, s, func(ctx context.Context, n int) error {
			<-ctx.Done()
			<-time.After(time.Duration(n*n*500) * time.Millisecond)
			return fmt.Errorf("number %d is late", n)
		}, wamp.Concurrency(2))
		publish(t, other, "com.example.topic", 1, 3)
		synctest.Wait()
		if err := s.Close(t.Context()); err == nil {
			t.Error("the other handler runs")
		}
		log.Has(t, "level=WARN", "topic=com.example.topic", "events=1", "number 1 is late")
		<-time.After(time.Minute)
		log.Has(t, "level=WARN", "topic=com.example.topic", "events=1", "number 2 is late")
	})
}
