package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
)

// The kinds of work that bench measures.
const (
	workCall   = "call"
	workPub    = "pub"
	workStream = "stream"
)

// benchFlags are what bench can be told.
type benchFlags struct {
	size, parallel int
	rate           float64
	duration       time.Duration
	procedure      string
	topic          string
	noFloor        bool
}

func (t *tool) benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure a router, and what this library costs",
		Long: `bench measures a router through this library and, in turns with that, through the floor: a client
written by hand that sends fixed bytes and does as little as a client can. What both have in common
is the router's; the ratio between them is what the library costs.

It prints a line for each of the two, with latencies in milliseconds, and one with the ratios. On a
terminal, and with -o pretty, it prints a table and a histogram instead.

With --rate operations begin at fixed moments, and the latency of one counts from the moment at
which it should have begun: a router that pauses makes late all that it holds up, and not one
operation alone. Without it each of --parallel begins when the one before has ended.

Ctrl-C, and a router that goes away, end it with what has been measured so far.`,
		Example: `  wamp bench call
  wamp bench call --rate 2000 --duration 30s
  wamp bench pub --size 1024 --parallel 64 -o pretty`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		t.benchWork(workCall, "Measure calls", `call calls a procedure: one that bench serves by a session of its own and that returns what it is
given, or --procedure.`, `  wamp bench call --parallel 256
  wamp bench call --procedure com.example.add --rate 500`),
		t.benchWork(workPub, "Measure publishes that are acknowledged", `pub publishes with acknowledgement, to a topic of its own that nobody subscribes to, or to --topic.`,
			`  wamp bench pub --parallel 64
  wamp bench pub --topic com.example.news --rate 1000`),
		t.benchWork(workStream, "Measure progressive results", `stream calls a procedure that bench serves by a session of its own and that sends progressive results:
bursts of 256, one behind the other, or at a --rate. The latency is that of each result, from callee
to caller.`, `  wamp bench stream --size 512
  wamp bench stream --parallel 8 --rate 20000`),
	)
	return c
}

// benchWork is the command of one kind of work.
func (t *tool) benchWork(work, short, long, example string) *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:     work,
		Short:   short,
		Long:    long + "\n\nwamp bench --help says what is printed.",
		Example: example,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(work, c.Flags().Changed); err != nil {
				return err
			}
			return t.bench(c.Context(), c, work, &f)
		},
	}
	fs := c.Flags()
	parallel := "how many operations are under way at once; 64 with --rate"
	if work == workStream {
		parallel = "how many streams there are at once"
	}
	fs.IntVar(&f.size, "size", 16, "bytes of text in each payload")
	fs.IntVar(&f.parallel, "parallel", 1, parallel)
	fs.Float64Var(&f.rate, "rate", 0, "how many begin in a second, all together; 0 for as many as there can be")
	fs.DurationVar(&f.duration, "duration", 5*time.Second, "how long each side is measured")
	fs.BoolVar(&f.noFloor, "no-floor", false, "measure through this library alone")
	switch work {
	case workCall:
		fs.StringVar(&f.procedure, "procedure", "", "`URI` to call, in the place of one that bench serves")
		_ = c.RegisterFlagCompletionFunc("procedure", t.completeFlagURIs(registered))
	case workPub:
		fs.StringVar(&f.topic, "topic", "", "`URI` to publish to")
		_ = c.RegisterFlagCompletionFunc("topic", t.completeFlagURIs(subscribed))
	}
	return c
}

// The bounds of the flags.
const (
	mostParallel = 10_000
	mostSize     = 16<<20 - 1024 // what the largest message of RawSocket has room for
	mostRate     = 10_000_000
)

func (f *benchFlags) check(work string, changed func(string) bool) error {
	if changed("rate") && !(f.rate > 0 && f.rate <= mostRate) {
		return usage("--rate %v is not between 0 and %d", f.rate, mostRate)
	}
	if f.rate > 0 && work != workStream && !changed("parallel") {
		f.parallel = 64
	}
	switch {
	case f.size < 0 || f.size > mostSize:
		return usage("--size %d is not between 0 and %d", f.size, mostSize)
	case f.parallel < 1 || f.parallel > mostParallel:
		return usage("--parallel %d is not between 1 and %d", f.parallel, mostParallel)
	case f.duration <= 0:
		return usage("--duration %v is not above 0", f.duration)
	}
	return nil
}

// rounds is in how many parts the time is cut: sides take turns, so that what else the
// machine does falls on both.
func (b *benching) rounds() int {
	if len(b.sides) == 1 {
		return 1
	}
	least := 200 * time.Millisecond
	if b.flags.rate > 0 {
		least = time.Second
	}
	return int(min(max(b.flags.duration/least, 1), 5))
}

// bench measures, and prints what was measured, whatever ended it.
func (t *tool) bench(ctx context.Context, c *cobra.Command, work string, f *benchFlags) error {
	where, err := t.settled(c.Flags())
	if err != nil {
		return err
	}
	b := &benching{t: t, work: work, flags: f, where: where, text: strings.Repeat("x", f.size)}
	defer b.close()
	if err := b.connect(ctx, c); err != nil {
		return err
	}
	bar := t.newBenchBar(time.Duration(len(b.sides)) * (warming + f.duration))
	err = b.run(ctx, bar)
	bar.end()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if b.sides[0].hist.Count() == 0 {
		return err
	}
	return errors.Join(err, b.report(c))
}

// benching is one run of bench.
type benching struct {
	t     *tool
	work  string
	flags *benchFlags
	where settings
	text  string // of each payload
	uri   string // to call or to publish to

	sides   []*benchSide // the library, and the floor unless it cannot join
	closers []func()
}

func (b *benching) close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
}

// join makes a session of the library, which ends with the run.
func (b *benching) join(ctx context.Context, c *cobra.Command) (*wamp.Session, error) {
	s, err := b.t.connect(ctx, c)
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, func() { b.t.close(ctx, s) })
	return s, nil
}

// connect makes all sessions, and serves what is called.
func (b *benching) connect(ctx context.Context, c *cobra.Command) error {
	s, err := b.join(ctx, c)
	if err != nil {
		return err
	}
	b.uri = "com.connectanum.bench." + strings.ToLower(rand.Text())
	switch {
	case b.flags.procedure != "":
		b.uri = b.flags.procedure
	case b.flags.topic != "":
		b.uri = b.flags.topic
	case b.work != workPub:
		callee, err := b.join(ctx, c)
		if err != nil {
			return err
		}
		h := benchEcho
		if b.work == workStream {
			h = benchSend
		}
		if _, err := callee.Handle(context.WithoutCancel(ctx), b.uri, h, wamp.Concurrency(b.flags.parallel)); err != nil {
			return err
		}
	}
	b.sides = append(b.sides, b.librarySide(s))
	if b.flags.noFloor {
		return nil
	}
	side, err := b.floorSide(ctx, s)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.t.note("wamp: there is no floor to compare with: %v", err)
		return nil
	}
	b.sides = append(b.sides, side)
	return nil
}

// run measures the sides in turns, each first in every other round.
func (b *benching) run(ctx context.Context, bar *benchBar) error {
	for _, side := range b.sides {
		if err := side.warm(ctx); err != nil {
			return err
		}
	}
	n := b.rounds()
	for i := range n {
		for j := range b.sides {
			side := b.sides[(i+j)%len(b.sides)]
			bar.on("measuring " + side.name)
			if err := b.round(ctx, side, b.flags.duration/time.Duration(n)); err != nil {
				if side.name == sideFloor {
					return fmt.Errorf("through the floor: %w", err)
				}
				return err
			}
		}
	}
	return nil
}
