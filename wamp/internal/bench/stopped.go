package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/metrics"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// stall is one consumer that stops reading or, for comparison, does not.
type stall struct {
	title string
	size  int // bytes of text in a chunk; 0: the small payload
	reads bool
	// open starts the stream of the chunks. read reads all of it and says
	// what was there.
	open opener
}

type opener func(ctx context.Context, s *wamp.Session, chunks string, count int) (read func() string, err error)

// stalls are the cases.
var stalls = []stall{
	{"call, 1,000 bytes, consumer reads", 1000, true, stallCall()},
	{"call, 1,000 bytes, default bound", 1000, false, stallCall()},
	{"call, 1,000 bytes, bound 1 MiB", 1000, false, stallCall(wamp.Buffer(0, 1<<20))},
	{"call, small chunks, consumer reads", 0, true, stallCall()},
	{"call, small chunks, default bound", 0, false, stallCall()},
	{"subscription, 1,000 bytes, consumer reads", 1000, true, stallEvents()},
	{"subscription, 1,000 bytes, default bound", 1000, false, stallEvents()},
	{"subscription, 1,000 bytes, bound 1 MiB, drop the newest", 1000, false,
		stallEvents(wamp.Buffer(100_000, 1<<20), wamp.OverflowDropNewest())},
	{"subscription, small events, consumer reads", 0, true, stallEvents()},
	{"subscription, small events, default bound", 0, false, stallEvents()},
}

func stallCall(options ...wamp.CallOption) opener {
	options = append(options, wamp.Progressive())
	return func(ctx context.Context, s *wamp.Session, chunks string, _ int) (func() string, error) {
		results := s.Call(ctx, procStorm+chunks, wamp.Args(), options...)
		return func() string {
			n, err := 0, error(nil)
			for r := range results {
				if r.Progress {
					n++
				}
				err = r.Err
			}
			end := "the final one"
			if err != nil {
				end = err.Error()
			}
			return fmt.Sprintf("%s results, then %s", thousands(n), end)
		}, nil
	}
}

func stallEvents(options ...wamp.SubscribeOption) opener {
	return func(ctx context.Context, s *wamp.Session, chunks string, count int) (func() string, error) {
		sub, err := s.Subscribe(ctx, "bench.topic", options...)
		if err != nil {
			return nil, err
		}
		done := s.Call(ctx, procEvents+chunks, wamp.Args())
		return func() string {
			n, lost := 0, uint64(0)
			for answers := done; answers != nil; {
				select {
				case ev := <-sub.Events():
					n++
					lost += ev.Lost
				case r := <-answers: // all events have come before it
					if r.Err != nil {
						return r.Err.Error()
					}
					answers = nil
				}
			}
			dropped := int(sub.Dropped())
			for ; n < count-dropped; n++ {
				lost += (<-sub.Events()).Lost
			}
			return fmt.Sprintf("%s events, %s dropped, %s of them marked", thousands(n), thousands(dropped), thousands(int(lost)))
		}, nil
	}
}

// stopped prints what a consumer that stopped reading costs, and what becomes
// of 16 other callers on the same session.
func stopped(ctx context.Context, o *options, p *process, out io.Writer, raw *rawWriter) error {
	count := 1_000_000
	if o.short {
		count /= 10
	}
	pace := "as fast as it can"
	if o.pace > 0 {
		pace = fmt.Sprintf("at %s a second", thousands(o.pace))
	}
	fmt.Fprintf(out, "One consumer never reads while the router sends it %s chunks, %s; 16 callers go on calling on the same session. RawSocket over TCP, CBOR. "+
		"Memory is above what the process had before: at most (garbage included), and in use when all chunks have come. "+
		"The rows of consumers that read are for comparison. Answers share the connection with the chunks, so calls take longer either way.\n\n", thousands(count), pace)
	fmt.Fprint(out, "| stream | bytes sent | at most | in use | calls/s before | meanwhile | p99 before | meanwhile | the stream, when it is read |\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n")
	raw.row("stream", "bytes sent", "at most", "in use", "calls/s before", "meanwhile", "p99 ns before", "meanwhile", "outcome")
	for _, c := range stalls {
		fmt.Fprintf(os.Stderr, "stopped: %s\n", c.title)
		if err := c.run(ctx, o, p, count, out, raw); err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
	}
	return nil
}

// run does one case and prints its row.
func (c *stall) run(ctx context.Context, o *options, p *process, count int, out io.Writer, raw *rawWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := connect(ctx, transportTCP, p.addresses[transportTCP], floor.Wires["cbor"])
	if err != nil {
		return err
	}
	us := &ours{session: s}
	if err := warm(ctx, us); err != nil {
		return err
	}
	before, calm, err := callMeanwhile(ctx, us, func() error {
		select {
		case <-ctx.Done():
		case <-time.After(o.duration):
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	base := liveHeap()
	heap := watchHeap()
	chunks := fmt.Sprintf(".%d.%d.%d", count, c.size, o.pace)
	var read func() string
	outcome := make(chan string, 1)
	during, busy, err := callMeanwhile(ctx, us, func() (err error) {
		if read, err = c.open(ctx, s, chunks, count); err != nil {
			return err
		}
		if c.reads {
			go func() { outcome <- read() }()
		}
		_, err = s.Call(ctx, procSent, wamp.Args()).Final()
		return err
	})
	most := heap()
	if err != nil {
		return err
	}
	used := liveHeap() - base
	if !c.reads {
		outcome <- read()
	}
	const frame = 30 // what a chunk has beside its text, about
	sent, how := float64(count*(c.size+frame)), <-outcome
	fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", c.title, sizeText(sent),
		sizeText(most-base), sizeText(max(used, 0)), rate(before.rate()), rate(during.rate()),
		micros(float64(calm.Quantile(0.99))), micros(float64(busy.Quantile(0.99))), how)
	raw.row(c.title, sent, most-base, used, before.rate(), during.rate(),
		calm.Quantile(0.99).Nanoseconds(), busy.Quantile(0.99).Nanoseconds(), how)
	return us.close()
}

// callMeanwhile calls in 16 goroutines for as long as f takes.
func callMeanwhile(ctx context.Context, us *ours, f func() error) (sample, *floor.Histogram, error) {
	const callers = 16
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	times := make([]floor.Histogram, callers)
	ended := make(chan error, 1)
	start := time.Now()
	go func() { // ends when stop is closed
		ended <- parallel(callers, func(i int) error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				now := time.Now()
				if err := us.call(ctx); err != nil {
					return err
				}
				times[i].Add(time.Since(now))
			}
		})
	}()
	err := f()
	s := sample{took: time.Since(start)}
	close(stop)
	err = errors.Join(err, <-ended)
	for i := range times[1:] {
		times[0].Merge(&times[i+1])
	}
	s.ops = times[0].Count()
	return s, &times[0], err
}

// watchHeap looks at the heap all the time until the function it returns is
// called, which says what the most was.
func watchHeap() (most func() float64) {
	stop, result := make(chan struct{}), make(chan float64)
	go func() { // ends when stop is closed
		names := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
		top := 0.0
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(names)
			top = max(top, float64(names[0].Value.Uint64()+names[1].Value.Uint64()))
			select {
			case <-stop:
				result <- top
				return
			case <-tick.C:
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-result
	}
}
