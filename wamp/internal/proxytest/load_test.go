package proxytest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// load is what goes on while the line is broken. Each operation must end once,
// with an outcome that is true.
type load struct {
	l    *line
	stop chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex
	outcomes map[string]int
	errs     []error
	acked    map[int]bool // numbers of published events by their outcome
	heard    map[int]int  // numbers of events that the peer has got
}

// begin starts a load.
func (l *line) begin(t *testing.T) *load {
	t.Helper()
	ld := &load{l: l, stop: make(chan struct{}), outcomes: map[string]int{}, acked: map[int]bool{}, heard: map[int]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	witness, err := l.peer.Subscribe(ctx, "com.example.log")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ev := range witness.Events() {
			var n int
			if ev.Scan(&n) == nil {
				ld.mu.Lock()
				ld.heard[n]++
				ld.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-over })
	for name, op := range map[string]func(ctx context.Context, i int) error{
		"call": func(ctx context.Context, i int) error { return sum(ctx, l.s, i, i) },
		"call, idempotent": func(ctx context.Context, i int) error {
			err := sum(ctx, l.s, i, 1, wamp.Idempotent())
			if errors.As(err, new(*wamp.OutcomeUnknown)) {
				return fmt.Errorf("%w: an idempotent call: %w", errWrong, err)
			}
			return err
		},
		"stream": func(ctx context.Context, _ int) error {
			return follow(ctx, l.s.Call(ctx, "com.example.count", wamp.Args(20), wamp.Progressive()), 20)
		},
		"cancelled call": func(ctx context.Context, _ int) error {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, err := l.s.Call(ctx, "com.example.hung", wamp.Args()).Final()
			if err == nil {
				return errWrong
			}
			return err
		},
		"publish": func(ctx context.Context, i int) error {
			_, err := l.s.Publish(ctx, "com.example.log", wamp.Args(i), wamp.Acknowledge()).Wait()
			ld.mu.Lock()
			defer ld.mu.Unlock()
			ld.acked[i] = err == nil
			return err
		},
		"invocation": func(ctx context.Context, i int) error {
			ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			r, err := l.peer.Call(ctx, "com.example.echo", wamp.Args(i)).Final()
			var n int
			if err == nil && (r.Scan(&n) != nil || n != i) {
				return fmt.Errorf("%w: %d came back as %d", errWrong, i, n)
			}
			if wamp.ErrorURI(err) != "" { // the dealer's word: the callee is gone
				err = nil
			}
			return err
		},
	} {
		ld.done.Go(func() { ld.run(t.Context(), name, op) })
	}
	return ld
}

// run repeats one operation until the load is stopped.
func (ld *load) run(ctx context.Context, name string, op func(ctx context.Context, i int) error) {
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for i := 1; ; i++ {
		one, cancel := context.WithTimeout(ctx, patience)
		err := op(one, i)
		cancel()
		var unknown *wamp.OutcomeUnknown
		ld.mu.Lock()
		switch {
		case errors.Is(err, errWrong):
			ld.errs = append(ld.errs, fmt.Errorf("%s %d: %w", name, i, err))
		case err == nil:
			ld.outcomes["success"]++
		case errors.As(err, &unknown) && errors.As(err, new(*wamp.LinkError)):
			ld.outcomes["unknown"]++
		case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
			ld.outcomes["context"]++
		default:
			ld.errs = append(ld.errs, fmt.Errorf("%s %d: not a true outcome: %w", name, i, err))
		}
		ld.mu.Unlock()
		select {
		case <-pause.C:
		case <-ld.stop:
			return
		}
	}
}

// follow reads a stream of the numbers below most to its end. There must be no
// hole, up to the final result, or to where the error says; only the end of the
// call's own context drops what was not delivered, also before an outcome that
// was there already.
func follow(ctx context.Context, results wamp.Results, most int) error {
	n, ends := 0, 0
	var hole error
	var last wamp.Result
	for last = range results {
		if !last.Progress {
			ends++
			continue
		}
		var got int
		if (last.Scan(&got) != nil || got != n) && hole == nil {
			hole = fmt.Errorf("%w: progressive result %d is %d", errWrong, n, got)
		}
		n++
	}
	var unknown *wamp.OutcomeUnknown
	switch {
	case ends != 1:
		return fmt.Errorf("%w: %d ends", errWrong, ends)
	case ctx.Err() != nil:
		return last.Err
	case errors.As(last.Err, &unknown) && unknown.Delivered != n:
		return fmt.Errorf("%w: %d results delivered, it says %d", errWrong, n, unknown.Delivered)
	case last.Err == nil && n != most:
		return fmt.Errorf("%w: %d results", errWrong, n)
	case hole != nil:
		return hole
	}
	return last.Err
}

// end stops the load and judges it. It returns how often each outcome came.
func (ld *load) end(t *testing.T) map[string]int {
	t.Helper()
	close(ld.stop)
	over := make(chan struct{})
	go func() { ld.done.Wait(); close(over) }()
	select {
	case <-over:
	case <-within(t, 2*patience).Done():
		t.Fatal("an operation does not end")
	}
	const last = -1 // behind everything that the session has published
	try(t, "last event", func(ctx context.Context) error {
		if _, err := ld.l.s.Publish(ctx, "com.example.log", wamp.Args(last), wamp.Acknowledge(), wamp.Idempotent()).Wait(); err != nil {
			return err
		}
		for ctx.Err() == nil {
			ld.mu.Lock()
			n := ld.heard[last]
			ld.mu.Unlock()
			if n > 0 {
				return nil
			}
			runtime.Gosched()
		}
		return ctx.Err()
	})
	ld.mu.Lock()
	defer ld.mu.Unlock()
	for _, err := range ld.errs {
		t.Error(err)
	}
	for i, acked := range ld.acked {
		if n := ld.heard[i]; n > 1 || acked && n == 0 {
			t.Errorf("event %d, acknowledged %v, was published %d times", i, acked, n)
		}
	}
	if ld.outcomes["success"] == 0 {
		t.Error("nothing has succeeded")
	}
	return ld.outcomes
}
