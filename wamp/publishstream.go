package wamp

import (
	"context"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// streamChannel is how many acknowledgements a stream's channel holds at most.
const streamChannel = 256

// PublishStream publishes each payload that comes in on the channel, until the
// channel is closed, and returns the acknowledgements in the same order. It
// does not wait for one before it publishes the next, but keeps a window in
// progress ([Window]). When the window is full, or the acknowledgements are not
// read, nothing is taken from the channel. The options apply to every event,
// and each is acknowledged.
//
// After the first error nothing more is taken from the channel, unless [GoOn]
// was given; what is in progress is still acknowledged, and then the stream is
// closed. A producer must not block then: it sends in a select with a context of its own,
// which ends when the acknowledgements end. [Session.PublishFunc] does so by itself.
//
// ctx governs the stream; its end is the last element, a [CanceledError]. The
// end of the session is the last element too, unless an acknowledgement has
// told it. Acknowledgements that nobody has read when [Session.Close] runs out
// of time are counted in a [ClosedError]. The session closes the stream.
func (s *Session) PublishStream(ctx context.Context, topic string, payloads <-chan Payload, options ...PublishStreamOption) Acks {
	if payloads == nil {
		return s.publishAll(ctx, topic, options, nil)
	}
	return s.publishAll(ctx, topic, options, func(p *publishStream) error { return takeFrom(p, payloads, itself) })
}

// PublishFunc publishes what a function produces: each send is one event. The
// stream is complete when produce returns; an error that it returns is that of
// the last element.
//
// produce runs on a goroutine of its own, for which [Session.Close] waits. The
// context that it is given ends when the stream takes no more, with the reason
// as its cause. send waits for a place in the window and for outbound room
// under that context, and returns the reason by which the stream has ended; its
// payload was not published then.
//
// Otherwise PublishFunc is like [Session.PublishStream].
func (s *Session) PublishFunc(ctx context.Context, topic string, produce func(ctx context.Context, send func(Payload) error) error, options ...PublishStreamOption) Acks {
	if produce == nil {
		return s.publishAll(ctx, topic, options, nil)
	}
	return s.publishAll(ctx, topic, options, func(p *publishStream) error { return produce(p.inner, p.send) })
}

// publishStream is a stream of publishes: one goroutine hands them over, another
// takes the acknowledgements, and the places of the window go round between the
// two.
type publishStream struct {
	s     *Session
	ctx   context.Context // of the stream: it belongs to it
	topic string
	cfg   *publishConfig
	acked Dict // the options, with acknowledge
	head  *head
	own   bool // the window is its own
	relay *flow.Relay[Ack]

	inner  context.Context         // of the producer: it ends when no more is taken
	stop   context.CancelCauseFunc // ends it
	forget func() bool             // the end of the session does not end it any more

	room     chan *inFlight // the free places; nil: one that was not used yet
	flight   chan *inFlight // handed over, oldest first; never full
	complete chan struct{}  // closed when the producer has returned
	produced error          // what it has returned; set before that
	late     bool           // its ctx had ended by then: that is no end of its own; set before that too

	left atomic.Bool // acknowledge has returned

	told bool // the consumer was told of the session's end; of acknowledge
}

// inFlight is a publish of a stream. From its handing over to its End it is the
// actor's, then the stream's again.
type inFlight struct {
	pub  session.Publish
	ack  chan Ack // capacity 1, and one End for each handing over: that never blocks
	seen *seen    // nil without interceptors
}

// Deliver is never called: a publish has one answer.
func (f *inFlight) Deliver(*proto.Message) session.Verdict { return session.Taken }

// End takes the answer. It runs on the actor, which does not look at the publish
// again.
func (f *inFlight) End(e session.End) { f.ack <- ackOf(f.pub.URI, e) }

// publishAll starts both goroutines.
func (s *Session) publishAll(ctx context.Context, topic string, options []PublishStreamOption, produce func(p *publishStream) error) Acks {
	p, err := s.newPublishStream(ctx, topic, options)
	if err == nil && produce == nil {
		err = errNilProducer
	}
	if err != nil {
		return failedAcks(topic, err)
	}
	// It ends with the producer, whose ctx ends with the stream.
	err = s.eng.GoProducer(func() {
		p.produced = errProducer
		defer func() { // also behind runtime.Goexit
			p.late = p.inner.Err() != nil
			close(p.complete)
		}()
		s.guarded("the producer of a stream of "+topic, func() { p.produced = produce(p) })
	})
	if err == nil {
		err = p.relay.Run(s.eng, p.acknowledge)
	}
	if err != nil {
		p.forget()
		p.stop(err)
		return failedAcks(topic, err)
	}
	return p.relay.Ch()
}

func (s *Session) newPublishStream(ctx context.Context, topic string, options []PublishStreamOption) (*publishStream, error) {
	ctx, err := session.Own(ctx)
	if err != nil {
		return nil, err
	}
	if err := proto.CheckURI(topic); err != nil {
		return nil, err
	}
	cfg, err := configure(s, options, PublishStreamOption.applyStream)
	if err != nil {
		return nil, err
	}
	own := cfg.window > 0
	if !own {
		cfg.window = s.window
	}
	p := &publishStream{s: s, ctx: ctx, topic: topic, cfg: cfg, acked: cfg.acknowledged(), own: own, relay: flow.NewRelay[Ack](ctx, min(cfg.window, streamChannel)),
		room: make(chan *inFlight, cfg.window), flight: make(chan *inFlight, cfg.window), complete: make(chan struct{})}
	for range cfg.window {
		p.room <- nil
	}
	p.head = newHead(s.eng.Codec(), topic, p.acked)
	p.inner, p.stop = context.WithCancelCause(ctx)
	over := s.eng.Context()
	p.forget = context.AfterFunc(over, func() { p.stop(context.Cause(over)) })
	return p, nil
}

// itself is the payload of a payload.
func itself(p Payload) Payload { return p }

// takeFrom publishes what comes in on a channel, as the payloads that of makes of it. It
// is the producer of a PublishStream.
func takeFrom[T any](p *publishStream, values <-chan T, of func(T) Payload) error {
	for {
		f, err := p.acquire()
		if err != nil {
			return err
		}
		select {
		case v, more := <-values:
			if !more {
				p.room <- f
				return nil
			}
			// It is ours now, so it goes out also if no more is taken meanwhile.
			_ = p.publish(p.ctx, f, of(v))
		case <-p.inner.Done():
			p.room <- f
			return context.Cause(p.inner)
		}
	}
}

// send publishes one payload. It is what a producer of PublishFunc calls.
func (p *publishStream) send(payload Payload) error {
	f, err := p.acquire()
	if err == nil {
		err = p.publish(p.inner, f, payload)
	}
	return err
}

// acquire waits for a free place in the window.
func (p *publishStream) acquire() (f *inFlight, err error) {
	if p.inner.Err() != nil {
		return nil, context.Cause(p.inner)
	}
	select { // one that is there costs the least to take
	case f = <-p.room:
		return f, nil
	default:
	}
	select {
	case f = <-p.room:
		return f, nil
	case <-p.inner.Done():
		return nil, context.Cause(p.inner)
	}
}

// publish hands one publish over, as soon as there is room outbound or ctx ends.
// If that is the producer's, its error is why the stream takes no more: the
// publish has come too late then, and has no acknowledgement.
func (p *publishStream) publish(ctx context.Context, f *inFlight, payload Payload) error { //nolint:contextcheck // the publish outlives ctx
	if f == nil {
		f = &inFlight{ack: make(chan Ack, 1)}
	}
	f.pub = session.Publish{Ctx: p.ctx, URI: p.topic, Sink: f, Idempotent: p.cfg.idempotent, OwnWindow: p.own}
	handed := false
	defer func() {
		if !handed { // runtime.Goexit in a marshaler: the place is not lost
			f.over(errGoexit, onUsers)
			p.room <- f
		}
	}()
	h, options := p.head, p.acked
	payload, err := p.see(f, payload)
	if f.seen != nil {
		h, options = nil, f.seen.Options.With(proto.KeyAcknowledge, true)
	}
	if err == nil {
		f.pub.Rest, f.pub.Roomy, f.pub.Needs, err = p.s.restOf(f.pub.Scratch[:0], h, p.topic, options, p.cfg.needs, payload)
	}
	handed = true
	if err == nil {
		err = p.s.eng.PublishWithin(ctx, &f.pub)
		if err != nil && ctx == p.inner && ctx.Err() != nil {
			f.over(opError("publish", p.topic, context.Cause(p.inner)), onUsers)
			p.room <- f
			return context.Cause(p.inner)
		}
	}
	if err != nil {
		f.ack <- Ack{Err: opError("publish", p.topic, err)}
	}
	p.flight <- f
	if p.left.Load() {
		p.abandon(onUsers)
	}
	return nil
}

// acknowledge hands the acknowledgements on until no more can come.
func (p *publishStream) acknowledge() {
	if p.s.interceptors != nil {
		defer func() {
			p.left.Store(true)
			p.abandon(onFeeder)
		}()
	}
	defer p.forget()
	defer p.stop(ErrSessionClosed) // when Close was out of time
	over := p.s.eng.Context()
	back := 0 // places that nobody gets again
	var last error
	complete, closed := false, false // which end it was; neither: that of ctx, or an error
	for p.inner.Err() == nil {
		var f *inFlight
		select { // one that is there costs the least to take
		case f = <-p.flight:
		default:
			select {
			case f = <-p.flight:
			case <-p.complete:
				if !p.late {
					last, complete = p.produced, true
				}
				p.stop(nil)
			case <-p.inner.Done():
			}
		}
		if f == nil {
			continue
		}
		if !p.passAck(f) {
			return
		}
		if p.inner.Err() == nil {
			p.room <- f
		} else {
			back++
		}
	}
	if over.Err() != nil && !complete && context.Cause(p.inner) == context.Cause(over) {
		last, closed = context.Cause(over), true
		select {
		case <-p.complete:
			if !p.late {
				last, complete, closed = p.produced, true, false
			}
		default:
		}
	}
	// The producer may still be about to hand one over. When all places are back,
	// nothing is under way any more, nor will be.
	for ; back < p.cfg.window; back++ {
		select {
		case f := <-p.flight:
			if !p.passAck(f) {
				return
			}
		case <-p.room:
		case <-p.relay.Hurry(): // the producer does not end
			p.cut(len(p.flight))
			return
		case <-p.ctx.Done():
			p.relay.Last(Ack{Err: opError("publish", p.topic, session.Canceled(p.ctx))})
			return
		}
	}
	if !complete && p.ctx.Err() != nil {
		last = session.Canceled(p.ctx)
	} else if closed && p.told {
		return
	}
	if last != nil {
		p.relay.Last(Ack{Err: opError("publish", p.topic, last)})
	}
}

// passAck waits for the acknowledgement of the oldest publish and hands it on. It
// reports false when the stream has ended.
func (p *publishStream) passAck(f *inFlight) bool {
	var ack Ack
	select {
	case ack = <-f.ack:
	default:
		select {
		case ack = <-f.ack:
		case <-p.ctx.Done():
		}
	}
	if p.ctx.Err() != nil {
		ack = Ack{Err: opError("publish", p.topic, session.Canceled(p.ctx))}
	}
	f.acked(ack)
	if p.ctx.Err() != nil {
		p.relay.Last(ack)
		return false
	}
	if ack.Err != nil {
		if isClosed(ack.Err) {
			p.told = true
		}
		if over := p.s.eng.Context(); !p.cfg.goOn || p.told {
			p.stop(ack.Err)
		} else if over.Err() != nil { // no acknowledgement says so: the last element does
			p.stop(context.Cause(over))
		}
	}
	if p.relay.Send(ack) || p.ctx.Err() != nil {
		return true
	}
	p.cut(1 + len(p.flight))
	return false
}

// cut ends the stream where Close waits for nobody any more, and n
// acknowledgements were not read.
func (p *publishStream) cut(n int) {
	p.relay.Cut(n, func(n int) Ack { return Ack{Err: opError("publish", p.topic, p.s.eng.Undelivered(n))} })
}

// isClosed reports whether an operation's error is the end of its session. One
// that is wrapped deeper may be of another session.
func isClosed(err error) bool {
	if op, is := err.(*OpError); is { //nolint:errorlint // see above
		err = op.Err
	}
	if unknown, is := err.(*OutcomeUnknown); is { //nolint:errorlint // see above
		err = unknown.Reason
	}
	_, closed := err.(*ClosedError) //nolint:errorlint // see above
	return closed
}
