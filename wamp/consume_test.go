package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// consumer subscribes with a handler of numbers.
func consumer(t *testing.T, s *wamp.Session, h func(ctx context.Context, n int) error, options ...wamp.SubscribeOption) *wamp.Consumer {
	t.Helper()
	v, err := s.SubscribeFunc(t.Context(), "com.example.topic", func(ctx context.Context, ev wamp.Event) error {
		var n int
		if err := ev.Scan(&n); err != nil {
			return err
		}
		return h(ctx, n)
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tapeOf records numbers.
type tapeOf struct {
	mu  sync.Mutex
	all []int
}

func (r *tapeOf) add(n int)  { r.mu.Lock(); defer r.mu.Unlock(); r.all = append(r.all, n) }
func (r *tapeOf) got() []int { r.mu.Lock(); defer r.mu.Unlock(); return slices.Clone(r.all) }

// until waits until something holds, in fake time.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if synctest.Wait(); holds() {
			return
		}
		<-time.After(time.Second)
	}
	t.Errorf("%s does not come", what)
}

// Events are handled one at a time, in their order, whatever the handlers do.
func TestSubscribeFunc(t *testing.T) {
	for _, history := range []bool{false, true} {
		for _, most := range []int{1, 3} {
			t.Run(fmt.Sprint(history, most), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const n = 500
					r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
					s, other := join(t, r), join(t, r)
					var began, done tapeOf
					var now, top atomic.Int32
					options := []wamp.SubscribeOption{wamp.Concurrency(most)}
					if history {
						options = append(options, wamp.FromHistory(wamp.HistoryQuery{Last: 1}))
					}
					v := consumer(t, s, func(_ context.Context, i int) error {
						began.add(i)
						if c := now.Add(1); c > top.Load() {
							top.Store(c)
						}
						defer now.Add(-1)
						switch {
						case i%10 == 3:
							<-time.After(time.Duration(i) * time.Millisecond)
						case i%50 == 7:
							panic("slip")
						case i%50 == 8:
							runtime.Goexit()
						case i%10 == 4:
							return errors.New("no")
						}
						done.add(i)
						return nil
					}, options...)
					publish(t, other, "com.example.topic", 0, n)
					until(t, "the last one", func() bool { return len(began.got()) == n && now.Load() == 0 })
					for i, got := range began.got() {
						if i != got && most == 1 {
							t.Fatalf("%d where %d was due", got, i)
						}
					}
					if int(top.Load()) != most {
						t.Errorf("%d at once", top.Load())
					}
					if n := s.Stats().Faults; n != 20 {
						t.Errorf("%d faults", n)
					}
					if got := len(done.got()); got != n-20-50 {
						t.Errorf("%d were done", got)
					}
					if v.Topic() != "com.example.topic" || v.ID() == 0 || v.Err() != nil || v.Dropped() != 0 {
						t.Errorf("%s, %d, %v", v.Topic(), v.ID(), v.Err())
					}
				})
			})
		}
	}
}

// A flood makes no more goroutines than handlers may run.
func TestSubscribeFuncFlood(t *testing.T) {
	for _, most := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s, other := join(t, r), join(t, r)
			wake := make(chan struct{})
			var handled atomic.Int32
			v := consumer(t, s, func(context.Context, int) error { <-wake; handled.Add(1); return nil }, wamp.Concurrency(most), wamp.Buffer(100, 0))
			synctest.Wait()
			before := runtime.NumGoroutine()
			publish(t, other, "com.example.topic", 0, 5000)
			synctest.Wait()
			if n := runtime.NumGoroutine() - before; n > most+2 {
				t.Errorf("%d goroutines more, %d handlers", n, most)
			}
			if n := v.Dropped(); n < 4000 || n == 5000 {
				t.Errorf("%d were dropped", n)
			}
			close(wake)
			synctest.Wait()
			if n := uint64(handled.Load()); n+v.Dropped() != 5000 {
				t.Errorf("%d were handled, %d dropped", n, v.Dropped())
			}
			if n := runtime.NumGoroutine() - before; n > 2 { // a link may have got a writer meanwhile
				t.Errorf("%d goroutines stay", n)
			}
		})
	}
}

// Events become values; one that does not decode reaches no handler and is logged.
func TestOn(t *testing.T) {
	for _, c := range serializers {
		t.Run(c.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, other := join(t, r, wamp.WithSerializers(c), log.Option()), join(t, r, wamp.WithSerializers(c))
				got := make(chan string, 100)
				if _, err := wamp.On(t.Context(), s, "com.example.topic", func(_ context.Context, ev wamp.EventOf[pair]) error {
					got <- fmt.Sprint(ev.Topic, " ", ev.Publication != 0, " ", ev.Value)
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				var ticks atomic.Int32
				if _, err := wamp.On(t.Context(), s, "com.example.topic", func(context.Context, wamp.EventOf[struct{}]) error {
					ticks.Add(1)
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				for _, p := range []wamp.Payload{wamp.Args(pair{1, "x"}), wamp.Args("two"), wamp.Args(), wamp.Kwargs(pair{3, "z"})} {
					tell(t, other, p)
					synctest.Wait()
				}
				for _, want := range []string{"com.example.topic true {1 x}", "com.example.topic true {3 z}"} {
					if v := <-got; v != want {
						t.Errorf("%s, want %s", v, want)
					}
				}
				log.Has(t, "level=WARN", "handler of an event returned an error", "topic=com.example.topic", "events=1", "wamp: event com.example.topic: args[0]")
				<-time.After(time.Minute)
				log.Has(t, "level=WARN", "topic=com.example.topic", "the event is empty")
				if n := ticks.Load(); n != 4 {
					t.Errorf("%d ticks", n)
				}
			})
		})
	}
}

// Errors of handlers are logged at once, then no more than once a second, and none is
// left out of the count, whatever ends the subscription.
func TestSubscribeFuncErrorsAreLogged(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *wamp.Session, v *wamp.Consumer){
		"time":        func(*testing.T, *wamp.Session, *wamp.Consumer) { <-time.After(time.Minute) },
		"Unsubscribe": func(t *testing.T, _ *wamp.Session, v *wamp.Consumer) { _ = v.Unsubscribe(t.Context()) },
		"Close":       func(t *testing.T, s *wamp.Session, _ *wamp.Consumer) { closeIt(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, other := join(t, r, log.Option()), join(t, r)
				v := consumer(t, s, func(_ context.Context, n int) error {
					if n >= 100 {
						<-time.After(10 * time.Millisecond)
					}
					return fmt.Errorf("number %d is wrong", n)
				})
				publish(t, other, "com.example.topic", 0, 100)
				synctest.Wait()
				publish(t, other, "com.example.topic", 100, 301) // 2 s
				<-time.After(2015 * time.Millisecond)
				synctest.Wait()
				end(t, s, v)
				synctest.Wait()
				records, sum := 0, 0
				for line := range strings.Lines(log.String()) {
					if _, after, is := strings.Cut(line, "events="); is {
						records++
						n := 0
						if _, err := fmt.Sscan(after, &n); err != nil {
							t.Error(err)
						}
						sum += n
					}
				}
				if records < 3 || records > 5 || sum != 301 {
					t.Errorf("%d records, of %d errors\n%s", records, sum, log.String())
				}
				log.Has(t, "level=WARN", "topic=com.example.topic", `error="number 300 is wrong"`)
				if name == "time" {
					empty(t, s)
				}
			})
		})
	}
}

type valueKey struct{}

// The ctx of handlers has the values of the subscription's, and ends with it and with
// the session, but not by Unsubscribe.
func TestSubscribeFuncContext(t *testing.T) {
	for name, row := range map[string]struct {
		end   func(t *testing.T, r *wamptest.Router, s *wamp.Session, v *wamp.Consumer, cancel func())
		cause error // of the handler's ctx; nil: it has not ended
		err   error // of the subscription
	}{
		"ctx":         {func(_ *testing.T, _ *wamptest.Router, _ *wamp.Session, _ *wamp.Consumer, cancel func()) { cancel() }, context.Canceled, context.Canceled},
		"Close":       {func(t *testing.T, _ *wamptest.Router, s *wamp.Session, _ *wamp.Consumer, _ func()) { closeIt(t, s) }, wamp.ErrSessionClosed, wamp.ErrSessionClosed},
		"the session": {func(_ *testing.T, r *wamptest.Router, s *wamp.Session, _ *wamp.Consumer, _ func()) { r.Cut(s.ID()) }, wamp.ErrSessionClosed, wamp.ErrSessionClosed},
		"Unsubscribe": {func(t *testing.T, _ *wamptest.Router, _ *wamp.Session, v *wamp.Consumer, _ func()) {
			if err := v.Unsubscribe(t.Context()); err != nil {
				t.Error(err)
			}
		}, nil, wamp.ErrUnsubscribed},
		"the router": {func(_ *testing.T, r *wamptest.Router, _ *wamp.Session, v *wamp.Consumer, _ func()) {
			r.RevokeSubscription(v.ID(), "com.example.error.moved")
		}, nil, nil},
	} {
		for _, history := range []bool{false, true} {
			t.Run(fmt.Sprint(name, history), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log logged
					r := wamptest.NewRouter(t, wamptest.WithHistory(100))
					s, other := join(t, r, log.Option()), join(t, r)
					ctx, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "value"))
					defer cancel()
					wake, causes := make(chan struct{}), make(chan error, 100)
					options := []wamp.SubscribeOption{}
					if history {
						options = append(options, wamp.FromHistory(wamp.HistoryQuery{}))
					}
					v, err := s.SubscribeFunc(ctx, "com.example.topic", func(ctx context.Context, _ wamp.Event) error {
						if ctx.Value(valueKey{}) != "value" {
							t.Error("the value is missing")
						}
						select {
						case <-ctx.Done():
						case <-wake:
						}
						causes <- context.Cause(ctx)
						return ctx.Err()
					}, options...)
					if err != nil {
						t.Fatal(err)
					}
					publish(t, other, "com.example.topic", 0, 5)
					synctest.Wait()
					row.end(t, r, s, v, cancel)
					synctest.Wait()
					close(wake)
					cause := <-causes
					if row.cause == nil && cause != nil || row.cause != nil && !errors.Is(cause, row.cause) {
						t.Errorf("its cause is %v", cause)
					}
					<-v.Done()
					if err := v.Err(); err == nil || row.err != nil && !errors.Is(err, row.err) {
						t.Error(err)
					}
					synctest.Wait()
					// Those that waited: a revocation lets them be handled, all else does not.
					want := 0
					if name == "the router" {
						want = 4
					}
					if len(causes) != want {
						t.Errorf("%d handlers more", len(causes))
					}
					var closed *wamp.ClosedError
					if errors.As(v.Err(), &closed) && closed.Undelivered != 4 {
						t.Errorf("%d undelivered", closed.Undelivered)
					}
					if strings.Contains(log.String(), "returned an error") {
						t.Errorf("the end of its ctx is no error\n%s", log.String())
					}
				})
			})
		}
	}
}

// The bound and its policies hold for handlers too.
func TestSubscribeFuncPolicies(t *testing.T) {
	for name, option := range map[string]wamp.SubscribeOption{
		"oldest": wamp.OverflowDropOldest(), "newest": wamp.OverflowDropNewest(), "fail": wamp.OverflowFail(), "block": wamp.OverflowBlock(),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, other := join(t, r), join(t, r)
				wake := make(chan struct{})
				var got tapeOf
				v := consumer(t, s, func(_ context.Context, n int) error { <-wake; got.add(n); return nil }, option, wamp.Buffer(50, 0))
				publish(t, other, "com.example.topic", 0, 1000)
				synctest.Wait()
				close(wake)
				synctest.Wait()
				all := got.got()
				last := all[len(all)-1]
				switch {
				case !slices.IsSorted(all):
					t.Error("not in their order")
				case name == "block" && (len(all) != 1000 || v.Dropped() != 0):
					t.Errorf("%d, %d dropped", len(all), v.Dropped())
				case name == "oldest" && (last != 999 || v.Dropped() != uint64(1000-len(all))):
					t.Errorf("the last is %d, %d dropped", last, v.Dropped())
				case name == "newest" && (len(all) > 100 || v.Dropped() != uint64(1000-len(all))):
					t.Errorf("the last is %d, %d dropped", last, v.Dropped())
				case name == "fail" && (last > 100 || !errors.Is(v.Err(), wamp.ErrSlowConsumer) || len(all) < 50):
					t.Errorf("%d, the last is %d, %v", len(all), last, v.Err())
				}
			})
		})
	}
}

// A consumer comes back with its session.
func TestSubscribeFuncReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, other := join(t, r, wamp.WithReconnect(quick())), join(t, r)
		var got tapeOf
		v := consumer(t, s, func(_ context.Context, n int) error { got.add(n); return nil })
		publish(t, other, "com.example.topic", 0, 3)
		synctest.Wait()
		r.Cut(s.ID())
		<-time.After(time.Minute)
		publish(t, other, "com.example.topic", 3, 6)
		synctest.Wait()
		if all := got.got(); !slices.Equal(all, []int{0, 1, 2, 3, 4, 5}) || v.Err() != nil {
			t.Errorf("%v, %v", all, v.Err())
		}
	})
}

// What cannot be subscribed to is an error with the operation and the topic.
func TestSubscribeFuncRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t))
		over, cancel := context.WithCancel(t.Context())
		cancel()
		nothing := func(context.Context, wamp.Event) error { return nil }
		of := func(_ any, err error) error { return err }
		for name, row := range map[string]struct {
			err  error
			text string
		}{
			"no handler":          {of(s.SubscribeFunc(t.Context(), "com.example.topic", nil)), "subscribe com.example.topic: the handler is nil"},
			"no handler, On":      {of(wamp.On[int](t.Context(), s, "com.example.topic", nil)), "subscribe com.example.topic: the handler is nil"},
			"no context":          {of(s.SubscribeFunc(nil, "com.example.topic", nothing)), "subscribe com.example.topic: the context is nil"}, //nolint:staticcheck // that is what it is about
			"one that ended":      {of(s.SubscribeFunc(over, "com.example.topic", nothing)), "subscribe com.example.topic: context canceled"},
			"a bad topic":         {of(s.SubscribeFunc(t.Context(), "com..topic", nothing)), "subscribe com..topic: "},
			"a bad option":        {of(s.SubscribeFunc(t.Context(), "com.example.topic", nothing, wamp.Concurrency(0))), "subscribe com.example.topic: Concurrency: 0 is not positive"},
			"a nil option":        {of(s.SubscribeFunc(t.Context(), "com.example.topic", nothing, nil)), "subscribe com.example.topic: an option is nil"},
			"no history":          {of(s.SubscribeFunc(t.Context(), "com.example.topic", nothing, wamp.FromHistory(wamp.HistoryQuery{}))), "subscribe com.example.topic: "},
			"of Subscribe":        {of(s.Subscribe(t.Context(), "com.example.topic", wamp.Concurrency(2))), "subscribe com.example.topic: Concurrency: it is for SubscribeFunc and On"},
			"of Register":         {of(s.Register(t.Context(), "com.example.proc", wamp.Concurrency(2))), "register com.example.proc: Concurrency: it is for Handle and Serve"},
			"too many, of Handle": {of(s.Handle(t.Context(), "com.example.proc", echo, wamp.Concurrency(-1))), "register com.example.proc: Concurrency: -1 is not positive"},
		} {
			if row.err == nil || !strings.HasPrefix(row.err.Error(), "wamp: "+row.text) {
				t.Errorf("%s: %v", name, row.err)
			}
		}
		closeIt(t, s)
		if _, err := s.SubscribeFunc(t.Context(), "com.example.topic", nothing); !errors.Is(err, wamp.ErrSessionClosed) {
			t.Error(err)
		}
	})
}

// A context of a user's own type ends the handlers' with its cause, and nothing waits for
// it when the subscription is over.
func TestSubscribeFuncOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, other := join(t, r), join(t, r)
		why := errors.New("enough")
		inner, cancel := context.WithCancelCause(t.Context())
		causes := make(chan error, 1)
		wait := func(ctx context.Context, _ wamp.Event) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		}
		if _, err := s.SubscribeFunc(ownContext{inner}, "com.example.topic", wait); err != nil {
			t.Fatal(err)
		}
		v, err := s.SubscribeFunc(endlessStream{t.Context(), make(chan struct{})}, "com.example.other", wait)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, other, "com.example.topic", 0, 1)
		synctest.Wait()
		cancel(why)
		if err := <-causes; !errors.Is(err, why) {
			t.Error(err)
		}
		if err := v.Unsubscribe(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// ownContext is a context of a user's own type.
type ownContext struct{ context.Context }

// However handlers overtake each other at their ends, no more run than may.
func TestSubscribeFuncNeverTooMany(t *testing.T) {
	for _, most := range []int{2, 3, 4} {
		synctest.Test(t, func(t *testing.T) {
			const n = 20_000
			r := wamptest.NewRouter(t)
			s, other := join(t, r), join(t, r)
			var now, top, all atomic.Int32
			consumer(t, s, func(_ context.Context, i int) error {
				if c := now.Add(1); c > top.Load() {
					top.Store(c)
				}
				for range i % 7 {
					runtime.Gosched()
				}
				now.Add(-1)
				all.Add(1)
				return nil
			}, wamp.Concurrency(most))
			publish(t, other, "com.example.topic", 0, n)
			synctest.Wait()
			if int(top.Load()) > most || all.Load() != n {
				t.Errorf("%d of %d at once, %d were handled", top.Load(), most, all.Load())
			}
		})
	}
}
