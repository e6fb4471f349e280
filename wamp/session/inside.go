package session

import (
	"context"
	"sync/atomic"
)

// Run is one run of a handler. A Close or Drain that is called in it does not wait for it
// for as long as it goes on; what it has left behind is waited for by nobody, and waits for
// all others.
type Run struct{ state atomic.Uint32 }

const (
	running uint32 = 1 << iota
	inLeave        // a Close or Drain is called in it, and it is counted
)

// Begin says that the handler runs.
func (r *Run) Begin() { r.state.Store(running) }

// End says that it has returned. It comes before the end of its goroutine.
func (r *Run) End(s *Session) {
	if r.state.Swap(0)&inLeave != 0 {
		s.leavers.Add(-1)
	}
}

// Runs reports whether the handler runs.
func (r *Run) Runs() bool { return r.state.Load()&running != 0 }

// leaves notes that a Close is called in the handler, until that returns.
func (s *Session) leaves(r *Run) (done func()) {
	if r == nil || !r.state.CompareAndSwap(running, running|inLeave) {
		return func() {}
	}
	s.leavers.Add(1)
	s.handlers.ring() // another Close may wait for less now
	return func() {
		if r.state.CompareAndSwap(running|inLeave, running) {
			s.leavers.Add(-1)
		}
	}
}

// Within is whose handler it is in which a Close or Drain was called: that one is not
// waited for.
type Within struct {
	Invocation   *Invocation   // nil: in that of
	Subscription *Subscription // an event
	Run          *Run
}

// RunContext is the context of one run of a handler of events.
type RunContext struct {
	context.Context //nolint:containedctx // it is one
	Run             Run
	Of              any // whose run it is
}

// Value implements context.Context.
func (c *RunContext) Value(key any) any {
	if key == (InsideKey{}) {
		return c
	}
	return c.Context.Value(key)
}
