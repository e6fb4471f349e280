package wamp

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// FromHistory lets the subscription begin with the broker's event history,
// within bounds that have no end, and go on with live events: one stream,
// without a gap between the two and without an event twice. After a reconnect
// what was published meanwhile is taken from the history; where that does not
// reach back to the last event, the next one has AfterGap set, as without
// FromHistory. So it has where the broker did not announce event_history itself:
// Crossbar keeps only what somebody got, and while there was no connection that
// may have been nobody.
//
// Subscribe then also asks for the history, under its ctx, and fails if the
// broker does not give it: with a *FeatureError where it did not announce
// event_history (Crossbar has it and does not: see Assume).
//
// With Block, more live events than Buffer holds, while the history is asked for,
// keep its answer from being read: ctx ends that.
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

	puts  atomic.Uint64 // what the actor has put into the stream
	reads uint64        // what has been taken out of it
	ahead []Event       // what has been taken out and not been looked at
	lost  uint64        // what the policy had dropped when histories were last joined
}

// prepare is called before the subscription is handed over.
func (p *replay) prepare(sub *Subscription) {
	p.ctx, p.cancel = context.WithCancel(sub.eng.Ctx)
	sub.eng.Ctx = p.ctx
	p.relay = newRelay[Event](p.ctx, eventChannel)
}

// start asks for the history and begins to deliver.
func (p *replay) start() error {
	first, err := p.sub.history(p.ctx, p.query)
	if err == nil {
		err = p.relay.run(p.sub.s, func() { p.run(first) })
	}
	if err != nil {
		p.cancel()
	}
	return err
}

func (p *replay) run(first []Event) {
	defer p.cancel()
	waiting := p.join(inOrder(first))
	for waiting {
		ev, ok := p.next()
		switch {
		case !ok:
			return
		case ev.restored || ev.AfterGap && !p.asked: // a slow consumer has lost the sign
			p.asked = true
			missed := p.missed()
			if !ev.restored {
				p.ahead = append([]Event{ev}, p.ahead...)
			}
			waiting = p.join(missed)
		default:
			waiting = p.live(ev)
		}
	}
	p.cut(1 + len(p.ahead) + len(p.sub.stream.ch))
}

// next takes the next live event.
func (p *replay) next() (Event, bool) {
	if len(p.ahead) > 0 {
		ev := p.ahead[0]
		p.ahead = p.ahead[1:]
		return ev, true
	}
	return p.read()
}

func (p *replay) read() (Event, bool) {
	ev, ok := <-p.sub.stream.ch
	p.reads++
	return ev, ok
}

// join delivers a history and the live events that came before it. What both have
// says where they meet: a history that begins later than the live events is not
// delivered before them.
func (p *replay) join(history []Event) bool {
	// what waits in the stream; the policy may drop some of it meanwhile
	st := &p.sub.stream
	for n := p.puts.Load() - p.reads - st.lost(); n > 0 && p.puts.Load() > p.reads+st.lost(); n-- {
		ev, ok := p.read()
		if !ok {
			break
		}
		p.ahead = append(p.ahead, ev)
	}
	came := len(p.ahead)
	for i, ev := range p.ahead {
		if ev.restored || ev.AfterGap && (i > 0 || !p.asked) {
			came = i // the rest is of another connection, and has a history of its own
			break
		}
	}
	live := p.ahead[:came]
	p.ahead = p.ahead[came:]
	at := make(map[ID]int, len(history))
	for i, ev := range history {
		at[ev.Publication] = i
	}
	before, meet, marked := len(history), len(live), uint64(0)
	for k, ev := range live {
		if i, both := at[ev.Publication]; both {
			before, meet = min(before, i), min(meet, k)
			history[i].Lost = ev.Lost
		}
		marked += ev.Lost
	}
	// history[:before] comes first. Where live events were lost it may fill the
	// last hole before the two meet.
	first := 0
	for k, ev := range live {
		if ev.Lost > 0 && k <= meet {
			first = k
		}
	}
	if lost := st.lost(); lost > p.lost {
		if lost-p.lost > marked && meet == len(live) {
			first = meet // the next one will say that some are missing
		}
		p.lost = lost
	}
	done := 0
	upTo := func(n int) bool {
		part := history[min(done, n):n]
		done = max(done, n)
		return p.deliver(part)
	}
	for k, ev := range live {
		if k >= first && !upTo(before) {
			return false
		}
		i, both := at[ev.Publication]
		if both && ev.AfterGap {
			p.asked = false
		}
		if both && !upTo(i+1) || !both && !p.live(ev) {
			return false
		}
	}
	return upTo(len(history))
}

// live delivers a live event, unless the history had it, or it is the retained
// one.
func (p *replay) live(ev Event) bool {
	if ev.AfterGap { // said by gap, which the history may have filled
		ev.AfterGap, p.asked = false, false
	}
	return p.deliver([]Event{ev})
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
	p.gap = true
	q := &historyQuery{kw: map[string]any{}}
	if topic := p.query.kw["topic"]; topic != nil {
		q.kw["topic"] = topic
	}
	if last := p.recent.last(); last != 0 {
		q.kw["from_publication"] = last // that one too: if it is there, nothing is missing
	}
	events, err := p.sub.history(p.ctx, q)
	if err != nil && ErrorURI(err) != "" { // a router that knows the first bounds only
		events, err = p.sub.history(p.ctx, p.query)
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
			p.gap = !p.sub.s.Details().Roles.Features(proto.Broker).Has(proto.EventHistory)
			return events[i+1:]
		}
	}
	return events
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
