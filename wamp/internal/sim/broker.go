package sim

import (
	"maps"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The broker of the router of the step simulation.

// kept is a retained event.
type kept struct {
	a    Action
	link int // of its publisher, 0 if that is a peer
}

func (r *Router) publish(p *peer, m *proto.Message) {
	a, _, ok := FromValues(ParseJSON(m.Args))
	name := TopicOf(m.URI, nil)
	if !ok || name < 0 {
		r.m.Broken(Protocol, "a publish to %s with payload %s", m.URI, m.Args)
		return
	}
	a.Name, a.How = name, ""
	if m.Options.Bool(proto.KeyRetain) {
		a.How = Retain
	}
	own, others := Receivers(m.Options)
	r.m.JudgeReceivers(a.Op, own, others)
	switch {
	case own:
		a.To = "self"
	case m.Options.Has(proto.KeyExcludeMe):
		a.To = "others"
	}
	run := r.m.Executed(a.Op, p.link)
	if m.Options.Bool(proto.KeyAcknowledge) {
		r.ack(p, a.Op, &proto.Message{Type: proto.Published, Request: m.Request, Publication: proto.ID(run)})
	}
	r.distribute(a, p.link)
}

// Event publishes an event of a peer.
func (r *Router) Event(a Action) { r.distribute(a, 0) }

// distribute sends an event to the session, unless it is its own.
func (r *Router) distribute(a Action, from int) {
	if a.How == Retain {
		r.store[a.Name] = kept{a, from}
		r.m.Retains(a.Op)
	}
	for _, link := range slices.Sorted(maps.Keys(r.links)) { // of those at most one is alive, and only that is told about
		p := r.links[link]
		if r.dead(link) || link == from && !a.ForSelf() {
			continue
		}
		var sent []proto.ID
		for _, name := range slices.Sorted(maps.Keys(p.subs)) {
			if !Matches(name, a.Name) {
				continue
			}
			r.m.EventSent(a.Op, link, name)
			if id := p.subs[name]; !slices.Contains(sent, id) {
				sent = append(sent, id)
				r.event(p, name, a, nil)
			}
		}
	}
}

func (r *Router) event(p *peer, name int, a Action, details proto.Dict) {
	if TopicMatch(name) != proto.Exact || r.OneID {
		details = details.With(proto.KeyTopic, TopicURI(a.Name))
	}
	m := &proto.Message{Type: proto.Event, ID: p.subs[name], Publication: r.id(), Options: details,
		Args: AppendJSON(nil, Tag{a.Op, p.link, 0}.Numbers())}
	r.oddly(OddEvent, m)
	r.send(p.link, m)
}

// dead reports whether a newer link has taken the place of this one.
func (r *Router) dead(link int) bool {
	for other := range r.links {
		if other > link {
			return true
		}
	}
	return false
}

func (r *Router) subscribe(p *peer, m *proto.Message) {
	n := TopicOf(m.URI, m.Options)
	if n < 0 {
		r.m.Broken(Protocol, "SUBSCRIBE to %s with options %v", m.URI, m.Options)
		return
	}
	same := n
	if r.OneID {
		same = SameTopic(n)
	}
	if r.topics[same] == 0 {
		r.topics[same] = r.id()
		r.names[r.topics[same]] = n
	}
	p.subs[n] = r.topics[same]
	sent := r.ack(p, r.m.MutedTopic(n, r.muted), &proto.Message{Type: proto.Subscribed, Request: m.Request, ID: p.subs[n]})
	if !sent || !m.Options.Bool(proto.KeyGetRetained) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.store)) {
		if k := r.store[name]; Matches(n, name) && (k.a.ForSelf() || k.a.To == "" && k.link != p.link) {
			r.m.RetainedSent(k.a.Op, p.link, n)
			r.event(p, n, k.a, proto.Dict{{Key: proto.KeyRetained, Value: true}})
		}
	}
}

// left is when the session has no subscription any more. That to an even one
// lives on, because a peer has it: the next SUBSCRIBE gets the same id.
func (r *Router) left(p *peer, n int) {
	id := p.subs[n]
	maps.DeleteFunc(p.subs, func(_ int, other proto.ID) bool { return other == id })
	if n%2 == 1 {
		maps.DeleteFunc(r.topics, func(_ int, other proto.ID) bool { return other == id })
	}
}

func (r *Router) unsubscribe(p *peer, m *proto.Message) {
	for n, id := range p.subs {
		if id == m.ID {
			r.left(p, n)
			r.ack(p, r.m.MutedTopic(n, r.muted), &proto.Message{Type: proto.Unsubscribed, Request: m.Request})
			return
		}
	}
	if p.revoked[m.ID] || p.late {
		r.ack(p, 0, &proto.Message{Type: proto.Error, RequestType: proto.Unsubscribe, Request: m.Request,
			URI: proto.ErrURINoSuchSubscription})
		return
	}
	r.m.Broken(Protocol, "UNSUBSCRIBE of %d, which it does not have", m.ID)
}

// TopicsOf are the topics and patterns of a subscription.
func (r *Router) TopicsOf(id proto.ID) (names []int) {
	n := r.names[id]
	for other := range uris {
		if other == n || r.OneID && uris[other].uri == uris[n].uri {
			names = append(names, other)
		}
	}
	return names
}

// Take takes a subscription away.
func (r *Router) Take(link, name int) {
	p := r.links[link]
	if p == nil || p.subs[name] == 0 {
		return
	}
	id := p.subs[name]
	r.left(p, name)
	p.revoked[id] = true
	r.send(link, &proto.Message{Type: proto.Unsubscribed, Options: proto.Dict{{Key: proto.KeySubscription, Value: uint64(id)},
		{Key: proto.KeyReason, Value: RevokeReason}}})
}
