package session

import (
	"context"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// CancelMode says what a CANCEL asks of the dealer.
type CancelMode uint8

// The cancel modes.
const (
	// KillNoWait: the callee is interrupted, the call ends at once. The
	// default.
	KillNoWait CancelMode = iota
	// Kill: the callee is interrupted, the call ends with its answer.
	Kill
	// Skip: the callee is left alone, the call ends at once.
	Skip
)

var cancelOptions = [...]proto.Dict{
	KillNoWait: {{Key: "mode", Value: "killnowait"}},
	Kill:       {{Key: "mode", Value: "kill"}},
	Skip:       {{Key: "mode", Value: "skip"}},
}

// String returns the mode as it stands on the wire.
func (m CancelMode) String() string { return cancelOptions[m].Str("mode") }

// Call is one CALL. The caller fills in the exported fields before it hands it
// to Session.Call; from then on it belongs to the actor.
type Call struct {
	// Ctx owns the call until its sink has been ended.
	Ctx context.Context
	// URI is the procedure.
	URI string
	// Options are sent as they are, beside those that the fields below make.
	Options proto.Dict
	// Args and Kwargs are encoded. They may live in Scratch.
	Args, Kwargs []byte
	// Scratch is room for small payloads, so that they cost no allocation.
	Scratch [96]byte
	// Sink takes the results.
	Sink Sink
	// Needs are features without which the call fails.
	Needs []Need
	// Progressive asks for progressive results, where the dealer has them.
	Progressive bool
	// DiscloseMe asks the dealer to tell the callee who calls.
	DiscloseMe bool
	// Idempotent: the call may be sent again when its outcome is unknown.
	Idempotent bool
	// Mode is how a cancelled call is cancelled.
	Mode CancelMode
	// Grace is how long mode Kill waits for the callee's answer.
	Grace time.Duration
	// Timeout ends the call when no result has come for so long. Zero: none.
	Timeout time.Duration
	// KeepDeadline: the deadline of Ctx is not passed on as a timeout.
	KeepDeadline bool
	// Patient: it waits for a link also where the policy is to fail at once. It
	// belongs to something that has begun before.
	Patient bool
	// More: Chunks follow, the last of which has Last set.
	More bool

	// Actor only, from here on.
	id        proto.ID
	seq       uint64 // the batch it is in
	delivered int
	canceled  *CanceledError // set while mode Kill waits
	timer     *timer
	watch     watched
	parked    bool     // it waits for a link
	chunked   bool     // it is a progressive call
	oneLink   bool     // it is of no use on another link
	chunks    []*Chunk // those that are not known to be written, like the call
}

func (call *Call) size() int { return len(call.URI) + len(call.Args) + len(call.Kwargs) + 32 }

// the options of calls that ask for nothing unusual, by flags.
var callOptions = [4]proto.Dict{
	{},
	{{Key: "receive_progress", Value: true}},
	{{Key: "disclose_me", Value: true}},
	{{Key: "receive_progress", Value: true}, {Key: "disclose_me", Value: true}},
}

func (call *Call) options(c *core) proto.Dict {
	i := 0
	if call.Progressive && c.dealer.Has(proto.ProgressiveCallResults) {
		i |= 1
	}
	if call.DiscloseMe {
		i |= 2
	}
	d := callOptions[i]
	if c.dealer.Has(proto.CallTimeout) {
		if t := call.limit(c); t > 0 {
			d = d.With("timeout", t)
		}
	}
	if call.More {
		d = d.With("progress", true)
	}
	for _, e := range call.Options {
		d = d.With(e.Key, e.Value)
	}
	return d
}

// limit is the timeout that is sent, in milliseconds; 0: none. That of the
// deadline ends a little behind it, so that the error is the ctx's own.
func (call *Call) limit(c *core) int64 {
	ms := int64((call.Timeout + time.Millisecond - 1) / time.Millisecond)
	if call.KeepDeadline || call.Mode != KillNoWait { // KillNoWait is how the dealer ends it
		return ms
	}
	if at, ok := call.Ctx.Deadline(); ok {
		left := at.Sub(c.host.now()).Milliseconds() + 1
		if ms == 0 || left < ms {
			ms = max(left, 1)
		}
	}
	return ms
}

func (call *Call) apply(c *core) {
	c.outCost += call.size()
	call.chunked = call.More
	if call.Ctx.Err() != nil {
		call.end(End{Err: newCanceled(call.Ctx), Now: true})
		return
	}
	call.send(c)
}

// resume sends a call that has waited for a link.
func (call *Call) resume(c *core) {
	call.parked = false
	c.unwatch(&call.watch)
	chunks := call.chunks
	call.chunks, call.More = nil, call.chunked
	call.send(c)
	for _, k := range chunks {
		k.pass(c)
	}
}

func (call *Call) send(c *core) {
	if c.life.waiting {
		call.parked = true
		c.watch(call.Ctx, &call.watch, call)
		c.park(call)
		return
	}
	if c.state != proto.StateEstablished {
		call.end(End{Err: c.closedError()})
		return
	}
	if err := c.needRole(proto.Dealer); err != nil {
		call.end(End{Err: err})
		return
	}
	if err := c.needAll(call.Needs); err != nil {
		call.end(End{Err: err})
		return
	}
	if call.More {
		if err := c.need(proto.Dealer, proto.ProgressiveCallInvocations); err != nil {
			call.end(End{Err: err})
			return
		}
	}
	c.msg = proto.Message{Type: proto.Call, Options: call.options(c), URI: call.URI, Args: call.Args, Kwargs: call.Kwargs}
	id, err := c.send(&c.msg)
	if err != nil {
		call.end(End{Err: err})
		return
	}
	call.id, call.seq = id, c.outSeq
	c.requests[id] = call
	c.watch(call.Ctx, &call.watch, call)
	if call.Timeout > 0 {
		call.timer = c.timerOnWrite(call.Timeout, call.timedOut)
	}
}

func (call *Call) refuse(err error) { call.end(End{Err: err}) }

// end ends the stream; the entry has been taken out of the tables.
func (call *Call) end(e End) {
	sink := call.Sink
	call.Sink = nil
	call.Args, call.Kwargs, call.Options, call.chunks = nil, nil, nil, nil
	if sink != nil {
		sink.End(e)
	}
}

// finish takes the call out of every table and ends it.
func (call *Call) finish(c *core, e End) {
	delete(c.requests, call.id)
	c.unwatch(&call.watch)
	if call.timer != nil {
		c.timers.stop(call.timer)
		call.timer = nil
	}
	call.end(e)
}

func (call *Call) requestType() proto.MessageType { return proto.Call }

func (call *Call) reply(*core, *proto.Message) bool { return true }

func (call *Call) fail(c *core, err *Error) {
	if call.canceled != nil {
		call.canceled.Peer = err
		call.finish(c, End{Err: call.canceled})
		return
	}
	if call.Ctx.Err() != nil && err.URI == proto.ErrURITimeout { // its deadline, kept by the dealer
		canceled := newCanceled(call.Ctx)
		canceled.Peer = err
		call.finish(c, End{Err: canceled})
		return
	}
	call.finish(c, End{Err: err})
}

func (call *Call) lost(c *core, err error) { call.finish(c, End{Err: err}) }

// suspend keeps a call that was never written, or that may be sent twice, for
// the next link; of any other the outcome is unknown.
func (call *Call) suspend(c *core, reason error) parked {
	c.unwatch(&call.watch)
	c.timers.stop(call.timer)
	call.timer = nil
	switch {
	case call.canceled != nil:
		call.end(End{Err: call.canceled})
	case call.oneLink:
		call.end(End{Err: &OutcomeUnknown{Reason: reason}})
	case c.unwritten(call.seq) || call.Idempotent && call.delivered == 0 && !call.chunked:
		call.parked = true
		c.watch(call.Ctx, &call.watch, call)
		return call
	default:
		call.end(End{Err: &OutcomeUnknown{Delivered: call.delivered, Reason: reason}})
	}
	return nil
}

func (c *core) onResult(m *proto.Message) {
	r, ok := c.requests[m.Request].(*Call)
	if !ok {
		c.answered(m, proto.Call)
		return
	}
	if !m.Options.Bool("progress") {
		r.finish(c, End{Message: m})
		return
	}
	if !r.Progressive || r.canceled != nil {
		c.stats.Dropped++
		return
	}
	r.delivered++
	if r.timer != nil {
		c.timers.start(r.timer, c.host.now().Add(r.Timeout))
	}
	switch r.Sink.Deliver(m) {
	case Gate:
		c.gates++
	case Overflow:
		c.stats.Overflowed++
		c.cancelCall(r, r.Mode)
		r.finish(c, End{Err: ErrSlowConsumer})
	}
}

// cancelCall sends CANCEL, where the dealer knows it. A callee cannot be left
// alone with half of what it was to get: it would wait for the rest for ever.
func (c *core) cancelCall(call *Call, mode CancelMode) {
	if call.More && mode == Skip {
		mode = KillNoWait
	}
	if c.state == proto.StateEstablished && c.dealer.Has(proto.CallCanceling) {
		c.emitControl(&proto.Message{Type: proto.Cancel, Request: call.id, Options: cancelOptions[mode]})
	}
}

// ctxEnded cancels the call. In mode Kill the callee's answer is awaited, but
// no longer than the grace period; in the others the call ends here and now,
// and what the router still says of it is dropped.
func (call *Call) ctxEnded(c *core, ctx context.Context) {
	if call.parked {
		call.parked = false
		c.unpark(call)
		call.end(End{Err: newCanceled(ctx), Now: true})
		return
	}
	if c.requests[call.id] != request(call) {
		return
	}
	err := newCanceled(ctx)
	if call.canceled != nil {
		return
	}
	c.cancelCall(call, call.Mode)
	if call.Mode != Kill || !c.dealer.Has(proto.CallCanceling) {
		call.finish(c, End{Err: err, Now: true})
		return
	}
	call.canceled = err
	c.timers.stop(call.timer)
	call.timer = c.timerNow(call.Grace, func(c *core) {
		call.finish(c, End{Err: call.canceled, Now: true})
	})
}

// timedOut ends a call whose own limit has passed.
func (call *Call) timedOut(c *core) {
	c.cancelCall(call, KillNoWait)
	call.finish(c, End{Err: &TimeoutError{After: call.Timeout}, Now: true})
}

// Chunk is a further CALL of a progressive call. The caller fills in the
// exported fields before it hands it to Session.Chunk; from then on it belongs
// to the actor.
type Chunk struct {
	// Call is the call, which was handed over before.
	Call *Call
	// Last: it is the last one.
	Last bool
	// Args and Kwargs are encoded. They may live in Scratch.
	Args, Kwargs []byte
	// Scratch is room for small payloads.
	Scratch [96]byte
	// Done is told that the actor has let go of the chunk; it may be nil.
	Done func(*Chunk)
}

// chunkOptions are sent with all chunks but the last: the others hold for the
// call as a whole, and went with the first.
var chunkOptions = proto.Dict{{Key: "progress", Value: true}}

func (k *Chunk) size() int { return len(k.Call.URI) + len(k.Args) + len(k.Kwargs) + 32 }

func (k *Chunk) refuse(error) { k.release() }

func (k *Chunk) release() {
	if k.Done != nil {
		k.Done(k)
	}
}

func (k *Chunk) apply(c *core) {
	c.outCost += k.size()
	k.pass(c)
}

// pass sends the chunk, unless the call is over. While the call itself may have
// to be sent again, its chunks are kept too.
func (k *Chunk) pass(c *core) {
	call := k.Call
	if call.parked {
		call.chunks = append(call.chunks, k)
		return
	}
	if c.requests[call.id] != request(call) || call.canceled != nil || !call.More {
		c.stats.Dropped++
		k.release()
		return
	}
	c.msg = proto.Message{Type: proto.Call, Request: call.id, Options: chunkOptions, URI: call.URI, Args: k.Args, Kwargs: k.Kwargs}
	if k.Last {
		call.More, c.msg.Options = false, nil
	}
	if err := c.emit(&c.msg); err != nil {
		c.cancelCall(call, call.Mode)
		call.finish(c, End{Err: err})
		k.release()
		return
	}
	if c.unwritten(call.seq) {
		call.chunks = append(call.chunks, k)
		return
	}
	call.chunks = nil
	k.release()
}

// cancelOp ends a call for a reason of its caller's own.
type cancelOp struct {
	call *Call
	err  error
}

func (o *cancelOp) refuse(error) {}

func (o *cancelOp) apply(c *core) {
	call := o.call
	if call.parked {
		call.parked = false
		c.unpark(call)
		c.unwatch(&call.watch)
		call.end(End{Err: o.err, Now: true})
		return
	}
	if c.requests[call.id] == request(call) && call.canceled == nil {
		c.cancelCall(call, call.Mode)
		call.finish(c, End{Err: o.err, Now: true})
	}
}
