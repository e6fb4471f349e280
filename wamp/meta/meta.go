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

// API is the meta API of the router of a session.
//
// A router that lacks a procedure answers [wamp.ErrNoSuchProcedure], one that does
// not let this session use it [wamp.ErrNotAuthorized]. Answers of another shape are
// read as what they mean, and fields that are absent are zero; an answer that makes
// no sense is an error. ctx bounds each call.
type API struct {
	eng     *session.Session
	s       *wamp.Session
	patient bool // its calls wait for a connection whatever FailFast says
}

// Of returns the meta API of the router of a session.
func Of(s *wamp.Session) API { return API{eng: s.Engine(), s: s} }

// SessionInfo says who a session is. Routers leave fields out: of a session
// that has left, Crossbar tells the id only.
type SessionInfo struct {
	// Session is the session's id.
	Session wamp.ID
	// AuthID, AuthRole, AuthMethod and AuthProvider are those of its login.
	AuthID, AuthRole, AuthMethod, AuthProvider string
	// Details is all that the router said. It may be nil.
	Details map[string]any
}

// RegistrationInfo says what a registration is.
type RegistrationInfo struct {
	ID     wamp.ID
	URI    string
	Match  wamp.MatchPolicy
	Invoke wamp.InvokePolicy
	// Created is zero where the router does not say.
	Created time.Time
	// By is the session that made it, where an event told of it.
	By wamp.ID
	// Details is all that the router said.
	Details map[string]any
}

// SubscriptionInfo says what a subscription of the router is.
type SubscriptionInfo struct {
	ID    wamp.ID
	URI   string
	Match wamp.MatchPolicy
	// Created is zero where the router does not say.
	Created time.Time
	// By is the session that made it, where an event told of it.
	By wamp.ID
	// Details is all that the router said.
	Details map[string]any
}

// IDs are registrations or subscriptions by how they match.
type IDs struct{ Exact, Prefix, Wildcard []wamp.ID }

// All are the ids of all of them.
func (l IDs) All() []wamp.ID {
	return append(append(append([]wamp.ID{}, l.Exact...), l.Prefix...), l.Wildcard...)
}

// Killed says whom a kill has met. IDs is nil where the router only counts.
type Killed struct {
	Count int
	IDs   []wamp.ID
}

// KillOption changes a kill.
type KillOption interface{ applyKill(map[string]any) }

type killOption struct{ key, value string }

func (o killOption) applyKill(kw map[string]any) { kw[o.key] = o.value }

// KillReason is the reason by which killed sessions are told goodbye, a URI.
// Default: the router's, wamp.close.killed by the text.
func KillReason(uri string) KillOption { return killOption{"reason", uri} }

// KillMessage is a text for the killed sessions.
func KillMessage(text string) KillOption { return killOption{"message", text} }

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
	sink := answer{m.eng.Codec(), make(chan outcome, 1)}
	call := &session.Call{Ctx: ctx, Bounded: bounded, URI: procedure, Sink: sink, Idempotent: twice, Patient: m.patient}
	buf, n, err := payload.Encode(sink.c, call.Scratch[:0])
	if err != nil {
		return nil, err
	}
	if n > 0 {
		call.Args = buf[:n:n]
	}
	if n < len(buf) {
		call.Kwargs = buf[n:]
	}
	if err := m.eng.Call(call); err != nil {
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
		return t, fmt.Errorf("wamp: %s: the answer makes no sense: %T", procedure, v)
	}
	return t, nil
}

func rolesArg(roles []string) []any {
	if len(roles) == 0 {
		return nil
	}
	return []any{roles}
}

// CountSessions is how many sessions the realm has, or how many of these roles.
func (m API) CountSessions(ctx context.Context, roles ...string) (int, error) {
	return asked(ctx, m, countOf, "wamp.session.count", rolesArg(roles)...)
}

// ListSessions returns the sessions of the realm, or those of these roles.
func (m API) ListSessions(ctx context.Context, roles ...string) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, "wamp.session.list", rolesArg(roles)...)
}

// GetSession says who a session is. The error matches ErrNoSuchSession if there
// is none.
func (m API) GetSession(ctx context.Context, id wamp.ID) (SessionInfo, error) {
	return looked(ctx, m, sessionOf, func(i *SessionInfo) *wamp.ID { return &i.Session }, wamp.ErrNoSuchSession, "wamp.session.get", id)
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

// KillSession ends a session. By the text a session cannot kill itself
// (ErrNoSuchSession); Crossbar lets it.
func (m API) KillSession(ctx context.Context, id wamp.ID, options ...KillOption) error {
	_, err := m.call(ctx, "wamp.session.kill", killing([]any{id}, options), false)
	return err
}

// KillByAuthID ends the sessions of an authid, but for the caller's own.
func (m API) KillByAuthID(ctx context.Context, authid string, options ...KillOption) (Killed, error) {
	return m.kill(ctx, "wamp.session.kill_by_authid", []any{authid}, options)
}

// KillByAuthRole ends the sessions of a role, but for the caller's own.
func (m API) KillByAuthRole(ctx context.Context, role string, options ...KillOption) (Killed, error) {
	return m.kill(ctx, "wamp.session.kill_by_authrole", []any{role}, options)
}

// KillAll ends every session of the realm but the caller's own. Crossbar does
// not have it.
func (m API) KillAll(ctx context.Context, options ...KillOption) (Killed, error) {
	return m.kill(ctx, "wamp.session.kill_all", nil, options)
}

// ListRegistrations returns the registrations of the realm.
func (m API) ListRegistrations(ctx context.Context) (IDs, error) {
	return asked(ctx, m, listsOf, "wamp.registration.list")
}

// LookupRegistration returns the registration of this very procedure or
// pattern, 0 if there is none.
func (m API) LookupRegistration(ctx context.Context, uri string, match wamp.MatchPolicy) (wamp.ID, error) {
	return m.lookup(ctx, "wamp.registration.lookup", uri, match)
}

func (m API) lookup(ctx context.Context, procedure, uri string, match wamp.MatchPolicy) (wamp.ID, error) {
	args := []any{uri}
	if match != wamp.Exact && match != "" {
		args = append(args, map[string]any{"match": string(match)})
	}
	return asked(ctx, m, firstID, procedure, args...)
}

// MatchRegistration returns the registration that a call of the procedure would
// go to, 0 if there is none.
func (m API) MatchRegistration(ctx context.Context, procedure string) (wamp.ID, error) {
	return asked(ctx, m, firstID, "wamp.registration.match", procedure)
}

// GetRegistration says what a registration is. The error matches
// ErrNoSuchRegistration if there is none.
func (m API) GetRegistration(ctx context.Context, id wamp.ID) (RegistrationInfo, error) {
	return looked(ctx, m, registrationOf, func(i *RegistrationInfo) *wamp.ID { return &i.ID }, wamp.ErrNoSuchRegistration, "wamp.registration.get", id)
}

// ListCallees returns the sessions that serve a registration.
func (m API) ListCallees(ctx context.Context, registration wamp.ID) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, "wamp.registration.list_callees", registration)
}

// CountCallees is how many sessions serve a registration.
func (m API) CountCallees(ctx context.Context, registration wamp.ID) (int, error) {
	return asked(ctx, m, countOf, "wamp.registration.count_callees", registration)
}

// ListSubscriptions returns the subscriptions of the realm.
func (m API) ListSubscriptions(ctx context.Context) (IDs, error) {
	return asked(ctx, m, listsOf, "wamp.subscription.list")
}

// LookupSubscription returns the subscription of this very topic or pattern, 0
// if there is none.
func (m API) LookupSubscription(ctx context.Context, uri string, match wamp.MatchPolicy) (wamp.ID, error) {
	return m.lookup(ctx, "wamp.subscription.lookup", uri, match)
}

// MatchSubscriptions returns the subscriptions that get what is published to
// the topic.
func (m API) MatchSubscriptions(ctx context.Context, topic string) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, "wamp.subscription.match", topic)
}

// GetSubscription says what a subscription is. The error matches
// ErrNoSuchSubscription if there is none.
func (m API) GetSubscription(ctx context.Context, id wamp.ID) (SubscriptionInfo, error) {
	return looked(ctx, m, subscriptionOf, func(i *SubscriptionInfo) *wamp.ID { return &i.ID }, wamp.ErrNoSuchSubscription, "wamp.subscription.get", id)
}

// ListSubscribers returns the sessions that have a subscription.
func (m API) ListSubscribers(ctx context.Context, subscription wamp.ID) ([]wamp.ID, error) {
	return asked(ctx, m, idsOf, "wamp.subscription.list_subscribers", subscription)
}

// CountSubscribers is how many sessions have a subscription.
func (m API) CountSubscribers(ctx context.Context, subscription wamp.ID) (int, error) {
	n, err := asked(ctx, m, countOf, "wamp.subscription.count_subscribers", subscription)
	if session.Is(err, wamp.ErrNoSuchProcedure) { // as nexus spells it
		n, err = asked(ctx, m, countOf, "wamp.subscription.count_suscribers", subscription)
	}
	return n, err
}
