package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// newLifeRig is a rig that reconnects.
func newLifeRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	policy := &Reconnect{}
	policy.setDefaults()
	r.core.life.policy = policy
	return r
}

// lose cuts the link.
func (r *rig) lose() {
	r.core.linkLost(errors.New("cut"))
	r.settle()
}

// rejoin joins again, on a router with the given roles.
func (r *rig) rejoin(roles proto.Roles) {
	r.core.out.Reset(0)
	r.pass(time.Minute) // the attempt
	r.core.joined(&Details{Session: 8, Roles: roles}, r.codec, 1<<20)
}

func TestStepEndLetsGoOfWhatWaits(t *testing.T) {
	r := newLifeRig(t)
	r.lose()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, ack, sub := &tape{}, &tape{}, newSub(ctx, "com.example.topic", &tape{})
	r.do(newCall(ctx, s))
	r.do(&Publish{Ctx: ctx, URI: "a.b", Sink: ack})
	r.do(sub)
	r.do(newReg(ctx, &callee{}))
	r.do(&closeOp{})
	for _, err := range []error{s.err(t), ack.err(t), <-sub.Ready} {
		if !errors.Is(err, ErrSessionClosed) {
			t.Errorf("err %v", err)
		}
	}
	r.clean()
}

// What the actor does must follow from what it was told: a map has no order.
func TestStepCutsInvocationsInTheirOrder(t *testing.T) {
	r := newLifeRig(t)
	r.do(newReg(t.Context(), &callee{}))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	var order []int
	for i := range 20 {
		inv := &Invocation{Context: cancelFunc(func(error) { order = append(order, i) })}
		r.core.invocations.Put(proto.ID(i+1), inv)
	}
	r.lose()
	if len(order) != 20 || !slices.IsSorted(order) {
		t.Errorf("cut in the order %v", order)
	}
}

// A registration that waits for a link while the session is drained must not
// come up behind it, or the drain would wait for it.
func TestStepDrainRefusesRegistrations(t *testing.T) {
	r := newLifeRig(t)
	r.lose()
	early, late := newReg(t.Context(), &callee{}), newReg(t.Context(), &callee{})
	ack := &tape{}
	r.do(early)
	r.do(&Publish{Ctx: t.Context(), URI: "a.b", Sink: ack})
	o := &drainOp{done: make(chan struct{})}
	r.do(o)
	r.do(late)
	r.core.drained()
	r.rejoin(routerRoles())
	r.want(proto.Publish)
	r.core.drained()
	select {
	case <-o.done:
		t.Error("the drain did not wait for the publish")
	default:
	}
	r.feed(proto.Message{Type: proto.Published, Request: 1, Publication: 5})
	r.core.drained()
	for _, err := range []error{<-early.Ready, <-late.Ready} {
		if !errors.Is(err, ErrDraining) {
			t.Errorf("err %v", err)
		}
	}
	select {
	case <-o.done:
	default:
		t.Error("the drain did not end")
	}
}

// A subscription that the next router cannot serve leaves nothing behind that
// stands in the way of another to the same topic.
func TestStepRefusedRestoreForgetsTheTopic(t *testing.T) {
	r := newLifeRig(t)
	sub := newSub(t.Context(), "com.example", &tape{})
	sub.Match, sub.Options = proto.Prefix, proto.Dict{{Key: "nkey", Value: "a"}}
	r.do(sub)
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 5})
	r.lose()
	var plain proto.Roles
	plain.Set(proto.Broker, 0)
	r.rejoin(plain)
	r.want()
	if len(r.core.topics) != 0 {
		t.Errorf("%d topics are left", len(r.core.topics))
	}
}

// Nobody waits for an unacknowledged publish, so nobody takes it back.
func TestStepUnacknowledgedPublishOutlivesItsContext(t *testing.T) {
	r := newLifeRig(t)
	r.lose()
	ctx, cancel := context.WithCancel(t.Context())
	r.do(&Publish{Ctx: ctx, URI: "a.b"})
	cancel()
	r.cancel(ctx)
	r.do(&Publish{Ctx: ctx, URI: "c.d"})
	r.rejoin(routerRoles())
	if sent := r.want(proto.Publish, proto.Publish); sent[0].URI != "a.b" || sent[1].URI != "c.d" {
		t.Errorf("sent %+v", sent)
	}
	r.clean()
}

type cancelFunc func(error)

func (f cancelFunc) Cancel(cause error) { f(cause) }
