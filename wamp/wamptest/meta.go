package wamptest

import (
	"slices"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// This file is the meta API: the procedures by which clients ask who is there
// and what is registered and subscribed, and the events that tell of changes.
// What has to do with the topics and procedures of the protocol itself is not
// listed and not told.

// emit publishes a meta event, if somebody wants it.
func (b *broker) emit(feature proto.Feature, topic string, args ...any) {
	r := b.router
	if r.quiet || !r.cfg.brokerHas(feature) && !r.cfg.dealerHas(feature) {
		return
	}
	wanted := b.byTopic[pattern{proto.Exact, topic}] != nil
	for _, sub := range b.patterns {
		wanted = wanted || reserved(sub.uri) && proto.MatchURI(sub.uri, sub.match, topic)
	}
	if !wanted {
		return
	}
	if r.cfg.floatIDs {
		args, _ = floats(args).([]any)
	}
	raw, _, err := encode(codec.Args(args...), codec.CBOR)
	if err != nil {
		return
	}
	b.distribute(&publication{id: r.newID(nil), topic: topic, payload: &content{codec: codec.CBOR, args: raw}, to: &receivers{}})
}

func (b *broker) tellJoined(s *session) {
	b.emit(proto.SessionMetaAPI, proto.MetaSessionOnJoin, s.details())
}

func (b *broker) tellLeft(s *session) {
	args := []any{s.id, s.grant.AuthID, s.grant.AuthRole}
	if b.router.cfg.crossbar {
		args = args[:1]
	}
	b.emit(proto.SessionMetaAPI, proto.MetaSessionOnLeave, args...)
}

func (b *broker) tellSubscribed(s *session, sub *subscription, created, added bool) {
	if reserved(sub.uri) {
		return
	}
	if created {
		b.emit(proto.SubscriptionMetaAPI, proto.MetaSubscriptionOnCreate, s.id, sub.info())
	}
	if added {
		b.emit(proto.SubscriptionMetaAPI, proto.MetaSubscriptionOnSubscribe, s.id, sub.id)
	}
}

func (b *broker) tellUnsubscribed(s *session, sub *subscription) {
	if reserved(sub.uri) {
		return
	}
	b.emit(proto.SubscriptionMetaAPI, proto.MetaSubscriptionOnUnsubscribe, s.id, sub.id)
	if len(sub.subscribers) == 0 {
		b.emit(proto.SubscriptionMetaAPI, proto.MetaSubscriptionOnDelete, s.id, sub.id)
	}
}

func (d *dealer) tellRegistered(s *session, reg *registration, created bool) {
	if created {
		s.realm.broker.emit(proto.RegistrationMetaAPI, proto.MetaRegistrationOnCreate, s.id, reg.info())
	}
	s.realm.broker.emit(proto.RegistrationMetaAPI, proto.MetaRegistrationOnRegister, s.id, reg.id)
}

func (d *dealer) tellUnregistered(s *session, reg *registration) {
	s.realm.broker.emit(proto.RegistrationMetaAPI, proto.MetaRegistrationOnUnregister, s.id, reg.id)
	if len(reg.callees) == 0 {
		s.realm.broker.emit(proto.RegistrationMetaAPI, proto.MetaRegistrationOnDelete, s.id, reg.id)
	}
}

// details are those of a session, as on_join and wamp.session.get tell them.
func (s *session) details() map[string]any {
	p := s.link.conn.Protocol()
	return map[string]any{"session": s.id, proto.KeyAuthID: s.grant.AuthID, proto.KeyAuthRole: s.grant.AuthRole, proto.KeyAuthMethod: s.method,
		proto.KeyAuthProvider: s.grant.Provider, proto.KeyTransport: map[string]any{"protocol": p.Name}}
}

func (sub *subscription) info() map[string]any {
	return map[string]any{"id": sub.id, "created": stamp(sub.created), "uri": sub.uri, proto.KeyMatch: string(sub.match)}
}

func (reg *registration) info() map[string]any {
	return map[string]any{"id": reg.id, "created": stamp(reg.created), "uri": reg.uri, proto.KeyMatch: string(reg.match), proto.KeyInvoke: string(reg.invoke)}
}

// metaCall is a call of a meta procedure.
type metaCall struct {
	d    *dealer
	b    *broker
	c    *call
	args []any
	kw   map[string]any
	then func() // done behind the answer
}

func (x *metaCall) arg(i int) any {
	if i >= len(x.args) {
		return nil
	}
	return x.args[i]
}

func (x *metaCall) id(i int) proto.ID { return idOf(x.arg(i)) }

// metaProc answers a meta call: with a result, or with an error URI.
type metaProc struct {
	feature proto.Feature
	run     func(x *metaCall) (result []any, uri string)
}

func metaProcs() map[string]metaProc {
	const ses, reg, sub = proto.SessionMetaAPI, proto.RegistrationMetaAPI, proto.SubscriptionMetaAPI
	procs := map[string]metaProc{
		proto.MetaSessionCount:          {ses, func(x *metaCall) ([]any, string) { return []any{len(x.sessions())}, "" }},
		proto.MetaSessionList:           {ses, func(x *metaCall) ([]any, string) { return []any{idsOf(x.sessions())}, "" }},
		proto.MetaSessionGet:            {ses, getSession},
		proto.MetaSessionKill:           {ses, killSession},
		proto.MetaSessionKillByAuthID:   {ses, killByAuthID},
		proto.MetaSessionKillByAuthRole: {ses, killByAuthRole},
		proto.MetaSessionKillAll:        {ses, killAll},

		proto.MetaRegistrationList:   {reg, listRegistrations},
		proto.MetaRegistrationLookup: {reg, lookupRegistration},
		proto.MetaRegistrationMatch:  {reg, matchRegistration},
		proto.MetaRegistrationGet:    {reg, withRegistration(func(r *registration) any { return r.info() })},
		proto.MetaRegistrationListCallees: {reg, withRegistration(func(r *registration) any {
			ids := []proto.ID{}
			for _, to := range r.callees {
				ids = append(ids, to.session.id)
			}
			return ids
		})},
		proto.MetaRegistrationCountCallees: {reg, withRegistration(func(r *registration) any { return len(r.callees) })},

		proto.MetaSubscriptionList:             {sub, listSubscriptions},
		proto.MetaSubscriptionLookup:           {sub, lookupSubscription},
		proto.MetaSubscriptionMatch:            {sub, matchSubscriptions},
		proto.MetaSubscriptionGet:              {sub, withSubscription(func(s *subscription) any { return s.info() })},
		proto.MetaSubscriptionListSubscribers:  {sub, withSubscription(func(s *subscription) any { return idsOf(s.subscribers) })},
		proto.MetaSubscriptionCountSubscribers: {sub, withSubscription(func(s *subscription) any { return len(s.subscribers) })},
		proto.MetaSubscriptionGetEvents:        {proto.EventHistory, getEvents},

		proto.MetaAddTestament:    {proto.TestamentMetaAPI, addTestament},
		proto.MetaFlushTestaments: {proto.TestamentMetaAPI, flushTestaments},
	}
	return procs
}

// meta answers a call of a meta procedure. It reports whether it was one.
func (d *dealer) meta(c *call, m *proto.Message) bool {
	if !reserved(c.procedure) {
		return false
	}
	r := d.router
	p, ok := metaProcs()[c.procedure]
	if !ok || !r.cfg.brokerHas(p.feature) && !r.cfg.dealerHas(p.feature) && !(r.cfg.crossbar && p.feature == proto.EventHistory) {
		return false
	}
	if r.cfg.crossbar && c.procedure == proto.MetaSessionKillAll {
		return false
	}
	x := &metaCall{d: d, b: c.caller.realm.broker, c: c}
	payload := codec.Received(c.caller.link.codec, m)
	var err error
	if x.args, err = payload.Args(); err == nil {
		x.kw, err = payload.Kwargs()
	}
	if err != nil {
		d.fail(c, proto.ErrURIInvalidArgument, err.Error())
		return true
	}
	result, uri := p.run(x)
	if uri != "" {
		d.fail(c, uri, c.procedure)
		return true
	}
	if x.then != nil {
		defer x.then()
	}
	if d.loses(c) {
		return true
	}
	d.end(c)
	out := &proto.Message{Type: proto.Result, Request: c.request}
	if r.cfg.floatIDs && result != nil {
		result, _ = floats(result).([]any)
	}
	if result != nil {
		if out.Args, err = c.caller.link.codec.AppendList(nil, result); err != nil {
			r.fail(c.caller, proto.Call, c.request, proto.ErrURIInvalidPayload, err.Error())
			return true
		}
	}
	if err := r.send(c.caller.link, out, nil); err != nil {
		r.fail(c.caller, proto.Call, c.request, sendURI(err), err.Error())
	}
	return true
}

func idsOf(sessions []*session) []proto.ID {
	ids := make([]proto.ID, 0, len(sessions))
	for _, s := range sessions {
		ids = append(ids, s.id)
	}
	return ids
}

// sessions are those of the realm, with one of the roles that the first argument
// lists if it lists any.
func (x *metaCall) sessions() (all []*session) {
	roles, filtered := x.arg(0).([]any)
	return x.only(func(s *session) bool { return !filtered || slices.Contains(roles, any(s.grant.AuthRole)) })
}

func (x *metaCall) only(which func(*session) bool) (all []*session) {
	for _, s := range sorted(x.d.router.sessions) {
		if s.realm == x.c.caller.realm && which(s) {
			all = append(all, s)
		}
	}
	return all
}

func getSession(x *metaCall) ([]any, string) {
	s := x.d.router.sessions[x.id(0)]
	if s == nil || s.realm != x.c.caller.realm {
		return nil, proto.ErrURINoSuchSession
	}
	return []any{s.details()}, ""
}

// kill ends sessions behind the answer. Crossbar lets a caller kill itself.
func (x *metaCall) kill(which func(*session) bool) (killed []*session, uri string) {
	reason := proto.CloseURIKilled
	if x.d.router.cfg.crossbar {
		reason = proto.CloseURINormal
	}
	if uri := x.d.router.cfg.killReason; uri != "" {
		reason = uri
	}
	if v, ok := x.kw[proto.KeyReason].(string); ok {
		reason = v
	}
	if proto.CheckURI(reason) != nil {
		return nil, proto.ErrURIInvalidURI
	}
	message, _ := x.kw[proto.KeyMessage].(string)
	killed = x.only(func(s *session) bool { return (s != x.c.caller || x.d.router.cfg.crossbar) && which(s) })
	x.then = func() {
		for _, s := range killed {
			if s.link.session == s {
				x.d.router.goodbyeWith(s, reason, message)
			}
		}
	}
	return killed, ""
}

func killSession(x *metaCall) ([]any, string) {
	killed, uri := x.kill(func(s *session) bool { return s.id == x.id(0) })
	if uri == "" && len(killed) == 0 {
		uri = proto.ErrURINoSuchSession
	}
	return nil, uri
}

func killByAuthID(x *metaCall) ([]any, string) {
	killed, uri := x.kill(func(s *session) bool { return any(s.grant.AuthID) == x.arg(0) })
	return []any{idsOf(killed)}, uri
}

func killByAuthRole(x *metaCall) ([]any, string) {
	killed, uri := x.kill(func(s *session) bool { return any(s.grant.AuthRole) == x.arg(0) })
	if x.d.router.cfg.crossbar {
		return []any{idsOf(killed)}, uri
	}
	return []any{len(killed)}, uri
}

func killAll(x *metaCall) ([]any, string) {
	killed, uri := x.kill(func(*session) bool { return true })
	return []any{len(killed)}, uri
}

// lists are ids by match policy.
func lists() map[string][]proto.ID {
	return map[string][]proto.ID{"exact": {}, "prefix": {}, "wildcard": {}}
}

// patternArg is what a lookup asks for.
func (x *metaCall) patternArg() pattern {
	uri, _ := x.arg(0).(string)
	p := pattern{proto.Exact, uri}
	if o, ok := x.arg(1).(map[string]any); ok {
		if match, ok := o[proto.KeyMatch].(string); ok {
			p.match = proto.MatchPolicy(match)
		}
	}
	return p
}

func listRegistrations(x *metaCall) ([]any, string) {
	l := lists()
	for _, reg := range sorted(x.d.byID) {
		l[string(reg.match)] = append(l[string(reg.match)], reg.id)
	}
	return []any{l}, ""
}

func lookupRegistration(x *metaCall) ([]any, string) {
	if reg := x.d.byPattern[x.patternArg()]; reg != nil {
		return []any{reg.id}, ""
	}
	return []any{nil}, ""
}

func matchRegistration(x *metaCall) ([]any, string) {
	uri, _ := x.arg(0).(string)
	if reg := x.d.match(uri); reg != nil {
		return []any{reg.id}, ""
	}
	return []any{nil}, ""
}

func withRegistration(f func(*registration) any) func(*metaCall) ([]any, string) {
	return func(x *metaCall) ([]any, string) {
		reg := x.d.byID[x.id(0)]
		if reg == nil {
			return nil, proto.ErrURINoSuchRegistration
		}
		return []any{f(reg)}, ""
	}
}

func listSubscriptions(x *metaCall) ([]any, string) {
	l := lists()
	for _, sub := range sorted(x.b.byID) {
		if !reserved(sub.uri) {
			l[string(sub.match)] = append(l[string(sub.match)], sub.id)
		}
	}
	return []any{l}, ""
}

func lookupSubscription(x *metaCall) ([]any, string) {
	if sub := x.b.byTopic[x.patternArg()]; sub != nil && !reserved(sub.uri) {
		return []any{sub.id}, ""
	}
	return []any{nil}, ""
}

func matchSubscriptions(x *metaCall) ([]any, string) {
	uri, _ := x.arg(0).(string)
	var ids []proto.ID
	for _, sub := range sorted(x.b.byID) {
		if !reserved(sub.uri) && proto.MatchURI(sub.uri, sub.match, uri) {
			ids = append(ids, sub.id)
		}
	}
	if ids == nil {
		return []any{nil}, ""
	}
	return []any{ids}, ""
}

func withSubscription(f func(*subscription) any) func(*metaCall) ([]any, string) {
	return func(x *metaCall) ([]any, string) {
		sub := x.b.byID[x.id(0)]
		switch {
		case sub == nil || reserved(sub.uri) && !x.d.router.cfg.crossbar:
			return nil, proto.ErrURINoSuchSubscription
		case reserved(sub.uri):
			return nil, proto.ErrURINotAuthorized
		}
		return []any{f(sub)}, ""
	}
}
