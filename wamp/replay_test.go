package wamp_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Publishers publish before, during and after the subscription, and its link
// breaks: every event comes once, in its order.
func TestFromHistory(t *testing.T) {
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, seed))
			r := wamptest.NewRouter(t, wamptest.WithHistory(10000), wamptest.WithSeed(seed))
			if seed%2 == 1 {
				r.Delay(time.Duration(1+random.IntN(20)) * time.Millisecond)
			}
			p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
			const count = 400
			done := make(chan struct{})
			go func() {
				defer close(done)
				random := rand.New(rand.NewPCG(seed, 1))
				for i := range count {
					options := []wamp.PublishOption{wamp.Acknowledge()}
					if i%7 == 3 {
						options = append(options, wamp.Retain())
					}
					if _, err := p.Publish(t.Context(), "com.example.topic", wamp.Args(i), options...).Wait(); err != nil {
						t.Error(err)
					}
					if random.IntN(4) == 0 {
						<-time.After(time.Duration(random.IntN(40)) * time.Millisecond)
					}
				}
			}()
			<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
			options := []wamp.SubscribeOption{wamp.FromHistory(wamp.HistoryQuery{})}
			if seed%3 == 0 {
				options = append(options, wamp.GetRetained())
			}
			sub := subscribe(t, s, "com.example.topic", options...)
			if seed >= 4 {
				go func() {
					random := rand.New(rand.NewPCG(seed, 2))
					for range 5 {
						<-time.After(time.Duration(random.IntN(400)) * time.Millisecond)
						r.Cut(s.ID())
					}
				}()
			}
			historic := 0
			for i := range count {
				ev := <-sub.Events()
				if n := number(t, ev.Payload); n != i || ev.AfterGap {
					t.Fatalf("seed %d: event %d where %d was due (after a gap: %v)", seed, n, i, ev.AfterGap)
				}
				if ev.Historic {
					historic++
				}
			}
			<-done
			<-time.After(time.Minute)
			if evs := waiting(sub); len(evs) != 0 {
				t.Errorf("seed %d: %d events too many", seed, len(evs))
			}
			if historic == 0 && seed >= 4 {
				t.Errorf("seed %d: nothing came from the history", seed)
			}
		})
	}
}

// Where the history does not reach back, the next event says so.
func TestFromHistoryTooShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(5))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Last: 2}))
		publish(t, p, "com.example.topic", 0, 3)
		if got := numbers(t, waiting(sub)); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		synctest.Wait()
		publish(t, p, "com.example.topic", 3, 20)
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 20, 21)
		evs := waiting(sub)
		if got := numbers(t, evs); !slices.Equal(got, []int{15, 16, 17, 18, 19, 20}) {
			t.Fatalf("%v", got)
		}
		for i, ev := range evs {
			if ev.AfterGap != (i == 0) || ev.Historic != (i < 5) {
				t.Errorf("%+v", ev)
			}
		}
	})
}

// A broker that does not announce its history may not have kept all of it, so a
// history without a hole proves nothing.
func TestFromHistoryOfWhoPromisesNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		router []wamptest.Option
		gap    bool
	}{
		"announced": {[]wamptest.Option{wamptest.WithHistory(10)}, false},
		"Crossbar":  {[]wamptest.Option{wamptest.WithHistory(10), wamptest.CrossbarQuirks()}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, tt.router...)
			p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()), wamp.Assume("event_history"))
			sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
			publish(t, p, "com.example.topic", 0, 1)
			synctest.Wait()
			r.Cut(s.ID())
			for i := 1; i < 3; i++ { // each at a moment of its own, as Crossbar keeps them
				<-time.After(time.Microsecond)
				publish(t, p, "com.example.topic", i, i+1)
			}
			<-time.After(10 * time.Second)
			publish(t, p, "com.example.topic", 3, 4)
			evs := waiting(sub)
			if got := numbers(t, evs); !slices.Equal(got, []int{0, 1, 2, 3}) {
				t.Fatalf("%s: %v", name, got)
			}
			for i, ev := range evs {
				if ev.AfterGap != (tt.gap && i == 1) {
					t.Errorf("%s: event %d: after a gap %v", name, i, ev.AfterGap)
				}
			}
		})
	}
}

// A subscription that begins with history ends like any other.
func TestFromHistoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p, s := join(t, r), join(t, r)
		publish(t, p, "com.example.topic", 0, 100)
		ctx, cancel := context.WithCancel(t.Context())
		canceled := value(s.Subscribe(ctx, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})))
		left := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		revoked := subscribe(t, s, "com.example", wamp.FromHistory(wamp.HistoryQuery{}), wamp.Match(wamp.Prefix))
		synctest.Wait()
		cancel()
		synctest.Wait()
		if n := len(drained(canceled.Events())); n > 8 || !errors.Is(canceled.Err(), context.Canceled) {
			t.Errorf("%d events, %v", n, canceled.Err())
		}
		if err := left.Unsubscribe(t.Context()); err != nil || left.Err() != wamp.ErrUnsubscribed {
			t.Error(err, left.Err())
		}
		synctest.Wait()
		if n := len(drained(left.Events())); n > 8 {
			t.Errorf("%d events", n)
		}
		r.RevokeSubscription(revoked.ID(), "com.example.reason")
		var why *wamp.RevokedError
		if n := len(drained(revoked.Events())); n != 100 || !errors.As(revoked.Err(), &why) {
			t.Errorf("%d events, %v", n, revoked.Err())
		}
		unread := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(drained(unread.Events())); n != 8 || !errors.Is(unread.Err(), wamp.ErrSessionClosed) {
			t.Errorf("%d events, %v", n, unread.Err())
		}
	})
}

// The question for the history that is sent again on a new connection names the
// subscription by the id that it has there.
func TestFromHistoryAsksAgainByNewID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(10))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.topic", 0, 3)
		cut := false
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if m := x.Message; !cut && !x.Sent && m.Type == proto.Call && m.URI == "wamp.subscription.get_events" {
				cut = true
				return wamptest.CutLink()
			}
			return wamptest.Pass()
		})
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
		if got := numbers(t, waiting(sub)); !cut || !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("cut: %v, %v", cut, got)
		}
	})
}

// What is published between SUBSCRIBED and the history's answer comes in its
// place, also where the history leaves it out because of a limit.
func TestFromHistoryLastInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(10))
		p, s := join(t, r), join(t, r)
		publish(t, p, "com.example.topic", 0, 3)
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if m := x.Message; !x.Sent && m.Type == proto.Call && m.URI == "wamp.subscription.get_events" {
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		})
		go func() {
			<-time.After(time.Second / 2)
			publish(t, p, "com.example.topic", 3, 6)
		}()
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{Last: 2}))
		publish(t, p, "com.example.topic", 6, 8)
		if got := numbers(t, waiting(sub)); !slices.Equal(got, []int{3, 4, 5, 6, 7}) {
			t.Error(got)
		}
	})
}

// A subscription that is taken away before the history has answered says so.
func TestFromHistoryRevokedAmid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var id atomic.Uint64
		r := wamptest.NewRouter(t, wamptest.WithHistory(10))
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			switch m := x.Message; {
			case m.Type == proto.Subscribed:
				id.Store(uint64(m.ID))
			case !x.Sent && m.Type == proto.Call:
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		})
		s := join(t, r)
		time.AfterFunc(time.Second/2, func() { r.RevokeSubscription(proto.ID(id.Load()), "com.example.reason") })
		var revoked *wamp.RevokedError
		if _, err := s.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})); !errors.As(err, &revoked) {
			t.Error(err)
		}
	})
}
