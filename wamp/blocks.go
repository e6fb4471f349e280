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

// ending is why a handle is over.
type ending struct{ err atomic.Pointer[error] }

// why is the error, nil while the handle lives.
func (e *ending) why() error {
	if err := e.err.Load(); err != nil {
		return *err
	}
	return nil
}

// over says why the channel of what, at uri, will be closed. A Close that has cut the
// stream already knows better.
func (e *ending) over(what, uri string, err error) {
	if !session.Asked(err) {
		err = opError(what, uri, err)
	}
	e.err.CompareAndSwap(nil, &err)
}

// cut says that Close has cut a stream of which n values were not delivered, beside those
// of which the stream has said so itself.
func (e *ending) cut(s *Session, what, uri string, n int) {
	if closed, is := session.Find[*ClosedError](e.why()); is {
		n += closed.Undelivered
	}
	err := opError(what, uri, s.eng.Undelivered(n))
	e.err.Store(&err)
}

// loop is an iterator over the values of a handle, which is what at uri. Behind the
// last one it says why there are no more, unless the user has asked for that.
func loop[T any](r *reader, end *ending, what, uri string, each iter.Seq[*T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := r.begin(); err != nil {
			yield(none, opError(what, uri, err))
			return
		}
		defer r.end() // also behind a panic
		for v := range each {
			if !yield(*v, nil) {
				return
			}
		}
		if err := end.why(); err != nil && !session.Asked(err) {
			yield(none, err)
		}
	}
}

// noLoop is the iterator over a handle that there is not.
func noLoop[T any](what string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(*new(T), opError(what, "", errNoStream)) }
}

// Empty blocks of streams, of all sessions: there is nothing in them.
var (
	eventBlocks      flow.Pool[Event]
	invocationBlocks flow.Pool[*Invocation]
	resultBlocks     flow.Pool[Result]
)

// source has the results of a call, the last of which is the outcome: in blocks, or where
// it takes more than that in a channel.
type source struct {
	blocks  *callStream
	channel Results
}

// each gives them to yield. It may be left and taken up again.
func (c source) each(yield func(*Result) bool) {
	if c.blocks != nil {
		c.blocks.Each(yield)
		return
	}
	for v := range c.channel {
		if !yield(&v) {
			return
		}
	}
}

// eachResult makes a progressive call whose results are read by the block, without a
// channel, and gives them to yield. Where that returns false the call is cancelled.
func (s *Session) eachResult(ctx context.Context, procedure string, payload Payload, options []CallOption, yield func(*Result) bool) {
	ctx, cancel := cancelable(ctx)
	defer cancel()
	cs, err := s.newBlocks(ctx, procedure, progressive(options), nil)
	if err == nil && cs.long() {
		s.openLong(cs, procedure, payload, progressive(options), onUsers).each(yield)
		return
	}
	cs.start(payload, err)
	cs.Each(yield)
}

// openBlocks makes a progressive call whose results are read by Each and without a
// channel. It is begun, or ends with why it was not. over, if any, is called on the actor
// when it ends. A call that takes more than that has a channel all the same.
func (s *Session) openBlocks(ctx context.Context, procedure string, payload Payload, options []CallOption, over func(*callStream)) source {
	cs, err := s.newBlocks(ctx, procedure, progressive(options), over)
	if err == nil && cs.long() {
		lc := s.openLong(cs, procedure, payload, progressive(options), onFeeder)
		lc.after = cs.ended
		return source{channel: lc.results()}
	}
	cs.start(payload, err)
	return source{blocks: cs}
}

// ended calls what is to be called at the end of a call, which another has taken the place
// of.
func (cs *callStream) ended() {
	if cs.over != nil {
		cs.over(nil)
	}
}

// progressive are options with the one that asks for progressive results. It is called
// where they are needed: those of a plain call are on the stack.
func progressive(options []CallOption) []CallOption {
	return append([]CallOption{Progressive()}, options...)
}

// start hands a call over, unless err is why it cannot be, and reports whether it has.
func (cs *callStream) start(payload Payload, err error) bool {
	if err == nil {
		err = cs.begin(payload)
	}
	if err != nil {
		cs.refuse(err)
	}
	return err == nil
}

// newBlocks makes a call that is read by the block, and is not handed over yet. Its struct
// is not used again: the consumer looks at it behind the end.
func (s *Session) newBlocks(ctx context.Context, procedure string, options []CallOption, over func(*callStream)) (*callStream, error) {
	cs := &callStream{s: s}
	if over != nil {
		cs.over = func(error) { over(cs) }
	}
	err := cs.configure(ctx, procedure, options)
	cs.OpenBlocks(cs.call.Ctx, (*callEngine)(cs), progressChannel)
	cs.Cut = cutCall
	return cs, err
}
