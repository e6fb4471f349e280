package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// BenchmarkGrowth shows what an operation costs among many of its kind: nothing
// that the actor does may depend on how many there are. Each figure is for one of
// n operations; that of 100,000 is to be about that of 1,000.
func BenchmarkGrowth(b *testing.B) {
	for _, work := range []struct {
		name string
		run  func(b *testing.B, n int)
	}{
		{"handles of one topic and ctx", handlesOfOneContext},
		{"retained events of one topic", retainedOfOneTopic},
		{"parked calls", parkedCalls},
		{"publishers waiting for room", waitersForRoom},
		{"listeners of states", listeners},
		{"registrations of one id", registrationsOfOneID},
		{"publishes waiting in the window", windowedPublishes},
		{"subscriptions dropped by one event", droppedByOneEvent},
	} {
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

// quiet is a sink that keeps nothing.
type quiet struct{ verdict Verdict }

func (s *quiet) Deliver(*proto.Message) Verdict { return s.verdict }
func (*quiet) End(End)                          {}

// benchRig is a rig whose messages nobody looks at.
func benchRig(b *testing.B) *rig {
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

func handlesOfOneContext(b *testing.B, n int) {
	r := benchRig(b)
	ctx, cancel := context.WithCancel(b.Context())
	for range n {
		r.do(newSub(ctx, "com.example.topic", &quiet{}))
	}
	r.forget()
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 7})
	cancel()
	r.cancel(ctx)
	if r.core.handles.len() > 0 {
		b.Fatal("handles are left")
	}
}

func retainedOfOneTopic(b *testing.B, n int) {
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

func parkedCalls(b *testing.B, n int) {
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

func waitersForRoom(b *testing.B, n int) {
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

func listeners(b *testing.B, n int) {
	r := benchRig(b)
	all := make([]*stateWatcher, n)
	for i := range all {
		all[i] = &stateWatcher{ch: make(chan State, 1), stop: func() bool { return true }}
		r.do(&statesOp{all[i]})
	}
	for _, w := range all {
		r.do(&unlistenOp{w})
	}
}

func registrationsOfOneID(b *testing.B, n int) {
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
		r.do(&unregisterOp{reg: reg, done: make(chan error, 1)})
	}
}

func windowedPublishes(b *testing.B, n int) {
	r := benchRig(b)
	for range n {
		r.do(&Publish{Ctx: b.Context(), URI: "com.example.topic", Sink: &quiet{}})
	}
	for i := range n {
		r.forget()
		r.feed(proto.Message{Type: proto.Published, Request: proto.ID(i + 1), Publication: 1})
	}
}

func droppedByOneEvent(b *testing.B, n int) {
	r := benchRig(b)
	for range n {
		r.do(newSub(b.Context(), "com.example.topic", &quiet{verdict: Overflow}))
	}
	r.forget()
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 7})
	r.feed(proto.Message{Type: proto.Event, ID: 7, Publication: 1})
	if r.core.handles.len() > 0 {
		b.Fatal("handles are left")
	}
}
