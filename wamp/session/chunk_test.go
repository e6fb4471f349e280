package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

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
