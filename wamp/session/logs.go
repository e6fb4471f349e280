package session

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A logger is a user's code: it may block, panic, or do something with the
// session that it tells of. So records go into a bounded queue, and a goroutine
// that lives only while there are some hands them on.

// logRecords is how many records wait at most. What comes beyond is counted, and
// the count is logged when there is room again.
const logRecords = 512

// Of one kind no more than recordBurst records are written at once, and then one each
// recordEvery: whoever can make us write one can make us write many.
const (
	recordBurst = 20
	recordEvery = 6 * time.Second
)

// journal is the log of a session. Anybody may write to it.
type journal struct {
	to     slog.Handler // nil: that of slog.Default
	quiet  bool         // only faults are written
	faults atomic.Uint64
	crew   crew

	mu      sync.Mutex    // held for a moment, and never across a call
	entries []slog.Record // memory only while there are some: most sessions log little
	running bool
	dropped uint64
	rates   [NumRecords]*recordRate
}

// recordRate bounds the records of a kind.
type recordRate struct {
	free    time.Time // when recordBurst records are free again
	leftOut uint64    // since the last record
}

// take reports whether another record may be written now.
func (r *recordRate) take(now time.Time) bool {
	if r.free.Before(now) {
		r.free = now
	}
	if r.free.Sub(now) > (recordBurst-1)*recordEvery {
		r.leftOut++
		return false
	}
	r.free = r.free.Add(recordEvery)
	return true
}

// newJournal returns the log that goes to a user's logger. Where that is nil only faults of
// users' code are written, to slog.Default: they are not to be lost.
func newJournal(l *slog.Logger) *journal {
	if l == nil {
		return &journal{quiet: true}
	}
	return &journal{to: l.Handler()}
}

// write writes a record. The user's handler is not even asked whether it wants it before
// it is taken out of the queue.
func (j *journal) write(kind Record, attrs ...slog.Attr) {
	k := &recordKinds[kind]
	now := time.Now()
	leftOut, ok := j.admits(kind, now)
	if !ok {
		return
	}
	var pc [1]uintptr
	runtime.Callers(2, pc[:])
	r := slog.NewRecord(now, k.level, prefix+k.message, pc[0])
	for i, a := range attrs {
		if a.Value.Kind() == slog.KindString && a.Key != "stack" {
			attrs[i].Value = slog.StringValue(cut(a.Value.String()))
		}
	}
	r.AddAttrs(attrs...)
	if leftOut > 0 {
		r.AddAttrs(slog.Uint64("left_out", leftOut))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put(r)
}

// admits reports whether a record of a kind may be written now, and how many were left
// out before it.
func (j *journal) admits(kind Record, now time.Time) (leftOut uint64, ok bool) {
	if j.quiet && !recordKinds[kind].fault {
		return 0, false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	rate := j.rate(kind)
	if ok = rate.take(now); ok {
		leftOut, rate.leftOut = rate.leftOut, 0
	}
	return leftOut, ok
}

// rate is that of a kind. The caller has the lock.
func (j *journal) rate(kind Record) *recordRate {
	if j.rates[kind] == nil {
		j.rates[kind] = &recordRate{}
	}
	return j.rates[kind]
}

// leaveOut counts a record that is not written, for the next one of its kind.
func (j *journal) leaveOut(kind Record) {
	if j.quiet && !recordKinds[kind].fault {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rate(kind).leftOut++
}

// last writes how many records were left out that no further one has told of, when the
// session is over.
func (j *journal) last() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for kind, rate := range j.rates {
		if rate == nil || rate.leftOut == 0 {
			continue
		}
		k := &recordKinds[RecordLeftOut]
		r := slog.NewRecord(time.Now(), k.level, prefix+k.message, 0)
		r.AddAttrs(slog.String("record", recordKinds[kind].message), slog.Uint64("left_out", rate.leftOut))
		rate.leftOut = 0
		j.put(r)
	}
}

// put queues a record. The caller has the lock.
func (j *journal) put(r slog.Record) {
	if len(j.entries) < logRecords {
		j.entries = append(j.entries, r)
	} else {
		j.dropped++
	}
	j.wake()
}

// wake sees to it that somebody hands the records on. The caller has the lock.
func (j *journal) wake() {
	if !j.running && len(j.entries) > 0 {
		j.running = true
		j.crew.start(j.run) // ends when the queue is empty
	}
}

func (j *journal) run() {
	done := false
	defer func() {
		if !done { // runtime.Goexit in a handler: somebody else goes on
			j.mu.Lock()
			defer j.mu.Unlock()
			j.running = false
			j.wake()
		}
	}()
	for {
		r, dropped, ok := j.next()
		if !ok {
			done = true
			return
		}
		j.handOn(r, dropped)
	}
}

// next takes the oldest record out, and how many were dropped since it was last asked.
func (j *journal) next() (r slog.Record, dropped uint64, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == 0 {
		j.entries, j.running = nil, false
		return r, 0, false
	}
	r, dropped = j.entries[0], j.dropped
	j.entries[0], j.dropped = slog.Record{}, 0
	j.entries = j.entries[1:]
	return r, dropped, true
}

// handOn gives a record to the logger. One that panics loses it, and nothing else.
func (j *journal) handOn(r slog.Record, dropped uint64) {
	defer func() { _ = recover() }() // there is nobody left to tell
	h := j.to
	if h == nil {
		h = slog.Default().Handler()
	}
	ctx := context.Background()
	if k := &recordKinds[RecordSlowLogger]; dropped > 0 && h.Enabled(ctx, k.level) {
		lost := slog.NewRecord(r.Time, k.level, prefix+k.message, 0)
		lost.AddAttrs(slog.Uint64("dropped", dropped))
		_ = h.Handle(ctx, lost)
	}
	if h.Enabled(ctx, r.Level) {
		_ = h.Handle(ctx, resolve(r))
	}
}

// fault writes and counts what users' code must not do: a panic, or where p is nil
// a runtime.Goexit.
func (j *journal) fault(what string, p any) {
	if p == nil {
		j.faults.Add(1)
		j.write(RecordGoexit, slog.String("code", what), slog.String("stack", stackOf()))
		return
	}
	j.panicked(what, p, stackOf())
}

func (j *journal) panicked(what string, p any, stack string) {
	j.faults.Add(1)
	j.write(RecordPanic, slog.String("code", what), slog.String("panic", panicText(p)), slog.String("stack", stack))
}

// panicText is the text of what a user's code has panicked with, as that of an error.
func panicText(p any) (text string) {
	err, is := p.(error)
	if !is {
		return fmt.Sprint(p)
	}
	defer func() {
		if recover() != nil {
			text = textOf(err)
		}
	}()
	return Redact(err)
}

// stuck writes and counts a user's code that has not returned.
func (j *journal) stuck(what string, after time.Duration) {
	j.faults.Add(1)
	j.write(RecordStuck, slog.String("code", what), slog.Duration("after", after))
}

// failed is the attribute of an error.
func failed(err error) slog.Attr { return slog.Any("error", logText{err}) }

// Note writes a record into the session's log. It never waits for the user's.
func (s *Session) Note(kind Record, attrs ...slog.Attr) { s.cfg.log.write(kind, attrs...) }

// Failed is the attribute of an error in a record: its text, which is made by the
// goroutine that calls the logger.
func Failed(err error) slog.Attr { return failed(err) }

// Fault logs and counts a panic of a user's code, or where p is nil a
// runtime.Goexit.
func (s *Session) Fault(what string, p any) { s.cfg.log.fault(what, p) }

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
