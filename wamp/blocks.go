package wamp

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// reader is who reads a handle. There is one way for each: its channel, or loops
// over All, one after the other. Two ways at once would take from each other.
type reader struct{ way atomic.Int32 }

const (
	unread int32 = iota
	readByChannel
	readByLoops // none of which runs
	readByLoop
)

// byChannel reports whether the channel is the way.
func (r *reader) byChannel() bool {
	return r.way.Load() == readByChannel || r.way.CompareAndSwap(unread, readByChannel) || r.way.Load() == readByChannel
}

// begin begins a loop.
func (r *reader) begin() error {
	for _, before := range []int32{readByLoops, unread} {
		if r.way.CompareAndSwap(before, readByLoop) {
			return nil
		}
	}
	if r.way.Load() == readByChannel {
		return errByChannel
	}
	return errByLoop
}

// end ends a loop.
func (r *reader) end() { r.way.Store(readByLoops) }

// Empty blocks of streams, of all sessions: there is nothing in them.
var (
	eventBlocks      flow.Pool[Event]
	invocationBlocks flow.Pool[*Invocation]
	resultBlocks     flow.Pool[Result]
)

// openBlocks makes a progressive call whose results are read by the block, by Each
// and without a channel. It is begun, or ends with why it was not. Its struct is not
// used again: the consumer looks at it behind the end.
func (s *Session) openBlocks(ctx context.Context, procedure string, payload Payload, options []CallOption) *callStream {
	cs := &callStream{s: s}
	err := cs.configure(ctx, procedure, append([]CallOption{Progressive()}, options...))
	cs.OpenBlocks(cs.call.Ctx, s.eng, progressChannel)
	cs.Cut = cutCall
	if err == nil {
		err = cs.begin(payload)
	}
	if err != nil {
		cs.refuse(err)
	}
	return cs
}

// Stream calls a procedure and returns an iterator that decodes the first
// argument of each result into a T. [Progressive] is set. A final result
// without arguments ends the sequence without an element; an error, of the call
// or of decoding, is the last pair. Leaving the loop cancels the call.
//
// ctx governs the call, as in [Session.Call].
func Stream[T any](ctx context.Context, s *Session, procedure string, payload Payload, options ...CallOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, err := session.Own(ctx)
		if err != nil {
			yield(*new(T), opError("call", procedure, err))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for r := range s.openBlocks(ctx, procedure, payload, options).Each {
			var v T
			err := r.Err
			if err == nil && !r.Progress && r.NArgs() == 0 {
				return
			}
			if err == nil {
				err = r.Scan(&v)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
