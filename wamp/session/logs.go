package session

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
)

// A logger is a user's code: it may block, panic, or do something with the
// session that it tells of. So records go into a bounded queue, and a goroutine
// that lives only while there are some hands them on.

// logRecords is how many records wait at most. What comes beyond is counted, and
// the count is logged when there is room again.
const logRecords = 512

// logQueue is that queue. Most sessions log little: it takes memory only while there
// is something in it.
type logQueue struct {
	crew crew

	mu      sync.Mutex // held for a moment, and never across a call
	entries []logEntry
	running bool
	dropped int64
}

type logEntry struct {
	to     slog.Handler // nil: that of slog.Default
	record slog.Record
}

func (q *logQueue) put(e logEntry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.entries) < logRecords {
		q.entries = append(q.entries, e)
	} else {
		q.dropped++
	}
	q.wake()
}

// wake sees to it that somebody hands the records on. The caller has the lock.
func (q *logQueue) wake() {
	if !q.running && len(q.entries) > 0 {
		q.running = true
		q.crew.start(q.run) // ends when the queue is empty
	}
}

func (q *logQueue) run() {
	done := false
	defer func() {
		if !done { // runtime.Goexit in a handler: somebody else goes on
			q.mu.Lock()
			defer q.mu.Unlock()
			q.running = false
			q.wake()
		}
	}()
	for {
		e, dropped, ok := q.next()
		if !ok {
			done = true
			return
		}
		e.write(dropped)
	}
}

// next takes the oldest record out, and how many were dropped since it was last asked.
func (q *logQueue) next() (e logEntry, dropped int64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.entries) == 0 {
		q.entries, q.running = nil, false
		return e, 0, false
	}
	e, dropped = q.entries[0], q.dropped
	q.entries[0], q.dropped = logEntry{}, 0
	q.entries = q.entries[1:]
	return e, dropped, true
}

// write hands a record on. A logger that panics loses it, and nothing else.
func (e *logEntry) write(dropped int64) {
	defer func() { _ = recover() }() // there is nobody left to tell
	h := e.to
	if h == nil {
		h = slog.Default().Handler()
	}
	ctx := context.Background()
	if dropped > 0 && h.Enabled(ctx, slog.LevelWarn) {
		lost := slog.NewRecord(e.record.Time, slog.LevelWarn, prefix+"the logger is too slow: records were dropped", 0)
		lost.AddAttrs(slog.Int64("count", dropped))
		_ = h.Handle(ctx, lost)
	}
	if h.Enabled(ctx, e.record.Level) {
		_ = h.Handle(ctx, resolve(e.record))
	}
}

// logHandler is the handler that puts records into the queue. The user's is not
// even asked whether it wants them before they are taken out. The loggers made
// of it are used as they are, without With.
type logHandler struct {
	q  *logQueue
	to slog.Handler // nil: that of slog.Default
}

func (*logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	r.Message = prefix + r.Message
	h.q.put(logEntry{to: h.to, record: r})
	return nil
}

func (h *logHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *logHandler) WithGroup(string) slog.Handler      { return h }

// setLoggers makes the loggers of a session: one for what happens to it, and one
// for faults of users' code, which are not to be lost.
func (cfg *settings) setLoggers() {
	cfg.logs = &logQueue{}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.faults = slog.New(&logHandler{q: cfg.logs})
		return
	}
	cfg.Logger = slog.New(&logHandler{q: cfg.logs, to: cfg.Logger.Handler()})
	cfg.faults = cfg.Logger
}

// Log is the session's logger. It never waits for the user's.
func (s *Session) Log() *slog.Logger { return s.cfg.Logger }

// Faults is the logger of what users' code does wrong: the session's, or
// slog.Default's where it has none.
func (s *Session) Faults() *slog.Logger { return s.cfg.faults }

// Fault logs and counts a panic of a user's code, or where p is nil a
// runtime.Goexit.
func (s *Session) Fault(what string, p any) { s.core.notes.fault(what, p) }

// fault logs what a user's code must not do, where there is no session yet that
// could count it.
func (cfg *settings) fault(what string, p any) { (&notes{sink: cfg.faults}).fault(what, p) }

// guard runs a user's code. It reports whether that has returned: a panic is
// handed to fault. runtime.Goexit cannot be stopped, but is told of.
func guard(what string, fault func(what string, p any), f func()) (returned bool) {
	defer func() {
		if returned {
			return
		}
		fault(what, recover())
	}()
	f()
	returned = true
	return true
}

// stackOf is the stack of a panic, for the log.
func stackOf() string {
	const most = 16 << 10
	s := debug.Stack()
	if len(s) > most {
		s = s[:most]
	}
	return string(s)
}
