//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// PubSub beyond the basics, as Crossbar has it. Here too one transport is
// enough; the peer uses another serializer, so that the router translates.
var (
	pubsubCell = rpcCell
	peerCell   = cell{"raw", codec.JSON}
)

// next is the next event, which must come.
func next(t *testing.T, sub *wamp.Subscription) wamp.Event {
	t.Helper()
	select {
	case ev, more := <-sub.Events():
		if !more {
			t.Fatalf("%s has ended: %v", sub.Topic(), sub.Err())
		}
		return ev
	case <-time.After(patience):
		t.Fatalf("%s: no event", sub.Topic())
	}
	panic("not reached")
}

func subscribe(t *testing.T, s *wamp.Session, topic string, options ...wamp.SubscribeOption) *wamp.Subscription {
	t.Helper()
	sub, err := s.Subscribe(s.Context(), topic, options...)
	if err != nil {
		t.Fatalf("%s: %v", topic, err)
	}
	return sub
}

func publish(t *testing.T, s *wamp.Session, topic string, payload wamp.Payload, options ...wamp.PublishOption) wamp.ID {
	t.Helper()
	id, err := s.Publish(limit(t), topic, payload, append(options, wamp.Acknowledge())...).Wait()
	if err != nil {
		t.Fatalf("%s: %v", topic, err)
	}
	return id
}

// text is the first argument, a string.
func text(t *testing.T, p wamp.Payload) (s string) {
	t.Helper()
	if err := p.Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func textOf(t *testing.T, m message) string {
	t.Helper()
	if len(m.Args) == 0 {
		t.Fatalf("no argument: %s", show(m))
	}
	v, err := untag(m.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(v)
}

const last = "last" // the event after all others

// listener is a subscriber of either side.
type listener struct {
	name         string
	id           wamp.ID
	authid, role string
	heard        func() []string // what has come up to the last one, each time anew
}

func goListener(t *testing.T, name, topic string, options ...wamp.Option) (listener, *wamp.Session) {
	t.Helper()
	s := pubsubCell.join(t, options...)
	sub := subscribe(t, s, topic)
	return listener{"go " + name, s.ID(), s.Details().AuthID, s.Details().AuthRole, func() (heard []string) {
		for {
			word := text(t, next(t, sub).Payload)
			if word == last {
				return heard
			}
			heard = append(heard, word)
		}
	}}, s
}

func peerListener(t *testing.T, name, role, topic string, req request) (listener, *partner) {
	t.Helper()
	p := newPartner(t, peerCell, name, req)
	p.ask(t, "subscribe", request{"topic": topic})
	return listener{"python " + name, p.id, p.authid, role, func() (heard []string) {
		for {
			for _, ev := range p.events(t, topic, 1) {
				word := textOf(t, ev)
				if word == last {
					return heard
				}
				heard = append(heard, word)
			}
		}
	}}, p
}

// filter is who may have an event; nil lists are absent.
type filter struct {
	name                                                             string
	exclude, eligible                                                []wamp.ID
	excludeAuthID, excludeAuthRole, eligibleAuthID, eligibleAuthRole []string
	me                                                               bool // the publisher too
}

func (f filter) options() (options []wamp.PublishOption) {
	if f.me {
		options = append(options, wamp.ExcludeMe(false))
	}
	for _, o := range []struct {
		given bool
		o     wamp.PublishOption
	}{
		{f.exclude != nil, wamp.Exclude(f.exclude...)}, {f.eligible != nil, wamp.Eligible(f.eligible...)},
		{f.excludeAuthID != nil, wamp.ExcludeAuthID(f.excludeAuthID...)}, {f.excludeAuthRole != nil, wamp.ExcludeAuthRole(f.excludeAuthRole...)},
		{f.eligibleAuthID != nil, wamp.EligibleAuthID(f.eligibleAuthID...)}, {f.eligibleAuthRole != nil, wamp.EligibleAuthRole(f.eligibleAuthRole...)},
	} {
		if o.given {
			options = append(options, o.o)
		}
	}
	return options
}

func (f filter) request(topic string) request {
	o := map[string]any{}
	for key, list := range map[string][]string{"exclude_authid": f.excludeAuthID, "exclude_authrole": f.excludeAuthRole,
		"eligible_authid": f.eligibleAuthID, "eligible_authrole": f.eligibleAuthRole} {
		if list != nil {
			o[key] = list
		}
	}
	for key, list := range map[string][]wamp.ID{"exclude": f.exclude, "eligible": f.eligible} {
		if list != nil {
			o[key] = list
		}
	}
	req := request{"topic": topic, "args": tagAll(f.name), "acknowledge": true, "options": o}
	if f.me {
		req["exclude_me"] = false
	}
	return req
}

// hears is what the text says, but that Crossbar takes an empty eligible for an
// absent one.
func (f filter) hears(l listener, publisher wamp.ID) bool {
	in := func(list []string, s string) bool { return slices.Contains(list, s) }
	return (f.me || l.id != publisher) &&
		!slices.Contains(f.exclude, l.id) && !in(f.excludeAuthID, l.authid) && !in(f.excludeAuthRole, l.role) &&
		(len(f.eligible) == 0 || slices.Contains(f.eligible, l.id)) &&
		(len(f.eligibleAuthID) == 0 || in(f.eligibleAuthID, l.authid)) &&
		(len(f.eligibleAuthRole) == 0 || in(f.eligibleAuthRole, l.role))
}

// Every list, several together, and empty ones: published by either side, with
// subscribers of three roles on either side, the publisher among them.
func TestPublicationFilters(t *testing.T) {
	const topic = "com.public.interop.filters"
	app, limited := []string{"tick-app", "ticket-secret"}, []string{"tick-limited", "ticket-limited-secret"}
	me, s := goListener(t, "publisher", topic)
	gapp, _ := goListener(t, "app", topic, wamp.WithAuth(authn.Ticket(app[0], app[1])))
	glimited, _ := goListener(t, "limited", topic, wamp.WithAuth(authn.Ticket(limited[0], limited[1])))
	they, p := peerListener(t, "publisher", "anonymous", topic, nil)
	papp, _ := peerListener(t, "app", "app", topic, request{"ticket": app})
	plimited, _ := peerListener(t, "limited", "limited", topic, request{"ticket": limited})
	all := []listener{me, gapp, glimited, they, papp, plimited}

	nobody := wamp.ID(1) // no session has it
	filters := []filter{
		{name: "none"}, {name: "me", me: true},
		{name: "exclude", exclude: []wamp.ID{gapp.id, papp.id}}, {name: "exclude nobody", exclude: []wamp.ID{nobody}},
		{name: "exclude nothing", exclude: []wamp.ID{}},
		{name: "eligible", eligible: []wamp.ID{glimited.id, papp.id, they.id, nobody}}, {name: "eligible nobody", eligible: []wamp.ID{nobody}},
		{name: "exclude authid", excludeAuthID: []string{"tick-app"}}, {name: "eligible authid", eligibleAuthID: []string{"tick-limited", they.authid}},
		{name: "exclude role", excludeAuthRole: []string{"limited", "app"}}, {name: "eligible role", eligibleAuthRole: []string{"app", "anonymous"}},
		{name: "me and eligible", me: true, eligible: []wamp.ID{me.id, they.id}},
		{name: "me, but excluded", me: true, exclude: []wamp.ID{me.id, they.id}},
		{name: "eligible and excluded", eligible: []wamp.ID{gapp.id, glimited.id}, exclude: []wamp.ID{gapp.id}},
		{name: "by session and role", eligible: []wamp.ID{gapp.id, plimited.id, me.id}, eligibleAuthRole: []string{"app", "limited"}, excludeAuthRole: []string{"limited"}},
		{name: "by everything", me: true, eligible: []wamp.ID{gapp.id, papp.id, me.id, they.id}, eligibleAuthID: []string{"tick-app", me.authid},
			eligibleAuthRole: []string{"app", "anonymous"}, exclude: []wamp.ID{papp.id}, excludeAuthID: []string{"tick-limited"}, excludeAuthRole: []string{"limited"}},
		{name: "eligible: nobody at all", eligible: []wamp.ID{}, eligibleAuthID: []string{}, eligibleAuthRole: []string{}},
	}
	for publisher, send := range map[wamp.ID]func(filter){
		me.id:   func(f filter) { publish(t, s, topic, wamp.Args(f.name), f.options()...) },
		they.id: func(f filter) { p.ask(t, "publish", f.request(topic)) },
	} {
		want := map[string][]string{}
		for _, f := range filters {
			send(f)
			for _, l := range all {
				if f.hears(l, publisher) {
					want[l.name] = append(want[l.name], f.name)
				}
			}
		}
		send(filter{name: last, me: true})
		for _, l := range all {
			if got := l.heard(); !slices.Equal(got, want[l.name]) {
				t.Errorf("published by %d, %s heard\n%q, want\n%q", publisher, l.name, got, want[l.name])
			}
		}
	}
}

// Crossbar tells who publishes by the publisher's permissions, whatever is
// asked.
func TestPublisherIdentification(t *testing.T) {
	for topic, known := range map[string]map[string]bool{
		"com.open.interop.who":            {"anonymous": true, "app": true},
		pubsubCell.uri("go", "who.topic"): {"anonymous": false, "app": true},
	} {
		for role, known := range known {
			var options []wamp.Option
			var req request
			if role == "app" {
				options, req = []wamp.Option{wamp.WithAuth(authn.Ticket("tick-app", "ticket-secret"))}, request{"ticket": []string{"tick-app", "ticket-secret"}}
			}
			s, p := pubsubCell.join(t, options...), newPartner(t, peerCell, topic+role, req)
			hears := pubsubCell.join(t)
			sub := subscribe(t, hears, topic)
			p.ask(t, "subscribe", request{"topic": topic})
			for _, o := range [][]wamp.PublishOption{nil, {wamp.DiscloseMe()}} {
				publish(t, s, topic, wamp.Args("x"), o...)
				want := wamp.Peer{}
				if known {
					want = wamp.Peer{Session: s.ID(), AuthID: s.Details().AuthID, AuthRole: role}
				}
				if got := next(t, sub).Publisher(); got != want {
					t.Errorf("%s: %s publishes, we see %+v, want %+v", topic, role, got, want)
				}
				ev := p.events(t, topic, 1)[0]
				if got := (wamp.Peer{Session: ev.Publisher, AuthID: ev.PublisherAuthID, AuthRole: ev.PublisherAuthRole}); got != want {
					t.Errorf("%s: %s publishes, the peer sees %+v, want %+v", topic, role, got, want)
				}
			}
			p.ask(t, "publish", request{"topic": topic, "args": tagAll("x"), "acknowledge": true})
			want := wamp.Peer{}
			if known {
				want = wamp.Peer{Session: p.id, AuthID: p.authid, AuthRole: role}
			}
			if got := next(t, sub).Publisher(); got != want {
				t.Errorf("%s: %s of the peer publishes, we see %+v, want %+v", topic, role, got, want)
			}
		}
	}
}

// An event comes once for each subscription that matches, with the topic that
// was published to.
func TestPatternBasedSubscription(t *testing.T) {
	const base = "com.interop.patterns."
	policies := map[wamp.MatchPolicy]string{wamp.Exact: base + "red.leaf", wamp.Prefix: base + "re", wamp.Wildcard: base + ".leaf"}
	topics := map[string][]wamp.MatchPolicy{
		base + "red.leaf":   {wamp.Exact, wamp.Prefix, wamp.Wildcard},
		base + "red.stem":   {wamp.Prefix},
		base + "reddish":    {wamp.Prefix}, // a prefix is of the string, not of components
		base + "blue.leaf":  {wamp.Wildcard},
		base + "red.leaf.x": {wamp.Prefix},
		base + "blue.x.y":   nil,
	}
	s, p := pubsubCell.join(t), newPartner(t, peerCell, "", nil)
	publisher := pubsubCell.join(t)
	subs := map[wamp.MatchPolicy]*wamp.Subscription{}
	for match, topic := range policies {
		subs[match] = subscribe(t, s, topic, wamp.Match(match))
		r := p.ask(t, "subscribe", request{"topic": topic, "match": match, "as": match})
		if wamp.ID(r.Subscribed) != subs[match].ID() {
			t.Errorf("%s: subscription %d here, %d at the peer", match, subs[match].ID(), r.Subscribed)
		}
	}
	want := map[wamp.MatchPolicy][]string{}
	ids := map[string]wamp.ID{}
	for name, send := range map[string]func(topic, word string) wamp.ID{
		"go": func(topic, word string) wamp.ID {
			return publish(t, publisher, topic, wamp.Args(word))
		},
		"python": func(topic, word string) wamp.ID {
			// another session than the one that listens: that would not get it
			q := newPartner(t, peerCell, word, nil)
			return wamp.ID(q.ask(t, "publish", request{"topic": topic, "args": tagAll(word), "acknowledge": true}).IDs[0])
		},
	} {
		for _, topic := range slices.Sorted(maps.Keys(topics)) {
			word := name + " " + topic
			ids[word] = send(topic, word)
			for _, match := range topics[topic] {
				want[match] = append(want[match], word)
			}
		}
	}
	publish(t, publisher, policies[wamp.Exact], wamp.Args(last))
	for match, sub := range subs {
		for _, word := range append(want[match], last) {
			ev := next(t, sub)
			if text(t, ev.Payload) != word {
				t.Fatalf("%s: %q, want %q", match, text(t, ev.Payload), word)
			}
			if word != last && (ev.Publication != ids[word] || "go "+ev.Topic != word && "python "+ev.Topic != word) {
				t.Errorf("%s: %q is publication %d to %s, want %d", match, word, ev.Publication, ev.Topic, ids[word])
			}
		}
		for i, ev := range p.events(t, string(match), len(want[match])+1) {
			if i == len(want[match]) {
				break
			}
			word := want[match][i]
			if textOf(t, ev) != word || ev.Publication != ids[word] || "go "+ev.Topic != word && "python "+ev.Topic != word {
				t.Errorf("%s: the peer got %s, want %q as %d", match, show(ev), word, ids[word])
			}
		}
	}
}

// Several subscriptions of one session to one topic are one at the router.
func TestSharedSubscription(t *testing.T) {
	s, p := pubsubCell.join(t), newPartner(t, peerCell, "", nil)
	topic := pubsubCell.uri("go", "shared.topic")
	gone, err := meta.Of(pubsubCell.join(t)).OnSubscriptionDelete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one, two, three := subscribe(t, s, topic), subscribe(t, s, topic), subscribe(t, s, topic)
	if one.ID() != two.ID() || one.ID() != three.ID() {
		t.Fatalf("subscriptions %d, %d, %d", one.ID(), two.ID(), three.ID())
	}
	if n, err := meta.Of(s).CountSubscribers(limit(t), one.ID()); n != 1 || err != nil {
		t.Errorf("%d subscribers, %v", n, err)
	}
	left := []*wamp.Subscription{one, two, three}
	for len(left) > 0 {
		id := wamp.ID(p.ask(t, "publish", request{"topic": topic, "args": tagAll("x"), "acknowledge": true}).IDs[0])
		for _, sub := range left {
			if ev := next(t, sub); ev.Publication != id {
				t.Errorf("publication %d, want %d", ev.Publication, id)
			}
		}
		if err := left[0].Unsubscribe(limit(t)); err != nil {
			t.Error(err)
		}
		left = left[1:]
		id, err := meta.Of(s).LookupSubscription(limit(t), topic, wamp.Exact)
		if err != nil || (id != 0) != (len(left) > 0) {
			t.Errorf("%d are left, the router has %d, %v", len(left), id, err)
		}
	}
	for {
		select {
		case d := <-gone:
			if d.ID != one.ID() {
				continue
			}
			if d.Session != s.ID() {
				t.Errorf("deleted by %d", d.Session)
			}
		case <-time.After(patience):
			t.Error("the router did not tell that it is gone")
		}
		return
	}
}

// What Crossbar does not have is refused before anything is sent.
func TestPubSubFeaturesThatAreMissing(t *testing.T) {
	ring := testRing(t)
	s := pubsubCell.join(t, wamp.WithPayloadCodec(ring))
	topic := pubsubCell.uri("go", "missing.topic")
	sub := subscribe(t, s, topic)
	before := s.Stats().Sent
	_, nkey := s.Subscribe(limit(t), topic+".sharded", wamp.NodeKey("one"))
	_, rkey := s.Publish(limit(t), topic, wamp.Args(1), wamp.Acknowledge(), wamp.RoutingKey("k")).Wait()
	_, unasked := s.Publish(limit(t), topic, wamp.Args(1), wamp.RoutingKey("k")).Wait()
	_, history := sub.History(limit(t), wamp.HistoryQuery{})
	_, sealed := s.Publish(limit(t), sealedTopic, wamp.Args(1), wamp.Acknowledge()).Wait()
	_, sealedUnasked := s.Publish(limit(t), sealedTopic, wamp.Args(1)).Wait()
	_, sealedCall := s.Call(limit(t), sealedTopic, wamp.Args(1)).Final()
	if sent := s.Stats().Sent - before; sent != 0 {
		t.Errorf("%d messages were sent", sent)
	}
	_, from := s.Subscribe(limit(t), topic, wamp.FromHistory(wamp.HistoryQuery{}))
	for feature, errs := range map[proto.Feature][]error{
		proto.ShardedSubscription: {nkey, rkey, unasked}, proto.EventHistory: {history, from},
		proto.PayloadPassthruMode: {sealed, sealedUnasked, sealedCall},
	} {
		for i, err := range errs {
			var missing *wamp.FeatureError
			if !errors.As(err, &missing) || missing.Feature != feature {
				t.Errorf("%s %d: %v", feature, i, err)
			}
		}
	}
	if id, err := meta.Of(s).LookupSubscription(limit(t), topic+".sharded", wamp.Exact); id != 0 || err != nil {
		t.Errorf("the router has subscription %d, %v", id, err)
	}
	publish(t, pubsubCell.join(t), topic, wamp.Args("x"))
	if ev := next(t, sub); text(t, ev.Payload) != "x" {
		t.Error("another event")
	}
	idle(t, s)
}

// remove_subscriber takes a subscription away, and its subscriber is told.
func TestSubscriptionRevocation(t *testing.T) {
	p := newPartner(t, peerCell, "", nil)
	for name, reason := range map[string]string{"with a reason": "com.example.enough", "without": ""} {
		t.Run(name, func(t *testing.T) {
			s := pubsubCell.join(t)
			topic := pubsubCell.uri("go", "revoked.topic")
			one, two, other := subscribe(t, s, topic), subscribe(t, s, topic), subscribe(t, s, topic+".other")
			publish(t, pubsubCell.join(t), topic, wamp.Args("before"))
			req := request{"uri": "wamp.subscription.remove_subscriber", "args": tagAll(uint64(one.ID()), uint64(s.ID()))}
			if reason != "" {
				req["args"] = tagAll(uint64(one.ID()), uint64(s.ID()), reason)
			}
			if r := p.ask(t, "call", req); r.Failed != nil {
				t.Fatal(show(r.Failed))
			}
			for _, sub := range []*wamp.Subscription{one, two} {
				if text(t, next(t, sub).Payload) != "before" {
					t.Error("what had come was lost")
				}
				select {
				case _, more := <-sub.Events():
					if more {
						t.Error("one more event")
					}
				case <-time.After(patience):
					t.Fatal("it did not end")
				}
				var revoked *wamp.RevokedError
				if err := sub.Err(); !errors.As(err, &revoked) || revoked.Reason != reason || revoked.ID != one.ID() {
					t.Errorf("%v, want %q", err, reason)
				}
			}
			// nothing else has ended, and the topic can be subscribed to again
			again := subscribe(t, s, topic)
			for _, sub := range []*wamp.Subscription{other, again} {
				p.ask(t, "publish", request{"topic": sub.Topic(), "args": tagAll("after"), "acknowledge": true})
				if text(t, next(t, sub).Payload) != "after" {
					t.Error("another event")
				}
			}
		})
	}
}
