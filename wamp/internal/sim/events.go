package sim

import (
	"maps"
	"slices"
)

// What the model knows of subscriptions and their events.

// subscribed is the part of an operation that is a subscription.
type subscribed struct {
	ackedOn, from    int // the link on which it stood first, and how many events had been sent there by then
	lastLink, lastIx int // of its last event
	gap              bool
	told             int         // the link on which it was told of the gap
	due              map[int]int // the retained events there were when it was begun, by topic
	first            [2]int      // link, and the index of the first event that it got there
	kept             [2]int      // its last retained events: link, and which topics as bits
	lastLog          int         // of a stream with history: one more than the place of its last event
	had              map[int]bool
	firstLog         int  // the place from which on it misses nothing
	gone             bool // it was told that the router has taken it away
}

// NameOf is the topic or procedure of an operation.
func (m *Model) NameOf(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops[n].Name
}

// EventSent says that the router sends what an operation publishes to the
// session, for its subscription to name.
func (m *Model) EventSent(n, link, name int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	if o == nil {
		return // nobody's
	}
	key := [2]int{link, name}
	m.sent[key] = append(m.sent[key], n)
	m.note("event %d is sent on link %d for %d", n, link, name)
	m.Counts.Events++
	if m.hidden(n, link) {
		m.broken(TrueOutcome, "%s goes to its publisher", o.Action)
	}
}

// hidden reports whether the session of a link must not have what an operation
// publishes.
func (m *Model) hidden(n, link int) bool {
	o := m.op(n)
	if o == nil || o.Kind != Publish || o.ForSelf() {
		return false
	}
	elsewhere := func(r run) bool { return r.link != link } // an idempotent one may have been published twice
	return o.To != "" || len(o.runs) > 0 && !slices.ContainsFunc(o.runs, elsewhere)
}

// RetainedSent says that the router sends a retained event.
func (m *Model) RetainedSent(n, link, name int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("retained event %d is sent on link %d for %d", n, link, name)
	key := [2]int{link, name}
	m.keptSent[key] = append(m.keptSent[key], n)
	m.Counts.Retained++
	if m.hidden(n, link) {
		m.broken(TrueOutcome, "%s is kept for its publisher", m.ops[n].Action)
	}
}

// Retains says that the router keeps what an operation publishes as the last
// event of its topic.
func (m *Model) Retains(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.ops[n].Name
	if m.store[name] = n; !m.hidden(n, m.link) {
		return
	}
	delete(m.storeAt, name) // who has not asked before will not have the last one
	for _, o := range m.ops {
		if o != nil {
			delete(o.due, name)
		}
	}
}

// RouterRestarted says that the router has lost all that it knew.
func (m *Model) RouterRestarted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("the router has restarted")
	clear(m.store)
	clear(m.wills) // and tells nobody
	clear(m.published)
	m.epoch++
	m.restarted = m.now()
	for _, o := range m.ops {
		if o != nil {
			o.due = nil
		}
	}
}

// HeardRevoked says that the session is about to learn that the router has
// taken a subscription away. Who still waits for an answer to a SUBSCRIBE of its
// own is not meant.
func (m *Model) HeardRevoked(name int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("heard that topic %d is revoked", name)
	for _, o := range m.ops {
		if o != nil && o.Kind == Subscribe && o.Name == name && o.ended == 0 {
			o.gone = o.acked && m.up && m.topicAcked[name] == m.link // before that it does not know the id
			o.revoked = o.acked || !m.Exact                          // elsewhere its user may not know yet
		}
	}
}

// Lingers says that a subscription has a handler: what has come is handled behind its end,
// unless its user has ended it.
func (m *Model) Lingers(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.op(n).lingers = true
}

// EventCame says that a subscription was given an event: its number and link
// are in the tag. gap: it says that events may have been missed before it;
// lost: how many its stream has dropped.
func (m *Model) EventCame(n int, got Tag, gap bool, lost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	m.note("event op=%d %v gap=%v lost=%d", n, got, gap, lost)
	m.judgeEvent(o, got, gap, lost)
}

// ofTopic judges that an event is one of a subscription's topic.
func (m *Model) ofTopic(o *op, got Tag) bool {
	ev := m.op(got.Op)
	if ev == nil || ev.Kind != Event && ev.Kind != Publish || !Matches(o.Name, ev.Name) {
		m.broken(OwnAnswer, "subscription %d got what is not an event of its topic: %v", o.Op, got)
		return false
	}
	if o.ended > 0 && o.lingers && (o.outcome == Left || o.outcome == Canceled) {
		o.late++ // it may have been taken out already
	}
	if o.ended > 0 && (!o.lingers || o.late > 1) {
		m.broken(EndsOnce, "subscription %d got an event after its end", o.Op)
	}
	if m.Exact && got.Run != m.link {
		m.broken(OwnAnswer, "subscription %d got on link %d an event of link %d", o.Op, m.link, got.Run)
	}
	if m.Exact && o.gone {
		m.broken(EndsOnce, "subscription %d got an event behind its revocation", o.Op)
	}
	return true
}

// judgeEvent judges an event.
func (m *Model) judgeEvent(o *op, got Tag, gap bool, lost int) {
	if !m.ofTopic(o, got) {
		return
	}
	ix := m.place(o, got, lost)
	switch {
	case ix < 0:
		m.broken(NothingLost, "subscription %d got event %d, which was not sent on link %d", o.Op, got.Op, got.Run)
		return
	case got.Run < o.lastLink || got.Run == o.lastLink && ix <= o.lastIx:
		m.broken(Order, "subscription %d got event %d again or too late", o.Op, got.Op)
	case got.Run == o.lastLink && ix != o.lastIx+1+lost:
		m.broken(NothingLost, "subscription %d missed %d events before %d, and is told of %d", o.Op, ix-o.lastIx-1, got.Op, lost)
	case o.lastLink < got.Run && o.ackedOn == got.Run && ix > o.from+lost:
		m.broken(NothingLost, "subscription %d missed the first event since it stood, before %d", o.Op, got.Op)
	case o.lastLink < got.Run && o.acked && o.ackedOn < got.Run && ix > m.topicFrom[[2]int{got.Run, o.Name}]+lost:
		m.broken(NothingLost, "subscription %d missed the first event of link %d", o.Op, got.Run)
	case o.lastLink > 0 && got.Run > o.lastLink && !gap && o.told != got.Run:
		m.broken(NothingLost, "subscription %d: event %d does not tell of the gap before link %d", o.Op, got.Op, got.Run)
	}
	m.judgeGap(o, got, gap)
	if o.lastLink, o.lastIx = got.Run, ix; o.first[0] != got.Run {
		o.first = [2]int{got.Run, ix}
	}
}

// place is where an event stands among those that were sent to a subscription
// on a link, -1 for nowhere. One that may be published twice can stand there
// twice: the place that it is owed next is meant, or else the first behind what
// has come.
func (m *Model) place(o *op, got Tag, lost int) int {
	list, next, owed := m.sent[[2]int{got.Run, o.Name}], 0, o.from
	switch {
	case got.Run == o.lastLink:
		next = o.lastIx + 1
		owed = next
	case o.ackedOn < got.Run:
		owed = m.topicFrom[[2]int{got.Run, o.Name}]
	}
	if owed += lost; owed < len(list) && list[owed] == got.Op {
		return owed
	}
	if ix := slices.Index(list[next:], got.Op); ix >= 0 {
		return next + ix
	}
	return slices.Index(list, got.Op)
}

func (m *Model) judgeGap(o *op, got Tag, gap bool) {
	if m.Exact && gap != o.gap {
		m.broken(NothingLost, "subscription %d: event %d says %v of a gap", o.Op, got.Op, gap)
	}
	if o.gap = false; gap {
		o.told = got.Run
	}
}

// RetainedCame says that a subscription was given a retained event.
func (m *Model) RetainedCame(n int, got Tag, gap bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	m.note("retained event op=%d %v gap=%v", n, got, gap)
	if !m.ofTopic(o, got) {
		return
	}
	if o.How != Retained {
		m.broken(OwnAnswer, "subscription %d got a retained event, which it has not asked for", n)
	}
	if !slices.Contains(m.keptSent[[2]int{got.Run, o.Name}], got.Op) {
		m.broken(OwnAnswer, "subscription %d got retained event %d, which was not sent on link %d", n, got.Op, got.Run)
	}
	if o.kept[0] != got.Run {
		o.kept = [2]int{got.Run, 0}
	}
	bit := 1 << m.ops[got.Op].Name
	if o.kept[1]&bit != 0 {
		m.broken(AtMostOnce, "subscription %d got two retained events of one topic on link %d", n, got.Run)
	}
	o.kept[1] |= bit
	m.judgeGap(o, got, gap)
}

// judgeSubscription judges a subscription that stands when all is quiet.
func (m *Model) judgeSubscription(o *op) {
	if o.gone {
		m.broken(EndsOnce, "subscription %d goes on after it was taken away", o.Op)
	}
	if o.How == History && !m.Exact {
		m.judgeLog(o)
		return
	}
	list := m.sent[[2]int{m.link, o.Name}]
	from := o.from
	if o.ackedOn < m.link {
		from = m.topicFrom[[2]int{m.link, o.Name}]
	}
	if want := len(list) > from; want && (o.Policy != Newest || m.Exact) &&
		(o.lastLink != m.link || o.lastIx != len(list)-1) {
		m.broken(NothingLost, "subscription %d has not got the last event of its topic", o.Op)
	}
	if o.How != Retained {
		return
	}
	due := o.due
	if o.ackedOn < m.link {
		due = m.storeAt
	}
	for _, name := range slices.Sorted(maps.Keys(due)) {
		if o.first[0] == m.link && slices.Contains(list[o.first[1]:], due[name]) {
			continue // it had that one when it came
		}
		if Matches(o.Name, name) && !m.hidden(due[name], m.link) && (o.kept[0] != m.link || o.kept[1]&(1<<name) == 0) {
			m.broken(NothingLost, "subscription %d has not got the retained event of topic %d on link %d", o.Op, name, m.link)
		}
	}
}
