package wamp_test

import (
	"errors"
	"fmt"
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
