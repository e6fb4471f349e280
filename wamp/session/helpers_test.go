package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// noAuth offers anonymous.
type noAuth struct{}

func (noAuth) Begin(context.Context, authn.JoinInfo) (authn.Attempt, error) { return noAuth{}, nil }
func (noAuth) Hello(h *authn.Hello) error                                   { h.Methods = []string{"anonymous"}; return nil }
func (noAuth) Challenge(context.Context, authn.Challenge) (authn.Response, error) {
	return authn.Response{}, nil
}
func (noAuth) Welcome(authn.Welcome) error { return nil }

// rig drives a core without a goroutine: messages and operations in, messages
// and sink calls out, time by hand.
type rig struct {
	t      testing.TB
	core   *core
	clock  time.Time
	codec  codec.Codec
	parser codec.Parser
	ended  int
	dials  []int               // attempts that were asked for
	downs  int                 // links that were given up
	last   []proto.MessageType // what a link that was given up still had to say
	said   []op                // by the policy's code
}

func (r *rig) now() time.Time            { return r.clock }
func (r *rig) watch(*ctxGroup)           {}
func (r *rig) sessionEnded()             { r.ended++ }
func (r *rig) mistake(s string)          { r.t.Error(s) }
func (r *rig) linkUp(*joiner)            {}
func (r *rig) dial(n int)                { r.dials = append(r.dials, n) }
func (r *rig) crowded() (int, time.Time) { return 0, time.Time{} }

// consult runs a policy's code at once: what it says is applied in the next turn.
func (r *rig) consult(f func() op, _ op) { r.said = append(r.said, f()) }

func (r *rig) linkDown(last bool, _ error) {
	r.downs++
	if last {
		for _, m := range r.messages() {
			r.last = append(r.last, m.Type)
		}
		r.core.out.Reset(0)
	}
}

// everything a router can announce.
func routerRoles() proto.Roles {
	var roles proto.Roles
	all := proto.FeatureSet(1<<32 - 1)
	roles.Set(proto.Broker, all)
	roles.Set(proto.Dealer, all)
	return roles
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigWith(t, routerRoles(), 1<<20)
}

func newRigWith(t *testing.T, roles proto.Roles, maxSend int) *rig {
	t.Helper()
	return newRigOf(t, roles, maxSend)
}

func newRigOf(t testing.TB, roles proto.Roles, maxSend int) *rig {
	t.Helper()
	r := &rig{t: t, clock: time.Unix(1_000_000, 0), codec: codec.CBOR}
	r.parser = r.codec.NewParser(codec.Limits{})
	r.core = newCore(newSettings(Config{Auth: noAuth{}}), r)
	r.core.joined(&Details{Session: 7, Roles: roles}, r.codec, maxSend)
	return r
}

// feed gives the core a message from the router.
func (r *rig) feed(m proto.Message) {
	if !r.core.ended {
		r.core.receive(&m)
	}
	r.settle()
}

// settle ends a turn, as the actor does.
func (r *rig) settle() {
	for {
		r.core.settle()
		if len(r.said) == 0 || r.core.ended {
			return
		}
		o := r.said[0]
		r.said = r.said[1:]
		o.apply(r.core)
	}
}

// written encodes a publish as package wamp does.
func written(cd codec.Codec, p *Publish, options proto.Dict, args ...any) {
	if p.Sink != nil {
		options = options.With(proto.KeyAcknowledge, true)
	}
	var err error
	p.Rest, err = codec.AppendRest(cd, p.Scratch[:0], &proto.Message{Type: proto.Publish, Options: options, URI: p.URI}, codec.Args(args...))
	if err != nil {
		panic(err)
	}
}

// onceOp is a publish of which nobody waits for anything, as the mailbox has it.
type onceOp struct {
	topic string
	rest  []byte
}

func (o onceOp) apply(c *core) { c.publishOnce(o.topic, o.rest) }
func (o onceOp) refuse(error)  {}

// do applies an operation, as the actor does.
func (r *rig) do(o op) {
	if p, is := o.(*Publish); is && p.Rest == nil {
		written(r.codec, p, nil)
	}
	o.apply(r.core)
	r.settle()
}

// cancel ends a context as the actor sees it.
func (r *rig) cancel(ctx context.Context) {
	if g := r.core.watches.groups[ctx.Done()]; g != nil {
		(&ctxDone{g}).apply(r.core)
	}
	r.settle()
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	r.clock = r.clock.Add(d)
	r.core.tick(r.clock)
	r.settle()
}

// sent takes what the core has sent since the last time.
func (r *rig) sent() []proto.Message {
	r.t.Helper()
	out := r.messages()
	r.core.handed()
	r.core.out.Written()
	r.core.out.Reset(0)
	r.core.outCost = 0
	return out
}

// messages parses the outbound batch.
func (r *rig) messages() []proto.Message {
	r.t.Helper()
	var out []proto.Message
	for i := range r.core.out.Len() {
		var m proto.Message
		if err := r.parser.Parse(slices.Clone(r.core.out.Message(i)), &m); err != nil {
			r.t.Fatalf("the core sent what does not parse: %v", err)
		}
		out = append(out, m)
	}
	return out
}

// want checks the types of what was sent and returns it.
func (r *rig) want(types ...proto.MessageType) []proto.Message {
	r.t.Helper()
	got := r.sent()
	var gotTypes []proto.MessageType
	for _, m := range got {
		gotTypes = append(gotTypes, m.Type)
	}
	if !slices.Equal(gotTypes, types) {
		r.t.Fatalf("sent %v, want %v", gotTypes, types)
	}
	return got
}

// clean checks that no table has an entry.
func (r *rig) clean() {
	r.t.Helper()
	if got := r.core.tables(); got != (Tables{}) {
		r.t.Errorf("tables are not empty: %+v", got)
	}
}

// tape is a Sink that records.
type tape struct {
	log     []string
	ends    []End
	verdict Verdict
}

func (s *tape) Deliver(m *proto.Message) Verdict {
	s.log = append(s.log, fmt.Sprintf("%s %d", m.Type, m.Request))
	return s.verdict
}

func (s *tape) End(e End) {
	s.ends = append(s.ends, e)
	if e.Message != nil {
		s.log = append(s.log, "end "+e.Message.Type.String())
	} else {
		s.log = append(s.log, fmt.Sprintf("end %v", e.Err))
	}
}

// err is how it ended; the test fails unless it ended exactly once.
func (s *tape) err(t *testing.T) error {
	t.Helper()
	if len(s.ends) != 1 {
		t.Fatalf("ended %d times, want once (%v)", len(s.ends), s.log)
	}
	return s.ends[0].Err
}

// callee is an InvocationSink that records.
type callee struct {
	tape
	full bool
	invs []*Invocation
	cut  []error
}

func (s *callee) Invoke(m *proto.Message) (*Invocation, Verdict) {
	if s.full {
		return nil, Overflow
	}
	inv := &Invocation{Request: m.Request}
	inv.Context = cancelFunc(func(cause error) { s.cut = append(s.cut, cause) })
	s.invs = append(s.invs, inv)
	s.log = append(s.log, fmt.Sprintf("invoke %d", m.Request))
	return inv, s.verdict
}

func newCall(ctx context.Context, s Sink) *Call {
	return &Call{Ctx: ctx, URI: "com.example.proc", Sink: s, Grace: 10 * time.Second, Progressive: true}
}

func newSub(ctx context.Context, topic string, s Sink) *Subscription {
	return &Subscription{Handle: Handle{Ctx: ctx, URI: topic, Match: proto.Exact, Ready: make(chan error, 1)}, Sink: s}
}

func newReg(ctx context.Context, s InvocationSink) *Registration {
	return &Registration{Handle: Handle{Ctx: ctx, URI: "com.example.proc", Match: proto.Exact, Ready: make(chan error, 1)}, Sink: s}
}

func progress(id proto.ID) proto.Message {
	return proto.Message{Type: proto.Result, Request: id, Options: proto.Dict{{Key: "progress", Value: true}}}
}

// cutLink gives the link up, as a loss does; newLink brings the next one.
func (r *rig) cutLink(t *testing.T) {
	t.Helper()
	r.core.life.policy = &Reconnect{}
	r.core.life.policy.setDefaults()
	r.core.linkLost(errors.New("cut"))
	if !r.core.life.waiting {
		t.Fatal("the loss was the end")
	}
}

func (r *rig) newLink() {
	r.core.timers.stop(r.core.life.timer)
	r.core.joined(&Details{Session: 8, Roles: routerRoles()}, r.codec, 1<<20)
}

// types counts what was sent.
func (r *rig) types() map[proto.MessageType]int {
	r.t.Helper()
	n := map[proto.MessageType]int{}
	for _, m := range r.sent() {
		n[m.Type]++
	}
	return n
}

func regOf(ctx context.Context, uri string) *Registration {
	r := newReg(ctx, &callee{})
	r.URI = uri
	return r
}

// answerWith is an answer as package wamp encodes it: a result, or with uri an error.
func answerWith(cd codec.Codec, inv *Invocation, uri string, progress bool, args ...any) *answerOp {
	m := &proto.Message{Type: proto.Yield, Request: inv.Request, URI: uri}
	switch {
	case uri != "":
		m.Type, m.RequestType = proto.Error, proto.Invocation
	case progress:
		m.Options = proto.Dict{{Key: proto.KeyProgress, Value: true}}
	}
	data, err := codec.AppendWith(cd, nil, m, codec.Args(args...))
	if err != nil {
		panic(err)
	}
	return &answerOp{Inv: inv, Progress: progress, Message: data}
}
