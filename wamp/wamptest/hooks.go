package wamptest

import (
	"context"
	"maps"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Exchange is one message between the router and a client, as a hook sees it.
type Exchange struct {
	// Session is the client's session, 0 before it has joined.
	Session proto.ID
	// Sent: the message goes to the client; otherwise it came from it.
	Sent bool
	// Message may be changed in place, except for the dicts it holds. Its
	// payload is in the form of Codec and valid until the hook returns.
	Message *proto.Message
	// Codec is the serializer of the client's link.
	Codec codec.Codec
}

// Payload returns the payload of the message. It is valid until the hook
// returns.
func (x *Exchange) Payload() codec.Payload { return codec.Received(x.Codec, x.Message) }

// SetPayload gives the message another payload.
func (x *Exchange) SetPayload(p codec.Payload) error {
	args, kwargs, err := encode(p, x.Codec)
	if err == nil {
		x.Message.Args, x.Message.Kwargs = args, kwargs
	}
	return err
}

// Hook sees every message in and out and says what becomes of it. It runs
// inside of the router: it must not wait, and must not call the router. One that
// ends its goroutine, as t.Fatal does, costs the message.
type Hook func(x *Exchange) Action

// Action says what becomes of a message. The zero Action lets it pass.
type Action struct {
	drop, cut, replaced bool
	delay               time.Duration
	with                []*proto.Message
}

// Pass lets the message pass.
func Pass() Action { return Action{} }

// Drop makes the message disappear.
func Drop() Action { return Action{drop: true} }

// Hold holds the message back for d. Others overtake it, but not those that are held
// back for as long. It is dropped when its session ends, or for a message to the client
// when the link is closed.
func Hold(d time.Duration) Action { return Action{delay: d} }

// Replace puts others, or none, in the place of the message. Their payloads
// must be in the form of the exchange's codec.
func Replace(with ...*proto.Message) Action { return Action{replaced: true, with: with} }

// CutLink drops the message and cuts the client's link. What the router has said before
// still arrives.
func CutLink() Action { return Action{drop: true, cut: true} }

// Hold holds what the action lets pass back for d.
func (a Action) Hold(d time.Duration) Action { a.delay = d; return a }

// perform does what a hook has said. next takes what passes; owner is that of what is
// held back.
func (r *Router) perform(l *link, owner any, m *proto.Message, a Action, next func(*link, *proto.Message)) {
	if a.drop || a.replaced && len(a.with) == 0 {
		r.counts.dropped++
	}
	switch {
	case a.cut:
		r.doom(l)
	case a.drop:
	case !a.replaced && a.delay <= 0:
		next(l, m)
	default:
		out := a.with
		if !a.replaced {
			out = []*proto.Message{m}
		}
		for _, m := range out {
			if a.delay <= 0 {
				next(l, m)
				continue
			}
			held := clone(m)
			r.holdBack(owner, a.delay, func() { next(l, held) })
		}
	}
}

// doom has a link cut, behind what is queued, when the event under way is done with.
// Nothing more is taken from it or sent. Actor only.
func (r *Router) doom(l *link) {
	l.closed = true
	r.doomed = append(r.doomed, l)
}

// SetHook installs a hook in place of the one there was; nil removes it. Requests
// that fail, are late or get lost need none: see Inject.
func (r *Router) SetHook(h Hook) { r.do(func() { r.hook = h }) }

// Delay holds every message that the router sends back for d, in order. 0 ends
// it.
func (r *Router) Delay(d time.Duration) { r.do(func() { r.delay = d }) }

// Stall makes the link of a session go dead without an end: the router neither
// reads nor writes nor answers pings. It reports whether there was one.
func (r *Router) Stall(id proto.ID) bool {
	return r.withSession(id, func(s *session) { s.link.gate.shut() })
}

// Unstall lets the link of a session go on.
func (r *Router) Unstall(id proto.ID) bool {
	return r.withSession(id, func(s *session) { s.link.gate.open() })
}

// StopReading makes the router read nothing more of what the client of a session
// sends: that piles up on the way, then at the client, whose pings are not
// answered either. It still gets what is sent to it. Seen at routers under load.
// It reports whether there was such a session.
func (r *Router) StopReading(id proto.ID) bool {
	return r.withSession(id, func(s *session) { s.link.ears.shut() })
}

// ResumeReading lets the router read on.
func (r *Router) ResumeReading(id proto.ID) bool {
	return r.withSession(id, func(s *session) { s.link.ears.open() })
}

// StallAll stalls every link, and those that come, until UnstallAll.
func (r *Router) StallAll() { r.stallAll(true) }

// UnstallAll lets every link go on.
func (r *Router) UnstallAll() { r.stallAll(false) }

func (r *Router) stallAll(on bool) {
	r.do(func() {
		r.stalled = on
		for l := range r.open {
			if on {
				l.gate.shut()
			} else {
				l.gate.open()
			}
		}
	})
}

// Send sends a message to a session past the hook, whatever it is: also one
// that no router would send. It reports whether there was such a session.
func (r *Router) Send(id proto.ID, m *proto.Message, payload ...codec.Payload) (ok bool, err error) {
	ok = r.withSession(id, func(s *session) {
		out := *m
		if len(payload) > 0 {
			if out.Args, out.Kwargs, err = encode(payload[0], s.link.codec); err != nil {
				return
			}
		}
		err = s.link.queue(&out)
	})
	return ok, err
}

// SendRaw sends bytes as one message to a session.
func (r *Router) SendRaw(id proto.ID, data []byte) bool {
	return r.withSession(id, func(s *session) { s.link.queueRaw(data) })
}

// refusals say how many joins and dials are still to be refused, -1 for all.
type refusals struct {
	joins, dials    int
	until           time.Time // joins are refused before this
	reason, message string
	err             error
}

// Refuse answers the next n joins, or all of them if n is negative, with ABORT
// and the reason. 0 ends it.
func (r *Router) Refuse(n int, reason string) {
	r.do(func() { r.refuse(n, time.Time{}, reason, "joins are refused") })
}

// RefuseFor answers all joins until d has passed with ABORT and the reason. 0
// ends it, and so does Refuse.
func (r *Router) RefuseFor(d time.Duration, reason string) {
	r.do(func() { r.refuse(0, time.Now().Add(d), reason, "joins are refused") })
}

func (r *Router) refuse(n int, until time.Time, reason, message string) {
	r.refused.joins, r.refused.until, r.refused.reason, r.refused.message = n, until, reason, message
}

// LoseWorker does what clients see when a router worker behind Crossbar's proxy
// dies: all sessions get GOODBYE wamp.close.normal, which they have not asked
// for, and for as long as the worker is away, d, who joins is told
// wamp.error.authentication_failed, with credentials that were fine before.
func (r *Router) LoseWorker(d time.Duration) {
	r.do(func() {
		r.refuse(0, time.Now().Add(d), proto.ErrURIAuthenticationFailed, "Frontend connection accept failed (the worker is gone)")
		for _, s := range sorted(r.sessions) {
			r.goodbye(s, proto.CloseURINormal)
		}
	})
}

// RefuseDials refuses the next n connections, or all of them if n is negative.
// In memory the dial fails with err, a listener hangs up. 0 ends it.
func (r *Router) RefuseDials(n int, err error) {
	r.do(func() { r.refused.dials, r.refused.err = n, err })
}

// takeOne counts a refusal down and reports whether it is due.
func takeOne(n *int) bool {
	if *n == 0 {
		return false
	}
	if *n > 0 {
		*n--
	}
	return true
}

// admit asks whether a connection may come in.
func (r *Router) admit(ctx context.Context) error {
	if r.cfg.accept != nil {
		if err := r.cfg.accept(ctx); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var err error
	if !r.do(func() {
		if takeOne(&r.refused.dials) {
			err = r.refused.err
			if err == nil {
				err = ErrClosed
			}
		}
	}) {
		return ErrClosed
	}
	return err
}

// Counts is a number for each message type.
type Counts map[proto.MessageType]int

// Stats says what the router has seen and what it holds.
type Stats struct {
	// Received and Sent count messages since the start. What a hook drops
	// counts as received, but not as sent.
	Received, Sent Counts
	// Violations are the protocol violations of clients.
	Violations []string
	// Dropped counts messages dropped by a hook or by WithQueueLimit, Late
	// the answers of callees that came after the end of the call.
	Dropped, Late int
	// Faults counts the requests that have met a Fault (Router.Inject).
	Faults int
	// Accepted counts connections since the start, Links those there are.
	Accepted, Links int
	// Sessions, Subscriptions, Registrations, Calls and Invocations are the
	// entries of the tables. Subscribers and Callees count each client of them.
	Sessions, Subscriptions, Subscribers, Registrations, Callees, Calls, Invocations int
	// Queued and QueuedBytes wait for writers, Held for a delay to pass.
	Queued, QueuedBytes, Held int
}

// Idle reports whether no call, subscription or registration is left.
func (s *Stats) Idle() bool { return s.Calls+s.Invocations+s.Subscriptions+s.Registrations == 0 }

// counters are the numbers that the actor keeps.
type counters struct {
	received, sent          Counts
	violations              []string
	dropped, late, accepted int
	faults                  int
}

// Stats returns the numbers as they are now.
func (r *Router) Stats() Stats {
	var s Stats
	r.do(func() { s = r.stats() })
	return s
}

func (r *Router) stats() Stats {
	s := Stats{
		Received: maps.Clone(r.counts.received), Sent: maps.Clone(r.counts.sent), Violations: append([]string(nil), r.counts.violations...),
		Dropped: r.counts.dropped, Late: r.counts.late, Faults: r.counts.faults, Accepted: r.counts.accepted, Held: len(r.held),
		Links: len(r.open), Sessions: len(r.sessions),
	}
	for re := range maps.Values(r.realms) {
		re.broker.count(&s)
		re.dealer.count(&s)
	}
	for _, c := range r.sessions {
		s.Calls, s.Invocations = s.Calls+len(c.calls), s.Invocations+len(c.invocations)
	}
	for l := range r.open {
		n, size := l.queued()
		s.Queued, s.QueuedBytes, s.Held = s.Queued+n, s.QueuedBytes+size, s.Held+len(l.late)
	}
	return s
}

// waiter waits for a condition.
type waiter struct {
	cond func(Stats) bool
	met  chan struct{} // closed when it holds
}

// WaitFor returns when cond holds; it is asked whenever the router has done
// something. ctx bounds the wait. In a bubble, synctest.Wait and Stats do.
func (r *Router) WaitFor(ctx context.Context, cond func(Stats) bool) error {
	w := &waiter{cond: cond, met: make(chan struct{})}
	if !r.do(func() { r.waiters = append(r.waiters, w) }) {
		return ErrClosed
	}
	select {
	case <-w.met:
		return nil
	case <-r.done:
		return ErrClosed
	case <-ctx.Done():
		r.do(func() {
			for i := range r.waiters {
				if r.waiters[i] == w {
					r.waiters = append(r.waiters[:i], r.waiters[i+1:]...)
					return
				}
			}
		})
		return ctx.Err()
	}
}

// wakeWaiters ends the waits whose condition holds. Actor only.
func (r *Router) wakeWaiters() {
	if len(r.waiters) == 0 {
		return
	}
	now := r.stats()
	for range len(r.waiters) {
		w := r.waiters[0]
		r.waiters = r.waiters[1:]
		if !w.asked(now) {
			r.waiters = append(r.waiters, w)
		}
	}
}

// asked reports whether the condition holds. One that ends the goroutine
// instead of answering is not asked again.
func (w *waiter) asked(now Stats) (met bool) {
	met = true
	defer func() {
		if met {
			close(w.met)
		}
	}()
	met = w.cond(now)
	return met
}
