package session

import (
	"fmt"
	"reflect"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// topicKey is what a topic is known by: one URI in two kinds of pattern are two.
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
	waiting []*Subscription // those of the handles that share the next SUBSCRIBED, and some that have left
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

// share lets a handle wait for what is answered to another one.
func (t *topic) share(c *core, s *Subscription) {
	if !s.waits() {
		c.move(s, handleShares)
	}
	t.waiting = append(t.waiting, s)
}

// waits reports whether a handle waits for what is answered to another one: on a
// new link all those do that had been there.
func (s *Subscription) waits() bool { return s.phase == handleShares || s.phase == handleAway }

// suspend forgets what was true of the link that is lost.
func (t *topic) suspend(c *core) {
	t.id, t.asked, t.takers, t.same, t.former = 0, 0, nil, nil, nil
	t.waiting = t.waiting[:0]
	for n := t.handles.first(); n != nil; n = n.next {
		if n.value.phase == handleUp {
			c.move(n.value, handleAway)
		}
		t.share(c, n.value)
	}
}

// drop ends all handles.
func (t *topic) drop(c *core, err error) {
	for t.handles.len() > 0 {
		t.handles.first().value.drop(c, err, false)
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

// subscribe asks for a topic, because of one of its handles. again: it had been
// subscribed on another link.
func (c *core) subscribe(t *topic, s *Subscription, retained, again bool) {
	t.asked++
	// What is asked for the first time is no suspect, unless its topic is one.
	c.askAgain(&subscribeRequest{topic: t, sub: s, wants: retained, again: again}, t.deaths)
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
		d = proto.Dict{{Key: proto.KeyMatch, Value: string(t.key.match)}}
		d = append(d, t.options...)
	}
	if r.retained = r.wants && c.broker.Has(retainedNeed.Feature); r.retained {
		d = d.With(proto.KeyGetRetained, true)
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
		return false // revoked meanwhile; the subscription is that of who came after
	}
	if t.id != 0 && t.id != m.ID {
		c.violation(proto.Subscribed, fmt.Sprintf("topic %q has subscription %d already, not %d", t.key.uri, t.id, m.ID), nil)
		return false
	}
	if left := c.crossed(&subscriptionKind, m.ID); left != nil {
		t.asked++
		left.then = append(left.then, &subscribeRequest{topic: t, sub: r.sub, wants: r.wants, again: r.again})
		return false
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
	if r.sub.phase == handleAsked {
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
		if s.phase == handleUp || !s.at.listed() {
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
	if t.id != 0 { // refused the second time only: the topic stands
		if !r.sub.phase.acked() {
			r.sub.drop(c, err, false)
		}
		return
	}
	if t.asked > 0 { // another answer is to come, for all
		if r.sub.phase == handleAsked {
			t.share(c, r.sub)
		}
		return
	}
	t.drop(c, err)
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
	if r.sub.phase == handleAsked {
		all = append(all, r.sub)
	}
	if t.id == 0 {
		for _, s := range t.waiting {
			if s.waits() {
				all = append(all, s)
			}
		}
	}
	tryAgain := false
	for _, s := range all {
		if c.silent(s) {
			tryAgain = true
		}
	}
	if tryAgain {
		c.lose(&LinkError{Err: ErrAckTimeout})
	}
}

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
		t.drop(c, err)
	}
	return nil
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
	if c.forgetTopicID(id, t) {
		c.leave(&subscriptionKind, id)
	}
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

// revokeTopic ends the handles of a topic that the router has taken away. Those
// that have never been acknowledged wait for a SUBSCRIBED that is still to come.
func (c *core) revokeTopic(t *topic, err error) {
	if t.asked == 0 && c.topics[t.key] == t {
		delete(c.topics, t.key)
	}
	t.id = 0
	for n := t.handles.first(); n != nil; {
		next := n.next
		if s := n.value; s.phase.acked() {
			s.drop(c, err, false)
		}
		n = next
	}
}

// sameDict reports whether two option dicts say the same in the same order.
func sameDict(a, b proto.Dict) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}
