package wamp

import "github.com/connectanum/connectanum-go/wamp/session"

// Stats are the counters of a session, over all its connections. Those up to
// Reconnects only grow.
//
//   - [session.Stats.Sent] and [session.Stats.Received] count messages after the
//     login, those of the library's own included. What is sent counts when it
//     is queued to be written.
//   - [session.Stats.BytesSent] and [session.Stats.BytesReceived] are the bytes of
//     these messages, without what a transport puts around them.
//   - [session.Stats.Calls] counts the calls that were begun, those of the meta API
//     included.
//   - [session.Stats.Results] counts the results of calls that arrived,
//     progressive and last ones.
//   - [session.Stats.Errors] counts the errors by which the router or a peer ended
//     an operation.
//   - [session.Stats.Publishes] counts the events that were published, one by one
//     or by a stream.
//   - [session.Stats.Events] counts the events that arrived. One may be for
//     several subscriptions.
//   - [session.Stats.Invocations] counts the invocations that arrived, not their
//     further chunks.
//   - [session.Stats.Late] counts answers to requests that were already over.
//   - [session.Stats.Dropped] counts messages that reached nobody: those that
//     were dropped because a consumer was slow, and those for a subscription or
//     session that was being left.
//   - [session.Stats.Overflowed] counts streams that ended with
//     [ErrSlowConsumer].
//   - [session.Stats.Refused] counts invocations that were answered with
//     wamp.error.unavailable because they found no room, or nobody to take
//     them.
//   - [session.Stats.Odd] counts messages that were accepted although an option
//     or detail in them was not valid.
//   - [session.Stats.Faults] counts panics, calls of runtime.Goexit and
//     handlers that did not end, in the user's code.
//   - [session.Stats.Waited] counts operations that waited for outbound room.
//   - [session.Stats.Reconnects] counts the connections after the first.
//   - [session.Stats.Router] is the address of the present connection, or else of
//     the last one or the last attempt, "" with [WithTransport].
//   - [session.Stats.QueuedBytes] is how many bytes are waiting to be written.
//   - [session.Stats.HeldBytes] is how many bytes streams keep that their
//     consumers have not read.
//   - [session.Stats.Mailbox] is how many operations the session has not begun,
//     those that wait for room to be written included.
//   - [session.Stats.Inbox] is how many messages have arrived that the session
//     has not looked at.
//   - [session.Stats.Tables] are the sizes of the session's tables.
type Stats = session.Stats

// Tables are the sizes of a session's tables, as part of [Stats].
//
//   - [session.Tables.Requests] and [session.Tables.Invocations] are those in
//     progress.
//   - [session.Tables.Subscriptions] and [session.Tables.Registrations] are
//     those of the router, [session.Tables.Handles] and
//     [session.Tables.Procedures] the user's, several of which may share one of
//     the router's.
//   - [session.Tables.Watches] and [session.Tables.Timers] are contexts that
//     are watched, and timers.
//   - [session.Tables.Parked] are operations that wait for a connection.
//   - [session.Tables.Queued] are requests that wait for a place in the window
//     of [WithWindow].
type Tables = session.Tables

// Stats returns the counters of the session. It asks the session's goroutine,
// which costs about as much as an operation, and allocates little. Once the session is
// over it returns the last ones.
func (s *Session) Stats() Stats { return s.eng.Stats() }
