package wamp

import (
	"errors"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// RoutingKeyOption is what RoutingKey returns: an option of calls and of whatever
// publishes.
type RoutingKeyOption interface {
	CallOption
	EventOption
}

// RoutingKey sends a call to one callee of a shared registration, always the
// same for the same key while the set of callees stays. It needs the dealer's
// sharded_registration. An event it sends to the subscribers of one node key
// (NodeKey), always the same while the set of node keys stays; this needs the
// broker's sharded_subscription.
//
// The WAMP text is a stub here: docs/sharding.md has our reading.
func RoutingKey(key string) RoutingKeyOption { return routingKeyOption(key) }

type routingKeyOption string

func (o routingKeyOption) applyCall(s *callStream) error {
	if o == "" {
		return errors.New("wamp: RoutingKey: empty key")
	}
	if err := checkText("RoutingKey", string(o)); err != nil {
		return err
	}
	s.call.Options = s.call.Options.With("rkey", string(o)).With("runmode", string(Partition))
	s.needSharding("RoutingKey")
	return nil
}

func (o routingKeyOption) applyPublish(c *publishConfig) error {
	if o == "" {
		return errors.New("wamp: RoutingKey: empty key")
	}
	if err := checkText("RoutingKey", string(o)); err != nil {
		return err
	}
	c.set("rkey", string(o))
	c.need(proto.ShardedSubscription, "RoutingKey")
	return nil
}

func (o routingKeyOption) applyStream(c *publishConfig) error    { return o.applyPublish(c) }
func (o routingKeyOption) applyTestament(c *publishConfig) error { return o.applyPublish(c) }

// NodeKey makes the subscription one part of a sharded one: of the events that
// have a RoutingKey it gets those that fall to its node key, and no other node
// key gets them. Events without one it gets all. It needs the broker's
// sharded_subscription. Within a session, one topic is subscribed with one node
// key only.
func NodeKey(key string) SubscribeOption { return nodeKeyOption(key) }

type nodeKeyOption string

func (o nodeKeyOption) applySubscribe(s *Subscription) error {
	if o == "" {
		return errors.New("wamp: NodeKey: empty key")
	}
	if err := checkText("NodeKey", string(o)); err != nil {
		return err
	}
	s.eng.Options = s.eng.Options.With("nkey", string(o))
	s.eng.Needs = append(s.eng.Needs, session.Need{Role: proto.Broker, Feature: proto.ShardedSubscription, Option: "NodeKey"})
	return nil
}

// CallRunMode says which callees of a shared registration are called.
type CallRunMode string

// The run modes.
const (
	// Partition calls the callee that the routing key picks.
	Partition CallRunMode = "partition"
	// All calls every callee. The result of each comes as a progressive result
	// that says whose it is (Result.Callee), then an empty final one.
	All CallRunMode = "all"
)

// RunMode says which callees of a shared registration are called. Partition
// needs a RoutingKey, which sets it; All asks for progressive results. It needs
// the dealer's sharded_registration.
func RunMode(m CallRunMode) CallOption { return runModeOption(m) }

type runModeOption CallRunMode

func (o runModeOption) applyCall(s *callStream) error {
	switch CallRunMode(o) {
	case Partition:
	case All:
		s.call.Progressive = true
	default:
		return fmt.Errorf("wamp: RunMode: unknown mode %q", proto.Short(string(o)))
	}
	s.call.Options = s.call.Options.With("runmode", string(o))
	s.needSharding("RunMode(" + string(o) + ")")
	return nil
}

func (cs *callStream) needSharding(option string) {
	cs.call.Needs = append(cs.call.Needs, session.Need{Role: proto.Dealer, Feature: proto.ShardedRegistration, Option: option})
}

// Callee is who answered, as far as the dealer said it.
func (r *Result) Callee() Peer {
	return Peer{Session: r.Details.ID("callee"), AuthID: r.Details.Str("callee_authid"), AuthRole: r.Details.Str("callee_authrole")}
}

// CalleeErr is the error with which one callee of a call to all has answered,
// nil if this is its result. The call goes on: only Err ends it.
func (r *Result) CalleeErr() error {
	uri := r.Details.Str("error")
	if uri == "" || !r.Progress {
		return nil
	}
	return &Error{URI: uri, Details: r.Details, Payload: r.Payload}
}
