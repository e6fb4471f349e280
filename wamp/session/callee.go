package session

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Registration is the engine's part of one registration.
type Registration struct {
	// Ctx owns the registration.
	Ctx context.Context
	// URI is the procedure or pattern, Match how it matches.
	URI   string
	Match proto.MatchPolicy
	// Options are sent as they are, beside match.
	Options proto.Dict
	// Needs are features without which it fails.
	Needs []Need
	// Sink takes the invocations.
	Sink InvocationSink
	// AckTimeout bounds the wait for REGISTERED.
	AckTimeout time.Duration
	// Ready gets one value: nil when the router has acknowledged, or why it
	// has not. Capacity 1.
	Ready chan error

	// Actor only, from here on.
	id       proto.ID
	ready    bool
	gone     bool // ended before REGISTERED came: undo it then
	timer    *timer
	watch    watched
	parked   bool          // it waits for a link
	restored int           // attempts to restore it, 0: it needs none
	waited   time.Duration // between those
	public   atomic.Uint64 // the id for users
}

// ID returns the registration's id. It is set when Ready has delivered nil,
// and must not be asked for before.
func (r *Registration) ID() proto.ID { return proto.ID(r.public.Load()) }

// ID returns the subscription's id. It is set when Ready has delivered nil,
// and must not be asked for before.
func (s *Subscription) ID() proto.ID { return proto.ID(s.id.Load()) }

func (r *Registration) size() int { return len(r.URI) + 64 }

func (r *Registration) refuse(err error) { r.drop(err) }

func (r *Registration) apply(c *core) {
	c.outCost += r.size()
	r.start(c)
}

// resume registers a handle that has waited for a link.
func (r *Registration) resume(c *core) {
	r.parked = false
	c.unwatch(&r.watch)
	r.start(c)
}

func (r *Registration) start(c *core) {
	if r.Ctx.Err() != nil {
		r.drop(newCanceled(r.Ctx))
		return
	}
	if c.draining {
		r.drop(ErrDraining)
		return
	}
	if c.life.waiting {
		r.parked = true
		c.watch(r.Ctx, &r.watch, r)
		c.park(r)
		return
	}
	if c.state != proto.StateEstablished {
		r.drop(c.closedError())
		return
	}
	if err := r.check(c); err != nil {
		r.drop(err)
		return
	}
	if err := c.register(r); err != nil {
		r.drop(err)
		return
	}
	c.order++
	c.procs.add(r, c.order)
	c.watch(r.Ctx, &r.watch, r)
}

// register sends REGISTER.
func (c *core) register(r *Registration) error {
	if c.state != proto.StateEstablished {
		return c.closedError()
	}
	d := r.Options
	if r.Match != proto.Exact {
		d = append(proto.Dict{{Key: "match", Value: string(r.Match)}}, d...)
	}
	id, err := c.send(&proto.Message{Type: proto.Register, Options: d, URI: r.URI})
	if err != nil {
		return err
	}
	c.requests[id] = (*registerRequest)(r)
	r.timer = c.timerOnWrite(r.AckTimeout, func(c *core) { c.dropRegistration(r, ErrAckTimeout, true) })
	return nil
}

func (r *Registration) check(c *core) error {
	if err := c.needRole(proto.Dealer); err != nil {
		return err
	}
	if r.Match != proto.Exact {
		if err := c.need(proto.Dealer, proto.PatternBasedRegistration); err != nil {
			return err
		}
	}
	return c.needAll(r.Needs)
}

func (r *Registration) answer(err error) {
	if !r.ready {
		r.ready = true
		r.Ready <- err
	}
}

func (r *Registration) drop(err error) {
	r.answer(err)
	r.end(End{Err: err})
}

func (r *Registration) end(e End) {
	if r.Sink != nil {
		sink := r.Sink
		r.Sink = nil
		sink.End(e)
	}
}

func (r *Registration) ctxEnded(c *core, ctx context.Context) {
	if r.parked {
		r.parked = false
		c.unpark(r)
		r.drop(newCanceled(ctx))
		return
	}
	c.dropRegistration(r, newCanceled(ctx), true)
}

// dropRegistration ends the handle and unregisters it, when there is anything
// to unregister yet. Running invocations go on.
func (c *core) dropRegistration(r *Registration, err error, now bool) {
	if !c.procs.remove(r) {
		return
	}
	c.unwatch(&r.watch)
	c.timers.stop(r.timer)
	r.timer = nil
	r.gone = true
	r.answer(err)
	r.end(End{Err: err, Now: now})
	if r.id != 0 && c.regs[r.id] == r {
		delete(c.regs, r.id)
		c.unregister(r.id)
	}
}

// unregister sends UNREGISTER. Invocations that still come for the id find no
// registration and are answered unavailable.
func (c *core) unregister(id proto.ID) {
	if c.state != proto.StateEstablished {
		return
	}
	if req, err := c.send(&proto.Message{Type: proto.Unregister, ID: id}); err == nil {
		c.requests[req] = &unregisterRequest{}
	}
}

// registerRequest is a Registration as the pending REGISTER.
type registerRequest Registration

func (q *registerRequest) requestType() proto.MessageType { return proto.Register }

func (q *registerRequest) reply(c *core, m *proto.Message) bool {
	r := (*Registration)(q)
	if other := c.regs[m.ID]; other != nil && other != r {
		c.violation(proto.Registered, "the registration id is taken by another procedure", nil)
		return false
	}
	if r.gone {
		c.unregister(m.ID)
		return false
	}
	c.timers.stop(r.timer)
	r.timer = nil
	r.id, r.restored = m.ID, 0
	r.public.Store(uint64(m.ID))
	c.regs[m.ID] = r
	r.answer(nil)
	return false
}

func (q *registerRequest) fail(c *core, err *Error) {
	r := (*Registration)(q)
	if c.takenAgain(r, err) {
		return
	}
	c.dropRegistration(r, err, false)
}

func (q *registerRequest) lost(*core, error) {}

// suspend: the handle is restored, not the request.
func (q *registerRequest) suspend(*core, error) parked { return nil }

// unregisterRequest is a pending UNREGISTER.
type unregisterRequest struct{ wait []chan error }

func (q *unregisterRequest) requestType() proto.MessageType { return proto.Unregister }

func (q *unregisterRequest) reply(*core, *proto.Message) bool { q.answer(nil); return false }
func (q *unregisterRequest) fail(_ *core, err *Error)         { q.answer(err) }
func (q *unregisterRequest) lost(_ *core, err error)          { q.answer(err) }

// suspend: the registration went with the link.
func (q *unregisterRequest) suspend(*core, error) parked { q.answer(nil); return nil }

func (q *unregisterRequest) answer(err error) {
	for _, ch := range q.wait {
		ch <- err
	}
}

// unregisterOp is Unregister: done gets the router's answer.
type unregisterOp struct {
	reg  *Registration
	done chan error // capacity 1
}

func (o *unregisterOp) refuse(err error) { o.done <- err }

func (o *unregisterOp) apply(c *core) {
	before := c.lastID
	c.dropRegistration(o.reg, ErrUnregisteredHere, true)
	if c.lastID != before {
		if q, ok := c.requests[c.lastID].(*unregisterRequest); ok {
			q.wait = append(q.wait, o.done)
			return
		}
	}
	o.done <- nil
}

// onRegistrationRevoked is UNREGISTERED with request 0.
func (c *core) onRegistrationRevoked(m *proto.Message) {
	id := m.Options.ID("registration")
	if id == 0 {
		c.violation(proto.Unregistered, "revokes without naming a registration", nil)
		return
	}
	r := c.regs[id]
	if r == nil {
		c.stats.Late++
		return
	}
	delete(c.regs, id)
	c.dropRegistration(r, &RevokedError{ID: id, Reason: m.Options.Str("reason")}, false)
}

// Invocation is the engine's part of one invocation.
type Invocation struct {
	// Cancel ends the invocation's context with a cause. It is called on the
	// actor and must not block.
	Cancel func(cause error)
	// Chunks takes the further chunks of a progressive call; nil if it is none.
	Chunks ChunkSink

	// Actor only, from here on.
	request proto.ID
	gen     uint64
	cut     bool // its context has been ended
	more    bool // further chunks are to come
}

func (inv *Invocation) interrupt(cause error) {
	if !inv.cut {
		inv.cut = true
		inv.Cancel(cause)
		inv.endChunks()
	}
}

func (inv *Invocation) endChunks() {
	if inv.Chunks != nil {
		inv.Chunks.End()
	}
}

// cutInvocations ends the contexts of all that run, in the order in which they
// came, and forgets them: their late answers go nowhere.
func (c *core) cutInvocations(cause error) {
	for _, id := range slices.Sorted(maps.Keys(c.invs)) {
		c.invs[id].interrupt(cause)
	}
	clear(c.invs)
}

func (c *core) onInvocation(m *proto.Message) {
	if inv := c.invs[m.Request]; inv != nil {
		c.onChunk(inv, m)
		return
	}
	if c.early.has(m.Request) {
		if !m.Options.Bool("progress") {
			c.early.forget(m.Request)
		}
		c.stats.Dropped++
		return
	}
	r := c.regs[m.ID]
	if r == nil {
		c.decline(m)
		return
	}
	inv, verdict := r.Sink.Invoke(m)
	switch verdict {
	case Gate:
		c.gates++
	case Overflow:
		c.decline(m)
		return
	}
	inv.request, inv.gen = m.Request, c.gen
	inv.more = inv.Chunks != nil
	c.invs[m.Request] = inv
}

// onChunk takes a further INVOCATION of a progressive call.
func (c *core) onChunk(inv *Invocation, m *proto.Message) {
	if !inv.more {
		c.violation(proto.Invocation, "its request id is that of an invocation that is running", nil)
		return
	}
	inv.more = m.Options.Bool("progress")
	if inv.cut {
		c.stats.Dropped++
		return
	}
	switch inv.Chunks.Chunk(m, !inv.more) {
	case Gate:
		c.gates++
	case Overflow:
		c.stats.Overflowed++
		delete(c.invs, inv.request)
		c.endedEarly(inv)
		inv.interrupt(ErrSlowConsumer)
		c.refuseInvocation(inv.request)
	}
}

// endedEarly notes an invocation that is over while chunks may still come.
func (c *core) endedEarly(inv *Invocation) {
	if inv.more {
		c.early.add(inv.request)
	}
}

// earlyEnds are the newest progressive invocations that ended before their last
// chunk: what still comes for them is dropped. It is bounded, since a dealer
// need not send the rest.
type earlyEnds struct {
	ids  map[proto.ID]struct{}
	ring []proto.ID
	next int
}

const mostEarlyEnds = 1024

func (e *earlyEnds) has(id proto.ID) bool {
	if len(e.ids) == 0 {
		return false
	}
	_, ok := e.ids[id]
	return ok
}

func (e *earlyEnds) forget(id proto.ID) { delete(e.ids, id) }

func (e *earlyEnds) add(id proto.ID) {
	if e.ids == nil {
		e.ids, e.ring = map[proto.ID]struct{}{}, make([]proto.ID, mostEarlyEnds)
	}
	delete(e.ids, e.ring[e.next])
	e.ring[e.next] = id
	e.next = (e.next + 1) % mostEarlyEnds
	e.ids[id] = struct{}{}
}

// decline answers an invocation that nobody takes.
func (c *core) decline(m *proto.Message) {
	c.stats.Refused++
	if m.Options.Bool("progress") {
		c.early.add(m.Request)
	}
	c.refuseInvocation(m.Request)
}

func (c *core) refuseInvocation(id proto.ID) {
	c.emitControl(&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: id, URI: proto.ErrURIUnavailable})
}

func (c *core) onInterrupt(m *proto.Message) {
	if inv := c.invs[m.Request]; inv != nil {
		inv.interrupt(&Interrupt{Mode: m.Options.Str("mode"), Reason: m.Options.Str("reason")})
		return
	}
	c.stats.Late++
}

// Answer is what a callee says of an invocation: a progressive result, the
// final one, or an error.
type Answer struct {
	Inv *Invocation
	// Progress: more follows.
	Progress bool
	// URI is the error's URI, "" for a result.
	URI string
	// Options are sent as they are.
	Options proto.Dict
	// Args and Kwargs are encoded. They may live in Scratch.
	Args, Kwargs []byte
	// Scratch is room for small payloads.
	Scratch [96]byte
	// Done is told that the actor has let go of the answer; it may be nil.
	Done func(*Answer)
}

var yieldProgress = proto.Dict{{Key: "progress", Value: true}}

func (a *Answer) size() int { return len(a.Args) + len(a.Kwargs) + 32 }

func (a *Answer) refuse(error) {
	if a.Done != nil {
		a.Done(a)
	}
}

func (a *Answer) apply(c *core) {
	c.outCost += a.size()
	a.send(c)
	if a.Done != nil {
		a.Done(a)
	}
}

func (a *Answer) send(c *core) {
	inv := a.Inv
	if inv.gen != c.gen || c.invs[inv.request] != inv || c.state != proto.StateEstablished {
		c.stats.Late++
		return
	}
	m := &c.msg
	*m = proto.Message{Request: inv.request, Options: a.Options, Args: a.Args, Kwargs: a.Kwargs}
	switch {
	case a.URI != "":
		m.Type, m.RequestType, m.URI = proto.Error, proto.Invocation, a.URI
	case a.Progress:
		m.Type = proto.Yield
		if len(m.Options) == 0 {
			m.Options = yieldProgress
		} else {
			m.Options = m.Options.With("progress", true)
		}
	default:
		m.Type = proto.Yield
	}
	err := c.emit(m)
	if !a.Progress || err != nil {
		delete(c.invs, inv.request)
		c.endedEarly(inv)
		inv.endChunks()
	}
	if err != nil { // too big: the caller must get an end all the same
		inv.interrupt(err)
		c.emitControl(&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: inv.request,
			URI: proto.ErrURIPayloadSizeExceeded})
	}
}
