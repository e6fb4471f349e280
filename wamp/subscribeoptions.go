package wamp

import (
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// SubscribeOption is an option of [Session.Subscribe], [Session.SubscribeFunc] and [On].
type SubscribeOption interface{ applySubscribe(*Subscription) error }

type subscribeOption func(*Subscription) error

func (o subscribeOption) applySubscribe(s *Subscription) error { return o(s) }

// OverflowDropOldest drops the oldest events that were not read when the bound
// is reached ([Buffer]), and counts them. It is the default of subscriptions.
func OverflowDropOldest() SubscribeOption { return policyOption(flow.DropOldest) }

// OverflowDropNewest drops events that find no room, and counts them.
func OverflowDropNewest() SubscribeOption { return policyOption(flow.DropNewest) }

// GetRetained asks for the retained event of the topic, which then comes first,
// with its Retained field set. Routers without event_retention ignore it.
//
// See the WAMP specification, "Event Retention".
func GetRetained() SubscribeOption {
	return subscribeOption(func(s *Subscription) error { s.subscription.Retained = true; return nil })
}

// NodeKey makes a subscription one part of a sharded subscription. Of the
// events that were published with a [RoutingKey], each goes to the subscribers
// with one node key; events without one go to all subscribers. It needs the
// broker's sharded_subscription. All subscriptions of a session to one topic
// must have the same node key.
func NodeKey(key string) SubscribeOption {
	return subscribeOption(func(s *Subscription) error {
		if err := checkKey("NodeKey", key); err != nil {
			return err
		}
		s.operation().set(proto.KeyNKey, key, "NodeKey")
		return nil
	})
}
