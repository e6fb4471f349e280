package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// No more requests about handles are under way than the window has places, of
// all four kinds together, and they leave in their order.
func TestStepHandleWindow(t *testing.T) {
	r := newRig(t)
	limit := r.core.cfg.Windows.Handles
	if limit != 32 || r.core.cfg.Windows.Publishes != 24 {
		t.Fatalf("defaults %+v", r.core.cfg.Windows)
	}
	var subs []*Subscription
	for i := range 100 {
		s := newSub(t.Context(), fmt.Sprint("com.example.t", i), &tape{})
		subs = append(subs, s)
		r.do(s)
	}
	open := map[proto.ID]int{}
	next := 0
	take := func() {
		t.Helper()
		for _, m := range r.sent() {
			if m.Type != proto.Subscribe || m.URI != subs[next].URI {
				t.Fatalf("sent %s %s as number %d", m.Type, m.URI, next)
			}
			open[m.Request] = next
			next++
		}
		if len(open) > limit {
			t.Fatalf("%d requests are under way", len(open))
		}
	}
	take()
	if next != limit {
		t.Fatalf("%d were sent at first", next)
	}
	for len(open) > 0 {
		ids := make([]proto.ID, 0, len(open))
		for id := range open {
			ids = append(ids, id)
		}
		id := slices.Min(ids)
		n := open[id]
		delete(open, id)
		r.feed(proto.Message{Type: proto.Subscribed, Request: id, ID: proto.ID(1000 + n)})
		take()
	}
	if next != 100 {
		t.Errorf("%d were sent", next)
	}
	// Leaving counts as well.
	for _, s := range subs {
		r.do(&leaveOp{h: s, done: make(chan error, 1)})
	}
	if n := r.types()[proto.Unsubscribe]; n != limit {
		t.Errorf("%d UNSUBSCRIBE at first", n)
	}
	r.do(regOf(t.Context(), "com.example.p"))
	r.want()
	for i := range proto.ID(100) {
		r.feed(proto.Message{Type: proto.Unsubscribed, Request: 101 + i})
	}
	if n := r.types(); n[proto.Unsubscribe] != 68 || n[proto.Register] != 1 {
		t.Errorf("then %v", n)
	}
}

// A handle that ends while its request waits is not asked for.
func TestStepHandleWindowForgets(t *testing.T) {
	r := newRig(t)
	for i := range 32 {
		r.do(regOf(t.Context(), fmt.Sprint("com.example.p", i)))
	}
	r.types()
	ctx, cancel := context.WithCancel(t.Context())
	reg, sub := regOf(ctx, "com.example.gone"), newSub(ctx, "com.example.gone", &tape{})
	r.do(reg)
	r.do(sub)
	other := newSub(t.Context(), "com.example.gone", &tape{}) // shares the topic
	r.do(other)
	cancel()
	r.cancel(ctx)
	for _, err := range []error{<-reg.Ready, <-sub.Ready} {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	for i := range proto.ID(32) {
		r.feed(proto.Message{Type: proto.Registered, Request: 1 + i, ID: 100 + i})
	}
	if m := r.want(proto.Subscribe)[0]; m.URI != "com.example.gone" {
		t.Errorf("%+v", m)
	}
	r.feed(proto.Message{Type: proto.Subscribed, Request: 33, ID: 7})
	if err := <-other.Ready; err != nil {
		t.Error(err)
	}
}

// Acknowledged publishes have a window of their own; the order of a topic is
// kept, also by those that nobody acknowledges, and behind a SUBSCRIBE.
func TestStepPublishWindow(t *testing.T) {
	r := newRig(t)
	publish := func(topic string, acked bool) *tape {
		p := &Publish{Ctx: t.Context(), URI: topic}
		s := &tape{}
		if acked {
			p.Sink = s
		}
		r.do(p)
		return s
	}
	for range 24 {
		publish("com.example.full", true)
	}
	r.types()
	publish("com.example.a", true)  // waits
	publish("com.example.b", true)  // waits
	publish("com.example.a", false) // waits behind the first
	publish("com.example.c", false) // has nothing to wait for
	own := &Publish{Ctx: t.Context(), URI: "com.example.d", Sink: &tape{}, OwnWindow: true}
	r.do(own) // its stream counts
	r.do(newCall(t.Context(), &tape{}))
	var got []string
	for _, m := range r.sent() {
		got = append(got, m.URI)
	}
	if want := []string{"com.example.c", "com.example.d", "com.example.proc"}; !slices.Equal(got, want) {
		t.Fatalf("sent %v", got)
	}
	if n := r.core.tables().Queued; n != 3 {
		t.Errorf("%d wait", n)
	}
	r.feed(proto.Message{Type: proto.Published, Request: 1, Publication: 5})
	if m := r.want(proto.Publish)[0]; m.URI != "com.example.a" {
		t.Errorf("then %+v", m)
	}
	r.feed(proto.Message{Type: proto.Published, Request: 2, Publication: 6})
	if m := r.want(proto.Publish, proto.Publish); m[0].URI != "com.example.b" || m[1].URI != "com.example.a" {
		t.Errorf("then %+v", m)
	}
}

func TestStepPublishWaitsForItsSubscribe(t *testing.T) {
	r := newRig(t)
	for i := range 33 {
		r.do(newSub(t.Context(), fmt.Sprint("com.example.t", i), &tape{}))
	}
	r.types()
	r.do(&Publish{Ctx: t.Context(), URI: "com.example.t32"})
	r.do(&Publish{Ctx: t.Context(), URI: "com.example.t31"})
	if m := r.want(proto.Publish)[0]; m.URI != "com.example.t31" {
		t.Fatalf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 100})
	if m := r.want(proto.Subscribe, proto.Publish); m[0].URI != "com.example.t32" || m[1].URI != "com.example.t32" {
		t.Errorf("sent %+v", m)
	}
}

// What the router does not acknowledge does not stop the window for ever.
func TestStepSilenceFreesTheWindow(t *testing.T) {
	r := newRig(t)
	var all []*Subscription
	for i := range 40 {
		s := newSub(t.Context(), fmt.Sprint("com.example.t", i), &tape{})
		all = append(all, s)
		r.do(s)
	}
	r.types()
	r.pass(10 * time.Second)
	if n := r.types()[proto.Subscribe]; n != 8 {
		t.Fatalf("%d more were sent", n)
	}
	for i := range 32 {
		if err := <-all[i].Ready; !errors.Is(err, ErrAckTimeout) {
			t.Error(err)
		}
	}
	// The late answer is undone, and its topic can be subscribed again meanwhile.
	again := newSub(t.Context(), "com.example.t0", &tape{})
	r.do(again)
	r.want(proto.Subscribe)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 2, ID: 8})
	if m := r.want(proto.Unsubscribe)[0]; m.ID != 8 {
		t.Errorf("%+v", m)
	}
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 7}) // that of the first try
	r.feed(proto.Message{Type: proto.Subscribed, Request: 41, ID: 7})
	r.want()
	if err := <-again.Ready; err != nil {
		t.Error(err)
	}
	// Nor do UNSUBSCRIBE and UNREGISTER.
	done := make(chan error, 1)
	r.do(&leaveOp{h: again, done: done})
	r.want(proto.Unsubscribe)
	r.pass(10 * time.Second)
	if err := <-done; !errors.Is(err, ErrAckTimeout) {
		t.Error(err)
	}
	if n := r.core.handleWindow.open; n != 0 {
		t.Errorf("%d places are taken", n)
	}
}

// An acknowledged publish without an answer ends, and makes room.
func TestStepPublishSilence(t *testing.T) {
	r := newRig(t)
	var sinks []*tape
	for range 25 {
		s := &tape{}
		sinks = append(sinks, s)
		r.do(&Publish{Ctx: t.Context(), URI: "com.example", Sink: s, Idempotent: true})
	}
	r.types()
	r.pass(10 * time.Second)
	r.want(proto.Publish)
	var unknown *OutcomeUnknown
	if err := sinks[0].err(t); !errors.As(err, &unknown) || !errors.Is(err, ErrAckTimeout) {
		t.Error(err)
	}
	r.pass(10 * time.Second)
	sinks[24].err(t)
	r.clean()
}

// The restore of many handles keeps to the window and comes before new ones;
// calls wait for nobody.
func TestStepRestoreInWindows(t *testing.T) {
	r := newLifeRig(t)
	id := proto.ID(0)
	for i := range 100 {
		r.do(newSub(t.Context(), fmt.Sprint("com.example.t", i), &tape{}))
		for range r.sent() {
			id++
			r.feed(proto.Message{Type: proto.Subscribed, Request: id, ID: 1000 + id})
		}
	}
	r.lose()
	late := newSub(t.Context(), "com.example.late", &tape{})
	r.do(late)
	r.do(newCall(t.Context(), &tape{}))
	r.rejoin(routerRoles())
	r.do(newCall(t.Context(), &tape{}))
	got := r.sent()
	if len(got) != 34 || got[31].Type != proto.Subscribe || got[32].Type != proto.Call || got[33].Type != proto.Call {
		t.Fatalf("%d messages at first, the last %v", len(got), got[len(got)-1])
	}
	order := 32
	for i := range proto.ID(101) {
		request := 1 + i
		if i >= 32 {
			request += 2 // the calls are between
		}
		r.feed(proto.Message{Type: proto.Subscribed, Request: request, ID: 2000 + i})
		for _, m := range r.sent() {
			want := fmt.Sprint("com.example.t", order)
			if order == 100 {
				want = "com.example.late"
			}
			if m.URI != want {
				t.Fatalf("%s as number %d", m.URI, order)
			}
			order++
		}
	}
	if err := <-late.Ready; order != 101 || err != nil || r.core.tables().Subscriptions != 101 {
		t.Errorf("%d were restored, %d are there: %v", order, r.core.tables().Subscriptions, err)
	}
}

// A router that does not acknowledge what comes back: a fresh link twice, then
// the handle ends and the session goes on.
func TestStepSilentRestore(t *testing.T) {
	r := newLifeRig(t)
	good, bad, reg := newSub(t.Context(), "com.example.good", &tape{}), newSub(t.Context(), "com.example.bad", &tape{}), newReg(t.Context(), &callee{})
	r.do(good)
	r.do(bad)
	r.do(reg)
	r.want(proto.Subscribe, proto.Subscribe, proto.Register)
	answer := func(types ...proto.MessageType) {
		for i, typ := range types {
			if typ != 0 {
				r.feed(proto.Message{Type: typ, Request: proto.ID(1 + i), ID: proto.ID(10 + i)})
			}
		}
	}
	answer(proto.Subscribed, proto.Subscribed, proto.Registered)
	r.lose()
	for round := range 3 {
		r.rejoin(routerRoles())
		r.want(proto.Subscribe, proto.Subscribe, proto.Register)
		answer(proto.Subscribed, 0, proto.Registered)
		downs := r.downs
		r.pass(10 * time.Second)
		if lost := r.downs > downs; lost != (round < 2) {
			t.Fatalf("round %d: the link was given up: %v", round, lost)
		}
	}
	if err := bad.Sink; err != nil {
		t.Error("the silent one goes on")
	}
	if good.Sink == nil || reg.Sink == nil || r.core.ended || r.core.tables().Subscriptions != 1 {
		t.Error("others have paid for it")
	}
}

func TestStepAckTimeout(t *testing.T) {
	r := newRig(t)
	s, g := &tape{}, &callee{}
	sub, reg := newSub(t.Context(), "com.example.topic", s), newReg(t.Context(), g)
	r.do(sub)
	r.do(reg)
	r.pass(time.Hour) // not written yet: the timer does not run
	if len(s.ends) != 0 {
		t.Fatal("the acknowledgement timed out before the request was written")
	}
	r.want(proto.Subscribe, proto.Register)
	r.pass(10 * time.Second)
	if err := <-sub.Ready; err != ErrAckTimeout {
		t.Errorf("subscribe: %v", err)
	}
	if err := <-reg.Ready; err != ErrAckTimeout {
		t.Errorf("register: %v", err)
	}
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 5})
	r.feed(proto.Message{Type: proto.Registered, Request: 2, ID: 6})
	r.want(proto.Unsubscribe, proto.Unregister)
	r.feed(proto.Message{Type: proto.Unsubscribed, Request: 3})
	r.feed(proto.Message{Type: proto.Unregistered, Request: 4})
	r.clean()
}
