package session

// Stats counts what the session has done.
func (s *Session) Stats() Stats {
	o := &statsOp{s: s, done: make(chan Stats, 1)}
	if !s.box.control(o) {
		<-s.done // they are there by then
		return *s.stats.Load()
	}
	return <-o.done
}

type statsOp struct {
	s    *Session
	done chan Stats
}

func (o *statsOp) apply(c *core) {
	st := c.statsNow()
	st.QueuedOctets, st.Waited = o.s.box.stats()
	o.done <- st
}

func (o *statsOp) refuse(error) { o.done <- *o.s.stats.Load() }

// statsNow are the counters as they are.
func (c *core) statsNow() Stats {
	st := c.stats
	st.Tables = c.tables()
	st.Faults = c.notes.faults.Load()
	st.Reconnects = uint64(max(c.life.links-1, 0))
	return st
}

// tables are the sizes of the tables.
func (c *core) tables() Tables {
	return Tables{
		Requests: len(c.requests), Subscriptions: len(c.topicsByID), Registrations: len(c.procedures),
		Invocations: len(c.invocations), Handles: c.subscriptions.len(), Procedures: c.registrations.len(),
		Watches: c.watches.entries, Timers: len(c.timers.heap), Parked: c.life.parked.len() + c.life.behind.len(),
		Queued: c.handleWindow.queue.len() + c.ackWindow.queue.len(),
	}
}

// Tables counts the entries of a session's tables.
type Tables struct {
	// Subscriptions and Registrations are the router's, each of which several of
	// the user's may share.
	Requests, Subscriptions, Registrations, Invocations int
	// Handles are the user's subscriptions, Procedures the user's registrations.
	Handles, Procedures, Watches, Timers, Parked int
	// Queued counts the requests that wait for a place in the window of those
	// that the router has to acknowledge.
	Queued int
}

// Stats counts what a session has done on its links.
type Stats struct {
	// Sent and Received count messages.
	Sent, Received uint64
	// Late counts answers to requests that were over.
	Late uint64
	// Dropped counts messages that reached nobody: those that the policy of a
	// slow consumer has dropped, events of a subscription that is being left,
	// messages after our GOODBYE.
	Dropped uint64
	// Overflowed counts streams that ended with ErrSlowConsumer.
	Overflowed uint64
	// Refused counts invocations answered with wamp.error.unavailable
	// because their buffer was full, or nobody takes them.
	Refused uint64
	// Odd counts messages that were taken although an option or detail in them
	// was not what it must be.
	Odd uint64
	// Faults counts what users' code did that it must not: a panic, a
	// runtime.Goexit, a handler that does not end.
	Faults uint64
	// Waited counts operations that had to wait for outbound room.
	Waited uint64
	// Reconnects counts the links after the first.
	Reconnects uint64
	// QueuedOctets are the bytes that wait to be written.
	QueuedOctets int
	// Tables counts the entries of the tables.
	Tables Tables
}
