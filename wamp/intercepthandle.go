package wamp

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// seeHandle lets the interceptors see the making of a subscription or registration. over
// is to be told its outcome.
func (s *Session) seeHandle(ctx context.Context, kind OpKind, uri string, match MatchPolicy, options *Dict) (over func(error), err error) {
	e := s.sees(Op{Kind: kind, URI: uri, Pattern: uri, Match: match, Options: *options})
	if _, err := e.begin(ctx, onUsers); err != nil {
		return nil, err
	}
	*options = e.Options
	op := kind.String()
	return func(err error) { e.over(opError(op, uri, err), onUsers) }, nil
}

// handleRelay is the channel of a handle whose values interceptors see first. Nothing is
// kept in it: what the consumer has not taken, they have not seen handed over.
type handleRelay[T any] struct {
	once   sync.Once
	relay  *flow.Relay[T]
	stop   context.CancelFunc
	failed <-chan T // in the place of the relay's, where the session was over
}

func newHandleRelay[T any](ctx context.Context) *handleRelay[T] {
	ctx, stop := context.WithCancel(ctx)
	return &handleRelay[T]{relay: flow.NewRelay[T](ctx, 0), stop: stop}
}

// ch is the channel. feed runs on its goroutine.
func (h *handleRelay[T]) ch(s *Session, feed func()) <-chan T {
	h.once.Do(func() {
		if h.relay.Run(s.eng, feed) != nil {
			h.failed = flow.Of[T]()
		}
	})
	if h.failed != nil {
		return h.failed
	}
	return h.relay.Ch()
}

// cancel says that the consumer is waited for no more.
func (h *handleRelay[T]) cancel() {
	if h != nil {
		h.stop()
	}
}

// see lets the interceptors see an event, and reports whether it is to be delivered.
func (sub *Subscription) see(ev *Event, ctx context.Context, at where) bool { //nolint:revive // ctx is what the event's derives from
	e := sub.s.sees(Op{Kind: OpEvent, URI: ev.Topic, Pattern: sub.subscription.URI, Match: sub.subscription.Match,
		Peer: ev.Publisher(), Payload: ev.Payload, Options: ev.Details, Publication: ev.Publication})
	if _, err := e.begin(ctx, at); err != nil {
		return false
	}
	ev.Payload, ev.seen = e.Payload, e
	return true
}

// each gives the events to yield that the interceptors let pass.
func (sub *Subscription) each(yield func(*Event) bool) {
	for ev := range sub.plainEach {
		if !sub.see(ev, sub.values(), onUsers) {
			continue
		}
		ev.seen.over(nil, onUsers)
		if !yield(ev) {
			return
		}
	}
}

// values is the context from which those of events derive.
func (sub *Subscription) values() context.Context { return sub.subscription.Ctx }

// feed hands events to the channel of a subscription.
func (sub *Subscription) feed() {
	lost := 0
	for ev := range sub.plainEach {
		if lost > 0 {
			lost++
			continue
		}
		if !sub.see(ev, sub.values(), onFeeder) {
			continue
		}
		if sub.relay.relay.Send(*ev) {
			ev.seen.over(nil, onFeeder)
			continue
		}
		lost++
		ev.seen.over(ErrEventDropped, onFeeder)
	}
	if lost > 0 && sub.relay.relay.Live() {
		sub.end.cut(sub.s, "subscription", sub.subscription.URI, lost)
	}
}

// cut says that Close has cut a stream of which n values were not delivered, beside those
// of which the stream has said so itself.
func (e *ending) cut(s *Session, what, uri string, n int) {
	if closed, is := session.Find[*ClosedError](e.why()); is {
		n += closed.Undelivered
	}
	err := opError(what, uri, s.eng.Undelivered(n))
	e.err.Store(&err)
}

// see lets the interceptors see an invocation, and reports whether it is to be handed to
// the user. One that is refused is answered.
func (inv *Invocation) see(at where, handled bool) bool {
	reg := inv.reg
	if inv.more == nil {
		inv.more = &invocationMore{}
	}
	e := reg.s.sees(Op{Kind: OpInvocation, URI: inv.Procedure(), Pattern: reg.registration.URI, Match: reg.registration.Match,
		Peer: inv.Caller(), Payload: inv.Payload, Options: inv.Details, Progressive: inv.Progressive(), Handled: handled})
	ctx, err := e.begin(inv.Context(), at)
	if err != nil {
		_, _ = inv.fail(err)
		return false
	}
	inv.Payload = e.Payload
	inv.more.seen, inv.more.ctx = e, ctx
	return true
}

// sees lets the interceptors see a result that is sent, and returns what is sent of it.
func (inv *Invocation) sees(p Payload, last bool) (Payload, error) {
	if inv.more.seen == nil {
		return p, nil
	}
	part := Part{Payload: p, Sent: true, Last: last}
	if err := inv.more.seen.progress(&part, onUsers); err != nil {
		return p, err
	}
	if frozen, err := inv.reg.s.frozen(part.Payload); err == nil { // otherwise it fails once more
		part.Payload = frozen
		inv.more.seen.sized(frozen.Size())
	}
	return part.Payload, nil
}

// seePanic tells the interceptors of the panic of a handler, which goes on.
func (inv *Invocation) seePanic() {
	if p := recover(); p != nil {
		stack := debug.Stack()
		_ = inv.end(proto.ErrURIRuntimeError, Payload{}, &PanicError{Value: p, Stack: stack[:min(len(stack), mostStack)]})
		panic(p)
	}
}

// seenOver tells the interceptors the outcome of an invocation: cause, where its context
// has ended before it was answered.
func (inv *Invocation) seenOver(cause, outcome error) {
	if cause != nil {
		outcome = cause
	}
	inv.more.seen.over(outcome, onUsers)
}

// watch tells the interceptors of the end of an invocation that may never be answered, as
// it is not a handler's.
func (inv *Invocation) watch() {
	over := func() {
		inv.reg.s.seeing.Beside(func() { inv.more.seen.over(inv.cause(), onUsers) })
	}
	context.AfterFunc(inv.base(), func() {
		if inv.ended.Load() {
			return
		}
		cause := inv.cause()
		_, lost := session.Find[*OutcomeUnknown](cause)
		_, closed := session.Find[*ClosedError](cause)
		if lost || closed {
			over()
			return
		}
		t := time.AfterFunc(killGrace, over) // by then the engine has answered
		context.AfterFunc(inv.reg.s.eng.Context(), func() {
			if t.Stop() {
				over()
			}
		})
	})
}

// base is the context of the invocation as the engine ends it.
func (inv *Invocation) base() context.Context {
	if limit := inv.more.limit; limit != nil {
		return limit.ctx
	}
	return &inv.own
}

// each gives the invocations to yield that the interceptors let pass.
func (r *Registration) each(yield func(**Invocation) bool) {
	for v := range r.stream.Each {
		if r.s.interceptors != nil {
			if !(*v).see(onUsers, false) {
				continue
			}
			(*v).watch()
		}
		if !yield(v) {
			return
		}
	}
}

// feed hands invocations to the channel of a registration.
func (r *Registration) feed() {
	lost := 0
	for v := range r.stream.Each {
		inv := *v
		if lost == 0 && !inv.see(onFeeder, false) {
			continue
		}
		if lost == 0 && r.relay.relay.Send(inv) {
			inv.watch()
			continue
		}
		lost++
		r.s.seeing.Outside(func() { _ = inv.Decline() })
	}
	if lost > 0 && r.relay.relay.Live() {
		r.end.cut(r.s, "registration", r.registration.URI, lost)
	}
}

// context is that which the innermost interceptor has returned.
func (e *seen) context() context.Context { return e.ctxs[len(e.ctxs)-1] }

// seenChunks is the channel of the chunks of a progressive call that interceptors see.
type seenChunks struct {
	once sync.Once
	ch   <-chan Payload
}

// feedChunks hands the chunks on that the interceptors let pass. The first has been seen
// with the invocation.
func (inv *Invocation) feedChunks(in <-chan Payload) <-chan Payload {
	relay := flow.NewRelay[Payload](inv.Context(), 0)
	if relay.Run(inv.reg.s.eng, func() {
		for n := 0; ; n++ {
			p, more := <-in
			if !more {
				return
			}
			if n == 0 {
				p = inv.Payload
			} else {
				part := Part{Payload: p}
				if err := inv.more.seen.progress(&part, onFeeder); err != nil {
					inv.reg.s.seeing.Outside(func() { _, _ = inv.fail(err) })
					return
				}
				p = part.Payload
			}
			if !relay.Send(p) {
				return
			}
		}
	}) != nil {
		return flow.Of[Payload]()
	}
	return relay.Ch()
}
