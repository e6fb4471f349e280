package wamp

import (
	"context"
	"iter"
	"sync/atomic"
)

// ServeStream registers a procedure, as [Serve] does, whose handler sends items before
// it returns its response: progressive results. It is the callee's side of [Stream] and
// [OpenStream].
//
// Each send is [Invocation.Progress] of one item, which becomes the one argument of the
// result: struct{} sends an empty one, and a [Payload] is sent as it is. Nothing is sent
// where the caller did not ask for progressive results ([Invocation.Progressive]). An
// error of send is that of Progress; a handler returns it, since the call is over.
//
// Req, Res, errors, ctx and options are those of Serve.
//
// See the WAMP specification, "Progressive Call Results".
func ServeStream[Req, Item, Res any](ctx context.Context, s *Session, procedure string, h func(ctx context.Context, req Req, send func(Item) error) (Res, error), options ...RegisterOption) (*Service, error) {
	if h == nil {
		return nil, opError("register", procedure, errNilHandler)
	}
	return s.Handle(ctx, procedure, func(ctx context.Context, inv *Invocation) error {
		var req Req
		if err := request(&req, inv.Payload); err != nil {
			return inv.refuse(err)
		}
		res, err := h(ctx, req, func(item Item) error { return inv.Progress(response(item)) })
		if err != nil {
			return err
		}
		return inv.Return(response(res))
	}, options...)
}

// ServeChunks registers a procedure, as [ServeStream] does, whose handler takes the
// chunks of a progressive call. It is the callee's side of [OpenCall] and
// [Session.CallFunc]; the only payload of any other call is its one chunk.
//
// in yields each chunk as it comes, decoded as Serve decodes its request; an empty last
// one is left out. One that does not fit is yielded as an error, and the sequence goes
// on. A handler that returns that error answers with wamp.error.invalid_argument, the
// number of the chunk, from 1, the place and the reason. Where the context of the
// invocation ends before the input is complete, or before it was read to its end, the
// last pair is the cause: a handler that has seen no error has seen the whole input.
//
// in waits for chunks as long as the context of the invocation lives. A loop that was
// left can be gone on with by another. Chunks that are not read are bounded as those of
// [Invocation.Chunks], and [ChunkIdle] bounds the time between them.
//
// See the WAMP specification, "Progressive Call Invocations".
func ServeChunks[Req, Item, Res any](ctx context.Context, s *Session, procedure string, h func(ctx context.Context, in iter.Seq2[Req, error], send func(Item) error) (Res, error), options ...RegisterOption) (*Service, error) {
	if h == nil {
		return nil, opError("register", procedure, errNilHandler)
	}
	return s.Handle(ctx, procedure, func(ctx context.Context, inv *Invocation) error {
		res, err := h(ctx, chunksOf[Req](inv), func(item Item) error { return inv.Progress(response(item)) })
		if err != nil {
			return err
		}
		return inv.Return(response(res))
	}, options...)
}

// chunksOf are the chunks of an invocation, decoded.
func chunksOf[Req any](inv *Invocation) iter.Seq2[Req, error] {
	n := 0
	var reading atomic.Bool
	uri := inv.reg.registration.URI
	return func(yield func(Req, error) bool) {
		if !reading.CompareAndSwap(false, true) {
			yield(*new(Req), opError("chunk", uri, errByLoop))
			return
		}
		defer reading.Store(false)
		req := new(Req) // for all of them: what is yielded is a copy
		for p := range inv.Chunks() {
			n++
			*req = *new(Req)
			err := request(req, p)
			if err != nil {
				*req, err = *new(Req), opError("chunk", uri, inv.refuseChunk(n, err))
			}
			if !yield(*req, err) {
				return
			}
		}
		if err := inv.over(); err != nil {
			yield(*new(Req), opError("chunk", uri, err))
		}
	}
}

// refuseChunk is refuse with the number of a chunk.
func (inv *Invocation) refuseChunk(n int, err error) error {
	refused := inv.refuse(err)
	if _, is := refused.(*Error); is { //nolint:errorlint // it is ours
		return Errorf(ErrInvalidArgument, "chunk %d: %v", n, err)
	}
	return refused
}
