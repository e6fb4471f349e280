package wamp_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Each event with a key goes to one node, the same as long as the nodes stay;
// one that leaves gives only its own keys away, and after a reconnect it has
// them again.
func TestShardedSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		p, all := join(t, r), join(t, r)
		everything := subscribe(t, all, "com.example.topic")
		var nodes []*wamp.Session
		var subs []*wamp.Subscription
		for i := range 3 {
			s := join(t, r, wamp.WithReconnect(quick()))
			nodes = append(nodes, s)
			subs = append(subs, subscribe(t, s, "com.example.topic", wamp.NodeKey(fmt.Sprint("node", i))))
		}
		const keys = 60
		where := func() map[int]int {
			owner := map[int]int{}
			for k := range keys {
				p.Publish(t.Context(), "com.example.topic", wamp.Args(k), wamp.RoutingKey(fmt.Sprint("key", k)))
				if evs := waiting(everything); len(evs) != 1 {
					t.Errorf("who is no node has %d events", len(evs))
				}
				owner[k] = -1
				for i, sub := range subs {
					for range waiting(sub) {
						if owner[k] >= 0 {
							t.Errorf("key %d went to two nodes", k)
						}
						owner[k] = i
					}
				}
				if owner[k] < 0 {
					t.Errorf("key %d went to no node", k)
				}
			}
			return owner
		}
		first := where()
		count := map[int]int{}
		for _, i := range first {
			count[i]++
		}
		if len(count) != 3 {
			t.Errorf("keys by node: %v", count)
		}
		p.Publish(t.Context(), "com.example.topic", wamp.Args("to all"))
		for _, sub := range append(subs, everything) {
			if len(waiting(sub)) != 1 {
				t.Error("an event without a key has not come to all")
			}
		}
		r.RefuseDials(1, errors.New("later"))
		r.Cut(nodes[1].ID())
		synctest.Wait()
		for k, i := range where() {
			if was := first[k]; was != 1 && i != was || i == 1 {
				t.Errorf("key %d has moved from %d to %d", k, was, i)
			}
		}
		<-time.After(10 * time.Second)
		for k, i := range where() {
			if i != first[k] {
				t.Errorf("key %d is at %d after the reconnect, was at %d", k, i, first[k])
			}
		}
		if _, err := nodes[0].Subscribe(t.Context(), "com.example.topic", wamp.NodeKey("other")); err == nil {
			t.Error("another node key for a topic that is subscribed already")
		}
	})
}

func TestShardedSubscriptionNeedsFeature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := join(t, wamptest.NewRouter(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.ShardedSubscription))))
		var missing *wamp.FeatureError
		if _, err := s.Subscribe(t.Context(), "com.example.topic", wamp.NodeKey("a")); !errors.As(err, &missing) {
			t.Error(err)
		}
		if ack := <-s.Publish(t.Context(), "com.example.topic", wamp.Args(), wamp.RoutingKey("a")); !errors.As(ack.Err, &missing) {
			t.Error(ack.Err)
		}
	})
}

// The flag as the text prints it, and as it ought to be: both let the options
// through, for subscribers and publishers.
func TestShardedSubscriptionSpellings(t *testing.T) {
	for flag, known := range map[string]bool{"sharded_subscription": true, "shareded_subscriptions": true, "sharded_topics": false} {
		t.Run(flag, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
					if m := x.Message; m.Type == proto.Welcome {
						m.Options = m.Options.With("roles", map[string]any{"broker": map[string]any{"features": map[string]any{flag: true}}})
					}
					return wamptest.Pass()
				}))
				p, s := join(t, r), join(t, r)
				sub, err := s.Subscribe(t.Context(), "com.example.topic", wamp.NodeKey("a"))
				ack := <-p.Publish(t.Context(), "com.example.topic", wamp.Args(1), wamp.RoutingKey("key"))
				if known != (err == nil) || known != (ack.Err == nil) {
					t.Fatal(err, ack.Err)
				}
				if known && len(waiting(sub)) != 1 {
					t.Error("no event")
				}
			})
		})
	}
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
