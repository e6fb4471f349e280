package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestRetainedEvents(t *testing.T) {
	for _, cd := range serializers {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			p, s := join(t, r), join(t, r, wamp.WithSerializers(cd))
			for i := range 3 {
				if _, err := p.Publish(t.Context(), "com.example.state", wamp.Args(i), wamp.Retain(), wamp.Acknowledge()).Wait(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := p.Publish(t.Context(), "com.example.state", wamp.Args("passing"), wamp.Acknowledge()).Wait(); err != nil {
				t.Fatal(err)
			}
			plain := subscribe(t, s, "com.example.state")
			asked := subscribe(t, s, "com.example.state", wamp.GetRetained()) // behind another handle
			pattern := subscribe(t, join(t, r), "com.example", wamp.Match(wamp.Prefix), wamp.GetRetained())
			if evs := waiting(plain); len(evs) != 0 {
				t.Errorf("who has not asked has %d events", len(evs))
			}
			for _, sub := range []*wamp.Subscription{asked, pattern} {
				evs := waiting(sub)
				if len(evs) != 1 || !evs[0].Retained || number(t, evs[0].Payload) != 2 || evs[0].Topic != "com.example.state" || evs[0].Publication == 0 {
					t.Errorf("%+v", evs)
				}
			}
			// Live events are not retained ones; both handles have them.
			p.Publish(t.Context(), "com.example.state", wamp.Args(7))
			for _, sub := range []*wamp.Subscription{plain, asked} {
				if evs := waiting(sub); len(evs) != 1 || evs[0].Retained || number(t, evs[0].Payload) != 7 {
					t.Errorf("%+v", evs)
				}
			}
			// The publisher is left out of its own, as at the publishing.
			if evs := waiting(subscribe(t, p, "com.example.state", wamp.GetRetained())); len(evs) != 0 {
				t.Errorf("%+v", evs)
			}
		})
	}
}

// After a reconnect the retained event is asked for again.
func TestRetainedEventAfterReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		plain := subscribe(t, s, "com.example.state")
		asked := subscribe(t, s, "com.example.state", wamp.GetRetained())
		for i := range 2 {
			p.Publish(t.Context(), "com.example.state", wamp.Args(i), wamp.Retain())
			synctest.Wait()
			waiting(plain)
			waiting(asked)
			r.Cut(s.ID())
			<-time.After(10 * time.Second)
			if evs := waiting(plain); len(evs) != 0 {
				t.Errorf("%+v", evs)
			}
			if evs := waiting(asked); len(evs) != 1 || !evs[0].Retained || !evs[0].AfterGap || number(t, evs[0].Payload) != i {
				t.Errorf("%+v", evs)
			}
		}
	})
}

func TestPublicationTrustLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithPublicationTrust(func(_ wamptest.SessionInfo, topic string) int {
			if topic == "com.example.none" {
				return -1
			}
			return len(topic)
		}))
		p, s := join(t, r), join(t, r)
		for topic, want := range map[string]int{"com.example.topic": 17, "com.example.none": -1} {
			sub := subscribe(t, s, topic)
			p.Publish(t.Context(), topic, wamp.Args(1))
			evs := waiting(sub)
			if len(evs) != 1 {
				t.Fatal(evs)
			}
			if level, ok := evs[0].TrustLevel(); ok != (want >= 0) || ok && level != want {
				t.Errorf("%s: %d, %v", topic, level, ok)
			}
		}
	})
}

// A revoked subscription ends all its handles, behind what came before.
func TestSubscriptionRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p, s := join(t, r), join(t, r)
		one, two, other := subscribe(t, s, "com.example.topic"), subscribe(t, s, "com.example.topic"), subscribe(t, s, "com.example.other")
		p.Publish(t.Context(), "com.example.topic", wamp.Args(1))
		synctest.Wait()
		if n := r.RevokeSubscription(one.ID(), "com.example.reason"); n != 1 {
			t.Fatalf("%d subscribers", n)
		}
		for _, sub := range []*wamp.Subscription{one, two} {
			if evs := waiting(sub); len(evs) != 1 {
				t.Errorf("%+v", evs)
			}
			var revoked *wamp.RevokedError
			if _, open := <-sub.Events(); open || !errors.As(sub.Err(), &revoked) || revoked.ID != sub.ID() || revoked.Reason != "com.example.reason" {
				t.Errorf("open %v, %v", open, sub.Err())
			}
			if err := sub.Unsubscribe(t.Context()); err != nil {
				t.Error(err)
			}
		}
		again := subscribe(t, s, "com.example.topic")
		p.Publish(t.Context(), "com.example.topic", wamp.Args(2))
		p.Publish(t.Context(), "com.example.other", wamp.Args(3))
		if a, o := waiting(again), waiting(other); len(a) != 1 || len(o) != 1 {
			t.Errorf("%v, %v", a, o)
		}
		if v := r.Stats().Violations; len(v) > 0 {
			t.Errorf("violations %q", v)
		}
	})
}

// Every filter alone and with every other, against what the text says.
func TestWhoGetsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p := join(t, r)
		var receivers []*wamp.Session
		var subs []*wamp.Subscription
		for range 4 {
			s := join(t, r)
			receivers, subs = append(receivers, s), append(subs, subscribe(t, s, "com.example.topic"))
		}
		id := func(i int) wamp.ID { return receivers[i].ID() }
		authid := func(i int) string { return receivers[i].Details().AuthID }
		type filter struct {
			name   string
			option wamp.PublishOption
			has    func(i int) bool
		}
		filters := []filter{
			{"nobody named", wamp.Eligible(), func(int) bool { return false }},
			{"two sessions", wamp.Eligible(id(0), id(1)), func(i int) bool { return i < 2 }},
			{"no session", wamp.Exclude(), func(int) bool { return true }},
			{"not two sessions", wamp.Exclude(id(1), id(2)), func(i int) bool { return i != 1 && i != 2 }},
			{"authids", wamp.EligibleAuthID(authid(1), authid(3)), func(i int) bool { return i%2 == 1 }},
			{"not authids", wamp.ExcludeAuthID(authid(3)), func(i int) bool { return i != 3 }},
			{"the role", wamp.EligibleAuthRole("anonymous"), func(int) bool { return true }},
			{"another role", wamp.EligibleAuthRole("admin"), func(int) bool { return false }},
			{"not the role", wamp.ExcludeAuthRole("anonymous"), func(int) bool { return false }},
			{"not another role", wamp.ExcludeAuthRole("admin"), func(int) bool { return true }},
		}
		for _, one := range filters {
			for _, two := range filters {
				if _, err := p.Publish(t.Context(), "com.example.topic", wamp.Args(1), one.option, two.option, wamp.Acknowledge()).Wait(); err != nil {
					t.Fatal(err)
				}
				same := filterKey(one.name) == filterKey(two.name) // the later one holds then
				for i, sub := range subs {
					want := two.has(i) && (same || one.has(i))
					if got := len(waiting(sub)) == 1; got != want {
						t.Errorf("%s and %s: receiver %d has it: %v", one.name, two.name, i, got)
					}
				}
			}
		}
	})
}

// filterKey is the option that a filter of TestWhoGetsAnEvent sets.
func filterKey(name string) string {
	for k, names := range map[string][]string{
		"eligible": {"nobody named", "two sessions"}, "exclude": {"no session", "not two sessions"},
		"eligible_authrole": {"the role", "another role"}, "exclude_authrole": {"not the role", "not another role"},
	} {
		if slices.Contains(names, name) {
			return k
		}
	}
	return name
}

func TestRetainNeedsFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.EventRetention)))
		s := join(t, r)
		var missing *wamp.FeatureError
		if _, err := s.Publish(t.Context(), "com.example.topic", wamp.Args(1), wamp.Retain(), wamp.Acknowledge()).Wait(); !errors.As(err, &missing) || missing.Feature != proto.EventRetention {
			t.Error(err)
		}
		subscribe(t, s, "com.example.topic", wamp.GetRetained()) // ignored
	})
}

// Patterns against a matcher that knows nothing but the text.
func TestPatternSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p, s := join(t, r), join(t, r)
		patterns := map[string]wamp.MatchPolicy{
			"com.example": wamp.Prefix, "com.example.a": wamp.Prefix, "com.ex": wamp.Prefix,
			"com..a": wamp.Wildcard, "com.example.": wamp.Wildcard, "..": wamp.Wildcard, "com.example.a.b": wamp.Exact,
		}
		subs := map[string]*wamp.Subscription{}
		for pattern, match := range patterns {
			subs[pattern] = subscribe(t, s, pattern, wamp.Match(match))
		}
		matches := map[string][]string{
			"com.example.a":   {"com.example", "com.example.a", "com.ex", "com..a", "com.example.", ".."},
			"com.example.a.b": {"com.example", "com.example.a", "com.ex", "com.example.a.b"},
			"com.other.a":     {"com..a", ".."},
			"org.example":     nil,
			"com.exam.b":      {"com.ex", ".."},
		}
		for topic, want := range matches {
			if _, err := p.Publish(t.Context(), topic, wamp.Args(topic), wamp.Acknowledge()).Wait(); err != nil {
				t.Fatal(err)
			}
			for pattern, sub := range subs {
				evs := waiting(sub)
				if (len(evs) == 1) != slices.Contains(want, pattern) || len(evs) > 1 || len(evs) == 1 && evs[0].Topic != topic {
					t.Errorf("%s to %s: %s", topic, pattern, fmt.Sprint(evs))
				}
			}
		}
	})
}

// A pattern gets the retained event of each topic it matches, once for each
// handle that has asked for them.
func TestRetainedEventsOfAPattern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p, s := join(t, r), join(t, r, wamp.WithReconnect(quick()))
		topics := []string{"com.example.a", "com.example.b", "com.example.c"}
		for i, topic := range topics {
			if _, err := p.Publish(t.Context(), topic, wamp.Args(i), wamp.Retain(), wamp.Acknowledge()).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		check := func(sub *wamp.Subscription) {
			t.Helper()
			var got []string
			for _, ev := range waiting(sub) {
				if got = append(got, ev.Topic); !ev.Retained {
					t.Errorf("%+v", ev)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, topics) {
				t.Errorf("retained events of %q", got)
			}
		}
		one := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix), wamp.GetRetained())
		check(one)
		two := subscribe(t, s, "com.example", wamp.Match(wamp.Prefix), wamp.GetRetained())
		check(two)
		if evs := waiting(one); len(evs) != 0 {
			t.Errorf("the first handle has them twice: %+v", evs)
		}
		r.Cut(s.ID())
		<-time.After(10 * time.Second)
		check(one)
		check(two)
	})
}

// Several subscriptions of a session to one topic are one at the router; each
// has its own bound and policy, and the last one leaves.
func TestOneTopicSeveralTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p, s := join(t, r), join(t, r)
		sub := func(options ...wamp.SubscribeOption) *wamp.Subscription {
			return subscribe(t, s, "com.example.topic", options...)
		}
		all := sub()
		oldest, newest, fails := sub(wamp.Buffer(4, 0)), sub(wamp.Buffer(4, 0), wamp.OverflowDropNewest()), sub(wamp.Buffer(4, 0), wamp.OverflowFail())
		ctx, cancel := context.WithCancel(t.Context())
		canceled := value(s.Subscribe(ctx, "com.example.topic"))
		if n := r.Stats().Received[proto.Subscribe]; n != 1 || all.ID() != fails.ID() {
			t.Errorf("%d SUBSCRIBEs, ids %d and %d", n, all.ID(), fails.ID())
		}
		const count = 100
		for i := range count { // one by one, so that every channel and backlog is filled alike
			publish(t, p, "com.example.topic", i, i+1)
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		if evs := drained(canceled.Events()); len(evs) > 8 || !errors.Is(canceled.Err(), context.Canceled) {
			t.Errorf("%d events, %v", len(evs), canceled.Err())
		}
		read := func(sub *wamp.Subscription) []int { return numbers(t, settled(sub)) }
		if got := read(all); len(got) != count {
			t.Errorf("%d events", len(got))
		}
		if got := read(oldest); len(got) == count || got[len(got)-1] != count-1 || oldest.Dropped() != uint64(count-len(got)) {
			t.Errorf("%v, %d dropped", got, oldest.Dropped())
		}
		if got := read(newest); len(got) == count || got[len(got)-1] != len(got)-1 || newest.Dropped() != uint64(count-len(got)) {
			t.Errorf("%v, %d dropped", got, newest.Dropped())
		}
		if got := read(fails); len(got) == count || got[len(got)-1] != len(got)-1 || !errors.Is(fails.Err(), wamp.ErrSlowConsumer) {
			t.Errorf("%v, %v", got, fails.Err())
		}
		for i, sub := range []*wamp.Subscription{newest, all, oldest} {
			if err := sub.Unsubscribe(t.Context()); err != nil {
				t.Error(err)
			}
			if n := r.Stats().Received[proto.Unsubscribe]; n != i/2 {
				t.Errorf("%d UNSUBSCRIBEs after %d", n, i+1)
			}
		}
	})
}
