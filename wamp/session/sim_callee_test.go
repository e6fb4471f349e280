package session

import (
	"errors"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// simCallee is the sink of a registration, and its callee: it answers as the
// caller has said, also when nobody waits any more.
type simCallee simOp

// End ends the registration. What waits for a slot then is refused, unless the
// session is drained.
func (s *simCallee) End(e End) {
	s.w.m.Ended(s.n, endOf(e))
	if e.Now {
		queue := s.queue
		s.queue = nil
		for _, v := range queue {
			v.answer(proto.ErrURIUnavailable)
		}
	}
}

// simInvocation is one invocation and its handler.
type simInvocation struct {
	s    *simCallee
	a    sim.Action
	run  int
	inv  *Invocation
	over bool // its context has ended with its link or the session
	runs bool // it has a slot
	done bool // it has answered
	m    *proto.Message
}

// late is how long a handler that does not end goes on.
const late = 15 * time.Second

// Invoke takes an invocation.
func (s *simCallee) Invoke(m *proto.Message) (*Invocation, Verdict) {
	if s.slow {
		return nil, Overflow
	}
	w := s.w
	v := &simInvocation{s: s, inv: &Invocation{Request: m.Request}, m: &proto.Message{Options: m.Options}}
	var ok bool
	v.a, v.run, ok = sim.FromValues(sim.ParseJSON(m.Args))
	if w.m.Invoked(v.a.Op, s.n, w.link); !ok {
		return nil, Overflow
	}
	v.inv.Context = cancelFunc(v.cancel)
	if m.Options.Bool("progress") {
		v.inv.Chunks = &simChunks{w: w, run: v.run, end: func() {
			if v.a.End == sim.EndResult {
				w.at(0, func() { v.say(0, true) })
			}
		}}
	}
	if s.slots == 0 || s.running < s.slots {
		v.start()
	} else {
		s.queue = append(s.queue, v)
	}
	return v.inv, Taken
}

// start runs the handler.
func (v *simInvocation) start() {
	v.s.running++
	v.runs = true
	w := v.s.w
	ms := time.Duration(v.a.After) * time.Millisecond
	if v.m.Options.Bool("progress") {
		if v.a.End == sim.EndResult {
			return // behind the last chunk
		}
		ms /= 2 // before the last chunk
	}
	if v.m.Options.Bool("receive_progress") {
		for n := 1; n <= v.a.Steps; n++ {
			w.at(ms*time.Duration(n)/time.Duration(v.a.Steps+1), func() { v.say(n, false) })
		}
	}
	if v.a.End != sim.EndNever && v.a.End != sim.EndStuck {
		w.at(ms, func() { v.say(0, true) })
	}
}

// ended frees its slot.
func (v *simInvocation) ended() {
	s := v.s
	if !v.runs {
		return
	}
	v.runs = false
	s.running--
	for len(s.queue) > 0 && s.running < s.slots {
		next := s.queue[0]
		s.queue = s.queue[1:]
		if !next.over && !next.done {
			next.start()
		}
	}
}

// cancel is the end of its context.
func (v *simInvocation) cancel(cause error) {
	w := v.s.w
	var interrupt *Interrupt
	if !errors.As(cause, &interrupt) {
		v.over = true
		w.m.Interrupted(v.a.Op)
		w.at(0, v.ended)
		return
	}
	w.m.Stopped(v.a.Op)
	after := 5 * time.Millisecond
	if v.a.End == sim.EndStuck {
		after = late // somebody has answered by then
	}
	w.at(after, func() {
		if !v.over && !v.done {
			if v.a.End != sim.EndStuck {
				w.m.Answers(v.a.Op)
			}
			v.answer(proto.ErrURICanceled, v.tag(0)...)
		}
	})
}

// answer ends it with an error.
func (v *simInvocation) answer(uri string, args ...any) {
	v.done = true
	if uri == proto.ErrURIUnavailable {
		v.s.w.m.Answers(v.a.Op)
	}
	v.s.w.put(answerWith(codec.JSON, v.inv, uri, false, args...))
	v.ended()
}

// say says a progressive result, or the last word.
func (v *simInvocation) say(n int, last bool) {
	w := v.s.w
	if v.done {
		return
	}
	uri, args := "", v.tag(n)
	if last {
		switch v.a.End {
		case sim.EndError:
			uri = sim.AppError
		case sim.EndDecline:
			uri, args = proto.ErrURIUnavailable, nil
		case sim.EndPanic, sim.EndGoexit:
			uri, args = proto.ErrURIRuntimeError, nil
		}
		v.done = true
		if !v.over {
			w.m.Answers(v.a.Op)
		}
		defer v.ended()
	}
	w.put(answerWith(codec.JSON, v.inv, uri, !last, args...))
}

// tag are the arguments of an answer.
func (v *simInvocation) tag(n int) (args []any) {
	for _, v := range (sim.Tag{Op: v.a.Op, Run: v.run, N: n}).Numbers() {
		args = append(args, v)
	}
	return args
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
