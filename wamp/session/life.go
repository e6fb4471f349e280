package session

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// This file is the life of a session over its links: which ends are final,
// when to dial again, what becomes of what was under way, and the restore.

// Reconnect says when and how often a lost link is dialled again.
type Reconnect struct {
	// Min and Max are floor and ceiling of the delay before an attempt; the
	// ceiling of the first is Min doubled. Defaults 100 ms and 30 s.
	Min, Max time.Duration
	// Attempts limits the attempts in a row, Time how long they may take
	// together. Zero: no limit.
	Attempts int
	Time     time.Duration
	// Hold is how long a link must have held for the count to begin anew.
	// Default 10 s.
	Hold time.Duration
	// Join bounds one attempt: dial, handshakes and login. Default 20 s.
	Join time.Duration
	// Killed: also after the router has killed the session, by GOODBYE
	// wamp.close.killed. A router that kills by another reason, as Crossbar does
	// by wamp.close.normal, cannot be told from one that goes away: such a kill
	// is undone by the next attempt whatever Killed says.
	Killed bool
	// Initial: also for the first connection.
	Initial bool
	// FailFast: operations that begin while there is no link fail at once
	// with ErrNotConnected; otherwise they wait under their contexts.
	FailFast bool
	// Redial decides for each loss, and each attempt that failed, whether it is
	// dialled again. It takes the place of all other rules but Attempts and
	// Time; only Close is not asked about. It runs on a goroutine of its own.
	// Where it panics, or takes longer than DialTimeout, the rules decide. Nil:
	// the rules.
	Redial func(cause error) bool
	// Random gives numbers from 0 up to 1 for the jitter. Others, and a function
	// that panics, are as good as none. Default: math/rand.
	Random func() float64
}

func (r *Reconnect) setDefaults() {
	if r.Min <= 0 {
		r.Min = 100 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = 30 * time.Second
	}
	r.Max = max(r.Max, r.Min)
	if r.Hold <= 0 {
		r.Hold = 10 * time.Second
	}
	if r.Join <= 0 {
		r.Join = 20 * time.Second
	}
}

// consults reports whether the policy has code of the user's.
func (r *Reconnect) consults() bool { return r.Redial != nil || r.Random != nil }

// decide asks the policy whether cause is an end of the link only, where the
// rules say that it is (again), and for the jitter of the next attempt. What
// panics in a user's function counts as not asked.
func (r *Reconnect) decide(cause error, again bool, fault func(what string, p any)) (bool, float64) {
	random := rand.Float64()
	if r.Redial != nil {
		guard("Backoff.Redial", fault, func() { again = r.Redial(cause) })
	}
	if again && r.Random != nil {
		guard("Backoff.Random", fault, func() {
			if said := r.Random(); said >= 0 && said <= 1 { // and not NaN
				random = said
			}
		})
	}
	return again, random
}

// policyCode is the user's code in a policy, in the log.
const policyCode = "Backoff.Redial or Backoff.Random"

// asked is decide for the first connection, where nobody waits longer than
// DialTimeout, or beyond ctx.
func (r *Reconnect) asked(ctx context.Context, cfg *Config, cause error, again bool) (bool, float64) {
	if !r.consults() {
		return r.decide(cause, again, cfg.fault)
	}
	t := time.NewTimer(cfg.DialTimeout)
	defer t.Stop()
	type answer struct {
		again  bool
		random float64
	}
	said := make(chan answer, 1)
	go func() { // ends with the user's code
		a := answer{again, rand.Float64()}
		defer func() { said <- a }() // also behind runtime.Goexit
		a.again, a.random = r.decide(cause, again, cfg.fault)
	}()
	select {
	case a := <-said:
		return a.again, a.random
	case <-ctx.Done():
	case <-t.C:
		(&notes{sink: cfg.faults}).stuck(policyCode, cfg.DialTimeout)
	}
	return again, rand.Float64()
}

// delay is the wait before an attempt, counted from 1: full jitter between the
// floor and a ceiling that doubles.
func (r *Reconnect) delay(attempt int, random float64) time.Duration {
	ceiling := r.Max
	if attempt < 30 {
		if c := r.Min << attempt; c > 0 && c < ceiling {
			ceiling = c
		}
	}
	return r.Min + time.Duration(random*float64(ceiling-r.Min))
}

// Phase is where a session is in its life.
type Phase uint8

// The phases of a session. Nobody can listen yet while it is Connecting for
// the first time: that one is in the log only.
const (
	Connecting Phase = iota + 1
	Joined
	Reconnecting
	Closed
)

// String returns the phase in lower case.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Joined:
		return "joined"
	case Reconnecting:
		return "reconnecting"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// State is a moment in the life of a session.
type State struct {
	Phase Phase
	// Details are those of the session, while it is joined.
	Details *Details
	// Attempt counts the attempts since the link was lost, from 1, and Delay
	// is the wait before it, while reconnecting.
	Attempt int
	Delay   time.Duration
	// Cause is why the link was lost or the last attempt failed, or why the
	// session is closed; nil after Close.
	Cause error
}

// life is the core's part of the lifecycle. Actor only.
type life struct {
	policy    *Reconnect // nil: the first loss is the end
	attempt   int
	since     time.Time // when the attempts in a row began
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
	state     State
	watchers  map[*stateWatcher]struct{}

	answered bool // the link has answered an operation of the user's
	bad      int  // links in a row that ended because somebody broke the protocol, none of which had answered
	refused  int  // logins in a row that were refused
	refusing time.Time
}

const (
	// mostBad is how many links in a row may end by a breach of the protocol.
	mostBad = 5
	// mostRefused is how many logins in a row may be refused once the session
	// has been joined, and refusedTime over how long a time at least: a proxy
	// refuses while its router is being started again.
	mostRefused = 5
	refusedTime = time.Minute
)

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
	place() **node[parked]
}

// stateWatcher is one listener of States.
type stateWatcher struct {
	*flow.Latest[State]
	stop func() bool // takes the listener's context off
}

// setState tells everybody who listens.
func (c *core) setState(s State) {
	c.life.state = s
	for w := range c.life.watchers {
		w.Put(s)
	}
	if s.Phase == Closed {
		for w := range c.life.watchers {
			w.Close()
			w.stop()
		}
		c.life.watchers = nil
	}
	c.logState(s)
}

// final reports whether an end is the end of the session by the rules, and not
// only of its link. joined: it has been joined before.
func (r *Reconnect) final(err error, joined bool) bool {
	if goodbye, is := Find[*GoodbyeError](err); is {
		return goodbye.Reason == proto.CloseURIKilled && !r.Killed
	}
	if breach(err) {
		return false // these are counted
	}
	if abort, is := Find[*AbortError](err); is && abort.Reason == proto.ErrURINoSuchRealm {
		return !joined
	}
	return !joined && refusal(err)
}

// breach reports whether an end was one of those that a broken message makes:
// ours, or the router's ABORT.
func breach(err error) bool {
	if _, is := Find[*ProtocolError](err); is {
		return true
	}
	abort, is := Find[*AbortError](err)
	return is && abort.Reason == proto.ErrURIProtocolViolation
}

// refusal reports whether a login was refused, by either side, for a reason that
// does not go away by itself.
func refusal(err error) bool {
	if handshake, is := Find[*transport.HandshakeError](err); is && (handshake.Status == 401 || handshake.Status == 403) {
		return true
	}
	if _, is := Find[*authn.CredentialError](err); is {
		return false // a provider may have something the next time
	}
	if abort, is := Find[*AbortError](err); is {
		switch abort.Reason {
		case proto.ErrURINotAuthorized, proto.ErrURIAuthorizationFailed, proto.ErrURIAuthorizationDenied,
			proto.ErrURIAuthorizationRequired, proto.ErrURIAuthenticationFailed, proto.ErrURIAuthenticationDenied,
			proto.ErrURIAuthenticationRequired, proto.ErrURINoSuchPrincipal, proto.ErrURINoMatchingAuthMethod,
			proto.ErrURINoAuthMethod, proto.ErrURINoSuchRole:
			return true
		}
		return false
	}
	_, login := Find[*LoginError](err)
	return login
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
	if l.downAt.Sub(l.joinedAt) >= l.policy.Hold || l.attempt == 0 {
		l.attempt, l.since = 0, l.downAt
	}
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
		c.notes.stuck(policyCode, c.cfg.DialTimeout)
		rules.apply(c)
	})
	c.host.consult(func() op {
		again, random := p.decide(cause, again, c.notes.fault)
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
	l := &c.life
	p := l.policy
	if !again {
		c.end(cause)
		return
	}
	if p.Attempts > 0 && l.attempt >= p.Attempts {
		c.end(&GaveUpError{Attempts: l.attempt, Err: cause})
		return
	}
	l.attempt++
	delay := p.delay(l.attempt, random)
	if p.Time > 0 && c.host.now().Add(delay).Sub(l.since) > p.Time {
		c.end(&GaveUpError{Attempts: l.attempt - 1, Err: cause})
		return
	}
	c.setState(State{Phase: Reconnecting, Attempt: l.attempt, Delay: delay, Cause: cause})
	l.timer = c.timerNow(delay, func(c *core) { c.host.dial(l.attempt) })
}

// dialFailed is an attempt that came to nothing.
func (c *core) dialFailed(err error) {
	l := &c.life
	if c.ended || !l.waiting {
		return
	}
	l.cause = err
	again := !l.policy.final(err, true)
	switch {
	case breach(err):
		l.bad++
		again = l.bad < mostBad
	case refusal(err):
		if l.refused++; l.refused == 1 {
			l.refusing = c.host.now()
		}
		again = l.refused < mostRefused || c.host.now().Sub(l.refusing) < refusedTime
	}
	c.plan(err, again)
}

// suspend deals with what was under way when the link was lost.
func (c *core) suspend(reason error) {
	c.blame.judge(c, reason)
	ids := make([]proto.ID, 0, len(c.requests))
	for id := range c.requests {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	before := c.life.parked.take()
	c.life.publishes = 0
	for _, id := range ids {
		r := c.requests[id]
		delete(c.requests, id)
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
	*p.place() = c.life.parked.push(p)
	if _, publish := p.(*Publish); publish {
		c.life.publishes++
	}
}

// unpark takes an operation out, if it is parked.
func (c *core) unpark(p parked) bool {
	at := p.place()
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
	c.notes.restoring(len(all))
	for _, h := range all {
		h.again()
	}
	c.testaments.again(c)
	for at := c.life.parked.first(); at != nil; at = c.life.parked.first() {
		p := at.value
		if r, again := p.(repeated); again && r.suspected() >= suspectedFrom {
			c.life.parked.remove(at)
			*p.place() = c.blame.suspects.push(p)
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
	delay := min(againFloor<<min(r.restored-1, 10), againCeiling)
	r.restored++
	c.timers.stop(r.timer)
	r.timer = c.timerNow(delay, func(c *core) {
		r.timer = nil
		c.ask(&registerRequest{reg: r, again: true})
	})
	return true
}

// statesOp adds a listener.
type statesOp struct {
	w *stateWatcher
}

// refuse says that the session is over. Its argument is the session's error.
func (o *statesOp) refuse(err error) {
	if closed, is := Find[*ClosedError](err); is {
		err = closed.Reason
	}
	if !o.w.Over() {
		o.w.Put(State{Phase: Closed, Cause: err})
		o.w.Close()
		o.w.stop()
	}
}

func (o *statesOp) apply(c *core) {
	if o.w.Over() {
		return
	}
	if c.life.watchers == nil {
		c.life.watchers = map[*stateWatcher]struct{}{}
	}
	c.life.watchers[o.w] = struct{}{}
	o.w.Put(c.life.state)
}

// unlistenOp takes a listener out and closes its channel.
type unlistenOp struct{ w *stateWatcher }

func (o *unlistenOp) refuse(error) {}

func (o *unlistenOp) apply(c *core) {
	o.w.Close()
	delete(c.life.watchers, o.w)
}
