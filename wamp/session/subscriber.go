package session

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Subscription is the engine's part of one subscription of a user. Several
// that name the same topic in the same way share one at the router.
type Subscription struct {
	// Ctx owns the subscription.
	Ctx context.Context
	// URI is the topic or pattern, Match how it matches.
	URI   string
	Match proto.MatchPolicy
	// Options are sent as they are, beside match.
	Options proto.Dict
	// Retained asks for the retained event.
	Retained bool
	// Needs are features without which it fails.
	Needs []Need
	// Sink takes the events.
	Sink Sink
	// AckTimeout bounds the wait for SUBSCRIBED.
	AckTimeout time.Duration
	// Ready gets one value: nil when the router has acknowledged, or why it
	// has not. Capacity 1.
	Ready chan error

	// Actor only, from here on.
	topic  *topic
	ready  bool // Ready has its value
	fresh  bool // it has had no retained events yet
	taking bool // the retained events that come now are for it
	timer  *timer
	watch  watched
	gap    bool // a link was lost since its last event
	back   bool // it is to be told when it is subscribed again
	parked bool // it waits for a link
	own    bool // it waits for the answer to a SUBSCRIBE of its own
	id     atomic.Uint64
}

type topicKey struct {
	uri   string
	match proto.MatchPolicy
}

// topic is one subscription at the router.
type topic struct {
	key     topicKey
	options proto.Dict
	id      proto.ID // 0 until SUBSCRIBED
	asked   int      // SUBSCRIBEs not yet answered
	handles []*Subscription
}

func (s *Subscription) size() int { return len(s.URI) + 64 }

func (s *Subscription) refuse(err error) { s.drop(err) }

func (s *Subscription) apply(c *core) {
	c.outCost += s.size()
	s.start(c)
}

// resume subscribes a handle that has waited for a link.
func (s *Subscription) resume(c *core) {
	s.parked = false
	c.unwatch(&s.watch)
	s.start(c)
}

func (s *Subscription) start(c *core) {
	if s.Ctx.Err() != nil {
		s.drop(newCanceled(s.Ctx))
		return
	}
	if c.life.waiting {
		s.parked = true
		c.watch(s.Ctx, &s.watch, s)
		c.park(s)
		return
	}
	if c.state != proto.StateEstablished {
		s.drop(c.closedError())
		return
	}
	if err := s.check(c); err != nil {
		s.drop(err)
		return
	}
	key := topicKey{s.URI, s.Match}
	t := c.topics[key]
	if t != nil && !sameDict(t.options, s.Options) {
		s.drop(fmt.Errorf("wamp: topic %q is subscribed already with other options", s.URI))
		return
	}
	if t == nil {
		t = &topic{key: key, options: s.Options}
	}
	if t.asked == 0 && t.id == 0 || s.Retained {
		if err := c.subscribe(t, s, s.Retained); err != nil {
			s.drop(err)
			return
		}
		s.own, s.fresh = true, s.Retained
	}
	c.topics[key] = t
	s.topic = t
	t.handles = append(t.handles, s)
	c.order++
	c.handles.add(s, c.order)
	c.watch(s.Ctx, &s.watch, s)
	if t.id != 0 && !s.Retained {
		s.acknowledged(c, t.id)
		return
	}
	s.timer = c.timerOnWrite(s.AckTimeout, func(c *core) { c.dropHandle(s, ErrAckTimeout, true) })
}

func (s *Subscription) check(c *core) error {
	if err := c.needRole(proto.Broker); err != nil {
		return err
	}
	if s.Match != proto.Exact {
		if err := c.need(proto.Broker, proto.PatternBasedSubscription); err != nil {
			return err
		}
	}
	return c.needAll(s.Needs)
}

// subscribe sends SUBSCRIBE for a topic, because of one of its handles.
func (c *core) subscribe(t *topic, s *Subscription, retained bool) error {
	d := t.options
	if t.key.match != proto.Exact {
		d = proto.Dict{{Key: "match", Value: string(t.key.match)}}
		d = append(d, t.options...)
	}
	if retained = retained && c.broker.Has(proto.EventRetention); retained {
		d = d.With("get_retained", true)
	}
	id, err := c.send(&proto.Message{Type: proto.Subscribe, Options: d, URI: t.key.uri})
	if err != nil {
		return err
	}
	t.asked++
	c.requests[id] = &subscribeRequest{topic: t, sub: s, retained: retained}
	return nil
}

func (s *Subscription) acknowledged(c *core, id proto.ID) {
	s.id.Store(uint64(id))
	verdict := Taken
	if s.back {
		s.back = false
		if r, ok := s.Sink.(interface{ Restored() Verdict }); ok && s.ready {
			verdict = r.Restored()
		}
	}
	if s.timer != nil {
		c.timers.stop(s.timer)
		s.timer = nil
	}
	s.answer(nil)
	c.judge(s, verdict)
}

func (s *Subscription) answer(err error) {
	if !s.ready {
		s.ready = true
		s.Ready <- err
	}
}

// drop ends a handle that is in no table.
func (s *Subscription) drop(err error) {
	s.answer(err)
	s.end(End{Err: err})
}

func (s *Subscription) end(e End) {
	if s.Sink != nil {
		sink := s.Sink
		s.Sink = nil
		sink.End(e)
	}
}

// subscribeRequest is the pending SUBSCRIBE of a topic. Behind its answer come
// the retained events, if it asks for them: one of each topic that matches.
type subscribeRequest struct {
	topic    *topic
	sub      *Subscription // the handle it was sent for
	retained bool
}

func (r *subscribeRequest) requestType() proto.MessageType { return proto.Subscribe }

func (r *subscribeRequest) reply(c *core, m *proto.Message) bool {
	t := r.topic
	t.asked--
	r.sub.own = false
	if now := c.topics[t.key]; now != nil && now != t {
		return false // revoked meanwhile; the subscription is that of who came after
	}
	if t.id != 0 && t.id != m.ID {
		c.violation(proto.Subscribed, fmt.Sprintf("topic %q has subscription %d already, not %d", t.key.uri, t.id, m.ID), nil)
		return false
	}
	if other := c.subs[m.ID]; other != nil && other != t {
		c.violation(proto.Subscribed, fmt.Sprintf("subscription %d belongs to another topic", m.ID), nil)
		return false
	}
	t.id = m.ID
	c.subs[m.ID] = t
	for _, s := range slices.Clone(t.handles) {
		if s.own {
			continue
		}
		if r.retained { // each handle has one batch of them
			s.taking, s.fresh = s.fresh, false
		}
		s.acknowledged(c, m.ID)
	}
	c.leaveTopic(t)
	return false
}

func (r *subscribeRequest) fail(c *core, err *Error) {
	t := r.topic
	t.asked--
	r.sub.own = false
	if t.id != 0 { // refused the second time only: the topic stands
		if !r.sub.ready {
			c.dropHandle(r.sub, err, false)
		}
		return
	}
	if t.asked > 0 {
		return
	}
	for _, s := range slices.Clone(t.handles) {
		c.dropHandle(s, err, false)
	}
	if c.topics[t.key] == t {
		delete(c.topics, t.key)
	}
}

func (r *subscribeRequest) lost(*core, error) { r.topic.asked-- }

// suspend: the handles are restored, not the request.
func (r *subscribeRequest) suspend(*core, error) parked {
	r.sub.own = false
	return nil
}

// dropHandle ends one handle and leaves its topic if it was the last.
func (c *core) dropHandle(s *Subscription, err error, now bool) {
	if !c.handles.remove(s) {
		return
	}
	c.unwatch(&s.watch)
	c.timers.stop(s.timer)
	s.timer = nil
	t := s.topic
	if i := slices.Index(t.handles, s); i >= 0 {
		t.handles = slices.Delete(t.handles, i, i+1)
	}
	s.answer(err)
	s.end(End{Err: err, Now: now})
	c.leaveTopic(t)
}

// leaveTopic sends UNSUBSCRIBE when nobody is left; while a SUBSCRIBE is
// unanswered, that is decided when it is answered.
func (c *core) leaveTopic(t *topic) {
	if len(t.handles) > 0 || t.asked > 0 || c.ended {
		return
	}
	if c.topics[t.key] == t {
		delete(c.topics, t.key)
	}
	if t.id == 0 {
		return // the router does not have it
	}
	if c.subs[t.id] == t {
		delete(c.subs, t.id)
	}
	if c.state != proto.StateEstablished {
		return
	}
	id, err := c.send(&proto.Message{Type: proto.Unsubscribe, ID: t.id})
	t.id = 0
	if err == nil {
		c.requests[id] = &unsubscribeRequest{}
	}
}

// unsubscribeRequest is a pending UNSUBSCRIBE; events that still come for the
// subscription find nobody and are dropped.
type unsubscribeRequest struct{ wait []chan error }

func (r *unsubscribeRequest) requestType() proto.MessageType { return proto.Unsubscribe }

func (r *unsubscribeRequest) reply(*core, *proto.Message) bool { r.answer(nil); return false }
func (r *unsubscribeRequest) fail(_ *core, err *Error)         { r.answer(err) }
func (r *unsubscribeRequest) lost(_ *core, err error)          { r.answer(err) }

// suspend: the subscription went with the link.
func (r *unsubscribeRequest) suspend(*core, error) parked { r.answer(nil); return nil }

func (r *unsubscribeRequest) answer(err error) {
	for _, ch := range r.wait {
		ch <- err
	}
}

func (s *Subscription) ctxEnded(c *core, ctx context.Context) {
	if s.parked {
		s.parked = false
		c.unpark(s)
		s.drop(newCanceled(ctx))
		return
	}
	c.dropHandle(s, newCanceled(ctx), true)
}

// leaveOp is Unsubscribe: done gets the router's answer.
type leaveOp struct {
	sub  *Subscription
	done chan error // capacity 1
}

func (o *leaveOp) refuse(err error) { o.done <- err }

func (o *leaveOp) apply(c *core) {
	s := o.sub
	if !c.handles.has(s) {
		o.done <- nil
		return
	}
	before := c.lastID
	c.dropHandle(s, ErrUnsubscribed, true)
	if c.lastID != before {
		if r, ok := c.requests[c.lastID].(*unsubscribeRequest); ok {
			r.wait = append(r.wait, o.done)
			return
		}
	}
	o.done <- nil
}

func (c *core) onEvent(m *proto.Message) {
	t := c.subs[m.ID]
	if t == nil {
		c.stats.Dropped++
		return
	}
	retained := len(m.Options) > 0 && m.Options.Bool("retained")
	for i := 0; i < len(t.handles); {
		s := t.handles[i]
		if !s.ready || retained && !s.taking { // it begins with its own SUBSCRIBED
			i++
			continue
		}
		if s.gap {
			s.gap = false
			if g, ok := s.Sink.(interface{ Gap() }); ok {
				g.Gap()
			}
		}
		if c.judge(s, s.Sink.Deliver(m)) {
			i++
		}
	}
}

// judge does what the verdict of a subscription's sink asks for. It reports
// whether the subscription goes on.
func (c *core) judge(s *Subscription, v Verdict) bool {
	switch v {
	case Gate:
		c.gates++
	case Overflow:
		c.stats.Overflowed++
		c.dropHandle(s, ErrSlowConsumer, false)
		return false
	case Taken:
	}
	return true
}

// onSubscriptionRevoked is UNSUBSCRIBED with request 0. A SUBSCRIBE that is
// still unanswered gets a subscription of its own: who waits for that one, and
// the topic, stay.
func (c *core) onSubscriptionRevoked(m *proto.Message) {
	id := m.Options.ID("subscription")
	if id == 0 {
		c.violation(proto.Unsubscribed, "revokes without naming a subscription", nil)
		return
	}
	t := c.subs[id]
	if t == nil {
		c.stats.Late++
		return
	}
	delete(c.subs, id)
	if t.asked == 0 && c.topics[t.key] == t {
		delete(c.topics, t.key)
	}
	t.id = 0
	err := &RevokedError{ID: id, Reason: m.Options.Str("reason")}
	for _, s := range slices.Clone(t.handles) {
		if s.ready && !s.own {
			c.dropHandle(s, err, false)
		}
	}
}

// sameDict reports whether two option dicts say the same in the same order.
func sameDict(a, b proto.Dict) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}
