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
	o.s.box.stats(&st)
	if l := o.s.link; l != nil {
		l.in.stats(&st)
		st.Inbox += len(o.s.msgs) - o.s.pos
	}
	o.done <- st
}

func (o *statsOp) refuse(error) { o.done <- *o.s.stats.Load() }

// statsNow are the counters as they are.
func (c *core) statsNow() Stats {
	st := c.stats
	st.Tables = c.tables()
	st.Faults = c.log.faults.Load()
	st.Reconnects = uint64(max(c.life.links-1, 0))
	st.Router = c.cfg.address()
	st.HeldBytes = c.memory.held.Load()
	return st
}

// tables are the sizes of the tables.
func (c *core) tables() Tables {
	return Tables{
		Requests: c.requests.Len(), Subscriptions: len(c.topicsByID), Registrations: len(c.procedures),
		Invocations: c.invocations.Len(), Handles: c.subscriptions.len(), Procedures: c.registrations.len(),
		Watches: c.watches.entries, Timers: len(c.timers.heap), Parked: c.life.parked.len() + c.life.behind.len(),
		Queued: c.handleWindow.queue.len() + c.ackWindow.queue.len(),
	}
}

// Tables are the sizes of a session's tables.
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

// Stats are the counters of a session, over all its connections.
type Stats struct {
	// Sent and Received count messages after the login, those of the library's
	// own included. What is sent counts when it is queued to be written.
	Sent, Received uint64
	// BytesSent and BytesReceived are the bytes of these messages, without what a
	// transport puts around them.
	BytesSent, BytesReceived uint64
	// Calls counts the calls that were begun, those of the meta API included.
	Calls uint64
	// Results counts the results of calls that arrived, progressive and last ones.
	Results uint64
	// Errors counts the errors by which the router or a peer ended an operation.
	Errors uint64
	// Publishes counts the events that were published, one by one or by a stream.
	Publishes uint64
	// Events counts the events that arrived. One may be for several
	// subscriptions.
	Events uint64
	// Invocations counts the invocations that arrived, not their further chunks.
	Invocations uint64
	// Late counts answers to requests that were already over.
	Late uint64
	// Dropped counts messages that reached nobody: those that were dropped
	// because a consumer was slow, and those for a subscription or session that
	// was being left.
	Dropped uint64
	// Overflowed counts streams that ended with ErrSlowConsumer.
	Overflowed uint64
	// Refused counts invocations that were answered with wamp.error.unavailable
	// because they found no room, or nobody to take them.
	Refused uint64
	// Odd counts messages that were accepted although an option or detail in
	// them was not valid.
	Odd uint64
	// Faults counts panics, calls of runtime.Goexit and handlers that did not
	// end, in the user's code.
	Faults uint64
	// Waited counts operations that waited for outbound room.
	Waited uint64
	// Reconnects counts the connections after the first.
	Reconnects uint64
	// Router is the address of the present connection, or else of the last one or
	// the last attempt, "" where a dialer knows it alone.
	Router string
	// QueuedBytes is how many bytes are waiting to be written.
	QueuedBytes int
	// HeldBytes is how many bytes streams keep that their consumers have not read.
	HeldBytes int64
	// Mailbox counts the operations that the session has not begun, those that
	// wait for room to be written included.
	Mailbox int
	// Inbox counts the messages that have arrived and that the session has not
	// looked at.
	Inbox int
	// Tables are the sizes of the session's tables.
	Tables Tables
}
