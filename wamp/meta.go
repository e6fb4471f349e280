package wamp

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// Meta is the meta API of a router: who is there, what is registered and
// subscribed, and streams of what changes. It is typed, and understands what
// Crossbar and nexus do otherwise than the text: fields that are absent are
// zero, results of another shape are read as what they mean.
//
// A router that lacks a procedure answers ErrNoSuchProcedure, one that does not
// let this session use it ErrNotAuthorized.
type Meta struct {
	s       *Session
	patient bool // its calls wait for a connection whatever FailFast says
}

// Meta returns the meta API of the session's router.
func (s *Session) Meta() Meta { return Meta{s: s} }

// SessionInfo says who a session is. Routers leave fields out: of a session
// that has left, Crossbar tells the id only.
type SessionInfo struct {
	// Session is the session's id.
	Session ID
	// AuthID, AuthRole, AuthMethod and AuthProvider are those of its login.
	AuthID, AuthRole, AuthMethod, AuthProvider string
	// Details is all that the router said. It may be nil.
	Details map[string]any
}

// RegistrationInfo says what a registration is.
type RegistrationInfo struct {
	ID     ID
	URI    string
	Match  MatchPolicy
	Invoke InvokePolicy
	// Created is zero where the router does not say.
	Created time.Time
	// By is the session that made it, where an event told of it.
	By ID
	// Details is all that the router said.
	Details map[string]any
}

// SubscriptionInfo says what a subscription of the router is.
type SubscriptionInfo struct {
	ID    ID
	URI   string
	Match MatchPolicy
	// Created is zero where the router does not say.
	Created time.Time
	// By is the session that made it, where an event told of it.
	By ID
	// Details is all that the router said.
	Details map[string]any
}

// IDs are registrations or subscriptions by how they match.
type IDs struct{ Exact, Prefix, Wildcard []ID }

// All are the ids of all of them.
func (l IDs) All() []ID {
	return append(append(append([]ID{}, l.Exact...), l.Prefix...), l.Wildcard...)
}

// Killed says whom a kill has met. IDs is nil where the router only counts.
type Killed struct {
	Count int
	IDs   []ID
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

// call calls a meta procedure. Asking twice does no harm.
func (m Meta) call(ctx context.Context, procedure string, payload Payload, options ...CallOption) ([]any, error) {
	if m.patient {
		options = append(options, patientCall{})
	}
	r, err := m.s.Call(ctx, procedure, payload, options...).Final()
	if err != nil {
		return nil, err
	}
	return r.Args()
}

func (m Meta) ask(ctx context.Context, procedure string, args ...any) (any, error) {
	list, err := m.call(ctx, procedure, Args(args...), Idempotent())
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// asked calls a meta procedure and reads its answer. One that makes no sense is
// an error: that there is nobody, or no such thing, would be a lie.
func asked[T any](ctx context.Context, m Meta, read func(any) (T, bool), procedure string, args ...any) (T, error) {
	v, err := m.ask(ctx, procedure, args...)
	if err == nil {
		return understood(read, procedure, v)
	}
	var none T
	return none, err
}

// looked asks for one thing by its id, which routers may leave out of the answer.
func looked[T any](ctx context.Context, m Meta, read func(any) (T, bool), own func(*T) *ID, none error, procedure string, id ID) (T, error) {
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
func (m Meta) CountSessions(ctx context.Context, roles ...string) (int, error) {
	return asked(ctx, m, countOf, "wamp.session.count", rolesArg(roles)...)
}

// ListSessions returns the sessions of the realm, or those of these roles.
func (m Meta) ListSessions(ctx context.Context, roles ...string) ([]ID, error) {
	return asked(ctx, m, idsOf, "wamp.session.list", rolesArg(roles)...)
}

// GetSession says who a session is. The error matches ErrNoSuchSession if there
// is none.
func (m Meta) GetSession(ctx context.Context, id ID) (SessionInfo, error) {
	return looked(ctx, m, sessionOf, func(i *SessionInfo) *ID { return &i.Session }, ErrNoSuchSession, "wamp.session.get", id)
}

// killing is the payload of a kill.
func killing(who []any, options []KillOption) Payload {
	kw := map[string]any{}
	for _, o := range options {
		o.applyKill(kw)
	}
	return Args(who...).WithKwargs(kw)
}

func (m Meta) kill(ctx context.Context, procedure string, who []any, options []KillOption) (Killed, error) {
	list, err := m.call(ctx, procedure, killing(who, options))
	if err != nil || len(list) == 0 {
		return Killed{}, err
	}
	return understood(killedOf, procedure, list[0])
}

// KillSession ends a session. By the text a session cannot kill itself
// (ErrNoSuchSession); Crossbar lets it.
func (m Meta) KillSession(ctx context.Context, id ID, options ...KillOption) error {
	_, err := m.call(ctx, "wamp.session.kill", killing([]any{id}, options))
	return err
}

// KillByAuthID ends the sessions of an authid, but for the caller's own.
func (m Meta) KillByAuthID(ctx context.Context, authid string, options ...KillOption) (Killed, error) {
	return m.kill(ctx, "wamp.session.kill_by_authid", []any{authid}, options)
}

// KillByAuthRole ends the sessions of a role, but for the caller's own.
func (m Meta) KillByAuthRole(ctx context.Context, role string, options ...KillOption) (Killed, error) {
	return m.kill(ctx, "wamp.session.kill_by_authrole", []any{role}, options)
}

// KillAll ends every session of the realm but the caller's own. Crossbar does
// not have it.
func (m Meta) KillAll(ctx context.Context, options ...KillOption) (Killed, error) {
	return m.kill(ctx, "wamp.session.kill_all", nil, options)
}

// ListRegistrations returns the registrations of the realm.
func (m Meta) ListRegistrations(ctx context.Context) (IDs, error) {
	return asked(ctx, m, listsOf, "wamp.registration.list")
}

// LookupRegistration returns the registration of this very procedure or
// pattern, 0 if there is none.
func (m Meta) LookupRegistration(ctx context.Context, uri string, match MatchPolicy) (ID, error) {
	return m.lookup(ctx, "wamp.registration.lookup", uri, match)
}

func (m Meta) lookup(ctx context.Context, procedure, uri string, match MatchPolicy) (ID, error) {
	args := []any{uri}
	if match != Exact && match != "" {
		args = append(args, map[string]any{"match": string(match)})
	}
	return asked(ctx, m, firstID, procedure, args...)
}

// MatchRegistration returns the registration that a call of the procedure would
// go to, 0 if there is none.
func (m Meta) MatchRegistration(ctx context.Context, procedure string) (ID, error) {
	return asked(ctx, m, firstID, "wamp.registration.match", procedure)
}

// GetRegistration says what a registration is. The error matches
// ErrNoSuchRegistration if there is none.
func (m Meta) GetRegistration(ctx context.Context, id ID) (RegistrationInfo, error) {
	return looked(ctx, m, registrationOf, func(i *RegistrationInfo) *ID { return &i.ID }, ErrNoSuchRegistration, "wamp.registration.get", id)
}

// ListCallees returns the sessions that serve a registration.
func (m Meta) ListCallees(ctx context.Context, registration ID) ([]ID, error) {
	return asked(ctx, m, idsOf, "wamp.registration.list_callees", registration)
}

// CountCallees is how many sessions serve a registration.
func (m Meta) CountCallees(ctx context.Context, registration ID) (int, error) {
	return asked(ctx, m, countOf, "wamp.registration.count_callees", registration)
}

// ListSubscriptions returns the subscriptions of the realm.
func (m Meta) ListSubscriptions(ctx context.Context) (IDs, error) {
	return asked(ctx, m, listsOf, "wamp.subscription.list")
}

// LookupSubscription returns the subscription of this very topic or pattern, 0
// if there is none.
func (m Meta) LookupSubscription(ctx context.Context, uri string, match MatchPolicy) (ID, error) {
	return m.lookup(ctx, "wamp.subscription.lookup", uri, match)
}

// MatchSubscriptions returns the subscriptions that get what is published to
// the topic.
func (m Meta) MatchSubscriptions(ctx context.Context, topic string) ([]ID, error) {
	return asked(ctx, m, idsOf, "wamp.subscription.match", topic)
}

// GetSubscription says what a subscription is. The error matches
// ErrNoSuchSubscription if there is none.
func (m Meta) GetSubscription(ctx context.Context, id ID) (SubscriptionInfo, error) {
	return looked(ctx, m, subscriptionOf, func(i *SubscriptionInfo) *ID { return &i.ID }, ErrNoSuchSubscription, "wamp.subscription.get", id)
}

// ListSubscribers returns the sessions that have a subscription.
func (m Meta) ListSubscribers(ctx context.Context, subscription ID) ([]ID, error) {
	return asked(ctx, m, idsOf, "wamp.subscription.list_subscribers", subscription)
}

// CountSubscribers is how many sessions have a subscription.
func (m Meta) CountSubscribers(ctx context.Context, subscription ID) (int, error) {
	n, err := asked(ctx, m, countOf, "wamp.subscription.count_subscribers", subscription)
	if session.Is(err, ErrNoSuchProcedure) { // as nexus spells it
		n, err = asked(ctx, m, countOf, "wamp.subscription.count_suscribers", subscription)
	}
	return n, err
}

// What follows reads what routers answer, whatever its shape.

func idOf(v any) ID { return Dict{{Key: "", Value: v}}.ID("") }

// idsOf reads a list of ids, one id, null, or the 0 that nexus has for none.
func idsOf(v any) (ids []ID, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case []any:
		ids = make([]ID, 0, len(v))
		for _, e := range v {
			id := idOf(e)
			if id == 0 {
				return nil, false
			}
			ids = append(ids, id)
		}
		return ids, true
	}
	if n, ok := countOf(v); ok && n == 0 {
		return nil, true
	}
	id := idOf(v)
	return []ID{id}, id != 0
}

// firstID reads an id, null, or a list of them.
func firstID(v any) (ID, bool) {
	ids, ok := idsOf(v)
	if !ok || len(ids) == 0 {
		return 0, ok
	}
	return ids[0], true
}

// countOf reads a number, or counts a list. Null is none.
func countOf(v any) (int, bool) {
	switch v := v.(type) {
	case nil:
		return 0, true
	case []any:
		return len(v), true
	}
	n, ok := Dict{{Key: "", Value: v}}.Int("")
	return int(n), ok && n >= 0
}

// killedOf reads a number, or the ids of who was killed.
func killedOf(v any) (Killed, bool) {
	if _, list := v.([]any); list {
		ids, ok := idsOf(v)
		return Killed{Count: len(ids), IDs: ids}, ok
	}
	n, ok := countOf(v)
	return Killed{Count: n}, ok
}

// listsOf reads lists by match policy, or one list.
func listsOf(v any) (l IDs, ok bool) {
	m, ok := v.(map[string]any)
	if !ok {
		l.Exact, ok = idsOf(v)
		return l, ok
	}
	for key, list := range map[string]*[]ID{"exact": &l.Exact, "prefix": &l.Prefix, "wildcard": &l.Wildcard} {
		if *list, ok = idsOf(m[key]); !ok {
			return IDs{}, false
		}
	}
	return l, true
}

// info reads the fields of a dict; what is absent or of another type is zero.
type info map[string]any

func (m info) str(key string) string { s, _ := m[key].(string); return s }

func (m info) time(key string) time.Time {
	t, _ := parseTime(m[key])
	return t
}

func sessionOf(v any) (SessionInfo, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return SessionInfo{}, false
	}
	i := info(m)
	return SessionInfo{Session: idOf(m["session"]), AuthID: i.str("authid"), AuthRole: i.str("authrole"),
		AuthMethod: i.str("authmethod"), AuthProvider: i.str("authprovider"), Details: m}, true
}

func registrationOf(v any) (RegistrationInfo, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return RegistrationInfo{}, false
	}
	i := info(m)
	r := RegistrationInfo{ID: idOf(m["id"]), URI: i.str("uri"), Match: MatchPolicy(i.str("match")), Invoke: InvokePolicy(i.str("invoke")),
		Created: i.time("created"), Details: m}
	if r.Match == "" {
		r.Match = Exact
	}
	if r.Invoke == "" {
		r.Invoke = Single
	}
	return r, true
}

func subscriptionOf(v any) (SubscriptionInfo, bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return SubscriptionInfo{}, false
	}
	i := info(m)
	s := SubscriptionInfo{ID: idOf(m["id"]), URI: i.str("uri"), Match: MatchPolicy(i.str("match")), Created: i.time("created"), Details: m}
	if s.Match == "" {
		s.Match = Exact
	}
	return s, true
}

// parseTime reads a moment: RFC 3339 with or without a zone, or seconds since
// 1970.
func parseTime(v any) (time.Time, bool) {
	switch t := v.(type) {
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
			if at, err := time.Parse(layout, t); err == nil {
				return at.UTC(), true
			}
		}
	case int64:
		if t > 1e15 { // nanoseconds
			return time.Unix(0, t).UTC(), true
		}
		return time.Unix(t, 0).UTC(), true
	case float64:
		return time.UnixMicro(int64(t * 1e6)).UTC(), true
	}
	return time.Time{}, false
}
