package wamptest

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The WAMP specification has only the names of sharded subscriptions; this is our reading of
// them, which docs/sharding.md explains to users.
//
// Subscribers that gave a node key (nkey) share a subscription's events that
// have a resource key (rkey): each goes to all subscribers of exactly one node
// key, picked by rendezvous hashing among those that may have the event. Events
// without a resource key go to all, and who gave no node key gets everything.

// setNode notes the node key of a subscriber. The newest SUBSCRIBE holds.
func (b *broker) setNode(s *session, sub *subscription, m *proto.Message) {
	key := m.Options.Str(proto.KeyNKey)
	if key != "" && b.router.cfg.brokerHas(proto.ShardedSubscription) {
		b.router.unannounced("SUBSCRIBE.nkey is ignored", proto.ShardedSubscription, s, proto.Subscriber)
	}
	if key == "" || !b.router.cfg.brokerHas(proto.ShardedSubscription) || !s.has(proto.Subscriber, proto.ShardedSubscription) {
		delete(sub.nodes, s)
		return
	}
	if sub.nodes == nil {
		sub.nodes = map[*session]string{}
	}
	sub.nodes[s] = key
}

// keyOf is the resource key of a PUBLISH, "" without one.
func (b *broker) keyOf(s *session, m *proto.Message) string {
	if !b.router.cfg.brokerHas(proto.ShardedSubscription) || !s.has(proto.Publisher, proto.ShardedSubscription) {
		if m.Options.Has(proto.KeyRKey) && b.router.cfg.brokerHas(proto.ShardedSubscription) {
			b.router.unannounced("PUBLISH.rkey is ignored", proto.ShardedSubscription, s, proto.Publisher)
		}
		return ""
	}
	return m.Options.Str(proto.KeyRKey)
}

// node returns the node key that a publication is for, "" if it is for all.
func (sub *subscription) node(e *publication) (best string) {
	if e.key == "" || len(sub.nodes) == 0 {
		return ""
	}
	var most uint64
	for s, key := range sub.nodes {
		if !e.to.has(s) {
			continue
		}
		b := binary.BigEndian.AppendUint64(nil, uint64(len(key)))
		sum := sha256.Sum256(append(append(b, key...), e.key...))
		if n := binary.BigEndian.Uint64(sum[:]); best == "" || n > most || n == most && key > best {
			best, most = key, n
		}
	}
	return best
}
