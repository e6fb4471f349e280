package session

import (
	"context"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

var cancelOptions = [...]proto.Dict{
	proto.KillNoWait: {{Key: proto.KeyMode, Value: proto.KillNoWait.String()}},
	proto.Kill:       {{Key: proto.KeyMode, Value: proto.Kill.String()}},
	proto.Skip:       {{Key: proto.KeyMode, Value: proto.Skip.String()}},
}

// Call is one CALL. The caller fills in the exported fields before it hands it
// to Session.Call; from then on it belongs to the actor.
type Call struct {
	// Ctx owns the call until its sink has been ended.
	Ctx context.Context
	// URI is the procedure.
	URI string
	// Options are sent as they are, beside those that the fields below make.
	Options proto.Dict
	// Body is the payload of the first CALL.
	Body
	// Sink takes the results.
	Sink Sink
	// Needs are features without which the call fails.
	Needs []Need
	// Grace is how long mode Kill waits for the callee's answer.
	Grace time.Duration
	// Timeout ends the call when no result has come for so long, from Begun on,
	// whether there is a link or not. Zero: none.
	Timeout time.Duration
	// Begun is when the call was made. Needed with Timeout only.
	Begun time.Time
	// Mode is how a cancelled call is cancelled.
	Mode proto.CancelMode
	// Bounded: Ctx may have a deadline, and can be asked for it.
	Bounded bool
	// Deadline says what of the time limits goes to the dealer.
	Deadline DeadlinePolicy
	// Progressive asks for progressive results, where the dealer has them.
	Progressive bool
	// DiscloseMe asks the dealer to tell the callee who calls.
	DiscloseMe bool
	// Idempotent: the call may be sent again when its outcome is unknown.
	Idempotent bool
	// Patient: it waits for a link also where the policy is to fail at once. It
	// belongs to something that has begun before.
	Patient bool
	// About is the subscription that the call names by its id: where that has not
	// been acknowledged on the present link, the call waits for it. Nil: none.
	About *Subscription
	// More: Chunks follow, the last of which has Last set.
	More bool

	// Actor only, from here on.
	id        proto.ID
	seq       uint64 // the batch it is in
	delivered int
	canceled  *CanceledError // set while mode Kill waits
	timer     *timer         // of Timeout, or of mode Kill
	watch     watched
	parkedAt  *node[parked] // where it waits for a link
	chunks    []*Chunk      // those that are not known to be written, like the call
	chunked   bool          // it is a progressive call
	oneLink   bool          // it is of no use on another link
	engines   bool          // it is the engine's own, and no user's
	unsure    bool          // it was written to a link that was lost, and waits for another
	deaths    uint8         // links in a row that ended with it
	blame     *blame        // not nil once it was sent alone
}

// DeadlinePolicy says what of a call's time limits is sent to a dealer that has
// call_timeout.
type DeadlinePolicy uint8

const (
	// PassFitting sends the deadline of the ctx, and the Timeout of a call that
	// has one result: not every dealer's timer begins anew with a progressive
	// one.
	PassFitting DeadlinePolicy = iota
	// PassAll sends what there is.
	PassAll
	// PassTimeout sends the Timeout, as PassFitting does, and no deadline.
	PassTimeout
)

// Deaths counts the links in a row that ended soon after the call was written, with
// nothing come for it. It is for who makes the call again, behind its end.
func (call *Call) Deaths() uint8 { return call.deaths }

// SetDeaths is for a call that is made again: those count on.
func (call *Call) SetDeaths(n uint8) { call.deaths = n }

func (call *Call) size() int { return call.cost(call.URI) }

func (call *Call) due() time.Time {
	if call.Timeout <= 0 {
		return time.Time{}
	}
	return call.Begun.Add(call.Timeout)
}

func (call *Call) late(offline error) error {
	return &TimeoutError{After: call.Timeout, Offline: offline}
}

func (call *Call) written() (uint64, int)     { return call.seq, call.size() }
func (call *Call) users() bool                { return !call.engines }
func (call *Call) parkedNode() **node[parked] { return &call.parkedAt }
func (call *Call) suspected() int             { return int(call.deaths) }

func (call *Call) pending(c *core) bool {
	return call.parkedAt.listed() || c.requests.Get(call.id) == request(call) && call.delivered == 0
}

// the options of calls that ask for nothing unusual, by flags.
var callOptions = [4]proto.Dict{
	{},
	{{Key: proto.KeyReceiveProgress, Value: true}},
	{{Key: proto.KeyDiscloseMe, Value: true}},
	{{Key: proto.KeyReceiveProgress, Value: true}, {Key: proto.KeyDiscloseMe, Value: true}},
}

func (call *Call) options(c *core) proto.Dict {
	i := 0
	if call.Progressive && c.dealer.Has(resultsNeed.Feature) {
		i |= 1
	}
	if call.DiscloseMe {
		i |= 2
	}
	d := callOptions[i]
	if c.dealer.Has(timeoutNeed.Feature) {
		if t := call.limit(c); t > 0 {
			d = d.With(proto.KeyTimeout, t)
		}
	}
	if call.More {
		d = d.With(proto.KeyProgress, true)
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
	if (call.Progressive || call.chunked) && call.Deadline != PassAll {
		ms = 0 // kept here
	}
	if call.Deadline == PassTimeout || call.Mode != proto.KillNoWait || !call.Bounded { // KillNoWait is how the dealer ends it
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
	if !call.engines {
		c.stats.Calls++
	}
	if call.Ctx.Err() != nil {
		call.end(End{Err: newCanceled(call.Ctx), Now: true})
		return
	}
	if call.Timeout > 0 {
		if call.Begun.IsZero() {
			call.Begun = c.host.now()
		}
		left := call.Begun.Add(call.Timeout).Sub(c.host.now())
		if left <= 0 {
			call.end(End{Err: call.late(nil), Now: true})
			return
		}
		call.timer = new(timer)
		c.startNow(call.timer, left, call)
	}
	call.send(c)
}

// resume sends a call that has waited for a link.
func (call *Call) resume(c *core) {
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
		c.watch(call.Ctx, &call.watch, call)
		c.park(call)
		return
	}
	if call.About.coming(c) {
		c.watch(call.Ctx, &call.watch, call)
		call.parkedAt = c.life.behind.push(call)
		call.About.calls = append(call.About.calls, call)
		return
	}
	if err := call.check(c); err != nil {
		call.stop(c, End{Err: err})
		return
	}
	id, err := call.write(c)
	if err != nil {
		call.stop(c, End{Err: err})
		return
	}
	call.id, call.seq = id, c.outSeq
	c.requests.Put(id, call)
	c.watch(call.Ctx, &call.watch, call)
}

// write appends the message to the batch.
func (call *Call) write(c *core) (proto.ID, error) {
	if call.room == wholeRest {
		return c.sendRest(proto.Call, call.Args[0], call.Args[1:])
	}
	c.msg = proto.Message{Type: proto.Call, Options: call.options(c), URI: call.URI}
	return c.sendBody(&c.msg, &call.Body, call.Idempotent)
}

// check reports what stands against the call at this router.
func (call *Call) check(c *core) error {
	if c.state != proto.StateEstablished {
		return c.closedError()
	}
	if err := c.needRole(proto.Dealer); err != nil {
		return err
	}
	if err := c.needAll(call.Needs); err != nil {
		return err
	}
	if call.More {
		return c.need(chunksNeed)
	}
	return nil
}

func (call *Call) queued() bool { return call.parkedAt.listed() }

func (call *Call) probed(b *blame) { call.blame = b }

func (call *Call) refuse(err error) {
	if call.unsure {
		err = unknownAtEnd(err, 0)
	}
	call.end(End{Err: err})
}

// end ends the stream; the entry has been taken out of the tables.
func (call *Call) end(e End) {
	call.blame.over(call)
	sink := call.Sink
	call.Sink = nil
	call.forget()
	call.Options, call.chunks = nil, nil
	if sink != nil {
		sink.End(e)
	}
}

// finish takes the call out of every table and ends it.
func (call *Call) finish(c *core, e End) {
	c.requests.Delete(call.id)
	call.stop(c, e)
}

// stop ends a call that is not in the table of requests.
func (call *Call) stop(c *core, e End) {
	c.unwatch(&call.watch)
	c.timers.stop(call.timer)
	call.end(e)
}

func (call *Call) requestType() proto.MessageType { return proto.Call }

func (call *Call) reply(*core, *proto.Message) bool { return true }

func (call *Call) fail(c *core, err *Error) {
	if call.More && call.canceled == nil { // the dealer may take a chunk that is on its way for a new call
		c.cancelCall(call, proto.KillNoWait)
	}
	if call.canceled != nil {
		call.canceled.Peer = err
		call.finish(c, End{Err: call.canceled, Peer: err})
		return
	}
	if call.Ctx.Err() != nil && err.URI == proto.ErrURITimeout { // its deadline, kept by the dealer
		canceled := newCanceled(call.Ctx)
		canceled.Peer = err
		call.finish(c, End{Err: canceled, Peer: err})
		return
	}
	call.finish(c, End{Err: err, Peer: err})
}

func (call *Call) lost(c *core, err error) {
	switch {
	case call.canceled != nil:
		err = call.canceled
	case !c.unwritten(call.seq):
		err = unknownAtEnd(err, call.delivered)
	}
	call.finish(c, End{Err: err})
}

// suspend keeps a call that was never written, or that may be sent twice, for
// the next link; of any other the outcome is unknown. Its Timeout goes on.
func (call *Call) suspend(c *core, reason error) parked {
	c.unwatch(&call.watch)
	var err error
	switch {
	case call.canceled != nil:
		err = call.canceled
	case call.oneLink:
		if !c.unwritten(call.seq) {
			err = c.blame.death(c, call, &call.deaths, reason)
		}
		if err == nil {
			err = &OutcomeUnknown{Reason: reason}
		}
	case c.unwritten(call.seq):
	case call.Idempotent && call.delivered == 0 && !call.chunked:
		call.unsure = true
		err = c.blame.death(c, call, &call.deaths, reason)
	default:
		if err = c.blame.death(c, call, &call.deaths, reason); err == nil {
			err = &OutcomeUnknown{Delivered: call.delivered, Reason: reason}
		}
	}
	if err != nil {
		call.stop(c, End{Err: err})
		return nil
	}
	c.watch(call.Ctx, &call.watch, call)
	return call
}

func (c *core) onResult(m *proto.Message) {
	r, ok := c.requests.Get(m.Request).(*Call)
	if !ok {
		c.answered(m, m.Type.Answers())
		return
	}
	c.life.heard(r)
	if !r.engines {
		c.stats.Results++
	}
	if odd(m, proto.OddProgress) {
		c.cancelCall(r, r.Mode)
		r.finish(c, End{Err: oddError(m)})
		return
	}
	if !m.Options.Bool(proto.KeyProgress) {
		if r.More && r.canceled == nil { // the dealer may take a chunk that is on its way for a new call
			c.cancelCall(r, proto.KillNoWait)
		}
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
	c.judgeCall(r, r.Sink.Deliver(m))
}

// judgeCall does what the verdict of a call's sink asks for.
func (c *core) judgeCall(call *Call, v Verdict) {
	switch v {
	case Gate:
		c.gate(ofCall, call.URI)
	case Overflow:
		c.overflowed(ofCall, call.URI)
		c.cancelCall(call, call.Mode)
		call.finish(c, End{Err: ErrSlowConsumer})
	case Taken, Dropped:
	}
}

// oddError is the error of an operation that cannot go on because a detail of a
// message for it is not what it must be.
func oddError(m *proto.Message) error { return &ProtocolError{Message: m.Type, Reason: m.Odd.Reason} }

// cancelCall sends CANCEL, where the dealer knows it. A callee cannot be left
// alone with half of what it was to get: it would wait for the rest for ever.
func (c *core) cancelCall(call *Call, mode proto.CancelMode) {
	if call.More && mode == proto.Skip {
		mode = proto.KillNoWait
	}
	if c.state == proto.StateEstablished && c.dealer.Has(cancelNeed.Feature) {
		c.emitControl(&proto.Message{Type: proto.Cancel, Request: call.id, Options: cancelOptions[mode]})
	}
}

// ctxEnded cancels the call. In mode Kill the callee's answer is awaited, but
// no longer than the grace period; in the others the call ends here and now,
// and what the router still says of it is dropped.
func (call *Call) ctxEnded(c *core, ctx context.Context) {
	if c.unpark(call) {
		call.stop(c, End{Err: canceledOffline(ctx, c.life.cause), Now: true})
		return
	}
	if c.requests.Get(call.id) != request(call) {
		return
	}
	err := newCanceled(ctx)
	if call.canceled != nil {
		return
	}
	c.cancelCall(call, call.Mode)
	if call.Mode != proto.Kill || !c.dealer.Has(cancelNeed.Feature) {
		call.finish(c, End{Err: err, Now: true})
		return
	}
	call.canceled = err
	if call.timer == nil {
		call.timer = new(timer)
	}
	c.startNow(call.timer, call.Grace, call)
}

// expire ends a call whose own limit has passed, or in mode Kill the time that
// the callee had to answer.
func (call *Call) expire(c *core) {
	if c.unpark(call) {
		call.stop(c, End{Err: call.late(c.life.cause), Now: true})
		return
	}
	if c.requests.Get(call.id) != request(call) {
		return
	}
	if call.canceled != nil {
		call.finish(c, End{Err: call.canceled, Now: true})
		return
	}
	c.cancelCall(call, proto.KillNoWait)
	call.finish(c, End{Err: call.late(nil), Now: true})
}

// chunkOptions are sent with all chunks but the last: the others hold for the
// call as a whole, and went with the first.
var chunkOptions = proto.Dict{{Key: proto.KeyProgress, Value: true}}

// cancelOp ends a call for a reason of its caller's own.
type cancelOp struct {
	call *Call
	err  error
}

func (o *cancelOp) refuse(error) {}

func (o *cancelOp) apply(c *core) {
	call := o.call
	if c.unpark(call) {
		call.stop(c, End{Err: o.err, Now: true})
		return
	}
	if c.requests.Get(call.id) == request(call) && call.canceled == nil {
		c.cancelCall(call, call.Mode)
		call.finish(c, End{Err: o.err, Now: true})
	}
}
