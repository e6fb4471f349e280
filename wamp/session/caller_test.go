package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestStepCall(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	r.do(newCall(t.Context(), s))
	if m := r.want(proto.Call)[0]; m.Request != 1 || m.URI != "com.example.proc" || !m.Options.Bool("receive_progress") {
		t.Errorf("sent %+v", m)
	}
	r.feed(progress(1))
	r.feed(progress(1))
	r.feed(proto.Message{Type: proto.Result, Request: 1})
	if err := s.err(t); err != nil || len(s.log) != 3 {
		t.Errorf("err %v, log %v", err, s.log)
	}
	r.clean()
}

func TestStepCallError(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	r.do(newCall(t.Context(), s))
	r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURINoSuchProcedure})
	if err := s.err(t); !errors.Is(err, ErrNoSuchProcedure) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepCancel(t *testing.T) {
	for _, mode := range []proto.CancelMode{proto.KillNoWait, proto.Skip, proto.Kill} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t)
			s := &tape{}
			ctx, cancel := context.WithCancelCause(t.Context())
			call := newCall(ctx, s)
			call.Mode = mode
			r.do(call)
			r.want(proto.Call)
			r.feed(progress(1))
			why := errors.New("why")
			cancel(why)
			r.cancel(ctx)
			if m := r.want(proto.Cancel)[0]; m.Request != 1 || m.Options.Str("mode") != mode.String() {
				t.Errorf("sent %+v", m)
			}
			if mode == proto.Kill {
				if len(s.ends) != 0 {
					t.Fatal("mode kill did not wait for the callee")
				}
				r.feed(progress(1)) // still under way: dropped
				r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURICanceled})
			}
			err := s.err(t)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !errors.Is(err, ErrCanceled) {
				t.Errorf("err %v", err)
			}
			r.clean()
			// What the router says late is legal, and nobody's.
			r.feed(proto.Message{Type: proto.Result, Request: 1})
			r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURICanceled})
			if r.core.ended || len(s.ends) != 1 {
				t.Errorf("a late answer: ended %v, ends %v", r.core.ended, s.ends)
			}
		})
	}
}

func TestStepKillResultWins(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	ctx, cancel := context.WithCancel(t.Context())
	call := newCall(ctx, s)
	call.Mode = proto.Kill
	r.do(call)
	cancel()
	r.cancel(ctx)
	r.feed(proto.Message{Type: proto.Result, Request: 1})
	if err := s.err(t); err != nil {
		t.Errorf("the callee's result was lost: %v", err)
	}
	r.clean()
}

func TestStepKillGrace(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	ctx, cancel := context.WithCancel(t.Context())
	call := newCall(ctx, s)
	call.Mode = proto.Kill
	r.do(call)
	cancel()
	r.cancel(ctx)
	r.pass(9 * time.Second)
	if len(s.ends) != 0 {
		t.Fatal("ended before the grace period was over")
	}
	r.pass(time.Second)
	if err := s.err(t); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepCancelWithoutFeature(t *testing.T) {
	var roles proto.Roles
	roles.Set(proto.Dealer, 0)
	r := newRigWith(t, roles, 1<<20)
	s := &tape{}
	ctx, cancel := context.WithCancel(t.Context())
	r.do(newCall(ctx, s))
	if m := r.want(proto.Call)[0]; len(m.Options) != 0 {
		t.Errorf("options %v for a dealer without progressive results", m.Options)
	}
	cancel()
	r.cancel(ctx)
	r.want()
	if err := s.err(t); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepCallTimeout(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.Timeout = time.Second
	r.do(call)
	if m := r.want(proto.Call)[0]; m.Options.Has("timeout") { // the dealer's timer need not begin anew
		t.Errorf("options %v", m.Options.Map())
	}
	r.pass(900 * time.Millisecond)
	r.feed(progress(1)) // arms it again
	r.pass(900 * time.Millisecond)
	if len(s.ends) != 0 {
		t.Fatal("a progressive result did not arm the timer again")
	}
	r.pass(100 * time.Millisecond)
	r.want(proto.Cancel)
	err := s.err(t)
	if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepSlowCall(t *testing.T) {
	r := newRig(t)
	s := &tape{verdict: Overflow}
	r.do(newCall(t.Context(), s))
	r.want(proto.Call)
	r.feed(progress(1))
	r.want(proto.Cancel)
	if err := s.err(t); err != ErrSlowConsumer {
		t.Errorf("err %v", err)
	}
	r.feed(progress(1)) // late
	r.clean()
}

func TestStepTooBigBurnsNoID(t *testing.T) {
	r := newRigWith(t, routerRoles(), 200)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.Args, _ = r.codec.AppendList(nil, []any{make([]byte, 300)})
	r.do(call)
	r.want()
	if err := s.err(t); !errors.Is(err, ErrPayloadTooBig) {
		t.Errorf("err %v", err)
	}
	r.do(newCall(t.Context(), &tape{}))
	if m := r.want(proto.Call)[0]; m.Request != 1 {
		t.Errorf("request id %d, want 1", m.Request)
	}
}

func TestStepDeadContextSendsNothing(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, sub, reg := &tape{}, &tape{}, &callee{}
	r.do(newCall(ctx, s))
	r.do(newSub(ctx, "com.example.topic", sub))
	r.do(newReg(ctx, reg))
	r.want()
	for _, err := range []error{s.err(t), sub.err(t), reg.err(t)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("err %v", err)
		}
	}
	r.clean()
}
