package wamp

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// ResultStream is a call with progressive results of type P and a final result of type
// R, made by [OpenStream] or [OpenCall].
//
// It is read by one loop over [ResultStream.All], by [ResultStream.Result], or by the
// loop and then Result. A stream that is neither read to its end nor closed holds what
// comes, up to the bound of the call ([Buffer]), until the call's context ends. One
// goroutine reads at a time; [ResultStream.Close] may be called from any.
type ResultStream[P, R any] struct {
	procedure string
	source    source
	cancel    context.CancelFunc
	reading   atomic.Bool
	closed    atomic.Bool

	// Of who reads.
	looped bool   // the progressive results are gone: All has begun, or Result
	over   bool   // last is there
	last   Result // the last element of the call
	known  bool   // so is the outcome
	result R
	err    error
}

// OpenStream calls a procedure whose progressive results are of type P and whose final
// result is of type R. The one are decoded as the elements of [Stream], the other as the
// result of [Call]; either may be
// [Payload] or struct{}. [Progressive] is set.
//
//	st := wamp.OpenStream[Progress, Summary](ctx, session, "com.example.import", wamp.Args(name))
//	for p, err := range st.All() {
//		...
//	}
//	summary, err := st.Result()
//
// The call has begun when OpenStream returns, or has failed, which All and Result then
// tell. ctx governs it as in [Session.Call]; so do the options, and [ResultStream.Close]
// ends it.
//
// See the WAMP specification, "Progressive Call Results".
func OpenStream[P, R any](ctx context.Context, s *Session, procedure string, payload Payload, options ...CallOption) *ResultStream[P, R] {
	ctx, cancel := cancelable(ctx)
	cs := s.openBlocks(ctx, procedure, payload, options, letGo(cancel))
	return &ResultStream[P, R]{procedure: procedure, source: cs, cancel: cancel}
}

// OpenCall makes a progressive call whose chunks a function produces, each of type C,
// and whose results are those of [OpenStream]. It is [Session.CallFunc] with types:
// each send is one chunk, C becomes its one argument, a [Payload] is sent as it is, so
// that [codec.Payload.Last] can mark the last one, and struct{} sends an empty chunk.
// The input is complete when produce returns nil. An error of produce cancels the call
// and is its error.
//
// produce runs on a goroutine of its own. Its context and send are those of CallFunc;
// ctx governs the call. [Progressive] is set.
//
// See the WAMP specification, "Progressive Call Invocations".
func OpenCall[C, P, R any](ctx context.Context, s *Session, procedure string, produce func(ctx context.Context, send func(C) error) error, options ...CallOption) *ResultStream[P, R] {
	var payloads func(context.Context, func(Payload) error) error
	if produce != nil {
		payloads = func(ctx context.Context, send func(Payload) error) error {
			return produce(ctx, func(v C) error { return opError("call", procedure, send(response(v))) })
		}
	}
	ctx, cancel := cancelable(ctx)
	return &ResultStream[P, R]{procedure: procedure, source: s.openProducer(ctx, procedure, payloads, options, letGo(cancel)), cancel: cancel}
}

// cancelable derives a context by which a call is ended. One that cannot be derived from is
// refused by the call.
func cancelable(ctx context.Context) (context.Context, context.CancelFunc) {
	own, err := session.Own(ctx)
	if err != nil {
		return ctx, func() {}
	}
	return context.WithCancel(own)
}

// letGo ends the context of a call with it, where nobody is waited for: what it derives
// from may live for ever.
func letGo(cancel context.CancelFunc) func(*callStream) {
	return func(cs *callStream) {
		if !cs.Waits() {
			cancel()
		}
	}
}

var (
	errNoResultStream = opError("call", "", errNoStream)
	errReadAlready    = errors.New("the progressive results have been read already")
)

// begin lets one reader in.
func (st *ResultStream[P, R]) begin() error {
	switch {
	case st == nil || st.cancel == nil:
		return errNoResultStream
	case !st.reading.CompareAndSwap(false, true):
		return opError("call", st.procedure, errByLoop)
	}
	return nil
}

// read gives the progressive results to yield, until that returns false, and keeps the
// last element.
func (st *ResultStream[P, R]) read(yield func(*Result) bool) {
	if st.over {
		return
	}
	for r := range st.source.each {
		if !r.Progress {
			st.last, st.over = *r, true
			st.cancel() // nothing is left that it could end
			return
		}
		if !st.closed.Load() && !yield(r) {
			return
		}
	}
}

// All returns an iterator over the progressive results. One that does not decode into
// a P, or is empty where P is not struct{}, is yielded as an error, a [ScanError] in an
// [OpError], and the loop goes on; so is the error of one callee where all are called.
// The error of the call is the last pair; [ResultStream.Result] returns it again, and so
// tells the two apart. A final result ends the loop without a pair and is left to Result.
//
// Leaving the loop ends the call, as [ResultStream.Close] does. There can be one loop
// only: a second one, one inside it, or one after Result yields a single pair with an
// error.
func (st *ResultStream[P, R]) All() iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		var none P
		if err := st.begin(); err != nil {
			yield(none, err)
			return
		}
		if st.looped {
			st.reading.Store(false)
			yield(none, opError("call", st.procedure, errReadAlready))
			return
		}
		st.looped = true
		failed := error(nil)
		func() {
			defer func() { // also behind a panic
				st.Close()
				st.reading.Store(false)
			}()
			v := new(P)
			st.read(func(r *Result) bool {
				*v = *new(P)
				err := element(v, st.procedure, r)
				return yield(*v, err)
			})
			failed = st.last.Err
		}()
		if failed != nil {
			yield(none, failed)
		}
	}
}

// Result waits for the final result and decodes it into an R, as [Call] does. Without
// a loop over [ResultStream.All] before it, it discards the progressive results. It may
// be called after a loop that was left, and after [ResultStream.Close]: a call that was
// ended so fails with a [CanceledError], unless its result had come. Called again it
// returns the same.
//
// What it waits for is bounded by the context of the call. Inside the loop, or while
// another Result waits, it returns an error at once.
func (st *ResultStream[P, R]) Result() (R, error) {
	if err := st.begin(); err != nil {
		return *new(R), err
	}
	defer st.reading.Store(false)
	st.looped = true
	st.read(func(*Result) bool { return true })
	if st.known {
		return st.result, st.err
	}
	switch {
	case !st.over: // a panic of the reader's has taken it
		st.err = errNoResultStream
	case st.last.Err != nil:
		st.err = st.last.Err
	default:
		if err := into(&st.result, st.last.Payload, "result"); err != nil {
			st.result, st.err = *new(R), opError("call", st.procedure, err)
		}
	}
	st.last, st.known = Result{Err: st.last.Err}, true
	return st.result, st.err
}

// Close ends the call, unless it is over: CANCEL is sent as by the end of its context,
// and progressive results that were not read are dropped. It does not wait, may be
// called at any time, also inside the loop, and more than once.
func (st *ResultStream[P, R]) Close() {
	if st != nil && st.cancel != nil {
		st.closed.Store(true)
		st.cancel()
	}
}
