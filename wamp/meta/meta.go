package meta

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// API is the meta API of the router of a session. Its zero value is not usable;
// [Of] returns one.
//
// ctx governs each call. The error wraps [wamp.ErrNoSuchProcedure] if the
// router lacks the procedure and [wamp.ErrNotAuthorized] if this session may
// not use it. Answers in other forms are understood where their meaning is
// clear, and fields that are absent are zero; an answer that cannot be
// understood is an error.
type API struct {
	s       *wamp.Session
	patient bool // its calls wait for a connection whatever FailFast says
}

// Of returns the meta API of the router of a session.
func Of(s *wamp.Session) API { return API{s: s} }

// SessionInfo describes a session. Routers leave fields out: of a session that
// has left, Crossbar tells only the id.
type SessionInfo struct {
	// Session is the id of the session.
	Session wamp.ID
	// AuthID, AuthRole, AuthMethod and AuthProvider are those of its login.
	AuthID, AuthRole, AuthMethod, AuthProvider string
	// Details is everything that the router sent. It may be nil.
	Details map[string]any
}

// RegistrationInfo describes a registration of the router.
type RegistrationInfo struct {
	ID     wamp.ID
	URI    string
	Match  wamp.MatchPolicy
	Invoke wamp.InvokePolicy
	// Created is when it was made, zero if the router does not say.
	Created time.Time
	// By is the session that made it. It is set only where an event reported
	// it.
	By wamp.ID
	// Details is everything that the router sent.
	Details map[string]any
}

// SubscriptionInfo describes a subscription of the router.
type SubscriptionInfo struct {
	ID    wamp.ID
	URI   string
	Match wamp.MatchPolicy
	// Created is when it was made, zero if the router does not say.
	Created time.Time
	// By is the session that made it. It is set only where an event reported
	// it.
	By wamp.ID
	// Details is everything that the router sent.
	Details map[string]any
}

// IDs are the ids of registrations or subscriptions, by their match policy.
type IDs struct{ Exact, Prefix, Wildcard []wamp.ID }

// All returns all ids in one slice.
func (l IDs) All() []wamp.ID {
	return append(append(append([]wamp.ID{}, l.Exact...), l.Prefix...), l.Wildcard...)
}

// Killed reports the sessions that a kill closed. IDs is nil if the router only
// counts them.
type Killed struct {
	Count int
	IDs   []wamp.ID
}

// KillOption is an option of [API.KillSession], [API.KillByAuthID], [API.KillByAuthRole]
// and [API.KillAll].
type KillOption interface{ applyKill(map[string]any) }

type killOption struct{ key, value string }

func (o killOption) applyKill(kw map[string]any) { kw[o.key] = o.value }

// KillReason sets the URI that the GOODBYE of killed sessions has as its reason.
// Default: the router's own, wamp.close.killed by the WAMP specification.
func KillReason(uri string) KillOption { return killOption{proto.KeyReason, uri} }

// KillMessage sets a text for the killed sessions.
func KillMessage(text string) KillOption { return killOption{proto.KeyMessage, text} }

// answer takes the outcome of a call. Its methods run on the actor.
type answer struct {
	c    codec.Codec
	done chan outcome // capacity 1
}

type outcome struct {
	payload codec.Payload
	err     error
}

// Deliver is never called: no progressive results are asked for.
func (a answer) Deliver(*proto.Message) session.Verdict { return session.Taken }

// End takes the outcome.
func (a answer) End(e session.End) {
	o := outcome{err: e.Err}
	if e.Message != nil {
		o.payload = codec.Received(a.c, e.Message) // the message itself is only lent
	}
	a.done <- o
}

func (m API) call(ctx context.Context, procedure string, payload codec.Payload, twice bool) ([]any, error) {
	args, err := m.try(ctx, procedure, payload, twice)
	return args, session.WrapOp("call", procedure, err)
}

// try calls a meta procedure. twice: asking again does no harm.
func (m API) try(ctx context.Context, procedure string, payload codec.Payload, twice bool) ([]any, error) {
	ctx, bounded, err := session.OwnCall(ctx)
	if err != nil {
		return nil, err
	}
	sink := answer{m.s.Engine().Codec(), make(chan outcome, 1)}
	call := &session.Call{Ctx: ctx, Bounded: bounded, URI: procedure, Sink: sink, Idempotent: twice, Patient: m.patient}
	if err := call.Encode(sink.c, payload); err != nil {
		return nil, err
	}
	if err := m.s.Engine().Call(call); err != nil {
		return nil, err
	}
	o := <-sink.done // it comes with the end of ctx too, or of the session
	if o.err != nil {
		return nil, o.err
	}
	return o.payload.Args()
}

func (m API) ask(ctx context.Context, procedure string, args ...any) (any, error) {
	list, err := m.call(ctx, procedure, codec.Args(args...), true)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// asked calls a meta procedure and reads its answer. One that makes no sense is
// an error: that there is nobody, or no such thing, would be a lie.
func asked[T any](ctx context.Context, m API, read func(any) (T, bool), procedure string, args ...any) (T, error) {
	v, err := m.ask(ctx, procedure, args...)
	if err == nil {
		return understood(read, procedure, v)
	}
	var none T
	return none, err
}

// looked asks for one thing by its id, which routers may leave out of the answer.
func looked[T any](ctx context.Context, m API, read func(any) (T, bool), own func(*T) *wamp.ID, none error, procedure string, id wamp.ID) (T, error) {
	var nothing T
	v, err := m.ask(ctx, procedure, id)
	if err == nil && v == nil { // a router that says nothing of what is not there
		err = none
	}
	if err != nil {
		return nothing, err
	}
	info, err := understood(read, procedure, v)
	if err != nil {
		return nothing, err
	}
	if *own(&info) == 0 {
		*own(&info) = id
	}
	return info, nil
}

func understood[T any](read func(any) (T, bool), procedure string, v any) (T, error) {
	t, ok := read(v)
	if !ok {
		return t, session.WrapOp("call", procedure, fmt.Errorf("the router has answered with a %T, which is not what the procedure returns", v))
	}
	return t, nil
}

func rolesArg(roles []string) []any {
	if len(roles) == 0 {
		return nil
	}
	return []any{roles}
}

// CountSessions returns how many sessions the realm has, or how many with one
// of the authroles.
func (m API) CountSessions(ctx context.Context, roles ...string) (int, error) {
	return asked(ctx, m, countOf, proto.MetaSessionCount, rolesArg(roles)...)
}

// ListSessions returns the sessions of the realm, or those with one of the
// authroles.
func (m API) ListSessions(ctx context.Context, roles ...string) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, proto.MetaSessionList, rolesArg(roles)...)
}

// GetSession describes a session. The error matches [wamp.ErrNoSuchSession] if
// it does not exist.
func (m API) GetSession(ctx context.Context, id wamp.ID) (SessionInfo, error) {
	return looked(ctx, m, sessionOf, func(i *SessionInfo) *wamp.ID { return &i.Session }, wamp.ErrNoSuchSession, proto.MetaSessionGet, id)
}

// killing is the payload of a kill.
func killing(who []any, options []KillOption) codec.Payload {
	kw := map[string]any{}
	for _, o := range options {
		o.applyKill(kw)
	}
	return codec.Args(who...).WithKwargs(kw)
}

func (m API) kill(ctx context.Context, procedure string, who []any, options []KillOption) (Killed, error) {
	list, err := m.call(ctx, procedure, killing(who, options), false)
	if err != nil || len(list) == 0 {
		return Killed{}, err
	}
	return understood(killedOf, procedure, list[0])
}

// KillSession closes a session. By the WAMP specification a session cannot
// close itself so ([wamp.ErrNoSuchSession]); at Crossbar it can.
func (m API) KillSession(ctx context.Context, id wamp.ID, options ...KillOption) error {
	_, err := m.call(ctx, proto.MetaSessionKill, killing([]any{id}, options), false)
	return err
}

// KillByAuthID closes the sessions with an authid, except for this one.
func (m API) KillByAuthID(ctx context.Context, authid string, options ...KillOption) (Killed, error) {
	return m.kill(ctx, proto.MetaSessionKillByAuthID, []any{authid}, options)
}

// KillByAuthRole closes the sessions with an authrole, except for this one.
func (m API) KillByAuthRole(ctx context.Context, role string, options ...KillOption) (Killed, error) {
	return m.kill(ctx, proto.MetaSessionKillByAuthRole, []any{role}, options)
}

// KillAll closes all sessions of the realm, except for this one. Crossbar lacks
// the procedure.
func (m API) KillAll(ctx context.Context, options ...KillOption) (Killed, error) {
	return m.kill(ctx, proto.MetaSessionKillAll, nil, options)
}

// ListRegistrations returns the registrations of the realm.
func (m API) ListRegistrations(ctx context.Context) (IDs, error) {
	return asked(ctx, m, listsOf, proto.MetaRegistrationList)
}

// LookupRegistration returns the registration with exactly this procedure or
// pattern and match policy, 0 if there is none.
func (m API) LookupRegistration(ctx context.Context, uri string, match wamp.MatchPolicy) (wamp.ID, error) {
	return m.lookup(ctx, proto.MetaRegistrationLookup, uri, match)
}

func (m API) lookup(ctx context.Context, procedure, uri string, match wamp.MatchPolicy) (wamp.ID, error) {
	args := []any{uri}
	if match != wamp.Exact && match != "" {
		args = append(args, map[string]any{proto.KeyMatch: string(match)})
	}
	return asked(ctx, m, firstID, procedure, args...)
}

// MatchRegistration returns the registration that a call of the procedure would
// go to, 0 if there is none.
func (m API) MatchRegistration(ctx context.Context, procedure string) (wamp.ID, error) {
	return asked(ctx, m, firstID, proto.MetaRegistrationMatch, procedure)
}

// GetRegistration describes a registration. The error matches
// [wamp.ErrNoSuchRegistration] if it does not exist.
func (m API) GetRegistration(ctx context.Context, id wamp.ID) (RegistrationInfo, error) {
	return looked(ctx, m, registrationOf, func(i *RegistrationInfo) *wamp.ID { return &i.ID }, wamp.ErrNoSuchRegistration, proto.MetaRegistrationGet, id)
}

// ListCallees returns the sessions that serve a registration.
func (m API) ListCallees(ctx context.Context, registration wamp.ID) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, proto.MetaRegistrationListCallees, registration)
}

// CountCallees returns how many sessions serve a registration.
func (m API) CountCallees(ctx context.Context, registration wamp.ID) (int, error) {
	return asked(ctx, m, countOf, proto.MetaRegistrationCountCallees, registration)
}

// ListSubscriptions returns the subscriptions of the realm.
func (m API) ListSubscriptions(ctx context.Context) (IDs, error) {
	return asked(ctx, m, listsOf, proto.MetaSubscriptionList)
}

// LookupSubscription returns the subscription with exactly this topic or
// pattern and match policy, 0 if there is none.
func (m API) LookupSubscription(ctx context.Context, uri string, match wamp.MatchPolicy) (wamp.ID, error) {
	return m.lookup(ctx, proto.MetaSubscriptionLookup, uri, match)
}

// MatchSubscriptions returns the subscriptions that an event of the topic would
// go to.
func (m API) MatchSubscriptions(ctx context.Context, topic string) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, proto.MetaSubscriptionMatch, topic)
}

// GetSubscription describes a subscription. The error matches
// [wamp.ErrNoSuchSubscription] if it does not exist.
func (m API) GetSubscription(ctx context.Context, id wamp.ID) (SubscriptionInfo, error) {
	return looked(ctx, m, subscriptionOf, func(i *SubscriptionInfo) *wamp.ID { return &i.ID }, wamp.ErrNoSuchSubscription, proto.MetaSubscriptionGet, id)
}

// ListSubscribers returns the sessions that share a subscription.
func (m API) ListSubscribers(ctx context.Context, subscription wamp.ID) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, proto.MetaSubscriptionListSubscribers, subscription)
}

// CountSubscribers returns how many sessions share a subscription.
func (m API) CountSubscribers(ctx context.Context, subscription wamp.ID) (int, error) {
	n, err := asked(ctx, m, countOf, proto.MetaSubscriptionCountSubscribers, subscription)
	if session.Is(err, wamp.ErrNoSuchProcedure) { // as nexus spells it
		n, err = asked(ctx, m, countOf, proto.MetaSubscriptionCountSuscribers, subscription)
	}
	return n, err
}
