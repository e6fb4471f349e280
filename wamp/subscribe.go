package wamp

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/internal/passthru"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Event is one event of a subscription.
type Event struct {
	// Payload is what the publisher sent.
	Payload
	// Publication is the id of the publication.
	Publication ID
	// Topic is the topic that was published to. It differs from the topic of
	// the subscription where that is a pattern.
	Topic string
	// Details are the details of the EVENT message. They may be nil and must
	// not be changed.
	Details Dict
	// Lost counts the events before this one that were dropped because the
	// consumer was slow.
	Lost uint64
	// Retained reports that the broker had retained the event, which was
	// published before the subscription was made. See GetRetained.
	Retained bool
	// AfterGap reports that events may be missing before this one, because the
	// connection was lost.
	AfterGap bool
	// Historic reports that the event comes from the broker's event history.
	// See FromHistory.
	Historic bool
	restored bool  // no event: the subscription has been restored on a new link
	size     int32 // with history: bytes, about
	// Time is when a historic event was published, zero if the broker does not
	// say.
	Time time.Time

	stamp uint64 // with history: the link it came on; of merged ones: its number
	seen  *seen  // nil without interceptors
}

// Scan decodes the positional arguments of the event into the values that the
// targets point to; a nil target skips its argument. The error is a
// [ScanError]. See [codec.Payload.Scan].
func (e Event) Scan(targets ...any) error { return e.Payload.Scan(targets...) }

// ScanKw decodes the keyword arguments of the event into the struct or map that
// v points to. The error is a [ScanError]. See [codec.Payload.ScanKw].
func (e Event) ScanKw(v any) error { return e.Payload.ScanKw(v) }

// Args returns the positional arguments of the event as plain values. See
// [codec.Payload.Args].
func (e Event) Args() ([]any, error) { return e.Payload.Args() }

// Kwargs returns the keyword arguments of the event as plain values. See
// [codec.Payload.Kwargs].
func (e Event) Kwargs() (map[string]any, error) { return e.Payload.Kwargs() }

// NArgs returns the number of positional arguments of the event.
func (e Event) NArgs() int { return e.Payload.NArgs() }

// Publisher returns who published the event, as far as the broker disclosed it.
// See [DiscloseMe].
func (e Event) Publisher() Peer {
	return Peer{Session: e.Details.ID(proto.KeyPublisher), AuthID: e.Details.Str(proto.KeyPublisherAuthID),
		AuthRole: e.Details.Str(proto.KeyPublisherAuthRole)}
}

// TrustLevel returns the trust level that the broker assigned to the
// publication, and whether it assigned one.
func (e Event) TrustLevel() (level int, ok bool) {
	n, ok := e.Details.Int(proto.KeyTrustLevel)
	return int(n), ok
}

// Context returns the context that interceptors have made for the event, such as that of
// its trace, and [context.Background] where the session has none. It ends with the
// context of the subscription. See [WithInterceptors].
func (e Event) Context() context.Context {
	if e.seen == nil {
		return context.Background() //nolint:forbidigo // nobody waits for it
	}
	return e.seen.context()
}

const (
	eventChannel = 8
	eventBytes   = 64 << 20
)

// Subscription is a subscription to a topic or pattern, made by
// [Session.Subscribe].
type Subscription struct {
	stream       flow.Stream[Event]
	subscription session.Subscription
	s            *Session
	end          ending
	gap          bool // the next event comes after a gap; actor only
	replay       *replay
	reader       reader
	unsaid       unsaid
	relay        *handleRelay[Event] // its channel, where the session has interceptors
	consumer     *Consumer           // nil: the user reads
}

// Subscribe subscribes to a topic, or with [Match] to a pattern, and waits for
// the broker's acknowledgement, for at most [AckTimeout].
//
// ctx governs the subscription for its whole life. When ctx ends, the channel
// is closed and the subscription is given up: UNSUBSCRIBE is sent if no other
// subscription of the session has the same topic. Several subscriptions to one
// topic each have a stream and bound of their own.
//
// Events arrive in the order in which the broker sent them. The session closes
// the channel of [Subscription.Events] when ctx ends, after
// [Subscription.Unsubscribe], when the router revokes the subscription, and
// when the session ends; [Subscription.Err] then returns why. A consumer that
// falls behind by more than the bound ([Buffer], 64 MiB by default) loses
// events: by default the oldest are dropped ([OverflowDropOldest]) and counted
// in [Subscription.Dropped] and in the Lost field of [Event].
//
// The error wraps an [Error] if the broker refused, a [FeatureError] if it
// lacks what an option needs, [ErrAckTimeout], a [CanceledError] if ctx ended,
// or a [ClosedError].
//
// See the WAMP specification, "Subscribing and Unsubscribing".
func (s *Session) Subscribe(ctx context.Context, topic string, options ...SubscribeOption) (*Subscription, error) {
	sub, err := s.subscribe(ctx, topic, options, nil)
	if err != nil {
		return nil, opError("subscribe", topic, err)
	}
	return sub, nil
}

// subscribe subscribes for a user who reads, or for v, which runs handlers.
func (s *Session) subscribe(ctx context.Context, topic string, options []SubscribeOption, v *Consumer) (_ *Subscription, err error) {
	ctx, err = session.Own(ctx)
	if err != nil {
		return nil, err
	}
	sub := &Subscription{s: s, consumer: v}
	e := &sub.subscription
	if v != nil {
		v.sub, v.ctx, e.Consumer = sub, ctx, (*eventHandlers)(v)
	}
	e.Ctx, e.URI, e.Match, e.Sink, e.Ready = ctx, topic, Exact, (*eventSink)(sub), make(chan error, 1)
	st := &sub.stream
	initEvents(st, s, ctx)
	st.Cut = func(_ *flow.Stream[Event], n int) (Event, bool) {
		sub.end.cut(s, "subscription", topic, n)
		return Event{}, false
	}
	for _, o := range options {
		if o == nil {
			return nil, errNilOption
		}
		if err := o.applySubscribe(sub); err != nil {
			return nil, s.noted(err)
		}
	}
	if err := proto.CheckPattern(topic, e.Match); err != nil {
		return nil, err
	}
	if s.interceptors != nil {
		sub.relay = &handleRelay[Event]{}
		over, bad := s.seeHandle(ctx, OpSubscribe, topic, e.Match, &e.Options)
		if bad != nil {
			return nil, bad
		}
		defer func() { over(err) }()
	}
	if sub.replay != nil {
		sub.replay.prepare(sub)
	}
	err = s.eng.Subscribe(e)
	if err == nil {
		err = <-e.Ready
	}
	if sub.replay != nil {
		if err == nil {
			err = sub.replay.start()
		}
		if err != nil {
			sub.replay.cancel()
		}
	}
	if err != nil {
		return nil, err
	}
	return sub, nil
}

// initEvents prepares a stream of events.
func initEvents(st *flow.Stream[Event], s *Session, ctx context.Context) { //nolint:revive // ctx belongs to the stream
	st.OpenBlocks(ctx, s.eng, eventChannel)
	st.Policy, st.Bytes, st.Pool = flow.DropOldest, eventBytes, &eventBlocks
	st.Mark = func(ev Event, n uint64, gap bool) Event {
		ev.Lost += n
		ev.AfterGap = ev.AfterGap || gap
		return ev
	}
	st.Hole = func(ev Event) bool { return ev.AfterGap || ev.restored }
}

// Events returns the channel of the events, the same each time. The session
// closes it when the subscription is over; [Subscription.Err] then returns why.
//
// A subscription is read by its channel or by [Subscription.All]. Where All came
// first, Events returns a closed channel, although the subscription lives and Err
// returns nil; that is logged.
func (sub *Subscription) Events() <-chan Event {
	if !sub.reader.byChannel() {
		sub.s.eng.Note(session.RecordTwoReaders, slog.String("topic", sub.subscription.URI))
		return flow.Of[Event]()
	}
	return sub.events()
}

func (sub *Subscription) events() <-chan Event {
	if sub.relay != nil {
		return sub.relay.channel(sub.values(), sub.s, sub.feed, sub.each)
	}
	return sub.plain()
}

// plain is the channel of the events as they come.
func (sub *Subscription) plain() <-chan Event {
	if sub.replay != nil {
		return sub.replay.relay.Ch()
	}
	return sub.stream.Ch()
}

// plainEach gives the events as they come.
func (sub *Subscription) plainEach(yield func(*Event) bool) {
	if sub.replay == nil {
		sub.stream.Each(yield)
		return
	}
	for ev := range sub.plain() { // they come out of a goroutine of its own
		if !yield(&ev) {
			return
		}
	}
}

// All returns an iterator over the events, which costs less for each of them than
// the channel of [Subscription.Events] and is like it in all else: the order, the
// bound and its policy, what is dropped, and what remains when the subscription
// ends. The error is nil but for the last pair, which has no event and says why
// the subscription is over, as [Subscription.Err] does. After
// [Subscription.Unsubscribe] there is no such pair.
//
// Leaving the loop does not end the subscription: events are held, and another loop goes
// on where this one was left. Only one loop can read at a time, and none after Events was
// called: such a loop yields a single pair, with an error.
func (sub *Subscription) All() iter.Seq2[Event, error] {
	if sub == nil {
		return noLoop[Event]("subscription")
	}
	each := sub.plainEach
	if sub.relay != nil {
		each = sub.each
	}
	return loop(&sub.reader, &sub.end, "subscription", sub.subscription.URI, each)
}

// Topic returns the topic or pattern that was subscribed to.
func (sub *Subscription) Topic() string { return sub.subscription.URI }

// ID returns the broker's id of the subscription. It changes with a reconnect.
func (sub *Subscription) ID() ID { return sub.subscription.ID() }

// Err returns why the subscription is over, nil while it lives:
// [ErrUnsubscribed], a [CanceledError] after the end of ctx, [ErrSlowConsumer],
// a [RevokedError] or a [ClosedError].
func (sub *Subscription) Err() error { return sub.end.why() }

func (sub *Subscription) setErr(err error) { sub.end.over("subscription", sub.subscription.URI, err) }

// Dropped returns how many events were dropped because the consumer was slow.
func (sub *Subscription) Dropped() uint64 { return sub.stream.Dropped() }

// Unsubscribe ends the subscription and closes its channel at once. UNSUBSCRIBE
// is sent after everything that this goroutine has begun before. ctx, and
// [AckTimeout], bound only the wait for the broker's acknowledgement; the
// subscription is over in any case.
func (sub *Subscription) Unsubscribe(ctx context.Context) error {
	ctx, err := session.Own(ctx)
	if err != nil {
		return opError("unsubscribe", sub.subscription.URI, err)
	}
	return opError("unsubscribe", sub.subscription.URI, sub.s.eng.Unsubscribe(ctx, &sub.subscription))
}

// eventSink is a Subscription as the engine sees it. Its methods run on the
// actor.
type eventSink Subscription

var (
	_ session.Sink       = (*eventSink)(nil)
	_ session.Lossy      = (*eventSink)(nil)
	_ session.Hoarder    = (*eventSink)(nil)
	_ session.Gapped     = (*eventSink)(nil)
	_ session.Restorable = (*eventSink)(nil)
)

// Gap says that the connection was lost since the last event.
func (es *eventSink) Gap() { es.gap = true }

// Restored says that the subscription is there again on a new connection.
func (es *eventSink) Restored() session.Verdict {
	if es.replay == nil {
		return session.Taken
	}
	return es.replay.again()
}

func (es *eventSink) Deliver(m *proto.Message) session.Verdict {
	ev := newEvent(es.s, m, es.subscription.URI, es.subscription.Match)
	ev.AfterGap, es.gap = es.gap, false
	size := session.Cost(m)
	if es.replay != nil {
		ev.stamp = es.replay.links.Load()
		return es.replay.put(ev, size)
	}
	return es.stream.Put(ev, size)
}

// newEvent makes an event of a message that came for a subscription to pattern.
func newEvent(s *Session, m *proto.Message, pattern string, match MatchPolicy) Event {
	ev := Event{Publication: m.Publication, Topic: pattern, Details: m.Options}
	if len(m.Options) > 0 {
		if topic := m.Options.Str(proto.KeyTopic); topic != "" {
			ev.Topic = topic
		}
		ev.Retained = m.Options.Bool(proto.KeyRetained)
	}
	if s.plain(m) {
		ev.Payload = codec.Received(s.eng.Codec(), m)
	} else {
		ev.Payload = s.open(seal.About{Kind: seal.KindPublish, URI: passthru.Place(pattern, match, ev.Topic)}, m, m.Options)
	}
	return ev
}

// Lost, Held and Shed are the policy's part.

func (es *eventSink) Lost() uint64               { return es.stream.Lost() }
func (es *eventSink) Held() int                  { return es.stream.Held() }
func (es *eventSink) Shed(n int) session.Verdict { return es.stream.Shed(n) }

func (es *eventSink) End(e session.End) {
	(*Subscription)(es).setErr(e.Err)
	if es.consumer != nil {
		es.consumer.end(e.Now)
	}
	es.stream.Finish(Event{}, false, e.Now)
	es.relay.cancel(e.Now)
	if es.replay != nil && e.Now {
		es.replay.cancel()
	}
}
