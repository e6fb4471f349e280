package wamp

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// CallStream makes a progressive call: each payload that comes in on the
// channel goes out as a chunk of one call, until the channel is closed or a
// payload is marked as the last (Payload.Last, which saves an empty chunk). The
// results come back at the same time, so that the call is a stream both ways.
//
// The call begins with the first payload; a channel that is closed without one
// makes a plain call without arguments. When the call is over, whatever ended
// it, nothing more is taken from the channel. A producer must not hang then, so
// it sends with a select on its own ctx, and ends that when the results end:
//
//	select {
//	case chunks <- payload:
//	case <-ctx.Done():
//	}
//
// CallFunc takes care of that by itself.
//
// ctx owns the call as in Call: its end cancels both directions. Options hold
// for the call as a whole; Timeout bounds the time between results, not the
// time between chunks. The call is never sent again by Idempotent, since the
// chunks are gone.
//
// The stream is closed by the session. Its errors are those of Call, and a
// *FeatureError where the dealer lacks progressive_call_invocations.
//
// See WAMP, "Progressive Call Invocations".
func (s *Session) CallStream(ctx context.Context, procedure string, chunks <-chan Payload, options ...CallOption) Results {
	if chunks == nil {
		return s.callFunc(ctx, procedure, options, nil)
	}
	return s.callFunc(ctx, procedure, options, func(ctx context.Context, send func(Payload) error) error {
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
	})
}

// CallFunc makes a progressive call whose chunks a function produces: each send
// is one, and the call's input is complete when produce returns nil, or when a
// payload was marked as the last. An error of produce cancels the call, and is
// the error of its stream.
//
// produce runs in a goroutine of its own, which Close waits for. The ctx that
// it is given ends with the call, so that it never hangs on a call that is
// over; its cause then is ErrCallEnded, or that of the ctx given to CallFunc.
// send waits for outbound room under that ctx, and returns the error by which
// the call has ended. It must be called from one goroutine at a time.
//
// All else is as in CallStream.
func (s *Session) CallFunc(ctx context.Context, procedure string, produce func(ctx context.Context, send func(Payload) error) error, options ...CallOption) Results {
	return s.callFunc(ctx, procedure, options, produce)
}

func (s *Session) callFunc(ctx context.Context, procedure string, options []CallOption, produce func(context.Context, func(Payload) error) error) Results {
	cs, err := s.newCall(ctx, procedure, options)
	if err == nil && produce == nil {
		err = errNilProducer
	}
	if err != nil {
		cs.refuse(err)
		return Results(cs.Ch())
	}
	p := &producer{s: s, cs: cs}
	p.ctx, cs.over = context.WithCancelCause(cs.Context())
	// It ends with produce, whose ctx ends with the call.
	if err := s.eng.GoProducer(func() { p.run(produce) }); err != nil {
		cs.over(err)
		cs.refuse(err)
	}
	return Results(cs.Ch())
}

// producer sends the chunks of one progressive call.
type producer struct {
	s      *Session
	cs     *callStream
	ctx    context.Context // ends with the call: it belongs to it
	begun  bool            // the call was handed over: its end comes from the actor
	ended  bool            // the last chunk was sent
	failed error           // the call could not be handed over
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
	p.cs.over(ErrCallEnded)
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
	if !p.begun {
		p.cs.call.More = !last
		if p.failed = p.cs.begin(payload); p.failed != nil {
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
	keys, _, err := p.s.seal(&k.Body, About{Kind: CallPayload, URI: k.Call.URI}, payload)
	if err == nil && keys.Has("enc_algo") {
		err = errChunkForm
	}
	return err
}

// chunkPool has chunks to be used again: nobody holds one that the actor has let
// go of.
var chunkPool = session.NewPool[session.Chunk]()
