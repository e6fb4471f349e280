package wamp

import (
	"context"
	"errors"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// callMore is what few calls have.
type callMore struct {
	retry  *RetryPolicy
	on     []error // the errors of retry
	resume func(Delivered) (Payload, bool)
}

// extra is for the options that set it.
func (cs *callStream) extra() *callMore {
	if cs.more == nil {
		cs.more = &callMore{}
	}
	return cs.more
}

// long reports whether a call is one for longCall.
func (cs *callStream) long() bool { return cs.more != nil || cs.s.interceptors != nil }

// longCall is a call that takes more than to send it and to hand its results on: it has
// interceptors, or may be made again by Retry or Resume. Who reads it drives it. Each
// attempt is a call of its own, which is read by the block.
type longCall struct {
	s         *Session
	outer     context.Context         // of the call, as the interceptors left it
	ctx       context.Context         // derives from that: its end ends the attempt
	cancel    context.CancelCauseFunc // of ctx
	at        where                   // it is driven
	procedure string
	payload   Payload
	message   Dict // options of the message, where interceptors have seen them; else nil
	options   []CallOption
	callMore
	seen    *seen         // nil without interceptors
	after   func()        // to be called when a call that has a channel is over; or nil
	timeout time.Duration // Timeout
	cs      *callStream   // the present attempt

	refused   bool      // the end of the present attempt was made here, and stays
	deaths    uint8     // links in a row that ended with it
	attempts  int       // of the run of attempts that is going on
	tried     time.Time // when that has begun
	failed    error     // why the last but one of them failed
	since     time.Time // when the timeout began
	delivered Delivered // what has been
	before    int       // of that, by earlier attempts
	resumes   int       // how often it was resumed
	marked    bool      // the first result after that has been delivered
}

// openLong begins a call that has been configured. One that could not be begun ends with
// the reason.
func (s *Session) openLong(cs *callStream, procedure string, payload Payload, options []CallOption, at where) *longCall {
	lc := &longCall{s: s, outer: cs.call.Ctx, at: at, procedure: procedure, payload: payload, options: options, timeout: cs.call.Timeout, tried: time.Now(), attempts: 1}
	if cs.more != nil {
		lc.callMore = *cs.more
	}
	lc.since = lc.tried
	begun := false
	defer func() {
		if !begun && lc.seen != nil { // runtime.Goexit in a marshaler
			lc.seen.over(errGoexit, onUsers)
		}
	}()
	err := lc.begin(cs)
	lc.ctx, lc.cancel = context.WithCancelCause(lc.outer)
	if err == nil {
		lc.payload, err = s.frozen(procedure, lc.payload)
	}
	if err == nil && lc.seen != nil {
		lc.seen.sized(lc.payload.Size())
	}
	lc.attempt(err)
	begun = true
	return lc
}

// begin lets the interceptors see the call.
func (lc *longCall) begin(cs *callStream) (err error) {
	if lc.resume != nil && cs.call.Idempotent {
		return errResumeOnce
	}
	if lc.s.interceptors == nil {
		return nil
	}
	lc.seen = lc.s.sees(Op{Kind: OpCall, URI: lc.procedure, Payload: lc.payload, Options: cs.call.Options, Progressive: cs.call.Progressive})
	if lc.outer, err = lc.seen.begin(lc.outer, onUsers); err == nil {
		lc.payload, lc.message = lc.seen.Payload, lc.seen.Options
	}
	return err
}

// attempt makes the call. Where err is set it ends with that at once.
func (lc *longCall) attempt(err error) {
	cs := lc.open()
	cs.call.Begun = lc.since
	if lc.seen != nil {
		cs.call.Options = lc.message
	}
	if lc.resumes > 0 || lc.attempts > 1 { // it has begun before
		cs.call.Patient = true
		cs.call.SetDeaths(lc.deaths)
	}
	lc.refused = !cs.start(lc.payload, err)
}

// open makes the stream of an attempt.
func (lc *longCall) open() *callStream {
	cs, _ := lc.s.newBlocks(lc.ctx, lc.procedure, lc.options, nil) // it was right before
	if lc.seen != nil {
		cs.head = nil // its options may be others
	}
	lc.cs = cs
	return cs
}

// each gives all results of the call to yield; the last one is the outcome. Where yield
// returns false the call is cancelled.
func (lc *longCall) each(yield func(*Result) bool) {
	defer lc.leave() // also behind a panic or runtime.Goexit
	for {
		var end Result
		for r := range lc.cs.Each {
			if !r.Progress {
				end = *r
				break
			}
			if !lc.pass(r, yield) {
				return
			}
		}
		if !lc.next(&end) {
			lc.count(&end)
			lc.pass(&end, yield)
			return
		}
	}
}

// pass gives one result to the interceptors and to yield.
func (lc *longCall) pass(r *Result, yield func(*Result) bool) bool {
	if lc.resumes > 0 && !lc.marked && r.Err == nil {
		r.Resumed, lc.marked = true, true
	}
	if lc.seen != nil && r.Err == nil {
		p := Part{Payload: r.Payload, Last: !r.Progress, Details: r.Details}
		if err := lc.seen.progress(&p, lc.at); err != nil {
			lc.cancel(err)
			*r = Result{Err: opError("call", lc.procedure, err)}
		} else {
			r.Payload = p.Payload
		}
	}
	if lc.timeout > 0 {
		lc.since = time.Now()
	}
	if r.Progress {
		lc.delivered.Count++
		lc.delivered.Last = *r
	} else if lc.seen != nil {
		lc.seen.over(r.Err, lc.at)
	}
	return yield(r) && r.Progress
}

// leave ends the call if it has not ended.
func (lc *longCall) leave() {
	lc.cancel(nil)
	if lc.seen != nil {
		lc.seen.over(opError("call", lc.procedure, session.Canceled(lc.ctx)), lc.at)
	}
}

// next makes the call again, if that is to be after such an end. It changes the end of a
// call that it has given up.
func (lc *longCall) next(end *Result) bool {
	op, is := end.Err.(*OpError) //nolint:errorlint // that of this call
	if !is || lc.refused || lc.ctx.Err() != nil {
		return false
	}
	var err error
	unknown := lc.cut(op.Err)
	if unknown != nil {
		err = lc.ask(unknown)
	} else if policy := lc.policy(op.Err); policy != nil {
		err = lc.pause(policy, op.Err)
	} else {
		return false
	}
	if err != nil {
		*end = Result{Err: opError("call", lc.procedure, err)}
		return false
	}
	if lc.seen != nil {
		err = lc.again(unknown != nil)
	}
	lc.attempt(err)
	return true
}

// again lets the interceptors see that the call is made once more.
func (lc *longCall) again(resumed bool) error {
	lc.seen.again(resumed)
	if !resumed {
		return nil
	}
	p := Part{Payload: lc.payload, Sent: true, Last: true}
	err := lc.seen.progress(&p, lc.at)
	if err == nil {
		lc.payload, err = lc.s.frozen(lc.procedure, p.Payload)
	}
	lc.seen.sized(lc.payload.Size())
	return err
}

// count says in the error of a call how often it was made.
func (lc *longCall) count(end *Result) {
	op, is := end.Err.(*OpError) //nolint:errorlint // that of this call
	if !is {
		return
	}
	if lc.resumes > 0 { // the last attempt may not have begun, the one before has
		op.Err = lc.unknown(op.Err)
	}
	if lc.attempts == 1 {
		return
	}
	if _, has := op.Err.(*RetryError); has { //nolint:errorlint // that of this call
		return
	}
	e := &RetryError{Attempts: lc.attempts, Err: op.Err}
	if lc.ctx.Err() != nil || lc.s.eng.Err() != nil {
		e.Ended, e.Err = op.Err, lc.failed
	}
	end.Err = opError("call", lc.procedure, e)
}

// policy is that of the attempt that has failed with err, nil if there is not another one.
func (lc *longCall) policy(err error) *RetryPolicy {
	policy, on := lc.retry, lc.on
	if lc.delivered.Count > lc.before {
		return nil
	}
	if policy == nil && lc.resumes > 0 {
		policy, on = &resumeRetry, retryable
	}
	for _, target := range on {
		if policy != nil && retryOn(err, target) {
			return policy
		}
	}
	return nil
}

// retryOn reports whether an error is one of those of Retry. One with a URI of the
// application's is told by that.
func retryOn(err, target error) bool {
	if e, is := target.(*Error); is { //nolint:errorlint // it is what was given
		return ErrorURI(err) == e.URI
	}
	return errors.Is(err, target)
}

// pause waits for the next attempt. It returns the error of the call if there is none.
func (lc *longCall) pause(policy *RetryPolicy, failed error) error {
	d, another := policy.delay(lc.attempts, lc.tried)
	if !another {
		return failed
	}
	t := time.NewTimer(d)
	defer t.Stop()
	if _, err := await(lc, t.C, nil); err != nil {
		return &RetryError{Attempts: lc.attempts, Err: failed, Ended: err}
	}
	lc.attempts++
	lc.failed = failed
	return nil
}

// await waits for what a channel brings, for as long as a call may wait. offline is why
// there is no connection meanwhile, nil if there is one.
func await[T any](lc *longCall, ch <-chan T, offline error) (v T, err error) {
	var late <-chan time.Time // when its Timeout is over
	if lc.timeout > 0 {
		t := time.NewTimer(time.Until(lc.since.Add(lc.timeout)))
		defer t.Stop()
		late = t.C
	}
	select {
	case v = <-ch:
		return v, nil
	case <-lc.ctx.Done():
		return v, session.CanceledOffline(lc.ctx, offline)
	case <-lc.s.eng.Done():
		return v, lc.s.eng.Err()
	case <-late:
		return v, &TimeoutError{After: lc.timeout, Offline: offline}
	}
}

// cut returns the error of a call that is resumed, nil for any other.
func (lc *longCall) cut(err error) *OutcomeUnknown {
	unknown, is := err.(*OutcomeUnknown) //nolint:errorlint // that of this call
	if !is || lc.resume == nil {
		return nil
	}
	unknown.Delivered = lc.delivered.Count
	over := lc.s.eng.Err()
	if over != nil {
		unknown.Reason = over
	}
	if over != nil || unknown.Links > 0 || session.Is(unknown, ErrPayloadTooBig) {
		return nil //nolint:nilerr // the call keeps its error
	}
	return unknown
}

// unknown is the error of a call that was to be resumed: where its session is over, nobody
// knows what became of it.
func (lc *longCall) unknown(err error) error {
	if closed, is := err.(*ClosedError); is { //nolint:errorlint // the engine's own, not wrapped yet
		return &OutcomeUnknown{Delivered: lc.delivered.Count, Reason: closed}
	}
	return err
}

// ask waits for the next connection, and asks the user for the payload with which the call
// goes on.
func (lc *longCall) ask(unknown *OutcomeUnknown) error {
	if err := lc.joined(unknown.Reason); err != nil {
		return lc.unknown(err)
	}
	type answer struct {
		p   Payload
		err error
	}
	said := make(chan answer, 1)
	delivered := lc.delivered
	if err := lc.s.eng.GoProducer(func() { // ends with the user's function
		a := answer{err: errResume}
		defer func() { said <- a }() // also behind runtime.Goexit
		lc.s.guarded("the function of Resume", func() {
			p, more := lc.resume(delivered)
			if a.err = unknown; more {
				a.p, a.err = lc.s.frozen(lc.procedure, p)
			}
		})
	}); err != nil {
		return lc.unknown(err)
	}
	a, err := await(lc, said, nil)
	if err != nil {
		return lc.unknown(err)
	}
	if a.err != nil {
		return a.err
	}
	lc.payload = a.p
	if lc.deaths = 0; lc.delivered.Count == lc.before {
		lc.deaths = lc.cs.call.Deaths()
	}
	lc.resumes++
	lc.marked, lc.before, lc.attempts, lc.tried = false, lc.delivered.Count, 1, time.Now()
	return nil
}

// joined waits until the session has a connection. cause is why it lost the last one.
func (lc *longCall) joined(cause error) error {
	ctx, cancel := context.WithCancel(lc.ctx)
	defer cancel()
	states := lc.s.eng.States(ctx)
	for {
		st, err := await(lc, states, cause)
		switch {
		case err != nil:
			return err
		case st.Phase == Joined:
			return nil
		case st.Phase == Reconnecting:
			cause = st.Cause
		default: // it is over, or the channel is closed: so is the session soon, or ctx has ended
			states = nil
		}
	}
}

// results is the call as a stream with a channel.
func (lc *longCall) results() Results {
	room := 1
	if lc.cs.call.Progressive {
		room = progressChannel
	}
	relay := flow.NewRelay[Result](lc.outer, room)
	if err := relay.Run(lc.s.eng, func() { lc.feed(relay) }); err != nil {
		err = opError("call", lc.procedure, err)
		lc.cancel(nil)
		if lc.seen != nil {
			lc.seen.over(err, onUsers)
		}
		if lc.after != nil {
			lc.after()
		}
		return flow.Of(Result{Err: err})
	}
	return relay.Ch()
}

// feed drives the call, and hands its results to a channel.
func (lc *longCall) feed(relay *flow.Relay[Result]) {
	last := Result{Err: opError("call", lc.procedure, errInterceptor)} // where one calls runtime.Goexit
	lost := 0
	if lc.after != nil {
		defer lc.after()
	}
	defer func() {
		if lost == 0 || lc.outer.Err() != nil {
			relay.Last(last)
			return
		}
		if closed, is := session.Find[*ClosedError](last.Err); is {
			lost += closed.Undelivered
		} else {
			lost++
		}
		relay.Cut(lost, func(n int) Result {
			return Result{Err: opError("call", lc.procedure, lc.s.eng.Undelivered(n))}
		})
	}()
	lc.each(func(r *Result) bool {
		switch {
		case !r.Progress:
			last = *r
		case lost > 0 || !relay.Send(*r):
			lost++
		}
		return true
	})
}
