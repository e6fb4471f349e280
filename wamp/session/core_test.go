package session

import (
	"errors"
	"fmt"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestStepLoss(t *testing.T) {
	r := newRig(t)
	call, ack, s, g := &tape{}, &tape{}, &tape{}, &callee{}
	r.do(newCall(t.Context(), call))
	r.do(&Publish{Ctx: t.Context(), URI: "a.b", Sink: ack})
	r.do(newSub(t.Context(), "com.example.topic", s))
	r.do(newReg(t.Context(), g))
	r.feed(proto.Message{Type: proto.Registered, Request: 4, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	cut := errors.New("cut")
	r.core.linkLost(cut)
	for _, err := range []error{call.err(t), ack.err(t), s.err(t), g.err(t), g.cut[0]} {
		var l *LinkError
		if !errors.Is(err, ErrSessionClosed) || !errors.Is(err, cut) || !errors.As(err, &l) {
			t.Errorf("err %v", err)
		}
	}
	if r.ended != 1 {
		t.Errorf("ended %d times", r.ended)
	}
	r.clean()
	late := &tape{}
	r.do(newCall(t.Context(), late))
	if err := late.err(t); !errors.Is(err, ErrSessionClosed) {
		t.Errorf("a call after the end: %v", err)
	}
}

func TestStepGoodbye(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	r.do(newCall(t.Context(), s))
	r.want(proto.Call)
	r.feed(proto.Message{Type: proto.Goodbye, URI: proto.CloseURISystemShutdown})
	if m := r.want(proto.Goodbye)[0]; m.URI != proto.CloseURIGoodbyeAndOut {
		t.Errorf("sent %+v", m)
	}
	var g *GoodbyeError
	if err := s.err(t); !errors.As(err, &g) || g.Reason != proto.CloseURISystemShutdown {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepClose(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	r.do(newCall(t.Context(), s))
	r.want(proto.Call)
	r.do(&closeOp{})
	r.want(proto.Goodbye)
	r.feed(proto.Message{Type: proto.Result, Request: 1}) // while shutting down: ignored
	if len(s.ends) != 0 {
		t.Error("a RESULT behind our GOODBYE was taken")
	}
	r.feed(proto.Message{Type: proto.Goodbye, URI: proto.CloseURINormal})
	r.want() // an answered GOODBYE is not answered again
	var closed *ClosedError
	if err := s.err(t); !errors.As(err, &closed) || closed.Reason != nil {
		t.Errorf("err %v", err)
	}
	r.clean()
}

// TestStepEveryMessage checks every message in every state that the core
// knows against the trait table: what may not come ends the session with an
// ABORT and a typed error, both naming the message.
func TestStepEveryMessage(t *testing.T) {
	unknown := []proto.MessageType{0, 7, 9, 255, 256, 1023}
	var types []proto.MessageType
	for _, tr := range proto.AllTraits() {
		types = append(types, tr.Type)
	}
	for _, state := range []proto.State{proto.StateEstablished, proto.StateClosing} {
		for _, mt := range append(types, unknown...) {
			t.Run(fmt.Sprintf("%s/%s", state, mt), func(t *testing.T) {
				r := newRig(t)
				s := &tape{}
				r.do(newCall(t.Context(), s))
				r.want(proto.Call)
				r.core.state = state
				m := proto.Message{Type: mt, Request: 1}
				if mt == proto.Error {
					m.RequestType = proto.Call
				}
				r.feed(m)
				tr := mt.Traits()
				legal := tr != nil && tr.FromRouter&state != 0
				var v *ProtocolError
				isViolation := errors.As(r.core.reason, &v)
				if state == proto.StateClosing && legal {
					if isViolation {
						t.Errorf("a legal message while closing: %v", r.core.reason)
					}
					return
				}
				wrongRequest := mt.Answers() != 0 && mt.Answers() != proto.Call // request 1 is a CALL
				if legal && !wrongRequest {
					if isViolation {
						t.Errorf("a legal message: %v", r.core.reason)
					}
					return
				}
				if !isViolation || v.Message != mt {
					t.Fatalf("reason %v, want a protocol violation naming %s", r.core.reason, mt)
				}
				if err := s.err(t); !errors.Is(err, ErrProtocolViolation) {
					t.Errorf("the pending call ended with %v", err)
				}
				abort := r.want(proto.Abort)[0]
				if abort.URI != proto.ErrURIProtocolViolation {
					t.Errorf("sent %+v", abort)
				}
				r.clean()
			})
		}
	}
}

// TestStepUnsolicited: an answer to a request that was never sent ends the
// session, one to a request that is over does not.
func TestStepUnsolicited(t *testing.T) {
	for _, m := range []proto.Message{
		{Type: proto.Result, Request: 5}, {Type: proto.Published, Request: 5}, {Type: proto.Subscribed, Request: 5, ID: 1},
		{Type: proto.Registered, Request: 5, ID: 1}, {Type: proto.Unsubscribed, Request: 5}, {Type: proto.Unregistered, Request: 5},
		{Type: proto.Error, RequestType: proto.Call, Request: 5, URI: "a.b"},
		{Type: proto.Error, RequestType: proto.Call, Request: 0, URI: "a.b"},
		{Type: proto.Error, RequestType: proto.Invocation, Request: 1, URI: "a.b"},
		{Type: proto.Error, RequestType: proto.Hello, Request: 1, URI: "a.b"},
		{Type: proto.Error, RequestType: 999, Request: 1, URI: "a.b"},
		{Type: proto.Unsubscribed, Request: 0}, {Type: proto.Unregistered, Request: 0},
	} {
		t.Run(fmt.Sprintf("%s %d %s", m.Type, m.Request, m.RequestType), func(t *testing.T) {
			r := newRig(t)
			r.feed(m)
			var v *ProtocolError
			if !errors.As(r.core.reason, &v) || v.Message != m.Type {
				t.Errorf("reason %v", r.core.reason)
			}
			r.want(proto.Abort)
		})
	}
}
