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

// All streams of a session together have a bound, above which the largest applies
// its policy; and it is told of.
func TestWithMemory(t *testing.T) {
	const limit = 4 << 20
	filler := strings.Repeat("x", 1000)
	for name, tt := range map[string]struct {
		option wamp.SubscribeOption
		check  func(t *testing.T, s *wamp.Session, sub *wamp.Subscription)
	}{
		"drop oldest": {wamp.OverflowDropOldest(), func(t *testing.T, s *wamp.Session, sub *wamp.Subscription) {
			if sub.Dropped() == 0 || s.Stats().Dropped < sub.Dropped() {
				t.Errorf("Dropped %d, in Stats %d", sub.Dropped(), s.Stats().Dropped)
			}
		}},
		"drop newest": {wamp.OverflowDropNewest(), func(t *testing.T, s *wamp.Session, sub *wamp.Subscription) {
			if sub.Dropped() == 0 {
				t.Error("nothing was dropped")
			}
		}},
		"fail": {wamp.OverflowFail(), func(t *testing.T, s *wamp.Session, sub *wamp.Subscription) {
			for range sub.Events() {
			}
			if !errors.Is(sub.Err(), wamp.ErrSlowConsumer) {
				t.Error(sub.Err())
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, p := join(t, r, wamp.WithMemory(limit), log.Option()), join(t, r)
				large := subscribe(t, s, "com.example.large", tt.option)
				var small []*wamp.Subscription
				for range 8 {
					small = append(small, subscribe(t, s, "com.example.small", tt.option))
				}
				publish(t, p, "com.example.small", 0, 50, filler)
				publish(t, p, "com.example.large", 0, 10_000, filler)
				synctest.Wait()
				tt.check(t, s, large)
				for i, sub := range small {
					if sub.Dropped() != 0 || sub.Err() != nil {
						t.Errorf("small stream %d: %d dropped, %v", i, sub.Dropped(), sub.Err())
					}
					for k := range 50 {
						if got := number(t, (<-sub.Events()).Payload); got != k {
							t.Fatalf("event %d is %d", k, got)
						}
					}
				}
				log.Has(t, "WARN", "slow consumer", "com.example.large")
			})
		})
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
		log.Has(t, "WARN", "holds the connection back", "com.example.gated")
		log.Has(t, "WARN", "slow consumer", "com.example.full")
		for range 100 {
			<-gated.Events()
		}
		_ = reg
	})
}

// What happens to a session is in its log: where it is, what was lost, what came
// back, what has ended by itself, what waits.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		r := wamptest.NewRouter(t)
		s := join(t, r, log.Option(), wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Second, Max: 20 * time.Second}))
		log.Has(t, "INFO", "session joined", "protocol=wamp.2.cbor")
		sub := subscribe(t, s, "com.example.topic")
		handle(t, s, "com.example.echo", echo)
		r.Cut(s.ID())
		synctest.Wait()
		log.Has(t, "WARN", "connection is lost", "reason=")
		log.Has(t, "INFO", "session reconnecting", "attempt=1")
		results := s.Call(t.Context(), "com.example.echo", wamp.Args(1))
		<-time.After(6 * time.Second)
		log.Has(t, "WARN", "wait for a connection", "waiting=1", "cause=")
		if _, err := results.Final(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Second)
		log.Has(t, "INFO", "session is back", "handles=2")
		r.RevokeSubscription(sub.ID(), "com.example.reason")
		log.Has(t, "WARN", "a subscription has ended", "com.example.topic", "com.example.reason")
		if n := strings.Count(log.String(), "wait for a connection"); n != 1 {
			t.Errorf("%d records of what waited", n)
		}
	})
}
