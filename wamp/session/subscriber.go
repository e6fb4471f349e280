package session

import (
	"context"
	"errors"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Subscription is the engine's part of one subscription of a user. Several
// that name the same topic in the same way share one at the router.
type Subscription struct {
	Handle
	// Retained asks for the retained event.
	Retained bool
	// Sink takes the events.
	Sink Sink
	// Consumer runs a user's code for each of them; nil: the user reads them.
	Consumer Consumer

	// Actor only, from here on.
	topic *topic
	at    *node[*Subscription] // its place among the topic's handles
	fresh bool                 // it has had no retained events yet
	gap   bool                 // a link was lost since its last event
	calls []*Call              // that wait in life.behind for it, and some that have left

	failed eventErrors // what the handlers of the Consumer have returned
}

func (s *Subscription) kind() *handleKind                     { return &subscriptionKind }
func (s *Subscription) apply(c *core)                         { c.applyHandle(s) }
func (s *Subscription) resume(c *core)                        { c.resumeHandle(s) }
func (s *Subscription) refuse(err error)                      { s.refused(err, s.tell) }
func (s *Subscription) ctxEnded(c *core, ctx context.Context) { c.handleCtxEnded(ctx, s) }

func (s *Subscription) drains() bool { return s.Consumer != nil }

func (s *Subscription) routerID() proto.ID {
	if s.topic == nil {
		return 0
	}
	return s.topic.id
}

func (s *Subscription) tell(e End) {
	sink := s.Sink
	s.Sink = nil
	sink.End(e)
}

func (s *Subscription) start(c *core) {
	if !c.admit(s) {
		return
	}
	key := topicKey{s.URI, s.Match}
	t := c.topics[key]
	if t != nil && !sameDict(t.options, s.Options) {
		s.refuse(errors.New("the session has subscribed to it already, with other options"))
		return
	}
	if t == nil {
		t = &topic{key: key, options: s.Options}
		c.topics[key] = t
	}
	s.topic = t
	s.at = t.handles.push(s)
	c.order++
	c.subscriptions.add(s, c.order)
	c.watch(s.Ctx, &s.watch, s)
	if t.asked == 0 && t.id == 0 || s.Retained {
		c.move(s, handleAsked)
		s.fresh = s.Retained
		c.subscribe(t, s, s.Retained, false)
		return
	}
	if t.id != 0 {
		s.acknowledged(c, t.id)
		return
	}
	t.share(c, s)
}

// acknowledged says that the router has subscribed a handle.
func (s *Subscription) acknowledged(c *core, id proto.ID) {
	back := s.phase == handleAway
	c.up(s, id)
	verdict := Taken
	if back {
		c.notes.cameBack(c, true)
		if r, ok := s.Sink.(Restorable); ok {
			verdict = r.Restored()
		}
	}
	s.came(c)
	c.judge(s, verdict)
}

// drop ends one handle and leaves its topic if it was the last.
func (s *Subscription) drop(c *core, err error, now bool) {
	if !c.subscriptions.remove(s) {
		return
	}
	t := s.topic
	t.handles.remove(s.at)
	s.at = nil
	c.over(s, err, now, s.phase == handleAway)
	s.came(c)
	c.leaveTopic(t)
}

// coming reports whether a handle, which may be nil, waits to be acknowledged on
// the present link.
func (s *Subscription) coming(c *core) bool {
	return s != nil && s.topic != nil && s.topic.id == 0 && c.subscriptions.has(s)
}

// came sends the calls that have waited for a handle.
func (s *Subscription) came(c *core) {
	calls := s.calls
	s.calls = nil
	for _, call := range calls {
		if at := call.parkedAt; at != nil && at.in == &c.life.behind {
			c.unpark(call)
			call.resume(c)
		}
	}
}

func (c *core) onEvent(m *proto.Message) {
	t := c.topicsByID[m.ID]
	if t == nil {
		c.stats.Dropped++
		return
	}
	retained := len(m.Options) > 0 && m.Options.Bool(proto.KeyRetained)
	if t.same == nil {
		c.deliver(t, m, retained)
		return
	}
	topic := m.Options.Str(proto.KeyTopic)
	for t != nil {
		next := t.same
		if topic == "" || proto.MatchURI(t.key.uri, t.key.match, topic) {
			c.deliver(t, m, retained)
		}
		t = next
	}
}

// deliver hands an event to the handles of a topic.
func (c *core) deliver(t *topic, m *proto.Message, retained bool) {
	if retained { // these are for whoever has just come
		if t.takers != nil {
			for _, s := range t.takers.all {
				if s.at.listed() {
					c.deliverTo(s, m)
				}
			}
		}
		return
	}
	for n := t.handles.first(); n != nil; {
		next := n.next // the handle may be dropped now
		c.deliverTo(n.value, m)
		n = next
	}
}

func (c *core) deliverTo(s *Subscription, m *proto.Message) {
	if !s.phase.acked() { // it begins with its own SUBSCRIBED
		return
	}
	if s.gap {
		s.gap = false
		if g, ok := s.Sink.(Gapped); ok {
			g.Gap()
		}
	}
	c.judge(s, s.Sink.Deliver(m))
}

// judge does what the verdict of a subscription's sink asks for.
func (c *core) judge(s *Subscription, v Verdict) {
	switch v {
	case Gate:
		c.gate(ofSubscription, s.URI)
	case Dropped:
		c.dropped(&s.slow, ofSubscription, s.URI, s.Sink.(Lossy).Lost())
	case Overflow:
		c.overflowed(ofSubscription, s.URI)
		s.drop(c, ErrSlowConsumer, false)
	case Taken:
	}
}

// onSubscriptionRevoked is UNSUBSCRIBED with request 0. A SUBSCRIBE that is
// still unanswered gets a subscription of its own: who waits for that one, and
// the topic, stay.
func (c *core) onSubscriptionRevoked(m *proto.Message) {
	id := m.Options.ID(proto.KeySubscription)
	if id == 0 {
		c.violation(proto.Unsubscribed, "revokes without naming a subscription", nil)
		return
	}
	t := c.topicsByID[id]
	if t == nil {
		c.stats.Late++
		return
	}
	delete(c.topicsByID, id)
	err := &RevokedError{ID: id, Reason: m.Options.Str(proto.KeyReason)}
	for t != nil {
		next := t.same
		t.same, t.former = nil, nil
		c.revokeTopic(t, err)
		t = next
	}
}
