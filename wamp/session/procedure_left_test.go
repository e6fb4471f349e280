package session

import (
	"context"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// So it is where that handle was left before the router has answered.
func TestStepSharedRegistrationThatWasRegretted(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	r.do(newReg(t.Context(), s))
	ctx, cancel := context.WithCancel(t.Context())
	other := newReg(ctx, &callee{})
	other.URI = "com.example.other"
	r.do(other)
	r.want(proto.Register, proto.Register)
	cancel()
	r.cancel(ctx)
	for id := range proto.ID(2) {
		r.feed(proto.Message{Type: proto.Registered, Request: 1 + id, ID: 66})
	}
	r.want()
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66, Options: proto.Dict{{Key: "procedure", Value: other.URI}}})
	if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable {
		t.Errorf("answered %+v", m)
	}
}

// Two procedures may have one registration id. When the handle of one has left,
// a call of it is not given to the other.
func TestStepSharedRegistrationThatWasLeft(t *testing.T) {
	r := newRig(t)
	one, two := &callee{}, &callee{}
	left := newReg(t.Context(), one)
	r.do(left)
	other := newReg(t.Context(), two)
	other.URI = "com.example.other"
	r.do(other)
	r.want(proto.Register, proto.Register)
	for id := range proto.ID(2) {
		r.feed(proto.Message{Type: proto.Registered, Request: 1 + id, ID: 66})
	}
	r.do(&leaveOp{h: left, done: make(chan error, 1)})
	r.want() // the other one still has the id
	invoke := func(id proto.ID, procedure string) {
		m := proto.Message{Type: proto.Invocation, Request: id, ID: 66}
		if procedure != "" {
			m.Options = proto.Dict{{Key: "procedure", Value: procedure}}
		}
		r.feed(m)
	}
	invoke(1, left.URI)
	if m := r.want(proto.Error)[0]; m.Request != 1 || m.URI != proto.ErrURIUnavailable {
		t.Errorf("answered %+v", m)
	}
	again := newReg(t.Context(), two)
	again.URI = other.URI
	r.do(again)
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 3, ID: 66})
	invoke(4, left.URI) // also where those that are left are alike
	if m := r.want(proto.Error)[0]; m.Request != 4 || m.URI != proto.ErrURIUnavailable {
		t.Errorf("answered %+v", m)
	}
	invoke(2, other.URI)
	invoke(3, "")
	r.want()
	if len(one.invs) != 0 || len(two.invs) != 2 {
		t.Errorf("given to the one that has left: %d, to the other: %d", len(one.invs), len(two.invs))
	}
}
