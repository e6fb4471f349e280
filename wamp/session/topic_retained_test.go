package session

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func patternSub(t *testing.T, s Sink) *Subscription {
	t.Helper()
	sub := newSub(t.Context(), "com.example", s)
	sub.Match, sub.Retained = proto.Prefix, true
	return sub
}

// A pattern has a retained event of each topic that it matches; each handle has
// one batch of them, that of the first SUBSCRIBE that is answered.
func TestStepRetainedOfAPattern(t *testing.T) {
	r := newRig(t)
	kept := func(n proto.ID) {
		r.feed(proto.Message{Type: proto.Event, ID: 55, Publication: n, Options: proto.Dict{{Key: "retained", Value: true}}})
	}
	a, b, c := &tape{}, &tape{}, &tape{}
	r.do(patternSub(t, a))
	r.do(patternSub(t, b)) // both ask
	r.want(proto.Subscribe, proto.Subscribe)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 55})
	kept(1)
	r.do(patternSub(t, c)) // amid the first batch, which is not its own
	r.want(proto.Subscribe)
	kept(2)
	for id := range proto.ID(2) {
		r.feed(proto.Message{Type: proto.Subscribed, Request: 2 + id, ID: 55})
		kept(1)
		kept(2)
	}
	for name, s := range map[string]*tape{"first": a, "second": b, "third": c} {
		if len(s.log) != 2 {
			t.Errorf("the %s has %v", name, s.log)
		}
	}
}

// Where a router gives a topic and a pattern the same id, the retained events
// that one of them asks for are not the other's.
func TestStepRetainedOfASharedID(t *testing.T) {
	r := newRig(t)
	a, b := &tape{}, &tape{}
	sub := newSub(t.Context(), "com.example", a)
	sub.Retained = true
	r.do(sub)
	r.do(patternSub(t, b))
	r.want(proto.Subscribe, proto.Subscribe)
	for id := range proto.ID(2) {
		r.feed(proto.Message{Type: proto.Subscribed, Request: 1 + id, ID: 55})
		r.feed(proto.Message{Type: proto.Event, ID: 55, Publication: 1,
			Options: proto.Dict{{Key: "retained", Value: true}, {Key: "topic", Value: "com.example"}}})
	}
	for name, s := range map[string]*tape{"first": a, "second": b} {
		if len(s.log) != 1 {
			t.Errorf("the %s has %v", name, s.log)
		}
	}
}
