package wamp

import (
	"context"
	"errors"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// FromHistory lets the subscription begin with the broker's event history,
// within bounds that have no end, and go on with live events: one stream,
// without a gap between the two and without an event twice. After a reconnect
// what was published meanwhile is taken from the history; where that does not
// reach back to the last event, the next one has AfterGap set, as without
// FromHistory.
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
	gap    bool // events are missing before the next one
	asked  bool // the history was asked what is missing since the last event

	// Live events that come before the first answer of the history are held
	// back, since only what is in it tells where they belong. The actor's until
	// then.
	answered bool
	held     []Event
	octets   int
}

// heldOctets bounds what is held back, with recentIDs.
const heldOctets = 1 << 20

// hold keeps a live event until the history has answered. It reports false
// where that has happened, or where there is no room: then it follows as usual.
// Actor only.
func (p *replay) hold(ev Event, size int) bool {
	if p.answered || len(p.held) >= recentIDs || p.octets+size > heldOctets {
		p.answered = true
		return false
	}
	p.held = append(p.held, ev)
	p.octets += size
	return true
}

// forget drops what came on a connection that is lost: the answer is one of a
// later moment. Actor only.
func (p *replay) forget() {
	if !p.answered {
		p.held, p.octets = nil, 0
	}
}

// prepare is called before the subscription is handed over.
func (p *replay) prepare(sub *Subscription) {
	p.ctx, p.cancel = context.WithCancel(sub.eng.Ctx)
	sub.eng.Ctx = p.ctx
	p.relay = newRelay[Event](p.ctx, eventChannel)
}

// start asks for the history and begins to deliver.
func (p *replay) start() error {
	first, err := p.sub.history(p.ctx, p.query, tellCall(func() { p.answered = true }))
	if err == nil {
		err = p.relay.run(p.sub.s, func() { p.run(interleave(inOrder(first), p.held)) })
	}
	if err != nil {
		if why := p.sub.Err(); why != nil { // such as a revocation, which is why there is no history
			err = why
		}
		p.cancel()
	}
	return err
}

func (p *replay) run(first []Event) {
	defer p.cancel()
	st := &p.sub.stream
	if !p.deliver(first) {
		p.cut(1)
		return
	}
	for ev := range st.ch {
		switch {
		case ev.restored || ev.AfterGap && !p.asked: // a slow consumer has lost the sign
			p.asked = true
			if !p.deliver(p.missed()) {
				p.cut(1)
				return
			}
			if ev.restored {
				continue
			}
		case p.recent.has(ev.Publication):
			continue // history had it, or it is the retained one
		}
		if ev.AfterGap { // said by gap, which the history may have filled
			ev.AfterGap, p.asked = false, false
		}
		if !p.deliver([]Event{ev}) {
			p.cut(1 + len(st.ch))
			return
		}
	}
}

// cut notes why the consumer is not waited for any more: the context has ended,
// or Close was out of time and the consumer has missed something.
func (p *replay) cut(n int) {
	if p.ctx.Err() != nil {
		p.sub.setErr(session.Canceled(p.ctx)) // the engine may not have heard yet
		return
	}
	err := undelivered(p.sub.s.eng, n)
	p.sub.err.Store(&err)
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
	p.gap = true
	q := &historyQuery{kw: map[string]any{}}
	if topic := p.query.kw["topic"]; topic != nil {
		q.kw["topic"] = topic
	}
	if last := p.recent.last(); last != 0 {
		q.kw["from_publication"] = last // that one too: if it is there, nothing is missing
	}
	events, err := p.sub.history(p.ctx, q, patientCall{})
	if err != nil && ErrorURI(err) != "" { // a router that knows the first bounds only
		events, err = p.sub.history(p.ctx, p.query, patientCall{})
	}
	if err != nil {
		if p.ctx.Err() == nil {
			p.sub.s.logger.Warn("wamp: the event history was not to be had after a reconnect", "topic", p.sub.eng.URI, "error", err)
		}
		return nil
	}
	events = inOrder(events)
	for i := len(events) - 1; i >= 0; i-- {
		if p.recent.has(events[i].Publication) {
			p.gap = false
			return events[i+1:]
		}
	}
	return events
}

// interleave puts live events among those of the history, in the order in which
// they were published. What is in both tells where: without it a live event
// comes behind the history, which was there before the subscription.
func interleave(history, live []Event) []Event {
	at := make(map[ID]int, len(history))
	for i, ev := range history {
		at[ev.Publication] = i
	}
	before := make([]int, len(live)) // the event of the history that comes next
	next := len(history)
	for i := len(live) - 1; i >= 0; i-- {
		if j, both := at[live[i].Publication]; both {
			next = j
		}
		before[i] = next
	}
	all := make([]Event, 0, len(history)+len(live))
	done := 0
	for i, ev := range live {
		if before[i] > done {
			all = append(all, history[done:before[i]]...)
			done = before[i]
		}
		if _, both := at[ev.Publication]; !both {
			all = append(all, ev)
		}
	}
	return append(all, history[done:]...)
}

// inOrder puts the oldest event first: Crossbar gives the newest first.
func inOrder(events []Event) []Event {
	if n := len(events); n > 1 && events[0].Time.After(events[n-1].Time) {
		slices.Reverse(events)
	}
	return events
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
