package wamp_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// eventsInChannel is how many events the channel of a subscription holds.
const eventsInChannel = 8

// pull reads n events. They must ascend, and Lost must name every hole.
func pull(t *testing.T, sub *wamp.Subscription, n, last int) (lost uint64, now int) {
	t.Helper()
	for range n {
		ev, open := <-sub.Events()
		if !open {
			t.Fatalf("the channel is closed behind %d: %v", last, sub.Err())
		}
		got := number(t, ev.Payload)
		if got != last+1+int(ev.Lost) {
			t.Fatalf("event %d behind %d says that %d were lost", got, last, ev.Lost)
		}
		last, lost = got, lost+ev.Lost
	}
	return lost, last
}

// held is how many events a subscription holds that nobody reads, by the
// bounds: those in the channel and in its feeder's hand are outside of it.
func held(bound int) (least, most int) { return bound, bound + eventsInChannel + inHand }

func TestSlowSubscriptionDrops(t *testing.T) {
	const n, bound = 2000, 100
	filler := strings.Repeat("x", 1000-256-5) // so that an event costs about 1,000 bytes
	for name, buffer := range map[string]wamp.StreamOption{
		"by messages": wamp.Buffer(bound, 0),
		"by bytes":    wamp.Buffer(0, bound*1000),
	} {
		for _, policy := range []wamp.SubscribeOption{nil, wamp.OverflowDropOldest(), wamp.OverflowDropNewest()} {
			synctest.Test(t, func(t *testing.T) {
				_, s, p := slowRig(t)
				whole := subscribe(t, s, "com.example.topic")
				options := []wamp.SubscribeOption{buffer}
				if policy != nil { // the default is to drop the oldest
					options = append(options, policy)
				}
				sub := subscribe(t, s, "com.example.topic", options...)
				publish(t, p, "com.example.topic", 0, n, filler)
				synctest.Wait()
				dropped := int(sub.Dropped())
				least, most := held(bound)
				if got := n - dropped; got < least-3 || got > most+3 {
					t.Fatalf("%s: it held %d, its bound is %d", name, got, bound)
				}
				var lost uint64
				last := -1
				if policy == wamp.OverflowDropNewest() { // what filled the bound first is there
					if lost, last = pull(t, sub, bound, last); lost != 0 {
						t.Errorf("%s: %d of the first %d were lost", name, lost, bound)
					}
				}
				more, last := pull(t, sub, n-dropped-1-last, last)
				if lost += more; policy != wamp.OverflowDropNewest() && (last != n-1 || lost != uint64(dropped)) {
					t.Errorf("%s: the last event is %d, %d of %d were lost before it", name, last, lost, dropped)
				}
				// Behind it goes on, and the next event tells what is not told yet.
				publish(t, p, "com.example.topic", n, n+3)
				rest, last := pull(t, sub, 3, last)
				if last != n+2 || lost+rest != sub.Dropped() || int(sub.Dropped()) != dropped {
					t.Errorf("%s: %d and %d were lost, Dropped says %d", name, lost, rest, sub.Dropped())
				}
				if lost, last := pull(t, whole, n+3, -1); lost != 0 || last != n+2 || whole.Dropped() != 0 {
					t.Errorf("%s: the other subscription lost %d", name, lost)
				}
			})
		}
	}
}

// Holes that open one after the other are told one by one.
func TestSlowSubscriptionTellsEachHole(t *testing.T) {
	for _, policy := range []wamp.SubscribeOption{wamp.OverflowDropOldest(), wamp.OverflowDropNewest()} {
		synctest.Test(t, func(t *testing.T) {
			_, s, p := slowRig(t)
			sub := subscribe(t, s, "com.example.topic", wamp.Buffer(10, 0), policy)
			last, next, lost, got := -1, 0, uint64(0), 0
			for round := range 200 {
				n := 1 + round*7%90
				publish(t, p, "com.example.topic", next, next+n)
				next += n
				synctest.Wait()
				take := min(1+round*5%40, next-got-int(sub.Dropped()))
				var more uint64
				more, last = pull(t, sub, take, last)
				lost, got = lost+more, got+take
			}
			synctest.Wait()
			left := next - got - int(sub.Dropped())
			more, last := pull(t, sub, left, last)
			publish(t, p, "com.example.topic", next, next+1)
			more2, last := pull(t, sub, 1, last)
			if lost += more + more2; last != next || lost != sub.Dropped() || lost == 0 {
				t.Errorf("%d were lost, Dropped says %d; the last is %d of %d", lost, sub.Dropped(), last, next)
			}
		})
	}
}

func TestSlowSubscriptionFails(t *testing.T) {
	const n, bound = 2000, 100
	synctest.Test(t, func(t *testing.T) {
		r, s, p := slowRig(t)
		sub := subscribe(t, s, "com.example.topic", wamp.Buffer(bound, 0), wamp.OverflowFail())
		other := subscribe(t, s, "com.example.topic")
		publish(t, p, "com.example.topic", 0, n)
		synctest.Wait()
		if st := s.Stats(); st.Overflowed != 1 || st.Tables.Handles != 1 {
			t.Errorf("Overflowed %d, %d handles", st.Overflowed, st.Tables.Handles)
		}
		got := 0
		for ev := range sub.Events() {
			if number(t, ev.Payload) != got || ev.Lost != 0 {
				t.Fatalf("event %d: %+v", got, ev)
			}
			got++
		}
		if least, most := held(bound); got < least || got > most {
			t.Errorf("it held %d, its bound is %d", got, bound)
		}
		if !errors.Is(sub.Err(), wamp.ErrSlowConsumer) || sub.Dropped() != 0 {
			t.Errorf("Err %v, Dropped %d", sub.Err(), sub.Dropped())
		}
		if lost, _ := pull(t, other, n, -1); lost != 0 {
			t.Errorf("the other subscription lost %d", lost)
		}
		if err := other.Unsubscribe(t.Context()); err != nil {
			t.Error(err)
		}
		if st := r.Stats(); st.Subscriptions != 0 {
			t.Error("the router still has the subscription")
		}
	})
	synctest.Test(t, func(t *testing.T) { // the only subscription: it is left at once
		r, s, p := slowRig(t)
		sub := subscribe(t, s, "com.example.topic", wamp.Buffer(bound, 0), wamp.OverflowFail())
		publish(t, p, "com.example.topic", 0, n)
		synctest.Wait()
		if st := r.Stats(); st.Subscriptions != 0 {
			t.Error("the router still has the subscription")
		}
		for range sub.Events() {
		}
		if !errors.Is(sub.Err(), wamp.ErrSlowConsumer) {
			t.Error(sub.Err())
		}
		alive(t, s)
	})
}

func TestSlowSubscriptionBlocks(t *testing.T) {
	const n = 10_000
	synctest.Test(t, func(t *testing.T) {
		_, s, p := slowRig(t)
		sub := subscribe(t, s, "com.example.topic", wamp.Buffer(100, 0), wamp.OverflowBlock())
		publish(t, p, "com.example.topic", 0, n)
		synctest.Wait()
		waiting := s.Call(t.Context(), "com.example.echo", wamp.Args(1))
		synctest.Wait()
		if len(waiting) > 0 {
			t.Fatal("the link is not held back")
		}
		if lost, last := pull(t, sub, n, -1); lost != 0 || last != n-1 || sub.Dropped() != 0 {
			t.Errorf("%d lost, the last is %d", lost, last)
		}
		if _, err := waiting.Final(); err != nil {
			t.Error(err)
		}
	})
}

// A reader that keeps up loses nothing of a burst at full speed, with the
// defaults.
func TestBurstForAHealthyReader(t *testing.T) {
	const n = 200_000
	r := wamptest.NewRouter(t)
	s, p := join(t, r), join(t, r)
	sub := subscribe(t, s, "com.example.topic")
	go func() {
		for i := range n {
			p.Publish(t.Context(), "com.example.topic", wamp.Args(i))
		}
	}()
	for i := range n {
		if got := number(t, (<-sub.Events()).Payload); got != i {
			t.Fatalf("event %d is %d", i, got)
		}
	}
	if st := s.Stats(); st.Dropped != 0 || sub.Dropped() != 0 {
		t.Errorf("%d were dropped", st.Dropped)
	}
}

// A bound in bytes is one of memory: details count as what they have become.
func TestBufferCountsDetails(t *testing.T) {
	const n, bound = 40, 1 << 20
	many := make([]any, 100_000) // some hundred kilobytes on the wire, more in memory
	for i := range many {
		many[i] = i
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	r := wamptest.NewRouter(t, wamptest.WithSend(func(_ proto.ID, m *proto.Message) wamptest.Action {
		if m.Type == proto.Event {
			m.Options = m.Options.With("x_many", many)
		}
		return wamptest.Pass()
	}))
	s, p := join(t, r), join(t, r, wamp.AckTimeout(time.Minute)) // that is a hundred megabytes to write
	sub := subscribe(t, s, "com.example.topic", wamp.Buffer(0, bound))
	before := heap()
	publish(t, p, "com.example.topic", 0, n)
	if err := r.WaitFor(within(t, patience), func(st wamptest.Stats) bool { return st.Sent[proto.Event] == n }); err != nil {
		t.Fatal(err)
	}
	for s.Stats().Received < n {
		runtime.Gosched()
	}
	if now := heap(); now > before+64<<20 {
		t.Errorf("%d MiB are held behind a bound of 1 MiB", (now-before)>>20)
	}
	if sub.Dropped() < n/2 {
		t.Errorf("%d were dropped", sub.Dropped())
	}
}

// Slow consumers are seen: counted, and logged at most once a second.
func TestSlowConsumersAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		r := wamptest.NewRouter(t)
		s, p := join(t, r, log.Option()), join(t, r)
		sub := subscribe(t, s, "com.example.topic", wamp.Buffer(10, 0))
		reg, err := s.Register(t.Context(), "com.example.full", wamp.Buffer(10, 0))
		if err != nil {
			t.Fatal(err)
		}
		gated := subscribe(t, s, "com.example.gated", wamp.OverflowBlock(), wamp.Buffer(4, 0))
		for range 30 {
			publish(t, p, "com.example.topic", 0, 20)
			p.Call(t.Context(), "com.example.full", wamp.Args())
			<-time.After(100 * time.Millisecond)
		}
		if n := strings.Count(log.String(), `topic=com.example.topic`); n < 3 || n > 4 {
			t.Errorf("%d records in three seconds", n)
		}
		<-time.After(time.Minute)
		if st := s.Stats(); st.Dropped != sub.Dropped() || st.Dropped == 0 {
			t.Errorf("Stats say %d, the subscription %d", st.Dropped, sub.Dropped())
		}
		publish(t, p, "com.example.gated", 0, 100)
		synctest.Wait()
		<-time.After(4 * time.Second)
		if strings.Contains(log.String(), "com.example.gated") {
			t.Error("a gate is logged at once")
		}
		<-time.After(2 * time.Second)
		log.Has(t, "WARN", "connection held back", "com.example.gated")
		log.Has(t, "WARN", "slow consumer", "com.example.full")
		for range 100 {
			<-gated.Events()
		}
		_ = reg
	})
}
