package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

// matches is what the text says of patterns, written as slowly as it reads.
func matches(pattern string, policy wamp.MatchPolicy, topic string) bool {
	switch policy {
	case wamp.Prefix:
		return strings.HasPrefix(topic, pattern)
	case wamp.Wildcard:
		p, u := strings.Split(pattern, "."), strings.Split(topic, ".")
		if len(p) != len(u) {
			return false
		}
		for i := range p {
			if p[i] != "" && p[i] != u[i] {
				return false
			}
		}
		return true
	}
	return pattern == topic
}

// Random patterns and topics of few letters, so that they meet, end to end
// against a matcher by brute force.
func TestMatchingProperty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(7, 7))
		uri := func(empty bool) string {
			parts := make([]string, 1+random.IntN(4))
			for i := range parts {
				if !empty || random.IntN(3) > 0 {
					parts[i] = []string{"a", "b", "ab", "aa"}[random.IntN(4)]
				}
			}
			return strings.Join(parts, ".")
		}
		r := wamptest.NewRouter(t)
		p, s := join(t, r), join(t, r)
		type key struct {
			uri   string
			match wamp.MatchPolicy
		}
		subs := map[key]*wamp.Subscription{}
		for len(subs) < 150 {
			k := key{uri(true), []wamp.MatchPolicy{wamp.Exact, wamp.Prefix, wamp.Wildcard}[random.IntN(3)]}
			if subs[k] != nil || proto.CheckPattern(k.uri, k.match) != nil {
				continue
			}
			subs[k] = subscribe(t, s, k.uri, wamp.Match(k.match))
		}
		hits := 0
		for range 300 {
			topic := uri(false)
			if _, err := p.Publish(t.Context(), topic, wamp.Args(), wamp.Acknowledge()).Wait(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for k, sub := range subs {
				want := matches(k.uri, k.match, topic)
				n := len(sub.Events())
				for range n {
					if ev := <-sub.Events(); ev.Topic != topic {
						t.Errorf("an event for %q says it is for %q", topic, ev.Topic)
					}
				}
				if want != (n == 1) || n > 1 {
					t.Errorf("topic %q, %s %q: %d events, want %v", topic, k.match, k.uri, n, want)
				}
				hits += n
			}
		}
		if hits < 1000 {
			t.Errorf("only %d matches: the test says little", hits)
		}
	})
}

// What an event says of where it came from.
func TestEventSaysWhoAndWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, named())
		p, s := joinAs(t, r, "user1"), joinAs(t, r, "admin1")
		exact, prefix := subscribe(t, s, "com.example.topic"), subscribe(t, s, "com.example", wamp.Match(wamp.Prefix))
		for _, disclose := range []bool{false, true} {
			options := []wamp.PublishOption{wamp.Acknowledge()}
			want := wamp.Peer{}
			if disclose {
				options = append(options, wamp.DiscloseMe())
				want = wamp.Peer{Session: p.ID(), AuthID: "user1", AuthRole: "user"}
			}
			id, err := p.Publish(t.Context(), "com.example.topic", wamp.Args(1), options...).Wait()
			if err != nil {
				t.Fatal(err)
			}
			for _, sub := range []*wamp.Subscription{exact, prefix} {
				evs := waiting(sub)
				if len(evs) != 1 || evs[0].Publisher() != want || evs[0].Publication != id || evs[0].Topic != "com.example.topic" {
					t.Errorf("%+v, want publication %d by %+v", evs, id, want)
				}
			}
		}
	})
}

// What a broker keeps stays as it was, however much comes after it.
func TestRetainedEventStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p := join(t, r)
		p.Publish(t.Context(), "com.example.state", wamp.Args("the one that stays"), wamp.Retain())
		for i := range 20 {
			publish(t, p, "com.example.other", i, i+1)
		}
		evs := waiting(subscribe(t, join(t, r), "com.example.state", wamp.GetRetained()))
		var text string
		if len(evs) != 1 || evs[0].Scan(&text) != nil || text != "the one that stays" {
			t.Errorf("%q, %+v", text, evs)
		}
	})
}
