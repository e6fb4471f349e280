package wamp

import (
	"context"
	"errors"
	"slices"
)

// FromHistory lets the subscription begin with the broker's event history,
// within bounds that have no end, and go on with live events: one stream,
// without a gap between the two and without an event twice. After a reconnect
// what was published meanwhile is taken from the history; where that does not
// reach back to the last event, the next one has AfterGap set, as without
// FromHistory.
//
// The bounds say where the stream begins and nothing else: a limit is about the
// newest events, as with HistoryLast, and of a pattern all topics come live.
//
// Subscribe then also asks for the history, under its ctx, and fails if the
// broker does not give it: with a *FeatureError where it did not announce
// event_history (Crossbar has it and does not: see Assume).
func FromHistory(options ...HistoryOption) SubscribeOption { return fromHistoryOption(options) }

type fromHistoryOption []HistoryOption

func (o fromHistoryOption) applySubscribe(s *Subscription) error {
	q, err := newHistoryQuery(o)
	if err != nil {
		return err
	}
	if q.ends || q.kw["reverse"] != nil && !q.last {
		return errors.New("wamp: FromHistory: the bounds must not have an end, nor be reversed")
	}
	if q.limit > 0 { // the oldest ones would leave a gap behind them
		_ = historyLimit{q.limit, true}.applyHistory(q)
	}
	s.replay = &replay{sub: s, query: q}
	return nil
}

// replay joins history and live events. Its goroutine owns it after start.
type replay struct {
	sub    *Subscription
	query  *historyQuery
	ctx    context.Context // of the subscription: it belongs to it
	cancel context.CancelFunc
	relay  *relay[Event]
	recent recent
	gap    bool   // events are missing before the next one
	link   uint64 // the history was asked what was missed before this link
	whole  bool   // it reached back to the last event
}

// prepare is called before the subscription is handed over.
func (p *replay) prepare(sub *Subscription) {
	p.ctx, p.cancel = context.WithCancel(sub.eng.Ctx)
	sub.eng.Ctx, sub.stream.ctx, sub.stream.lenient = p.ctx, p.ctx, true
	p.relay = newRelay[Event](p.ctx, eventChannel)
}

// start asks for the history and begins to deliver.
func (p *replay) start() error {
	first, err := p.sub.history(p.ctx, p.query)
	if err != nil {
		return err
	}
	p.sub.stream.setLenient(false)
	return p.relay.run(p.sub.s, func() { p.run(first) })
}

func (p *replay) run(first []Event) {
	st := &p.sub.stream
	defer func() {
		p.cancel()
		for range st.ch { // when it is closed the subscription knows why it ended
		}
	}()
	if !p.deliver(first) {
		p.cut(1)
		return
	}
	for ev := range st.ch {
		if ev.stamp != p.link { // also where a slow consumer has lost the sign
			p.link = ev.stamp
			if !p.deliver(p.missed()) {
				p.cut(1)
				return
			}
		}
		if ev.restored || p.recent.has(ev.Publication) || ev.Retained && p.whole {
			continue // no event, or history had it, or it came before the link was lost
		}
		if !p.deliver([]Event{ev}) {
			p.cut(1 + len(st.ch))
			return
		}
	}
}

// cut notes that Close was out of time and the consumer has missed something.
func (p *replay) cut(n int) {
	if p.ctx.Err() == nil {
		err := undelivered(p.sub.s.eng, n)
		p.sub.err.Store(&err)
	}
}

// deliver hands events to the consumer. It reports whether that one is still
// waited for.
func (p *replay) deliver(events []Event) bool {
	for _, ev := range events {
		if p.recent.has(ev.Publication) {
			continue
		}
		p.recent.add(ev.Publication, max(recentIDs, 2*len(events)))
		ev.AfterGap, p.gap = p.gap, false
		if !p.relay.send(ev) {
			return false
		}
	}
	return true
}

// missed returns what was published while there was no connection.
func (p *replay) missed() []Event {
	p.gap, p.whole = true, false
	p.sub.stream.setLenient(true)
	defer p.sub.stream.setLenient(false)
	last := p.recent.last()
	events, err := p.sub.history(p.ctx, p.since(last))
	switch {
	case err != nil && ErrorURI(err) != "": // a router that knows a limit only
		events, err = p.sub.history(p.ctx, &historyQuery{kw: map[string]any{"limit": historyMost}})
	case err == nil && last != 0 && p.known(events) < 0: // or it does not know that one
		events, err = p.sub.history(p.ctx, p.since(0))
	}
	if err != nil {
		if p.ctx.Err() == nil {
			p.sub.s.logger.Warn("wamp: the event history was not to be had after a reconnect", "topic", p.sub.eng.URI, "error", err)
		}
		return nil
	}
	if i := p.known(events); i >= 0 {
		p.gap, p.whole = false, true
		return events[i+1:]
	}
	return events
}

// known is the index of the newest event that has been delivered, -1 if none
// has.
func (p *replay) known(events []Event) int {
	for i := len(events) - 1; i >= 0; i-- {
		if p.recent.has(events[i].Publication) {
			return i
		}
	}
	return -1
}

// historyMost is all that a router has.
const historyMost = 1 << 20

// since asks for what came after the last event, and that one too: if it is
// there, nothing is missing. Without one, the bounds hold from which the stream
// was to begin.
func (p *replay) since(last ID) *historyQuery {
	q := &historyQuery{kw: map[string]any{}}
	if last != 0 {
		q.kw["from_publication"] = last
		return q
	}
	for key, bound := range p.query.kw {
		switch key {
		case "limit", "reverse", "topic":
		default:
			q.kw[key] = bound
		}
	}
	return q
}

// recentIDs is how many of the newest publications are remembered at least, to
// tell what has been delivered.
const recentIDs = 1024

// recent remembers the newest ids that were added.
type recent struct {
	ring []ID
	next int
	set  map[ID]struct{}
}

func (r *recent) has(id ID) bool { _, ok := r.set[id]; return ok }

func (r *recent) add(id ID, limit int) {
	if r.set == nil {
		r.set = map[ID]struct{}{}
	}
	r.set[id] = struct{}{}
	if len(r.ring) < limit {
		if r.next != len(r.ring) { // it grows again after it went round
			r.ring = append(slices.Clone(r.ring[r.next:]), r.ring[:r.next]...)
		}
		r.ring = append(r.ring, id)
		r.next = len(r.ring)
		return
	}
	if r.next >= len(r.ring) {
		r.next = 0
	}
	delete(r.set, r.ring[r.next])
	r.ring[r.next] = id
	r.next++
}

// last is the newest, 0 if there is none.
func (r *recent) last() ID {
	if r.next == 0 {
		return 0
	}
	return r.ring[r.next-1]
}
