package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Where the history is not to be had, nothing is left of what came live
// meanwhile: nobody will read it.
func TestFailedFromHistoryLeavesNothing(t *testing.T) {
	for what, end := range map[string]func(r *wamptest.Router, session, subscription wamp.ID){
		"the link is lost":            func(r *wamptest.Router, session, _ wamp.ID) { r.Cut(session) },
		"the subscription is revoked": func(r *wamptest.Router, _, subscription wamp.ID) { r.RevokeSubscription(subscription, "") },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var id wamp.ID
				r := wamptest.NewRouter(t, wamptest.WithHistory(1000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if !x.Sent && x.Message.URI == "wamp.subscription.get_events" {
						return wamptest.Hold(time.Second)
					}
					if x.Sent && x.Message.Type == proto.Subscribed {
						id = x.Message.ID
					}
					return wamptest.Pass()
				}))
				p, s := join(t, r), join(t, r)
				failed := make(chan error, 1)
				go func() {
					_, err := s.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}))
					failed <- err
				}()
				synctest.Wait()
				publish(t, p, "com.example.topic", 0, 100)
				end(r, s.ID(), id)
				if err := <-failed; err == nil {
					t.Error("subscribed")
				}
				synctest.Wait()
				start := time.Now()
				closeIt(t, s)
				if d := time.Since(start); d > 0 {
					t.Errorf("Close took %v", d)
				}
			})
		})
	}
}

// A subscription with a node key gets from the history what it would have got live.
func TestShardedSubscriptionFromHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p := join(t, r)
		var nodes []*wamp.Session
		var subs []*wamp.Subscription
		for i := range 3 {
			s := join(t, r, wamp.WithReconnect(quick()))
			nodes = append(nodes, s)
			subs = append(subs, subscribe(t, s, "com.example.topic", wamp.NodeKey(fmt.Sprint("node", i)), wamp.FromHistory(wamp.HistoryQuery{})))
		}
		const keys = 30
		owners := map[int][]int{}
		send := func(begin int) {
			for k := begin; k < begin+keys; k++ {
				p.Publish(t.Context(), "com.example.topic", wamp.Args(k), wamp.RoutingKey(fmt.Sprint("key", k%keys)))
			}
			synctest.Wait()
		}
		take := func() {
			for i, sub := range subs {
				for _, n := range numbers(t, settled(sub)) {
					owners[n] = append(owners[n], i)
				}
			}
		}
		send(0)
		take()
		r.Cut(nodes[1].ID())
		send(keys)
		<-time.After(10 * time.Second)
		take()
		send(2 * keys)
		take()
		for n := range 3 * keys {
			if len(owners[n]) != 1 {
				t.Errorf("event %d went to the nodes %v", n, owners[n])
			}
		}
		again := subscribe(t, nodes[0], "com.example.topic", wamp.NodeKey("node0"), wamp.FromHistory(wamp.HistoryQuery{}))
		want := []int{}
		for n := range 3 * keys {
			if slices.Equal(owners[n], []int{0}) {
				want = append(want, n)
			}
		}
		if got := numbers(t, settled(again)); !slices.Equal(got, want) {
			t.Errorf("from the history %v, want %v", got, want)
		}
	})
}

// Under policy Block the link is not held back while the stream itself waits
// for the history: the answer would be behind what it is held back for.
func TestFromHistoryDoesNotBlockItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if !x.Sent && x.Message.URI == "wamp.subscription.get_events" {
				return wamptest.Hold(time.Second)
			}
			return wamptest.Pass()
		}))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.topic", 0, 100)
		begun := make(chan *wamp.Subscription, 1)
		go func() {
			sub, err := s.Subscribe(within(t, time.Minute), "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}), wamp.OverflowBlock(), wamp.Buffer(4, 0))
			if err != nil {
				t.Error(err)
			}
			begun <- sub
		}()
		synctest.Wait()
		publish(t, p, "com.example.topic", 100, 200)
		sub := <-begun
		if sub == nil {
			return
		}
		if got := numbers(t, settled(sub)); !slices.Equal(got, counted(0, 200)) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 200, 300)
		<-time.After(500 * time.Millisecond) // it is there again, and asks
		publish(t, p, "com.example.topic", 300, 400)
		<-time.After(2 * time.Second)
		if got := numbers(t, settled(sub)); !slices.Equal(got, counted(200, 400)) {
			t.Errorf("%v", got)
		}
		publish(t, p, "com.example.topic", 400, 500) // nobody reads: it blocks again
		synctest.Wait()
		if d := sub.Dropped(); d != 0 {
			t.Errorf("%d are dropped", d)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 500, 600)
		got := numbers(t, settled(sub))
		<-time.After(10 * time.Second)
		if got = append(got, numbers(t, settled(sub))...); !slices.Equal(got, counted(400, 600)) {
			t.Errorf("%v", got)
		}
	})
}

// Several publishers at once, several streams that begin at various times, read
// at various speeds and broken at various moments: each event once, in one order
// for all of them.
func TestFromHistoryOfManyPublishers(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, seed))
			r := wamptest.NewRouter(t, wamptest.WithHistory(10000), wamptest.WithSeed(seed))
			r.Delay(time.Duration(random.IntN(10)) * time.Millisecond)
			const publishers, count = 4, 100
			for k := range publishers {
				p := join(t, r)
				wait := rand.New(rand.NewPCG(seed, uint64(k)))
				go func() {
					for i := range count {
						topic := "com.example." + string(rune('a'+wait.IntN(3)))
						if _, err := p.Publish(t.Context(), topic, wamp.Args(k*count+i), wamp.Acknowledge()).Wait(); err != nil {
							t.Error(err)
						}
						<-time.After(time.Duration(wait.IntN(30)) * time.Millisecond)
					}
				}()
			}
			s := join(t, r, wamp.WithReconnect(quick()))
			var streams [3]chan []int
			for k := range streams {
				<-time.After(time.Duration(random.IntN(300)) * time.Millisecond)
				sub := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix), wamp.FromHistory(wamp.HistoryQuery{}))
				streams[k] = make(chan []int, 1)
				pace := rand.New(rand.NewPCG(seed, uint64(100+k)))
				go func() {
					var got []int
					for range publishers * count {
						ev := <-sub.Events()
						if ev.AfterGap || ev.Lost > 0 {
							t.Errorf("%+v", ev)
						}
						got = append(got, number(t, ev.Payload))
						if k > 0 && pace.IntN(4) == 0 {
							<-time.After(time.Duration(pace.IntN(40*k)) * time.Millisecond)
						}
					}
					<-time.After(time.Hour)
					if n := len(sub.Events()); n > 0 {
						t.Errorf("seed %d: %d events too many", seed, n)
					}
					streams[k] <- got
				}()
			}
			for range random.IntN(8) {
				<-time.After(time.Duration(random.IntN(500)) * time.Millisecond)
				r.Cut(s.ID())
			}
			var order []int
			for k, ch := range streams {
				got := <-ch
				if k == 0 {
					order = got
				}
				if !slices.Equal(got, order) {
					t.Errorf("seed %d: stream %d has another order", seed, k)
				}
			}
			sorted := slices.Clone(order)
			slices.Sort(sorted)
			if !slices.Equal(sorted, counted(0, publishers*count)) {
				t.Errorf("seed %d: %v", seed, sorted)
			}
		})
	}
}

// The last event is one that the history does not keep, and the router gives
// nothing for a publication that it does not know: what it has is found all the
// same.
func TestFromHistoryLastIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent || x.Message.URI != "wamp.subscription.get_events" {
				return wamptest.Pass()
			}
			args, _ := x.Payload().Args()
			if kw, _ := x.Payload().Kwargs(); kw["from_publication"] != nil {
				_ = x.SetPayload(wamp.Args(args...).With("from_time", "2999-01-01T00:00:00Z"))
			}
			return wamptest.Pass()
		}))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.topic", -5, -1)
		<-time.After(time.Second)
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{From: time.Now()}))
		publish(t, p, "com.example.topic", 0, 3)
		p.Publish(t.Context(), "com.example.topic", wamp.Args(3), wamp.Exclude(4711))
		if got := numbers(t, settled(sub)); !slices.Equal(got, counted(0, 4)) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 4, 10)
		<-time.After(10 * time.Second)
		evs := settled(sub)
		if got := numbers(t, evs); !slices.Equal(got, counted(4, 10)) || evs[0].AfterGap {
			t.Errorf("%v", evs)
		}
	})
}

// When the channel is closed, Err says why.
func TestFromHistoryEndsWithItsReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(100))
		p, s := join(t, r), join(t, r)
		publish(t, p, "com.example.topic", 0, 100)
		for i := range 500 { // it is a race
			ctx, cancel := context.WithCancel(t.Context())
			sub := value(s.Subscribe(ctx, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{})))
			for n := 0; n < i%100; n++ {
				<-sub.Events()
			}
			cancel()
			drained(sub.Events())
			if err := sub.Err(); !errors.Is(err, context.Canceled) {
				t.Fatalf("round %d: %v", i, err)
			}
		}
	})
}

// A slow consumer that loses the newest has lost the sign of a restore too: what
// was missed comes all the same, once there is room, and not only with the next
// live event.
func TestFromHistoryLosesTheSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryQuery{}), wamp.OverflowDropNewest(), wamp.Buffer(4, 0))
		for i := range 100 { // nobody reads
			publish(t, p, "com.example.topic", i, i+1)
			synctest.Wait()
		}
		if sub.Dropped() == 0 {
			t.Fatal("there was room for all")
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 100, 110)
		<-time.After(10 * time.Second)
		got := numbers(t, settled(sub))
		if n := len(got); n < 10 || !slices.Equal(got[n-10:], counted(100, 110)) {
			t.Errorf("%v", got)
		}
	})
}
