package wamp

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/internal/ring"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// FromHistory begins a subscription with the broker's event history and
// continues with live events: one stream, with no gap between the two and no
// event twice. The bounds select where the stream begins; they must have no end
// and must not be reversed. Limit means the same as Last here. Topic
// selects a topic of the history only: live events come of all topics of a
// pattern.
//
// After a reconnect, events that were published meanwhile are taken from the
// history. Where that does not reach back to the last event, the next one has
// AfterGap set. AfterGap is also set where the broker did not announce
// event_history itself: Crossbar stores only events that a session received, and while the
// connection was lost that may have been none.
//
// [Session.Subscribe] then also asks for the history, under its ctx, and fails
// if the broker refuses: with a [FeatureError] where it did not announce
// event_history. Crossbar supports it without announcing it, see [Assume]. Live
// events that arrive before the answer are held apart from [Buffer], up to 64
// MiB. Further ones wait in Buffer; under [OverflowBlock] they keep the answer
// from being read until ctx ends.
func FromHistory(bounds HistoryQuery) SubscribeOption { return fromHistoryOption(bounds) }

type fromHistoryOption HistoryQuery

func (o fromHistoryOption) applySubscribe(s *Subscription) error {
	q := HistoryQuery(o)
	if err := q.check(); err != nil {
		return err
	}
	if q.ends() || q.Reverse {
		return errors.New("FromHistory: the query has an end or is reversed, and live events must follow it")
	}
	q.Limit, q.Last = 0, max(q.Limit, q.Last) // the oldest ones would leave a gap behind them
	s.replay = &replay{sub: s, query: q}
	return nil
}

// replay joins history and live events. Its goroutine owns it after start.
type replay struct {
	sub    *Subscription
	query  HistoryQuery
	ctx    context.Context // of the subscription: it belongs to it
	cancel context.CancelFunc
	relay  *flow.Relay[Event]
	recent ring.Set[ID]
	gap    bool   // events are missing before the next one
	link   uint64 // the history was asked what was missed before this link
	whole  bool   // it reached back to the last event

	links atomic.Uint64 // how often the actor has heard of a restore
	puts  atomic.Uint64 // what the actor has put into the stream
	reads uint64        // what has been taken out of it
	ahead []Event       // what has been taken out and not been looked at
	bytes int           // of those, about
	lost  uint64        // dropped by the policy before what has been taken out
}

// put puts a value into the stream, and counts it then. Actor only.
func (p *replay) put(ev Event, size int) session.Verdict {
	ev.size = int32(min(size, 1<<30)) //nolint:gosec // it is not more
	defer p.puts.Add(1)
	return p.sub.stream.Put(ev, size)
}

// again puts the sign of a restore into the stream. Actor only.
func (p *replay) again() session.Verdict {
	n := p.links.Load() + 1
	defer p.links.Store(n) // behind the put, so that a sign that is not there was dropped
	return p.put(Event{restored: true, stamp: n}, session.Overhead)
}

// prepare is called before the subscription is handed over.
func (p *replay) prepare(sub *Subscription) {
	p.ctx, p.cancel = context.WithCancel(sub.subscription.Ctx)
	sub.subscription.Ctx = p.ctx
	sub.stream.Bind(p.ctx)
	p.relay = flow.NewRelay[Event](p.ctx, eventChannel)
}

// start asks for the history and begins to deliver.
func (p *replay) start() error {
	first, err := p.sub.history(p.ctx, p.query, p.await)
	if err != nil {
		if why := p.sub.Err(); why != nil { // such as a revocation, which is why there is no history
			return why
		}
		return err
	}
	return p.relay.Run(p.sub.s.eng, func() { p.run(first) })
}

// await waits for the answer of the history. What comes live meanwhile is taken
// out of the stream: only the answer tells where it belongs, and the answer would
// not come where the stream held the connection back.
func (p *replay) await(answer Results) (Result, error) {
	in := p.sub.stream.Ch()
	for {
		if p.bytes >= eventBytes {
			in = nil
		}
		select {
		case r := <-answer:
			return r, r.Err
		case ev, ok := <-in:
			if !ok {
				in = nil // run will see it
				continue
			}
			p.keep(ev)
		}
	}
}

func (p *replay) keep(ev Event) {
	p.reads++
	p.lost += ev.Lost
	p.ahead = append(p.ahead, ev)
	p.bytes += int(ev.size)
}

// next is the next live event.
func (p *replay) next() (ev Event, ok bool) {
	if len(p.ahead) > 0 {
		ev = p.ahead[0]
		p.ahead[0] = Event{}
		p.ahead = p.ahead[1:]
		p.bytes -= int(ev.size)
		return ev, true
	}
	ev, ok = <-p.sub.stream.Ch()
	p.reads++
	p.lost += ev.Lost
	return ev, ok
}

func (p *replay) run(first []Event) {
	defer p.cancel()
	waiting := p.join(first, true)
	for waiting {
		if n := p.links.Load(); n > p.link && len(p.ahead) == 0 && p.puts.Load() == p.reads+p.sub.stream.Dropped() {
			p.link = n // a slow consumer has lost the sign, and nothing waits behind it
			waiting = p.join(p.missed())
			continue
		}
		ev, ok := p.next()
		if !ok {
			return
		}
		if ev.stamp == p.link {
			waiting = ev.restored || p.deliver([]Event{ev})
			continue
		}
		p.link = ev.stamp // also where a slow consumer has lost the sign
		missed, answered := p.missed()
		if !ev.restored {
			p.ahead = slices.Insert(p.ahead, 0, ev)
		}
		waiting = p.join(missed, answered)
	}
	p.cut(1 + len(p.ahead) + len(p.sub.stream.Ch()))
}

// join delivers a history together with the live events that came before it,
// each in its place.
func (p *replay) join(history []Event, answered bool) bool {
	// The actor counts what it has put, so all that came before the answer is
	// read here, and nothing is waited for: either it comes or the stream ends.
	st := &p.sub.stream
	for p.puts.Load() > p.reads+st.Dropped() {
		ev, ok := <-st.Ch()
		if !ok {
			break
		}
		p.keep(ev)
	}
	n := slices.IndexFunc(p.ahead, func(ev Event) bool { return ev.stamp != p.link })
	later := n >= 0
	if !later {
		n = len(p.ahead)
	}
	live := slices.Clone(p.ahead[:n])
	for range live {
		p.next()
	}
	if later && answered && p.announced() {
		// There is another link already, and the answer may be of that one: what is
		// not in it is asked for once more.
		return p.deliver(history)
	}
	return p.deliver(p.interleave(history, live))
}

// announced reports whether the broker says that it has the event history.
func (p *replay) announced() bool {
	return p.sub.s.Details().Roles.Features(proto.Broker).Has(proto.EventHistory)
}

// interleave puts live events among those of the history, in the order in which
// they were published. What is in both tells where the two meet. A live event
// before that is older than all of the history, which has a limit, or not of its
// topic; one behind it is newer. Where they do not meet, all live events are
// newer, unless the latest of them were dropped.
func (p *replay) interleave(history, live []Event) []Event {
	if len(live) == 0 {
		return history
	}
	at := make(map[ID]int, len(history))
	for i, ev := range history {
		at[ev.Publication] = i
	}
	before := make([]int, len(live)) // the event of the history that comes next
	next, meet := len(history), len(live)
	for k := len(live) - 1; k >= 0; k-- {
		if i, both := at[live[k].Publication]; both {
			next, meet = min(next, i), k
			history[i].Lost = live[k].Lost
		}
		before[k] = next
	}
	if meet == len(live) && p.sub.stream.Dropped() == p.lost {
		meet = 0
	}
	topic := p.query.Topic
	all := make([]Event, 0, len(history)+len(live))
	done := 0
	for k, ev := range live {
		_, both := at[ev.Publication]
		older := !both && (ev.Retained || k < meet && (topic == "" || topic == ev.Topic))
		if !older && before[k] > done {
			all = append(all, history[done:before[k]]...)
			done = before[k]
		}
		if !both {
			all = append(all, ev)
		}
	}
	return append(all, history[done:]...)
}

// cut notes why the consumer is not waited for any more: the context has ended,
// or Close was out of time and the consumer has missed something.
func (p *replay) cut(n int) {
	if p.ctx.Err() != nil {
		p.sub.setErr(session.Canceled(p.ctx)) // the engine may not have heard yet
		return
	}
	err := opError("subscription", p.sub.subscription.URI, p.sub.s.eng.Undelivered(n))
	p.sub.end.err.Store(&err)
}

// deliver hands events to the consumer. It reports whether that one is still
// waited for.
func (p *replay) deliver(events []Event) bool {
	for _, ev := range events {
		if p.recent.Has(ev.Publication) || ev.Retained && p.whole {
			continue // it was delivered, or it came before the link was lost
		}
		p.recent.Add(ev.Publication, max(recentIDs, 2*len(events)))
		ev.AfterGap, p.gap = p.gap, false
		if !p.relay.Send(ev) {
			return false
		}
	}
	return true
}

// missed returns what was published while there was no connection, and whether
// the history was to be had.
func (p *replay) missed() (events []Event, answered bool) {
	p.gap, p.whole = true, false
	last := p.recent.Last()
	events, err := p.sub.history(p.ctx, p.since(last), p.await, patientCall{})
	switch {
	case err != nil && ErrorURI(err) != "": // a router that knows a limit only
		events, err = p.sub.history(p.ctx, HistoryQuery{Limit: historyMost}, p.await, patientCall{})
	case err == nil && last != 0 && p.known(events) < 0: // or it does not know that one
		events, err = p.sub.history(p.ctx, p.since(0), p.await, patientCall{})
	}
	if err != nil {
		if p.ctx.Err() == nil {
			p.sub.s.eng.Note(session.RecordHistory, slog.String("topic", p.sub.subscription.URI), session.Failed(err))
		}
		return nil, false
	}
	if i := p.known(events); i >= 0 {
		p.gap, p.whole = !p.announced(), true
		return events[i+1:], true
	}
	return events, true
}

// known is the index of the newest event that has been delivered, -1 if none
// has.
func (p *replay) known(events []Event) int {
	for i := len(events) - 1; i >= 0; i-- {
		if p.recent.Has(events[i].Publication) {
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
func (p *replay) since(last ID) HistoryQuery {
	if last != 0 {
		return HistoryQuery{FromPublication: last}
	}
	q := p.query
	q.Last, q.Topic = 0, ""
	return q
}

// recentIDs is how many of the newest publications are remembered at least, to
// tell what has been delivered.
const recentIDs = 1024
