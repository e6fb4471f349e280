package simtest_test

import (
	"context"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/sim"
)

// countOn is the peer's callee of numbers: it sends those behind the first that it is given
// up to the second, one each so many milliseconds.
func countOn(ctx context.Context, inv *wamp.Invocation) error {
	var behind, last, ms int
	if err := inv.Scan(&behind, &last, &ms, nil); err != nil {
		return err
	}
	for n := behind + 1; n < last; n++ {
		if err := inv.Progress(wamp.Args(n)); err != nil {
			return err
		}
		if err := simSleep(ctx, time.Duration(ms)*time.Millisecond); err != nil {
			return err
		}
	}
	if behind >= last {
		return wamp.Errorf(wamp.ErrInvalidArgument, "there is nothing behind %d of %d", behind, last)
	}
	return inv.Return(wamp.Args(last))
}

// numbers reads a stream of numbers that goes on whatever happens to links.
func (w *simWorld) numbers(o *simOp, a sim.Action) {
	resume := wamp.Resume(func(d wamp.Delivered) (wamp.Payload, bool) {
		return wamp.Args(d.Count, a.N, a.After, a.Op), true
	})
	var end error
	for r := range w.s.Call(o.ctx, sim.NumbersURI, wamp.Args(0, a.N, a.After, a.Op), resume, wamp.Retry(wamp.RetryPolicy{Max: 2 * time.Second})) {
		w.pause(o)
		if end = r.Err; end != nil {
			break
		}
		var n int
		if err := r.Scan(&n); err != nil {
			w.m.Broken(sim.OwnAnswer, "numbers %d: %v", a.Op, err)
		}
		w.m.Number(a.Op, n, r.Resumed)
	}
	w.m.Ended(a.Op, simEnd(end, wamp.Payload{}))
}
