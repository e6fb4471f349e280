package session

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

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
	// Ready gets one value: nil when the router has acknowledged, or why it
	// has not. Capacity 1.
	Ready chan error

	// Actor only, from here on.
	topic    *topic
	at       *node[*Subscription] // its place among the topic's handles
	pending  bool                 // it waits for a SUBSCRIBED
	ready    bool                 // Ready has its value
	fresh    bool                 // it has had no retained events yet
	watch    watched
	gap      bool          // a link was lost since its last event
	back     bool          // it is to be told when it is subscribed again
	parkedAt *node[parked] // where it waits for a link
	own      bool          // it waits for the answer to a SUBSCRIBE of its own
	silences int           // links in a row on which the router did not acknowledge it
	slow     slowConsumer
	calls    []*Call // that wait in life.behind for it, and some that have left
	id       atomic.Uint64
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
	handles list[*Subscription]
	waiting []*Subscription // those of the handles that wait for the next SUBSCRIBED, and some that have left
	takers  *takers         // those that the retained events are for that come now
	same    *topic          // the next one to which the router has given the same id
	former  *topic          // the one before
	deaths  uint8           // links in a row that ended with its SUBSCRIBE
	before  uint8           // deaths before the last of those links, on which more than one may have been under way
	fell    uint64          // which link that was
}

// takers are the handles of a topic that take the retained events which come
// behind one SUBSCRIBED.
type takers struct{ all []*Subscription }

// suspend forgets what was true of the link that is lost.
func (t *topic) suspend() {
	t.id, t.asked, t.takers, t.same, t.former = 0, 0, nil, nil, nil
	t.waiting = t.waiting[:0]
	for n := t.handles.first(); n != nil; n = n.next {
		s := n.value
		s.own, s.pending = false, true
		t.waiting = append(t.waiting, s)
	}
}

// wantsRetained reports whether a handle wants the retained events.
func (t *topic) wantsRetained() bool {
	for n := t.handles.first(); n != nil; n = n.next {
		if n.value.Retained {
			return true
		}
	}
	return false
}

func (s *Subscription) size() int { return len(s.URI) + 64 }

func (s *Subscription) place() **node[parked] { return &s.parkedAt }

func (s *Subscription) refuse(err error) { s.drop(err) }

func (s *Subscription) apply(c *core) {
	c.outCost += s.size()
	s.start(c)
}

// resume subscribes a handle that has waited for a link.
func (s *Subscription) resume(c *core) {
	c.unwatch(&s.watch)
	s.start(c)
}

func (s *Subscription) start(c *core) {
	if s.Ctx.Err() != nil {
		s.drop(newCanceled(s.Ctx))
		return
	}
	if c.life.waiting {
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
		s.drop(errors.New("wamp: it is subscribed already with other options"))
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
		s.own, s.fresh = true, s.Retained
		c.subscribe(t, s, s.Retained, false)
		return
	}
	if t.id != 0 {
		s.acknowledged(c, t.id)
		return
	}
	s.pending = true
	t.waiting = append(t.waiting, s)
}

func (s *Subscription) check(c *core) error {
	if err := c.needRole(proto.Broker); err != nil {
		return err
	}
	if s.Match != proto.Exact {
		if err := c.need(proto.Broker, proto.PatternBasedSubscription, matchOption(s.Match)); err != nil {
			return err
		}
	}
	return c.needAll(s.Needs)
}

// matchOption is the option of package wamp that makes a pattern.
func matchOption(m proto.MatchPolicy) string { return "Match(" + string(m) + ")" }

// subscribe asks for a topic, because of one of its handles. again: it had been
// subscribed on another link.
func (c *core) subscribe(t *topic, s *Subscription, retained, again bool) {
	t.asked++
	// What is asked for the first time is no suspect, unless its topic is one.
	c.askAgain(&subscribeRequest{topic: t, sub: s, wants: retained, again: again}, t.deaths)
}

// acknowledged says that the router has subscribed a handle.
func (s *Subscription) acknowledged(c *core, id proto.ID) {
	s.id.Store(uint64(id))
	s.own, s.pending, s.silences = false, false, 0
	verdict := Taken
	if s.back {
		s.back = false
		if s.ready {
			c.notes.cameBack(c, true)
			if r, ok := s.Sink.(Restorable); ok {
				verdict = r.Restored()
			}
		}
	}
	s.answer(nil)
	s.came(c)
	c.judge(s, verdict)
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

// subscribeRequest is the SUBSCRIBE of a topic. Behind its answer come the
// retained events, if it asks for them: one of each topic that matches.
type subscribeRequest struct {
	asking
	topic    *topic
	sub      *Subscription // the handle it was made for
	wants    bool          // the retained events
	again    bool          // the topic had been subscribed on another link
	retained bool          // they were asked for
	late     bool          // it was not answered in time: nobody waits for it
}

func (r *subscribeRequest) requestType() proto.MessageType { return proto.Subscribe }
func (r *subscribeRequest) topicOf() string                { return r.topic.key.uri }
func (r *subscribeRequest) users() bool                    { return !r.again }

func (r *subscribeRequest) send(c *core) (id proto.ID, wanted bool, err error) {
	t := r.topic
	if t.handles.len() == 0 { // all have left meanwhile
		t.asked--
		c.leaveTopic(t)
		return 0, false, nil
	}
	d := t.options
	if t.key.match != proto.Exact {
		d = proto.Dict{{Key: "match", Value: string(t.key.match)}}
		d = append(d, t.options...)
	}
	if r.retained = r.wants && c.broker.Has(proto.EventRetention); r.retained {
		d = d.With("get_retained", true)
	}
	id, err = c.send(&proto.Message{Type: proto.Subscribe, Options: d, URI: t.key.uri})
	return id, err == nil, err
}

func (r *subscribeRequest) reply(c *core, m *proto.Message) bool {
	c.free(r)
	t := r.topic
	if !r.late {
		t.asked--
	}
	t.deaths = 0
	if now := c.topics[t.key]; now != nil && now != t {
		r.sub.own = false
		return false // revoked meanwhile; the subscription is that of who came after
	}
	if t.id != 0 && t.id != m.ID {
		c.violation(proto.Subscribed, fmt.Sprintf("topic %q has subscription %d already, not %d", t.key.uri, t.id, m.ID), nil)
		return false
	}
	if left := c.handleWindow.leavingSub(m.ID); left != nil {
		if left.open { // by then the router will have ended it
			t.asked++
			left.then = append(left.then, &subscribeRequest{topic: t, sub: r.sub, wants: r.wants, again: r.again})
			return false
		}
		c.handleWindow.unqueue(left)
		left.over(c, nil)
	}
	if t.id == 0 {
		t.id = m.ID
		if t.same = c.topicsByID[m.ID]; t.same != nil { // another topic of ours that the router takes for the same
			t.same.former = t
		}
		c.topicsByID[m.ID] = t
	}
	r.acknowledge(c, m.ID)
	c.leaveTopic(t)
	return false
}

// acknowledge tells the handles that wait.
func (r *subscribeRequest) acknowledge(c *core, id proto.ID) {
	t := r.topic
	all := t.waiting
	t.waiting = nil
	if !r.sub.pending && r.sub.own && r.sub.at.listed() {
		r.sub.pending = true
		all = append(all, r.sub)
	}
	var taking *takers
	if r.retained {
		taking = &takers{}
		for o := c.topicsByID[id]; o != nil; o = o.same { // those of others with the id have had theirs
			o.takers = nil
		}
		t.takers = taking
	}
	for _, s := range all {
		if !s.pending || !s.at.listed() || s.topic != t {
			continue
		}
		if taking != nil && s.fresh { // each handle has one batch of them
			s.fresh = false
			taking.all = append(taking.all, s)
		}
		s.acknowledged(c, id)
	}
}

func (r *subscribeRequest) fail(c *core, err *Error) {
	c.free(r)
	r.failed(c, err)
}

func (r *subscribeRequest) refused(c *core, err error) { r.failed(c, err) }

// failed ends the handles that the request was for.
func (r *subscribeRequest) failed(c *core, err error) {
	t := r.topic
	if r.late {
		return
	}
	t.asked--
	r.sub.own = false
	if t.id != 0 { // refused the second time only: the topic stands
		if !r.sub.ready {
			c.dropSubscription(r.sub, err, false)
		}
		return
	}
	if t.asked > 0 { // another answer is to come, for all
		if r.sub.at.listed() && !r.sub.pending {
			r.sub.pending = true
			t.waiting = append(t.waiting, r.sub)
		}
		return
	}
	for t.handles.len() > 0 {
		c.dropSubscription(t.handles.first().value, err, false)
	}
	if c.topics[t.key] == t {
		delete(c.topics, t.key)
	}
}

// silent: the router has not answered in time. What is asked for the first time
// ends. What had been there may be half done at the router, so a fresh link
// comes before that.
func (r *subscribeRequest) silent(c *core) {
	t := r.topic
	t.asked--
	r.late = true
	var all []*Subscription
	if r.sub.own && r.sub.at.listed() {
		all = append(all, r.sub)
	}
	if t.id == 0 {
		for _, s := range t.waiting {
			if s.pending && s.at.listed() {
				all = append(all, s)
			}
		}
	}
	tryAgain := false
	for _, s := range all {
		if !s.ready || c.life.policy == nil || s.silences >= mostSilences {
			c.dropSubscription(s, ErrAckTimeout, true)
			continue
		}
		s.silences++
		tryAgain = true
	}
	if tryAgain {
		c.lose(&LinkError{Err: ErrAckTimeout})
	}
}

// mostSilences is how often a link is given up because the router has not
// acknowledged a handle that had been there, before the handle is.
const mostSilences = 2

func (r *subscribeRequest) lost(*core, error) {
	if !r.late {
		r.topic.asked--
	}
}

// suspend: the handles are restored, not the request.
func (r *subscribeRequest) suspend(c *core, reason error) parked {
	r.open = false
	c.timers.stop(&r.timer)
	t := r.topic
	if reason == nil || c.unwritten(r.seq) {
		return nil
	}
	if t.fell != c.gen {
		t.fell, t.before, t.deaths = c.gen, t.deaths, 0
	}
	deaths := t.before
	err := c.blame.death(c, r, &deaths, reason)
	if t.deaths = max(t.deaths, deaths); err != nil {
		for t.handles.len() > 0 {
			c.dropSubscription(t.handles.first().value, err, false)
		}
	}
	return nil
}

// dropSubscription ends one handle and leaves its topic if it was the last.
func (c *core) dropSubscription(s *Subscription, err error, now bool) {
	if !c.subscriptions.remove(s) {
		return
	}
	c.unwatch(&s.watch)
	t := s.topic
	t.handles.remove(s.at)
	s.at = nil
	if s.back && s.ready {
		c.notes.cameBack(c, false)
	}
	s.slow.tellLast(c)
	if s.ready {
		c.logHandle("subscription", s.URI, err, now)
	}
	s.answer(err)
	s.end(End{Err: err, Now: now})
	s.came(c)
	c.leaveTopic(t)
}

// leaveTopic sends UNSUBSCRIBE when nobody is left; while a SUBSCRIBE is
// unanswered, that is decided when it is answered.
func (c *core) leaveTopic(t *topic) {
	if t.handles.len() > 0 || t.asked > 0 || c.ended {
		return
	}
	if c.topics[t.key] == t {
		delete(c.topics, t.key)
	}
	if t.id == 0 {
		return // the router does not have it
	}
	id := t.id
	t.id = 0
	if !c.forgetTopicID(id, t) || c.state != proto.StateEstablished {
		return
	}
	r := &unsubscribeRequest{sub: id}
	c.handleWindow.subs[id] = r
	c.ask(r)
}

// forgetTopicID takes a topic out of those that have the id. It reports whether it
// was the last.
func (c *core) forgetTopicID(id proto.ID, t *topic) (last bool) {
	first := c.topicsByID[id]
	switch {
	case first == t && t.same == nil:
		delete(c.topicsByID, id)
		return true
	case first == t:
		c.topicsByID[id] = t.same
	case t.former != nil:
		t.former.same = t.same
	}
	if t.same != nil {
		t.same.former = t.former
	}
	t.same, t.former = nil, nil
	return first == nil
}

// unsubscribeRequest is an UNSUBSCRIBE; events that still come for the
// subscription find nobody and are dropped.
type unsubscribeRequest struct {
	asking
	sub  proto.ID
	wait []chan error
	then []ask // to be asked again when it is over
}

func (r *unsubscribeRequest) requestType() proto.MessageType { return proto.Unsubscribe }
func (r *unsubscribeRequest) topicOf() string                { return "" }
func (r *unsubscribeRequest) users() bool                    { return true }

func (r *unsubscribeRequest) send(c *core) (id proto.ID, wanted bool, err error) {
	id, err = c.send(&proto.Message{Type: proto.Unsubscribe, ID: r.sub})
	return id, err == nil, err
}

func (r *unsubscribeRequest) reply(c *core, _ *proto.Message) bool {
	c.free(r)
	r.over(c, nil)
	return false
}

func (r *unsubscribeRequest) fail(c *core, err *Error) {
	c.free(r)
	r.over(c, err)
}

func (r *unsubscribeRequest) refused(c *core, err error) { r.over(c, err) }
func (r *unsubscribeRequest) lost(c *core, err error)    { r.over(c, err) }

func (r *unsubscribeRequest) silent(c *core) {
	delete(c.requests, r.id)
	r.over(c, ErrAckTimeout)
}

// suspend: the subscription went with the link.
func (r *unsubscribeRequest) suspend(c *core, _ error) parked {
	r.open = false
	c.timers.stop(&r.timer)
	r.over(c, nil)
	return nil
}

// over tells those who wait.
func (r *unsubscribeRequest) over(c *core, err error) {
	if c.handleWindow.subs[r.sub] == r {
		delete(c.handleWindow.subs, r.sub)
	}
	for _, ch := range r.wait {
		ch <- err
	}
	r.wait = nil
	c.askAfter(&r.then)
}

func (s *Subscription) ctxEnded(c *core, ctx context.Context) {
	if c.unpark(s) {
		c.unwatch(&s.watch)
		s.drop(canceledOffline(ctx, c.life.cause))
		return
	}
	c.dropSubscription(s, newCanceled(ctx), true)
}

// unsubscribeOp is Unsubscribe: done gets the router's answer.
type unsubscribeOp struct {
	sub  *Subscription
	done chan error // capacity 1
}

func (o *unsubscribeOp) refuse(err error) { o.done <- err }

func (o *unsubscribeOp) apply(c *core) {
	s := o.sub
	if !c.subscriptions.has(s) {
		o.done <- nil
		return
	}
	t := s.topic
	id := t.id
	c.dropSubscription(s, ErrUnsubscribed, true)
	if id != 0 && t.id == 0 {
		if r := c.handleWindow.leavingSub(id); r != nil {
			r.wait = append(r.wait, o.done)
			return
		}
	}
	o.done <- nil
}

func (c *core) onEvent(m *proto.Message) {
	t := c.topicsByID[m.ID]
	if t == nil {
		c.stats.Dropped++
		return
	}
	retained := len(m.Options) > 0 && m.Options.Bool("retained")
	if t.same == nil {
		c.deliver(t, m, retained)
		return
	}
	topic := m.Options.Str("topic")
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
	if !s.ready { // it begins with its own SUBSCRIBED
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
		c.gate("topic", s.URI)
	case Dropped:
		c.dropped(&s.slow, "topic", s.URI, s.Sink.(Lossy).Lost())
	case Overflow:
		c.overflowed("topic", s.URI)
		c.dropSubscription(s, ErrSlowConsumer, false)
	case Taken:
	}
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
	t := c.topicsByID[id]
	if t == nil {
		c.stats.Late++
		return
	}
	delete(c.topicsByID, id)
	err := &RevokedError{ID: id, Reason: m.Options.Str("reason")}
	for t != nil {
		next := t.same
		t.same, t.former = nil, nil
		c.revokeTopic(t, err)
		t = next
	}
}

func (c *core) revokeTopic(t *topic, err error) {
	if t.asked == 0 && c.topics[t.key] == t {
		delete(c.topics, t.key)
	}
	t.id = 0
	for n := t.handles.first(); n != nil; {
		next := n.next
		if s := n.value; s.ready && !s.own {
			c.dropSubscription(s, err, false)
		}
		n = next
	}
}

// sameDict reports whether two option dicts say the same in the same order.
func sameDict(a, b proto.Dict) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}
