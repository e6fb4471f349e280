package session

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Registration is the engine's part of one registration.
type Registration struct {
	Handle
	// Sink takes the invocations.
	Sink InvocationSink

	// Actor only, from here on.
	proc     *procedure           // nil until REGISTERED
	turn     *node[*Registration] // its place in that
	timer    *timer               // of the next attempt to restore it
	restored int                  // attempts to restore it, 0: it needs none
	deaths   uint8                // links in a row that ended with its REGISTER
}

func (r *Registration) kind() *handleKind                     { return &registrationKind }
func (r *Registration) apply(c *core)                         { c.applyHandle(r) }
func (r *Registration) resume(c *core)                        { c.resumeHandle(r) }
func (r *Registration) refuse(err error)                      { r.refused(err, r.tell) }
func (r *Registration) ctxEnded(c *core, ctx context.Context) { c.handleCtxEnded(ctx, r) }

func (*Registration) drains() bool { return true }

func (r *Registration) routerID() proto.ID {
	if r.proc == nil {
		return 0
	}
	return r.proc.id
}

func (r *Registration) tell(e End) {
	sink := r.Sink
	r.Sink = nil
	sink.End(e)
}

func (r *Registration) start(c *core) {
	if !c.admit(r) {
		return
	}
	c.move(r, handleAsked)
	c.order++
	c.registrations.add(r, c.order)
	c.watch(r.Ctx, &r.watch, r)
	c.ask(&registerRequest{reg: r})
}

// drop ends the handle and unregisters it, when there is anything to unregister
// yet. Running invocations go on; with now set those that wait for a handler are
// answered unavailable.
func (r *Registration) drop(c *core, err error, now bool) {
	if !c.registrations.remove(r) {
		return
	}
	c.timers.stop(r.timer)
	r.timer = nil
	c.over(r, err, now, r.restored > 0)
	if p := r.proc; p != nil {
		p.remove(r)
		c.leaveProcedure(p)
	}
}

// registerRequest is the REGISTER of a handle.
type registerRequest struct {
	asking
	reg   *Registration
	again bool // it had been registered on another link
}

func (q *registerRequest) requestType() proto.MessageType { return proto.Register }
func (q *registerRequest) topicOf() string                { return "" }
func (q *registerRequest) users() bool                    { return !q.again }

func (q *registerRequest) send(c *core) (id proto.ID, wanted bool, err error) {
	r := q.reg
	if r.phase == handleOver {
		return 0, false, nil
	}
	d := r.Options
	if r.Match != proto.Exact {
		d = append(proto.Dict{{Key: proto.KeyMatch, Value: string(r.Match)}}, d...)
	}
	id, err = c.send(&proto.Message{Type: proto.Register, Options: d, URI: r.URI})
	return id, err == nil, err
}

func (q *registerRequest) reply(c *core, m *proto.Message) bool {
	c.free(q)
	r := q.reg
	r.deaths = 0
	if left := c.crossed(&registrationKind, m.ID); left != nil {
		left.then = append(left.then, &registerRequest{reg: r, again: q.again})
		return false
	}
	p := c.procedures[m.ID]
	if r.phase == handleOver {
		if p == nil {
			c.leave(&registrationKind, m.ID)
		} else { // the router has it for that procedure too
			p.alike(r)
		}
		return false
	}
	if p == nil {
		p = &procedure{id: m.ID}
		c.procedures[m.ID] = p
	}
	p.add(r)
	if r.restored > 0 {
		c.notes.cameBack(c, true)
	}
	r.restored = 0
	c.up(r, m.ID)
	return false
}

func (q *registerRequest) fail(c *core, err *Error) {
	c.free(q)
	q.reg.deaths = 0 // the router can say something to it
	if c.takenAgain(q.reg, err) {
		return
	}
	q.reg.drop(c, err, false)
}

func (q *registerRequest) refused(c *core, err error) { q.reg.drop(c, err, false) }

// silent: the router has not answered in time.
func (q *registerRequest) silent(c *core) {
	if q.reg.phase != handleOver && c.silent(q.reg) {
		c.lose(&LinkError{Err: ErrAckTimeout})
	}
}

func (q *registerRequest) lost(*core, error) {}

// suspend: the handle is restored, not the request.
func (q *registerRequest) suspend(c *core, reason error) parked {
	q.open = false
	c.timers.stop(&q.timer)
	r := q.reg
	if reason == nil || r.phase == handleOver || c.unwritten(q.seq) {
		return nil
	}
	if err := c.blame.death(c, q, &r.deaths, reason); err != nil {
		r.drop(c, err, false)
	}
	return nil
}

// onRegistrationRevoked is UNREGISTERED with request 0.
func (c *core) onRegistrationRevoked(m *proto.Message) {
	id := m.Options.ID(proto.KeyRegistration)
	if id == 0 {
		c.violation(proto.Unregistered, "revokes without naming a registration", nil)
		return
	}
	p := c.procedures[id]
	if p == nil {
		c.stats.Late++
		return
	}
	delete(c.procedures, id)
	err := &RevokedError{ID: id, Reason: m.Options.Str(proto.KeyReason)}
	for _, r := range p.all(c) {
		r.drop(c, err, true)
	}
}
