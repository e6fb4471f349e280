package session

import (
	"errors"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A topic for which two SUBSCRIBEs are under way has died once when their link
// is lost, not twice.
func TestStepTwoSubscribesDieOnce(t *testing.T) {
	r := newLifeRig(t)
	s := &tape{}
	sub := newSub(t.Context(), "com.example.topic", s)
	r.do(sub)
	second := newSub(t.Context(), "com.example.topic", &tape{})
	second.Retained = true
	r.do(second)
	r.want(proto.Subscribe, proto.Subscribe)
	for range 2 {
		r.lose()
		r.rejoin(routerRoles())
		r.want(proto.Subscribe)
		if len(s.ends) > 0 {
			t.Fatalf("it has ended: %v", s.ends)
		}
	}
	r.lose()
	var unknown *OutcomeUnknown
	if err := s.err(t); !errors.As(err, &unknown) || unknown.Links != 3 {
		t.Errorf("err %v", err)
	}
}

// Of two SUBSCRIBEs the link may have outlived one for long.
func TestStepAnOldSubscribeDoesNotHideADeath(t *testing.T) {
	r := newLifeRig(t)
	s := &tape{}
	r.do(newSub(t.Context(), "com.example.topic", s))
	r.want(proto.Subscribe)
	r.lose()
	r.rejoin(routerRoles())
	r.want(proto.Subscribe)
	r.core.gates = 1 // what is there cannot be read
	r.pass(11 * time.Second)
	second := newSub(t.Context(), "com.example.topic", &tape{})
	second.Retained = true
	r.do(second)
	r.want(proto.Subscribe)
	r.core.gates = 0
	r.lose()
	r.rejoin(routerRoles())
	r.want(proto.Subscribe)
	r.lose()
	var unknown *OutcomeUnknown
	if err := s.err(t); !errors.As(err, &unknown) || unknown.Links != 3 {
		t.Errorf("err %v", err)
	}
}

// What is to be sent alone, and waits for its turn, ends with the session.
func TestStepSuspectsEndWithTheSession(t *testing.T) {
	r := newLifeRig(t)
	var all []*tape
	for range 3 {
		s := &tape{}
		all = append(all, s)
		call := newCall(t.Context(), s)
		call.Idempotent = true
		r.do(call)
	}
	ack := &tape{}
	r.do(&Publish{Ctx: t.Context(), URI: "a.b", Sink: ack, Idempotent: true})
	r.want(proto.Call, proto.Call, proto.Call, proto.Publish)
	r.lose()
	r.rejoin(routerRoles())
	r.want(proto.Call, proto.Call, proto.Call, proto.Publish)
	r.lose()
	r.rejoin(routerRoles())
	r.want(proto.Call) // alone
	r.do(&closeOp{})
	r.feed(proto.Message{Type: proto.Goodbye, URI: proto.CloseURIGoodbyeAndOut})
	for _, s := range append(all, ack) {
		if err := s.err(t); !errors.Is(err, ErrSessionClosed) {
			t.Errorf("err %v", err)
		}
	}
	r.clean()
}

// A registration that the router has refused, because it still has our dead
// session, does not end links.
func TestStepRefusedRegistrationIsNoSuspect(t *testing.T) {
	r := newLifeRig(t)
	s := &callee{}
	reg := newReg(t.Context(), s)
	r.do(reg)
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	for range 5 {
		r.lose()
		r.rejoin(routerRoles())
		r.want(proto.Register)
		r.feed(proto.Message{Type: proto.Error, RequestType: proto.Register, Request: 1, URI: proto.ErrURIProcedureAlreadyExists})
		r.pass(againFloor)
		r.want(proto.Register)
	}
	if len(s.ends) > 0 {
		t.Errorf("it has ended: %v", s.ends)
	}
}

// A new handle of a topic that seems to end links does not ask for it beside
// another suspect.
func TestStepNewHandleOfASuspectWaits(t *testing.T) {
	r := newLifeRig(t)
	for _, topic := range []string{"com.example.one", "com.example.two"} {
		r.do(newSub(t.Context(), topic, &tape{}))
	}
	r.want(proto.Subscribe, proto.Subscribe)
	r.lose()
	r.rejoin(routerRoles())
	r.want(proto.Subscribe, proto.Subscribe)
	r.lose()
	r.rejoin(routerRoles())
	r.want(proto.Subscribe) // the first one, alone
	sub := newSub(t.Context(), "com.example.two", &tape{})
	sub.Retained = true
	r.do(sub)
	r.want()
	r.feed(subscribed(1, 55))
	if m := r.want(proto.Subscribe)[0]; m.URI != "com.example.two" {
		t.Errorf("asked for %s", m.URI)
	}
	r.feed(subscribed(2, 56))
	if m := r.want(proto.Subscribe)[0]; m.URI != "com.example.two" || !m.Options.Bool("get_retained") {
		t.Errorf("asked for %+v", m)
	}
	r.feed(subscribed(3, 56))
	if err := <-sub.Ready; err != nil {
		t.Error(err)
	}
}

// Where the one that was sent alone has lived for long without an answer, it
// does not keep a new handle of its topic waiting.
func TestStepNewHandleOfALateSuspectIsSent(t *testing.T) {
	r := newLifeRig(t)
	r.do(newSub(t.Context(), "com.example.topic", &tape{}))
	for range 2 {
		r.want(proto.Subscribe)
		r.lose()
		r.rejoin(routerRoles())
	}
	r.want(proto.Subscribe)
	r.core.gates = 1 // the answer cannot be read
	r.pass(deathTime)
	sub := newSub(t.Context(), "com.example.topic", &tape{})
	sub.Retained = true
	r.do(sub)
	r.want(proto.Subscribe)
}

// A suspect that waits for its place is the only one all the same: its time begins
// when it is written.
func TestStepSuspectThatWaitsIsAlone(t *testing.T) {
	r := newLifeRig(t)
	r.core.cfg.AckTimeout = time.Hour
	for _, topic := range []string{"com.example.first", "com.example.second"} {
		r.do(newSub(t.Context(), topic, &tape{}))
		r.want(proto.Subscribe)
		r.feed(proto.Message{Type: proto.Subscribed, Request: r.core.lastID, ID: 70 + r.core.lastID})
	}
	for _, topic := range []string{"com.example.second", "com.example.other"} {
		r.do(&Publish{Ctx: t.Context(), URI: topic, Sink: &tape{}, Idempotent: true})
	}
	r.want(proto.Publish, proto.Publish)
	r.lose()
	r.rejoin(routerRoles())
	r.want(proto.Subscribe, proto.Subscribe, proto.Publish, proto.Publish)
	r.lose()
	r.core.handleWindow.limit = 1
	r.rejoin(routerRoles())
	r.want(proto.Subscribe) // the second waits for its answer, and the first publish for that
	r.pass(2 * deathTime)
	r.want()
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 71})
	r.want(proto.Subscribe, proto.Publish)
	r.pass(deathTime - time.Second)
	r.want()
	r.pass(time.Second)
	r.want(proto.Publish)
}
