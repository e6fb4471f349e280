package session

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
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
	// Killed: also after the router has killed the session.
	Killed bool
	// Initial: also for the first connection.
	Initial bool
	// FailFast: operations that begin while there is no link fail at once
	// with ErrNotConnected; otherwise they wait under their contexts.
	FailFast bool
	// Random gives numbers from 0 up to 1 for the jitter. Default: math/rand.
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
	if r.Random == nil {
		r.Random = rand.Float64
	}
}

// delay is the wait before an attempt, counted from 1: full jitter between the
// floor and a ceiling that doubles.
func (r *Reconnect) delay(attempt int) time.Duration {
	ceiling := r.Max
	if attempt < 30 {
		if c := r.Min << attempt; c > 0 && c < ceiling {
			ceiling = c
		}
	}
	return r.Min + time.Duration(r.Random()*float64(ceiling-r.Min))
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
	policy   *Reconnect // nil: the first loss is the end
	attempt  int
	since    time.Time // when the attempts in a row began
	joinedAt time.Time
	timer    *timer
	parked   []parked // operations that wait for a link, in their order
	waiting  bool     // there is no link
	state    State
	watchers []*stateWatcher
}

// parked is an operation that waits for a link.
type parked interface {
	op
	// resume applies it on the new link.
	resume(c *core)
}

// stateWatcher is one listener of States.
type stateWatcher struct {
	ch   chan State  // capacity 1; the latest state, older ones folded
	stop func() bool // takes the listener's context off
	over bool
}

// end closes the channel.
func (w *stateWatcher) end() {
	if !w.over {
		w.over = true
		close(w.ch)
	}
}

func (w *stateWatcher) put(s State) {
	for {
		select {
		case w.ch <- s:
			return
		default:
		}
		select {
		case <-w.ch: // the only sender folds what was not read
		default:
		}
	}
}

// setState tells everybody who listens.
func (c *core) setState(s State) {
	c.life.state = s
	for _, w := range c.life.watchers {
		w.put(s)
	}
	if s.Phase == Closed {
		for _, w := range c.life.watchers {
			w.end()
			w.stop()
		}
		c.life.watchers = nil
	}
	attrs := []any{"phase", s.Phase.String()}
	switch s.Phase {
	case Joined:
		attrs = append(attrs, "session", uint64(s.Details.Session), "protocol", s.Details.Protocol)
	case Reconnecting:
		attrs = append(attrs, "attempt", s.Attempt, "delay", s.Delay)
	}
	if s.Cause != nil {
		attrs = append(attrs, "cause", s.Cause.Error())
	}
	c.log.Info("wamp: session "+s.Phase.String(), attrs...)
}

// final reports whether an end is the end of the session, and not only of its
// link. joined: it has been joined before.
func (r *Reconnect) final(err error, joined bool) bool {
	var goodbye *GoodbyeError
	if errors.As(err, &goodbye) {
		switch goodbye.Reason {
		case proto.CloseURIKilled:
			return !r.Killed
		case proto.CloseURINormal, proto.CloseURIGoodbyeAndOut:
			return true
		}
		return false
	}
	var abort *AbortError
	if errors.As(err, &abort) {
		return finalAbort(abort.Reason, joined)
	}
	var violation *ProtocolError
	if errors.As(err, &violation) {
		return true
	}
	var handshake *transport.HandshakeError
	if errors.As(err, &handshake) && (handshake.Status == 401 || handshake.Status == 403) {
		return true
	}
	var credential *authn.CredentialError
	if errors.As(err, &credential) {
		return false // a provider may have something the next time
	}
	var login *LoginError
	return errors.As(err, &login)
}

// finalAbort reports whether an ABORT's reason will not change by itself.
func finalAbort(reason string, joined bool) bool {
	switch reason {
	case proto.ErrURINoSuchRealm:
		return !joined
	case proto.ErrURIProtocolViolation, proto.ErrURINotAuthorized, proto.ErrURIAuthorizationFailed,
		proto.ErrURIAuthorizationDenied, proto.ErrURIAuthorizationRequired, proto.ErrURIAuthenticationFailed,
		proto.ErrURIAuthenticationDenied, proto.ErrURIAuthenticationRequired, proto.ErrURINoSuchPrincipal,
		proto.ErrURINoMatchingAuthMethod, proto.ErrURINoAuthMethod, proto.ErrURINoSuchRole:
		return true
	}
	return false
}

// lose is the loss of the link: the end of the session, or the beginning of a
// reconnect.
func (c *core) lose(reason error) {
	l := &c.life
	if c.ended || c.state == proto.StateClosing || l.policy == nil || l.policy.final(reason, true) {
		c.end(reason)
		return
	}
	last := c.finished // GOODBYE is to be answered
	c.finished = false
	c.host.linkDown(last)
	c.state = proto.StateClosed
	l.waiting = true
	now := c.host.now()
	if now.Sub(l.joinedAt) >= l.policy.Hold || l.attempt == 0 {
		l.attempt, l.since = 0, now
	}
	c.suspend(reason)
	c.retry(reason)
}

// retry plans the next attempt, or gives up.
func (c *core) retry(cause error) {
	l := &c.life
	p := l.policy
	if p.Attempts > 0 && l.attempt >= p.Attempts {
		c.end(&GaveUpError{Attempts: l.attempt, Err: cause})
		return
	}
	l.attempt++
	delay := p.delay(l.attempt)
	if p.Time > 0 && c.host.now().Add(delay).Sub(l.since) > p.Time {
		c.end(&GaveUpError{Attempts: l.attempt - 1, Err: cause})
		return
	}
	c.setState(State{Phase: Reconnecting, Attempt: l.attempt, Delay: delay, Cause: cause})
	l.timer = c.timerNow(delay, func(c *core) { c.host.dial(l.attempt) })
}

// dialFailed is an attempt that came to nothing.
func (c *core) dialFailed(err error) {
	if c.ended || !c.life.waiting {
		return
	}
	if c.life.policy.final(err, true) {
		c.end(err)
		return
	}
	c.retry(err)
}

// suspend deals with what was under way when the link was lost.
func (c *core) suspend(reason error) {
	ids := make([]proto.ID, 0, len(c.requests))
	for id := range c.requests {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var again []parked
	for _, id := range ids {
		r := c.requests[id]
		delete(c.requests, id)
		if p := r.suspend(c, reason); p != nil {
			again = append(again, p)
		}
	}
	c.life.parked = append(again, c.life.parked...)
	c.cutInvocations(&OutcomeUnknown{Reason: reason})
	clear(c.subs)
	clear(c.regs)
	for key, t := range c.topics {
		t.id, t.asked = 0, 0
		if len(t.handles) == 0 {
			delete(c.topics, key)
		}
	}
	for _, s := range c.handles.all() {
		c.timers.stop(s.timer)
		s.timer, s.gap, s.back = nil, true, true
	}
	for _, r := range c.procs.all() {
		c.timers.stop(r.timer)
		r.timer, r.id = nil, 0
	}
	for _, t := range c.unacked {
		t.wanted = false
	}
	c.unacked = c.unacked[:0]
	c.out.Reset(keepBatch)
}

// unwritten reports whether nothing of a message in batch seq has been handed
// to a link.
func (c *core) unwritten(seq uint64) bool { return seq > c.sentSeq }

// park keeps an operation for the next link.
func (c *core) park(p parked) { c.life.parked = append(c.life.parked, p) }

// unpark takes an operation out whose context has ended.
func (c *core) unpark(p parked) {
	l := &c.life
	if i := slices.Index(l.parked, p); i >= 0 {
		l.parked = slices.Delete(l.parked, i, i+1)
	}
}

// restore brings back on a fresh link what the session had: registrations and
// subscriptions in the order in which they were made, then what waited.
func (c *core) restore() {
	l := &c.life
	type handle struct {
		order uint64
		again func()
	}
	var all []handle
	for r, order := range c.procs.seq {
		all = append(all, handle{order, func() { c.registerAgain(r) }})
	}
	for s, order := range c.handles.seq {
		all = append(all, handle{order, func() { c.subscribeAgain(s) }})
	}
	slices.SortFunc(all, func(a, b handle) int {
		if a.order < b.order {
			return -1
		}
		return 1
	})
	for _, h := range all {
		h.again()
	}
	c.wills.again(c)
	again := l.parked
	l.parked = nil
	for _, p := range again {
		p.resume(c)
	}
}

// registerAgain sends REGISTER for a registration that lived on the old link.
func (c *core) registerAgain(r *Registration) {
	r.restored, r.waited = 1, 0
	err := r.check(c)
	if err == nil {
		err = c.register(r)
	}
	if err != nil {
		c.dropRegistration(r, err, false)
	}
}

// subscribeAgain sends SUBSCRIBE for the first handle of a topic. It asks for
// retained events if one of the handles wants them.
func (c *core) subscribeAgain(s *Subscription) {
	t := s.topic
	err := s.check(c)
	if err == nil && t.asked == 0 && t.id == 0 {
		err = c.subscribe(t, s, slices.ContainsFunc(t.handles, func(h *Subscription) bool { return h.Retained }))
	}
	if err != nil {
		c.dropHandle(s, err, false)
		return
	}
	s.fresh, s.taking = s.Retained, false
	s.timer = c.timerOnWrite(s.AckTimeout, func(c *core) { c.dropHandle(s, ErrAckTimeout, true) })
}

// The router may still hold our dead session, and with it our registrations.
const (
	againFloor   = 100 * time.Millisecond
	againCeiling = 5 * time.Second
	againTime    = time.Minute
)

// takenAgain tries a registration again that was refused after a reconnect
// because somebody has it, most likely our dead session. It reports whether
// there is another try.
func (c *core) takenAgain(r *Registration, err *Error) bool {
	if r.restored == 0 || !errors.Is(err, ErrProcedureAlreadyExists) || r.gone {
		return false
	}
	delay := min(againFloor<<min(r.restored-1, 10), againCeiling)
	if r.waited += delay; r.waited > againTime {
		return false
	}
	r.restored++
	c.timers.stop(r.timer)
	r.timer = c.timerNow(delay, func(c *core) {
		r.timer = nil
		if err := c.register(r); err != nil {
			c.dropRegistration(r, err, false)
		}
	})
	return true
}

// statesOp adds a listener.
type statesOp struct {
	w *stateWatcher
}

// refuse says that the session is over. Its argument is the session's error.
func (o *statesOp) refuse(err error) {
	var closed *ClosedError
	if errors.As(err, &closed) {
		err = closed.Reason
	}
	if !o.w.over {
		o.w.put(State{Phase: Closed, Cause: err})
		o.w.end()
		o.w.stop()
	}
}

func (o *statesOp) apply(c *core) {
	if o.w.over {
		return
	}
	c.life.watchers = append(c.life.watchers, o.w)
	o.w.put(c.life.state)
}

// unlistenOp takes a listener out and closes its channel.
type unlistenOp struct{ w *stateWatcher }

func (o *unlistenOp) refuse(error) {}

func (o *unlistenOp) apply(c *core) {
	o.w.end()
	c.life.watchers = slices.DeleteFunc(c.life.watchers, func(w *stateWatcher) bool { return w == o.w })
}
