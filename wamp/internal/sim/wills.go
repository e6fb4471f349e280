package sim

import (
	"slices"
	"time"
)

// What the model knows of testaments. Those that the router has are in wills,
// by link, as the router took them; which it should have follows from what the
// session's user was told.

// WillTaken says that the router takes a testament, or with Unwill takes those
// of a scope back.
func (m *Model) WillTaken(n, link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	if o == nil {
		m.broken(OwnAnswer, "the router is given testament %d, which never was", n)
		return
	}
	m.note("testament op=%d is taken on link %d", n, link)
	m.runs++
	o.runs = append(o.runs, run{m.runs, link})
	if o.Kind == Unwill {
		m.flushed(o.How, link)
		return
	}
	if slices.Contains(m.wills[link], n) {
		m.broken(AtMostOnce, "%s is set twice on link %d", o.Action, link)
	}
	m.wills[link] = append(m.wills[link], n)
	m.Counts.Testaments++
}

// WillsFlushed says that the router takes the testaments of a scope back.
func (m *Model) WillsFlushed(scope string, link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flushed(scope, link)
}

func (m *Model) flushed(scope string, link int) {
	m.note("testaments %s are flushed on link %d", scope, link)
	m.wills[link] = slices.DeleteFunc(m.wills[link], func(n int) bool { return m.ops[n].How == scope })
}

// WillPublished says that the router publishes a testament of the session that
// a link had.
func (m *Model) WillPublished(n, link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("testament op=%d of link %d is published", n, link)
	m.published[link] = append(m.published[link], n)
}

// judgeWillWrite judges that a testament is written: on each link once, and
// when it is set again before all that waited.
func (m *Model) judgeWillWrite(o *op) {
	if o.wroteTo(m.link) {
		m.broken(AtMostOnce, "%s is written twice to one link", o.Action)
	}
	switch {
	case o.outcome != Result:
		m.inOrder(ackWindow, o, m.mayBeAlone(o))
	case m.Exact && m.lastSent[ackWindow] > 0:
		m.broken(Order, "%s is set again behind operation %d", o.Action, m.lastSent[ackWindow])
	}
}

// fate is what should have become of a testament.
type fate int

const (
	maybe fate = iota // the user does not know
	there
	notThere
)

// fateOf follows from the order of the operations where they are queued one by
// one, otherwise from which was over before the other began.
func (m *Model) fateOf(o *op) fate {
	if o.outcome != Result || o.lapsed {
		return maybe
	}
	f := there
	for _, flush := range m.ops {
		if flush == nil || flush.Kind != Unwill || flush.How != o.How || flush.outcome == NotConnected {
			continue
		}
		before, after := m.order(flush, o), m.order(o, flush)
		switch {
		case before:
		case after && flush.outcome == Result:
			return notThere
		default:
			f = maybe
		}
	}
	return f
}

// order reports whether one operation came surely before the other.
func (m *Model) order(a, b *op) bool {
	if m.Exact && !a.suspect && !b.suspect {
		return a.Op < b.Op
	}
	return a.endedAt > 0 && a.endedAt < b.beganAt
}

// judgeWills judges when all is quiet which testaments the router has for the
// present link, and in fake time which it has published for those before.
func (m *Model) judgeWills() {
	got := m.wills[m.link]
	for n, o := range m.ops {
		if o == nil || o.Kind != Will {
			continue
		}
		switch f, has := m.fateOf(o), slices.Contains(got, n); {
		case f == there && !has:
			m.broken(Restored, "the router does not have %s on link %d", o.Action, m.link)
		case f == notThere && has:
			m.broken(NothingLeft, "the router still has %s on link %d", o.Action, m.link)
		case f == maybe && has && o.ended > 0 && !slices.ContainsFunc(o.runs, func(r run) bool { return r.link == m.link }):
			m.broken(Restored, "%s is set again, though it was never acknowledged", o.Action)
		}
	}
	if m.Exact {
		return
	}
	for link := 1; link < m.link; link++ {
		if want := m.inScopes(m.wills[link]); !m.apart[link] && !slices.Equal(want, m.published[link]) {
			m.broken(NothingLost, "at the end of link %d the router has published testaments %v, not %v", link, m.published[link], want)
		}
	}
}

// peersBack is how long the peers may be away when the router has restarted.
const peersBack = 10 * time.Second

// inScopes are testaments as they are published: those of detached first.
func (m *Model) inScopes(wills []int) (all []int) {
	for _, scope := range []string{Detached, Destroyed} {
		for _, n := range wills {
			if m.ops[n].How == scope {
				all = append(all, n)
			}
		}
	}
	return all
}
