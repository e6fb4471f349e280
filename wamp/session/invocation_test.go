package session

import (
	"context"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestStepInvocation(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	reg := newReg(t.Context(), s)
	r.do(reg)
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	if err := <-reg.Ready; err != nil || len(s.invs) != 1 {
		t.Fatalf("ready %v, %d invocations: the one behind REGISTERED must arrive", err, len(s.invs))
	}
	inv := s.invs[0]
	r.do(answerWith(r.codec, inv, "", true))
	r.do(answerWith(r.codec, inv, "", false))
	got := r.want(proto.Yield, proto.Yield)
	if !got[0].Options.Bool("progress") || got[1].Options.Bool("progress") {
		t.Errorf("sent %+v", got)
	}
	r.do(answerWith(r.codec, inv, "", false)) // late: goes nowhere
	r.want()
}

func TestStepInterrupt(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	r.do(newReg(t.Context(), s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Interrupt, Request: 1, Options: proto.Dict{{Key: "mode", Value: "kill"}}})
	var in *Interrupt
	if len(s.cut) != 1 || !errors.As(s.cut[0], &in) || in.Mode != "kill" {
		t.Fatalf("cut %v", s.cut)
	}
	r.do(answerWith(r.codec, s.invs[0], proto.ErrURICanceled, false))
	if m := r.want(proto.Error)[0]; m.RequestType != proto.Invocation || m.Request != 1 {
		t.Errorf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Interrupt, Request: 1}) // too late: nobody's
	if r.core.ended {
		t.Error("a late INTERRUPT ended the session")
	}
}

func TestStepUnknownRegistration(t *testing.T) {
	r := newRig(t)
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 99})
	if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable || m.Request != 1 {
		t.Errorf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Event, ID: 99})
	if r.core.ended {
		t.Error("an EVENT or INVOCATION for nobody ended the session")
	}
}

func TestStepFullRegistration(t *testing.T) {
	r := newRig(t)
	s := &callee{full: true}
	r.do(newReg(t.Context(), s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable {
		t.Errorf("sent %+v", m)
	}
	if r.core.stats.Refused != 1 || r.core.invocations.Len() != 0 {
		t.Errorf("stats %+v", r.core.stats)
	}
}

func TestStepUnregisterLetsRunningFinish(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	ctx, cancel := context.WithCancel(t.Context())
	r.do(newReg(ctx, s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	cancel()
	r.cancel(ctx)
	r.want(proto.Unregister)
	if len(s.cut) != 0 {
		t.Error("cancelling Register interrupted a running invocation")
	}
	r.feed(proto.Message{Type: proto.Invocation, Request: 2, ID: 66})
	if m := r.want(proto.Error)[0]; m.Request != 2 || m.URI != proto.ErrURIUnavailable {
		t.Errorf("sent %+v", m)
	}
	r.do(answerWith(r.codec, s.invs[0], "", false))
	r.want(proto.Yield)
	r.feed(proto.Message{Type: proto.Unregistered, Request: 2})
	r.clean()
}
