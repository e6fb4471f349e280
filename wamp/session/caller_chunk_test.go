package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// cutLink gives the link up, as a loss does; newLink brings the next one.
func (r *rig) cutLink(t *testing.T) {
	t.Helper()
	r.core.life.policy = &Reconnect{}
	r.core.life.policy.setDefaults()
	r.core.linkLost(errors.New("cut"))
	if !r.core.life.waiting {
		t.Fatal("the loss was the end")
	}
}

func (r *rig) newLink() {
	r.core.timers.stop(r.core.life.timer)
	r.core.joined(&Details{Session: 8, Roles: routerRoles()}, r.codec, 1<<20)
}

var encodedOne = []byte{0x81, 1} // CBOR [1]

func chunk(call *Call, last bool) *Chunk {
	return &Chunk{Call: call, Last: last, Body: Body{Args: encodedOne}}
}

func TestStepChunks(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.More = true
	r.do(call)
	r.do(chunk(call, false))
	r.do(chunk(call, true))
	got := r.want(proto.Call, proto.Call, proto.Call)
	for i, m := range got {
		if m.Request != 1 || m.URI != call.URI || m.Options.Bool("progress") != (i < 2) || m.Options.Bool("receive_progress") != (i == 0) {
			t.Errorf("chunk %d: %+v", i, m)
		}
	}
	r.do(chunk(call, false)) // behind the last one
	r.want()
	other := newCall(t.Context(), &tape{})
	r.do(other)
	if m := r.want(proto.Call)[0]; m.Request != 2 {
		t.Errorf("chunks have used up ids: %+v", m)
	}
	r.feed(proto.Message{Type: proto.Result, Request: 1})
	if s.err(t) != nil {
		t.Error(s.log)
	}
}

// A call that is over sends no chunk, whatever ended it.
func TestStepChunkOfAnEndedCall(t *testing.T) {
	for name, end := range map[string]func(r *rig, cancel func()){
		"result": func(r *rig, _ func()) { r.feed(proto.Message{Type: proto.Result, Request: 1}) },
		"error": func(r *rig, _ func()) {
			r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURICanceled})
		},
		"ctx":  func(_ *rig, cancel func()) { cancel() },
		"loss": func(r *rig, _ func()) { r.core.linkLost(errors.New("cut")) },
	} {
		for _, mode := range []proto.CancelMode{proto.KillNoWait, proto.Kill} {
			r := newRig(t)
			s := &tape{}
			ctx, stop := context.WithCancel(t.Context())
			call := newCall(ctx, s)
			call.More, call.Mode = true, mode
			r.do(call)
			r.want(proto.Call)
			end(r, func() { stop(); r.cancel(ctx) })
			r.sent()
			released := 0
			k := chunk(call, false)
			k.Done = func(*Chunk) { released++ }
			if !r.core.ended {
				r.do(k)
			} else {
				k.refuse(nil)
			}
			r.want()
			if released != 1 {
				t.Errorf("%s: released %d times", name, released)
			}
			stop()
		}
	}
}

// What was never written goes out on the next link as a whole and in order;
// what was begun there is not.
func TestStepChunksUnwritten(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.More, call.Timeout = true, time.Minute
	r.do(call)
	r.do(chunk(call, false)) // all in one batch, which is never handed over
	r.cutLink(t)
	r.do(chunk(call, false)) // while there is no link
	r.do(chunk(call, true))
	r.newLink()
	got := r.want(proto.Call, proto.Call, proto.Call, proto.Call)
	for i, m := range got {
		if m.Request != 1 || m.Options.Bool("progress") != (i < 3) {
			t.Errorf("chunk %d: %+v", i, m)
		}
	}
	if len(s.log) > 0 {
		t.Error(s.log)
	}
	r.cutLink(t)
	var unknown *OutcomeUnknown
	if err := s.err(t); !errors.As(err, &unknown) {
		t.Error(err)
	}
	r.newLink()
	r.do(chunk(call, false))
	r.want()
	r.clean()
}

// A progressive call that begins while there is no link is one on the next.
func TestStepChunksBegunOffline(t *testing.T) {
	r := newRig(t)
	r.cutLink(t)
	call := newCall(t.Context(), &tape{})
	call.More = true
	r.do(call)
	r.do(chunk(call, true))
	r.newLink()
	got := r.want(proto.Call, proto.Call)
	if !got[0].Options.Bool("progress") || got[1].Options.Bool("progress") || got[0].Request != got[1].Request {
		t.Errorf("sent %+v", got)
	}
}

// A progressive call is not repeated: its chunks are gone.
func TestStepChunksIdempotent(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.More, call.Idempotent = true, true
	r.do(call)
	r.want(proto.Call)
	r.cutLink(t)
	var unknown *OutcomeUnknown
	if err := s.err(t); !errors.As(err, &unknown) {
		t.Error(err)
	}
}

func TestStepChunkTooBig(t *testing.T) {
	r := newRigWith(t, routerRoles(), 200)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.More = true
	r.do(call)
	k := chunk(call, false)
	k.Args = append([]byte{0x81, 0x58, 250}, make([]byte, 250)...)
	r.do(k)
	r.want(proto.Call, proto.Cancel)
	if err := s.err(t); !errors.Is(err, ErrPayloadTooBig) {
		t.Error(err)
	}
	r.clean()
}

// chunkTape is a ChunkSink that records.
type chunkTape struct {
	got     []bool // last
	ended   int
	verdict Verdict
}

func (s *chunkTape) Chunk(_ *proto.Message, last bool) Verdict {
	s.got = append(s.got, last)
	return s.verdict
}

func (s *chunkTape) End() { s.ended++ }

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
	r.do(&Answer{Inv: s.invs[0]})
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
		"result": func(r *rig, s *progressiveCallee) { r.do(&Answer{Inv: s.invs[0]}) },
		"error":  func(r *rig, s *progressiveCallee) { r.do(&Answer{Inv: s.invs[0], URI: proto.ErrURICanceled}) },
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
			r.do(&Answer{Inv: s.invs[0]}) // late
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
		r.do(&Answer{Inv: s.invs[len(s.invs)-1]})
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
	r.do(&Answer{Inv: s.invs[0], URI: proto.ErrURICanceled})
	r.want(proto.Error)
	r.feed(invocation(1, false))
	if len(s.invs) != 1 {
		t.Error("a late chunk began an invocation")
	}
}
