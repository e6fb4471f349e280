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

// A stream with history under policy Block whose backlog is just full when its
// link breaks: the session takes from the new link again once it has been read.
func TestFromHistoryBlocksOnce(t *testing.T) {
	for n := range 64 {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
			p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
			sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(), wamp.Overflow(wamp.Block), wamp.Buffer(4, 0))
			for i := range n {
				publish(t, p, "com.example.topic", i, i+1)
				synctest.Wait()
			}
			r.Cut(s.ID())
			<-time.After(10 * time.Second)
			var got []int
			for range 20 { // the loss is noticed when the link is read again
				got = append(got, numbers(t, settled(sub))...)
				<-time.After(time.Second)
			}
			publish(t, p, "com.example.topic", n, n+1)
			got = append(got, numbers(t, settled(sub))...)
			if !slices.Equal(got, counted(0, n+1)) {
				t.Errorf("after %d events: %v", n, got)
			}
		})
	}
}

// counted are the numbers from begin up to end.
func counted(begin, end int) []int {
	out := []int{}
	for i := begin; i < end; i++ {
		out = append(out, i)
	}
	return out
}

// settled reads until nothing more comes.
func settled(sub *wamp.Subscription) (all []wamp.Event) {
	for evs := waiting(sub); len(evs) > 0; evs = waiting(sub) {
		all = append(all, evs...)
	}
	return all
}

// The link breaks while the history is being asked for: the subscription has
// another id on the next one.
func TestHistoryAcrossReconnect(t *testing.T) {
	for _, what := range []string{"History", "FromHistory"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cut := true
				r := wamptest.NewRouter(t, wamptest.WithHistory(1000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if !x.Sent && x.Message.URI == "wamp.subscription.get_events" && cut {
						cut = false
						return wamptest.CutLink()
					}
					return wamptest.Pass()
				}))
				p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
				publish(t, p, "com.example.topic", 0, 10)
				if what == "History" {
					events, err := subscribe(t, s, "com.example.topic").History(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if got := numbers(t, drained(events)); !slices.Equal(got, counted(0, 10)) {
						t.Errorf("%v", got)
					}
					return
				}
				sub := subscribe(t, s, "com.example.topic", wamp.FromHistory())
				if got := numbers(t, settled(sub)); !slices.Equal(got, counted(0, 10)) {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// The link breaks again while the stream asks what it has missed: it asks for
// all of that once more, whatever bounds it began with.
func TestFromHistoryBreaksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if !x.Sent && x.Message.URI == "wamp.subscription.get_events" {
				if asked++; asked == 2 {
					return wamptest.CutLink()
				}
			}
			return wamptest.Pass()
		}))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.topic", 0, 5)
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryLast(2)))
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{3, 4}) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 5, 10)
		<-time.After(10 * time.Second)
		evs := settled(sub)
		if got := numbers(t, evs); !slices.Equal(got, counted(5, 10)) {
			t.Errorf("%v", got)
		}
		for _, ev := range evs {
			if ev.AfterGap {
				t.Errorf("%+v", ev)
			}
		}
	})
}

// The bounds that a stream begins with hold where nothing had come before its
// link broke, but for the limit.
func TestFromHistoryBoundsAfterReconnect(t *testing.T) {
	for name, tt := range map[string]struct {
		option func() wamp.HistoryOption
		old    int // published before the subscription
	}{
		"after":                 {func() wamp.HistoryOption { return wamp.HistoryAfter(time.Now()) }, 5},
		"last of an empty one":  {func() wamp.HistoryOption { return wamp.HistoryLast(2) }, 0},
		"limit of an empty one": {func() wamp.HistoryOption { return wamp.HistoryLimit(2) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
				p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
				for i := range tt.old {
					publish(t, p, "com.example.topic", i, i+1)
				}
				sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(tt.option()))
				<-time.After(time.Second)
				r.Cut(s.ID())
				publish(t, p, "com.example.topic", 100, 105)
				<-time.After(10 * time.Second)
				if got := numbers(t, settled(sub)); !slices.Equal(got, counted(100, 105)) {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// A limit is about the newest events: those between it and now must not be
// left out.
func TestFromHistoryLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p, s := join(t, r), join(t, r)
		publish(t, p, "com.example.topic", 0, 10)
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryLimit(3)))
		publish(t, p, "com.example.topic", 10, 12)
		if got := numbers(t, settled(sub)); !slices.Equal(got, counted(7, 12)) {
			t.Errorf("%v", got)
		}
	})
}

// The topic that the history is asked for says where the stream begins; after a
// reconnect the other topics of the pattern are not forgotten.
func TestFromHistoryTopicAfterReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(1000))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		publish(t, p, "com.example.a", 0, 1)
		publish(t, p, "com.example.b", 1, 2)
		sub := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix), wamp.FromHistory(wamp.HistoryTopic("com.example.a")))
		publish(t, p, "com.example.b", 2, 3)
		publish(t, p, "com.example.a", 3, 4)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{0, 2, 3}) {
			t.Errorf("%v", got)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.b", 4, 5)
		publish(t, p, "com.example.a", 5, 6)
		publish(t, p, "com.example.b", 6, 7)
		<-time.After(10 * time.Second)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{4, 5, 6}) {
			t.Errorf("%v", got)
		}
	})
}

// After a reconnect the retained event is not told again, however long ago it
// was.
func TestFromHistoryRetainedLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(100))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(), wamp.GetRetained())
		p.Publish(t.Context(), "com.example.topic", wamp.Args(-1), wamp.Retain())
		for i := range 2000 {
			publish(t, p, "com.example.topic", i, i+1)
			waiting(sub)
		}
		r.Cut(s.ID())
		publish(t, p, "com.example.topic", 2000, 2001)
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 2001, 2002)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{2000, 2001}) {
			t.Errorf("%v", got)
		}
	})
}

// The sign of a reconnect is lost with what a slow consumer has lost: the
// history is asked all the same.
func TestFromHistorySlowAcrossReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := wamptest.NewRouter(t, wamptest.WithHistory(10000), wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
			if !x.Sent && x.Message.URI == "wamp.subscription.get_events" {
				if asked++; asked == 2 {
					return wamptest.Hold(time.Second)
				}
			}
			return wamptest.Pass()
		}))
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(), wamp.Buffer(4, 0))
		n := 0
		more := func(k int) {
			for range k { // one by one, so that nothing but the backlog varies
				publish(t, p, "com.example.topic", n, n+1)
				n++
				synctest.Wait()
			}
		}
		more(1)
		r.Cut(s.ID())
		more(1)
		<-time.After(500 * time.Millisecond) // the history is being asked for
		more(1)                              // it comes both ways
		<-time.After(10 * time.Second)
		if got := numbers(t, settled(sub)); !slices.Equal(got, []int{0, 1, 2}) {
			t.Fatalf("%v", got)
		}
		more(100) // nobody reads
		r.Cut(s.ID())
		begin := n
		more(30)
		end := n
		<-time.After(10 * time.Second)
		more(100)
		got := settled(sub)
		for k := begin; k < end; k++ { // what was published while there was no link
			if !slices.ContainsFunc(got, func(ev wamp.Event) bool { return number(t, ev.Payload) == k }) {
				t.Fatalf("%d is missing", k)
			}
		}
		if all := numbers(t, got); !slices.IsSorted(all) || len(slices.Compact(all)) != len(got) {
			t.Errorf("%v", all)
		}
	})
}

// Crossbar gives the newest events first, knows the limit only, and has names of
// its own for what an event is made of.
func TestHistoryOfCrossbar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithHistory(100), wamptest.CrossbarQuirks())
		p, s := join(t, r), join(t, r, wamp.Assume("event_history"), wamp.WithReconnect(quick()))
		for i := range 20 {
			publish(t, p, "com.example.topic", i, i+1)
			<-time.After(time.Millisecond)
		}
		sub := subscribe(t, s, "com.example.topic")
		for name, tt := range map[string]struct {
			options []wamp.HistoryOption
			want    []int
		}{
			"ten by default": {nil, counted(10, 20)},
			"limit":          {[]wamp.HistoryOption{wamp.HistoryLimit(5)}, counted(15, 20)},
			"last":           {[]wamp.HistoryOption{wamp.HistoryLast(15)}, counted(5, 20)},
		} {
			events, err := sub.History(t.Context(), tt.options...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := numbers(t, drained(events)); !slices.Equal(got, tt.want) {
				t.Errorf("%s: %v", name, got)
			}
		}
		ev := <-value(sub.History(t.Context()))
		if ev.Topic != "com.example.topic" || ev.Publisher().Session != p.ID() || ev.Publisher().AuthRole != "anonymous" || ev.Time.IsZero() {
			t.Errorf("%+v", ev)
		}
		if _, err := sub.History(t.Context(), wamp.HistoryAfter(time.Now())); wamp.ErrorURI(err) != proto.ErrURIRuntimeError {
			t.Error(err)
		}
		stream := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryLast(12)))
		publish(t, p, "com.example.topic", 20, 22)
		got := settled(stream)
		<-time.After(time.Second)
		r.Cut(s.ID())
		for i := 22; i < 52; i++ {
			publish(t, p, "com.example.topic", i, i+1)
		}
		<-time.After(10 * time.Second)
		publish(t, p, "com.example.topic", 52, 53)
		got = append(got, settled(stream)...)
		if got := numbers(t, got); !slices.Equal(got, counted(8, 53)) {
			t.Errorf("%v", got)
		}
		for i, ev := range got {
			if ev.AfterGap != (i == 14) { // it does not promise to have all
				t.Errorf("%d: %+v", i, ev)
			}
		}
	})
}

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
					_, err := s.Subscribe(t.Context(), "com.example.topic", wamp.FromHistory())
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
			subs = append(subs, subscribe(t, s, "com.example.topic", wamp.NodeKey(fmt.Sprint("node", i)), wamp.FromHistory()))
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
		again := subscribe(t, nodes[0], "com.example.topic", wamp.NodeKey("node0"), wamp.FromHistory())
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
			sub, err := s.Subscribe(within(t, time.Minute), "com.example.topic", wamp.FromHistory(), wamp.Overflow(wamp.Block), wamp.Buffer(4, 0))
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
				sub := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix), wamp.FromHistory())
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
		sub := subscribe(t, s, "com.example.topic", wamp.FromHistory(wamp.HistoryFrom(time.Now())))
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
			sub := value(s.Subscribe(ctx, "com.example.topic", wamp.FromHistory()))
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
