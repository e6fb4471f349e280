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

// CallOption is an option of a call: of [Session.Call], [Session.CallStream],
// [Session.CallFunc] and [Stream].
type CallOption interface{ applyCall(*callStream) error }

// PublishOption is an option of [Session.Publish].
type PublishOption interface{ applyPublish(*publishConfig) error }

// PublishStreamOption is an option of [Session.PublishStream] and
// [Session.PublishFunc]. It applies to every event.
type PublishStreamOption interface{ applyStream(*publishConfig) error }

// TestamentOption is an option of [Session.AddTestament].
type TestamentOption interface{ applyTestament(*publishConfig) error }

// EventOption is an option of all ways to publish an event.
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

// SubscribeOption is an option of [Session.Subscribe].
type SubscribeOption interface{ applySubscribe(*Subscription) error }

// RegisterOption is an option of [Session.Register] and [Session.Handle].
type RegisterOption interface{ applyRegister(*Registration) error }

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

// InvokePolicy is how the dealer chooses one of several callees of a procedure:
// [Single], [RoundRobin], [Random], [First] or [Last].
type InvokePolicy = proto.InvokePolicy

// The invocation policies. All but [Single] need the dealer's shared_registration.
const (
	// Single allows one callee only. It is the default.
	Single = proto.Single
	// RoundRobin takes the callees in turn.
	RoundRobin = proto.RoundRobin
	// Random takes any of the callees.
	Random = proto.Random
	// First takes the callee that registered first.
	First = proto.First
	// Last takes the callee that registered last.
	Last = proto.Last
)

// Mode is how a call is cancelled: [KillNoWait], [Kill] or [Skip]. See
// [CancelMode]. [proto.CancelMode.String] returns its name on the wire.
type Mode = proto.CancelMode

// The cancel modes.
const (
	// KillNoWait interrupts the callee and ends the call at once. The default.
	KillNoWait = proto.KillNoWait
	// Kill interrupts the callee and ends the call with its answer, but no
	// later than the grace period (KillGrace).
	Kill = proto.Kill
	// Skip leaves the callee alone and ends the call at once.
	Skip = proto.Skip
)

// Progressive asks the callee for progressive results. Where the dealer did not
// announce progressive_call_results, the call has a final result only.
//
// See the WAMP specification, "Progressive Call Results".
func Progressive() CallOption { return progressiveOption{} }

type progressiveOption struct{}

func (progressiveOption) applyCall(s *callStream) error { s.call.Progressive = true; return nil }

// CancelMode sets how the call is cancelled when its context ends. Default:
// [KillNoWait]. Where the dealer did not announce call_canceling, the call only
// ends on this side. For a progressive call whose last chunk was not sent yet,
// [Skip] works as KillNoWait: otherwise the callee would wait for the next
// chunk for ever.
//
// See the WAMP specification, "Call Canceling".
func CancelMode(m Mode) CallOption { return cancelModeOption(m) }

type cancelModeOption Mode

func (o cancelModeOption) applyCall(s *callStream) error {
	if Mode(o) > Skip {
		return fmt.Errorf("wamp: CancelMode: unknown mode %d", o)
	}
	s.call.Mode = Mode(o)
	return nil
}

// KillGrace sets how long a call that is cancelled in mode [Kill] waits for the
// callee's answer. Default: 10 s.
func KillGrace(d time.Duration) CallOption { return killGraceOption(d) }

type killGraceOption time.Duration

func (o killGraceOption) applyCall(s *callStream) error {
	if o < 0 {
		return errors.New("wamp: KillGrace: negative")
	}
	s.call.Grace = time.Duration(o)
	return nil
}

// Timeout ends the call with a [TimeoutError] when no result, progressive or
// final, has come for d, with or without a connection. It needs no feature of
// the router. Default: none.
//
// The limit is also sent to a dealer that announced call_timeout, unless the
// call is progressive in either direction: not every dealer starts its timer
// anew with each result. PassDeadline(true) sends it then too.
//
// See the WAMP specification, "Call Timeouts".
func Timeout(d time.Duration) CallOption { return timeoutOption(d) }

type timeoutOption time.Duration

func (o timeoutOption) applyCall(s *callStream) error {
	if o <= 0 {
		return errors.New("wamp: Timeout: it must be positive")
	}
	s.call.Timeout = time.Duration(o)
	return nil
}

// PassDeadline sets which time limits of the call are sent to a dealer that
// announced call_timeout, and through it to a callee that asked for them by
// [ForwardTimeout].
//
// By default these are the deadline of the call's context, unless [CancelMode]
// is other than [KillNoWait], which is what a dealer's timeout does, and the
// [Timeout] of a call that is not progressive. PassDeadline(true) also sends
// the Timeout of a progressive call. PassDeadline(false) does not send the
// deadline.
func PassDeadline(on bool) CallOption { return passDeadlineOption(on) }

type passDeadlineOption bool

func (o passDeadlineOption) applyCall(s *callStream) error {
	s.call.Deadline = session.PassTimeout
	if o {
		s.call.Deadline = session.PassAll
	}
	return nil
}

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
	return discloseOption{func(c *publishConfig) error { c.set(proto.KeyDiscloseMe, true, "DiscloseMe"); return nil }}
}

type discloseOption struct{ eventOption }

func (discloseOption) applyCall(s *callStream) error { s.call.DiscloseMe = true; return nil }

// SetOption is the result of [Set]: an option of every operation.
type SetOption interface {
	CallOption
	EventOption
	SubscribeOption
	RegisterOption
}

// Set sends an option that this package does not know, under its key in the
// WAMP specification or of the router. The value must be one that can be
// encoded; where the key is a known one, it must have the type and range of
// that key. The value is copied: it may be changed when the operation has
// returned.
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

// BufferOption is the result of [Buffer]: an option of calls, subscriptions and
// registrations.
type BufferOption interface {
	CallOption
	SubscribeOption
	RegisterOption
}

// Buffer bounds how many messages and how many bytes a stream holds for a
// consumer that does not keep up. Zero leaves the default: 64 MiB and any
// number of messages for calls and subscriptions, 64 MiB and 4,096 invocations
// for registrations. Bytes are bytes of memory and include details.
// [WithMemory] bounds all streams of a session together.
//
// What happens at the bound is set by [OverflowFail], [OverflowBlock],
// [OverflowDropOldest] and [OverflowDropNewest].
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

// OverflowOption is the result of [OverflowFail] and [OverflowBlock]: an option
// of calls, subscriptions and registrations.
type OverflowOption interface {
	CallOption
	SubscribeOption
	RegisterOption
}

// OverflowFail ends the stream with [ErrSlowConsumer] when its bound is
// reached, after what it holds. A call is then cancelled. It is the default of
// calls and registrations. A registration goes on, however: the invocation that
// finds no room is answered with wamp.error.unavailable.
func OverflowFail() OverflowOption { return overflowOption{policyOption(flow.Fail)} }

// OverflowBlock stops reading from the connection when the bound of the stream
// is reached, until half of it is free. All other streams of the session wait
// too, and the router may drop messages for the session. A consumer that calls
// in its own loop may then wait for itself, until the deadline of its call.
func OverflowBlock() OverflowOption { return overflowOption{policyOption(flow.Block)} }

type overflowOption struct{ policyOption }

func (o overflowOption) applyCall(s *callStream) error {
	s.Policy = flow.Policy(o.policyOption)
	return nil
}

func (o overflowOption) applyRegister(r *Registration) error {
	r.stream.Policy = flow.Policy(o.policyOption)
	return nil
}

// OverflowDropOldest drops the oldest events that were not read when the bound
// is reached ([Buffer]), and counts them. It is the default of subscriptions.
func OverflowDropOldest() SubscribeOption { return policyOption(flow.DropOldest) }

// OverflowDropNewest drops events that find no room, and counts them.
func OverflowDropNewest() SubscribeOption { return policyOption(flow.DropNewest) }

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

func (o matchOption) policy() MatchPolicy {
	if o == "" {
		return Exact
	}
	return MatchPolicy(o)
}

func (o matchOption) applySubscribe(s *Subscription) error { s.eng.Match = o.policy(); return nil }
func (o matchOption) applyRegister(r *Registration) error  { r.eng.Match = o.policy(); return nil }

// Invoke shares the procedure with other callees, of which the dealer chooses
// one for each call. Default: [Single], which shares nothing. It needs the
// dealer's shared_registration.
//
// See the WAMP specification, "Shared Registration".
func Invoke(p InvokePolicy) RegisterOption { return invokeOption(p) }

type invokeOption InvokePolicy

func (o invokeOption) applyRegister(r *Registration) error {
	switch InvokePolicy(o) {
	case Single:
		return nil
	case RoundRobin, Random, First, Last:
		r.set(proto.KeyInvoke, string(o), "Invoke("+string(o)+")")
		return nil
	}
	return fmt.Errorf("wamp: Invoke: unknown policy %q", proto.Short(string(o)))
}

// DiscloseCaller asks the dealer to disclose all callers to this callee, see
// [Invocation.Caller].
func DiscloseCaller() RegisterOption { return discloseCallerOption{} }

type discloseCallerOption struct{}

func (discloseCallerOption) applyRegister(r *Registration) error {
	r.set(proto.KeyDiscloseCaller, true, "DiscloseCaller")
	return nil
}

// ForwardTimeout asks the dealer to pass the time limit of a call on instead of
// enforcing it. The context of the invocation then ends by that limit, with a
// [TimeoutError] as its cause. The limit is the deadline of the context, unless
// the caller asked for progressive results: then it bounds the time between
// them. It needs the dealer's call_timeout.
//
// See the WAMP specification, "Call Timeouts".
func ForwardTimeout() RegisterOption { return forwardTimeoutOption{} }

type forwardTimeoutOption struct{}

func (forwardTimeoutOption) applyRegister(r *Registration) error {
	r.timeouts = true
	r.set(proto.KeyForwardTimeout, true, "ForwardTimeout")
	return nil
}

// ChunkIdle ends a progressive call whose next chunk does not come within d.
// The context of the invocation ends with a [ChunkTimeoutError] as its cause;
// what the handler then answers is the answer. Use it behind routers that do
// not tell a callee that its caller has vanished, where such calls would occupy
// one handler after the other. Default: no limit.
func ChunkIdle(d time.Duration) RegisterOption { return chunkIdleOption(d) }

type chunkIdleOption time.Duration

func (o chunkIdleOption) applyRegister(r *Registration) error {
	if o <= 0 {
		return errors.New("wamp: ChunkIdle: it must be positive")
	}
	r.chunkIdle = time.Duration(o)
	return nil
}

// Concurrency sets how many invocations [Session.Handle] runs at once. Default:
// 64.
func Concurrency(n int) RegisterOption { return concurrencyOption(n) }

type concurrencyOption int

func (o concurrencyOption) applyRegister(r *Registration) error {
	if o < 1 {
		return errors.New("wamp: Concurrency: it must be positive")
	}
	r.concurrency = int(o)
	return nil
}

// GetRetained asks for the retained event of the topic, which then comes first,
// with its Retained field set. Routers without event_retention ignore it.
//
// See the WAMP specification, "Event Retention".
func GetRetained() SubscribeOption { return getRetainedOption{} }

type getRetainedOption struct{}

func (getRetainedOption) applySubscribe(s *Subscription) error { s.eng.Retained = true; return nil }

// Acknowledge asks the broker to acknowledge the publish. The [Acks] then
// receives exactly one element.
func Acknowledge() PublishOption { return acknowledgeOption{} }

type acknowledgeOption struct{}

func (acknowledgeOption) applyPublish(c *publishConfig) error { c.ack = true; return nil }

// ExcludeMe sets whether the publisher is left out when it has subscribed to
// the topic itself. By the WAMP specification it is. ExcludeMe(false) sends it
// the event too, and needs the broker's publisher_exclusion.
//
// See the WAMP specification, "Publisher Exclusion".
func ExcludeMe(on bool) EventOption {
	return eventOption(func(c *publishConfig) error {
		c.set(proto.KeyExcludeMe, on, "ExcludeMe(false)")
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
		c.set(key, elements, name)
		return nil
	})
}

func checkSession(option string, id ID) error {
	if !id.Valid() {
		return fmt.Errorf("wamp: %s: %d is no session id", option, id)
	}
	return nil
}

// Retain asks the broker to retain the event for later subscribers that ask for
// it by [GetRetained]. The newest event of each topic is retained. It needs the
// broker's event_retention.
//
// See the WAMP specification, "Event Retention".
func Retain() EventOption {
	return eventOption(func(c *publishConfig) error {
		c.set(proto.KeyRetain, true, "Retain")
		return nil
	})
}

// Exclude withholds the event from these sessions. If several lists are given,
// a session gets the event only if all of them allow it. The lists need the
// broker's subscriber_blackwhite_listing.
//
// See the WAMP specification, "Subscriber Black- and Whitelisting".
func Exclude(sessions ...ID) EventOption {
	return list("Exclude", proto.KeyExclude, sessions, checkSession)
}

// ExcludeAuthID withholds the event from sessions with these authids. See
// [Exclude].
func ExcludeAuthID(ids ...string) EventOption {
	return list("ExcludeAuthID", proto.KeyExcludeAuthID, ids, checkText)
}

// ExcludeAuthRole withholds the event from sessions with these authroles. See
// [Exclude].
func ExcludeAuthRole(roles ...string) EventOption {
	return list("ExcludeAuthRole", proto.KeyExcludeAuthRole, roles, checkText)
}

// Eligible sends the event to these sessions only. An empty list means nobody,
// but Crossbar takes it for an absent list. See [Exclude].
func Eligible(sessions ...ID) EventOption {
	return list("Eligible", proto.KeyEligible, sessions, checkSession)
}

// EligibleAuthID sends the event to sessions with these authids only. See
// [Exclude].
func EligibleAuthID(ids ...string) EventOption {
	return list("EligibleAuthID", proto.KeyEligibleAuthID, ids, checkText)
}

// EligibleAuthRole sends the event to sessions with these authroles only. See
// [Exclude].
func EligibleAuthRole(roles ...string) EventOption {
	return list("EligibleAuthRole", proto.KeyEligibleAuthRole, roles, checkText)
}
