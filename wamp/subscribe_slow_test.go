package wamp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

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

func TestSlowRegistrationRefuses(t *testing.T) {
	const n, bound = 500, 100
	for name, buffer := range map[string]wamp.StreamOption{
		"by messages": wamp.Buffer(bound, 0),
		"by bytes":    wamp.Buffer(0, bound*260),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var p tap
				_, s, callee := slowRig(t, wamptest.WithHook(p.hook))
				reg, err := callee.Register(t.Context(), "com.example.slow", buffer)
				if err != nil {
					t.Fatal(err)
				}
				calls := make([]wamp.Results, n)
				for i := range calls {
					calls[i] = s.Call(t.Context(), "com.example.slow", wamp.Args(i))
				}
				synctest.Wait()
				refused := int(reg.Refused())
				if got := n - refused; got < bound || got > bound+16+inHand+2 {
					t.Errorf("it took %d, its bound is %d", got, bound)
				}
				if st := callee.Stats(); st.Refused != uint64(refused) || st.Tables.Invocations != n-refused {
					t.Errorf("Stats: refused %d, running %d; Refused says %d", st.Refused, st.Tables.Invocations, refused)
				}
				errorsSent := 0
				for _, m := range p.take(proto.Error) {
					if m.session == callee.ID() && m.RequestType == proto.Invocation && m.URI == proto.ErrURIUnavailable {
						errorsSent++
					}
				}
				if errorsSent != refused {
					t.Errorf("%d invocations were answered unavailable, Refused says %d", errorsSent, refused)
				}
				alive(t, s)
				taken := make(map[int]bool)
				for i, last := 0, -1; i < n-refused; i++ { // in order, and the first ones are among them
					inv := <-reg.Invocations()
					now := number(t, inv.Payload)
					if now <= last || i < bound && now != i {
						t.Fatalf("invocation %d is %d, behind %d", i, now, last)
					}
					taken[now], last = true, now
					if err := inv.Return(inv.Payload); err != nil {
						t.Error(err)
					}
				}
				for i, c := range calls {
					r, err := c.Final()
					switch {
					case taken[i] && (err != nil || number(t, r.Payload) != i):
						t.Fatalf("call %d: %v", i, err)
					case !taken[i] && !errors.Is(err, wamp.ErrNoAvailableCallee):
						t.Fatalf("call %d was not refused: %v", i, err)
					}
				}
				r := s.Call(t.Context(), "com.example.slow", wamp.Args(n)) // there is room again
				inv := <-reg.Invocations()
				if err := inv.Return(); err != nil {
					t.Error(err)
				}
				if _, err := r.Final(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSlowRegistrationBlocks(t *testing.T) {
	const n = 1000
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		reg, err := callee.Register(t.Context(), "com.example.slow", wamp.Buffer(10, 0), wamp.OverflowBlock())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := make([]wamp.Results, n)
		for i := range calls {
			calls[i] = s.Call(ctx, "com.example.slow", wamp.Args(i))
		}
		synctest.Wait()
		waiting := callee.Call(t.Context(), "com.example.echo", wamp.Args(1))
		synctest.Wait()
		if len(waiting) > 0 {
			t.Fatal("the link is not held back")
		}
		for i := range n {
			inv := <-reg.Invocations()
			if number(t, inv.Payload) != i {
				t.Fatalf("invocation %d is %d", i, number(t, inv.Payload))
			}
			_ = inv.Return(inv.Payload)
		}
		for i, c := range calls {
			if r, err := c.Final(); err != nil || number(t, r.Payload) != i {
				t.Fatalf("call %d: %v", i, err)
			}
		}
		if _, err := waiting.Final(); err != nil || reg.Refused() != 0 {
			t.Errorf("%d refused: %v", reg.Refused(), err)
		}
	})
}
