package sim

// What the model knows of the session's callees.

// Invoked says that the session's callee was given an invocation.
func (m *Model) Invoked(n, link int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("invoked op=%d", n)
	o := m.op(n)
	if o == nil {
		m.broken(OwnAnswer, "an invocation of operation %d, which never was", n)
		return
	}
	if m.draining && m.Exact {
		m.broken(DrainWaits, "invocation %d arrives while the session is drained", n)
	}
	if link > 0 && o.given == link {
		m.broken(AtMostOnce, "invocation %d is given twice on link %d", n, link)
	}
	o.running, o.given, o.answered, o.cut, o.stopped = link, link, false, false, false
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
		o.cut = true
	}
}

// Interrupts says that the router interrupts an invocation.
func (m *Model) Interrupts(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("interrupt op=%d is sent", n)
	m.ops[n].asked = m.link
}

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
