package wamp

import (
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// OperationOption is an option of every operation.
type OperationOption interface {
	CallOption
	EventOption
	SubscribeOption
	RegisterOption
}

// StreamOption is an option of every operation that has a stream: of calls,
// subscriptions and registrations.
type StreamOption interface {
	CallOption
	SubscribeOption
	RegisterOption
}

// operation is what all operations have: what is sent with them, and what the router
// has to be able to.
type operation struct {
	s       *Session
	kind    proto.MessageType
	options *Dict
	needs   *[]session.Need
}

type operationOption func(operation) error

func (o operationOption) applyCall(s *callStream) error          { return o(s.operation()) }
func (o operationOption) applyPublish(c *publishConfig) error    { return o(c.operation()) }
func (o operationOption) applyStream(c *publishConfig) error     { return o(c.operation()) }
func (o operationOption) applyTestament(c *publishConfig) error  { return o(c.operation()) }
func (o operationOption) applySubscribe(sub *Subscription) error { return o(sub.operation()) }
func (o operationOption) applyRegister(r *Registration) error    { return o(r.operation()) }

func (cs *callStream) operation() operation {
	return operation{cs.s, proto.Call, &cs.call.Options, &cs.call.Needs}
}

func (c *publishConfig) operation() operation {
	return operation{c.s, proto.Publish, &c.options, &c.needs}
}

func (sub *Subscription) operation() operation {
	return operation{sub.s, proto.Subscribe, &sub.subscription.Options, &sub.subscription.Needs}
}

func (r *Registration) operation() operation {
	return operation{r.s, proto.Register, &r.registration.Options, &r.registration.Needs}
}

// set sends a value under a key, and requires what the key table says that the key
// needs for it. option is what the user has called it.
func (op operation) set(key string, value any, option string) {
	*op.options = op.options.With(key, value)
	if n, ok := proto.NeedOf(op.kind, key); ok && n.Lack == proto.Refuse && value != n.Default {
		*op.needs = append(*op.needs, session.Need{Role: n.Role, Feature: n.Feature, Option: option})
	}
}

// send sends a value of the user's under a key. It is a plain one that nobody else
// has: the message is encoded later, and once more after a reconnect.
func (op operation) send(key string, value any) error {
	if key == "" {
		return errors.New("the key is empty")
	}
	raw, err := codec.CBOR.AppendValue(nil, map[string]any{key: value})
	if err != nil {
		return err
	}
	plain, err := codec.CBOR.Plain(raw)
	if err != nil {
		return err
	}
	if _, err := op.s.eng.Codec().AppendValue(nil, plain); err != nil { // NaN in JSON
		return err
	}
	for key, value := range plain.(map[string]any) {
		if err := proto.CheckOptions(op.kind, Dict{{Key: key, Value: value}}); err != nil { // a router would cut the link
			return err
		}
		*op.options = op.options.With(key, value)
	}
	return nil
}

// positive refuses an option that is not.
func positive[T int | int64 | time.Duration](option string, n T) error {
	if n <= 0 {
		return fmt.Errorf("%s: %v is not positive", option, n)
	}
	return nil
}

// checkKey refuses what is no routing or node key.
func checkKey(option, key string) error {
	if key == "" {
		return errors.New(option + ": the key is empty")
	}
	return checkText(option, key)
}

// MatchPolicy is how the URI of a subscription or registration matches:
// [Exact], [Prefix] or [Wildcard].
type MatchPolicy = proto.MatchPolicy

// The match policies. [Prefix] and [Wildcard] need the broker's
// pattern_based_subscription or the dealer's pattern_based_registration.
const (
	// Exact matches the URI itself. It is the default.
	Exact = proto.Exact
	// Prefix matches every URI that begins with the given string.
	Prefix = proto.Prefix
	// Wildcard matches URIs with as many components; an empty component of the
	// given URI matches any one component.
	Wildcard = proto.Wildcard
)

// IdempotentOption is the result of [Idempotent]: an option of calls, publishes
// and publish streams.
type IdempotentOption interface {
	CallOption
	PublishOption
	PublishStreamOption
}

// Idempotent allows the operation to be carried out twice. If the connection is
// lost while its outcome is unknown, it is sent again on the next connection
// instead of ending with an [OutcomeUnknown]. A call that has had progressive
// results is not sent again.
func Idempotent() IdempotentOption { return idempotentOption{} }

type idempotentOption struct{}

func (idempotentOption) applyCall(s *callStream) error       { s.call.Idempotent = true; return nil }
func (idempotentOption) applyPublish(c *publishConfig) error { c.idempotent = true; return nil }
func (idempotentOption) applyStream(c *publishConfig) error  { c.idempotent = true; return nil }

// DiscloseOption is the result of [DiscloseMe]: an option of calls and of all
// ways to publish.
type DiscloseOption interface {
	CallOption
	EventOption
}

// DiscloseMe asks the router to disclose the caller to the callee, or the
// publisher to the subscribers. Routers without the feature ignore it.
//
// See the WAMP specification, "Caller Identification" and "Publisher
// Identification".
func DiscloseMe() DiscloseOption {
	return discloseOption{func(c *publishConfig) error { c.operation().set(proto.KeyDiscloseMe, true, "DiscloseMe"); return nil }}
}

type discloseOption struct{ eventOption }

func (discloseOption) applyCall(s *callStream) error { s.call.DiscloseMe = true; return nil }

// Set sends an option that this package does not know, under its key in the
// WAMP specification or of the router. The value must be one that can be
// encoded; where the key is a known one, it must have the type and range of
// that key. The value is copied: it may be changed when the operation has
// returned.
func Set(key string, value any) OperationOption {
	return operationOption(func(op operation) error {
		if err := op.send(key, value); err != nil {
			return fmt.Errorf("Set: %w", err)
		}
		return nil
	})
}

// Buffer bounds how many messages and how many bytes a stream holds for a
// consumer that does not keep up. Zero leaves the default: 64 MiB and any
// number of messages for calls and subscriptions, 64 MiB and 4,096 invocations
// for registrations. Bytes are bytes of memory and include details.
// [WithMemory] bounds all streams of a session together.
//
// What happens at the bound is set by [OverflowFail], [OverflowBlock],
// [OverflowDropOldest] and [OverflowDropNewest].
func Buffer(messages, bytes int) StreamOption { return bufferOption{messages, bytes} }

type bufferOption struct{ messages, bytes int }

func (o bufferOption) set(messages, bytes *int) error {
	if o.messages < 0 || o.bytes < 0 {
		return errors.New("Buffer: a bound is negative")
	}
	if o.messages > 0 {
		*messages = o.messages
	}
	if o.bytes > 0 {
		*bytes = o.bytes
	}
	return nil
}

func (o bufferOption) applyCall(s *callStream) error { return o.set(&s.Count, &s.Bytes) }
func (o bufferOption) applySubscribe(s *Subscription) error {
	return o.set(&s.stream.Count, &s.stream.Bytes)
}
func (o bufferOption) applyRegister(r *Registration) error {
	if o.bytes > 0 {
		r.chunkBytes = o.bytes
	}
	return o.set(&r.stream.Count, &r.stream.Bytes)
}

// OverflowFail ends the stream with [ErrSlowConsumer] when its bound is
// reached, after what it holds. A call is then cancelled. It is the default of
// calls and registrations. A registration goes on, however: the invocation that
// finds no room is answered with wamp.error.unavailable.
func OverflowFail() StreamOption { return overflowOption{policyOption(flow.Fail)} }

// OverflowBlock stops reading from the connection when the bound of the stream
// is reached, until half of it is free. All other streams of the session wait
// too, and the router may drop messages for the session. A consumer that calls
// in its own loop may then wait for itself, until the deadline of its call.
func OverflowBlock() StreamOption { return overflowOption{policyOption(flow.Block)} }

type overflowOption struct{ policyOption }

func (o overflowOption) applyCall(s *callStream) error {
	s.Policy = flow.Policy(o.policyOption)
	return nil
}

func (o overflowOption) applyRegister(r *Registration) error {
	r.stream.Policy = flow.Policy(o.policyOption)
	return nil
}

type policyOption flow.Policy

func (o policyOption) applySubscribe(s *Subscription) error {
	s.stream.Policy = flow.Policy(o)
	return nil
}

// MatchOption is the result of [Match]: an option of subscriptions and
// registrations.
type MatchOption interface {
	SubscribeOption
	RegisterOption
}

// Match sets how the URI of the subscription or registration matches. Default:
// [Exact].
//
// See the WAMP specification, "Pattern-based Subscriptions" and "Pattern-based
// Registrations".
func Match(p MatchPolicy) MatchOption { return matchOption(p) }

type matchOption MatchPolicy

func (o matchOption) set(match *MatchPolicy) error {
	switch p := MatchPolicy(o); p {
	case "":
		*match = Exact
	case Exact, Prefix, Wildcard:
		*match = p
	default:
		return fmt.Errorf("Match: unknown policy %q", proto.Short(string(o)))
	}
	return nil
}

func (o matchOption) applySubscribe(s *Subscription) error { return o.set(&s.subscription.Match) }
func (o matchOption) applyRegister(r *Registration) error  { return o.set(&r.registration.Match) }

// ConcurrencyOption is the result of [Concurrency]: an option of subscriptions and
// registrations whose handlers the library runs.
type ConcurrencyOption interface {
	SubscribeOption
	RegisterOption
}

// Concurrency sets how many handlers run at once: of the invocations of
// [Session.Handle], [Serve], [ServeStream] and [ServeChunks], 64 by default, or of the
// events of [Session.SubscribeFunc] and [On], one by default, which keeps their order.
// [Session.Register] and [Session.Subscribe], which run none, refuse it.
func Concurrency(n int) ConcurrencyOption { return concurrencyOption(n) }

type concurrencyOption int

func (o concurrencyOption) applySubscribe(s *Subscription) error {
	if s.consumer == nil {
		return errors.New("Concurrency: it is for SubscribeFunc and On, Subscribe runs no handlers")
	}
	s.consumer.most = int(o)
	return positive("Concurrency", int(o))
}

func (o concurrencyOption) applyRegister(r *Registration) error {
	if !r.handled {
		return errors.New("Concurrency: it is for Handle and Serve, Register runs no handlers")
	}
	r.concurrency = int(o)
	return positive("Concurrency", int(o))
}

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
	if err := checkKey("RoutingKey", string(o)); err != nil {
		return err
	}
	s.call.Options = s.call.Options.With(proto.KeyRKey, string(o)).With(proto.KeyRunMode, string(Partition))
	s.call.Needs = append(s.call.Needs, routingNeed)
	return nil
}

func (o routingKeyOption) applyPublish(c *publishConfig) error {
	if err := checkKey("RoutingKey", string(o)); err != nil {
		return err
	}
	c.operation().set(proto.KeyRKey, string(o), "RoutingKey")
	return nil
}

func (o routingKeyOption) applyStream(c *publishConfig) error { return o.applyPublish(c) }

func (o routingKeyOption) applyTestament(c *publishConfig) error { return o.applyPublish(c) }
