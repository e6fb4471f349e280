package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// begin begins an operation, or ends one. The shell refuses all that comes
// after the end.
func (w *world) begin(a sim.Action) {
	o := w.ops[a.Of]
	var do op
	switch a.Kind {
	case sim.Cancel:
		w.cancel(o)
		return
	case sim.Slow:
		o.slow = true
		return
	case sim.Chunk:
		o.chunks++
		last := a.How == sim.Last
		do = &Chunk{Call: o.call, Last: last, Args: sim.AppendJSON(nil, sim.ChunkNumbers(a.Of, o.chunks, last))}
	case sim.Unsubscribe:
		do = &leaveOp{sub: o.sub, done: make(chan error, 1)}
	case sim.Unregister:
		do = &unregisterOp{reg: o.reg, done: make(chan error, 1)}
	case sim.Close:
		do = &closeOp{}
	case sim.Drain:
		w.drain = &drainOp{done: make(chan struct{})}
		w.at(time.Minute, func() { // its context ends
			if w.drain != nil && !w.core.ended {
				w.m.JudgeDrain(false)
				(&closeOp{}).apply(w.core)
			}
		})
		do = w.drain
	default:
		o = &simOp{w: w, n: a.Op}
		o.ctx, o.cancel = context.WithCancel(context.Background())
		w.ops[a.Op] = o
		do = o.make(a)
	}
	if w.core.ended {
		do.refuse(&ClosedError{Reason: w.core.reason})
		return
	}
	do.apply(w.core)
}

// simPatience is the time of an acknowledgement: more than all slow consumers
// under policy Block together hold the link back.
const simPatience = 10 * time.Minute

// make is the engine's form of an operation.
func (o *simOp) make(a sim.Action) op {
	args := sim.AppendJSON(nil, sim.Values(a, 0))
	switch a.Kind {
	case sim.Call:
		call := &Call{Ctx: o.ctx, URI: sim.ProcedureURI(a.Name), Args: args, Sink: (*simSink)(o), Grace: 10 * time.Second,
			Progressive: a.Progressive(), Idempotent: a.Idempotent()}
		o.call = call
		switch a.How {
		case sim.Chunks:
			call.More = true
			if a.Op%2 == 0 {
				call.Mode = Skip
			}
		case sim.Kill:
			call.Mode = Kill
		case sim.Skip:
			call.Mode = Skip
		case sim.Timeout:
			call.Timeout = sim.CallTimeout
		}
		return call
	case sim.Publish:
		p := &Publish{Ctx: o.ctx, URI: sim.TopicURI(a.Name), Args: args, Options: publishOptions(a)}
		if a.How != "" {
			p.Sink, p.Idempotent = (*simSink)(o), a.Idempotent()
		}
		return p
	case sim.Subscribe:
		o.sub = newSub(o.ctx, sim.TopicURI(a.Name), (*simSink)(o))
		o.sub.Match, o.sub.Retained, o.policy = sim.TopicMatch(a.Name), a.How == sim.Retained, a.Policy
		o.sub.AckTimeout = simPatience
		o.ready = o.sub.Ready
		o.w.waiting = append(o.w.waiting, o)
		return o.sub
	case sim.Will, sim.Unwill:
		call := &Call{Ctx: o.ctx, URI: "wamp.session.add_testament", Args: args, Sink: (*simSink)(o), Grace: 10 * time.Second, Idempotent: true}
		if a.Kind == sim.Unwill {
			call.URI = "wamp.session.flush_testaments"
		}
		return &Testament{Call: call, Scope: a.How, Flush: a.Kind == sim.Unwill}
	case sim.Register:
		o.reg = newReg(o.ctx, (*simCallee)(o))
		o.reg.AckTimeout = simPatience
		o.reg.URI, o.ready = sim.RegistrationURI(a.Op), o.reg.Ready
		o.w.waiting = append(o.w.waiting, o)
		return o.reg
	}
	panic("sim: " + a.String())
}

// cancel ends the context of an operation. The actor learns of it at once, or
// in a while.
func (w *world) cancel(o *simOp) {
	o.cancel()
	tell := func() {
		if g := w.core.watches.groups[o.ctx.Done()]; g != nil && !w.core.ended {
			(&ctxDone{g}).apply(w.core)
		}
	}
	if o.n%2 == 0 {
		tell()
		return
	}
	w.at(time.Millisecond, tell)
}

// endOf tells the model how an operation ended.
func endOf(e End) sim.End {
	if e.Message != nil {
		return sim.End{How: sim.Result, Tag: sim.TagOf(sim.ParseJSON(e.Message.Args))}
	}
	out := sim.End{Text: fmt.Sprint(e.Err)}
	var peer *Error
	var unknown *OutcomeUnknown
	var timeout *TimeoutError
	var canceled *CanceledError
	var revoked *RevokedError
	switch {
	case errors.As(e.Err, &unknown):
		out.How, out.Delivered = sim.Unknown, unknown.Delivered
	case errors.As(e.Err, &canceled):
		out.How = sim.Canceled
	case errors.As(e.Err, &timeout):
		out.How = sim.TimedOut
	case errors.Is(e.Err, ErrSessionClosed):
		out.How = sim.Closed
	case errors.Is(e.Err, ErrSlowConsumer):
		out.How = sim.TooSlow
	case errors.Is(e.Err, ErrUnsubscribed), errors.Is(e.Err, ErrUnregisteredHere):
		out.How = sim.Left
	case errors.Is(e.Err, ErrDraining):
		out.How = sim.Drained
	case errors.As(e.Err, &revoked):
		out.How, out.URI = sim.Revoked, revoked.Reason
	case errors.As(e.Err, &peer):
		out.How, out.URI = sim.Error, peer.URI
		out.Tag = sim.TagOf(sim.ParseJSON(peer.RawArgs()))
	default:
		out.How = sim.Outcome("not known to the simulation")
	}
	return out
}

// simCallee is the sink of a registration, and its callee: it answers as the
// caller has said, also when nobody waits any more.
type simCallee simOp

func (s *simCallee) End(e End) { s.w.m.Ended(s.n, endOf(e)) }

func (s *simCallee) Invoke(m *proto.Message) (*Invocation, Verdict) {
	if s.slow {
		return nil, Overflow
	}
	w := s.w
	a, run, _ := sim.FromValues(sim.ParseJSON(m.Args))
	w.m.Invoked(a.Op, w.link)
	over := false
	inv := &Invocation{}
	inv.Cancel = func(cause error) {
		var interrupt *Interrupt
		if errors.As(cause, &interrupt) {
			w.m.Stopped(a.Op)
			w.at(5*time.Millisecond, func() {
				if !over && !w.core.ended {
					w.m.Answers(a.Op)
					(&Answer{Inv: inv, URI: proto.ErrURICanceled, Args: sim.AppendJSON(nil, sim.Tag{Op: a.Op, Run: run}.Numbers())}).apply(w.core)
				}
			})
			return
		}
		over = true
		w.m.Interrupted(a.Op)
	}
	say := func(n int, last bool) {
		if w.core.ended {
			return
		}
		answer := &Answer{Inv: inv, Progress: !last, Args: sim.AppendJSON(nil, sim.Tag{Op: a.Op, Run: run, N: n}.Numbers())}
		switch {
		case !last:
		case a.End == sim.EndError:
			answer.URI = sim.AppError
		case a.End == sim.EndDecline:
			answer.URI, answer.Args = proto.ErrURIUnavailable, nil
		}
		if last && !over {
			w.m.Answers(a.Op)
		}
		answer.apply(w.core)
	}
	ms := time.Duration(a.After) * time.Millisecond
	if m.Options.Bool("progress") {
		inv.Chunks = &simChunks{w: w, run: run, end: func() {
			if a.End == sim.EndResult {
				w.at(0, func() { say(0, true) })
			}
		}}
		if a.End == sim.EndResult {
			return inv, Taken // behind the last chunk
		}
		ms /= 2 // before the last chunk
	}
	if m.Options.Bool("receive_progress") {
		for n := 1; n <= a.Steps; n++ {
			w.at(ms*time.Duration(n)/time.Duration(a.Steps+1), func() { say(n, false) })
		}
	}
	if a.End != sim.EndNever {
		w.at(ms, func() { say(0, true) })
	}
	return inv, Taken
}

// simChunks is the sink of the chunks of one invocation.
type simChunks struct {
	w    *world
	run  int
	end  func() // the last one is there
	over bool
}

func (k *simChunks) Chunk(m *proto.Message, last bool) Verdict {
	op, n, marked, ok := sim.ChunkOf(sim.ParseJSON(m.Args))
	if !ok || marked != last || k.over {
		k.w.m.Broken(sim.OwnAnswer, "chunk %s, last: %v, over: %v", m.Args, last, k.over)
		return Taken
	}
	k.w.m.Chunked(op, k.run, n, last)
	if last {
		k.end()
	}
	return Taken
}

func (k *simChunks) End() { k.over = true }
