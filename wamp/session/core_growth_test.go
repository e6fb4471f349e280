package session

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// growing is work of which each piece must cost the same however many there are.
var growing = []struct {
	name string
	run  func(b testing.TB, n int)
}{
	{"handles of one topic and ctx", handlesOfOneContext},
	{"retained events of one topic", retainedOfOneTopic},
	{"parked calls", parkedCalls},
	{"publishers waiting for room", waitersForRoom},
	{"listeners of states", listeners},
	{"registrations of one id", registrationsOfOneID},
	{"publishes waiting in the window", windowedPublishes},
	{"subscriptions dropped by one event", droppedByOneEvent},
	{"calls that wait for their handles", callsBehindHandles},
	{"testaments refused", testamentsRefused},
	{"topics of one id", topicsOfOneID},
	{"topics left one by one", topicsLeft},
	{"topics revoked", topicsRevoked},
	{"handles restored", handlesRestored},
	{"retained events asked for at once", retainedAtOnce},
	{"suspects", suspects},
}

// BenchmarkGrowth shows what an operation costs among many of its kind: nothing
// that the actor does may depend on how many there are. Each figure is for one of
// n operations; that of 100,000 is to be about that of 1,000.
func BenchmarkGrowth(b *testing.B) {
	for _, work := range growing {
		for _, n := range []int{1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", work.name, n), func(b *testing.B) {
				for b.Loop() {
					work.run(b, n)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/each")
			})
		}
	}
}

// 32 times as much work takes 32 times as long, or on a machine that does much else
// a few times that; where the time grows with the square it takes 1,024 times. The
// shortest of a few runs counts.
func TestGrowth(t *testing.T) {
	const few, times = 400, 32
	for _, work := range growing {
		t.Run(work.name, func(t *testing.T) {
			short, long := time.Hour, time.Hour
			run := func(n int, least *time.Duration) {
				runtime.GC()
				start := time.Now()
				work.run(t, n)
				*least = min(*least, time.Since(start))
			}
			for range 20 { // one that is short enough does
				run(few, &short)
				run(few*times, &long)
				if long < 16*times*short {
					return
				}
			}
			t.Errorf("%d times as many took %v instead of %v", times, long, short)
		})
	}
}

// quiet is a sink that keeps nothing.
type quiet struct{ verdict Verdict }

func (s *quiet) Deliver(*proto.Message) Verdict { return s.verdict }
func (*quiet) End(End)                          {}

// benchRig is a rig whose messages nobody looks at.
func benchRig(b testing.TB) *rig {
	b.Helper()
	r := newRigOf(b, routerRoles(), 1<<20)
	policy := &Reconnect{}
	policy.setDefaults()
	r.core.life.policy = policy
	return r
}

// forget throws away what was sent.
func (r *rig) forget() {
	r.core.handed()
	r.core.out.Reset(0)
	r.core.outCost = 0
}

func handlesOfOneContext(b testing.TB, n int) {
	r := benchRig(b)
	ctx, cancel := context.WithCancel(b.Context())
	for range n {
		r.do(newSub(ctx, "com.example.topic", &quiet{}))
	}
	r.forget()
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 7})
	cancel()
	r.cancel(ctx)
	if r.core.subscriptions.len() > 0 {
		b.Fatal("handles are left")
	}
}

func retainedOfOneTopic(b testing.TB, n int) {
	r := benchRig(b)
	event := proto.Message{Type: proto.Event, ID: 7, Publication: 1, Options: proto.Dict{{Key: "retained", Value: true}}}
	for i := range n {
		s := newSub(b.Context(), "com.example.topic", &quiet{})
		s.Retained = true
		r.do(s)
		r.forget()
		r.feed(proto.Message{Type: proto.Subscribed, Request: proto.ID(i + 1), ID: 7})
		r.feed(event)
	}
}

func parkedCalls(b testing.TB, n int) {
	r := benchRig(b)
	r.core.linkLost(errors.New("cut"))
	type cancelable struct {
		ctx    context.Context
		cancel context.CancelFunc
	}
	var calls []cancelable
	for range n {
		ctx, cancel := context.WithCancel(context.Background())
		calls = append(calls, cancelable{ctx, cancel})
		r.do(newCall(ctx, &quiet{}))
	}
	for _, call := range calls {
		call.cancel()
		r.cancel(call.ctx)
	}
}

func waitersForRoom(_ testing.TB, n int) {
	var m mailbox
	m.door, m.limit = &doorbell{bell: make(chan struct{}, 1)}, 1
	_ = m.force(&Publish{}, 1)
	var all sync.WaitGroup
	for range n {
		all.Go(func() { _ = m.put(context.Background(), &Publish{}, 1) })
	}
	for m.crowded() < n {
	}
	for range n {
		m.release(1)
	}
	all.Wait()
}

func listeners(b testing.TB, n int) {
	r := benchRig(b)
	all := make([]*stateWatcher, n)
	for i := range all {
		all[i] = &stateWatcher{Latest: flow.NewLatest[State](), stop: func() bool { return true }}
		r.do(&statesOp{all[i]})
	}
	for _, w := range all {
		r.do(&unlistenOp{w})
	}
}

func registrationsOfOneID(b testing.TB, n int) {
	r := benchRig(b)
	regs := make([]*Registration, n)
	for i := range regs {
		regs[i] = newReg(b.Context(), &callee{})
		r.do(regs[i])
		r.forget()
		r.feed(proto.Message{Type: proto.Registered, Request: proto.ID(i + 1), ID: 7})
	}
	for i := range n {
		r.feed(proto.Message{Type: proto.Invocation, Request: proto.ID(i + 1), ID: 7})
	}
	for _, reg := range regs {
		r.do(&leaveOp{h: reg, done: make(chan error, 1)})
	}
}

func windowedPublishes(b testing.TB, n int) {
	r := benchRig(b)
	for range n {
		r.do(&Publish{Ctx: b.Context(), URI: "com.example.topic", Sink: &quiet{}})
	}
	for i := range n {
		r.forget()
		r.feed(proto.Message{Type: proto.Published, Request: proto.ID(i + 1), Publication: 1})
	}
}

func droppedByOneEvent(b testing.TB, n int) {
	r := benchRig(b)
	for range n {
		r.do(newSub(b.Context(), "com.example.topic", &quiet{verdict: Overflow}))
	}
	r.forget()
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 7})
	r.feed(proto.Message{Type: proto.Event, ID: 7, Publication: 1})
	if r.core.subscriptions.len() > 0 {
		b.Fatal("handles are left")
	}
}

func callsBehindHandles(b testing.TB, n int) {
	r := benchRig(b)
	subs := make([]*Subscription, n)
	for i := range subs {
		subs[i] = newSub(b.Context(), fmt.Sprint("com.example.topic.n", i), &quiet{})
		r.do(subs[i])
		call := newCall(b.Context(), &quiet{})
		call.About = subs[i]
		r.do(call)
	}
	asked := map[*Subscription]proto.ID{}
	next := proto.ID(1)
	for i := range n {
		r.forget()
		for ; next <= r.core.lastID; next++ {
			if q, is := r.core.requests.Get(next).(*subscribeRequest); is {
				asked[q.sub] = next
			}
		}
		r.feed(proto.Message{Type: proto.Subscribed, Request: asked[subs[i]], ID: proto.ID(i + 1)})
	}
	if r.core.life.behind.len() > 0 {
		b.Fatal("calls are left")
	}
}

func testamentsRefused(b testing.TB, n int) {
	r := benchRig(b)
	for range n {
		r.do(&Testament{Call: newCall(b.Context(), &quiet{}), Scope: "destroyed"})
	}
	for i := range n {
		r.forget()
		r.feed(proto.Message{Type: proto.Result, Request: proto.ID(i + 1)})
	}
	r.core.linkLost(errors.New("cut"))
	r.core.joined(r.core.details, r.core.codec, 1<<20)
	for i := range n {
		r.forget()
		r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: proto.ID(i + 1), URI: "com.example.no"})
	}
	if r.core.testaments.all.len() > 0 {
		b.Fatal("testaments are left")
	}
}

// subscribed makes n handles of as many topics, with the ids that id gives.
func (r *rig) subscribed(b testing.TB, n int, id func(i int) proto.ID) []*Subscription {
	subs := make([]*Subscription, n)
	for i := range subs {
		subs[i] = newSub(b.Context(), fmt.Sprint("com.example.topic.n", i), &quiet{})
		r.do(subs[i])
		r.forget()
		r.feed(proto.Message{Type: proto.Subscribed, Request: r.core.lastID, ID: id(i)})
	}
	return subs
}

func number(i int) proto.ID { return proto.ID(i + 1) }

func topicsOfOneID(b testing.TB, n int) {
	r := benchRig(b)
	for _, s := range r.subscribed(b, n, func(int) proto.ID { return 7 }) {
		r.do(&leaveOp{h: s, done: make(chan error, 1)})
	}
}

func topicsLeft(b testing.TB, n int) {
	r := benchRig(b)
	subs := r.subscribed(b, n, number)
	for _, s := range subs {
		r.do(&leaveOp{h: s, done: make(chan error, 1)})
	}
	for i := range subs {
		r.forget()
		r.feed(proto.Message{Type: proto.Unsubscribed, Request: proto.ID(n + i + 1)})
	}
	if r.core.tables().Requests > 0 {
		b.Fatal("requests are left")
	}
}

func topicsRevoked(b testing.TB, n int) {
	r := benchRig(b)
	r.subscribed(b, n, number)
	for i := range n {
		r.feed(proto.Message{Type: proto.Unsubscribed, Options: proto.Dict{{Key: "subscription", Value: int64(i + 1)}}})
	}
	if r.core.subscriptions.len() > 0 {
		b.Fatal("handles are left")
	}
}

func handlesRestored(b testing.TB, n int) {
	r := benchRig(b)
	r.subscribed(b, n, number)
	for range 5 {
		r.core.linkLost(errors.New("cut"))
		r.core.joined(r.core.details, r.core.codec, 1<<20)
		for i := range n {
			r.forget()
			r.feed(proto.Message{Type: proto.Subscribed, Request: proto.ID(i + 1), ID: proto.ID(i + 1)})
		}
	}
	if r.core.tables().Requests > 0 {
		b.Fatal("requests are left")
	}
}

func retainedAtOnce(b testing.TB, n int) {
	r := benchRig(b)
	for range n {
		s := newSub(b.Context(), "com.example.topic", &quiet{})
		s.Retained = true
		r.do(s)
	}
	for i := range n {
		r.forget()
		r.feed(proto.Message{Type: proto.Subscribed, Request: proto.ID(i + 1), ID: 7})
	}
}

func suspects(b testing.TB, n int) {
	r := benchRig(b)
	for range n {
		call := newCall(b.Context(), &quiet{})
		call.Idempotent = true
		r.do(call)
	}
	for range 2 {
		r.forget()
		r.core.linkLost(errors.New("cut"))
		r.core.joined(r.core.details, r.core.codec, 1<<20)
	}
	for i := range n {
		r.forget()
		r.feed(proto.Message{Type: proto.Result, Request: proto.ID(i + 1)})
	}
	if r.core.tables().Requests > 0 || r.core.blame.suspects.len() > 0 {
		b.Fatal("calls are left")
	}
}
