package session

import (
	"cmp"
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
	// Ready gets one value: nil when the router has acknowledged, or why it
	// has not. Capacity 1.
	Ready chan error

	// Actor only, from here on.
	proc     *procedure           // nil until REGISTERED
	turn     *node[*Registration] // its place in that
	ready    bool
	gone     bool // ended, perhaps before REGISTERED came: undo it then
	timer    *timer
	watch    watched
	parkedAt *node[parked] // where it waits for a link
	restored int           // attempts to restore it, 0: it needs none
	silences int           // links in a row on which the router did not acknowledge it
	deaths   uint8         // links in a row that ended with its REGISTER
	slow     slowConsumer
	public   atomic.Uint64 // the id for users
}

// procedure is one registration at the router: what has one id. Routers give the
// same one to several handles of a session that share a procedure, and may give
// it to different procedures.
type procedure struct {
	id     proto.ID
	groups map[topicKey]*group
	first  *group // the only one, nil if there are several
	n      int    // handles
	mixed  bool   // it has had handles of different procedures
}

// group is those handles of a procedure that have the same URI and match. They
// take turns.
type group struct {
	key  topicKey
	list list[*Registration]
	next *node[*Registration] // whose turn it is, nil: the first's
}

func (r *Registration) key() topicKey { return topicKey{r.URI, r.Match} }

// add lets a handle have a part of the procedure.
func (p *procedure) add(r *Registration) {
	g := p.groups[r.key()]
	if g == nil {
		g = &group{key: r.key()}
		if p.groups == nil {
			p.groups = map[topicKey]*group{}
		}
		p.groups[g.key] = g
	}
	r.proc, r.turn = p, g.list.push(r)
	p.n++
	p.only()
}

// remove takes a handle out.
func (p *procedure) remove(r *Registration) {
	g := p.groups[r.key()]
	if g == nil || !r.turn.listed() {
		return
	}
	if g.next == r.turn {
		g.next = r.turn.next
	}
	g.list.remove(r.turn)
	r.proc, r.turn = nil, nil
	p.n--
	if g.list.len() == 0 {
		delete(p.groups, g.key)
	}
	p.only()
}

// all returns the handles in the order in which they were made.
func (p *procedure) all(c *core) []*Registration {
	out := make([]*Registration, 0, p.n)
	for _, g := range p.groups {
		for at := g.list.first(); at != nil; at = at.next {
			out = append(out, at.value)
		}
	}
	slices.SortFunc(out, func(a, b *Registration) int { return cmp.Compare(c.registrations.seq[a], c.registrations.seq[b]) })
	return out
}

// only notes whether there is one group.
func (p *procedure) only() {
	p.first = nil
	if len(p.groups) == 1 {
		for _, g := range p.groups {
			p.first = g
		}
	}
	p.mixed = p.mixed || len(p.groups) > 1
}

// alike notes that the router has the procedure for this handle as well, which
// is over by now.
func (p *procedure) alike(r *Registration) {
	if p.groups[r.key()] == nil {
		p.mixed = true
	}
}

// pick returns the handle that takes an invocation, nil if that cannot be told:
// where the handles have different procedures the router has to say which it
// means.
func (p *procedure) pick(m *proto.Message) *Registration {
	g := p.first
	if p.mixed {
		// What is said of the procedure counts also where one group is left: it may
		// be that of a handle that has left.
		if called := m.Options.Str("procedure"); called != "" {
			g = p.fits(called)
		}
	}
	if g == nil {
		return nil
	}
	at := g.next
	if at == nil {
		at = g.list.first()
	}
	g.next = at.next
	return at.value
}

// fits returns the group that fits a procedure best: the exact one, then the
// longest prefix, then a wildcard. nil: none fits.
func (p *procedure) fits(called string) (best *group) {
	if g := p.groups[topicKey{called, proto.Exact}]; g != nil {
		return g
	}
	rank := func(g *group) int {
		if g.key.match == proto.Prefix {
			return 1 + len(g.key.uri)
		}
		return 0
	}
	for _, g := range p.groups {
		if g.key.match != proto.Exact && proto.MatchURI(g.key.uri, g.key.match, called) &&
			(best == nil || rank(g) > rank(best) || rank(g) == rank(best) && g.key.uri < best.key.uri) {
			best = g
		}
	}
	return best
}

// ID returns the registration's id. It is set when Ready has delivered nil,
// and must not be asked for before.
func (r *Registration) ID() proto.ID { return proto.ID(r.public.Load()) }

// ID returns the subscription's id. It is set when Ready has delivered nil,
// and must not be asked for before.
func (s *Subscription) ID() proto.ID { return proto.ID(s.id.Load()) }

func (r *Registration) size() int { return len(r.URI) + 64 }

func (r *Registration) place() **node[parked] { return &r.parkedAt }

func (r *Registration) refuse(err error) { r.drop(err) }

func (r *Registration) apply(c *core) {
	c.outCost += r.size()
	r.start(c)
}

// resume registers a handle that has waited for a link.
func (r *Registration) resume(c *core) {
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
	c.order++
	c.registrations.add(r, c.order)
	c.watch(r.Ctx, &r.watch, r)
	c.ask(&registerRequest{reg: r})
}

func (r *Registration) check(c *core) error {
	if err := c.needRole(proto.Dealer); err != nil {
		return err
	}
	if r.Match != proto.Exact {
		if err := c.need(proto.Dealer, proto.PatternBasedRegistration, matchOption(r.Match)); err != nil {
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
	if c.unpark(r) {
		c.unwatch(&r.watch)
		r.drop(canceledOffline(ctx, c.life.cause))
		return
	}
	c.dropRegistration(r, newCanceled(ctx), true)
}

// dropRegistration ends the handle and unregisters it, when there is anything
// to unregister yet. Running invocations go on; with now set those that wait for
// a handler are answered unavailable.
func (c *core) dropRegistration(r *Registration, err error, now bool) {
	if !c.registrations.remove(r) {
		return
	}
	c.unwatch(&r.watch)
	c.timers.stop(r.timer)
	r.timer = nil
	r.gone = true
	if r.restored > 0 {
		c.notes.cameBack(c, false)
	}
	r.slow.tellLast(c)
	if r.ready {
		c.logHandle("registration", r.URI, err, now)
	}
	r.answer(err)
	r.end(End{Err: err, Now: now})
	if p := r.proc; p != nil {
		p.remove(r)
		c.leaveProcedure(p)
	}
}

// leaveProcedure sends UNREGISTER when no handle is left. Invocations that still
// come for the id find no registration then and are answered unavailable.
func (c *core) leaveProcedure(p *procedure) {
	if p.n > 0 || c.procedures[p.id] != p {
		return
	}
	delete(c.procedures, p.id)
	c.unregister(p.id)
}

func (c *core) unregister(id proto.ID) {
	if c.state != proto.StateEstablished {
		return
	}
	q := &unregisterRequest{reg: id}
	c.handleWindow.regs[id] = q
	c.ask(q)
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
	if r.gone {
		return 0, false, nil
	}
	d := r.Options
	if r.Match != proto.Exact {
		d = append(proto.Dict{{Key: "match", Value: string(r.Match)}}, d...)
	}
	id, err = c.send(&proto.Message{Type: proto.Register, Options: d, URI: r.URI})
	return id, err == nil, err
}

func (q *registerRequest) reply(c *core, m *proto.Message) bool {
	c.free(q)
	r := q.reg
	r.deaths = 0
	left := c.handleWindow.leavingReg(m.ID)
	switch {
	case left != nil && left.open: // by then the router will have ended it
		left.then = append(left.then, &registerRequest{reg: r, again: q.again})
		return false
	case left != nil:
		c.handleWindow.unqueue(left)
		left.over(c, nil)
	}
	p := c.procedures[m.ID]
	if r.gone {
		if p == nil {
			c.unregister(m.ID)
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
	r.restored, r.silences = 0, 0
	r.public.Store(uint64(m.ID))
	r.answer(nil)
	return false
}

func (q *registerRequest) fail(c *core, err *Error) {
	c.free(q)
	q.reg.deaths = 0 // the router can say something to it
	if c.takenAgain(q.reg, err) {
		return
	}
	c.dropRegistration(q.reg, err, false)
}

func (q *registerRequest) refused(c *core, err error) { c.dropRegistration(q.reg, err, false) }

// silent: the router has not answered in time. What is asked for the first time
// ends. What had been there may be half done at the router, so a fresh link
// comes before that.
func (q *registerRequest) silent(c *core) {
	r := q.reg
	if r.gone {
		return
	}
	if !r.ready || c.life.policy == nil || r.silences >= mostSilences {
		c.dropRegistration(r, ErrAckTimeout, true)
		return
	}
	r.silences++
	c.lose(&LinkError{Err: ErrAckTimeout})
}

func (q *registerRequest) lost(*core, error) {}

// suspend: the handle is restored, not the request.
func (q *registerRequest) suspend(c *core, reason error) parked {
	q.open = false
	c.timers.stop(&q.timer)
	r := q.reg
	if reason == nil || r.gone || c.unwritten(q.seq) {
		return nil
	}
	if err := c.blame.death(c, q, &r.deaths, reason); err != nil {
		c.dropRegistration(r, err, false)
	}
	return nil
}

// unregisterRequest is an UNREGISTER.
type unregisterRequest struct {
	asking
	reg  proto.ID
	wait []chan error
	then []ask // to be asked again when it is over
}

func (q *unregisterRequest) requestType() proto.MessageType { return proto.Unregister }
func (q *unregisterRequest) topicOf() string                { return "" }
func (q *unregisterRequest) users() bool                    { return true }

func (q *unregisterRequest) send(c *core) (id proto.ID, wanted bool, err error) {
	id, err = c.send(&proto.Message{Type: proto.Unregister, ID: q.reg})
	return id, err == nil, err
}

func (q *unregisterRequest) reply(c *core, _ *proto.Message) bool {
	c.free(q)
	q.over(c, nil)
	return false
}

func (q *unregisterRequest) fail(c *core, err *Error) {
	c.free(q)
	q.over(c, err)
}

func (q *unregisterRequest) refused(c *core, err error) { q.over(c, err) }
func (q *unregisterRequest) lost(c *core, err error)    { q.over(c, err) }

func (q *unregisterRequest) silent(c *core) {
	delete(c.requests, q.id)
	q.over(c, ErrAckTimeout)
}

// suspend: the registration went with the link.
func (q *unregisterRequest) suspend(c *core, _ error) parked {
	q.open = false
	c.timers.stop(&q.timer)
	q.over(c, nil)
	return nil
}

// over tells those who wait.
func (q *unregisterRequest) over(c *core, err error) {
	if c.handleWindow.regs[q.reg] == q {
		delete(c.handleWindow.regs, q.reg)
	}
	for _, ch := range q.wait {
		ch <- err
	}
	q.wait = nil
	c.askAfter(&q.then)
}

// unregisterOp is Unregister: done gets the router's answer.
type unregisterOp struct {
	reg  *Registration
	done chan error // capacity 1
}

func (o *unregisterOp) refuse(err error) { o.done <- err }

func (o *unregisterOp) apply(c *core) {
	p := o.reg.proc
	c.dropRegistration(o.reg, ErrUnregistered, true)
	if p != nil && c.procedures[p.id] == nil {
		if q := c.handleWindow.leavingReg(p.id); q != nil {
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
	p := c.procedures[id]
	if p == nil {
		c.stats.Late++
		return
	}
	delete(c.procedures, id)
	err := &RevokedError{ID: id, Reason: m.Options.Str("reason")}
	for _, r := range p.all(c) {
		c.dropRegistration(r, err, true)
	}
}

// Invocation is the engine's part of one invocation.
type Invocation struct {
	// Cancel ends the invocation's context with a cause. It is called on the
	// actor and must not block.
	Cancel func(cause error)
	// Chunks takes the further chunks of a progressive call; nil if it is none.
	Chunks ChunkSink
	// Idle ends a progressive call whose next chunk does not come within that
	// time. Zero: never.
	Idle time.Duration
	// Handled: a goroutine of a Tally answers it. Set before that begins.
	Handled bool

	// Actor only, from here on.
	cut     bool // its context has been ended
	more    bool // further chunks are to come
	reg     *Registration
	request proto.ID
	gen     uint64
	timer   *timer
	overdue string // the error it is answered with when timer runs out
}

// overdueTime is how long a handler may go on once its context has ended, before
// the caller is answered in its place.
const overdueTime = 10 * time.Second

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

// awaitAnswer answers with an error for a handler that does not.
func (c *core) awaitAnswer(inv *Invocation, uri string) {
	inv.overdue = uri
	if inv.timer == nil {
		inv.timer = new(timer)
	}
	c.startNow(inv.timer, overdueTime, inv)
}

// expire is the time that a handler had to answer, or the caller to send the
// next chunk.
func (inv *Invocation) expire(c *core) {
	if c.invocations[inv.request] != inv {
		return
	}
	if inv.overdue == "" {
		inv.interrupt(&ChunkTimeoutError{After: inv.Idle})
		c.awaitAnswer(inv, proto.ErrURITimeout)
		return
	}
	c.notes.faults.Add(1)
	c.notes.sink.Error("wamp: a handler has not ended "+overdueTime.String()+" after its context, its caller was answered",
		"procedure", inv.reg.URI, "answer", inv.overdue)
	c.forget(inv)
	c.sendError(inv.request, inv.overdue)
}

// forget takes an invocation out of the table.
func (c *core) forget(inv *Invocation) {
	delete(c.invocations, inv.request)
	c.timers.stop(inv.timer)
	c.endedEarly(inv)
	inv.endChunks()
}

// overdueOp says that an invocation's context has ended by a limit that the
// callee keeps.
type overdueOp struct {
	inv   *Invocation
	cause error
}

func (o *overdueOp) refuse(error) {}

func (o *overdueOp) apply(c *core) {
	if c.invocations[o.inv.request] == o.inv && o.inv.gen == c.gen && o.inv.overdue == "" {
		o.inv.interrupt(o.cause)
		c.awaitAnswer(o.inv, proto.ErrURITimeout)
	}
}

// Overdue says that an invocation's context has ended by a limit that the callee
// keeps: a handler that goes on is answered for after a while.
func (s *Session) Overdue(inv *Invocation, cause error) { s.box.control(&overdueOp{inv, cause}) }

// cutInvocations ends the contexts of all that run, in the order in which they
// came, and forgets them: their late answers go nowhere.
func (c *core) cutInvocations(cause error) {
	for _, id := range slices.Sorted(maps.Keys(c.invocations)) {
		inv := c.invocations[id]
		c.timers.stop(inv.timer)
		inv.interrupt(cause)
	}
	clear(c.invocations)
}

func (c *core) onInvocation(m *proto.Message) {
	if inv := c.invocations[m.Request]; inv != nil {
		c.onChunk(inv, m)
		return
	}
	if c.unfinished.Has(m.Request) {
		if !m.Options.Bool("progress") && !odd(m, proto.OddProgress) {
			c.unfinished.Remove(m.Request)
		}
		c.stats.Dropped++
		return
	}
	p := c.procedures[m.ID]
	if p == nil {
		c.decline(m)
		return
	}
	if odd(m, proto.OddProgress) {
		c.unfinished.Add(m.Request, mostUnfinished) // there may be further chunks
		c.sendError(m.Request, proto.ErrURIInvalidArgument)
		return
	}
	r := p.pick(m)
	if r == nil {
		c.decline(m)
		return
	}
	inv, verdict := r.Sink.Invoke(m)
	for range min(p.n-1, mostTries) { // another one may have room
		if verdict != Overflow {
			break
		}
		if r = p.pick(m); r != nil {
			inv, verdict = r.Sink.Invoke(m)
		}
	}
	if verdict == Overflow {
		c.decline(m)
		c.slowly(&r.slow, "procedure", r.URI, 1)
		return
	}
	c.judgeProcedure(r, verdict)
	inv.reg, inv.request, inv.gen = r, m.Request, c.gen
	inv.more = inv.Chunks != nil
	c.invocations[m.Request] = inv
	c.awaitChunk(inv)
}

// mostTries is how many more handles of one procedure are asked whether they have
// room for an invocation.
const mostTries = 16

// judgeProcedure does what the verdict of a registration's sink asks for. What
// it has dropped it has refused.
func (c *core) judgeProcedure(r *Registration, v Verdict) {
	switch v {
	case Gate:
		c.gate("procedure", r.URI)
	case Dropped:
		if l, ok := r.Sink.(Lossy); ok {
			n := l.Lost()
			c.stats.Refused += n
			c.slowly(&r.slow, "procedure", r.URI, n)
		}
	case Taken, Overflow:
	}
}

// awaitChunk waits for the next chunk of a progressive call.
func (c *core) awaitChunk(inv *Invocation) {
	if !inv.more || inv.Idle <= 0 || inv.cut {
		return
	}
	if inv.timer == nil {
		inv.timer = new(timer)
	}
	c.startNow(inv.timer, inv.Idle, inv)
}

// onChunk takes a further INVOCATION of a progressive call.
func (c *core) onChunk(inv *Invocation, m *proto.Message) {
	if !inv.more {
		c.violation(proto.Invocation, "its request id is that of an invocation that is running", nil)
		return
	}
	if inv.overdue == "" {
		c.timers.stop(inv.timer)
	}
	if odd(m, proto.OddProgress) {
		c.forget(inv)
		inv.interrupt(oddError(m))
		c.sendError(inv.request, proto.ErrURIInvalidArgument)
		return
	}
	inv.more = m.Options.Bool("progress")
	if inv.cut {
		c.stats.Dropped++
		return
	}
	if c.judgeChunks(inv, inv.Chunks.Chunk(m, !inv.more)) {
		c.awaitChunk(inv)
	}
}

// judgeChunks does what the verdict of a chunk sink asks for. It reports whether
// the invocation goes on.
func (c *core) judgeChunks(inv *Invocation, v Verdict) bool {
	switch v {
	case Gate:
		c.gate("procedure", inv.reg.URI)
	case Overflow:
		c.overflowed("procedure", inv.reg.URI)
		c.forget(inv)
		inv.interrupt(ErrSlowConsumer)
		c.sendError(inv.request, proto.ErrURIUnavailable)
		return false
	case Taken, Dropped:
	}
	return true
}

// endedEarly notes an invocation that is over while chunks may still come.
func (c *core) endedEarly(inv *Invocation) {
	if inv.more {
		c.unfinished.Add(inv.request, mostUnfinished)
	}
}

// mostUnfinished is how many progressive invocations that ended before their last
// chunk are remembered: a dealer need not send the rest.
const mostUnfinished = 1024

// decline answers an invocation that nobody takes.
func (c *core) decline(m *proto.Message) {
	c.stats.Refused++
	if m.Options.Bool("progress") || odd(m, proto.OddProgress) {
		c.unfinished.Add(m.Request, mostUnfinished)
	}
	c.sendError(m.Request, proto.ErrURIUnavailable)
}

// sendError answers an invocation with an error without a payload.
func (c *core) sendError(id proto.ID, uri string) {
	c.emitControl(&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: id, URI: uri})
}

func (c *core) onInterrupt(m *proto.Message) {
	inv := c.invocations[m.Request]
	if inv == nil {
		c.stats.Late++
		return
	}
	inv.interrupt(&Interrupt{Mode: m.Options.Str("mode"), Reason: m.Options.Str("reason")})
	c.awaitAnswer(inv, proto.ErrURICanceled)
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
	if inv.gen != c.gen || c.invocations[inv.request] != inv || c.state != proto.StateEstablished {
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
		c.forget(inv)
	}
	if err != nil { // too big: the caller must get an end all the same
		inv.interrupt(err)
		c.sendError(inv.request, proto.ErrURIPayloadSizeExceeded)
		return
	}
	c.blame.loose = max(c.blame.loose, a.size())
}
