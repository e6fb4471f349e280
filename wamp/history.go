package wamp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/internal/passthru"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// HistoryQuery selects events of a broker's event history, for
// [Subscription.History] and [FromHistory]. All bounds that are set must hold.
// The zero value selects everything.
//
// Crossbar supports Limit only: it returns the newest events, and ten of them
// where no limit is set. Other bounds are then applied to what it returns.
type HistoryQuery struct {
	// Limit selects at most so many events: the oldest within the bounds, or
	// with Reverse the newest. Last selects at most so many of the newest
	// events, in the order in which they were published. Zero means no limit.
	// At most one of them may be set.
	Limit, Last int
	// Reverse returns the newest event first. It excludes Last.
	Reverse bool
	// From and Until bound the time of publication and include it; After and
	// Before exclude it.
	From, After, Before, Until time.Time
	// FromPublication and UntilPublication bound the publications and include
	// the one that they name; AfterPublication and BeforePublication exclude
	// it.
	FromPublication, AfterPublication, BeforePublication, UntilPublication ID
	// Topic selects one topic of a subscription to a pattern.
	Topic string
}

// check reports bounds that are none.
func (q *HistoryQuery) check() error {
	switch {
	case q.Limit < 0 || q.Last < 0:
		return errors.New("HistoryQuery: the limit is negative")
	case q.Limit > 0 && q.Last > 0:
		return errors.New("HistoryQuery: both Limit and Last are set")
	case q.Last > 0 && q.Reverse:
		return errors.New("HistoryQuery: both Last, which is oldest first, and Reverse are set")
	}
	for _, id := range []ID{q.FromPublication, q.AfterPublication, q.BeforePublication, q.UntilPublication} {
		if id != 0 && !id.Valid() {
			return fmt.Errorf("HistoryQuery: %d is no publication id", id)
		}
	}
	if q.Topic != "" {
		return proto.CheckURI(q.Topic)
	}
	return nil
}

// ends reports whether there is an upper bound.
func (q *HistoryQuery) ends() bool {
	return !q.Before.IsZero() || !q.Until.IsZero() || q.BeforePublication != 0 || q.UntilPublication != 0
}

// keywords is the query as it is sent.
func (q *HistoryQuery) keywords() map[string]any {
	kw := map[string]any{}
	if n := max(q.Limit, q.Last); n > 0 {
		kw["limit"] = n
	}
	if q.Reverse || q.Last > 0 {
		kw["reverse"] = true
	}
	if q.Topic != "" {
		kw[proto.KeyTopic] = q.Topic
	}
	for key, at := range map[string]time.Time{"from_time": q.From, "after_time": q.After, "before_time": q.Before, "until_time": q.Until} {
		if !at.IsZero() {
			kw[key] = at.UTC().Format(time.RFC3339Nano)
		}
	}
	for key, id := range map[string]ID{"from_publication": q.FromPublication, "after_publication": q.AfterPublication,
		"before_publication": q.BeforePublication, "until_publication": q.UntilPublication} {
		if id != 0 {
			kw[key] = id
		}
	}
	return kw
}

// History asks the broker for past events of the subscription, oldest first
// unless bounds.Reverse is set. Their Historic field is set. History returns
// when it has all of them: the channel holds them and is closed.
//
// ctx governs the call. The error is a [FeatureError] where the broker did not
// announce event_history, or what the broker answered. Crossbar supports it
// without announcing it, see [Assume].
//
// See the WAMP specification, "Event History".
func (sub *Subscription) History(ctx context.Context, bounds HistoryQuery) (<-chan Event, error) {
	err := bounds.check()
	ctx, bad := session.Own(ctx)
	if bad != nil {
		err = bad
	}
	var events []Event
	if err == nil {
		events, err = sub.history(ctx, bounds, Results.Final)
	}
	if err != nil {
		return nil, opError("history", sub.subscription.URI, err)
	}
	return flow.Of(events...), nil
}

// history asks for past events, and waits for the answer by await. Oldest first,
// unless the query is reversed.
func (sub *Subscription) history(ctx context.Context, q HistoryQuery, await func(Results) (Result, error), options ...CallOption) ([]Event, error) {
	for {
		id := sub.ID()
		kw := q.keywords()
		events, err := sub.historyOf(ctx, id, kw, await, options...)
		if q.Last > 0 && (session.Is(err, ErrRuntimeError) || session.Is(err, ErrInvalidArgument)) {
			// Crossbar gives the newest ones, and knows no other key.
			delete(kw, "reverse")
			events, err = sub.historyOf(ctx, id, kw, await, options...)
		}
		if sub.ID() != id && ctx.Err() == nil {
			continue // it was restored meanwhile, and the router has another name for it
		}
		if q.Last > 0 {
			slices.Reverse(events)
		}
		if n := len(events); n > 1 && (events[0].Time.After(events[n-1].Time) && !q.Reverse || events[0].Time.Before(events[n-1].Time) && q.Reverse) {
			slices.Reverse(events) // a router that gives the newest first, or last, all the same
		}
		return q.trim(events), err
	}
}

func (sub *Subscription) historyOf(ctx context.Context, id ID, kw map[string]any, await func(Results) (Result, error), options ...CallOption) ([]Event, error) {
	options = append([]CallOption{Idempotent(), aboutCall{&sub.subscription}, Require(proto.Broker, proto.EventHistory)}, options...)
	r, err := await(sub.s.Call(ctx, proto.MetaSubscriptionGetEvents, Args(id).WithKwargs(kw), options...))
	if err != nil {
		return nil, err
	}
	list, err := entriesOf(r.Payload)
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(list))
	seen := make(map[ID]bool, len(list))
	for i, raw := range list {
		ev, err := sub.historic(r.Codec(), raw)
		if err != nil {
			return nil, fmt.Errorf("entry %d of the answer: %w", i, err)
		}
		if !seen[ev.Publication] { // Crossbar keeps an event once for each session that got it
			seen[ev.Publication] = true
			events = append(events, ev)
		}
	}
	return events, nil
}

// entriesOf returns the entries of an answer, each as it came: what is wrong inside
// of one of them is not the others' business.
func entriesOf(p Payload) ([][]byte, error) {
	if p.RawArgs() == nil {
		return nil, nil
	}
	list, err := codec.Items(p.Codec(), p.RawArgs())
	if err == nil && len(list) == 1 { // one list of events, instead of events
		if inner, bad := codec.Items(p.Codec(), list[0]); bad == nil {
			return inner, nil
		}
		if _, bad := codec.Entries(p.Codec(), list[0]); bad != nil {
			if v, bad := p.Codec().Plain(list[0]); bad == nil && v == nil {
				return nil, nil
			}
		}
	}
	return list, err
}

// trim leaves out what a router has given though it was not asked for: not all of
// them know every bound. events are in the order that was asked for.
func (q *HistoryQuery) trim(events []Event) []Event {
	if q.Reverse {
		slices.Reverse(events)
	}
	// of is where a publication is. One that is not there the router knows better.
	of := func(id ID) (i int, there bool) {
		i = slices.IndexFunc(events, func(ev Event) bool { return id != 0 && ev.Publication == id })
		return i, i >= 0
	}
	if i, there := of(q.FromPublication); there {
		events = events[i:]
	}
	if i, there := of(q.AfterPublication); there {
		events = events[i+1:]
	}
	if i, there := of(q.BeforePublication); there {
		events = events[:i]
	}
	if i, there := of(q.UntilPublication); there {
		events = events[:i+1]
	}
	events = slices.DeleteFunc(events, func(ev Event) bool {
		return q.Topic != "" && ev.Topic != q.Topic || !ev.Time.IsZero() && q.outside(ev.Time)
	})
	if n := max(q.Limit, q.Last); n > 0 && len(events) > n {
		if q.Last > 0 || q.Reverse {
			events = events[len(events)-n:]
		} else {
			events = events[:n]
		}
	}
	if q.Reverse {
		slices.Reverse(events)
	}
	return events
}

// outside reports whether a moment is outside of the bounds.
func (q *HistoryQuery) outside(t time.Time) bool {
	return t.Before(q.From) || !q.After.IsZero() && !t.After(q.After) ||
		!q.Before.IsZero() && !t.Before(q.Before) || !q.Until.IsZero() && t.After(q.Until)
}

// historic reads an event of the history. Routers name its parts variously, and
// some begin their names with an upper-case letter. Its details are read as those
// of an EVENT are, and its payload is left as it came.
func (sub *Subscription) historic(c codec.Codec, raw []byte) (Event, error) {
	m, err := codec.Entries(c, raw)
	if err != nil {
		return Event{}, fmt.Errorf("it is no event: %w", err)
	}
	m = lowered(m, strings.ToLower)
	first := func(keys ...string) []byte {
		for _, k := range keys {
			if v := m[k]; v != nil {
				return v
			}
		}
		return nil
	}
	plain := func(keys ...string) any {
		if raw := first(keys...); raw != nil {
			if v, err := c.Plain(raw); err == nil {
				return v
			}
		}
		return nil
	}
	ev := Event{Publication: proto.IDOf(plain("publication", "id")), Topic: sub.subscription.URI, Historic: true}
	ev.Time, _ = proto.TimeOf(plain("timestamp", "time_ns", "created", "time"))
	if ev.Publication == 0 {
		return Event{}, errors.New("it has no publication id")
	}
	said, err := detailsOf(c, m["details"])
	if err != nil {
		return Event{}, fmt.Errorf("its details: %w", err)
	}
	for _, keys := range [][]string{{proto.KeyTopic}, {proto.KeyPublisher, "session_id"}, {proto.KeyPublisherAuthID, proto.KeyAuthID}, {proto.KeyPublisherAuthRole, proto.KeyAuthRole}} {
		if v := plain(keys...); v != nil && !said.Has(keys[0]) {
			said = append(said, proto.Entry{Key: keys[0], Value: v})
		}
	}
	var odd *proto.Oddity
	ev.Details, odd = proto.SiftOptions(proto.Event, said)
	if topic := ev.Details.Str(proto.KeyTopic); topic != "" {
		ev.Topic = topic
	}
	about := seal.About{Kind: seal.KindPublish, URI: passthru.Place(sub.subscription.URI, sub.subscription.Match, ev.Topic)}
	if odd.Has(proto.OddPayload) {
		ev.Payload = passthru.Unreadable(about, odd)
		return ev, nil
	}
	payload := codec.Raw(c, first("args", "arguments"), first("kwargs", "arguments_kw", "argumentskw"))
	ev.Payload = sub.s.opening(about, ev.Details, payload)
	return ev, nil
}

// detailsOf reads the details of an event, which may be absent.
func detailsOf(c codec.Codec, raw []byte) (Dict, error) {
	if raw == nil {
		return nil, nil
	}
	d, err := codec.Details(c, raw)
	if err != nil {
		return nil, err
	}
	kept := make(Dict, 0, len(d))
	for _, e := range d {
		low := lowerFirst(e.Key)
		if low != e.Key && d.Has(low) {
			continue // what stands there in that form already counts
		}
		e.Key = low
		kept = append(kept, e)
	}
	return kept, nil
}

// lowered returns a dict with keys changed by lower. What stands there in that
// form already counts.
func lowered[T any](m map[string]T, lower func(string) string) map[string]T {
	out, cloned := m, false
	for key, v := range m {
		low := lower(key)
		if low == key {
			continue
		}
		if !cloned {
			out, cloned = maps.Clone(m), true
		}
		delete(out, key)
		if _, there := m[low]; !there {
			out[low] = v
		}
	}
	return out
}

// lowerFirst lowers the first letter: what comes behind it is somebody's own.
func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
