package wamp

import (
	"context"
	"errors"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// publishWindow is how many publishes of a stream wait for their
// acknowledgement at once.
const publishWindow = 256

// Window is how many publishes of a PublishStream may wait for their
// acknowledgement at once. Default 256.
func Window(n int) PublishOption { return windowOption(n) }

type windowOption int

func (o windowOption) applyPublish(c *publishConfig) error {
	if o < 1 {
		return errors.New("wamp: Window: it must be positive")
	}
	c.window = int(o)
	return nil
}

// GoOn lets a PublishStream go on after a publish that failed; otherwise it
// stops. The end of the session or of ctx stops it in any case.
func GoOn() PublishOption { return goOnOption{} }

type goOnOption struct{}

func (goOnOption) applyPublish(c *publishConfig) error { c.goOn = true; return nil }

// PublishStream publishes what comes in on the channel, until that is closed,
// and gives the acknowledgements in the same order. It does not wait for one
// before it publishes the next, but keeps a window in flight (Window, 256); when
// that is full, or the acknowledgements are not read, nothing is taken from the
// channel.
//
// At the first error it takes no more; what was under way then still has its
// acknowledgements, and then the stream is closed. With GoOn it goes on. A
// producer must not hang then, so it sends with a select on its own ctx, and
// ends that when the acknowledgements end; PublishFunc takes care of that by
// itself.
//
// ctx owns the stream: its end is the last element. The stream is closed by the
// session. Options are those of Publish and hold for every event; Acknowledge
// is set.
func (s *Session) PublishStream(ctx context.Context, topic string, payloads <-chan Payload, options ...PublishOption) Acks {
	p, err := s.newPublishStream(ctx, topic, options)
	if err == nil {
		err = p.relay.run(s, func() { p.run(payloads) })
	}
	if err != nil {
		return failedAcks(err)
	}
	return p.relay.ch
}

// PublishFunc publishes what a function produces: each send is one event, and
// the stream is complete when produce returns. Its error is the last
// acknowledgement's.
//
// produce runs in a goroutine of its own, which Close waits for. The ctx that it
// is given ends when the stream takes no more, with the reason as its cause, so
// that it never hangs. send waits for room in the window under that ctx, and
// returns the reason by which the stream has ended. All else is as in
// PublishStream.
func (s *Session) PublishFunc(ctx context.Context, topic string, produce func(ctx context.Context, send func(Payload) error) error, options ...PublishOption) Acks {
	p, err := s.newPublishStream(ctx, topic, options)
	if err != nil {
		return failedAcks(err)
	}
	payloads := make(chan Payload)
	inner, over := context.WithCancelCause(ctx)
	p.stopped = over
	// It ends with produce, whose ctx ends with the stream.
	err = s.eng.GoProducer(func() {
		defer close(payloads)
		p.produced = produce(inner, func(payload Payload) error {
			if inner.Err() != nil {
				return context.Cause(inner)
			}
			select {
			case payloads <- payload:
				return nil
			case <-inner.Done():
				return context.Cause(inner)
			}
		})
	})
	if err == nil {
		err = p.relay.run(s, func() { p.run(payloads) })
	}
	if err != nil {
		over(err)
		return failedAcks(err)
	}
	return p.relay.ch
}

func failedAcks(err error) Acks {
	ch := make(chan Ack, 1)
	ch <- Ack{Err: err}
	close(ch)
	return ch
}

// publishStream is a stream of publishes. Its goroutine owns it.
type publishStream struct {
	s       *Session
	ctx     context.Context // of the stream: it belongs to it
	topic   string
	cfg     *publishConfig
	relay   *relay[Ack]
	stopped func(error) // tells the producer that no more is taken

	open     <-chan Payload // nil: no more is taken
	complete bool           // it was closed
	flight   []*flying      // not yet acknowledged, oldest first
	landed   []*flying      // to be used again
	produced error          // what the producer has returned; set before its channel is closed
}

// flying is a publish of a stream. From its handing over to its End it is the
// actor's, then the stream's again.
type flying struct {
	pub session.Publish
	ack chan Ack // capacity 1, and one End for each handing over: that never blocks
}

// Deliver is never called: a publish has one answer.
func (f *flying) Deliver(*proto.Message) session.Verdict { return session.Taken }

// End takes the answer. It runs on the actor, which does not look at the publish
// again.
func (f *flying) End(e session.End) {
	ack := Ack{Err: e.Err}
	if e.Message != nil {
		ack.ID = e.Message.Publication
	}
	f.ack <- ack
}

func (s *Session) newPublishStream(ctx context.Context, topic string, options []PublishOption) (*publishStream, error) {
	if err := proto.CheckURI(topic); err != nil {
		return nil, err
	}
	cfg := &publishConfig{window: publishWindow}
	for _, o := range options {
		if err := o.applyPublish(cfg); err != nil {
			return nil, err
		}
	}
	return &publishStream{s: s, ctx: ctx, topic: topic, cfg: cfg, relay: newRelay[Ack](ctx, min(cfg.window, publishWindow)),
		stopped: func(error) {}}, nil
}

func (p *publishStream) run(payloads <-chan Payload) {
	defer p.stopped(ErrSessionClosed) // when Close was out of time
	over := p.s.eng.Context()
	p.open = payloads
	for p.open != nil || len(p.flight) > 0 {
		in := p.open
		if len(p.flight) >= p.cfg.window {
			in = nil
		}
		select { // what waits already costs the least to take
		case payload, more := <-in:
			p.take(payload, more)
			continue
		default:
		}
		var head <-chan Ack
		var closed <-chan struct{}
		if len(p.flight) > 0 {
			head = p.flight[0].ack // which also says that the session is over
		} else {
			closed = over.Done()
		}
		select {
		case payload, more := <-in:
			p.take(payload, more)
		case ack := <-head:
			if !p.acknowledged(ack, over) {
				return
			}
		case <-p.ctx.Done():
			p.end(session.Canceled(p.ctx))
			return
		case <-closed:
			p.end(context.Cause(over))
			return
		}
	}
	if p.complete && p.produced != nil {
		p.relay.last(Ack{Err: p.produced})
	}
}

// take takes a payload, or the end of them.
func (p *publishStream) take(payload Payload, more bool) {
	if !more {
		p.open, p.complete = nil, true
		return
	}
	p.publish(payload)
}

// publish hands one publish over.
func (p *publishStream) publish(payload Payload) {
	var f *flying
	if n := len(p.landed); n > 0 {
		f, p.landed = p.landed[n-1], p.landed[:n-1]
	} else {
		f = &flying{ack: make(chan Ack, 1)}
	}
	f.pub = session.Publish{Ctx: p.ctx, URI: p.topic, Options: p.cfg.options, Needs: p.cfg.needs, Sink: f, Idempotent: p.cfg.idempotent}
	err := p.s.sealPublish(&f.pub, payload)
	if err == nil {
		err = p.s.eng.Publish(&f.pub)
	}
	if err != nil {
		f.ack <- Ack{Err: err}
	}
	p.flight = append(p.flight, f)
}

// acknowledged hands on what came of the oldest publish. It reports false when
// the stream has ended.
func (p *publishStream) acknowledged(ack Ack, over context.Context) bool {
	p.landed = append(p.landed, p.flight[0])
	p.flight[0] = nil
	p.flight = p.flight[1:]
	if p.ctx.Err() != nil {
		p.end(session.Canceled(p.ctx))
		return false
	}
	if ack.Err != nil && (!p.cfg.goOn || over.Err() != nil) && p.open != nil {
		p.open = nil
		p.stopped(ack.Err)
	}
	return p.relay.send(ack) || p.ctx.Err() != nil // otherwise Close is out of time
}

// end ends the stream with an error of no publish.
func (p *publishStream) end(err error) {
	p.stopped(err)
	p.relay.last(Ack{Err: err})
}
