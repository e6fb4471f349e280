package session

import (
	"context"
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// shared registers handles to which the router gives one id.
func shared(r *rig, handles ...*Registration) {
	r.t.Helper()
	for _, h := range handles {
		r.do(h)
		r.feed(proto.Message{Type: proto.Registered, Request: r.want(proto.Register)[0].Request, ID: 66})
		if err := <-h.Ready; err != nil {
			r.t.Fatal(err)
		}
	}
}

func invoke(r *rig, request proto.ID, procedure string) {
	m := proto.Message{Type: proto.Invocation, Request: request, ID: 66}
	if procedure != "" {
		m.Options = proto.Dict{{Key: "procedure", Value: procedure}}
	}
	r.feed(m)
}

// taken counts the invocations that each handle has got.
func taken(handles ...*Registration) (n []int) {
	for _, h := range handles {
		n = append(n, len(h.Sink.(*callee).invs))
	}
	return n
}

func TestStepSharedRegistrationID(t *testing.T) {
	r := newRig(t)
	a, b, c := regOf(t.Context(), "com.example.p"), regOf(t.Context(), "com.example.p"), regOf(t.Context(), "com.example.p")
	shared(r, a, b, c)
	for i := range proto.ID(9) {
		invoke(r, 1+i, "")
	}
	if n := taken(a, b, c); !slices.Equal(n, []int{3, 3, 3}) {
		t.Errorf("they took %v", n)
	}
	// One without room is passed over.
	b.Sink.(*callee).full = true
	for i := range proto.ID(4) {
		invoke(r, 10+i, "")
	}
	if n := taken(a, b, c); n[1] != 3 || n[0]+n[2] != 10 {
		t.Errorf("they took %v", n)
	}
	r.want()
	// UNREGISTER goes with the last.
	for _, h := range []*Registration{a, b} {
		r.do(&leaveOp{h: h, done: make(chan error, 1)})
	}
	r.want()
	invoke(r, 20, "")
	if n := len(c.Sink.(*callee).invs); n < 6 {
		t.Errorf("the last took %d", n)
	}
	r.do(&leaveOp{h: c, done: make(chan error, 1)})
	r.want(proto.Unregister)
	invoke(r, 21, "")
	if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable {
		t.Errorf("%+v", m)
	}
}

// Different procedures with one id: Details.procedure decides.
func TestStepSharedIDOfProcedures(t *testing.T) {
	r := newRig(t)
	exact, prefix, long, wild := regOf(t.Context(), "com.example.a"), regOf(t.Context(), "com"), regOf(t.Context(), "com.example"), regOf(t.Context(), "com..b")
	prefix.Match, long.Match, wild.Match = proto.Prefix, proto.Prefix, proto.Wildcard
	shared(r, prefix, exact, wild, long)
	for i, tt := range []struct {
		procedure string
		by        *Registration
	}{
		{"com.example.a", exact}, {"com.other", prefix}, {"com.example.b", long}, {"com.x.b", prefix}, {"org.example", nil}, {"", nil},
	} {
		before := taken(exact, prefix, long, wild)
		invoke(r, proto.ID(1+i), tt.procedure)
		after := taken(exact, prefix, long, wild)
		for k, h := range []*Registration{exact, prefix, long, wild} {
			if got := after[k] - before[k]; (got == 1) != (h == tt.by) {
				t.Errorf("%q: %s %s got %d", tt.procedure, h.Match, h.URI, got)
			}
		}
		if tt.by == nil {
			if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable || m.Request != proto.ID(1+i) {
				t.Errorf("%+v", m)
			}
		}
	}
}

// Chunks stay with the handle that got the first.
func TestStepSharedIDKeepsChunks(t *testing.T) {
	r := newRig(t)
	a, b := regOf(t.Context(), "com.example.p"), regOf(t.Context(), "com.example.p")
	shared(r, a, b)
	chunked := proto.Dict{{Key: "progress", Value: true}}
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66, Options: chunked})
	first := a
	if len(b.Sink.(*callee).invs) == 1 {
		first = b
	}
	inv := first.Sink.(*callee).invs[0]
	got := 0
	inv.Chunks = countChunks{&got}
	inv.more = true
	for range 3 {
		r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66, Options: chunked})
	}
	if n := taken(a, b); got != 3 || n[0]+n[1] != 1 {
		t.Errorf("%d chunks, %v invocations", got, n)
	}
}

type countChunks struct{ n *int }

func (k countChunks) Chunk(*proto.Message, bool) Verdict { *k.n++; return Taken }
func (countChunks) End()                                 {}

// A REGISTER that the router has answered with an id that is being left has been
// undone by that: it is sent again when that is over.
func TestStepSharedIDThatIsBeingLeft(t *testing.T) {
	r := newRig(t)
	a, b := regOf(t.Context(), "com.example.p"), regOf(t.Context(), "com.example.p")
	shared(r, a)
	r.do(b)
	request := r.want(proto.Register)[0].Request
	r.do(&leaveOp{h: a, done: make(chan error, 1)})
	left := r.want(proto.Unregister)[0].Request
	r.feed(proto.Message{Type: proto.Registered, Request: request, ID: 66})
	r.want()
	r.feed(proto.Message{Type: proto.Unregistered, Request: left})
	again := r.want(proto.Register)[0].Request
	r.feed(proto.Message{Type: proto.Registered, Request: again, ID: 67})
	if err := <-b.Ready; err != nil || b.ID() != 67 {
		t.Errorf("%v, id %d", err, b.ID())
	}
	s, o := newSub(t.Context(), "com.example", &tape{}), newSub(t.Context(), "com.example", &tape{})
	o.Match = proto.Prefix
	r.do(s)
	r.feed(proto.Message{Type: proto.Subscribed, Request: r.want(proto.Subscribe)[0].Request, ID: 5})
	r.do(o)
	request = r.want(proto.Subscribe)[0].Request
	r.do(&leaveOp{h: s, done: make(chan error, 1)})
	left = r.want(proto.Unsubscribe)[0].Request
	r.feed(proto.Message{Type: proto.Subscribed, Request: request, ID: 5})
	r.want()
	r.feed(proto.Message{Type: proto.Unsubscribed, Request: left})
	again = r.want(proto.Subscribe)[0].Request
	r.feed(proto.Message{Type: proto.Subscribed, Request: again, ID: 6})
	if err := <-o.Ready; err != nil || o.ID() != 6 {
		t.Errorf("%v, id %d", err, o.ID())
	}
}

// So it is where that handle was left before the router has answered.
func TestStepSharedRegistrationThatWasRegretted(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	r.do(newReg(t.Context(), s))
	ctx, cancel := context.WithCancel(t.Context())
	other := newReg(ctx, &callee{})
	other.URI = "com.example.other"
	r.do(other)
	r.want(proto.Register, proto.Register)
	cancel()
	r.cancel(ctx)
	for id := range proto.ID(2) {
		r.feed(proto.Message{Type: proto.Registered, Request: 1 + id, ID: 66})
	}
	r.want()
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66, Options: proto.Dict{{Key: "procedure", Value: other.URI}}})
	if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable {
		t.Errorf("answered %+v", m)
	}
}

// Two procedures may have one registration id. When the handle of one has left,
// a call of it is not given to the other.
func TestStepSharedRegistrationThatWasLeft(t *testing.T) {
	r := newRig(t)
	one, two := &callee{}, &callee{}
	left := newReg(t.Context(), one)
	r.do(left)
	other := newReg(t.Context(), two)
	other.URI = "com.example.other"
	r.do(other)
	r.want(proto.Register, proto.Register)
	for id := range proto.ID(2) {
		r.feed(proto.Message{Type: proto.Registered, Request: 1 + id, ID: 66})
	}
	r.do(&leaveOp{h: left, done: make(chan error, 1)})
	r.want() // the other one still has the id
	invoke := func(id proto.ID, procedure string) {
		m := proto.Message{Type: proto.Invocation, Request: id, ID: 66}
		if procedure != "" {
			m.Options = proto.Dict{{Key: "procedure", Value: procedure}}
		}
		r.feed(m)
	}
	invoke(1, left.URI)
	if m := r.want(proto.Error)[0]; m.Request != 1 || m.URI != proto.ErrURIUnavailable {
		t.Errorf("answered %+v", m)
	}
	again := newReg(t.Context(), two)
	again.URI = other.URI
	r.do(again)
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 3, ID: 66})
	invoke(4, left.URI) // also where those that are left are alike
	if m := r.want(proto.Error)[0]; m.Request != 4 || m.URI != proto.ErrURIUnavailable {
		t.Errorf("answered %+v", m)
	}
	invoke(2, other.URI)
	invoke(3, "")
	r.want()
	if len(one.invs) != 0 || len(two.invs) != 2 {
		t.Errorf("given to the one that has left: %d, to the other: %d", len(one.invs), len(two.invs))
	}
}
