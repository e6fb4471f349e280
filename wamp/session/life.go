package session

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// This file is the life of a session over its links: their loss, what becomes of
// what was under way, and the restore. policy.go has which ends are final and when
// to dial again.

// life is the core's part of the lifecycle. Actor only.
type life struct {
	retry     // its policy is nil where the first loss is the end
	joinedAt  time.Time
	links     int // how many there have been
	timer     *timer
	parked    list[parked] // operations that wait for a link, in their order
	publishes int          // how many of those, and of the suspects, are publishes
	behind    list[parked] // calls that wait for a subscription to come back
	waiting   bool         // there is no link
	plans     uint64       // how often a policy of the user's was asked, and has answered
	cause     error        // why there is none, as far as is known
	downAt    time.Time
	answered  bool // the link has answered an operation of the user's
	state     State
	watchers  map[*stateWatcher]struct{}
}

// joined notes a fresh link.
func (l *life) joined(now time.Time) {
	l.waiting, l.cause, l.joinedAt, l.answered, l.refused = false, nil, now, false, 0
	l.links++
}

// heard notes that a request was answered.
func (l *life) heard(r request) {
	if !l.answered && r.users() {
		l.answered, l.bad = true, 0
	}
}

// parked is an operation that waits for a link.
type parked interface {
	op
	// resume applies it on the new link.
	resume(c *core)
	// place is where it keeps its place among those that wait.
	parkedNode() **node[parked]
}

// lose is the loss of the link: the end of the session, or the beginning of a
// reconnect.
func (c *core) lose(reason error) {
	l := &c.life
	if c.ended {
		return
	}
	if c.state == proto.StateClosing || l.policy == nil {
		c.end(reason)
		return
	}
	again := !l.policy.final(reason, true)
	if breach(reason) {
		again = c.countBreach()
	} else {
		l.bad = 0
	}
	if !again && l.policy.Redial == nil {
		c.end(reason)
		return
	}
	last := c.finished // GOODBYE is to be answered, ABORT to be sent
	c.finished = false
	c.host.linkDown(last, reason)
	c.state = proto.StateClosed
	l.waiting, l.cause, l.downAt = true, reason, c.host.now()
	l.lost(l.downAt, l.downAt.Sub(l.joinedAt) >= l.policy.Hold, reason)
	c.isDown(Reconnecting, l.attempt+1, reason)
	c.logLoss(reason)
	c.notes.linkDown(c)
	c.suspend(reason)
	c.plan(reason, again)
}

// countBreach counts a link that ended by a breach of the protocol. It reports
// whether there may be another.
func (c *core) countBreach() bool {
	l := &c.life
	if !c.blame.certain(c) { // otherwise an operation pays for it
		l.bad++
	}
	if l.answered {
		l.bad = 0
	}
	return l.bad < mostBad
}

// plan decides whether there is another attempt, and when. again is what the
// rules say.
func (c *core) plan(cause error, again bool) {
	p := c.life.policy
	if !p.consults() {
		c.planned(cause, again, rand.Float64())
		return
	}
	l := &c.life
	l.plans++
	rules := &plannedOp{l.plans, cause, again, rand.Float64()}
	l.timer = c.timerNow(c.cfg.DialTimeout, func(c *core) {
		c.log.stuck(policyCode, c.cfg.DialTimeout)
		rules.apply(c)
	})
	c.host.consult(func() op {
		again, random := p.decide(cause, again, c.log.fault)
		return &plannedOp{rules.plan, cause, again, random}
	}, rules)
}

// plannedOp is what a policy of the user's has said about a plan.
type plannedOp struct {
	plan   uint64
	cause  error
	again  bool
	random float64
}

func (o *plannedOp) refuse(error) {}

func (o *plannedOp) apply(c *core) {
	l := &c.life
	if !l.waiting || o.plan != l.plans {
		return
	}
	l.plans++ // who answers twice, or too late, is not heard
	c.timers.stop(l.timer)
	c.planned(o.cause, o.again, o.random)
}

// planned sets the time of the next attempt, or gives up.
func (c *core) planned(cause error, again bool, random float64) {
	if !again {
		c.end(cause)
		return
	}
	l := &c.life
	delay, err := l.next(c.host.now(), cause, random)
	if err != nil {
		c.end(err)
		return
	}
	c.setState(State{Phase: Reconnecting, Attempt: l.attempt, Delay: delay, Cause: cause})
	c.isDown(Reconnecting, l.attempt, cause)
	l.timer = c.timerNow(delay, func(c *core) {
		c.isDown(Connecting, l.attempt, cause)
		c.host.dial(l.attempt)
	})
}

// dialFailed is an attempt that came to nothing.
func (c *core) dialFailed(err error) {
	l := &c.life
	if c.ended || !l.waiting {
		return
	}
	l.cause = err
	c.isDown(Reconnecting, l.attempt+1, err)
	c.notes.failures.tell(c.cfg, c.host.now(), l.attempt, err)
	c.plan(err, l.failed(c.host.now(), err, true))
}

// suspend deals with what was under way when the link was lost.
func (c *core) suspend(reason error) {
	c.blame.judge(c, reason)
	ids := c.requests.IDs()
	before := c.life.parked.take()
	c.life.publishes = 0
	for _, id := range ids {
		r := c.requests.Get(id)
		c.requests.Delete(id)
		if p := r.suspend(c, reason); p != nil {
			c.park(p)
		}
	}
	for _, p := range c.ackWindow.take() { // these were never written
		if !p.free {
			c.outCost += p.size()
		}
		p.free = false
		c.park(p)
	}
	for _, p := range append(c.life.behind.take(), before...) {
		c.park(p)
	}
	c.handleWindow.suspend(c)
	c.cutInvocations(&OutcomeUnknown{Reason: reason})
	clear(c.topicsByID)
	clear(c.procedures)
	for key, t := range c.topics {
		t.suspend(c)
		if t.handles.len() == 0 {
			delete(c.topics, key)
		}
	}
	for s := range c.subscriptions.seq {
		s.gap, s.calls = true, nil
	}
	for r := range c.registrations.seq {
		c.timers.stop(r.timer)
		r.timer, r.proc, r.turn = nil, nil, nil
		if r.phase == handleUp {
			c.move(r, handleAway)
		}
	}
	for _, t := range c.onWritten {
		t.wanted = false
	}
	c.onWritten = c.onWritten[:0]
	c.out.Reset(keepBatch)
}

// unwritten reports whether nothing of a message in batch seq has been handed
// to a link.
func (c *core) unwritten(seq uint64) bool { return seq > c.sentSeq }

// park keeps an operation for the next link.
func (c *core) park(p parked) {
	*p.parkedNode() = c.life.parked.push(p)
	if _, publish := p.(*Publish); publish {
		c.life.publishes++
	}
}

// unpark takes an operation out, if it is parked.
func (c *core) unpark(p parked) bool {
	at := p.parkedNode()
	if !(*at).listed() {
		return false
	}
	(*at).in.remove(*at)
	*at = nil
	if _, publish := p.(*Publish); publish {
		c.life.publishes--
	}
	return true
}

// restore brings back on a fresh link what the session had: registrations and
// subscriptions in the order in which they were made, then what waited. Of
// handles only as many are asked for at once as the window allows.
func (c *core) restore() {
	type handle struct {
		order uint64
		again func()
	}
	var all []handle
	for r, order := range c.registrations.seq {
		all = append(all, handle{order, func() { c.registerAgain(r) }})
	}
	for s, order := range c.subscriptions.seq {
		all = append(all, handle{order, func() { c.subscribeAgain(s) }})
	}
	slices.SortFunc(all, func(a, b handle) int { return cmp.Compare(a.order, b.order) })
	c.notes.restoring(c, len(all))
	for _, h := range all {
		h.again()
	}
	c.testaments.again(c)
	for at := c.life.parked.first(); at != nil; at = c.life.parked.first() {
		p := at.value
		if r, again := p.(repeated); again && r.suspected() >= suspectedFrom {
			c.life.parked.remove(at)
			*p.parkedNode() = c.blame.suspects.push(p)
			continue
		}
		c.unpark(p)
		p.resume(c)
	}
	c.nextSuspect()
	c.notes.restored(c)
}

// registerAgain sends REGISTER for a registration that lived on the old link.
func (c *core) registerAgain(r *Registration) {
	r.restored = 1
	if err := c.checkHandle(r); err != nil {
		r.drop(c, err, false)
		return
	}
	c.askAgain(&registerRequest{reg: r, again: true}, r.deaths)
}

// subscribeAgain sends SUBSCRIBE for the first handle of a topic. It asks for
// retained events if one of the handles wants them.
func (c *core) subscribeAgain(s *Subscription) {
	t := s.topic
	if err := c.checkHandle(s); err != nil {
		s.drop(c, err, false)
		return
	}
	s.fresh = s.Retained
	if t.asked == 0 && t.id == 0 {
		c.subscribe(t, s, t.wantsRetained(), true)
	}
}

// The router may still hold our dead session, and with it our registrations.
const (
	againFloor   = 100 * time.Millisecond
	againCeiling = 5 * time.Second
)

// takenAgain tries a registration again that was refused after a reconnect
// because somebody has it, most likely our dead session, for as long as the
// session lives. It reports whether there is another try.
func (c *core) takenAgain(r *Registration, err *Error) bool {
	if r.restored == 0 || !Is(err, ErrProcedureAlreadyExists) || r.phase == handleOver {
		return false
	}
	c.notes.taken(c, r, err)
	delay := min(againFloor<<min(r.restored-1, 10), againCeiling)
	r.restored++
	c.timers.stop(r.timer)
	r.timer = c.timerNow(delay, func(c *core) {
		r.timer = nil
		c.ask(&registerRequest{reg: r, again: true})
	})
	return true
}
