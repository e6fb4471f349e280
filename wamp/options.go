package wamp

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// CallOption changes one call.
type CallOption interface{ applyCall(*callStream) error }

// PublishOption changes one publish.
type PublishOption interface{ applyPublish(*publishConfig) error }

// PublishStreamOption changes a stream of publishes. It holds for every event.
type PublishStreamOption interface{ applyStream(*publishConfig) error }

// TestamentOption changes a testament.
type TestamentOption interface{ applyTestament(*publishConfig) error }

// EventOption is an option of whatever publishes an event.
type EventOption interface {
	PublishOption
	PublishStreamOption
	TestamentOption
}

// eventOption is an EventOption.
type eventOption func(*publishConfig) error

func (o eventOption) applyPublish(c *publishConfig) error   { return o(c) }
func (o eventOption) applyStream(c *publishConfig) error    { return o(c) }
func (o eventOption) applyTestament(c *publishConfig) error { return o(c) }

// SubscribeOption changes one subscription.
type SubscribeOption interface{ applySubscribe(*Subscription) error }

// RegisterOption changes one registration.
type RegisterOption interface{ applyRegister(*Registration) error }

// MatchPolicy says how a subscription or registration matches URIs.
type MatchPolicy = proto.MatchPolicy

// The match policies. Anything but Exact needs the router's
// pattern_based_subscription or pattern_based_registration.
const (
	// Exact matches the very URI. The default.
	Exact = proto.Exact
	// Prefix matches every URI that begins with the string.
	Prefix = proto.Prefix
	// Wildcard lets each empty component match exactly one component.
	Wildcard = proto.Wildcard
)

// InvokePolicy says which of several callees of a procedure is invoked.
type InvokePolicy = proto.InvokePolicy

// The invocation policies. Anything but Single needs the dealer's
// shared_registration.
const (
	Single     = proto.Single
	RoundRobin = proto.RoundRobin
	Random     = proto.Random
	First      = proto.First
	Last       = proto.Last
)

// Mode says what a cancelled call asks of the dealer.
type Mode = session.CancelMode

// The cancel modes.
const (
	// KillNoWait interrupts the callee and ends the call at once. The default.
	KillNoWait = session.KillNoWait
	// Kill interrupts the callee and ends the call with its answer, but no
	// later than the grace period (KillGrace).
	Kill = session.Kill
	// Skip leaves the callee alone and ends the call at once.
	Skip = session.Skip
)

// Progressive asks for progressive results. Where the dealer does not have
// them a plain call follows.
func Progressive() CallOption { return progressiveOption{} }

type progressiveOption struct{}

func (progressiveOption) applyCall(s *callStream) error { s.call.Progressive = true; return nil }

// CancelMode sets how the call is cancelled when its context ends. Where the
// dealer has no call_canceling the end is local. A progressive call that has
// not had its last chunk takes KillNoWait for Skip: its callee would wait for
// the rest for ever.
func CancelMode(m Mode) CallOption { return cancelModeOption(m) }

type cancelModeOption Mode

func (o cancelModeOption) applyCall(s *callStream) error {
	if Mode(o) > Skip {
		return fmt.Errorf("wamp: CancelMode: unknown mode %d", o)
	}
	s.call.Mode = Mode(o)
	return nil
}

// KillGrace sets how long a call cancelled in mode Kill waits for the callee's
// answer. Default 10 s.
func KillGrace(d time.Duration) CallOption { return killGraceOption(d) }

type killGraceOption time.Duration

func (o killGraceOption) applyCall(s *callStream) error {
	if o < 0 {
		return errors.New("wamp: KillGrace: negative")
	}
	s.call.Grace = time.Duration(o)
	return nil
}

// Timeout ends the call when no result, progressive or final, has come for d,
// whether there is a connection or not. It is kept by the client. To a dealer that
// announced call_timeout it is sent too, unless the call is progressive either
// way: not every dealer's timer begins anew with each result, and PassDeadline(true)
// says that this one's does. The error is a *TimeoutError, which matches ErrTimeout
// and context.DeadlineExceeded.
func Timeout(d time.Duration) CallOption { return timeoutOption(d) }

type timeoutOption time.Duration

func (o timeoutOption) applyCall(s *callStream) error {
	if o <= 0 {
		return errors.New("wamp: Timeout: it must be positive")
	}
	s.call.Timeout = time.Duration(o)
	return nil
}

// PassDeadline says whether the time limits of the call are passed on to a dealer
// that announced call_timeout, and through it to a callee that asked for that
// (ForwardTimeout). By default the deadline of the call's ctx is, unless
// CancelMode says that the end of ctx is to be something else than what a dealer's
// timeout does, KillNoWait; and so is the Timeout of a call that has one result.
// With true the Timeout of a progressive call is passed on as well, with false the
// deadline is not.
func PassDeadline(on bool) CallOption { return passDeadlineOption(on) }

type passDeadlineOption bool

func (o passDeadlineOption) applyCall(s *callStream) error {
	s.call.Deadline = session.PassTimeout
	if o {
		s.call.Deadline = session.PassAll
	}
	return nil
}

// IdempotentOption is what Idempotent returns: an option of calls, publishes and
// streams of publishes.
type IdempotentOption interface {
	CallOption
	PublishOption
	PublishStreamOption
}

// Idempotent says that the operation may be carried out twice: when the
// connection is lost and its outcome is unknown, it is sent again on the next
// one. A call that has had progressive results is not sent again.
func Idempotent() IdempotentOption { return idempotentOption{} }

type idempotentOption struct{}

func (idempotentOption) applyCall(s *callStream) error       { s.call.Idempotent = true; return nil }
func (idempotentOption) applyPublish(c *publishConfig) error { c.idempotent = true; return nil }
func (idempotentOption) applyStream(c *publishConfig) error  { c.idempotent = true; return nil }

// DiscloseOption is what DiscloseMe returns: an option of calls and of whatever
// publishes.
type DiscloseOption interface {
	CallOption
	EventOption
}

// DiscloseMe asks the router to tell the callee, or the subscribers, who
// calls or publishes. A router that lacks the feature ignores it.
func DiscloseMe() DiscloseOption {
	return discloseOption{func(c *publishConfig) error { c.set("disclose_me", true); return nil }}
}

type discloseOption struct{ eventOption }

func (discloseOption) applyCall(s *callStream) error { s.call.DiscloseMe = true; return nil }

// SetOption is what Set returns: an option of every operation.
type SetOption interface {
	CallOption
	EventOption
	SubscribeOption
	RegisterOption
}

// Set sends a raw option, for keys that this package does not know. The value
// must be one that can be encoded, and one that WAMP allows where it knows the
// key. It may be changed as soon as the operation has returned.
func Set(key string, value any) SetOption { return setOption{key, value} }

type setOption struct {
	key   string
	value any
}

// into returns d with the option. Its value is a plain one that nobody else
// has: the message is encoded later, and once more after a reconnect.
func (o setOption) into(d Dict, s *Session, t proto.MessageType) (Dict, error) {
	if o.key == "" {
		return d, errors.New("wamp: Set: empty key")
	}
	raw, err := codec.CBOR.AppendValue(nil, map[string]any{o.key: o.value})
	if err != nil {
		return d, fmt.Errorf("wamp: Set: %w", err)
	}
	plain, err := codec.CBOR.Plain(raw)
	if err != nil {
		return d, fmt.Errorf("wamp: Set: %w", err)
	}
	if _, err := s.eng.Codec().AppendValue(nil, plain); err != nil { // NaN in JSON
		return d, fmt.Errorf("wamp: Set: %w", err)
	}
	for key, value := range plain.(map[string]any) {
		if err := proto.CheckOptions(t, Dict{{Key: key, Value: value}}); err != nil { // a router would cut the link
			return d, fmt.Errorf("wamp: Set: %w", err)
		}
		d = d.With(key, value)
	}
	return d, nil
}

func (o setOption) applyCall(s *callStream) (err error) {
	s.call.Options, err = o.into(s.call.Options, s.s, proto.Call)
	return err
}

func (o setOption) applyPublish(c *publishConfig) (err error) {
	c.options, err = o.into(c.options, c.s, proto.Publish)
	return err
}

func (o setOption) applyStream(c *publishConfig) error    { return o.applyPublish(c) }
func (o setOption) applyTestament(c *publishConfig) error { return o.applyPublish(c) }

func (o setOption) applySubscribe(s *Subscription) (err error) {
	s.eng.Options, err = o.into(s.eng.Options, s.s, proto.Subscribe)
	return err
}

func (o setOption) applyRegister(r *Registration) (err error) {
	r.eng.Options, err = o.into(r.eng.Options, r.s, proto.Register)
	return err
}

// BufferOption is what Buffer returns: an option of calls, subscriptions and
// registrations.
type BufferOption interface {
	CallOption
	SubscribeOption
	RegisterOption
}

// Buffer bounds what a stream holds for a consumer that is slower than the
// network: so many messages and so many bytes; zero leaves the default.
// Defaults: calls and subscriptions 64 MiB; registrations 4,096 invocations and
// 64 MiB. The bytes are those of the memory that the messages take, with their
// details. All streams of a session together are bounded by WithMemory.
func Buffer(messages, bytes int) BufferOption { return bufferOption{messages, bytes} }

type bufferOption struct{ messages, bytes int }

func (o bufferOption) set(messages, bytes *int) error {
	if o.messages < 0 || o.bytes < 0 {
		return errors.New("wamp: Buffer: negative")
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

// OverflowOption is what OverflowFail and OverflowBlock return: an option of
// calls, subscriptions and registrations.
type OverflowOption interface {
	CallOption
	SubscribeOption
	RegisterOption
}

// OverflowFail ends the stream with ErrSlowConsumer, behind what it holds, when its
// consumer lets the bound be reached (Buffer). A call is cancelled then. The default
// of calls. The default of registrations too, where it answers the invocation that
// finds no room with wamp.error.unavailable and the registration goes on.
func OverflowFail() OverflowOption { return overflowOption(flow.Fail) }

// OverflowBlock stops reading from the connection when the bound is reached, until
// the stream has drained below half of it. Every other stream of the session waits
// too, and the router, which feels the back-pressure, may answer it with loss. A
// consumer that calls inside its own loop can wait for itself; only the deadline of
// its call ends that.
func OverflowBlock() OverflowOption { return overflowOption(flow.Block) }

type overflowOption flow.Policy

func (o overflowOption) applyCall(s *callStream) error { s.Policy = flow.Policy(o); return nil }
func (o overflowOption) applySubscribe(s *Subscription) error {
	s.stream.Policy = flow.Policy(o)
	return nil
}
func (o overflowOption) applyRegister(r *Registration) error {
	r.stream.Policy = flow.Policy(o)
	return nil
}

// OverflowDropOldest drops the oldest undelivered event when the bound is reached
// (Buffer) and counts it. The default.
func OverflowDropOldest() SubscribeOption { return dropOption(flow.DropOldest) }

// OverflowDropNewest drops the event that finds no room and counts it.
func OverflowDropNewest() SubscribeOption { return dropOption(flow.DropNewest) }

type dropOption flow.Policy

func (o dropOption) applySubscribe(s *Subscription) error {
	s.stream.Policy = flow.Policy(o)
	return nil
}

// MatchOption is what Match returns: an option of subscriptions and
// registrations.
type MatchOption interface {
	SubscribeOption
	RegisterOption
}

// Match sets how the URI matches. Default Exact.
func Match(p MatchPolicy) MatchOption { return matchOption(p) }

type matchOption MatchPolicy

func (o matchOption) policy() MatchPolicy {
	if o == "" {
		return Exact
	}
	return MatchPolicy(o)
}

func (o matchOption) applySubscribe(s *Subscription) error { s.eng.Match = o.policy(); return nil }
func (o matchOption) applyRegister(r *Registration) error  { r.eng.Match = o.policy(); return nil }

// Invoke shares the procedure with other callees by the policy. Default Single.
func Invoke(p InvokePolicy) RegisterOption { return invokeOption(p) }

type invokeOption InvokePolicy

func (o invokeOption) applyRegister(r *Registration) error {
	switch InvokePolicy(o) {
	case Single:
		return nil
	case RoundRobin, Random, First, Last:
		r.eng.Options = r.eng.Options.With("invoke", string(o))
		r.eng.Needs = append(r.eng.Needs, session.Need{Role: proto.Dealer, Feature: proto.SharedRegistration, Option: "Invoke(" + string(o) + ")"})
		return nil
	}
	return fmt.Errorf("wamp: Invoke: unknown policy %q", proto.Short(string(o)))
}

// DiscloseCaller asks the dealer to tell this callee who calls.
func DiscloseCaller() RegisterOption { return discloseCallerOption{} }

type discloseCallerOption struct{}

func (discloseCallerOption) applyRegister(r *Registration) error {
	r.eng.Options = r.eng.Options.With("disclose_caller", true)
	return nil
}

// ForwardTimeout asks the dealer to pass the timeout of a call on instead of
// keeping it: the context of the invocation ends by it then, with a
// *TimeoutError as its cause, and is a deadline unless the caller asked for
// progressive results, between which the timeout counts anew. It needs the
// dealer's call_timeout.
func ForwardTimeout() RegisterOption { return forwardTimeoutOption{} }

type forwardTimeoutOption struct{}

func (forwardTimeoutOption) applyRegister(r *Registration) error {
	r.timeouts = true
	r.eng.Options = r.eng.Options.With("forward_timeout", true)
	r.eng.Needs = append(r.eng.Needs, session.Need{Role: proto.Dealer, Feature: proto.CallTimeout, Option: "ForwardTimeout"})
	return nil
}

// ChunkIdle ends a progressive call whose next chunk does not come within d: the
// invocation's context ends with a *ChunkTimeoutError as its cause, and what the
// handler then answers is the answer. Some routers do not tell a callee that its
// caller has vanished; without a limit such calls would take the handler's places
// one by one. Default: none.
func ChunkIdle(d time.Duration) RegisterOption { return chunkIdleOption(d) }

type chunkIdleOption time.Duration

func (o chunkIdleOption) applyRegister(r *Registration) error {
	if o <= 0 {
		return errors.New("wamp: ChunkIdle: it must be positive")
	}
	r.chunkIdle = time.Duration(o)
	return nil
}

// Concurrency is how many invocations Handle runs at once. Default 64.
func Concurrency(n int) RegisterOption { return concurrencyOption(n) }

type concurrencyOption int

func (o concurrencyOption) applyRegister(r *Registration) error {
	if o < 1 {
		return errors.New("wamp: Concurrency: it must be positive")
	}
	r.concurrency = int(o)
	return nil
}

// GetRetained asks for the retained event of the topic. A router that lacks
// event_retention ignores it.
func GetRetained() SubscribeOption { return getRetainedOption{} }

type getRetainedOption struct{}

func (getRetainedOption) applySubscribe(s *Subscription) error { s.eng.Retained = true; return nil }

// Acknowledge asks for PUBLISHED: the channel of acknowledgements then has one
// element.
func Acknowledge() PublishOption { return acknowledgeOption{} }

type acknowledgeOption struct{}

func (acknowledgeOption) applyPublish(c *publishConfig) error { c.ack = true; return nil }

// ExcludeMe says whether the publisher itself is left out when it is
// subscribed too. By WAMP it is; ExcludeMe(false) lets the event come back,
// and needs the broker's publisher_exclusion.
func ExcludeMe(on bool) EventOption {
	return eventOption(func(c *publishConfig) error {
		c.set("exclude_me", on)
		if !on {
			c.need(proto.PublisherExclusion, "ExcludeMe(false)")
		}
		return nil
	})
}

// checkText refuses what no router takes as a string.
func checkText(option, text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("wamp: %s: %q is not valid UTF-8", option, proto.Short(text))
	}
	return nil
}

// list is one of the black and white lists. check reports what is wrong with one of
// its elements.
func list[T any](name, key string, elements []T, check func(option string, v T) error) EventOption {
	elements = append([]T{}, elements...)
	return eventOption(func(c *publishConfig) error {
		for _, v := range elements {
			if err := check(name, v); err != nil {
				return err
			}
		}
		c.set(key, elements)
		c.need(proto.SubscriberBlackwhiteListing, name)
		return nil
	})
}

func checkSession(option string, id ID) error {
	if !id.Valid() {
		return fmt.Errorf("wamp: %s: %d is no session id", option, id)
	}
	return nil
}

// Retain asks the broker to keep the event for those who subscribe later and
// ask for it (GetRetained): one for each topic, the newest. It needs the broker's
// event_retention.
func Retain() EventOption {
	return eventOption(func(c *publishConfig) error {
		c.set("retain", true)
		c.need(proto.EventRetention, "Retain")
		return nil
	})
}

// Exclude leaves sessions out. All lists given together must hold.
func Exclude(sessions ...ID) EventOption {
	return list("Exclude", "exclude", sessions, checkSession)
}

// ExcludeAuthID leaves out the sessions of these authids.
func ExcludeAuthID(ids ...string) EventOption {
	return list("ExcludeAuthID", "exclude_authid", ids, checkText)
}

// ExcludeAuthRole leaves out the sessions of these authroles.
func ExcludeAuthRole(roles ...string) EventOption {
	return list("ExcludeAuthRole", "exclude_authrole", roles, checkText)
}

// Eligible lets only these sessions have the event; none at all means nobody.
// Crossbar takes an empty list for an absent one.
func Eligible(sessions ...ID) EventOption {
	return list("Eligible", "eligible", sessions, checkSession)
}

// EligibleAuthID lets only sessions of these authids have the event.
func EligibleAuthID(ids ...string) EventOption {
	return list("EligibleAuthID", "eligible_authid", ids, checkText)
}

// EligibleAuthRole lets only sessions of these authroles have the event.
func EligibleAuthRole(roles ...string) EventOption {
	return list("EligibleAuthRole", "eligible_authrole", roles, checkText)
}
