package sim

import (
	"fmt"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What the model knows of publish streams. Their payloads are counted from 1.

// streamed is the part of an operation that is a publish stream.
type streamed struct {
	fed         int          // payloads that it has taken from its producer
	acks        int          // answers that its user has seen
	failed      int          // the first that was an error
	unknown     []int        // whose outcome is unknown
	lastWritten []int        // and of those, for the end of the session
	silent      map[int]bool // of those, the ones that the router has not acknowledged
	over        bool         // it was ended by its context or with its session
	byClose     bool         // with its session
	written     map[int][]write
	taken       map[int]int // how often the router took each
	flight      []int       // written on this link, and not answered
}

// StreamFed says that a stream takes a payload.
func (m *Model) StreamFed(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ops[n].fed++
}

// StreamWritten says that a publish of a stream was handed to the link.
func (m *Model) StreamWritten(n, k, link int, id proto.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("written op=%d publish %d link=%d", n, k, link)
	o := m.ops[n]
	if o.written == nil {
		o.written, o.taken = map[int][]write{}, map[int]int{}
	}
	if len(o.written[k]) > 0 && o.How != Idempotent {
		m.broken(AtMostOnce, "publish %d of stream %d is written again", k, n)
	}
	defer func() { o.written[k] = append(o.written[k], write{link: link, at: m.now()}) }()
	if !m.up || link != m.link {
		return // the writer learns of the loss last
	}
	r := &request{op: o, kind: proto.Publish, window: noWindow, users: perhaps}
	if o.Steps == 0 {
		r.window = ackWindow
	}
	m.judgeAgain(fmt.Sprintf("publish %d of stream %d", k, n), o.written[k], r)
	o.suspect = o.suspect || m.suspected(o.written[k]) != no
	m.ask(id, r)
	if len(o.flight) > 0 && k < slices.Max(o.flight) && !o.suspect {
		m.broken(Order, "publish %d of stream %d is written behind %d", k, n, slices.Max(o.flight))
	}
	if o.flight = append(o.flight, k); o.Steps > 0 && len(o.flight) > o.Steps {
		m.broken(Windowed, "stream %d has %d publishes under way, its window is %d", n, len(o.flight), o.Steps)
	}
}

// StreamTaken says that the router takes a publish of a stream.
func (m *Model) StreamTaken(n, k int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	if o.taken[k]++; o.taken[k] > 1 && o.How != Idempotent {
		m.broken(AtMostOnce, "publish %d of stream %d is in the log %d times", k, n, o.taken[k])
	}
	m.Counts.Streamed++
}

// StreamPublished says which publication the router makes of it.
func (m *Model) StreamPublished(n, k int, id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams[id] = [2]int{n, k}
}

// StreamHeard says that the session is about to learn that a publish is
// acknowledged.
func (m *Model) StreamHeard(n, k int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	o.flight = slices.DeleteFunc(o.flight, func(other int) bool { return other == k })
}

// StreamAck says that the user of a stream was given an acknowledgement.
func (m *Model) StreamAck(n int, id uint64, e End) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	o.acks++
	m.note("ack op=%d number %d: %s %s", n, o.acks, e.How, e.Text)
	// Those under way are told each, and what was known of others comes behind them.
	if o.over && e.How != Closed && e.How != NotConnected && !(o.byClose && (e.How == Result || e.How == Unknown)) {
		m.broken(EndsOnce, "stream %d got an acknowledgement behind its end", n)
	}
	if e.How == Result {
		switch of := m.streams[id]; {
		case of[0] != n:
			m.broken(OwnAnswer, "stream %d got an acknowledgement of %d", n, of[0])
		case of[1] != o.acks:
			m.broken(Order, "stream %d got as number %d the acknowledgement of %d", n, o.acks, of[1])
		case o.taken[o.acks] == 0:
			m.broken(NothingLost, "publish %d of stream %d is acknowledged, and the router has not taken it", o.acks, n)
		}
		return
	}
	if e.How == Unknown && e.Over {
		o.lastWritten = append(o.lastWritten, o.acks)
	} else if e.How == Unknown {
		o.unknown = append(o.unknown, o.acks)
		if e.Silence {
			if o.silent == nil {
				o.silent = map[int]bool{}
			}
			o.silent[o.acks] = true
		}
	}
	if rule := truths[Stream][e.How]; rule == nil {
		m.broken(TrueOutcome, "publish %d of stream %d ended with %s %s", o.acks, n, e.How, e.Text)
	} else if wrong := rule(m, o, e); wrong != "" {
		m.broken(TrueOutcome, "publish %d of stream %d ended with %s %s: %s", o.acks, n, e.How, e.Text, wrong)
	}
	if o.failed == 0 {
		o.failed = o.acks
	}
	o.byClose = e.How == Closed || e.Over
	o.over = e.How == Canceled || o.byClose
}

// windowOf is how many publishes of a stream may be under way.
func (m *Model) windowOf(o *op) int {
	if o.Steps == 0 {
		return m.windows[ackWindow]
	}
	return o.Steps
}

// judgeUnknown judges when all is quiet that an outcome is unknown only of what
// was written, once.
func (m *Model) judgeUnknown(o *op) {
	for _, k := range o.lastWritten { // the session is over: it is not sent again in any case
		if len(o.written[k]) == 0 {
			m.broken(OnlyWritten, "the outcome of publish %d of stream %d is unknown at the end", k, o.Op)
		}
	}
	for _, k := range o.unknown {
		if len(o.written[k]) == 0 || o.How == Idempotent && m.deaths(o.written[k], true) < mostDeaths && !o.silent[k] {
			m.broken(OnlyWritten, "the outcome of publish %d of stream %d is unknown", k, o.Op)
		}
	}
}

// StreamEnded says that the acknowledgements of a stream have ended.
func (m *Model) StreamEnded(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	m.note("stream op=%d has ended: %d taken, %d acknowledged, failed at %d", n, o.fed, o.acks, o.failed)
	if o.ended++; o.over {
		return
	}
	stops := o.failed > 0 && o.How != GoOn
	switch {
	case o.acks != o.fed:
		m.broken(EndsOnce, "stream %d has taken %d payloads, and has answered %d", n, o.fed, o.acks)
	case !stops && o.fed != o.N:
		m.broken(EndsOnce, "stream %d has ended after %d of %d payloads", n, o.fed, o.N)
	case stops && o.fed > o.failed-1+m.windowOf(o):
		m.broken(Windowed, "stream %d has taken %d payloads, though number %d has failed", n, o.fed, o.failed)
	}
}
