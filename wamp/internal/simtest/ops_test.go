package simtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

// begin begins an operation of a session's user, each in a goroutine of its
// own that ends with it.
func (w *simWorld) begin(a sim.Action) {
	switch a.Kind {
	case sim.Cancel:
		w.opOf(a.Of).cancel()
		return
	case sim.Slow:
		w.slow(a.Of, a.How == sim.Dead)
		return
	case sim.Interrupt: // its caller gives up
		w.m.Interrupts(a.Of)
		w.opOf(a.Of).cancel()
		return
	case sim.Take:
		w.takeAway(a.Of)
		return
	case sim.Chunk:
		o := w.opOf(a.Of)
		o.sent++
		p := simPayload(sim.ChunkNumbers(a.Of, o.sent, a.How == sim.Last))
		if a.How == sim.Last {
			p = p.Last()
		}
		o.chunks <- p
		return
	case sim.Revoke:
		w.revoke(a.Of)
		return
	case sim.Unsubscribe:
		go func() { _ = w.opOf(a.Of).sub.Unsubscribe(context.Background()) }()
		return
	case sim.Unregister:
		go func() { _ = w.opOf(a.Of).reg.Unregister(context.Background()) }()
		return
	case sim.Close:
		w.mu.Lock()
		w.closing = true
		w.mu.Unlock()
		go w.close()
		return
	case sim.Drain:
		synctest.Wait() // what was begun before is under way, or waits
		go w.drainIt()
		return
	case sim.Event:
		w.events <- a
		return
	}
	o := &simOp{policy: a.Policy}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	if a.Kind == sim.Call && a.How == sim.Chunks {
		o.chunks = make(chan wamp.Payload, 1<<10) // room for all that a plan can send
		o.chunks <- simPayload(sim.Values(a, 0))
	}
	w.mu.Lock()
	w.ops[a.Op] = o
	w.mu.Unlock()
	switch a.Kind {
	case sim.Call:
		go w.call(o, a)
	case sim.Publish:
		go w.publish(o, a)
	case sim.Subscribe:
		go w.subscribe(o, a)
	case sim.Register:
		go w.register(o, a)
	case sim.Invoke:
		go w.invoke(o, a)
	case sim.Stream:
		go w.stream(o, a)
	case sim.Numbers:
		go w.numbers(o, a)
	case sim.Follow:
		go w.follow(o, a)
	case sim.Guest:
		go w.guest(a)
	case sim.Will, sim.Unwill:
		go w.will(o, a)
	case sim.States:
		go w.states(a, w.s.States(o.ctx))
	}
}

// gathers reports whether an action waits, to reach the session with others. Where
// the router ends the link they wait for its last message: whoever reads that
// hands them over first.
func (w *simWorld) gathers(a sim.Action) bool {
	if w.gather == 0 {
		return false
	}
	switch a.Kind {
	case sim.Call, sim.Publish, sim.Subscribe, sim.Unsubscribe, sim.Register, sim.Unregister, sim.Cancel, sim.Chunk, sim.Will, sim.Unwill,
		sim.States, sim.Close, sim.Drain:
		w.mu.Lock()
		w.gathered = append(w.gathered, a)
		w.mu.Unlock()
		if w.gather--; w.gather == 0 {
			w.beginGathered()
		}
		return true
	case sim.Goodbye, sim.Breach:
		w.fault(a)
		synctest.Wait()
	}
	w.gather = 0
	w.beginGathered()
	return a.Kind == sim.Goodbye || a.Kind == sim.Breach
}

// beginGathered begins the operations that have waited for each other.
func (w *simWorld) beginGathered() {
	w.mu.Lock()
	all := w.gathered
	w.gathered = nil
	w.mu.Unlock()
	for _, a := range all {
		if a.Kind == sim.Drain { // it does not wait for those before it
			go w.drainIt()
		} else {
			w.begin(a)
		}
	}
}

// leaveBehind leaves another operation behind one that this goroutine has begun,
// if it is to.
func (w *simWorld) leaveBehind(n int) {
	of, leaves := w.m.Leaves(n)
	if !leaves {
		return
	}
	if o := w.opOf(of); o.sub != nil {
		_ = o.sub.Unsubscribe(context.Background())
	} else if o.reg != nil {
		_ = o.reg.Unregister(context.Background())
	}
}

// pause is where a slow consumer stops.
func (w *simWorld) pause(o *simOp) {
	w.mu.Lock()
	slow := o.slow
	w.mu.Unlock()
	if slow != nil {
		<-slow
	}
}

func (w *simWorld) call(o *simOp, a sim.Action) {
	options := map[string][]wamp.CallOption{
		sim.Progressive: {wamp.Progressive()},
		sim.Idempotent:  {wamp.Idempotent()},
		sim.Both:        {wamp.Progressive(), wamp.Idempotent()},
		sim.Kill:        {wamp.CancelMode(wamp.Kill)},
		sim.Skip:        {wamp.CancelMode(wamp.Skip)},
		sim.Timeout:     {wamp.Timeout(sim.CallTimeout)},
		sim.Chunks:      {wamp.CancelMode([]wamp.Mode{wamp.Skip, wamp.KillNoWait}[a.Op%2])},
	}[a.How]
	if a.How == sim.Chunks {
		w.results(o, a, w.s.CallStream(o.ctx, sim.ProcedureURI(a.Name), o.chunks, options...))
		return
	}
	results := w.s.Call(o.ctx, sim.ProcedureURI(a.Name), simPayload(sim.Values(a, 0)), options...)
	w.leaveBehind(a.Op)
	w.results(o, a, results)
}

// results reads the stream of a call to its end.
func (w *simWorld) results(o *simOp, a sim.Action, results wamp.Results) {
	var last *wamp.Result
	for r := range results {
		w.pause(o)
		if last != nil {
			w.m.Broken(sim.EndsOnce, "operation %d: a result behind the last one", a.Op)
		}
		if r.Progress {
			w.m.Progress(a.Op, sim.TagOf(simNumbers(r.Payload)))
			continue
		}
		last = &r
	}
	if last == nil {
		w.m.Broken(sim.EndsOnce, "operation %d: its stream ended without a last element", a.Op)
		return
	}
	w.m.Ended(a.Op, simEnd(last.Err, last.Payload))
}

func (w *simWorld) register(o *simOp, a sim.Action) {
	uri := sim.RegistrationURI(a.Op)
	var reg registered
	var err error
	var until func() // it is over
	if a.Steps > 0 {
		var served *wamp.Service
		served, err = w.s.Handle(o.ctx, uri, w.handler(a.Op), wamp.Concurrency(a.Steps))
		reg, until = served, func() { <-served.Done() }
	} else {
		var read *wamp.Registration
		read, err = w.s.Register(o.ctx, uri, wamp.Buffer(1, 0))
		reg, until = read, func() {
			took := func(inv *wamp.Invocation) {
				go w.answer(inv, a.Op)
				w.pause(o)
			}
			if a.Op%2 == 0 {
				for inv := range read.Invocations() {
					took(inv)
				}
				return
			}
			for inv, err := range read.All() {
				if err == nil {
					took(inv)
				}
			}
		}
	}
	if err != nil {
		w.m.Ended(a.Op, simEnd(err, wamp.Payload{}))
		return
	}
	w.mu.Lock()
	o.reg = reg
	w.mu.Unlock()
	w.m.Acked(a.Op)
	until()
	w.m.Ended(a.Op, simEnd(reg.Err(), wamp.Payload{}))
}

// given notes an invocation that a registration was given. stop is called when it
// is about to be answered: it reports false when its context has ended before. It
// is nil where the invocation is none of the plan.
func (w *simWorld) given(inv *wamp.Invocation, reg int) (a sim.Action, run int, stop func() bool) {
	a, _, ok := sim.FromValues(simNumbers(inv.Payload))
	if !ok {
		w.m.Broken(sim.OwnAnswer, "an invocation with a payload that is none of the plan")
		return a, 0, nil
	}
	run = w.m.Executed(a.Op, w.m.Link())
	w.m.Invoked(a.Op, reg, w.m.Link())
	return a, run, context.AfterFunc(inv.Context(), func() {
		if err := context.Cause(inv.Context()); !errors.Is(err, wamp.ErrAnswered) {
			w.m.Interrupted(a.Op)
		}
	})
}

// answer is the session's callee. It answers also when nobody waits any more.
func (w *simWorld) answer(inv *wamp.Invocation, reg int) {
	a, run, stop := w.given(inv, reg)
	if stop == nil {
		return
	}
	if a.End == sim.EndStuck {
		<-w.letGo
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if a.End == sim.EndNever {
		defer context.AfterFunc(inv.Context(), cancel)()
	}
	if inv.Details.Bool("progress") {
		if a.End == sim.EndResult && !w.takeChunks(inv, run) {
			<-inv.Context().Done()
			return
		}
		a.After /= 2
	}
	_ = simSteps(ctx, a, func(n int, last bool) error {
		p := simPayload(sim.Tag{Op: a.Op, Run: run, N: n}.Numbers())
		if !last {
			_ = inv.Progress(p)
			return nil
		}
		if stop() {
			w.m.Answers(a.Op)
		}
		switch a.End {
		case sim.EndError:
			return inv.Fail(&wamp.Error{URI: sim.AppError, Payload: p})
		case sim.EndDecline:
			return inv.Decline()
		case sim.EndPanic, sim.EndGoexit:
			return inv.Fail(errors.New("an error that is nobody else's business"))
		}
		return inv.Return(p)
	})
	<-inv.Context().Done()
	if a.End == sim.EndNever {
		_ = inv.Fail(wamp.ErrCanceled)
	}
}

// invoke is the peer's call to a registration of the session.
func (w *simWorld) invoke(o *simOp, a sim.Action) {
	var options []wamp.CallOption
	if a.Progressive() {
		options = append(options, wamp.Progressive())
	}
	if a.How != sim.Chunks {
		w.results(o, a, w.peer.Call(o.ctx, sim.RegistrationURI(a.Of), simPayload(sim.Values(a, 0)), options...))
		return
	}
	w.results(o, a, w.peer.CallFunc(o.ctx, sim.RegistrationURI(a.Of), func(ctx context.Context, send func(wamp.Payload) error) error {
		if err := send(simPayload(sim.Values(a, 0))); err != nil {
			return err
		}
		for n := range a.N {
			if err := simSleep(ctx, time.Duration(a.After)*time.Millisecond/time.Duration(a.N+1)); err != nil {
				return err
			}
			p := simPayload(sim.ChunkNumbers(a.Op, n+1, n == a.N-1))
			if n == a.N-1 {
				p = p.Last()
			}
			if err := send(p); err != nil {
				return err
			}
		}
		return nil
	}))
}

// takeChunks takes the further chunks of a progressive call, up to the last. It
// reports false where the call has ended before.
func (w *simWorld) takeChunks(inv *wamp.Invocation, run int) bool {
	first := true
	for p := range inv.Chunks() {
		if first {
			first = false
			continue
		}
		op, n, last, ok := sim.ChunkOf(simNumbers(p))
		if !ok {
			w.m.Broken(sim.OwnAnswer, "a chunk with a payload that is none of the plan")
			return false
		}
		w.m.Chunked(op, run, n, last)
		if last {
			return true
		}
	}
	return false
}

// simEnd tells the model how an operation ended.
func simEnd(err error, p wamp.Payload) sim.End {
	if err == nil {
		return sim.End{How: sim.Result, Tag: sim.TagOf(simNumbers(p))}
	}
	e := sim.End{How: "not known to the simulation", Text: fmt.Sprint(err)}
	var peer *wamp.Error
	var unknown *wamp.OutcomeUnknown
	var revoked *wamp.RevokedError
	switch {
	case errors.As(err, &revoked):
		e.How, e.URI = sim.Revoked, revoked.Reason
	case errors.Is(err, wamp.ErrNotConnected):
		e.How = sim.NotConnected
	case errors.As(err, &unknown):
		e.How, e.Delivered, e.Links, e.Silence = sim.Unknown, unknown.Delivered, unknown.Links, unknown.Reason == wamp.ErrAckTimeout
		e.Over = errors.Is(err, wamp.ErrSessionClosed)
	case errors.Is(err, wamp.ErrSessionClosed):
		e.How = sim.Closed
	case errors.Is(err, context.Canceled):
		e.How = sim.Canceled
	case errors.As(err, &peer):
		e.How, e.URI, e.Tag = sim.Error, peer.URI, sim.TagOf(simNumbers(peer.Payload))
	case errors.Is(err, context.DeadlineExceeded):
		e.How = sim.TimedOut
	case errors.Is(err, wamp.ErrSlowConsumer):
		e.How = sim.TooSlow
	case errors.Is(err, wamp.ErrUnsubscribed), errors.Is(err, wamp.ErrUnregistered):
		e.How = sim.Left
	case errors.Is(err, wamp.ErrDraining):
		e.How = sim.Drained
	case errors.Is(err, wamp.ErrAckTimeout):
		e.How = sim.Silent
	}
	return e
}
