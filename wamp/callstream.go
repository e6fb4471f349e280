package wamp

import (
	"context"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// CallStream makes a progressive call: each payload that comes in on the
// channel is sent as a chunk of one call, until the channel is closed or a
// payload is marked as the last by [codec.Payload.Last], which saves an empty
// chunk. The results come back at the same time, so that the call is a stream
// in both directions.
//
// The call begins with the first payload. A channel that is closed without one
// makes a plain call without arguments. When the call is over, for whatever
// reason, nothing more is taken from the channel. A producer must not block then: it
// sends in a select with a context of its own, which ends when the results end.
// [Session.CallFunc] does so by itself.
//
//	select {
//	case chunks <- payload:
//	case <-ctx.Done():
//	}
//
// ctx governs the call as in [Session.Call]; its end cancels both directions.
// The options apply to the call as a whole. [Timeout] bounds the time between
// results, not between chunks. The call is never sent again ([Idempotent]),
// since its chunks are gone.
//
// The session closes the stream. Its errors are those of [Session.Call], and a
// [FeatureError] where the dealer did not announce
// progressive_call_invocations.
//
// See the WAMP specification, "Progressive Call Invocations".
func (s *Session) CallStream(ctx context.Context, procedure string, chunks <-chan Payload, options ...CallOption) Results {
	if chunks == nil {
		return s.CallFunc(ctx, procedure, nil, options...)
	}
	return s.CallFunc(ctx, procedure, func(ctx context.Context, send func(Payload) error) error {
		for {
			select {
			case p, open := <-chunks:
				if !open {
					return nil
				}
				if err := send(p); err != nil || p.IsLast() {
					return err
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}, options...)
}

// CallFunc makes a progressive call whose chunks a function produces. Each send
// is one chunk. The input of the call is complete when produce returns nil, or
// after a payload that is marked as the last by [codec.Payload.Last]. An error
// of produce cancels the call and is the error of its stream.
//
// produce runs on a goroutine of its own, for which [Session.Close] waits. The
// context that it is given ends when the call is over, with the cause
// [ErrCallEnded], or when ctx ends, with the cause of ctx. send waits for
// outbound room under that context, and returns the error by which the call has
// ended. It must be called from one goroutine at a time.
//
// Otherwise CallFunc is like [Session.CallStream].
func (s *Session) CallFunc(ctx context.Context, procedure string, produce func(ctx context.Context, send func(Payload) error) error, options ...CallOption) Results {
	cs, err := s.newCall(ctx, procedure, options)
	if err == nil && cs.long() {
		return s.produceLong(cs, procedure, produce, options)
	}
	cs.produce(produce, err)
	return Results(cs.Ch())
}

// openProducer is CallFunc without a channel, see openBlocks.
func (s *Session) openProducer(ctx context.Context, procedure string, produce func(ctx context.Context, send func(Payload) error) error, options []CallOption, over func(*callStream)) source {
	cs, err := s.newBlocks(ctx, procedure, progressive(options), over)
	if err == nil && cs.long() {
		return source{channel: s.produceLong(cs, procedure, produce, progressive(options))}
	}
	cs.produce(produce, err)
	return source{blocks: cs}
}

// produce begins a call whose chunks a function produces. err is why it cannot be.
func (cs *callStream) produce(produce func(ctx context.Context, send func(Payload) error) error, err error) {
	if err == nil && produce == nil {
		err = errNilProducer
	}
	if err != nil {
		cs.refuse(err)
		return
	}
	p := &producer{s: cs.s, cs: cs}
	ctx, cancel := context.WithCancelCause(cs.Context())
	p.ctx = ctx
	if over := cs.over; over == nil {
		cs.over = cancel
	} else {
		cs.over = func(err error) { cancel(err); over(err) }
	}
	// It ends with produce, whose ctx ends with the call.
	if err := cs.s.eng.GoProducer(func() { p.run(produce) }); err != nil {
		cs.over(err)
		cs.refuse(err)
	}
}

// producer sends the chunks of one progressive call.
type producer struct {
	s      *Session
	cs     *callStream
	ctx    context.Context // ends with the call: it belongs to it
	begun  bool            // the call was handed over: its end comes from the actor
	ended  bool            // the last chunk was sent
	failed error           // the call could not be handed over
	seen   *seen           // nil without interceptors
	sealer seal.Codec      // of all chunks, as what is said of the first holds for all

	// With interceptors.
	bound  context.CancelCauseFunc // ends the stream's context
	unbind atomic.Pointer[func() bool]
	claim  atomic.Int32 // who begins or ends the call
}

const (
	unclaimed int32 = iota
	claimedByProducer
	claimedByEnd
)

// produceLong is CallFunc where the session has interceptors. Those see the call begin with
// its first chunk. It refuses to make it more than once.
func (s *Session) produceLong(like *callStream, procedure string, produce func(context.Context, func(Payload) error) error, options []CallOption) Results {
	err := errNilProducer
	if like.more != nil {
		err = errChunksGone
	}
	if like.more != nil || produce == nil {
		like.ended()
		return flow.Of(Result{Err: opError("call", procedure, err)})
	}
	lc := &longCall{s: s, at: onFeeder, procedure: procedure, options: options, attempts: 1}
	outer, bound := context.WithCancelCause(like.call.Ctx) // ends with the context that Begin returns, too
	lc.outer = outer
	lc.ctx, lc.cancel = context.WithCancelCause(lc.outer)
	lc.seen = s.sees(Op{Kind: OpCall, URI: procedure, Options: like.call.Options, Progressive: like.call.Progressive})
	cs := lc.open()
	p := &producer{s: s, cs: cs, seen: lc.seen, bound: bound}
	p.ctx, cs.over = context.WithCancelCause(cs.Context())
	over := s.eng.Context()
	forget := context.AfterFunc(over, func() { // a producer may take its time
		if p.claim.CompareAndSwap(unclaimed, claimedByEnd) {
			cs.over(context.Cause(over))
			cs.refuse(context.Cause(over))
		}
	})
	lc.after = func() {
		forget()
		if unbind := p.unbind.Load(); unbind != nil {
			(*unbind)()
		}
		bound(nil)
		like.ended()
	}
	if err := s.eng.GoProducer(func() { p.run(produce) }); err != nil {
		cs.over(err)
		cs.refuse(err)
	}
	return lc.results()
}

// see lets the interceptors see a chunk, and returns what is sent of it.
func (p *producer) see(payload Payload) (Payload, error) {
	last := payload.IsLast()
	if p.begun {
		part := Part{Payload: payload, Sent: true, Last: last}
		if err := p.seen.progress(&part, onUsers); err != nil {
			p.s.eng.CancelCall(&p.cs.call, err)
			return payload, opError("call", p.cs.call.URI, err)
		}
		payload = part.Payload
	} else {
		p.seen.Payload = payload
		ctx, err := p.seen.begin(p.cs.Context(), onUsers)
		if err == nil {
			p.cs.call.Ctx, p.cs.call.Bounded, err = session.OwnCall(ctx)
		}
		if err != nil {
			return payload, err
		}
		if own := p.cs.call.Ctx; own != p.cs.Context() {
			unbind := context.AfterFunc(own, func() { p.bound(context.Cause(own)) })
			p.unbind.Store(&unbind)
		}
		p.cs.Bind(p.cs.call.Ctx)
		payload, p.cs.call.Options = p.seen.Payload, p.seen.Options
	}
	payload, err := p.s.frozen(p.cs.call.URI, payload)
	p.seen.sized(payload.Size())
	if last {
		payload = payload.Last()
	}
	return payload, err
}

func (p *producer) run(produce func(context.Context, func(Payload) error) error) {
	stop := context.AfterFunc(p.s.eng.Context(), func() { p.cs.over(context.Cause(p.s.eng.Context())) })
	defer stop()
	err := errProducer
	defer func() { p.over(err) }() // also behind runtime.Goexit
	if p.s.guarded("the producer of a call of "+p.cs.call.URI, func() { err = produce(p.ctx, p.send) }) {
		if err == nil && !p.ended {
			err = p.send(Payload{}.Last())
		}
	}
}

// over ends the call if its producer has failed.
func (p *producer) over(err error) {
	if err == nil {
		return
	}
	if p.begun {
		if p.ctx.Err() == nil { // otherwise the call is over, or its ctx ends it
			p.s.eng.CancelCall(&p.cs.call, err)
		}
		return
	}
	if p.failed != nil {
		err = p.failed
	} else if p.cs.Context().Err() != nil {
		err = session.Canceled(p.cs.Context())
	}
	p.cs.refuse(err)
}

// send sends one chunk.
func (p *producer) send(payload Payload) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	if p.ended || p.failed != nil {
		return ErrCallEnded
	}
	last := payload.IsLast()
	var refused error
	if p.seen != nil {
		if !p.begun && !p.claim.CompareAndSwap(unclaimed, claimedByProducer) {
			return ErrCallEnded
		}
		if payload, refused = p.see(payload); refused != nil && p.begun {
			return refused
		}
	}
	if !p.begun {
		p.cs.call.More = !last
		if p.failed = refused; refused == nil {
			p.sealer = p.s.sealer()
			p.failed = p.cs.beginBy(p.sealer, payload)
		}
		if p.failed != nil {
			return opError("call", p.cs.call.URI, p.failed)
		}
		p.begun, p.ended = true, last
		return nil
	}
	k := chunkPool.Get()
	k.Call, k.Last, k.Done = &p.cs.call, last, chunkPool.Put
	var err error
	if err = p.seal(k, payload); err != nil {
		return err
	}
	if err = p.s.eng.Chunk(p.ctx, k); err == nil {
		p.ended = last
	}
	return err
}

// seal encodes a further chunk. What was said of the first one's payload holds
// for all; an empty last one says only that it is the last.
func (p *producer) seal(k *session.Chunk, payload Payload) error {
	if k.Last && payload.Empty() {
		return nil
	}
	keys, _, err := p.s.seal(p.sealer, &k.Body, seal.About{Kind: seal.KindCall, URI: k.Call.URI}, payload)
	if err == nil && keys.Has(proto.KeyEncAlgo) {
		err = errChunkForm
	}
	return err
}

// chunkPool has chunks to be used again: nobody holds one that the actor has let
// go of.
var chunkPool = session.NewPool[session.Chunk]()
