package sim

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// NumbersURI is the procedure of calls whose results are numbers.
const NumbersURI = "sim.numbers"

// Number says that the user of a stream of numbers was given one: the first after the loss
// of a link, if resumed. They are 1, 2, 3, and so on, whatever happens to links.
func (m *Model) Number(n, number int, resumed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	m.note("number op=%d %d resumed=%v", n, number, resumed)
	if o.ended > 0 {
		m.broken(EndsOnce, "numbers %d: %d came behind the end", n, number)
	}
	if o.delivered++; number != o.delivered && (!o.cancelled || number < o.delivered) { // a cancel drops what was not read
		m.broken(NothingLost, "numbers %d: %d came in the place of %d", n, number, o.delivered)
	}
	o.delivered = number
	if resumed {
		m.Counts.Resumed++
		if o.applied == m.link && o.applied > 0 {
			m.broken(TrueOutcome, "numbers %d: %d is said to be resumed, and no link was lost", n, number)
		}
	}
}

// NumbersWritten says that a call of numbers was handed to a link.
func (m *Model) NumbersWritten(n, link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.op(n)
	m.note("written op=%d link=%d", n, link)
	o.writes = append(o.writes, write{link: link, at: m.now(), answered: true})
}

// numbersCut: it was not to go on.
func numbersCut(m *Model, o *op, e End) string {
	if o.cancelled {
		return ""
	}
	return blameTrue(m, o, e)
}

// RouterRestarts says that the router is about to be restarted: it may say of calls that
// their callee is gone before it is gone itself.
func (m *Model) RouterRestarts() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restarts = m.now()
}

// numbersCanceled: its callee was lost, and its link was not yet. That is no loss to resume
// behind.
func numbersCanceled(m *Model, o *op, e End) string {
	if e.URI != proto.ErrURICanceled {
		return "nobody says so"
	}
	return unless(o.slow || m.restarts > 0 && m.now()-m.restarts <= time.Second, "its callee was not lost")
}

// numbersTrue: all numbers have come.
func numbersTrue(m *Model, o *op, _ End) string {
	m.Counts.Numbered++
	return unless(o.delivered == o.N, "some are missing")
}

// Helped says that the session is about to be given an answer to a call of numbers: the link
// has been of use.
func (m *Model) Helped(link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.linkOf(link)
	l.answered = max(l.answered, perhaps)
}
