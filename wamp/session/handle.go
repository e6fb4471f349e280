package session

import (
	"context"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Handle is what a [Subscription] and a [Registration] have in common. Its user
// fills in the exported fields before it hands the whole over; from then on it
// belongs to the actor.
type Handle struct {
	// Ctx owns it.
	Ctx context.Context
	// URI is the topic, procedure or pattern, and Match how it matches.
	URI   string
	Match proto.MatchPolicy
	// Options are sent as they are, beside match.
	Options proto.Dict
	// Needs are features without which it fails.
	Needs []Need
	// Ready gets one value: nil when the router has acknowledged, or why it
	// has not. Its capacity is 1.
	Ready chan error

	// Actor only, from here on.
	phase    handlePhase
	silences int // links in a row on which the router did not acknowledge it
	watch    watched
	parkedAt *node[parked] // where it waits for a link
	slow     slowConsumer
	id       atomic.Uint64 // the router's, for users
}

// handlePhase is where a handle is in its life.
type handlePhase uint8

const (
	// handleBegun: it is in no table. It may wait for a link.
	handleBegun handlePhase = iota
	// handleAsked: it has asked the router, and never been acknowledged.
	handleAsked
	// handleShares: it waits for what is answered to another handle of its topic,
	// and has never been acknowledged. Subscriptions only.
	handleShares
	// handleUp: the router has acknowledged it.
	handleUp
	// handleAway: the link on which it was acknowledged is lost.
	handleAway
	// handleOver: its user has been told of its end.
	handleOver

	handlePhases = iota
)

// String returns the phase in lower case.
func (p handlePhase) String() string {
	return [handlePhases]string{"begun", "asked", "sharing", "up", "away", "over"}[p]
}

// acked reports whether the router has acknowledged a handle, on whichever link.
func (p handlePhase) acked() bool { return p == handleUp || p == handleAway }

// handleMoves says which phase may follow which. It is never changed.
var handleMoves = [handlePhases][handlePhases]bool{
	handleBegun: {
		handleAsked:  true,
		handleShares: true,
		handleUp:     true, // the router has its topic
		handleOver:   true,
	},
	handleAsked: {
		handleShares: true, // another SUBSCRIBE is to come: on the next link, or of a handle with other wishes
		handleUp:     true,
		handleOver:   true,
	},
	handleShares: {
		handleUp:   true,
		handleOver: true,
	},
	handleUp: {
		handleAway: true,
		handleOver: true,
	},
	handleAway: {
		handleUp:   true,
		handleOver: true,
	},
}

// move takes the handle to another phase. It reports whether that may follow; if
// not, nothing is changed. Nothing else writes the phase.
func (h *Handle) move(to handlePhase) bool {
	if !handleMoves[h.phase][to] {
		return false
	}
	h.phase = to
	return true
}

// move takes a handle to another phase. A step that is not in the table is a
// mistake of the engine: tests fail, and elsewhere it is logged and not done, so
// that nobody is told anything twice.
func (c *core) move(h handled, to handlePhase) bool {
	b := h.handle()
	if b.move(to) {
		return true
	}
	c.host.mistake("a " + h.kind().name + " that is " + b.phase.String() + " cannot be " + to.String())
	return false
}

// handled is a Subscription or a Registration.
type handled interface {
	parked
	ctxOwner
	handle() *Handle
	kind() *handleKind
	// start asks the router, if nothing stands against it, or parks it.
	start(c *core)
	// drop ends one that is in its table; any other is left alone. now: its end
	// does not wait behind what its user has not read.
	drop(c *core, err error, now bool)
	// drains reports whether a Drain ends it and waits for its handlers.
	drains() bool
	// routerID is the id that the router has given it on this link, 0 for none.
	routerID() proto.ID
	// tell ends its sink.
	tell(e End)
}

var (
	_ handled = (*Subscription)(nil)
	_ handled = (*Registration)(nil)
)

// handleKind is what tells subscriptions and registrations apart.
type handleKind struct {
	name      string            // in errors
	patterns  Need              // of a match that is not exact
	leave     proto.MessageType // ends it at the router
	left      error             // the end that its user asks for
	key       string            // of its URI in the log
	ended     Record            // by itself
	leftByCtx Record            // by its context
}

var (
	subscriptionKind = handleKind{"subscription", topicsNeed, proto.Unsubscribe, ErrUnsubscribed, "topic", RecordSubscriptionEnded, RecordSubscriptionLeft}
	registrationKind = handleKind{"registration", patternsNeed, proto.Unregister, ErrUnregistered, "procedure", RecordRegistrationEnded, RecordRegistrationLeft}
)

// Asked reports whether the end of a handle is what its user has asked for, which is
// no failure.
func Asked(err error) bool {
	return err == ErrUnsubscribed || err == ErrUnregistered || err == ErrDraining
}

// ID returns the router's id. It is set when Ready has delivered nil, and must
// not be asked for before.
func (h *Handle) ID() proto.ID { return proto.ID(h.id.Load()) }

func (h *Handle) handle() *Handle { return h }

func (h *Handle) size() int { return len(h.URI) + 64 }

func (h *Handle) parkedNode() **node[parked] { return &h.parkedAt }

// refuse ends a handle that is in no table.
func (h *Handle) refused(err error, tell func(End)) {
	if h.move(handleOver) {
		h.Ready <- err
		tell(End{Err: err})
	}
}

// applyHandle takes a handle that its user has handed over.
func (c *core) applyHandle(h handled) {
	c.outCost += h.handle().size()
	h.start(c)
}

// resumeHandle takes a handle that has waited for a link.
func (c *core) resumeHandle(h handled) {
	c.unwatch(&h.handle().watch)
	h.start(c)
}

// admit reports whether the router is to be asked for a handle now. Otherwise it
// has been refused, or waits for a link.
func (c *core) admit(h handled) bool {
	b := h.handle()
	switch {
	case b.Ctx.Err() != nil:
		h.refuse(newCanceled(b.Ctx))
	case c.draining && h.drains():
		h.refuse(ErrDraining)
	case c.life.waiting:
		c.watch(b.Ctx, &b.watch, h)
		c.park(h)
	case c.state != proto.StateEstablished:
		h.refuse(c.closedError())
	default:
		if err := c.checkHandle(h); err != nil {
			h.refuse(err)
			return false
		}
		return true
	}
	return false
}

// checkHandle reports what stands against a handle at this router.
func (c *core) checkHandle(h handled) error {
	b, kind := h.handle(), h.kind()
	if err := c.needRole(kind.patterns.Role); err != nil {
		return err
	}
	if b.Match != proto.Exact {
		n := kind.patterns
		n.Option = matchOption(b.Match)
		if err := c.need(n); err != nil {
			return err
		}
	}
	return c.needAll(b.Needs)
}

// matchOption is the option of package wamp that makes a pattern.
func matchOption(m proto.MatchPolicy) string { return "Match(" + string(m) + ")" }

// up says that the router has acknowledged a handle.
func (c *core) up(h handled, id proto.ID) {
	b := h.handle()
	known := b.phase.acked()
	if !c.move(h, handleUp) {
		return
	}
	b.silences = 0
	b.id.Store(uint64(id))
	if !known {
		b.Ready <- nil
	}
}

// over ends a handle that its table has let go of. back: it was counted among
// those that come back.
func (c *core) over(h handled, err error, now, back bool) {
	b := h.handle()
	c.unwatch(&b.watch)
	known := b.phase.acked()
	if !c.move(h, handleOver) {
		return
	}
	if back {
		c.notes.cameBack(c, false)
	}
	b.slow.tellLast(c)
	if known {
		c.logHandle(h, err, now)
	} else {
		b.Ready <- err
	}
	h.tell(End{Err: err, Now: now})
}

// handleCtxEnded ends a handle with its context.
func (c *core) handleCtxEnded(ctx context.Context, h handled) {
	if c.unpark(h) {
		c.unwatch(&h.handle().watch)
		h.refuse(canceledOffline(ctx, c.life.cause))
		return
	}
	h.drop(c, newCanceled(ctx), true)
}

// mostSilences is how often a link is given up because the router has not
// acknowledged a handle that had been there, before the handle is.
const mostSilences = 2

// silent takes note that the router has not acknowledged a handle in time, and
// reports whether it is to be asked for on another link. What is asked for the
// first time ends. What had been there may be half done at the router, so a fresh
// link comes before that.
func (c *core) silent(h handled) (again bool) {
	b := h.handle()
	if !b.phase.acked() || c.life.policy == nil || b.silences >= mostSilences {
		h.drop(c, ErrAckTimeout, true)
		return false
	}
	b.silences++
	return true
}

// leaveOp is Unsubscribe or Unregister: done gets the router's answer.
type leaveOp struct {
	h    handled
	done chan error // capacity 1
}

func (o *leaveOp) refuse(err error) { o.done <- err }

func (o *leaveOp) apply(c *core) {
	kind, id := o.h.kind(), o.h.routerID()
	o.h.drop(c, kind.left, true)
	if q := c.handleWindow.leaving[leaving{kind, id}]; q != nil {
		q.wait = append(q.wait, o.done)
		return
	}
	o.done <- nil
}

// leaving is a subscription or registration of the router that is being left.
type leaving struct {
	kind *handleKind
	id   proto.ID
}

// leaveRequest is an UNSUBSCRIBE or UNREGISTER. Events and invocations that still
// come find nobody: those are dropped, and these answered unavailable.
type leaveRequest struct {
	asking
	of   leaving
	wait []chan error
	then []ask // to be asked again when it is over
}

// leave sends UNSUBSCRIBE or UNREGISTER.
func (c *core) leave(kind *handleKind, id proto.ID) {
	if c.state != proto.StateEstablished {
		return
	}
	q := &leaveRequest{of: leaving{kind, id}}
	c.handleWindow.leaving[q.of] = q
	c.ask(q)
}

// crossed returns the request that leaves what the router has given to somebody
// else meanwhile, nil if there is none. One that has not been sent is not needed
// any more. Behind one that has been sent the router will have ended it.
func (c *core) crossed(kind *handleKind, id proto.ID) *leaveRequest {
	q := c.handleWindow.leaving[leaving{kind, id}]
	if q != nil && !q.open {
		c.handleWindow.unqueue(q)
		q.over(c, nil)
		return nil
	}
	return q
}

func (q *leaveRequest) requestType() proto.MessageType { return q.of.kind.leave }
func (q *leaveRequest) topicOf() string                { return "" }
func (q *leaveRequest) users() bool                    { return true }

func (q *leaveRequest) send(c *core) (id proto.ID, wanted bool, err error) {
	id, err = c.send(&proto.Message{Type: q.of.kind.leave, ID: q.of.id})
	return id, err == nil, err
}

func (q *leaveRequest) reply(c *core, _ *proto.Message) bool {
	c.free(q)
	q.over(c, nil)
	return false
}

func (q *leaveRequest) fail(c *core, err *Error) {
	c.free(q)
	q.over(c, err)
}

func (q *leaveRequest) refused(c *core, err error) { q.over(c, err) }
func (q *leaveRequest) lost(c *core, err error)    { q.over(c, err) }

func (q *leaveRequest) silent(c *core) {
	c.requests.Delete(q.id)
	q.over(c, ErrAckTimeout)
}

// suspend: what it leaves went with the link.
func (q *leaveRequest) suspend(c *core, _ error) parked {
	q.open = false
	c.timers.stop(&q.timer)
	q.over(c, nil)
	return nil
}

// over tells those who wait.
func (q *leaveRequest) over(c *core, err error) {
	if c.handleWindow.leaving[q.of] == q {
		delete(c.handleWindow.leaving, q.of)
	}
	for _, ch := range q.wait {
		ch <- err
	}
	q.wait = nil
	c.askAfter(&q.then)
}
