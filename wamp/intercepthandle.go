package wamp

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
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
	once  sync.Once
	ch    <-chan T
	relay *flow.Relay[T]
	lost  int // values that were not handed over; of its goroutine

	stop  atomic.Pointer[context.CancelFunc] // nil while there is no channel
	ended atomic.Bool
}

// channel is the channel. feed runs on its goroutine, and again where a user's code has
// ended that. Where the handle is over already, each gives what is left.
func (h *handleRelay[T]) channel(ctx context.Context, s *Session, feed func(), each iter.Seq[*T]) <-chan T {
	h.once.Do(func() {
		ctx, stop := context.WithCancel(ctx)
		h.stop.Store(&stop)
		h.relay = flow.NewRelay[T](ctx, 0)
		if !h.ended.Load() && h.relay.RunAgain(s.eng, func() { feed(); stop() }) == nil {
			h.ch = h.relay.Ch()
			return
		}
		stop()
		var left []T
		for v := range each {
			left = append(left, *v)
		}
		h.ch = flow.Of(left...)
	})
	return h.ch
}

// cancel says that the handle is over, and with now that its consumer is waited for no
// more.
func (h *handleRelay[T]) cancel(now bool) {
	if h == nil {
		return
	}
	h.ended.Store(true)
	if stop := h.stop.Load(); now && stop != nil {
		(*stop)()
	}
}

// see lets the interceptors see an event, and reports whether it is to be delivered. What
// one that is not says of events before it, the next one says.
func (sub *Subscription) see(ev *Event, ctx context.Context, at where, handled bool) bool { //nolint:revive // ctx is what the event's derives from
	ev.Lost += sub.unsaid.lost.Swap(0)
	ev.AfterGap = sub.unsaid.gap.Swap(false) || ev.AfterGap
	passed := false
	defer func() { // also behind runtime.Goexit
		if !passed {
			sub.unsaid.lost.Add(ev.Lost)
			if ev.AfterGap {
				sub.unsaid.gap.Store(true)
			}
		}
	}()
	e := sub.s.sees(Op{Kind: OpEvent, URI: ev.Topic, Pattern: sub.subscription.URI, Match: sub.subscription.Match,
		Peer: ev.Publisher(), Payload: ev.Payload, Options: ev.Details, Publication: ev.Publication, Handled: handled})
	if _, err := e.begin(ctx, at); err != nil {
		return false
	}
	ev.Payload, ev.seen, passed = e.Payload, e, true
	return true
}

// unsaid is what events that were refused have said of those before them.
type unsaid struct {
	lost atomic.Uint64
	gap  atomic.Bool
}

// each gives the events to yield that the interceptors let pass.
func (sub *Subscription) each(yield func(*Event) bool) {
	for ev := range sub.plainEach {
		if !sub.see(ev, sub.values(), onUsers, false) {
			continue
		}
		ev.seen.over(nil, onUsers)
		if !yield(ev) {
			return
		}
	}
}

// seen is the handler of a consumer where the session has interceptors.
func (v *Consumer) seen(ctx context.Context, ev Event) error {
	if !v.sub.see(&ev, ctx, onUsers, true) {
		return nil
	}
	outcome := errHandler // where it calls runtime.Goexit
	defer func() {
		p := recover()
		if p != nil {
			outcome = codec.NewPanicError(p)
		}
		ev.seen.over(outcome, onUsers)
		if p != nil {
			panic(p)
		}
	}()
	outcome = v.h(ev.seen.context(), ev)
	return outcome
}

// values is the context from which those of events derive.
func (sub *Subscription) values() context.Context { return sub.subscription.Ctx }

// feed hands events to the channel of a subscription.
func (sub *Subscription) feed() {
	h := sub.relay
	for ev := range sub.plainEach {
		switch {
		case h.lost > 0:
			h.lost++
		case !sub.see(ev, sub.values(), onFeeder, false):
		case h.relay.Send(*ev):
			ev.seen.over(nil, onFeeder)
		default:
			h.lost++
			ev.seen.over(ErrEventDropped, onFeeder)
		}
	}
	if h.lost > 0 && h.relay.Live() {
		sub.end.cut(sub.s, "subscription", sub.subscription.URI, h.lost)
	}
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
	err := errInterceptor // where one calls runtime.Goexit
	defer func() {
		if err == nil {
			return
		}
		if at == onFeeder {
			reg.s.seeing.Outside(func() { _, _ = inv.fail(err) })
		} else {
			_, _ = inv.fail(err)
		}
	}()
	ctx, err := e.begin(inv.Context(), at)
	if err != nil {
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
	if frozen, err := inv.reg.s.frozen(inv.place(), part.Payload); err == nil { // otherwise it fails once more
		part.Payload = frozen
		inv.more.seen.sized(frozen.Size())
	}
	return part.Payload, nil
}

// seePanic tells the interceptors of the panic of a handler, which goes on.
func (inv *Invocation) seePanic() {
	if p := recover(); p != nil {
		_ = inv.end(proto.ErrURIRuntimeError, Payload{}, codec.NewPanicError(p))
		panic(p)
	}
}

// seenOver tells the interceptors the outcome of an invocation: cause, where its context
// has ended before it was answered.
func (inv *Invocation) seenOver(cause, outcome error) {
	if w := inv.more.watch.Load(); w != nil {
		defer w.leave()
	}
	if cause != nil {
		outcome = cause
	}
	inv.more.seen.over(outcome, onUsers)
}

// watch tells the interceptors of the end of an invocation that may never be answered, as
// it is not a handler's. Close waits for that.
func (inv *Invocation) watch() {
	s := inv.reg.s
	s.seeing.Enter()
	w := &watch{inv: inv}
	w.stop(0, context.AfterFunc(inv.base(), w.ended))
	inv.more.watch.Store(w)
	if inv.ended.Load() { // meanwhile
		w.leave()
	}
}

// watch waits for the end of an invocation. It is left once.
type watch struct {
	inv   *Invocation
	left  atomic.Bool
	stops [3]atomic.Pointer[func() bool] // give up what it waits for
}

// ended is called when the context of the invocation has ended. Where it may still be
// answered, it waits until the engine has done so.
func (w *watch) ended() {
	if w.inv.ended.Load() {
		return // it is being answered, and ends by that
	}
	cause := w.inv.cause()
	_, interrupt := session.Find[*Interrupt](cause)
	if !interrupt && !session.Is(cause, ErrTimeout) || w.inv.reg.s.eng.Err() != nil {
		w.over()
		return
	}
	w.stop(1, time.AfterFunc(killGrace, w.over).Stop)
	w.stop(2, context.AfterFunc(w.inv.reg.s.eng.Context(), w.over))
}

// stop notes how something that the watch waits for is given up.
func (w *watch) stop(i int, f func() bool) {
	w.stops[i].Store(&f)
	if w.left.Load() {
		w.release()
	}
}

func (w *watch) release() {
	for i := range w.stops {
		if f := w.stops[i].Swap(nil); f != nil {
			(*f)()
		}
	}
}

// over tells that the invocation was not answered.
func (w *watch) over() {
	if !w.inv.ended.Load() && w.left.CompareAndSwap(false, true) {
		defer w.inv.reg.s.seeing.Leave() // also behind runtime.Goexit
		w.release()
		w.inv.more.seen.over(w.inv.cause(), onUsers)
	}
}

// leave ends the watch: the invocation was answered.
func (w *watch) leave() {
	if w.left.CompareAndSwap(false, true) {
		w.release()
		w.inv.reg.s.seeing.Leave()
	}
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
		if !(*v).see(onUsers, false) {
			continue
		}
		(*v).watch()
		if !yield(v) {
			return
		}
	}
}

// feed hands invocations to the channel of a registration.
func (r *Registration) feed() {
	h := r.relay
	for v := range r.stream.Each {
		inv := *v
		if h.lost == 0 && !inv.see(onFeeder, false) {
			continue
		}
		if h.lost == 0 && h.relay.Send(inv) {
			inv.watch()
			continue
		}
		h.lost++
		r.s.seeing.Outside(func() { _ = inv.Decline() })
	}
	if h.lost > 0 && h.relay.Live() {
		r.end.cut(r.s, "registration", r.registration.URI, h.lost)
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
	relay, over := flow.NewRelay[Payload](inv.Context(), 0), inv.Context().Done()
	if relay.Run(inv.reg.s.eng, func() {
		whole := false
		defer func() {
			if !whole { // runtime.Goexit: what has come is not all
				inv.reg.s.seeing.Outside(func() { _, _ = inv.fail(errInterceptor) })
			}
		}()
		for n := 0; ; n++ {
			var p Payload
			more := false
			select {
			case p, more = <-in:
			case <-over:
			}
			if !more {
				whole = true
				return
			}
			if n == 0 {
				p = inv.Payload
			} else {
				part := Part{Payload: p}
				if err := inv.more.seen.progress(&part, onFeeder); err != nil {
					whole = true
					inv.reg.s.seeing.Outside(func() { _, _ = inv.fail(err) })
					return
				}
				p = part.Payload
			}
			if !relay.Send(p) {
				whole = true
				return
			}
		}
	}) != nil {
		return flow.Of[Payload]()
	}
	return relay.Ch()
}
