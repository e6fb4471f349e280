package session

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Publish is one PUBLISH. The caller fills in the exported fields before it
// hands it to Session.Publish; from then on it belongs to the actor.
type Publish struct {
	// Ctx owns the publish until it is acknowledged. Without a Sink it is asked
	// only while the publish is handed over: who publishes may let it end then.
	Ctx context.Context
	// URI is the topic.
	URI string
	// Options are sent as they are.
	Options proto.Dict
	// Args and Kwargs are encoded. They may live in Scratch.
	Args, Kwargs []byte
	// Scratch is room for small payloads.
	Scratch [96]byte
	// Needs are features without which it fails.
	Needs []Need
	// Sink is ended by PUBLISHED. Nil: not acknowledged.
	Sink Sink
	// Failed is told of a failure of an unacknowledged publish, and Done that
	// the actor has let go of it. Both may be nil; they run on the actor.
	Failed func(error)
	Done   func(*Publish)
	// Idempotent: it may be sent again when its outcome is unknown.
	Idempotent bool

	// Actor only, from here on.
	id     proto.ID
	seq    uint64
	watch  watched
	parked bool // it waits for a link
}

var publishAck = proto.Dict{{Key: "acknowledge", Value: true}}

func (p *Publish) size() int { return len(p.URI) + len(p.Args) + len(p.Kwargs) + 32 }

func (p *Publish) apply(c *core) {
	c.outCost += p.size()
	p.try(c)
}

// resume sends a publish that has waited for a link.
func (p *Publish) resume(c *core) {
	p.parked = false
	c.unwatch(&p.watch)
	p.try(c)
}

func (p *Publish) try(c *core) {
	if c.life.waiting && (p.Sink == nil || p.Ctx.Err() == nil) {
		p.parked = true
		if p.Sink != nil {
			c.watch(p.Ctx, &p.watch, p)
		}
		c.park(p)
		return
	}
	if err := p.send(c); err != nil {
		p.refuse(err)
		return
	}
	if p.Sink == nil && p.Done != nil {
		p.Done(p)
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
	options := p.Options
	if p.Sink != nil {
		if len(options) == 0 {
			options = publishAck
		} else {
			options = options.With("acknowledge", true)
		}
	}
	c.msg = proto.Message{Type: proto.Publish, Options: options, URI: p.URI, Args: p.Args, Kwargs: p.Kwargs}
	id, err := c.send(&c.msg)
	if err != nil {
		return err
	}
	p.id, p.seq = id, c.outSeq
	if p.Sink != nil {
		c.requests[id] = p
		c.watch(p.Ctx, &p.watch, p)
	}
	return nil
}

func (p *Publish) refuse(err error) {
	if p.Sink != nil {
		p.end(End{Err: err})
		return
	}
	if p.Failed != nil {
		p.Failed(err)
	}
	if p.Done != nil {
		p.Done(p)
	}
}

func (p *Publish) end(e End) {
	sink := p.Sink
	p.Sink, p.Args, p.Kwargs = nil, nil, nil
	if sink != nil {
		sink.End(e)
	}
}

func (p *Publish) requestType() proto.MessageType { return proto.Publish }

func (p *Publish) reply(c *core, m *proto.Message) bool {
	c.unwatch(&p.watch)
	p.end(End{Message: m})
	return false
}

func (p *Publish) fail(c *core, err *Error) { p.lost(c, err) }

func (p *Publish) lost(c *core, err error) {
	c.unwatch(&p.watch)
	p.end(End{Err: err})
}

// suspend keeps a publish that was never written, or that may be sent twice,
// for the next link.
func (p *Publish) suspend(c *core, reason error) parked {
	c.unwatch(&p.watch)
	if c.unwritten(p.seq) || p.Idempotent {
		p.parked = true
		c.watch(p.Ctx, &p.watch, p)
		return p
	}
	p.end(End{Err: &OutcomeUnknown{Reason: reason}})
	return nil
}

func (p *Publish) ctxEnded(c *core, ctx context.Context) {
	if p.parked {
		p.parked = false
		c.unpark(p)
		p.refuse(newCanceled(ctx))
		return
	}
	if c.requests[p.id] != request(p) {
		return
	}
	delete(c.requests, p.id)
	p.end(End{Err: newCanceled(ctx), Now: true})
}
