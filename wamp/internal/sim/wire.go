package sim

import (
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What the model knows of the requests on the present link: the windows that
// bound them, and the order in which they leave.

// The windows.
const (
	handleWindow = iota
	ackWindow
	noWindow
)

// defaultWindows are those of a session that is not told otherwise.
var defaultWindows = [2]int{32, 24}

// request is one that waits for its answer on the present link.
type request struct {
	kind     proto.MessageType
	op       *op // nil with SUBSCRIBE, UNSUBSCRIBE and UNREGISTER
	name     int // the topic of a SUBSCRIBE
	nth      int // which of the writes of those it is
	at       time.Duration
	window   int
	users    certainty // an answer is one to an operation of the user's
	restores bool      // it brings back what had been there on another link
	suspect  bool      // it is to be alone
	came     bool      // a progressive result has come
}

// over reports whether its operation has ended, whatever the router answers.
func (r *request) over() bool { return r.op != nil && r.op.ended > 0 }

// ask notes a request, and judges that its window has a place for it.
func (m *Model) ask(id proto.ID, r *request) {
	r.at = m.now()
	m.open[id] = r
	if r.window == noWindow {
		return
	}
	n := 0
	for _, o := range m.open {
		if o.window == r.window && m.now()-o.at < AckTimeout {
			n++
		}
	}
	if n > m.windows[r.window] {
		m.broken(Windowed, "%d requests wait for the router's acknowledgement, %d may", n, m.windows[r.window])
	}
}

// Came says that the session is about to be given the answer to a request, or
// with more a part of it.
func (m *Model) Came(link int, id proto.ID, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.open[id]
	if r == nil || link != m.link {
		return
	}
	users := r.users
	if users == surely && (!m.Exact || r.op != nil && (r.op.ended > 0 || r.op.cancelled) || m.now()-r.at >= AckTimeout && r.window != noWindow) {
		users = perhaps
	}
	l := m.linkOf(link)
	l.answered = max(l.answered, users)
	if more {
		r.came = true
		return
	}
	delete(m.open, id)
	switch {
	case r.kind == proto.Subscribe:
		m.topicWrites[r.name][r.nth].answered = true
	case r.op != nil && r.op.Kind != Stream:
		r.op.writes[r.nth].answered = true
	}
}

// Acknowledged says that the session is about to learn that a handle is there:
// a registration, or a topic.
func (m *Model) Acknowledged(link int, id proto.ID) {
	m.mu.Lock()
	r := m.open[id]
	if r != nil && link == m.link {
		switch r.kind {
		case proto.Register:
			r.op.ackedLink, r.op.silences, r.op.givenUp = link, 0, 0
		case proto.Subscribe:
			all := m.topicWrites[r.name]
			if m.topicAcked[r.name] < link && r.nth > 0 && all[r.nth-1].link == link { // the first time the router kept silent
				m.topicFrom[[2]int{link, r.name}] = len(m.sent[[2]int{link, r.name}])
			}
			m.topicAcked[r.name], m.silences[r.name], m.topicGiven[r.name] = link, 0, 0
		default:
		}
	}
	m.mu.Unlock()
	m.Came(link, id, false)
}

// Written says that the message of an operation was handed to a link.
func (m *Model) Written(n, link int, id proto.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	if o == nil {
		m.broken(OwnAnswer, "a message of operation %d, which never was, was written", n)
		return
	}
	m.note("written op=%d link=%d", n, link)
	r := &request{op: o, nth: len(o.writes), users: surely, window: noWindow, kind: proto.Call}
	switch {
	case o.Kind == Register:
		r.kind, r.window, r.restores = proto.Register, handleWindow, o.applied < link
		if r.restores {
			r.users = no
		}
	case o.Kind == Publish:
		r.kind, r.window = proto.Publish, ackWindow
	case o.Kind == Will && o.outcome == Result: // the session does it by itself
		r.users = no
	}
	now := link == m.link && m.up
	if now {
		m.judgeWrite(o, r)
	} else {
		m.judgeCopy(o)
	}
	o.writes = append(o.writes, write{link: link, at: m.now()})
	o.wrote = m.now()
	if now && (o.Kind != Publish || o.How != "") {
		m.ask(id, r)
	}
}

// judgeWrite judges that an operation is written to the present link.
func (m *Model) judgeWrite(o *op, r *request) {
	again := o.wroteTo(m.link)
	o.suspect = o.suspect || m.suspected(o.writes) != no
	if m.failFast && o.upAt == 0 && len(o.writes) == 0 && o.began > m.downAt && m.now() > o.began && m.link > 0 {
		m.judgeFailFast(o)
	}
	if m.over {
		m.broken(TrueOutcome, "%s is written behind the end of the session", o.Action)
	}
	switch {
	case o.Kind == Register && again: // refused meanwhile
	case o.Kind == Will && o.outcome == Result: // all of them come back at once
		m.judgeAgain(o.Action, o.writes, nil)
	default:
		m.judgeAgain(o.Action, o.writes, r)
	}
	switch o.Kind {
	case Will, Unwill:
		m.judgeWillWrite(o)
		return
	case Register:
		if !again {
			m.inOrder(handleWindow, o, m.suspected(o.writes) != no)
			m.restoredFirst(o, m.suspected(o.writes) != no)
		}
		if m.Exact && o.silences > mostSilences {
			m.broken(TrueOutcome, "%s is asked for again, and %d links were given up for it", o.Action, o.silences)
		}
		return
	default:
	}
	if o.ended > 0 && m.Exact && o.outcome != Canceled && o.outcome != TimedOut { // the CANCEL goes behind it
		m.broken(TrueOutcome, "%s is written after its end", o.Action)
	}
	m.judgeCopy(o)
	if again {
		m.broken(AtMostOnce, "%s is written twice to one link", o.Action)
		return
	}
	m.inOrder(ackWindow, o, m.mayBeAlone(o) || o.Kind == Publish && m.mayWait(o))
	if o.Kind == Publish {
		m.inTopicOrder(o)
	}
}

// judgeCopy judges that an operation may be written again, if it is.
func (m *Model) judgeCopy(o *op) {
	if len(o.writes) == 0 || o.Kind == Register || o.Kind == Will || o.Kind == Unwill {
		return
	}
	m.Counts.Resent++
	if !o.Idempotent() {
		m.broken(AtMostOnce, "%s is written again", o.Action)
	}
}

// mostSilences is how many links may be given up for one handle.
const mostSilences = 2

func (o *op) wroteTo(link int) bool {
	return slices.ContainsFunc(o.writes, func(w write) bool { return w.link == link })
}

// judgeFailFast: it was begun without a link, and has waited for one.
func (m *Model) judgeFailFast(o *op) {
	if !m.Exact { // there the part of the library that refuses it is missing
		m.broken(TrueOutcome, "%s has waited for a link", o.Action)
	}
}

// inOrder judges the order in which operations are first written to a link: of
// handles in one lane, of calls and publishes in the other. late: it may be
// late, because it had to wait for others.
func (m *Model) inOrder(lane int, o *op, late bool) {
	if !m.Exact && (lane != ackWindow || !m.sequential) {
		return
	}
	if o.Op < m.lastSent[lane] && !late {
		m.broken(Order, "operation %d is written behind %d", o.Op, m.lastSent[lane])
	}
	m.lastSent[lane] = max(o.Op, m.lastSent[lane])
}

// inTopicOrder judges that a publish is behind all that were begun before it to
// the same topic, and behind the SUBSCRIBEs of that topic.
func (m *Model) inTopicOrder(o *op) {
	if !m.Exact && !m.sequential {
		return
	}
	if last := m.lastPublish[o.Name]; o.Op < last && !m.mayBeAlone(o) {
		m.broken(Order, "publish %d is written behind %d, which is to the same topic", o.Op, last)
	}
	m.lastPublish[o.Name] = max(o.Op, m.lastPublish[o.Name])
	if !m.Exact {
		return
	}
	for _, s := range m.ops[:o.Op] {
		if s != nil && s.Kind == Subscribe && s.applied > 0 && s.ended == 0 && !s.cancelled && !s.leaving && TopicURI(s.Name) == TopicURI(o.Name) &&
			m.asked[s.Name] != m.link && m.suspected(m.topicWrites[s.Name]) == no {
			m.broken(Order, "publish %d is written before subscription %d, which waits, to the same topic", o.Op, s.Op)
		}
	}
}

// restoredFirst judges that what the session had comes back before anything
// else is written to a link, as far as there is room for it.
func (m *Model) restoredFirst(o *op, late bool) {
	if m.Exact && o.applied > 0 && o.applied < m.link && m.lastSent[ackWindow] > 0 && !late && !o.waits[handleWindow] {
		m.broken(Order, "%s is restored behind operation %d", o.Action, m.lastSent[ackWindow])
	}
}

// crowd notes that an operation may have to wait for a window, when it reaches
// the session or there is a new link.
func (m *Model) crowd(o *op) {
	handles, acks := 0, 0
	for _, p := range m.ops {
		if p == nil || p == o || p.applied == 0 {
			continue
		}
		switch {
		case p.ended > 0:
			late := p.outcome == Canceled && p.endedOn == m.link && !p.wroteTo(m.link) // it may be about to be written
			beside := !m.Exact && !m.sequential && p.wroteTo(m.link) && p.wrote >= o.began
			if p.Kind == Publish && (late || p.How != "" && beside) {
				acks++
			}
		case p.Kind == Subscribe && m.topicAcked[p.Name] != m.link, p.Kind == Register && p.ackedLink != m.link:
			handles++
		case p.Kind == Follow:
			handles += 4
		case p.Kind == Publish && p.How != "":
			acks++
		case p.Kind == Stream && p.Steps == 0:
			acks += m.windows[ackWindow]
		}
	}
	for _, r := range m.open {
		switch {
		case r.window == ackWindow && r.over():
			acks++
		case r.kind == proto.Unsubscribe, r.kind == proto.Unregister, r.window == handleWindow && r.over():
			handles++
		}
	}
	handles += m.leaves
	o.waits[handleWindow] = o.waits[handleWindow] || handles >= m.windows[handleWindow]
	o.waits[ackWindow] = o.waits[ackWindow] || acks >= m.windows[ackWindow]
}

// mayWait reports whether a publish may have had to wait: for a place in its
// window, or behind an earlier publish or a SUBSCRIBE of its topic that had to.
func (m *Model) mayWait(o *op) bool {
	if !m.Exact && !m.sequential { // those that were begun later may have come before it
		m.crowd(o)
	}
	if o.How != "" && o.waits[ackWindow] {
		return true
	}
	for n, p := range m.ops {
		switch {
		case p == nil:
		case p.Kind == Publish && n < o.Op && p.Name == o.Name && p.How != "" && p.waits[ackWindow],
			p.Kind == Subscribe && TopicURI(p.Name) == TopicURI(o.Name) && p.waits[handleWindow]: // also one that is restored
			return true
		}
	}
	return false
}

// WrittenTopic says that a SUBSCRIBE for a topic was handed to a link.
func (m *Model) WrittenTopic(name, link int, id proto.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("written subscribe %d link=%d", name, link)
	if link != m.link || !m.up {
		return
	}
	r := &request{kind: proto.Subscribe, name: name, window: handleWindow, users: surely}
	all := m.topicWrites[name]
	r.nth = len(all)
	if m.Exact { // elsewhere it is not known when a topic is nobody's
		m.judgeAgain("SUBSCRIBE of topic "+TopicURI(name), all[m.topicSince[name]:], r)
	}
	left := false
	for n, o := range m.ops {
		if o == nil || o.Kind != Subscribe || o.Name != name || o.ended > 0 && o.endedOn != m.link {
			continue
		}
		if o.applied == 0 || o.applied == m.link { // otherwise one that has ended may have asked
			continue
		}
		r.users = perhaps
		if m.asked[name] == m.link { // not by the restore
			break
		}
		if o.ended > 0 && m.anew(name) { // perhaps by who has come since, or still in the place of who has left
			left = true
			continue
		}
		r.users, r.restores = no, true
		late := m.suspected(all) != no
		if !left {
			m.inOrder(handleWindow, m.ops[n], late)
		}
		m.restoredFirst(o, late)
		// Each subscription has silences of its own.
		if m.Exact && m.silences[name] > mostSilences && m.siblings(o) == 0 {
			m.broken(TrueOutcome, "topic %d is asked for again, and %d links were given up for it", name, m.silences[name])
		}
		break
	}
	m.asked[name] = m.link
	m.topicWrites[name] = append(all, write{link: link, at: m.now()})
	m.ask(id, r)
}

// anew reports whether a topic was subscribed to on the present link.
func (m *Model) anew(name int) bool {
	return slices.ContainsFunc(m.ops, func(o *op) bool { return o != nil && o.Kind == Subscribe && o.Name == name && o.applied == m.link })
}

// WrittenLeave says that an UNSUBSCRIBE of a topic, or an UNREGISTER of the
// registration of an operation, was handed to a link; n is -1 where that is not
// known. What the same goroutine had begun before it is written by then.
func (m *Model) WrittenLeave(kind proto.MessageType, n, link int, id proto.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("written %s of %d link=%d", kind, n, link)
	if link != m.link || !m.up {
		return
	}
	m.leaves = max(m.leaves-1, 0)
	m.ask(id, &request{kind: kind, window: handleWindow, users: surely})
	for _, o := range m.ops {
		if o == nil || !o.leaves || len(o.writes) > 0 || o.ended > 0 || o.cancelled || m.mayBeLost(o) ||
			o.How == Timeout && m.now()-o.began >= CallTimeout {
			continue
		}
		of := m.ops[o.Of]
		same := kind == proto.Unsubscribe && of.Kind == Subscribe && n >= 0 && m.idOf(Subscribe, of.Name) == m.idOf(Subscribe, n) ||
			kind == proto.Unregister && of.Kind == Register && n >= 0 && m.idOf(Register, of.Op) == m.idOf(Register, n)
		refused := of.Kind == Subscribe && m.topicDenied[of.Name] == m.link && of.ackedOn != m.link // so another leaves
		if same && !of.cancelled && !of.revoked && !refused && !m.draining && !(o.Kind == Publish && m.mayWait(o)) {
			m.broken(Order, "%s leaves before operation %d, which was begun before it", kind, o.Op)
		}
	}
}

// mayBeLost reports whether an operation may have gone with an earlier link, or
// was refused without one: a publish that is not acknowledged, and that was not
// yet written.
func (m *Model) mayBeLost(o *op) bool {
	return o.Kind == Publish && o.How == "" && (o.applied != m.link || m.failFast && o.upAt == 0)
}

// GoodbyeWritten says that the session says GOODBYE by itself. late: its context
// has ended, so that it does not wait for anything.
func (m *Model) GoodbyeWritten(late bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("written GOODBYE, late=%v", late)
	if late || !m.Exact || !m.up {
		return
	}
	for _, o := range m.ops[:m.closing] {
		if o != nil && (o.Kind == Publish || o.Kind == Call) && o.applied > 0 && o.ended == 0 && !o.wroteTo(m.link) && m.suspected(o.writes) == no && !m.mayBeLost(o) {
			m.broken(Order, "GOODBYE leaves before operation %d, which was begun before Close", o.Op)
		}
	}
}

// LastWords judges what the session writes to a link that it has given up.
func (m *Model) LastWords(kind proto.MessageType) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("last words: %s", kind)
	if kind != proto.Goodbye && kind != proto.Abort {
		m.broken(LastWords, "%s is written to a link that was given up", kind)
	}
}
