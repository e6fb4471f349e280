package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// begin begins an operation, or ends one: it is handed over to the actor, whose
// next turn takes it.
func (w *world) begin(a sim.Action) {
	o := w.ops[a.Of]
	switch a.Kind {
	case sim.Cancel:
		w.cancel(o)
	case sim.Slow:
		o.slow = true
	case sim.Chunk:
		o.chunks++
		last := a.How == sim.Last
		w.put(&Chunk{Call: o.call, Last: last, Body: Body{Args: sim.AppendJSON(nil, sim.ChunkNumbers(a.Of, o.chunks, last))}})
	case sim.Unsubscribe, sim.Unregister:
		w.leave(o)
	case sim.Close:
		w.put(&closeOp{})
		w.at(time.Minute, func() { w.control(&closeOp{now: true}) }) // its context ends
	case sim.Drain:
		drain := &drainOp{done: make(chan struct{})}
		w.drain = drain
		w.at(time.Minute, func() { // its context ends
			if w.drain == drain && !w.core.ended {
				w.m.JudgeDrain(false)
				w.put(&closeOp{})
				w.control(&closeOp{now: true})
			}
		})
		w.put(drain)
	default:
		o = &simOp{w: w, n: a.Op}
		o.ctx, o.cancel = context.WithCancel(context.Background())
		w.ops[a.Op] = o
		o.begin(a)
		if of, leaves := w.m.Leaves(a.Op); leaves {
			w.leave(w.ops[of])
		}
	}
}

// begin hands the engine's form of an operation over.
func (o *simOp) begin(a sim.Action) {
	if a.Kind != sim.States {
		o.w.put(begun{o.make(a), o})
		return
	}
	o.states = &stateWatcher{Latest: flow.NewLatest[State]()}
	o.states.stop = func() bool { return true }
	o.w.listeners = append(o.w.listeners, o)
	o.w.control(begun{&statesOp{o.states}, o})
}

// begun is an operation that tells the model when it reaches the session.
type begun struct {
	op
	o *simOp
}

func (b begun) apply(c *core) {
	b.o.w.m.Applied(b.o.n)
	b.op.apply(c)
}

// leave ends a handle as its user does.
func (w *world) leave(o *simOp) {
	done := make(chan error, 1)
	w.leaving = append(w.leaving, simLeave{o.n, done})
	if o.sub != nil {
		w.put(&leaveOp{h: o.sub, done: done})
	} else {
		w.put(&leaveOp{h: o.reg, done: done})
	}
}

// make is the engine's form of an operation.
func (o *simOp) make(a sim.Action) op {
	args := sim.AppendJSON(nil, sim.Values(a, 0))
	switch a.Kind {
	case sim.Call:
		call := &Call{Ctx: o.ctx, URI: sim.ProcedureURI(a.Name), Body: Body{Args: args}, Sink: (*simSink)(o), Grace: 10 * time.Second,
			Progressive: a.Progressive(), Idempotent: a.Idempotent(), Begun: o.w.now()}
		o.call = call
		switch a.How {
		case sim.Chunks:
			call.More = true
			if a.Op%2 == 0 {
				call.Mode = proto.Skip
			}
		case sim.Kill:
			call.Mode = proto.Kill
		case sim.Skip:
			call.Mode = proto.Skip
		case sim.Timeout:
			call.Timeout = sim.CallTimeout
		}
		if !call.Progressive && !call.More && call.Timeout == 0 && a.Op%2 == 0 { // its options are none
			rest, err := codec.AppendRest(codec.JSON, call.Scratch[:0], &proto.Message{Type: proto.Call, URI: call.URI, Args: args}, codec.Payload{})
			if err != nil {
				panic(err)
			}
			call.SetRest(rest)
		}
		return call
	case sim.Publish:
		p := &Publish{Ctx: o.ctx, URI: sim.TopicURI(a.Name)}
		if a.How != "" {
			p.Sink, p.Idempotent = (*simSink)(o), a.Idempotent()
		}
		var values []any
		for _, v := range sim.Values(a, 0) {
			values = append(values, v)
		}
		written(codec.JSON, p, publishOptions(a), values...)
		if p.Sink == nil && a.Op%2 == 0 {
			return onceOp{p.URI, p.Rest}
		}
		return p
	case sim.Subscribe:
		o.sub = newSub(o.ctx, sim.TopicURI(a.Name), (*simSink)(o))
		o.sub.Match, o.sub.Retained, o.policy = sim.TopicMatch(a.Name), a.How == sim.Retained, a.Policy
		o.ready = o.sub.Ready
		o.w.waiting = append(o.w.waiting, o)
		return o.sub
	case sim.Will, sim.Unwill:
		call := &Call{Ctx: o.ctx, URI: "wamp.session.add_testament", Body: Body{Args: args}, Sink: (*simSink)(o), Grace: 10 * time.Second, Idempotent: true}
		if a.Kind == sim.Unwill {
			call.URI = "wamp.session.flush_testaments"
		}
		return &Testament{Call: call, Scope: proto.Scope(a.How), Flush: a.Kind == sim.Unwill}
	case sim.Register:
		o.reg = newReg(o.ctx, (*simCallee)(o))
		o.reg.URI, o.ready, o.slots = sim.RegistrationURI(a.Op), o.reg.Ready, a.Steps
		if a.Name > 0 {
			o.reg.URI, o.reg.Options = sim.SharedURI(a.Name), proto.Dict{{Key: sim.OpKey, Value: a.Op}}
		}
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
		if g := w.core.watches.groups[o.ctx.Done()]; g != nil {
			w.control(&ctxDone{g})
		}
		if o.states != nil {
			w.control(&unlistenOp{o.states})
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
	var odd *ProtocolError
	switch {
	case errors.As(e.Err, &unknown):
		out.How, out.Delivered, out.Links, out.Silence = sim.Unknown, unknown.Delivered, unknown.Links, unknown.Reason == ErrAckTimeout
		out.Over = errors.Is(e.Err, ErrSessionClosed)
	case errors.As(e.Err, &canceled):
		out.How = sim.Canceled
	case errors.As(e.Err, &timeout):
		out.How = sim.TimedOut
	case errors.Is(e.Err, ErrSessionClosed):
		out.How = sim.Closed
	case errors.Is(e.Err, ErrSlowConsumer):
		out.How = sim.TooSlow
	case errors.Is(e.Err, ErrUnsubscribed), errors.Is(e.Err, ErrUnregistered):
		out.How = sim.Left
	case errors.Is(e.Err, ErrDraining):
		out.How = sim.Drained
	case errors.Is(e.Err, ErrAckTimeout):
		out.How = sim.Silent
	case errors.As(e.Err, &odd):
		out.How = sim.OddAnswer
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
