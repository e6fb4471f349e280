package wamptest

import (
	"slices"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// broker holds the subscriptions of a realm. Actor only.
type broker struct {
	router   *Router
	byID     map[proto.ID]*subscription
	byTopic  map[pattern]*subscription
	patterns []*subscription // those that are not exact, oldest first
	retained map[string]*publication
	history  history
}

// pattern is what a subscription or registration is for.
type pattern struct {
	match proto.MatchPolicy
	uri   string
}

// subscription is one topic or pattern with those who want its events.
type subscription struct {
	pattern
	id          proto.ID
	created     time.Time
	subscribers []*session            // oldest first
	nodes       map[*session]string   // the node keys of those that gave one
	ids         map[*session]proto.ID // by which those know it to whom it is not id
}

func newBroker(r *Router) *broker {
	return &broker{router: r, byID: map[proto.ID]*subscription{}, byTopic: map[pattern]*subscription{}, retained: map[string]*publication{},
		history: history{limit: r.cfg.history}}
}

func (b *broker) count(s *Stats) {
	s.Subscriptions += len(b.byID)
	for _, sub := range b.byID {
		s.Subscribers += len(sub.subscribers)
	}
}

// patternOf reads the pattern of a SUBSCRIBE or REGISTER. When it is refused,
// the error URI and a message say why.
func patternOf(m *proto.Message, known bool) (p pattern, uri, message string) {
	p = pattern{proto.Exact, m.URI}
	if match := m.Options.Str(proto.KeyMatch); match != "" {
		p.match = proto.MatchPolicy(match)
	}
	if p.match != proto.Exact && !known {
		return p, proto.ErrURIOptionNotAllowed, "this router knows no patterns"
	}
	if err := proto.CheckPattern(p.uri, p.match); err != nil {
		return p, proto.ErrURIInvalidURI, err.Error()
	}
	return p, "", ""
}

// reserved reports whether a URI belongs to the protocol itself.
func reserved(uri string) bool { return uri == "wamp" || strings.HasPrefix(uri, "wamp.") }

func (b *broker) subscribe(s *session, m *proto.Message) {
	r := b.router
	p, uri, message := patternOf(m, r.cfg.brokerHas(proto.PatternBasedSubscription))
	if uri != "" {
		r.fail(s, proto.Subscribe, m.Request, uri, message)
		return
	}
	sub := b.byTopic[p]
	created, added := sub == nil, false
	if sub == nil {
		sub = &subscription{pattern: p, id: r.newID(func(id proto.ID) bool { return b.byID[id] != nil }), created: time.Now()}
		b.byID[sub.id], b.byTopic[p] = sub, sub
		if p.match != proto.Exact {
			b.patterns = append(b.patterns, sub)
		}
	}
	if s.subscriptions[sub.id] == nil {
		if id := shareID(r.cfg.sharing, s, sub, s.subscriptions); id != sub.id {
			if sub.ids == nil {
				sub.ids = map[*session]proto.ID{}
			}
			sub.ids[s] = id
		}
		s.subscriptions[sub.id] = sub
		sub.subscribers = append(sub.subscribers, s)
		added = true
	}
	b.setNode(s, sub, m)
	_ = r.send(s.link, &proto.Message{Type: proto.Subscribed, Request: m.Request, ID: sub.known(s)}, nil)
	b.sendRetained(s, sub, m)
	b.tellSubscribed(s, sub, created, added)
}

func (b *broker) unsubscribe(s *session, m *proto.Message) {
	subs := behind(b.router.cfg.sharing, s, m.ID, s.subscriptions)
	if len(subs) == 0 {
		b.router.fail(s, proto.Unsubscribe, m.Request, proto.ErrURINoSuchSubscription, "the session has no such subscription")
		return
	}
	for _, sub := range subs {
		b.remove(s, sub)
	}
	_ = b.router.send(s.link, &proto.Message{Type: proto.Unsubscribed, Request: m.Request}, nil)
	for _, sub := range subs {
		b.tellUnsubscribed(s, sub)
	}
}

// remove takes a session out of a subscription; with the last one it goes.
func (b *broker) remove(s *session, sub *subscription) {
	delete(s.subscriptions, sub.id)
	delete(sub.nodes, s)
	delete(sub.ids, s)
	sub.subscribers = without(sub.subscribers, s)
	if len(sub.subscribers) > 0 {
		return
	}
	delete(b.byID, sub.id)
	delete(b.byTopic, sub.pattern)
	if sub.match != proto.Exact {
		b.patterns = without(b.patterns, sub)
	}
}

func without[T comparable](list []T, v T) []T {
	if i := slices.Index(list, v); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// leave takes a session out of all its subscriptions, and returns them.
func (b *broker) leave(s *session) []*subscription {
	subs := sorted(s.subscriptions)
	for _, sub := range subs {
		b.remove(s, sub)
	}
	return subs
}

func (b *broker) publish(s *session, m *proto.Message) {
	r := b.router
	acknowledge := m.Options.Bool(proto.KeyAcknowledge)
	refuse := func(uri, message string) {
		if acknowledge {
			r.fail(s, proto.Publish, m.Request, uri, message)
			return
		}
		r.note("publish", "a PUBLISH that asks for no acknowledgement is refused, which nobody is told: %s: %s", uri, message)
	}
	if err := proto.CheckURI(m.URI); err != nil {
		refuse(proto.ErrURIInvalidURI, err.Error())
		return
	}
	if reserved(m.URI) {
		refuse(proto.ErrURIInvalidURI, "the topic is reserved")
		return
	}
	if !r.passes(s, m, proto.Publisher, proto.Broker) {
		return
	}
	if b.discloses(m.Options) && r.cfg.noDisclosure {
		refuse(proto.ErrURIDiscloseMe, "publishers are not disclosed here")
		return
	}
	e := b.publicationOf(s, m.URI, contentOf(s, m), m.Options)
	e.key = b.keyOf(s, m)
	if acknowledge {
		_ = r.send(s.link, &proto.Message{Type: proto.Published, Request: m.Request, Publication: e.id}, nil)
	}
	b.issue(e, m.Options)
}

// discloses reports whether an event says who its publisher is.
func (b *broker) discloses(options proto.Dict) bool {
	return options.Bool(proto.KeyDiscloseMe) && b.router.cfg.brokerHas(proto.PublisherIdentification)
}

// publicationOf is what a session publishes, now or by a testament.
func (b *broker) publicationOf(s *session, topic string, payload *content, options proto.Dict) *publication {
	e := &publication{id: b.router.newID(nil), topic: topic, by: s, payload: payload, to: receiversOf(&b.router.cfg, s, options)}
	e.details = append(b.router.handedOn(options), b.router.passthru(proto.Broker, options)...)
	if b.discloses(options) {
		e.disclosed = append(disclosure(proto.KeyPublisher, s), e.details...)
	}
	return e
}

// issue keeps a publication as far as it is to be kept, and sends it to whom it
// is for.
func (b *broker) issue(e *publication, options proto.Dict) {
	e.trust, e.trusted = b.trust(e.by, e.topic)
	b.retain(e, options)
	b.history.add(e)
	b.distribute(e)
}

// distribute sends a publication to whom it is for. A pattern gets events of
// the protocol itself only if it names them.
func (b *broker) distribute(e *publication) {
	if sub := b.byTopic[pattern{proto.Exact, e.topic}]; sub != nil {
		b.event(sub, e)
	}
	for _, sub := range b.patterns {
		if proto.MatchURI(sub.uri, sub.match, e.topic) && (!reserved(e.topic) || reserved(sub.uri)) {
			b.event(sub, e)
		}
	}
}

// publication is one event on its way to its receivers.
type publication struct {
	id        proto.ID
	topic     string
	by        *session // who published it
	details   proto.Dict
	disclosed proto.Dict // details that say who published it, nil if that is not to be said
	payload   *content
	to        *receivers
	trust     int // of its publisher, where it is trusted
	trusted   bool
	key       string             // of a sharded subscription, "" without one
	at        time.Time          // of those that are kept
	nodes     map[pattern]string // of those that are kept: the node key that had it, where one was picked
	had       map[delivery]bool  // where ids are shared: who has had it
}

// undelivered counts an event that could not be sent.
func (b *broker) undelivered(to *session, err error) {
	if err != nil {
		b.router.counts.dropped++
		b.router.note("undelivered", "an event is not delivered to session %d: %v", to.id, err)
	}
}

// detailsFor are the details of an event for one subscriber.
func (b *broker) detailsFor(sub *subscription, e *publication, to *session) proto.Dict {
	details := e.details
	if e.disclosed != nil {
		if to.has(proto.Subscriber, proto.PublisherIdentification) {
			details = e.disclosed
		}
		b.router.unannounced("a subscriber is not told who the publisher is", proto.PublisherIdentification, to, proto.Subscriber)
	}
	if b.router.namesURI(sub.match, isShared(b.router.cfg.sharing, to, sub, to.subscriptions)) {
		details = details.With(proto.KeyTopic, e.topic)
	}
	if e.trusted && to.has(proto.Subscriber, proto.PublicationTrustlevels) {
		details = details.With(proto.KeyTrustLevel, e.trust)
	}
	return details
}

// event sends a publication to those of a subscription who may have it.
func (b *broker) event(sub *subscription, e *publication) {
	node := sub.node(e)
	if node != "" && b.history.limit > 0 {
		if e.nodes == nil {
			e.nodes = map[pattern]string{}
		}
		e.nodes[sub.pattern] = node
	}
	for _, to := range sub.subscribers {
		if to == e.to.not {
			b.router.note(proto.KeyExcludeMe, "session %d does not get what it has published itself to %s (PUBLISH.exclude_me)", to.id, e.topic)
		}
		if e.to.has(to) && (node == "" || sub.nodes[to] == "" || sub.nodes[to] == node) && e.first(sub, to) {
			m := &proto.Message{Type: proto.Event, ID: sub.known(to), Publication: e.id, Options: b.detailsFor(sub, e, to)}
			b.undelivered(to, b.router.send(to.link, m, e.payload))
		}
	}
}

// first reports whether a session has not had a publication under the id by
// which it knows the subscription.
func (e *publication) first(sub *subscription, to *session) bool {
	if to.realm.broker.router.cfg.sharing&(SameURI|AnyURI) == 0 {
		return true
	}
	at := delivery{to, sub.known(to)}
	if e.had[at] {
		return false
	}
	if e.had == nil {
		e.had = map[delivery]bool{}
	}
	e.had[at] = true
	return true
}

// delivery is a session with an id by which it gets events.
type delivery struct {
	to *session
	id proto.ID
}

// disclosure says in details who a session is.
func disclosure(prefix string, s *session) proto.Dict {
	return proto.Dict{
		{Key: prefix, Value: s.id},
		{Key: prefix + "_authid", Value: s.grant.AuthID},
		{Key: prefix + "_authrole", Value: s.grant.AuthRole},
	}
}

// receivers says who may have an event. Every condition that is there has to
// hold; an eligible list that is empty means nobody.
type receivers struct {
	not                                           *session // the publisher
	exclude, eligible                             []any
	excludeAuthID, excludeRole                    []any
	eligibleAuthID, eligibleRole                  []any
	onlyEligible, onlyAuthIDs, onlyRoles, filters bool
}

func receiversOf(cfg *config, s *session, options proto.Dict) *receivers {
	f := &receivers{not: s}
	if exclude, ok := options.Get(proto.KeyExcludeMe); ok && exclude == false && cfg.brokerHas(proto.PublisherExclusion) {
		f.not = nil
	}
	if !cfg.brokerHas(proto.SubscriberBlackwhiteListing) {
		return f
	}
	list := func(key string) (values []any, ok bool) {
		v, _ := options.Get(key)
		values, ok = v.([]any)
		if values != nil {
			values = slices.Clone(values)
		}
		for i := range values {
			values[i] = whole(values[i])
		}
		if cfg.crossbar && len(values) == 0 {
			ok = false // an empty list is none
		}
		f.filters = f.filters || ok
		return values, ok
	}
	f.exclude, _ = list(proto.KeyExclude)
	f.excludeAuthID, _ = list(proto.KeyExcludeAuthID)
	f.excludeRole, _ = list(proto.KeyExcludeAuthRole)
	f.eligible, f.onlyEligible = list(proto.KeyEligible)
	f.eligibleAuthID, f.onlyAuthIDs = list(proto.KeyEligibleAuthID)
	f.eligibleRole, f.onlyRoles = list(proto.KeyEligibleAuthRole)
	return f
}

func (f *receivers) has(s *session) bool {
	if s == f.not {
		return false
	}
	if !f.filters {
		return true
	}
	id := int64(s.id)
	switch {
	case slices.Contains(f.exclude, any(id)), slices.Contains(f.excludeAuthID, any(s.grant.AuthID)),
		slices.Contains(f.excludeRole, any(s.grant.AuthRole)):
		return false
	case f.onlyEligible && !slices.Contains(f.eligible, any(id)),
		f.onlyAuthIDs && !slices.Contains(f.eligibleAuthID, any(s.grant.AuthID)),
		f.onlyRoles && !slices.Contains(f.eligibleRole, any(s.grant.AuthRole)):
		return false
	}
	return true
}
