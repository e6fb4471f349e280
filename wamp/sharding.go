package wamp

import (
	"errors"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// RoutingKeyOption is the result of [RoutingKey]: an option of calls and of all
// ways to publish.
type RoutingKeyOption interface {
	CallOption
	EventOption
}

// RoutingKey sends a call to one callee of a shared registration: the same one
// for the same key, as long as the set of callees does not change. It needs the
// dealer's sharded_registration. An event goes to the subscribers with one node
// key ([NodeKey]): the same one for the same routing key, as long as the set of
// node keys does not change. This needs the broker's sharded_subscription.
//
// The WAMP specification only outlines these features; docs/sharding.md says
// how this library understands them.
func RoutingKey(key string) RoutingKeyOption { return routingKeyOption(key) }

type routingKeyOption string

func (o routingKeyOption) applyCall(s *callStream) error {
	if o == "" {
		return errors.New("wamp: RoutingKey: empty key")
	}
	if err := checkText("RoutingKey", string(o)); err != nil {
		return err
	}
	s.call.Options = s.call.Options.With(proto.KeyRKey, string(o)).With(proto.KeyRunMode, string(Partition))
	s.call.Needs = append(s.call.Needs, routingNeed)
	return nil
}

func (o routingKeyOption) applyPublish(c *publishConfig) error {
	if o == "" {
		return errors.New("wamp: RoutingKey: empty key")
	}
	if err := checkText("RoutingKey", string(o)); err != nil {
		return err
	}
	c.set(proto.KeyRKey, string(o), "RoutingKey")
	return nil
}

func (o routingKeyOption) applyStream(c *publishConfig) error    { return o.applyPublish(c) }
func (o routingKeyOption) applyTestament(c *publishConfig) error { return o.applyPublish(c) }

// NodeKey makes a subscription one part of a sharded subscription. Of the
// events that were published with a [RoutingKey], each goes to the subscribers
// with one node key; events without one go to all subscribers. It needs the
// broker's sharded_subscription. All subscriptions of a session to one topic
// must have the same node key.
func NodeKey(key string) SubscribeOption { return nodeKeyOption(key) }

type nodeKeyOption string

func (o nodeKeyOption) applySubscribe(s *Subscription) error {
	if o == "" {
		return errors.New("wamp: NodeKey: empty key")
	}
	if err := checkText("NodeKey", string(o)); err != nil {
		return err
	}
	s.set(proto.KeyNKey, string(o), "NodeKey")
	return nil
}

// CallRunMode says which callees of a shared registration are called.
type CallRunMode = proto.RunMode

// The run modes.
const (
	// Partition calls the callee that the routing key picks.
	Partition = proto.RunPartition
	// All calls every callee. The result of each comes as a progressive result
	// that says whose it is (Result.Callee), then an empty final one.
	All = proto.RunAll
)

// RunMode selects which callees of a shared registration are called: with [All]
// all of them, with [Partition] the one that the [RoutingKey] selects, which
// sets this mode by itself. All sets [Progressive]. It needs the dealer's
// sharded_registration.
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
	s.call.Options = s.call.Options.With(proto.KeyRunMode, string(o))
	need := runModeNeed
	need.Option = "RunMode(" + string(o) + ")"
	s.call.Needs = append(s.call.Needs, need)
	return nil
}

// What the key table says of options of calls. It is looked up once: calls are made
// often.
var (
	routingNeed = session.NeedFor(proto.Call, proto.KeyRKey, "RoutingKey")
	runModeNeed = session.NeedFor(proto.Call, proto.KeyRunMode, "RunMode")
)

// Callee returns who answered, as far as the dealer disclosed it.
func (r *Result) Callee() Peer {
	return Peer{Session: r.Details.ID(proto.KeyCallee), AuthID: r.Details.Str(proto.KeyCalleeAuthID), AuthRole: r.Details.Str(proto.KeyCalleeAuthRole)}
}

// CalleeErr returns the error with which one callee answered a call to [All]
// callees, nil if the element is a result. The call goes on after it; only the
// Err field ends it.
func (r *Result) CalleeErr() error {
	uri := r.Details.Str(proto.KeyError)
	if uri == "" || !r.Progress {
		return nil
	}
	return &Error{URI: uri, Details: r.Details, Payload: r.Payload}
}
