package wamp

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Result is one element of the stream of a call: a progressive result, the
// final result, or the error of the call.
type Result struct {
	// Payload is what the callee sent. It is empty where Err is set and is not
	// an error of the callee.
	Payload
	// Progress reports that this is a progressive result and that more follows.
	Progress bool
	// Resumed reports that this is the first result after the call has been made anew
	// after the loss of a connection. See Resume.
	Resumed bool
	// Err is why the call failed, nil if it did not. It is set on the last
	// element only. An error that the callee or the router sent is an *Error.
	Err error
	// Details are the details of the RESULT or ERROR message. They may be nil
	// and must not be changed.
	Details Dict
}

// Scan decodes the positional arguments of the result into the values that the
// targets point to; a nil target skips its argument. The error is a
// [ScanError]. See [codec.Payload.Scan].
func (r Result) Scan(targets ...any) error { return r.Payload.Scan(targets...) }

// ScanKw decodes the keyword arguments of the result into the struct or map
// that v points to. The error is a [ScanError]. See [codec.Payload.ScanKw].
func (r Result) ScanKw(v any) error { return r.Payload.ScanKw(v) }

// Args returns the positional arguments of the result as plain values. See
// [codec.Payload.Args].
func (r Result) Args() ([]any, error) { return r.Payload.Args() }

// Kwargs returns the keyword arguments of the result as plain values. See
// [codec.Payload.Kwargs].
func (r Result) Kwargs() (map[string]any, error) { return r.Payload.Kwargs() }

// NArgs returns the number of positional arguments of the result.
func (r Result) NArgs() int { return r.Payload.NArgs() }

// Results is the stream of a call: any number of progressive results, then
// exactly one last element, which is the final result or the error. The session
// then closes the channel.
//
// Leaving a range loop over the channel does not end the call; the end of its
// context does. [Stream] cancels the call when its loop is left.
type Results <-chan Result

// Final waits for the last element of the stream and returns it together with
// its Err. Progressive results before it are discarded.
func (r Results) Final() (Result, error) {
	last := Result{Err: errNoResults}
	if r == nil {
		return last, last.Err
	}
	for last = range r {
		if !last.Progress {
			break
		}
	}
	return last, last.Err
}

// All returns an iterator over the stream, which yields each element together
// with its Err; an error is the last pair. Leaving the loop does not end the
// call; the end of its context does. It reads the channel, for convenience;
// [Stream] does without one.
func (r Results) All() iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		if r == nil {
			yield(Result{Err: errNoResults}, errNoResults)
			return
		}
		for v := range r {
			if !yield(v, v.Err) {
				return
			}
		}
	}
}

const (
	progressChannel = 32
	callBytes       = 64 << 20
	killGrace       = 10 * time.Second
)

// callStream is a call with the stream of its results: the engine's part, the
// channel, and room for a small payload, in one allocation.
type callStream struct {
	flow.Stream[Result]
	call  session.Call
	s     *Session
	head  *head                   // of a call without options, or nil
	more  *callMore               // nil for most
	over  context.CancelCauseFunc // ends what a progressive call sends; nil for a plain one
	again bool                    // its struct is used again
}

var (
	_ session.Sink    = (*callStream)(nil)
	_ session.Hoarder = (*callStream)(nil)
)

// Call calls a procedure and returns the stream of its results: the progressive
// results, if [Progressive] was given and the callee sends any, then the final
// result or the error. Use [Results.Final] for a call with one result.
//
// ctx governs the call until the stream is closed. When ctx ends, CANCEL is
// sent to the dealer and the stream ends at once with a [CanceledError].
// Progressive results that were not read are then dropped; a final result that
// has arrived is not. [CancelMode] changes this. Call itself waits only while
// there is no outbound room ([WithOutbound]), also under ctx. Give ctx a
// deadline, or the call a [Timeout]: some routers drop messages, results too,
// when they are overrun.
//
// The session closes the stream. A consumer may stop reading at any time: what
// it does not read is held up to a bound ([Buffer], 64 MiB by default), beyond
// which the call is cancelled and ends with [ErrSlowConsumer].
//
// The error of the last element is an [OpError]. It wraps an [Error] if the
// callee or the router answered with one, a [CanceledError] or [TimeoutError]
// if the time was over, a [FeatureError], [EncodeError] or [URIError] if
// nothing was sent, an [OutcomeUnknown] if the connection was lost in between,
// or a [ClosedError].
//
// See the WAMP specification, "Calling and Invocations" and "Progressive Call
// Results".
func (s *Session) Call(ctx context.Context, procedure string, payload Payload, options ...CallOption) Results {
	cs, err := s.newCall(ctx, procedure, options)
	results := Results(cs.Ch()) // from begin on cs is the actor's
	if err == nil && cs.long() {
		return s.openLong(cs, procedure, payload, options, onFeeder).results()
	}
	if err == nil {
		cs.again = cs.call.About == nil
		err = cs.begin(payload)
	}
	if err != nil {
		cs.again = false
		cs.refuse(err)
	}
	return results
}

// callStreams are those of calls that are over, to be used again without their
// channels, which are the users'.
var callStreams = sync.Pool{New: func() any { return new(callStream) }}

// retire gives the struct of a call back whose end has been told, which was the last
// look of the actor and of the stream at it. One that had a feeder is left alone:
// that may still be on its way out.
func (cs *callStream) retire() {
	if cs.again && !cs.Fed() {
		*cs = callStream{}
		callStreams.Put(cs)
	}
}

// refuse ends a call that was not handed over.
func (cs *callStream) refuse(err error) {
	if cs.over != nil {
		cs.over(ErrCallEnded)
	}
	cs.Finish(Result{Err: opError("call", cs.call.URI, err)}, true, true)
}

// newCall makes a call that is not handed over yet. Its stream is there even if
// an option is wrong.
func (s *Session) newCall(ctx context.Context, procedure string, options []CallOption) (*callStream, error) {
	cs := callStreams.Get().(*callStream)
	cs.s = s
	err := cs.configure(ctx, procedure, options)
	n := 1
	if cs.call.Progressive {
		n = progressChannel
	}
	cs.Open(cs.call.Ctx, (*callEngine)(cs), n)
	cs.Cut = cutCall
	return cs, err
}

// configure sets a call up.
func (cs *callStream) configure(ctx context.Context, procedure string, options []CallOption) error {
	s, call := cs.s, &cs.call
	cs.Bytes, cs.Policy, cs.Pool = callBytes, flow.Fail, &resultBlocks
	ctx, bounded, err := session.OwnCall(ctx)
	if err != nil {
		ctx = s.eng.Context() // nothing waits under it
	} else {
		cs.head, err = headOf(s.eng.Codec(), procedure, len(options))
	}
	call.Ctx, call.Bounded, call.URI, call.Grace, call.Sink = ctx, bounded, procedure, killGrace, cs
	for _, o := range options {
		e := errNilOption
		if o != nil {
			e = o.applyCall(cs)
		}
		if e != nil && err == nil {
			err = s.noted(e)
		}
	}
	return err
}

// cutCall is the last result of a call that Close has cut.
func cutCall(s *flow.Stream[Result], n int) (Result, bool) {
	cs := (*callStream)(s.Engine().(*callEngine))
	return Result{Err: opError("call", cs.call.URI, cs.s.eng.Undelivered(n))}, true
}

// callEngine is the engine of the stream of a call, which is the session's. It tells
// cutCall which call that is.
type callEngine callStream

// Hold implements flow.Engine.
func (e *callEngine) Hold(bytes int) { e.s.eng.Hold(bytes) }

// Ungate implements flow.Engine.
func (e *callEngine) Ungate() { e.s.eng.Ungate() }

// Letting implements flow.Engine.
func (e *callEngine) Letting() bool { return e.s.eng.Letting() }

// Feed implements flow.Engine.
func (e *callEngine) Feed(feeder func(hurry <-chan struct{})) { e.s.eng.Feed(feeder) }

// GoFeeder implements flow.Engine.
func (e *callEngine) GoFeeder(f func(hurry <-chan struct{})) error { return e.s.eng.GoFeeder(f) }

// begin hands the call over with its payload.
func (cs *callStream) begin(payload Payload) error { return cs.beginBy(cs.s.sealer(), payload) }

// beginBy is begin with a payload that this codec seals, if there is one.
func (cs *callStream) beginBy(payloads seal.Codec, payload Payload) error {
	call := &cs.call
	if rest, done, err := cs.plain(&payload); done {
		if err != nil {
			return err
		}
		call.SetRest(rest)
		return cs.s.eng.Call(call)
	}
	keys, feature, err := cs.s.seal(payloads, &call.Body, seal.About{Kind: seal.KindCall, URI: call.URI}, payload)
	if err != nil {
		return err
	}
	call.Options, call.Needs = with(call.Options, call.Needs, proto.Dealer, keys, feature)
	return cs.s.eng.Call(call)
}

// plain encodes all of a call but its id, where nothing of it depends on the dealer.
func (cs *callStream) plain(payload *Payload) (rest []byte, done bool, err error) {
	call := &cs.call
	if call.More {
		return nil, false, nil
	}
	if call.Bounded {
		if _, has := call.Ctx.Deadline(); has {
			return nil, false, nil
		}
	}
	return cs.s.appendPlain(call.Scratch[:0], cs.head, payload)
}

// Deliver takes a progressive result. It runs on the actor.
func (cs *callStream) Deliver(m *proto.Message) session.Verdict {
	return cs.Put(Result{Payload: cs.received(m), Progress: true, Details: m.Options}, session.Cost(m))
}

// received is the payload of a RESULT.
func (cs *callStream) received(m *proto.Message) Payload {
	if cs.s.plain(m) {
		return codec.Received(cs.s.eng.Codec(), m)
	}
	return cs.s.open(seal.About{Kind: seal.KindResult, URI: cs.call.URI}, m, m.Options)
}

// End takes the outcome. It runs on the actor.
func (cs *callStream) End(e session.End) {
	r := cs.outcome(e)
	if cs.over != nil {
		cs.over(ErrCallEnded)
	}
	cs.Finish(r, true, e.Now)
	cs.retire()
}

// outcome is the last result of a call.
func (cs *callStream) outcome(e session.End) (r Result) {
	if e.Message != nil {
		r.Payload, r.Details = cs.received(e.Message), e.Message.Options
	} else {
		r.Err = opError("call", cs.call.URI, e.Err)
		if peer := e.Peer; peer != nil {
			cs.s.openError(seal.About{Kind: seal.KindError, URI: cs.call.URI, Error: peer.URI}, peer)
			r.Payload, r.Details = peer.Payload, peer.Details
		}
	}
	return r
}

// Callee returns who answered, as far as the dealer disclosed it.
func (r Result) Callee() Peer {
	return Peer{Session: r.Details.ID(proto.KeyCallee), AuthID: r.Details.Str(proto.KeyCalleeAuthID), AuthRole: r.Details.Str(proto.KeyCalleeAuthRole)}
}

// CalleeErr returns the error with which one callee answered a call to [All]
// callees, nil if the element is a result. The call goes on after it; only the
// Err field ends it.
func (r Result) CalleeErr() error {
	uri := r.Details.Str(proto.KeyError)
	if uri == "" || !r.Progress {
		return nil
	}
	return session.Received(uri, r.Details, r.Payload)
}
