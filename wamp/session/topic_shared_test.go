package session

import (
	"context"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What several handles of one topic do to each other.

func subscribed(request, id proto.ID) proto.Message {
	return proto.Message{Type: proto.Subscribed, Request: request, ID: id}
}

func liveEvent(id, publication proto.ID) proto.Message {
	return proto.Message{Type: proto.Event, ID: id, Publication: publication}
}

func retainedEvent(id, publication proto.ID) proto.Message {
	m := liveEvent(id, publication)
	m.Options = proto.Dict{{Key: "retained", Value: true}}
	return m
}

func retainedSub(ctx context.Context, topic string, s Sink) *Subscription {
	sub := newSub(ctx, topic, s)
	sub.Retained = true
	return sub
}

// A handle that comes to a topic and asks for the retained event begins with
// that, not with an event that was under way, which may be the same one.
func TestStepRetainedComesFirst(t *testing.T) {
	for _, answered := range []bool{true, false} {
		r := newRig(t)
		a, b := &tape{}, &tape{}
		first, second := newSub(t.Context(), "com.example.topic", a), retainedSub(t.Context(), "com.example.topic", b)
		r.do(first)
		if answered {
			r.feed(subscribed(1, 55))
		}
		r.do(second)
		r.want(proto.Subscribe, proto.Subscribe)
		if !answered {
			r.feed(subscribed(1, 55))
		}
		if len(first.Ready) != 1 || len(second.Ready) != 0 {
			t.Error("answered by the SUBSCRIBED of the other")
		}
		r.feed(liveEvent(55, 9))
		r.feed(subscribed(2, 55))
		r.feed(retainedEvent(55, 9))
		if len(a.log) != 1 || len(b.log) != 1 || len(second.Ready) != 1 {
			t.Errorf("%d and %d events, want one each", len(a.log), len(b.log))
		}
	}
}

// The first SUBSCRIBE of a topic is refused and the second, which asks for more,
// is not: the handle of the first rides on it.
func TestStepFirstSubscribeRefused(t *testing.T) {
	r := newRig(t)
	a, b := &tape{}, &tape{}
	first, second := newSub(t.Context(), "com.example.topic", a), retainedSub(t.Context(), "com.example.topic", b)
	r.do(first)
	r.do(second)
	r.want(proto.Subscribe, proto.Subscribe)
	r.feed(proto.Message{Type: proto.Error, RequestType: proto.Subscribe, Request: 1, URI: proto.ErrURINotAuthorized})
	r.feed(subscribed(2, 55))
	r.feed(liveEvent(55, 9))
	if len(a.log) != 1 || len(b.log) != 1 || len(first.Ready) != 1 || len(second.Ready) != 1 {
		t.Errorf("logs %v %v", a.log, b.log)
	}
}

// After a reconnect one SUBSCRIBE brings a topic back, and asks for the retained
// event if one of the handles wants it.
func TestStepTopicIsRestoredOnce(t *testing.T) {
	r := newLifeRig(t)
	tapes := []*tape{{}, {}, {}}
	r.do(newSub(t.Context(), "com.example.topic", tapes[0]))
	r.do(retainedSub(t.Context(), "com.example.topic", tapes[1]))
	r.do(retainedSub(t.Context(), "com.example.topic", tapes[2]))
	r.want(proto.Subscribe, proto.Subscribe, proto.Subscribe)
	for i := range proto.ID(3) {
		r.feed(subscribed(i+1, 55))
	}
	r.lose()
	r.rejoin(routerRoles())
	if m := r.want(proto.Subscribe)[0]; !m.Options.Bool("get_retained") {
		t.Errorf("options %s", m.Options)
	}
	r.feed(subscribed(1, 66))
	r.feed(retainedEvent(66, 9))
	r.feed(liveEvent(66, 10))
	for i, want := range []int{1, 2, 2} {
		if got := len(tapes[i].log); got != want {
			t.Errorf("handle %d has %d events, want %d", i, got, want)
		}
	}
}

// A subscription is revoked while a SUBSCRIBE of the same topic is under way, and
// who waits for that, and who came meanwhile, are gone before the answer.
func TestStepRevokedAndLeft(t *testing.T) {
	r := newRig(t)
	r.do(newSub(t.Context(), "com.example.topic", &tape{}))
	r.want(proto.Subscribe)
	r.feed(subscribed(1, 55))
	ctx, cancel := context.WithCancel(t.Context())
	r.do(retainedSub(ctx, "com.example.topic", &tape{}))
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Unsubscribed, Options: proto.Dict{{Key: "subscription", Value: int64(55)}}})
	r.do(newSub(ctx, "com.example.topic", &tape{}))
	cancel()
	r.cancel(ctx)
	r.want()
	r.feed(subscribed(2, 66))
	if m := r.want(proto.Unsubscribe)[0]; m.ID != 66 {
		t.Errorf("leaves %d", m.ID)
	}
	r.feed(proto.Message{Type: proto.Unsubscribed, Request: 3})
	r.clean()
}

// A handle whose own SUBSCRIBE is refused is told so at once; those that were
// there stay.
func TestStepSecondSubscribeRefused(t *testing.T) {
	r := newRig(t)
	a, b := &tape{}, &tape{}
	r.do(newSub(t.Context(), "com.example.topic", a))
	r.want(proto.Subscribe)
	r.feed(subscribed(1, 55))
	sub := retainedSub(t.Context(), "com.example.topic", b)
	r.do(sub)
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Error, RequestType: proto.Subscribe, Request: 2, URI: proto.ErrURINotAuthorized})
	if err := b.err(t); !errors.Is(err, ErrNotAuthorized) {
		t.Error(err)
	}
	if err := <-sub.Ready; !errors.Is(err, ErrNotAuthorized) {
		t.Error(err)
	}
	r.feed(liveEvent(55, 9))
	if len(a.log) != 1 || len(a.ends) != 0 {
		t.Errorf("log %v", a.log)
	}
}

// Somebody subscribes while the UNSUBSCRIBE of the same topic is under way: what
// still comes for the old subscription is nobody's, also under the same id.
func TestStepSubscribeBehindUnsubscribe(t *testing.T) {
	for _, id := range []proto.ID{55, 66} {
		r := newRig(t)
		a, b := &tape{}, &tape{}
		ctx, cancel := context.WithCancel(t.Context())
		r.do(newSub(ctx, "com.example.topic", a))
		r.want(proto.Subscribe)
		r.feed(subscribed(1, 55))
		cancel()
		r.cancel(ctx)
		sub := newSub(t.Context(), "com.example.topic", b)
		r.do(sub)
		r.want(proto.Unsubscribe, proto.Subscribe)
		r.feed(liveEvent(55, 9))
		r.feed(proto.Message{Type: proto.Unsubscribed, Request: 2})
		r.feed(subscribed(3, id))
		r.feed(liveEvent(id, 10))
		if len(a.log) != 1 || len(b.log) != 1 || sub.ID() != id {
			t.Errorf("logs %v %v, id %d", a.log, b.log, sub.ID())
		}
		done := make(chan error, 1)
		r.do(&leaveOp{h: sub, done: done})
		r.want(proto.Unsubscribe)
		r.feed(proto.Message{Type: proto.Unsubscribed, Request: 4})
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.clean()
	}
}

// One subscription id for several topics: Details.topic decides, and without it
// all get the event.
func TestStepSharedSubscriptionID(t *testing.T) {
	r := newRig(t)
	exact, prefix, other := newSub(t.Context(), "com.example.a", &tape{}), newSub(t.Context(), "com.example", &tape{}), newSub(t.Context(), "org", &tape{})
	prefix.Match, other.Match = proto.Prefix, proto.Prefix
	subs := []*Subscription{exact, prefix, other}
	for _, s := range subs {
		r.do(s)
		r.feed(proto.Message{Type: proto.Subscribed, Request: r.want(proto.Subscribe)[0].Request, ID: 5})
		if err := <-s.Ready; err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		topic string
		want  []int
	}{{"com.example.a", []int{1, 1, 0}}, {"com.example.b", []int{0, 1, 0}}, {"org.example", []int{0, 0, 1}}, {"net", []int{0, 0, 0}}, {"", []int{1, 1, 1}}} {
		m := proto.Message{Type: proto.Event, ID: 5, Publication: 1}
		if tt.topic != "" {
			m.Options = proto.Dict{{Key: "topic", Value: tt.topic}}
		}
		r.feed(m)
		for i, s := range subs {
			got := s.Sink.(*tape)
			if len(got.log) != tt.want[i] {
				t.Errorf("%q: %s got %v", tt.topic, s.URI, got.log)
			}
			got.log = nil
		}
	}
	for i, s := range []*Subscription{prefix, exact, other} {
		r.do(&leaveOp{h: s, done: make(chan error, 1)})
		if i < 2 {
			r.want()
		}
	}
	r.want(proto.Unsubscribe)
	r.feed(proto.Message{Type: proto.Unsubscribed, Request: 4})
	r.clean()
}

// A revocation that crosses a SUBSCRIBE ends who had the subscription; who waits
// for the answer gets a subscription of its own.
func TestStepRevokedBeforeSubscribed(t *testing.T) {
	r := newRig(t)
	a, b, c := &tape{}, &tape{}, &tape{}
	had := newSub(t.Context(), "com.example", a)
	had.Match = proto.Prefix
	r.do(had)
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 55})
	asks := patternSub(t, b)
	r.do(asks)
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Unsubscribed, Options: proto.Dict{{Key: "subscription", Value: uint64(55)}}})
	rides := newSub(t.Context(), "com.example", c)
	rides.Match = proto.Prefix
	r.do(rides)
	r.want() // the SUBSCRIBE under way serves it
	var revoked *RevokedError
	if len(a.ends) != 1 || !errors.As(a.ends[0].Err, &revoked) || len(b.ends)+len(c.ends) > 0 {
		t.Fatalf("ends: %v, %v, %v", a.ends, b.ends, c.ends)
	}
	r.feed(proto.Message{Type: proto.Subscribed, Request: 2, ID: 56})
	r.feed(proto.Message{Type: proto.Event, ID: 56})
	if err := errors.Join(<-asks.Ready, <-rides.Ready); err != nil || len(b.log) != 1 || len(c.log) != 1 {
		t.Errorf("ready: %v, events: %v %v", err, b.log, c.log)
	}
	r.want() // and is not undone
}
