package sim

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What the model knows of the session's callees.

// Invoked says that the session's callee was given an invocation, by which
// registration.
func (m *Model) Invoked(n, by, link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("invoked op=%d by=%d", n, by)
	o, r := m.op(n), m.op(by)
	if o == nil || o.Kind != Invoke {
		m.broken(OwnAnswer, "an invocation of operation %d, which is none", n)
		return
	}
	// Where the session was not told that the other one has the same id, it cannot know better.
	if of := m.ops[o.Of]; by != o.Of && (r.Name == 0 || of.Name == 0 || r.Name != of.Name && saysWhich(n) && of.ackedLink == m.link) {
		m.broken(OwnAnswer, "invocation %d, of %d, is given to %d", n, o.Of, by)
	}
	m.Counts.Invoked++
	if m.draining && m.Exact {
		m.broken(DrainWaits, "invocation %d arrives while the session is drained", n)
	}
	if link > 0 && o.given == link {
		m.broken(AtMostOnce, "invocation %d is given twice on link %d", n, link)
	}
	o.running, o.given, o.answered, o.cut, o.stopped, o.handled = link, link, false, false, false, true
}

// Interrupted says that the context of an invocation has ended because its
// link was lost or the session is over.
func (m *Model) Interrupted(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("interrupted op=%d", n)
	if o := m.ops[n]; o.cut || o.stopped {
		m.broken(EndsOnce, "invocation %d was interrupted twice", n)
	} else {
		o.cut, o.cutAt = true, m.now()
	}
}

// Interrupts says that the router interrupts an invocation.
func (m *Model) Interrupts(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("interrupt op=%d is sent", n)
	o := m.ops[n]
	if o.asked != m.link {
		o.askedAt = m.now()
	}
	o.asked = m.link
}

// OddSent says that a message for an operation is odd.
func (m *Model) OddSent(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("odd message for op=%d", n)
	m.ops[n].odd = true
	m.Counts.Odd++
}

// OddPayload says that a message to the session has a payload that cannot be
// decoded.
func (m *Model) OddPayload(kind proto.MessageType) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("odd payload of %s", kind)
	m.Counts.Odd++
}

// JudgeOverdue judges that the session answers in the place of a handler that
// has not ended.
func (m *Model) JudgeOverdue(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.ops[n]
	if waited := m.now() - o.askedAt; o.asked == 0 || waited < overdueTime {
		m.broken(TrueOutcome, "%s is answered canceled, %v after its interrupt", o.Action, waited)
	}
	o.answered = true
}

// overdueTime is how long a handler may go on behind its interrupt.
const overdueTime = 10 * time.Second

// Stopped says that the callee was told so.
func (m *Model) Stopped(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("stopped op=%d", n)
	o := m.ops[n]
	if o.asked != o.given || o.stopped {
		m.broken(OwnAnswer, "invocation %d is told of an interrupt that was not sent, or twice", n)
	}
	o.stopped = true
}

// Answers says that the callee hands over the end of its answer.
func (m *Model) Answers(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ops[n].answered = true
}

// Running returns the invocations that were given on the present link and have
// not been answered.
func (m *Model) Running() (ops []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running()
}

func (m *Model) running() (ops []int) {
	for n, o := range m.ops {
		if o != nil && o.Kind == Invoke && o.running == m.link && m.up && !o.answered && !o.cut {
			ops = append(ops, n)
		}
	}
	return ops
}
