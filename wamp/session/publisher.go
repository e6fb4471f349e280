package session

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Publish is one PUBLISH. The caller fills in the exported fields before it
// hands it to Session.Publish; from then on it belongs to the actor.
type Publish struct {
	// Ctx owns the publish until it is acknowledged. Without a Sink it is asked
	// only while the publish is handed over: who publishes may let it end then.
	Ctx context.Context
	// URI is the topic.
	URI string
	// Rest is the message without its id, from codec.AppendRest. It may live in
	// Scratch. With Roomy it begins behind RestRoom bytes that are free, so that the
	// message can be sent without a copy.
	Rest  []byte
	Roomy bool
	// Scratch is room for a small message, so that it costs no allocation.
	Scratch [144]byte
	// Needs are features without which it fails.
	Needs []Need
	// Sink is ended by PUBLISHED. Nil: not acknowledged.
	Sink Sink
	// Idempotent: it may be sent again when its outcome is unknown.
	Idempotent bool
	// OwnWindow: whoever makes it bounds how many of its kind wait for their
	// acknowledgement, so that the session's window does not count it.
	OwnWindow bool

	// Actor only, from here on.
	free     bool   // its bytes were given back already
	sent     bool   // it waits for its acknowledgement
	open     bool   // it takes a place in the window
	unsure   bool   // it was written to a link that was lost, and waits for another
	elements byte   // what was the first of Rest, where that has been sent without a copy
	deaths   uint8  // links in a row that ended with it
	blame    *blame // not nil once it was sent alone
	id       proto.ID
	seq      uint64
	watch    watched
	timer    timer
	parkedAt *node[parked]   // where it waits for a link
	at       *node[*Publish] // where it waits for a place in the window
}

// RestRoom is how much room in front of Rest there is with Roomy.
const RestRoom = transport.Headroom + codec.MostRequestHead

func (p *Publish) size() int {
	if p.Roomy {
		return restCost(p.Rest) - RestRoom
	}
	return restCost(p.Rest)
}

// mostBytes is how long a request is with the longest id.
func mostBytes(cd codec.Codec, t proto.MessageType, rest []byte, roomy bool) int {
	if roomy {
		rest = rest[RestRoom:]
	}
	return len(codec.AppendRequest(cd, nil, t, proto.MaxID, rest[:1])) + len(rest) - 1
}

// restCost is what a message without its id counts against the outbound bound.
func restCost(rest []byte) int { return len(rest) + 32 }

func (p *Publish) windowed() bool             { return p.Sink != nil && !p.OwnWindow }
func (p *Publish) written() (uint64, int)     { return p.seq, p.size() }
func (p *Publish) users() bool                { return true }
func (p *Publish) parkedNode() **node[parked] { return &p.parkedAt }
func (p *Publish) suspected() int             { return int(p.deaths) }

func (p *Publish) pending(c *core) bool {
	return p.at.listed() || c.requests.Get(p.id) == request(p)
}

func (p *Publish) apply(c *core) {
	c.stats.Publishes++
	if !c.life.waiting && c.state == proto.StateEstablished && c.holds(p) {
		c.queuePublish(p) // its bytes count until it is sent
		return
	}
	c.outCost += p.size()
	p.try(c)
}

// resume sends a publish that has waited for a link.
func (p *Publish) resume(c *core) {
	c.unwatch(&p.watch)
	if c.state == proto.StateEstablished && c.holds(p) {
		c.queuePublish(p)
		p.free = true
		return
	}
	p.try(c)
}

// sendNow sends a publish that has waited in the window.
func (p *Publish) sendNow(c *core) {
	if !p.free {
		c.outCost += p.size()
	}
	p.free = false
	p.try(c)
}

func (p *Publish) try(c *core) {
	if c.life.waiting && (p.Sink == nil || p.Ctx.Err() == nil) {
		if p.Sink != nil {
			c.watch(p.Ctx, &p.watch, p)
		}
		c.park(p)
		return
	}
	if err := p.send(c); err != nil {
		p.refuse(err)
	}
}

// publishOnce sends a publish of which nobody waits for anything, or lets it wait as
// others do.
func (c *core) publishOnce(topic string, rest []byte) {
	if c.life.waiting || c.state != proto.StateEstablished || c.held(topic) {
		kept := &Publish{URI: topic}
		kept.Rest = append(kept.Scratch[:0], rest...)
		kept.apply(c)
		return
	}
	c.stats.Publishes++
	c.outCost += restCost(rest)
	if c.needRole(proto.Broker) != nil {
		return
	}
	if _, err := c.sendRest(proto.Publish, rest[0], rest[1:]); err == nil {
		c.blame.loose = max(c.blame.loose, restCost(rest))
	}
}

func (p *Publish) send(c *core) error {
	if p.Sink != nil && p.Ctx.Err() != nil {
		return newCanceled(p.Ctx)
	}
	if c.state != proto.StateEstablished {
		return c.closedError()
	}
	if err := c.needRole(proto.Broker); err != nil {
		return err
	}
	if err := c.needAll(p.Needs); err != nil {
		return err
	}
	id, err := p.write(c)
	if err != nil {
		return err
	}
	p.id, p.seq = id, c.outSeq
	if p.Sink == nil {
		c.blame.loose = max(c.blame.loose, p.size())
		return nil
	}
	c.requests.Put(id, p)
	p.sent = true
	c.acks++
	c.watch(p.Ctx, &p.watch, p)
	c.onWrite(&p.timer, c.cfg.AckTimeout, p)
	if p.windowed() {
		p.open = true
		c.ackWindow.open++
	}
	return nil
}

// write appends the message to the batch. The batch it was in before may still be on its
// way over another link: what has been sent without a copy is copied from then on.
func (p *Publish) write(c *core) (proto.ID, error) {
	switch {
	case !p.Roomy:
		return c.sendRest(proto.Publish, p.Rest[0], p.Rest[1:])
	case p.elements != 0:
		return c.sendRest(proto.Publish, p.elements, p.Rest[RestRoom+1:])
	}
	n := p.Rest[RestRoom]
	id, err := c.adoptRest(proto.Publish, n, p.Rest, p.Idempotent)
	if err == nil {
		p.elements = n
	}
	return id, err
}

// unanswered says that nobody waits for its answer any more.
func (p *Publish) unanswered(c *core) {
	c.unwatch(&p.watch)
	if p.sent {
		p.sent = false
		c.acks--
	}
}

// leave gives up what an acknowledged publish holds while it waits.
func (p *Publish) leave(c *core) {
	p.unanswered(c)
	c.timers.stop(&p.timer)
	if p.open {
		p.open = false
		c.ackWindow.open--
	}
}

// answered ends an acknowledged publish that was sent, and makes room for
// another.
func (p *Publish) answered(c *core, e End) {
	p.leave(c)
	if c.unwritten(p.seq) { // by a router that has guessed its id; the struct may be used again
		c.offWrite(&p.timer)
	}
	p.end(e)
	c.pumpPublishes()
}

func (p *Publish) refuse(err error) {
	if p.Sink != nil {
		if p.unsure {
			err = unknownAtEnd(err, 0)
		}
		p.end(End{Err: err})
	}
}

func (p *Publish) queued() bool { return p.at.listed() }

func (p *Publish) probed(b *blame) { p.blame = b }

func (p *Publish) end(e End) {
	p.blame.over(p)
	sink := p.Sink
	p.Sink = nil
	p.Rest = nil
	if sink != nil {
		sink.End(e)
	}
}

func (p *Publish) requestType() proto.MessageType { return proto.Publish }

func (p *Publish) reply(c *core, m *proto.Message) bool {
	c.requests.Delete(m.Request)
	p.answered(c, End{Message: m})
	return true // it is out already: the next one may have been sent
}

func (p *Publish) fail(c *core, err *Error) { p.answered(c, End{Err: err}) }

func (p *Publish) lost(c *core, err error) {
	p.leave(c)
	if !c.unwritten(p.seq) {
		err = unknownAtEnd(err, 0)
	}
	p.end(End{Err: err})
}

// suspend keeps a publish that was never written, or that may be sent twice,
// for the next link.
func (p *Publish) suspend(c *core, reason error) parked {
	p.leave(c)
	if p.Sink == nil { // it has ended
		return nil
	}
	var err error
	if !c.unwritten(p.seq) {
		p.unsure = true
		err = c.blame.death(c, p, &p.deaths, reason)
		if err == nil && !p.Idempotent {
			err = &OutcomeUnknown{Reason: reason}
		}
	}
	if err != nil {
		p.end(End{Err: err})
		return nil
	}
	c.watch(p.Ctx, &p.watch, p)
	return p
}

func (p *Publish) ctxEnded(c *core, ctx context.Context) {
	if c.unpark(p) {
		c.unwatch(&p.watch)
		p.refuse(canceledOffline(ctx, c.life.cause))
		return
	}
	if c.ackWindow.unqueue(p) {
		c.unwatch(&p.watch)
		if !p.free {
			c.outCost += p.size() // given back with the next flush
		}
		p.refuse(newCanceled(ctx))
		return
	}
	if c.requests.Get(p.id) != request(p) {
		return
	}
	end := End{Err: newCanceled(ctx), Now: true}
	if p.open { // its answer is still to come, and takes the same room at the router
		p.unanswered(c)
		p.end(end)
		return
	}
	c.requests.Delete(p.id)
	p.answered(c, end)
}

// expire ends a publish that the router has not acknowledged in time.
func (p *Publish) expire(c *core) {
	if c.requests.Get(p.id) != request(p) {
		return
	}
	if c.mayHave(&p.timer) {
		return
	}
	c.requests.Delete(p.id)
	p.answered(c, End{Err: &OutcomeUnknown{Reason: ErrAckTimeout}})
}
