package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

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

func (r *rig) now() time.Time   { return r.clock }
func (r *rig) watch(*ctxGroup)  {}
func (r *rig) sessionEnded()    { r.ended++ }
func (r *rig) mistake(s string) { r.t.Error(s) }
func (r *rig) linkUp(*joiner)   {}
func (r *rig) dial(n int)       { r.dials = append(r.dials, n) }

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

// do applies an operation, as the actor does.
func (r *rig) do(o op) {
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
	inv := &Invocation{}
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

func TestStepCall(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	r.do(newCall(t.Context(), s))
	if m := r.want(proto.Call)[0]; m.Request != 1 || m.URI != "com.example.proc" || !m.Options.Bool("receive_progress") {
		t.Errorf("sent %+v", m)
	}
	r.feed(progress(1))
	r.feed(progress(1))
	r.feed(proto.Message{Type: proto.Result, Request: 1})
	if err := s.err(t); err != nil || len(s.log) != 3 {
		t.Errorf("err %v, log %v", err, s.log)
	}
	r.clean()
}

func TestStepCallError(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	r.do(newCall(t.Context(), s))
	r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURINoSuchProcedure})
	if err := s.err(t); !errors.Is(err, ErrNoSuchProcedure) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepCancel(t *testing.T) {
	for _, mode := range []proto.CancelMode{proto.KillNoWait, proto.Skip, proto.Kill} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t)
			s := &tape{}
			ctx, cancel := context.WithCancelCause(t.Context())
			call := newCall(ctx, s)
			call.Mode = mode
			r.do(call)
			r.want(proto.Call)
			r.feed(progress(1))
			why := errors.New("why")
			cancel(why)
			r.cancel(ctx)
			if m := r.want(proto.Cancel)[0]; m.Request != 1 || m.Options.Str("mode") != mode.String() {
				t.Errorf("sent %+v", m)
			}
			if mode == proto.Kill {
				if len(s.ends) != 0 {
					t.Fatal("mode kill did not wait for the callee")
				}
				r.feed(progress(1)) // still under way: dropped
				r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURICanceled})
			}
			err := s.err(t)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !errors.Is(err, ErrCanceled) {
				t.Errorf("err %v", err)
			}
			r.clean()
			// What the router says late is legal, and nobody's.
			r.feed(proto.Message{Type: proto.Result, Request: 1})
			r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURICanceled})
			if r.core.ended || len(s.ends) != 1 {
				t.Errorf("a late answer: ended %v, ends %v", r.core.ended, s.ends)
			}
		})
	}
}

func TestStepKillResultWins(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	ctx, cancel := context.WithCancel(t.Context())
	call := newCall(ctx, s)
	call.Mode = proto.Kill
	r.do(call)
	cancel()
	r.cancel(ctx)
	r.feed(proto.Message{Type: proto.Result, Request: 1})
	if err := s.err(t); err != nil {
		t.Errorf("the callee's result was lost: %v", err)
	}
	r.clean()
}

func TestStepKillGrace(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	ctx, cancel := context.WithCancel(t.Context())
	call := newCall(ctx, s)
	call.Mode = proto.Kill
	r.do(call)
	cancel()
	r.cancel(ctx)
	r.pass(9 * time.Second)
	if len(s.ends) != 0 {
		t.Fatal("ended before the grace period was over")
	}
	r.pass(time.Second)
	if err := s.err(t); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepCancelWithoutFeature(t *testing.T) {
	var roles proto.Roles
	roles.Set(proto.Dealer, 0)
	r := newRigWith(t, roles, 1<<20)
	s := &tape{}
	ctx, cancel := context.WithCancel(t.Context())
	r.do(newCall(ctx, s))
	if m := r.want(proto.Call)[0]; len(m.Options) != 0 {
		t.Errorf("options %v for a dealer without progressive results", m.Options)
	}
	cancel()
	r.cancel(ctx)
	r.want()
	if err := s.err(t); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepCallTimeout(t *testing.T) {
	r := newRig(t)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.Timeout = time.Second
	r.do(call)
	if m := r.want(proto.Call)[0]; m.Options.Has("timeout") { // the dealer's timer need not begin anew
		t.Errorf("options %v", m.Options.Map())
	}
	r.pass(900 * time.Millisecond)
	r.feed(progress(1)) // arms it again
	r.pass(900 * time.Millisecond)
	if len(s.ends) != 0 {
		t.Fatal("a progressive result did not arm the timer again")
	}
	r.pass(100 * time.Millisecond)
	r.want(proto.Cancel)
	err := s.err(t)
	if !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err %v", err)
	}
	r.clean()
}

func TestStepSlowCall(t *testing.T) {
	r := newRig(t)
	s := &tape{verdict: Overflow}
	r.do(newCall(t.Context(), s))
	r.want(proto.Call)
	r.feed(progress(1))
	r.want(proto.Cancel)
	if err := s.err(t); err != ErrSlowConsumer {
		t.Errorf("err %v", err)
	}
	r.feed(progress(1)) // late
	r.clean()
}

func TestStepTooBigBurnsNoID(t *testing.T) {
	r := newRigWith(t, routerRoles(), 200)
	s := &tape{}
	call := newCall(t.Context(), s)
	call.Args, _ = r.codec.AppendList(nil, []any{make([]byte, 300)})
	r.do(call)
	r.want()
	if err := s.err(t); !errors.Is(err, ErrPayloadTooBig) {
		t.Errorf("err %v", err)
	}
	r.do(newCall(t.Context(), &tape{}))
	if m := r.want(proto.Call)[0]; m.Request != 1 {
		t.Errorf("request id %d, want 1", m.Request)
	}
}

func TestStepDeadContextSendsNothing(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, sub, reg := &tape{}, &tape{}, &callee{}
	r.do(newCall(ctx, s))
	r.do(newSub(ctx, "com.example.topic", sub))
	r.do(newReg(ctx, reg))
	r.want()
	for _, err := range []error{s.err(t), sub.err(t), reg.err(t)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("err %v", err)
		}
	}
	r.clean()
}

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

func TestStepInvocation(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	reg := newReg(t.Context(), s)
	r.do(reg)
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	if err := <-reg.Ready; err != nil || len(s.invs) != 1 {
		t.Fatalf("ready %v, %d invocations: the one behind REGISTERED must arrive", err, len(s.invs))
	}
	inv := s.invs[0]
	r.do(&Answer{Inv: inv, Progress: true})
	r.do(&Answer{Inv: inv})
	got := r.want(proto.Yield, proto.Yield)
	if !got[0].Options.Bool("progress") || got[1].Options.Bool("progress") {
		t.Errorf("sent %+v", got)
	}
	r.do(&Answer{Inv: inv}) // late: goes nowhere
	r.want()
}

func TestStepInterrupt(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	r.do(newReg(t.Context(), s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Interrupt, Request: 1, Options: proto.Dict{{Key: "mode", Value: "kill"}}})
	var in *Interrupt
	if len(s.cut) != 1 || !errors.As(s.cut[0], &in) || in.Mode != "kill" {
		t.Fatalf("cut %v", s.cut)
	}
	r.do(&Answer{Inv: s.invs[0], URI: proto.ErrURICanceled})
	if m := r.want(proto.Error)[0]; m.RequestType != proto.Invocation || m.Request != 1 {
		t.Errorf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Interrupt, Request: 1}) // too late: nobody's
	if r.core.ended {
		t.Error("a late INTERRUPT ended the session")
	}
}

func TestStepUnknownRegistration(t *testing.T) {
	r := newRig(t)
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 99})
	if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable || m.Request != 1 {
		t.Errorf("sent %+v", m)
	}
	r.feed(proto.Message{Type: proto.Event, ID: 99})
	if r.core.ended {
		t.Error("an EVENT or INVOCATION for nobody ended the session")
	}
}

func TestStepFullRegistration(t *testing.T) {
	r := newRig(t)
	s := &callee{full: true}
	r.do(newReg(t.Context(), s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	if m := r.want(proto.Error)[0]; m.URI != proto.ErrURIUnavailable {
		t.Errorf("sent %+v", m)
	}
	if r.core.stats.Refused != 1 || len(r.core.invocations) != 0 {
		t.Errorf("stats %+v", r.core.stats)
	}
}

func TestStepUnregisterLetsRunningFinish(t *testing.T) {
	r := newRig(t)
	s := &callee{}
	ctx, cancel := context.WithCancel(t.Context())
	r.do(newReg(ctx, s))
	r.want(proto.Register)
	r.feed(proto.Message{Type: proto.Registered, Request: 1, ID: 66})
	r.feed(proto.Message{Type: proto.Invocation, Request: 1, ID: 66})
	cancel()
	r.cancel(ctx)
	r.want(proto.Unregister)
	if len(s.cut) != 0 {
		t.Error("cancelling Register interrupted a running invocation")
	}
	r.feed(proto.Message{Type: proto.Invocation, Request: 2, ID: 66})
	if m := r.want(proto.Error)[0]; m.Request != 2 || m.URI != proto.ErrURIUnavailable {
		t.Errorf("sent %+v", m)
	}
	r.do(&Answer{Inv: s.invs[0]})
	r.want(proto.Yield)
	r.feed(proto.Message{Type: proto.Unregistered, Request: 2})
	r.clean()
}

func TestStepRevocation(t *testing.T) {
	r := newRig(t)
	s, g := &tape{}, &callee{}
	r.do(newSub(t.Context(), "com.example.topic", s))
	r.do(newReg(t.Context(), g))
	r.want(proto.Subscribe, proto.Register)
	r.feed(proto.Message{Type: proto.Subscribed, Request: 1, ID: 5})
	r.feed(proto.Message{Type: proto.Registered, Request: 2, ID: 6})
	r.feed(proto.Message{Type: proto.Unsubscribed, Options: proto.Dict{{Key: "subscription", Value: int64(5)}, {Key: "reason", Value: "x.y"}}})
	r.feed(proto.Message{Type: proto.Unregistered, Options: proto.Dict{{Key: "registration", Value: int64(6)}, {Key: "reason", Value: proto.ErrURIUnregistered}}})
	r.want() // nothing to say to that
	var rev *RevokedError
	if err := s.err(t); !errors.As(err, &rev) || rev.Reason != "x.y" || rev.ID != 5 {
		t.Errorf("subscription: %v", err)
	}
	if err := g.err(t); !errors.As(err, &rev) || !errors.Is(err, ErrRevoked) || rev.ID != 6 {
		t.Errorf("registration: %v", err)
	}
	r.clean()
}

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

func TestStepMissingFeatures(t *testing.T) {
	var roles proto.Roles
	roles.Set(proto.Dealer, 0)
	r := newRigWith(t, roles, 1<<20)
	s := &tape{}
	sub := newSub(t.Context(), "com.example.topic", s)
	r.do(sub)
	var f *FeatureError
	if err := <-sub.Ready; !errors.As(err, &f) || !f.NoRole || f.Role != proto.Broker {
		t.Errorf("no broker: %v", err)
	}
	roles.Set(proto.Broker, 0)
	r = newRigWith(t, roles, 1<<20)
	sub = newSub(t.Context(), "com.example", &tape{})
	sub.Match = proto.Prefix
	r.do(sub)
	if err := <-sub.Ready; !errors.As(err, &f) || f.Feature != proto.PatternBasedSubscription {
		t.Errorf("no patterns: %v", err)
	}
	r.want()
}
