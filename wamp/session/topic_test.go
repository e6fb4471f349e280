package session

import (
	"context"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

func TestStepSharedSubscription(t *testing.T) {
	r := newRig(t)
	ctx1, cancel1 := context.WithCancel(t.Context())
	ctx2, cancel2 := context.WithCancel(t.Context())
	a, b := &tape{}, &tape{}
	sa, sb := newSub(ctx1, "com.example.topic", a), newSub(ctx2, "com.example.topic", b)
	r.do(sa)
	r.do(sb) // rides on the SUBSCRIBE under way
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 55})
	r.feed(proto.Message{Type: proto.Event, ID: 55, Publication: 9})
	if err := <-sa.Ready; err != nil || sa.ID() != 55 {
		t.Errorf("ready %v, id %d", err, sa.ID())
	}
	if len(a.log) != 1 || len(b.log) != 1 {
		t.Fatalf("logs %v %v: the event behind SUBSCRIBED must reach both", a.log, b.log)
	}
	cancel1()
	r.cancel(ctx1)
	r.want() // one is left
	r.feed(proto.Message{Type: proto.Event, ID: 55, Publication: 10})
	if len(b.log) != 2 {
		t.Errorf("log %v", b.log)
	}
	cancel2()
	r.cancel(ctx2)
	if m := r.want(proto.Unsubscribe)[0]; m.ID != 55 {
		t.Errorf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Event, ID: 55, Publication: 11}) // still on its way: dropped
	if len(a.log) != 2 || len(b.log) != 3 || r.core.ended {
		t.Errorf("logs %v %v ended %v", a.log, b.log, r.core.ended)
	}
	r.feed(proto.Message{Type: proto.Unsubscribed, Request: 2})
	r.clean()
}

func TestStepLateSubscribed(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := &tape{}
	sub := newSub(ctx, "com.example.topic", s)
	r.do(sub)
	r.want(proto.Subscribe)
	cancel()
	r.cancel(ctx)
	r.want() // no UNSUBSCRIBE while SUBSCRIBE is unanswered
	if err := <-sub.Ready; !errors.Is(err, context.Canceled) {
		t.Errorf("ready %v", err)
	}
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 55})
	if m := r.want(proto.Unsubscribe)[0]; m.ID != 55 {
		t.Errorf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Unsubscribed, Request: 2})
	r.clean()
}

func TestStepLateSubscribedTakenOver(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.do(newSub(ctx, "com.example.topic", &tape{}))
	r.want(proto.Subscribe)
	cancel()
	r.cancel(ctx)
	s := &tape{}
	sub := newSub(t.Context(), "com.example.topic", s)
	r.do(sub)
	r.want() // the first SUBSCRIBE serves the second handle
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 55})
	r.want()
	r.feed(proto.Message{Type: proto.Event, ID: 55})
	if err := <-sub.Ready; err != nil || len(s.log) != 1 {
		t.Errorf("ready %v, log %v", err, s.log)
	}
}

func TestStepSubscribeRefused(t *testing.T) {
	r := newRig(t)
	sub := newSub(t.Context(), "com.example.topic", &tape{})
	r.do(sub)
	r.feed(proto.Message{Type: proto.Error, RequestType: proto.Subscribe, Request: 1, URI: proto.ErrURINotAuthorized})
	if err := <-sub.Ready; !errors.Is(err, ErrNotAuthorized) {
		t.Errorf("ready %v", err)
	}
	r.clean()
}
