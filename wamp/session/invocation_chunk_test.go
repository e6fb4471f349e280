package session

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// chunkTape is a ChunkSink that records.
type chunkTape struct {
	got     []bool // last
	ended   int
	verdict Verdict
	onEnd   func()
}

func (s *chunkTape) Chunk(_ *proto.Message, last bool) Verdict {
	s.got = append(s.got, last)
	return s.verdict
}

func (s *chunkTape) End() {
	s.ended++
	if s.onEnd != nil {
		s.onEnd()
	}
}

// progressiveCallee makes invocations with chunks.
type progressiveCallee struct {
	callee
	chunks []*chunkTape
}

func (s *progressiveCallee) Invoke(m *proto.Message) (*Invocation, Verdict) {
	inv, v := s.callee.Invoke(m)
	if inv != nil && m.Options.Bool("progress") {
		k := &chunkTape{}
		s.chunks = append(s.chunks, k)
		inv.Chunks = k
	}
	return inv, v
}

func invocation(id proto.ID, more bool) proto.Message {
	m := proto.Message{Type: proto.Invocation, Request: id, ID: 66}
	if more {
		m.Options = proto.Dict{{Key: "progress", Value: true}}
	}
	return m
}

func calleeRig(t *testing.T) (*rig, *progressiveCallee) {
	t.Helper()
	r := newRig(t)
	s := &progressiveCallee{}
	r.do(newReg(t.Context(), s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	return r, s
}

func TestStepInvocationChunks(t *testing.T) {
	r, s := calleeRig(t)
	r.feed(invocation(1, true))
	r.feed(invocation(2, false))
	r.feed(invocation(1, true))
	r.feed(invocation(1, false))
	if len(s.invs) != 2 || len(s.chunks) != 1 || !slices.Equal(s.chunks[0].got, []bool{false, true}) {
		t.Fatalf("%d invocations, chunks %+v", len(s.invs), s.chunks)
	}
	r.do(answerWith(r.codec, s.invs[0], "", false))
	r.want(proto.Yield)
	if r.core.unfinished.Len() != 0 {
		t.Error("an invocation that had all its chunks is remembered")
	}
	r.feed(invocation(2, false)) // not progressive: the id is taken
	if !r.core.ended {
		t.Error("a second INVOCATION of one that is running is no chunk")
	}
}

// Chunks of an invocation that is over are dropped, up to the last; then the id
// is forgotten.
func TestStepInvocationEndsEarly(t *testing.T) {
	for name, end := range map[string]func(r *rig, s *progressiveCallee){
		"result": func(r *rig, s *progressiveCallee) { r.do(answerWith(r.codec, s.invs[0], "", false)) },
		"error":  func(r *rig, s *progressiveCallee) { r.do(answerWith(r.codec, s.invs[0], proto.ErrURICanceled, false)) },
		"overflow": func(r *rig, s *progressiveCallee) {
			s.chunks[0].verdict = Overflow
			r.feed(invocation(1, true))
			if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable || len(s.cut) != 1 || !errors.Is(s.cut[0], ErrSlowConsumer) {
				t.Errorf("%+v, %v", m, s.cut)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := calleeRig(t)
			r.feed(invocation(1, true))
			end(r, s)
			r.sent()
			if s.chunks[0].ended == 0 {
				t.Error("the chunks have not ended")
			}
			r.feed(invocation(1, true))
			r.feed(invocation(1, false))
			r.want()
			if len(s.invs) != 1 || r.core.unfinished.Len() != 0 || r.core.ended {
				t.Errorf("%d invocations, %d remembered", len(s.invs), r.core.unfinished.Len())
			}
			r.do(answerWith(r.codec, s.invs[0], "", false)) // late
			r.want()
		})
	}
}

// A progressive call that nobody takes is refused once.
func TestStepInvocationChunksRefused(t *testing.T) {
	r, s := calleeRig(t)
	s.full = true
	r.feed(invocation(1, true))
	r.want(proto.Error)
	s.full = false
	r.feed(invocation(1, true))
	r.feed(invocation(1, false))
	r.want()
	if len(s.invs) != 0 || r.core.stats.Refused != 1 {
		t.Errorf("%d invocations", len(s.invs))
	}
}

// What is remembered of early ends is bounded.
func TestStepEarlyEndsAreBounded(t *testing.T) {
	r, s := calleeRig(t)
	for id := proto.ID(1); id <= 3*mostUnfinished; id++ {
		r.feed(invocation(id, true))
		r.do(answerWith(r.codec, s.invs[len(s.invs)-1], "", false))
		r.sent()
	}
	if n := r.core.unfinished.Len(); n != mostUnfinished {
		t.Errorf("%d remembered", n)
	}
	r.feed(invocation(3*mostUnfinished, true))
	if len(s.invs) != 3*mostUnfinished {
		t.Error("a late chunk began an invocation")
	}
}

func TestStepInterruptEndsChunks(t *testing.T) {
	r, s := calleeRig(t)
	r.feed(invocation(1, true))
	r.feed(proto.Message{Type: proto.Interrupt, Request: 1, Options: proto.Dict{{Key: "mode", Value: "kill"}}})
	if len(s.cut) != 1 || s.chunks[0].ended != 1 {
		t.Fatalf("cut %v, ended %d", s.cut, s.chunks[0].ended)
	}
	r.feed(invocation(1, true))
	if len(s.chunks[0].got) > 0 {
		t.Error("a chunk behind the interrupt was delivered")
	}
	r.do(answerWith(r.codec, s.invs[0], proto.ErrURICanceled, false))
	r.want(proto.Error)
	r.feed(invocation(1, false))
	if len(s.invs) != 1 {
		t.Error("a late chunk began an invocation")
	}
}

// oddInvocation is an INVOCATION of registration 66. progress: "" is none, "odd" one
// that cannot be understood.
func oddInvocation(request proto.ID, progress string) proto.Message {
	m := proto.Message{Type: proto.Invocation, Request: request, ID: 66}
	switch progress {
	case "odd":
		m.Odd = &proto.Oddity{What: proto.OddProgress, Reason: "progress is 1"}
	case "more":
		m.Options = proto.Dict{{Key: "progress", Value: true}}
	}
	return m
}

// Of a progressive call whose first INVOCATION was odd, the chunks that follow
// are no new calls; one that is odd too need not be the last.
func TestStepOddInvocationHasChunks(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	r.do(newReg(t.Context(), s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(oddInvocation(1, "odd"))
	if m := r.want(proto.Error)[0]; m.Request != 1 || m.URI != proto.ErrURIInvalidArgument {
		t.Errorf("answered %+v", m)
	}
	for _, progress := range []string{"more", "odd", "more", ""} {
		r.feed(oddInvocation(1, progress))
	}
	r.want()
	gone := oddInvocation(3, "odd") // of a registration that is not there
	gone.ID = 67
	r.feed(gone)
	r.want(proto.Error)
	gone = oddInvocation(3, "")
	gone.ID = 67
	r.feed(gone)
	r.want()
	r.feed(oddInvocation(2, ""))
	if len(s.invs) != 1 || s.log[len(s.log)-1] != "invoke 2" {
		t.Errorf("the callee has %v", s.log)
	}
}

// Who sees the chunks end looks at the context to know whether they are complete: it
// has ended before, where they are not.
func TestStepContextEndsBeforeChunks(t *testing.T) {
	for name, cut := range map[string]func(r *rig, s *progressiveCallee){
		"overflow":  func(r *rig, s *progressiveCallee) { s.chunks[0].verdict = Overflow; r.feed(invocation(1, true)) },
		"interrupt": func(r *rig, _ *progressiveCallee) { r.feed(proto.Message{Type: proto.Interrupt, Request: 1}) },
		"a wrong progress": func(r *rig, _ *progressiveCallee) {
			m := invocation(1, true)
			m.Odd = &proto.Oddity{What: proto.OddProgress, Reason: "progress is 1"}
			r.feed(m)
		},
		"a result that is too big": func(r *rig, s *progressiveCallee) {
			r.do(answerWith(r.codec, s.invs[0], "", true, strings.Repeat("x", 1<<21)))
		},
		"the link is lost": func(r *rig, _ *progressiveCallee) { r.core.linkLost(errors.New("reset")) },
	} {
		t.Run(name, func(t *testing.T) {
			r, s := calleeRig(t)
			r.feed(invocation(1, true))
			cutBefore := -1
			s.chunks[0].onEnd = func() {
				if cutBefore < 0 {
					cutBefore = len(s.cut)
				}
			}
			cut(r, s)
			r.sent()
			if cutBefore != 1 {
				t.Errorf("%d contexts had ended when the chunks did", cutBefore)
			}
		})
	}
}
