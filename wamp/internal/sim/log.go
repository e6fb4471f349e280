package sim

// What the model knows of the router's event history, and of the streams that
// begin with it. Only peers publish there.

// logged is a publication in the order of the router.
type logged struct{ op, epoch int }

// Logged says that the router takes a publication of a peer.
func (m *Model) Logged(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.op(n); o != nil && o.Name >= logTopic {
		m.logAt[n] = len(m.history)
		m.history = append(m.history, logged{n, m.epoch})
	}
}

// HistoryCame says that a stream that began with the history was given an event.
func (m *Model) HistoryCame(n int, got Tag, gap bool, lost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("history op=%d %v gap=%v lost=%d", n, got, gap, lost)
	o := m.ops[n]
	if !m.ofTopic(o, got) {
		return
	}
	at, there := m.logAt[got.Op]
	last := o.lastLog // one more than its place
	switch {
	case !there:
		m.broken(OwnAnswer, "stream %d got event %d, which is not in the history", n, got.Op)
		return
	case o.had[got.Op]:
		m.broken(AtMostOnce, "stream %d got event %d again", n, got.Op)
		return
	}
	if o.had == nil {
		o.had = map[int]bool{}
	}
	o.had[got.Op] = true
	if at < last {
		if m.history[at].epoch == m.history[last-1].epoch { // what a restart has wiped out stands in no order to what came after
			m.broken(Order, "stream %d got event %d too late", n, got.Op)
		}
		return
	}
	missed, before := 0, 0
	for i := max(last, o.firstLog); i < at; i++ {
		switch e := m.history[i]; {
		case !Matches(o.Name, m.ops[e.op].Name):
		case e.epoch == m.history[at].epoch:
			missed++
		case last > 0 && m.history[last-1].epoch == e.epoch:
			before++ // a restart: they are not to be had any more
		}
	}
	// A restart may have come before it asked, and where it is over, was refused when it
	// came back, or was blamed for the end of links, there is nobody to ask.
	denied := m.topicDenied[o.Name]
	unanswered := m.history[at].epoch < m.epoch || m.over || m.ending != "" || o.revoked || o.leaving || o.cancelled ||
		denied > 0 && denied >= got.Run || m.deaths(m.writesOf(o), true) >= mostDeaths
	if missed > lost && !(unanswered && gap) {
		m.broken(NothingLost, "stream %d missed %d events before %d, and is told of %d", n, missed, got.Op, lost)
	}
	if before > lost && !gap {
		m.broken(NothingLost, "stream %d is not told of the gap before %d", n, got.Op)
	}
	if gap && !unanswered && last > 0 && m.history[last-1].epoch == m.epoch {
		m.broken(NothingLost, "stream %d: event %d tells of a gap, though the history reaches back", n, got.Op)
	}
	o.lastLog = at + 1
	m.Counts.Historic++
}

// judgeLog judges a stream that stands when all is quiet: it has the last event.
func (m *Model) judgeLog(o *op) {
	for i := len(m.history) - 1; i >= max(o.lastLog, o.firstLog) && m.history[i].epoch == m.epoch; i-- {
		if Matches(o.Name, m.ops[m.history[i].op].Name) {
			m.broken(NothingLost, "stream %d has not got event %d", o.Op, m.history[i].op)
			return
		}
	}
}
