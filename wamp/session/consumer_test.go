package session

import (
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// handlers is a Consumer with so many handlers that run.
type handlers struct{ left int }

func (h *handlers) Busy(inside int) bool { return h.left > inside }
func (h *handlers) Running() int         { return h.left }

// A drain ends the subscriptions that have a Consumer, and waits for its handlers but
// for those that drain. What is over is forgotten.
func TestStepDrainWaitsForConsumers(t *testing.T) {
	for _, inside := range []int{0, 1} {
		r := newRig(t)
		h, read, sink := &handlers{left: 2}, &tape{}, &tape{}
		sub := &Subscription{Handle: Handle{Ctx: t.Context(), URI: "a.b", Match: proto.Exact, Ready: make(chan error, 1)}, Sink: sink, Consumer: h}
		other := &Subscription{Handle: Handle{Ctx: t.Context(), URI: "a.c", Match: proto.Exact, Ready: make(chan error, 1)}, Sink: read}
		r.do(sub)
		r.do(other)
		r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 5})
		r.feed(proto.Message{Type: proto.Subscribed, Request: 2, ID: 6})
		r.do(&consumeOp{sub})
		o := &drainOp{done: make(chan struct{})}
		if inside > 0 {
			o.inside = &Within{Subscription: sub, Run: new(Run)}
			o.inside.Run.Begin()
		}
		r.sent()
		r.do(o)
		if m := r.want(proto.Unsubscribe)[0]; m.ID != 5 {
			t.Errorf("%d was left", m.ID)
		}
		r.feed(proto.Message{Type: proto.Unsubscribed, Request: 3})
		if len(sink.ends) != 1 || !errors.Is(sink.ends[0].Err, ErrDraining) || sink.ends[0].Now || len(read.ends) != 0 {
			t.Errorf("%v, %v", sink.ends, read.ends)
		}
		ended := func() bool { return closedWithin(o.done, closedChan) }
		if r.core.drained(); ended() {
			t.Error("it did not wait for two handlers")
		}
		h.left--
		if r.core.drained(); ended() != (inside == 1) {
			t.Errorf("one handler, %d of it inside: it has ended: %v", inside, ended())
		}
		h.left--
		if r.core.drained(); !ended() {
			t.Error("nothing is left, and it has not ended")
		}
		r.do(&consumedOp{sub: sub})
		if len(r.core.consumers) != 0 {
			t.Error("it is not forgotten")
		}
	}
}
