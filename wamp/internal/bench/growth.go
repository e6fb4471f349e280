package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// growth prints how cost grows, all with CBOR.
func growth(ctx context.Context, o *options, p *process, out io.Writer, raw *rawWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fmt.Fprintf(out, "All with CBOR. Memory is heap and stacks after garbage collection; times are medians of %d runs of %v. The bars of a table have one scale.\n", o.repeat, o.duration)
	raw.row("curve", "axis", "point", "figure", "value")
	for _, f := range []func(context.Context, *options, *process) (*curve, error){
		growCallers, growThreads, growSubscriptions, growSessions, growPayload,
	} {
		c, err := f(ctx, o, p)
		if err != nil {
			return err
		}
		c.print(out)
		c.raw(raw)
	}
	return nil
}

// upTo is the powers of ten up to a number, or up to a tenth of it in short
// runs.
func upTo(n int, o *options) (steps []int) {
	if o.short {
		n /= 10
	}
	for i := 1; i <= n; i *= 10 {
		steps = append(steps, i)
	}
	return steps
}

// growCallers: more and more callers on one session.
func growCallers(ctx context.Context, o *options, p *process) (*curve, error) {
	c := &curve{title: "Callers on one session: Call[T], RawSocket over TCP", axis: "callers",
		heads: []string{"calls/s", "floor's", "a call takes", "floor's", "CPU a call", "floor's", "allocations a call"},
		drawn: []int{0, 1}}
	cmp := &comparison{samples: make(map[cell][]sample), sides: chosenSides([]string{sideFloor, sideOurs}, []string{"cbor"})}
	for _, n := range upTo(10_000, o) {
		fmt.Fprintf(os.Stderr, "callers: %d\n", n)
		w := oneCallers(n)
		for range o.repeat {
			if err := cmp.round(ctx, p.addresses[transportTCP], transportTCP, w, o.duration, map[string]bool{}); err != nil {
				return nil, err
			}
		}
		get := func(side string, f func(*sample) float64) float64 {
			return cmp.median(transportTCP, cmp.first(side), w.name, f)
		}
		// each caller has one call under way all the time
		took := func(s *sample) float64 { return float64(n) / s.rate() * 1e9 }
		v := []float64{get(sideOurs, (*sample).rate), get(sideFloor, (*sample).rate), get(sideOurs, took), get(sideFloor, took),
			get(sideOurs, (*sample).cpuOp), get(sideFloor, (*sample).cpuOp), get(sideOurs, (*sample).allocs)}
		c.add(thousands(n), v, rate(v[0]), rate(v[1]), micros(v[2]), micros(v[3]), micros(v[4]), micros(v[5]), tenths(v[6]))
	}
	return c, nil
}

// growThreads: more and more threads for the callers of one session. The server has all
// cores.
func growThreads(ctx context.Context, o *options, p *process) (*curve, error) {
	c := &curve{title: "Threads (GOMAXPROCS): Call[T], RawSocket over TCP", axis: "threads",
		heads: []string{"256 callers: calls/s", "of the floor's", "10,000 callers: calls/s", "of the floor's"},
		drawn: []int{0, 2}}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for threads := 1; threads <= 16; threads *= 2 {
		fmt.Fprintf(os.Stderr, "threads: %d\n", threads)
		runtime.GOMAXPROCS(threads)
		cmp := &comparison{samples: make(map[cell][]sample), sides: chosenSides([]string{sideFloor, sideOurs}, []string{"cbor"})}
		var values []float64
		var texts []string
		for _, w := range []work{oneCallers(256), oneCallers(10_000)} {
			for range o.repeat {
				if err := cmp.round(ctx, p.addresses[transportTCP], transportTCP, w, o.duration, map[string]bool{}); err != nil {
					return nil, err
				}
			}
			ours := cmp.median(transportTCP, cmp.first(sideOurs), w.name, (*sample).rate)
			ratio := ours / cmp.median(transportTCP, cmp.first(sideFloor), w.name, (*sample).rate)
			values = append(values, ours, ratio)
			texts = append(texts, rate(ours), number("%.2f", ratio))
		}
		c.add(strconv.Itoa(threads), values, texts...)
	}
	return c, nil
}

// growSubscriptions: more and more subscriptions of one session.
func growSubscriptions(ctx context.Context, o *options, p *process) (*curve, error) {
	c := &curve{title: "Subscriptions of one session, RawSocket over TCP", axis: "subscriptions",
		heads: []string{"memory", "memory each", "goroutines", "subscribing took", "an event is received in"}, drawn: []int{1}}
	for _, n := range upTo(100_000, o) {
		fmt.Fprintf(os.Stderr, "subscriptions: %d\n", n)
		s, err := connect(ctx, transportTCP, p.addresses[transportTCP], floor.Wires["cbor"])
		if err != nil {
			return nil, err
		}
		us := &ours{session: s}
		if err := us.call(ctx); err != nil {
			return nil, err
		}
		subs := make([]*wamp.Subscription, n)
		before, goroutines, start := liveHeap(), runtime.NumGoroutine(), time.Now()
		err = parallel(n, func(i int) (err error) {
			subs[i], err = s.Subscribe(ctx, fmt.Sprintf("bench.topic.n%d", i))
			return err
		})
		took := time.Since(start)
		if err != nil {
			return nil, err
		}
		used, more := liveHeap()-before, runtime.NumGoroutine()-goroutines
		runtime.KeepAlive(subs)
		smp, err := events(1, false)(ctx, us, o.duration/2) // on one more, which is the last
		if err = errors.Join(err, us.close()); err != nil {
			return nil, err
		}
		v := []float64{used, used / float64(n), float64(more), float64(took), 1e9 / smp.rate()}
		c.add(thousands(n), v, sizeText(v[0]), sizeText(v[1]), fmt.Sprint(more), took.Round(10*time.Microsecond).String(), micros(v[4]))
	}
	return c, nil
}

// growSessions: more and more sessions in one process.
func growSessions(ctx context.Context, o *options, p *process) (*curve, error) {
	c := &curve{title: "Sessions in one process", axis: "transport and sessions",
		heads: []string{"memory each", "goroutines each", "joining took, each", "calls/s of all"}, drawn: []int{0}}
	for _, tr := range o.transports {
		for _, n := range upTo(1_000, o) {
			fmt.Fprintf(os.Stderr, "sessions: %s, %d\n", tr, n)
			all := make([]*ours, n)
			before, goroutines, start := liveHeap(), runtime.NumGoroutine(), time.Now()
			err := parallel(n, func(i int) error {
				s, err := connect(ctx, tr, p.addresses[tr], floor.Wires["cbor"])
				if err != nil {
					return err
				}
				all[i] = &ours{session: s}
				return all[i].call(ctx)
			})
			took := time.Since(start)
			if err != nil {
				return nil, err
			}
			used, more := liveHeap()-before, runtime.NumGoroutine()-goroutines
			turn := make(chan *ours, n)
			for _, us := range all {
				turn <- us
			}
			smp, err := measure(func() (int, error) {
				return together(min(n, 256), o.duration, func() error {
					us := <-turn
					err := us.call(ctx)
					turn <- us
					return err
				})
			})
			if err = errors.Join(err, parallel(n, func(i int) error { return all[i].close() })); err != nil {
				return nil, err
			}
			v := []float64{used / float64(n), float64(more) / float64(n), float64(took) / float64(n), smp.rate()}
			c.add(tr+" "+thousands(n), v, sizeText(v[0]), tenths(v[1]), micros(v[2]), rate(v[3]))
		}
	}
	return c, nil
}

// growPayload: longer and longer payloads, up to what RawSocket can carry.
func growPayload(ctx context.Context, o *options, p *process) (*curve, error) {
	c := &curve{title: "Payload, sent and received back, one caller", axis: "transport and payload",
		heads: []string{"a call takes, p50", "floor's", "bytes/s each way", "floor's", "memory allocated a call"}, drawn: []int{2, 3}}
	for _, tr := range o.transports {
		for _, n := range []int{64, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 4 << 20, longest} {
			fmt.Fprintf(os.Stderr, "payload: %s, %d\n", tr, n)
			text := strings.Repeat("x", n)
			runs := make(map[string][]float64)
			var allocated []float64
			for range o.repeat {
				for _, s := range chosenSides([]string{sideFloor, sideOurs}, nil) {
					took, bytes, err := echo(ctx, s, tr, p.addresses[tr], text, o.duration)
					if err != nil {
						return nil, fmt.Errorf("payload of %d over %s, %s: %w", n, tr, s.name, err)
					}
					runs[s.name] = append(runs[s.name], float64(took))
					if s.name == sideOurs {
						allocated = append(allocated, bytes)
					}
				}
			}
			us, fl := median(runs[sideOurs]), median(runs[sideFloor])
			v := []float64{us, fl, float64(n) / us * 1e9, float64(n) / fl * 1e9, median(allocated)}
			c.add(tr+" "+sizeText(float64(n)), v, micros(us), micros(fl), sizeText(v[2]), sizeText(v[3]), sizeText(v[4]))
		}
	}
	return c, nil
}

// echo sends a text and gets it back, one call after the other, and returns
// the median time and the memory that a call allocates.
func echo(ctx context.Context, s side, tr, address, text string, d time.Duration) (took time.Duration, bytes float64, err error) {
	c, err := s.dial(ctx, tr, address, floor.Wires["cbor"])
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.echo(ctx, text); err != nil {
		return 0, 0, err
	}
	h := new(floor.Histogram)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for end := time.Now().Add(d / 2); time.Now().Before(end) || h.Count() < 5; {
		start := time.Now()
		if err := c.echo(ctx, text); err != nil {
			return 0, 0, err
		}
		h.Add(time.Since(start))
	}
	runtime.ReadMemStats(&after)
	return h.Quantile(0.5), float64(after.TotalAlloc-before.TotalAlloc) / float64(h.Count()), nil
}
