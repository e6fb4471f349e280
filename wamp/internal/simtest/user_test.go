package simtest_test

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

// What the session's user does wrong in the simulation in fake time, and what is
// to end all the same.

// simLogger is a logger that does not what it should.
type simLogger struct {
	w   *simWorld
	how string
	n   int // the library calls it from one goroutine at a time
}

// Enabled implements slog.Handler.
func (*simLogger) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (l *simLogger) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *simLogger) WithGroup(string) slog.Handler { return l }

// Handle implements slog.Handler.
func (l *simLogger) Handle(context.Context, slog.Record) error {
	l.n++
	switch l.how {
	case sim.LogBlocks:
		select {
		case <-time.After(3 * time.Second):
		case <-l.w.over:
		}
	case sim.LogPanics:
		if l.n%2 == 0 {
			runtime.Goexit()
		}
		panic("the logger panics")
	case sim.LogCalls:
		if s := l.w.session.Load(); s != nil {
			s.Stats()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, _ = s.Call(ctx, "wamp.session.count", wamp.Payload{}).Final()
		}
	}
	return nil
}

// states listens to the session's states, and asks for its counters.
func (w *simWorld) states(a sim.Action, ch <-chan wamp.State) {
	w.judgeStats(w.s.Stats())
	var last wamp.State
	for last = range ch {
	}
	how := sim.Canceled
	if last.Phase == wamp.Closed {
		how = sim.Closed
	}
	w.m.Ended(a.Op, sim.End{How: how})
}

// judgeStats judges that the session's counters are there, also behind its end.
// The last message that it was given may not have been counted yet.
func (w *simWorld) judgeStats(st wamp.Stats) {
	if st.Received == 0 && w.got.Load() > 100 {
		w.m.Broken(sim.NothingLost, "the session's counters are gone: %+v", st)
	}
}

// bounded runs an end of the session and judges that it ends in time.
func (w *simWorld) bounded(name string, limit time.Duration, end func() error) {
	const slack = 500 * time.Millisecond // for goroutines that are told to end
	start := time.Now()
	err := end()
	took := time.Since(start)
	w.m.Note("%s has ended after %v: %v", name, took, err)
	if took > limit+slack {
		w.m.Broken(sim.EndsOnce, "%s took %v", name, took)
	}
}

// close closes the session: with a context that ends, or without.
func (w *simWorld) close() {
	if w.m.Link()%2 == 0 { // CloseTimeout
		w.bounded("Close", 10*time.Second, func() error { return w.s.Close(context.Background()) })
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.bounded("Close", time.Minute, func() error { return w.s.Close(ctx) })
}

func (w *simWorld) drainIt() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.mu.Lock()
	w.drain = ctx
	w.mu.Unlock()
	w.bounded("Drain", time.Minute, func() error { return w.s.Drain(ctx) })
}

// handler is the session's handler of a registration that runs so many at once.
func (w *simWorld) handler(reg int) wamp.Handler {
	return func(ctx context.Context, inv *wamp.Invocation) error {
		a, run, stop := w.given(inv, reg)
		if stop == nil {
			return wamp.ErrInvalidArgument
		}
		answers := func() {
			if stop() {
				w.m.Answers(a.Op)
			}
		}
		switch a.End {
		case sim.EndPanic:
			answers()
			panic("the handler panics, as planned")
		case sim.EndGoexit:
			answers()
			runtime.Goexit()
		case sim.EndStuck:
			<-w.letGo
			return nil
		}
		if inv.Details.Bool("progress") {
			if a.End == sim.EndResult && !w.takeChunks(inv, run) {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			a.After /= 2
		}
		return simSteps(ctx, a, func(n int, last bool) error {
			p := simPayload(sim.Tag{Op: a.Op, Run: run, N: n}.Numbers())
			if !last {
				_ = inv.Progress(p)
				return nil
			}
			answers()
			switch a.End {
			case sim.EndError:
				return &wamp.Error{URI: sim.AppError, Payload: p}
			case sim.EndDecline:
				return inv.Decline()
			}
			return inv.Return(p)
		})
	}
}

// judgeDead judges that streams which nobody reads have ended with the session.
func (w *simWorld) judgeDead() {
	if w.s.Err() == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, o := range w.ops {
		if o.dead && (o.sub != nil && o.sub.Err() == nil || o.reg != nil && o.reg.Err() == nil) {
			w.m.Broken(sim.EndsOnce, "the stream of %d, which nobody reads, has not ended with the session", n)
		}
	}
}
