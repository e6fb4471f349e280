package main

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// idleWork are sessions that have joined and made one call, and then do
// nothing. Its samples have no run of their own: once calls idle.
var idleWork = work{name: "idle", title: "an idle session", unit: "memory each"}

// idle joins n sessions, some at a time, and says what each of them holds.
func idle(ctx context.Context, s side, transport, address string, w wire, n int) (sample, error) {
	all := make([]client, n)
	before, goroutines, start, cpu := liveHeap(), runtime.NumGoroutine(), time.Now(), cpuTime()
	err := parallel(n, func(i int) (err error) {
		if all[i], err = s.dial(ctx, transport, address, w); err != nil {
			return err
		}
		return one(all[i], ctx)
	})
	smp := sample{ops: n, took: time.Since(start), cpu: cpuTime() - cpu}
	if err == nil {
		smp.live = liveHeap() - before
		smp.goroutines = runtime.NumGoroutine() - goroutines
	}
	return smp, errors.Join(err, parallel(n, func(i int) error {
		if all[i] == nil {
			return nil
		}
		return all[i].close()
	}))
}
