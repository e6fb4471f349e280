package wamp

import (
	"context"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// SubscribeFunc subscribes to a topic, as [Session.Subscribe] does, and runs h for each
// event. One handler runs at a time, in the order of the events; with [Concurrency]
// several do, which begin in that order. Other events wait in the subscription's
// [Buffer], whose bound and policies are those of Subscribe. [FromHistory] works too.
// With [OverflowBlock] a handler that calls by its own session may wait for itself, until
// the deadline of its call.
//
// ctx governs the subscription as in Subscribe. The ctx of h has the values of that ctx,
// and ends with it and with the session, with a [ClosedError] as its cause, but not by
// [Consumer.Unsubscribe]: handlers that run then go on. [Session.Close] and
// [Session.Drain] wait for handlers, and Drain for the events that have arrived too.
//
// An error that h returns is logged at WARN with the topic, at most once a second, unless
// it is the end of its ctx. A handler that panics, or calls [runtime.Goexit], is logged
// with its stack and counted in [Stats]. The next event goes on in either case.
//
// The errors are those of Subscribe.
//
// See the WAMP specification, "Subscribing and Unsubscribing".
func (s *Session) SubscribeFunc(ctx context.Context, topic string, h func(ctx context.Context, ev Event) error, options ...SubscribeOption) (*Consumer, error) {
	v, err := s.consume(ctx, topic, h, options)
	if err != nil {
		return nil, opError("subscribe", topic, err)
	}
	return v, nil
}

// On subscribes to a topic and runs h for each event, decoded into a T as [Events] does.
// For an event that does not decode, or is empty where T is not struct{}, h is not
// called: that is logged as an error that h returns.
//
// Otherwise it is like [Session.SubscribeFunc].
//
// See the WAMP specification, "Publishing and Events".
func On[T any](ctx context.Context, s *Session, topic string, h func(ctx context.Context, ev EventOf[T]) error, options ...SubscribeOption) (*Consumer, error) {
	if h == nil {
		return nil, opError("subscribe", topic, errNilHandler)
	}
	return s.SubscribeFunc(ctx, topic, func(ctx context.Context, ev Event) error {
		e, err := eventOf[T](ev)
		if err != nil {
			return s.noted(err)
		}
		return h(ctx, e)
	}, options...)
}

// Consumer is a subscription whose events go to a handler, made by
// [Session.SubscribeFunc] and [On].
type Consumer struct {
	sub    *Subscription
	h      func(context.Context, Event) error
	what   string          // for the log
	ctx    context.Context // of the handlers: it belongs to them
	cancel context.CancelCauseFunc
	forget func() // the end of the session does not end it any more
	tally  *session.Tally
	most   int           // handlers at once
	lead   chan struct{} // capacity 1: nobody takes events, whoever takes this out does
	left   atomic.Int64  // handlers that run, and one more while events may come
	dry    atomic.Bool   // none can come any more
	stop   atomic.Bool   // those that wait go to nobody
	over   atomic.Bool   // the subscription has ended
	lost   atomic.Int64  // events that went to nobody since the session was over
	done   chan struct{}
}

// Done returns a channel that is closed when the subscription is over; [Consumer.Err]
// then returns why. Events that have arrived by then may still be handled.
func (v *Consumer) Done() <-chan struct{} { return v.done }

// Topic returns the topic or pattern that was subscribed to.
func (v *Consumer) Topic() string { return v.sub.Topic() }

// ID returns the broker's id of the subscription. It changes with a reconnect.
func (v *Consumer) ID() ID { return v.sub.ID() }

// Err returns why the subscription is over, nil while it lives: [ErrUnsubscribed],
// [ErrDraining], a [CanceledError] after the end of ctx, [ErrSlowConsumer], a
// [RevokedError] or a [ClosedError], which counts the events that had arrived and were
// not handled.
func (v *Consumer) Err() error { return v.sub.Err() }

// Dropped returns how many events were dropped because the handlers were slow.
func (v *Consumer) Dropped() uint64 { return v.sub.Dropped() }

// Unsubscribe ends the subscription at once. UNSUBSCRIBE is sent after everything that
// this goroutine has begun before. ctx, and [AckTimeout], bound only the wait for the
// broker's acknowledgement; the subscription is over in any case. Handlers that are
// running go on; events that wait for one are dropped.
func (v *Consumer) Unsubscribe(ctx context.Context) error { return v.sub.Unsubscribe(ctx) }

func (s *Session) consume(ctx context.Context, topic string, h func(context.Context, Event) error, options []SubscribeOption) (*Consumer, error) {
	if h == nil {
		return nil, errNilHandler
	}
	v := &Consumer{h: h, what: "the handler of events of " + topic, most: 1, lead: make(chan struct{}, 1), done: make(chan struct{})}
	v.left.Store(1)
	if _, err := s.subscribe(ctx, topic, options, v); err != nil {
		return nil, err
	}
	v.ctx, v.cancel = context.WithCancelCause(v.ctx)
	over := s.eng.Context()
	v.tally = s.eng.NewTally(session.HandlerRuns(topic), session.HandlersRun(topic))
	v.tally.Enter()
	forget := context.AfterFunc(over, func() {
		defer v.tally.Leave()
		v.cancel(context.Cause(over))
		v.flush()
	})
	v.forget = func() {
		if forget() {
			v.tally.Leave()
		}
	}
	if err := s.eng.Consume(&v.sub.subscription, v.tally, v.work); err != nil {
		v.stop.Store(true) // what came before the session was over goes to nobody
		v.work()
		return nil, err
	}
	return v, nil
}

// end notes that the subscription is over. It runs on the actor.
func (v *Consumer) end(now bool) {
	if now {
		v.stop.Store(true)
	}
	v.over.Store(true)
	close(v.done)
}

// work takes events and runs their handlers. One goroutine takes at a time: it lets go
// of that before it runs a handler, and another takes over where it may run beside it.
func (v *Consumer) work() {
	again := true
	defer func() {
		if again && v.leads() { // runtime.Goexit in a handler
			v.tally.Go(v.work)
		}
	}()
	for {
		ev, ok := v.next()
		if !ok {
			v.dried()
			break
		}
		v.lead <- struct{}{}
		if v.most > 1 && v.leads() {
			v.tally.Go(v.work)
		}
		if v.handle(ev); !v.leads() {
			break
		}
	}
	again = false
}

// flush counts what nobody handles any more, since the session is over. A handler may
// take its time, or wait for the end of that itself.
func (v *Consumer) flush() {
	if v.catch() {
		for more := true; more; {
			_, more = v.next()
		}
		v.dried()
	}
}

// leads reports whether the goroutine is the one that takes events from now on: nobody
// does, and there is room for another handler. Only who takes events adds a handler, so
// that the room is still there when it does.
func (v *Consumer) leads() bool {
	for v.room() {
		if !v.catch() {
			return false
		}
		if v.room() {
			return true
		}
		v.lead <- struct{}{} // and look again: a handler may have ended meanwhile
	}
	return false
}

func (v *Consumer) room() bool { return int(v.left.Load())-1 < v.most }

// catch takes over what nobody does.
func (v *Consumer) catch() bool {
	select {
	case <-v.lead:
		return true
	default:
		return false
	}
}

// next waits for the next event that is to be handled.
func (v *Consumer) next() (ev Event, ok bool) {
	for e := range v.sub.plainEach {
		if v.take() {
			return *e, true
		}
	}
	return ev, false
}

// take counts the handler of an event, or the event where that goes to nobody.
func (v *Consumer) take() bool {
	if v.stop.Load() || v.ctx.Err() != nil {
		if v.sub.s.eng.Err() != nil {
			v.lost.Add(1)
		}
		return false
	}
	v.left.Add(1)
	return true
}

// handle runs the handler of an event.
func (v *Consumer) handle(ev Event) {
	defer v.leave()
	ctx := &session.RunContext{Context: v.ctx, Of: v}
	ctx.Run.Begin()
	defer ctx.Run.End(v.sub.s.eng)
	v.sub.s.eng.Guard(v.what, func() {
		h := v.h
		if v.sub.s.interceptors != nil {
			h = v.seen
		}
		if err := h(ctx, ev); err != nil && !v.ended(err) {
			v.sub.s.eng.Failed(&v.sub.subscription, errorText(err))
		}
	})
}

// ended reports whether an error is the end of the handler's context.
func (v *Consumer) ended(err error) bool {
	return v.ctx.Err() != nil && (session.Matches(err, v.ctx.Err()) || session.Matches(err, context.Cause(v.ctx)))
}

// dried says that no event can come any more.
func (v *Consumer) dried() {
	v.dry.Store(true)
	v.leave()
}

// tellLost says how many events went to nobody since the session was over.
func (v *Consumer) tellLost() {
	if lost := int(v.lost.Load()); lost > 0 {
		if why := v.sub.Err(); session.Is(why, ErrDraining) {
			err := opError("subscription", v.sub.subscription.URI, &ClosedError{Reason: ErrDraining, Undelivered: lost})
			v.sub.end.err.Store(&err)
		} else if _, is := session.Find[*ClosedError](why); is {
			v.sub.end.cut(v.sub.s, "subscription", v.sub.subscription.URI, lost)
		}
	}
}

// leave takes one out of those that are left, and the last one out ends the whole.
func (v *Consumer) leave() {
	eng := v.sub.s.eng
	if v.left.Add(-1) > 0 {
		if v.over.Load() {
			eng.Relieved()
		}
		return
	}
	v.tellLost()
	v.forget()
	v.cancel(nil)
	v.tally.Close()
	eng.Consumed(&v.sub.subscription)
}

// eventHandlers is a Consumer as the engine sees it. Its methods run on the actor.
type eventHandlers Consumer

var _ session.Consumer = (*eventHandlers)(nil)

// Busy implements session.Consumer.
func (h *eventHandlers) Busy(inside int) bool { return inside < h.most && int(h.left.Load()) > inside }

// Running implements session.Consumer.
func (h *eventHandlers) Running() int {
	n := int(h.left.Load())
	if !h.dry.Load() {
		n--
	}
	return n
}
