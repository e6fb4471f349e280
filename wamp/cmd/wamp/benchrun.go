package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// benchSide is one client that is measured.
type benchSide struct {
	name string
	// one does one operation.
	one func(ctx context.Context) error
	// stream makes one call, and hands on the moment at which each of its n results was
	// sent. every is the time between two, 0 for as fast as can be.
	stream func(ctx context.Context, n int, every time.Duration, got func(sent time.Duration)) error

	hist floor.Histogram
	most time.Duration // the longest
	took time.Duration
	late atomic.Int64 // operations for whose beginning there was no time left
}

// The names of sides.
const (
	sideLibrary = "wamp"
	sideFloor   = "floor"
)

// overdue is how long after the end of a round an operation may still go on.
const overdue = 10 * time.Second

var errOverdue = fmt.Errorf("no answer in 10 s: %w", context.DeadlineExceeded)

// epoch is the moment that the moments of streams count from. It has a monotonic clock.
var epoch = time.Now()

// warming is how long a side is used before it is measured.
const warming = 100 * time.Millisecond

// warm lets caches and buffers fill, and finds what does not work at all.
func (s *benchSide) warm(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, overdue, errOverdue)
	defer cancel()
	if s.one == nil {
		return s.stream(ctx, burst, 0, func(time.Duration) {})
	}
	for end := time.Now().Add(warming); time.Now().Before(end); {
		if err := s.one(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tally counts latencies of one goroutine, or of few.
type tally struct {
	mu   sync.Mutex
	hist floor.Histogram
	most time.Duration
}

func (t *tally) add(d time.Duration) {
	t.mu.Lock()
	t.hist.Add(d)
	t.most = max(t.most, d)
	t.mu.Unlock()
}

// round measures a side for d. What was measured counts, whatever ended it.
func (b *benching) round(ctx context.Context, s *benchSide, d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d+overdue, errOverdue)
	defer cancel()
	tallies := make([]tally, min(b.flags.parallel, 4*runtime.GOMAXPROCS(0)))
	var (
		wg    sync.WaitGroup
		first atomic.Pointer[error]
	)
	work := b.loop
	switch {
	case s.one == nil:
		work = b.streams
	case b.flags.rate > 0:
		work = b.atRate
	}
	begun := time.Now()
	do := work(s, begun, d)
	for i := range b.flags.parallel {
		wg.Go(func() { // ends with the round, or ctx
			if err := do(ctx, i, &tallies[i%len(tallies)]); err != nil && first.CompareAndSwap(nil, &err) {
				cancel() // one is enough
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	if b.flags.rate > 0 && first.Load() == nil {
		took = max(took, d) // the last one begins before the end
	}
	s.took += took
	for i := range tallies {
		s.hist.Merge(&tallies[i].hist)
		s.most = max(s.most, tallies[i].most)
	}
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}

// worker is what each of those does that work at once; i is its number.
type worker = func(ctx context.Context, i int, t *tally) error

// loop does one operation after the other.
func (b *benching) loop(s *benchSide, begun time.Time, d time.Duration) worker {
	end := begun.Add(d)
	return func(ctx context.Context, _ int, t *tally) error {
		for now := time.Now(); now.Before(end); {
			if err := s.one(ctx); err != nil {
				return err
			}
			then := now
			now = time.Now()
			t.add(now.Sub(then))
		}
		return nil
	}
}

// atRate begins each operation at its moment, or as soon after it as somebody is free. Its
// latency counts from that moment.
func (b *benching) atRate(s *benchSide, begun time.Time, d time.Duration) worker {
	var next atomic.Int64
	all := int64(b.flags.rate * d.Seconds())
	end := begun.Add(d + max(d, time.Second)) // for what has been held up
	return func(ctx context.Context, _ int, t *tally) error {
		for {
			i := next.Add(1) - 1
			if i >= all {
				return nil
			}
			moment := begun.Add(time.Duration(float64(i) / b.flags.rate * float64(time.Second)))
			if wait := time.Until(moment); wait > 0 {
				if err := rest(ctx, wait); err != nil {
					return err
				}
			} else if time.Now().After(end) {
				s.late.Add(1)
				continue
			}
			if err := s.one(ctx); err != nil {
				return err
			}
			t.add(time.Since(moment))
		}
	}
}

// burst is how many results a call has that are sent as fast as can be: no more than that
// pile up anywhere, if the caller is slower than the callee.
const burst = 256

// streams reads one stream of results, at a rate, or one after the other.
func (b *benching) streams(s *benchSide, begun time.Time, d time.Duration) worker {
	end := begun.Add(d)
	return func(ctx context.Context, i int, t *tally) error {
		got := func(sent time.Duration) { t.add(time.Since(epoch) - sent) }
		if b.flags.rate > 0 {
			every := time.Duration(float64(b.flags.parallel) / b.flags.rate * float64(time.Second))
			first := every * time.Duration(i) / time.Duration(b.flags.parallel) // one after the other
			if n := int((d - first + every - 1) / every); n > 0 {
				if err := rest(ctx, time.Until(begun.Add(first))); err != nil {
					return err
				}
				return s.stream(ctx, n, every, got)
			}
			return nil
		}
		for time.Now().Before(end) {
			if err := s.stream(ctx, burst, 0, got); err != nil {
				return err
			}
		}
		return nil
	}
}

// benchEcho is the callee of calls.
func benchEcho(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

// benchSend is the callee of streams: it is told how many results to send, with what time
// between two, and what. Each has the moment at which it is sent or, with a time between
// two, at which it should be.
func benchSend(ctx context.Context, inv *wamp.Invocation) error {
	var n int
	var every time.Duration
	var text string
	if err := inv.Scan(&n, &every, &text); err != nil {
		return wamp.Errorf(wamp.ErrInvalidArgument, "%v", err)
	}
	begun := time.Since(epoch)
	for i := range n {
		sent := time.Since(epoch)
		if every > 0 {
			moment := begun + time.Duration(i)*every
			if moment > sent {
				if err := rest(ctx, moment-sent); err != nil {
					return err
				}
			}
			sent = moment
		}
		if err := inv.Progress(wamp.Args(int64(sent), text)); err != nil {
			return err
		}
	}
	return inv.Return(wamp.Args())
}
