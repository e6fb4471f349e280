package wamptest

import (
	"maps"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// retain keeps the newest retained event of each topic. Who may have it was
// said when it was published.
func (b *broker) retain(e *publication, options proto.Dict) {
	if options.Bool(proto.KeyRetain) && b.router.cfg.brokerHas(proto.EventRetention) {
		e.payload = e.payload.keep()
		b.retained[e.topic] = e
	}
}

// sendRetained sends a subscriber that has asked for them the retained events
// of the topics that its subscription matches, behind its SUBSCRIBED.
func (b *broker) sendRetained(s *session, sub *subscription, m *proto.Message) {
	if !m.Options.Bool(proto.KeyGetRetained) || !b.router.cfg.brokerHas(proto.EventRetention) {
		return
	}
	if b.router.cfg.crossbar && sub.match != proto.Exact {
		return
	}
	for _, topic := range slices.Sorted(maps.Keys(b.retained)) {
		e := b.retained[topic]
		if !proto.MatchURI(sub.uri, sub.match, topic) || !e.to.has(s) {
			continue
		}
		details := b.detailsFor(sub, e, s).With(proto.KeyRetained, true)
		m := &proto.Message{Type: proto.Event, ID: sub.known(s), Publication: e.id, Options: details}
		b.undelivered(s, b.router.send(s.link, m, e.payload))
	}
}
