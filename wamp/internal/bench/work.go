package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// work is one thing that both sides do.
type work struct {
	name  string // for -only
	title string
	unit  string // what is counted a second; empty: the time of one call is what matters
	// run does it with a client for so long. nil: see idleWork.
	run func(ctx context.Context, c client, d time.Duration) (sample, error)
}

// works are in the order of the tables.
var works = []work{
	{"sequential", "call after call, one caller", "", each(client.call)},
	{"one", "call after call, one caller: Call[T]", "", each(one)},
	callers(16),
	callers(256),
	oneCallers(256),
	callers(10_000),
	oneCallers(10_000),
	onFour(oneCallers(10_000)),
	{"results", "progressive results received", "results/s", results(false)},
	{"scanned", "progressive results received and scanned", "results/s", results(true)},
	{"scannediter", "progressive results received and scanned, iterator", "results/s", byLoop(results(true))},
	{"events", "events received", "events/s", events(1, false)},
	{"eventsiter", "events received, iterator", "events/s", byLoop(events(1, false))},
	{"eventscan", "events received and scanned", "events/s", events(1, true)},
	{"eventscaniter", "events received and scanned, iterator", "events/s", byLoop(events(1, true))},
	{"fanout100", "events of one topic to 100 subscriptions of the session", "deliveries/s", events(100, false)},
	{"fanout1000", "events of one topic to 1,000 subscriptions", "deliveries/s", events(1000, false)},
	{"invocations", "invocations answered", "invocations/s", invocations},
	{"invocationsiter", "invocations answered, iterator", "invocations/s", byLoop(invocations)},
	publishers(1),
	publishers(16),
	{"acked", "published with acknowledgement, one after the other", "", each(client.acked)},
	{"ackedstream", "published with acknowledgement, as a stream with 256 in flight", "events/s", ackedStream},
	{"echo1m", "1 MiB there and back", "", echoes(1 << 20)},
	{"echo16m", "16 MiB there and back", "", echoes(longest)},
	idleWork,
}

// longest is the payload that fits the largest message of RawSocket, with what
// else there is in it.
const longest = 1<<24 - 1 - 40

// The number of messages of one flood.
const floodSize = 100_000

// each does one thing after the other and looks at how long each takes.
func each(one func(client, context.Context) error) func(context.Context, client, time.Duration) (sample, error) {
	return func(ctx context.Context, c client, d time.Duration) (sample, error) {
		h := new(floor.Histogram)
		s, err := measure(func() (int, error) {
			now := time.Now()
			for end := now.Add(d); now.Before(end); {
				if err := one(c, ctx); err != nil {
					return 0, err
				}
				then := now
				now = time.Now()
				h.Add(now.Sub(then))
			}
			return h.Count(), nil
		})
		s.p50, s.p99 = h.Quantile(0.50), h.Quantile(0.99)
		return s, err
	}
}

// together runs f in n goroutines, over and over until d has passed, and
// returns how often.
func together(n int, d time.Duration, f func() error) (int, error) {
	var (
		wg    sync.WaitGroup
		stop  atomic.Bool
		total atomic.Int64
		first atomic.Pointer[error]
	)
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	for range n {
		wg.Go(func() {
			ops := int64(0)
			for !stop.Load() {
				if err := f(); err != nil {
					failed := err // a copy, so that err stays off the heap
					first.CompareAndSwap(nil, &failed)
					stop.Store(true)
					break
				}
				ops++
			}
			total.Add(ops)
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return 0, *err
	}
	return int(total.Load()), nil
}

// callers is n goroutines that each make one call after the other.
func callers(n int) work {
	return work{
		name: "call" + strconv.Itoa(n), title: fmt.Sprintf("%s callers", thousands(n)), unit: "calls/s",
		run: func(ctx context.Context, c client, d time.Duration) (sample, error) {
			return measure(func() (int, error) {
				return together(n, d, func() error { return c.call(ctx) })
			})
		},
	}
}

// oneCallers is callers that want one result.
func oneCallers(n int) work {
	w := callers(n)
	w.name, w.title = "one"+strconv.Itoa(n), w.title+": Call[T]"
	w.run = func(ctx context.Context, c client, d time.Duration) (sample, error) {
		return measure(func() (int, error) {
			return together(n, d, func() error { return one(c, ctx) })
		})
	}
	return w
}

// onFour does work on four cores where there are more.
func onFour(w work) work {
	const cores = 4
	run := w.run
	w.name, w.title = w.name+"on4", w.title+", on 4 cores"
	w.run = func(ctx context.Context, c client, d time.Duration) (sample, error) {
		if runtime.GOMAXPROCS(0) <= cores {
			return sample{}, fmt.Errorf("%w: it takes more than %d cores", errUnable, cores)
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		return run(ctx, c, d)
	}
	return w
}

// echoes sends a long text and gets it back, one call after the other.
func echoes(size int) func(context.Context, client, time.Duration) (sample, error) {
	return func(ctx context.Context, c client, d time.Duration) (sample, error) {
		text := strings.Repeat("x", size)
		if err := c.echo(ctx, text); err != nil { // makes the buffers grow
			return sample{}, err
		}
		return each(func(c client, ctx context.Context) error { return c.echo(ctx, text) })(ctx, c, d)
	}
}

// floods asks for one flood after the other.
func floods(d time.Duration, f func() error) (sample, error) {
	return measure(func() (ops int, err error) {
		for end := time.Now().Add(d); time.Now().Before(end); ops += floodSize {
			if err := f(); err != nil {
				return 0, err
			}
		}
		return ops, nil
	})
}

// results is floods of progressive results.
func results(scan bool) func(context.Context, client, time.Duration) (sample, error) {
	return func(ctx context.Context, c client, d time.Duration) (sample, error) {
		return floods(d, func() error { return c.results(ctx, floodSize, scan) })
	}
}

// byLoop does work with a client that reads by iterators, if it has any, and not by
// channels.
func byLoop(run func(context.Context, client, time.Duration) (sample, error)) func(context.Context, client, time.Duration) (sample, error) {
	return func(ctx context.Context, c client, d time.Duration) (sample, error) {
		if o, has := c.(*ours); has {
			o.loops = true
		}
		return run(ctx, c, d)
	}
}

// events is floods of events to so many subscriptions of one topic, each with a
// consumer of its own. What is counted are deliveries.
func events(subscriptions int, scan bool) func(context.Context, client, time.Duration) (sample, error) {
	return func(ctx context.Context, c client, d time.Duration) (sample, error) {
		if err := c.subscribe(ctx, subscriptions); err != nil {
			return sample{}, err
		}
		return floods(d, func() error { return c.events(ctx, floodSize/subscriptions, scan) })
	}
}

// ackedStream is streams of acknowledged publishes.
func ackedStream(ctx context.Context, c client, d time.Duration) (sample, error) {
	return floods(d, func() error { return c.stream(ctx, floodSize) })
}

// invocations registers, and asks for floods of invocations.
func invocations(ctx context.Context, c client, d time.Duration) (sample, error) {
	if err := c.register(ctx); err != nil {
		return sample{}, err
	}
	return floods(d, func() error { return c.invocations(ctx, floodSize) })
}

// publishers is n goroutines that publish one event after the other. The time
// ends when the router has read them all.
func publishers(n int) work {
	w := work{
		name: "publish" + strconv.Itoa(n), title: fmt.Sprintf("published, unacknowledged, %d publishers", n),
		unit: "events/s",
		run: func(ctx context.Context, c client, d time.Duration) (sample, error) {
			before, err := c.published(ctx)
			if err != nil {
				return sample{}, err
			}
			return measure(func() (int, error) {
				ops, err := together(n, d, func() error { return c.publish(ctx) })
				if err != nil {
					return 0, err
				}
				got, err := c.published(ctx)
				if err == nil && got-before != ops {
					err = fmt.Errorf("%w: %d of %d publishes arrived", errAnswer, got-before, ops)
				}
				return ops, err
			})
		},
	}
	if n == 1 {
		w.title = "published, unacknowledged, one publisher"
	}
	return w
}

// warm makes the buffers grow and the code run before anything is measured.
func warm(ctx context.Context, c client) error {
	for range 500 {
		if err := c.call(ctx); err != nil {
			return err
		}
	}
	_, err := together(64, 20*time.Millisecond, func() error { return c.call(ctx) })
	return err
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
