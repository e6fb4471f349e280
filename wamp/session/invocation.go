package session

import (
	"log/slog"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Invocation is the engine's part of one invocation.
type Invocation struct {
	// Request is the id of the INVOCATION.
	Request proto.ID
	// Context is what ends when the invocation does.
	Context Canceler
	// Chunks takes the further chunks of a progressive call; nil if it is none.
	Chunks ChunkSink
	// Idle ends a progressive call whose next chunk does not come within that
	// time. Zero: never.
	Idle time.Duration
	// Run is that of its handler, begun where a goroutine of a Tally answers it.
	Run Run

	// Actor only, from here on.
	live    bool    // it is in the table; of its own link
	cut     bool    // its context has been ended
	more    bool    // further chunks are to come
	overdue overdue // what it is answered when timer runs out
	reg     *Registration
	gen     uint64
	timer   *timer
}

// overdue is the error for the caller of a handler that does not end.
type overdue uint8

const (
	notOverdue overdue = iota
	timedOut
	canceled
)

func (o overdue) uri() string {
	if o == canceled {
		return proto.ErrURICanceled
	}
	return proto.ErrURITimeout
}

// Canceler is the context of an invocation, as the engine sees it.
type Canceler interface {
	// Cancel ends the context with a cause. It is called on the actor and must not
	// block.
	Cancel(cause error)
}

// overdueTime is how long a handler may go on once its context has ended, before
// the caller is answered in its place.
const overdueTime = 10 * time.Second

func (inv *Invocation) interrupt(cause error) {
	if !inv.cut {
		inv.cut = true
		inv.Context.Cancel(cause)
		inv.endChunks()
	}
}

func (inv *Invocation) endChunks() {
	if inv.Chunks != nil {
		inv.Chunks.End()
	}
}

// awaitAnswer answers with an error for a handler that does not.
func (c *core) awaitAnswer(inv *Invocation, o overdue) {
	inv.overdue = o
	if inv.timer == nil {
		inv.timer = new(timer)
	}
	c.startNow(inv.timer, overdueTime, inv)
}

// expire is the time that a handler had to answer, or the caller to send the
// next chunk.
func (inv *Invocation) expire(c *core) {
	if c.invocations.Get(inv.Request) != inv {
		return
	}
	if inv.overdue == notOverdue {
		inv.interrupt(&ChunkTimeoutError{After: inv.Idle})
		c.awaitAnswer(inv, timedOut)
		return
	}
	c.log.faults.Add(1)
	c.log.write(RecordOverdue, slog.String("procedure", inv.reg.URI), slog.Duration("after", overdueTime),
		slog.String("answer", inv.overdue.uri()))
	c.forget(inv)
	c.sendError(inv.Request, inv.overdue.uri())
}

// forget takes an invocation out of the table.
func (c *core) forget(inv *Invocation) {
	inv.live = false
	c.invocations.Delete(inv.Request)
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
	if c.invocations.Get(o.inv.Request) == o.inv && o.inv.gen == c.gen && o.inv.overdue == notOverdue {
		o.inv.interrupt(o.cause)
		c.awaitAnswer(o.inv, timedOut)
	}
}

// Overdue says that an invocation's context has ended by a limit that the callee
// keeps: a handler that goes on is answered for after a while.
func (s *Session) Overdue(inv *Invocation, cause error) { s.box.control(&overdueOp{inv, cause}) }

// cutInvocations ends the contexts of all that run, in the order in which they
// came, and forgets them: their late answers go nowhere.
func (c *core) cutInvocations(cause error) {
	for _, id := range c.invocations.IDs() {
		inv := c.invocations.Get(id)
		c.timers.stop(inv.timer)
		inv.interrupt(cause)
	}
	c.invocations.Clear()
}

func (c *core) onInvocation(m *proto.Message) {
	if inv := c.invocations.Get(m.Request); inv != nil {
		c.onChunk(inv, m)
		return
	}
	if c.unfinished.Has(m.Request) {
		if !m.Options.Bool(proto.KeyProgress) && !odd(m, proto.OddProgress) {
			c.unfinished.Remove(m.Request)
		}
		c.stats.Dropped++
		return
	}
	c.stats.Invocations++
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
		c.slowly(&r.slow, ofRegistration, r.URI, 1)
		return
	}
	c.judgeProcedure(r, verdict)
	inv.reg, inv.gen, inv.live = r, c.gen, true
	inv.more = inv.Chunks != nil
	c.invocations.Put(m.Request, inv)
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
		c.gate(ofRegistration, r.URI)
	case Dropped:
		if l, ok := r.Sink.(Lossy); ok {
			n := l.Lost()
			c.stats.Refused += n
			c.slowly(&r.slow, ofRegistration, r.URI, n)
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
	if inv.overdue == notOverdue {
		c.timers.stop(inv.timer)
	}
	if odd(m, proto.OddProgress) {
		inv.interrupt(oddError(m)) // first: whoever sees its chunks end looks at its context
		c.forget(inv)
		c.sendError(inv.Request, proto.ErrURIInvalidArgument)
		return
	}
	inv.more = m.Options.Bool(proto.KeyProgress)
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
		c.gate(ofChunks, inv.reg.URI)
	case Overflow:
		c.overflowed(ofChunks, inv.reg.URI)
		inv.interrupt(ErrSlowConsumer) // as above
		c.forget(inv)
		c.sendError(inv.Request, proto.ErrURIUnavailable)
		return false
	case Taken, Dropped:
	}
	return true
}

// endedEarly notes an invocation that is over while chunks may still come.
func (c *core) endedEarly(inv *Invocation) {
	if inv.more {
		c.unfinished.Add(inv.Request, mostUnfinished)
	}
}

// mostUnfinished is how many progressive invocations that ended before their last
// chunk are remembered: a dealer need not send the rest.
const mostUnfinished = 1024

// decline answers an invocation that nobody takes.
func (c *core) decline(m *proto.Message) {
	c.stats.Refused++
	if m.Options.Bool(proto.KeyProgress) || odd(m, proto.OddProgress) {
		c.unfinished.Add(m.Request, mostUnfinished)
	}
	c.sendError(m.Request, proto.ErrURIUnavailable)
}

// sendError answers an invocation with an error without a payload.
func (c *core) sendError(id proto.ID, uri string) {
	c.emitControl(&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: id, URI: uri})
}

func (c *core) onInterrupt(m *proto.Message) {
	inv := c.invocations.Get(m.Request)
	if inv == nil {
		c.stats.Late++
		return
	}
	inv.interrupt(&Interrupt{Mode: m.Options.Str(proto.KeyMode), Reason: m.Options.Str(proto.KeyReason)})
	c.awaitAnswer(inv, canceled)
}

// Answer is what a callee says of an invocation: a progressive result, the final one,
// or an error.
type Answer struct {
	Inv *Invocation
	// Progress: more follows.
	Progress bool
	// Message is the YIELD or ERROR, encoded. With Roomy it stands behind
	// transport.Headroom bytes that are free, so that it can be sent without a copy.
	Message []byte
	Roomy   bool
}

// size is how long the message is.
func (a *Answer) size() int {
	if a.Roomy {
		return len(a.Message) - transport.Headroom
	}
	return len(a.Message)
}

// cost is what an answer counts against the outbound bound.
func (a *Answer) cost() int { return a.size() + 32 }

// answerOp is an answer that waits for room.
type answerOp Answer

func (o *answerOp) refuse(error)  {}
func (o *answerOp) apply(c *core) { c.answer(Answer(*o)) }

// answer sends what a callee says, unless the invocation is over, or of another link.
func (c *core) answer(a Answer) {
	cost := a.cost()
	c.outCost += cost
	inv := a.Inv
	if inv.gen != c.gen || !inv.live || c.state != proto.StateEstablished {
		c.stats.Late++
		return
	}
	var err error
	if a.Roomy {
		c.head = c.head[:0]
		err = c.adopt(proto.Yield, a.Message, transport.Headroom, false)
	} else {
		c.out.Begin()
		c.out.Buf = append(c.out.Buf, a.Message...)
		err = c.finishMessage(proto.Yield)
	}
	if err != nil {
		inv.interrupt(err) // as above
	}
	if !a.Progress || err != nil {
		c.forget(inv)
	}
	if err != nil { // too big: the caller must get an end all the same
		c.sendError(inv.Request, proto.ErrURIPayloadSizeExceeded)
		return
	}
	c.blame.loose = max(c.blame.loose, cost)
}
