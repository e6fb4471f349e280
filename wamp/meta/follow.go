package meta

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Change is one change of what is followed.
type Change[T any] struct {
	// Value is what has come or gone.
	Value T
	// Gone reports that Value has gone; otherwise it has come.
	Gone bool
	// Err is why the stream has ended. It is set on the last element only.
	Err error
}

// FollowSessions returns the sessions of the realm, and a stream of those that
// come and go from then on. Nobody is missed and nobody is reported twice: each
// session in the snapshot or in the stream goes once, and only those go. The
// session itself is among them.
//
// After a reconnect, and after a slow consumer has lost events, FollowSessions
// asks for the sessions again and reports the difference, so that the stream
// always approaches what there is. A session that came and went in such a gap
// is not reported.
//
// ctx governs the stream. The last element has the reason of its end in Err: a
// [wamp.CanceledError] after the end of ctx, a [wamp.ClosedError], or why the
// router could not be asked. The session then closes the stream. The router
// must announce session_meta_api; otherwise the error is a [wamp.FeatureError].
func (m API) FollowSessions(ctx context.Context) ([]SessionInfo, <-chan Change[SessionInfo], error) {
	return follow(ctx, followed[SessionInfo]{
		m: m, need: sessionMeta, comes: proto.MetaSessionOnJoin, goes: proto.MetaSessionOnLeave,
		list: func(m API, ctx context.Context) ([]wamp.ID, error) { return m.ListSessions(ctx) },
		get:  API.GetSession, id: func(s SessionInfo) wamp.ID { return s.Session }, came: joinedOf,
		gone: func(args []any) wamp.ID { s, _ := leftOf(args); return s.Session },
	})
}

// FollowRegistrations is like [API.FollowSessions] for the registrations of the
// realm. The router must announce registration_meta_api.
func (m API) FollowRegistrations(ctx context.Context) ([]RegistrationInfo, <-chan Change[RegistrationInfo], error) {
	return follow(ctx, followed[RegistrationInfo]{
		m: m, hidden: true, need: registrationMeta, comes: proto.MetaRegistrationOnCreate, goes: proto.MetaRegistrationOnDelete,
		list: func(m API, ctx context.Context) ([]wamp.ID, error) {
			l, err := m.ListRegistrations(ctx)
			return l.All(), err
		},
		get: API.GetRegistration, id: func(r RegistrationInfo) wamp.ID { return r.ID }, came: createdRegistration,
		gone: func(args []any) wamp.ID { return proto.IDOf(at(args, 1)) },
	})
}

// FollowSubscriptions is like [API.FollowSessions] for the subscriptions of the
// realm. The router must announce subscription_meta_api.
func (m API) FollowSubscriptions(ctx context.Context) ([]SubscriptionInfo, <-chan Change[SubscriptionInfo], error) {
	return follow(ctx, followed[SubscriptionInfo]{
		m: m, hidden: true, need: subscriptionMeta, comes: proto.MetaSubscriptionOnCreate, goes: proto.MetaSubscriptionOnDelete,
		list: func(m API, ctx context.Context) ([]wamp.ID, error) {
			l, err := m.ListSubscriptions(ctx)
			return l.All(), err
		},
		get: API.GetSubscription, id: func(s SubscriptionInfo) wamp.ID { return s.ID }, came: createdSubscription,
		gone: func(args []any) wamp.ID { return proto.IDOf(at(args, 1)) },
	})
}

// followed is what can be followed: how it is listed and looked at, and the
// topics that tell of one that comes and one that goes.
type followed[T any] struct {
	m           API
	hidden      bool // the router may list what is its own and let nobody look at it
	need        session.Need
	comes, goes string
	list        func(m API, ctx context.Context) ([]wamp.ID, error)
	get         func(m API, ctx context.Context, id wamp.ID) (T, error)
	id          func(T) wamp.ID
	came        func(args []any) (T, bool)
	gone        func(args []any) wamp.ID
}

// follower is one stream. Its goroutine owns it.
type follower[T any] struct {
	followed[T]
	ctx    context.Context // of the stream: it belongs to it
	events *merged
	relay  *flow.Relay[Change[T]]
	known  map[wamp.ID]T
	past   map[wamp.ID]bool // gone by a snapshot; that they came may still be told by
	until  uint64           // events up to this one
}

// follow subscribes first and asks then, so that nothing falls between the two.
// What the events tell once more is known by its id, which is never used again.
// The topic of ends comes first, here and when subscriptions are restored:
// otherwise what comes and goes between the two would be there for ever.
func follow[T any](ctx context.Context, what followed[T]) ([]T, <-chan Change[T], error) {
	ctx, err := session.Own(ctx)
	if err != nil {
		return nil, nil, session.WrapOp("follow", what.comes, err)
	}
	what.m.patient = true // it outlives connections
	events, err := merge(ctx, what.m.s.Engine(), what.need, what.goes, what.comes)
	if err != nil {
		return nil, nil, err
	}
	f := &follower[T]{followed: what, ctx: ctx, events: events, relay: flow.NewRelay[Change[T]](ctx, room),
		known: map[wamp.ID]T{}, past: map[wamp.ID]bool{}}
	if f.known, err = f.snapshot(); err != nil {
		events.stop()
		return nil, nil, err
	}
	first := make([]T, 0, len(f.known))
	for _, id := range slices.Sorted(maps.Keys(f.known)) {
		first = append(first, f.known[id])
	}
	if err := f.relay.Run(what.m.s.Engine(), f.run); err != nil {
		events.stop()
		return nil, nil, err
	}
	return first, f.relay.Ch(), nil
}

// snapshotCalls is how many details are asked for at once. With what the windows
// let be under way the answers fit a router's queue of 64.
const snapshotCalls = 8

// snapshot asks for what there is now. What goes while it is being looked at is
// left out: its end is told to nobody who has not been told of it.
func (f *follower[T]) snapshot() (map[wamp.ID]T, error) {
	ids, err := f.list(f.m, f.ctx)
	if err != nil {
		return nil, err
	}
	there := make(map[wamp.ID]T, len(ids))
	var missing []wamp.ID
	for _, id := range ids {
		if v, ok := f.known[id]; ok {
			there[id] = v
		} else {
			missing = append(missing, id)
		}
	}
	type answer struct {
		id  wamp.ID
		v   T
		err error
	}
	for part := range slices.Chunk(missing, snapshotCalls) {
		answers := make(chan answer, len(part))
		for _, id := range part {
			go func() { // ends with its call, which f.ctx and the session bound
				v, err := f.get(f.m, f.ctx, id)
				answers <- answer{id, v, err}
			}()
		}
		for range part {
			a := <-answers
			switch {
			case a.err == nil:
				there[a.id] = a.v
			case !isGone(a.err) && !(f.hidden && session.Is(a.err, wamp.ErrNotAuthorized)):
				err = errors.Join(err, a.err)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

// isGone tells the error of what is not there from others.
func isGone(err error) bool {
	return session.Is(err, wamp.ErrNoSuchSession) || session.Is(err, wamp.ErrNoSuchRegistration) || session.Is(err, wamp.ErrNoSuchSubscription)
}

func (f *follower[T]) run() {
	defer f.events.stop()
	for ev := range f.events.stream.Ch() {
		if ev.restored || ev.lost > 0 || ev.gap {
			// Without a link the next one will have its own sign.
			if err := f.refresh(); err != nil && !session.Is(err, wamp.ErrNotConnected) {
				if closed, is := session.Find[*wamp.ClosedError](err); is {
					err = closed // that the outcome of its call is unknown says nothing to its reader
				}
				f.relay.Last(Change[T]{Err: err})
				return
			}
			if ev.restored {
				continue
			}
		}
		if !f.step(ev) {
			break
		}
	}
	err := f.events.ended()
	switch {
	case f.ctx.Err() != nil:
		err = session.Canceled(f.ctx)
	case err == nil: // Close is out of time, and the session about to end
		err = f.m.s.Engine().Undelivered(1)
	}
	f.relay.Last(Change[T]{Err: err})
}

// refresh tells the difference between what is known and what there is. It
// reports the error by which the router could not be asked.
func (f *follower[T]) refresh() error {
	there, err := f.snapshot()
	if err != nil {
		return err
	}
	f.until = f.events.count.Load()
	for _, id := range slices.Sorted(maps.Keys(f.known)) {
		if _, ok := there[id]; !ok {
			v := f.known[id]
			delete(f.known, id)
			f.past[id] = true
			f.relay.Send(Change[T]{Value: v, Gone: true})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(there)) {
		if _, ok := f.known[id]; !ok {
			f.known[id] = there[id]
			f.relay.Send(Change[T]{Value: there[id]})
		}
	}
	return nil
}

// step takes one event. It reports whether the consumer is still there.
func (f *follower[T]) step(ev item) bool {
	if ev.number > f.until {
		clear(f.past)
	}
	args, err := ev.payload.Args()
	if err != nil {
		return true
	}
	if ev.topic == f.comes {
		v, ok := f.came(args)
		if _, known := f.known[f.id(v)]; !ok || known || f.past[f.id(v)] {
			return true
		}
		f.known[f.id(v)] = v
		return f.relay.Send(Change[T]{Value: v})
	}
	id := f.gone(args)
	v, known := f.known[id]
	if !known {
		return true
	}
	delete(f.known, id)
	return f.relay.Send(Change[T]{Value: v, Gone: true})
}
