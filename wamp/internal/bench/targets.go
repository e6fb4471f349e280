package main

import (
	"fmt"
	"io"
)

// target is one figure that the library set out to reach.
type target struct {
	text      string
	transport string
	work      string
	// value is what was reached, limit what it should be at most or, with
	// atLeast, at least. Both take the floor's calls a second over TCP with
	// 256 callers for the speed of the machine.
	value   func(c *comparison, t *target) float64
	limit   float64
	scaled  bool // limit is in terms of that speed
	atLeast bool
	write   func(float64) string
}

// scale is the floor's figure that the targets were set with.
const scale = 1.25e6

func plain(v float64) string { return fmt.Sprintf("%.2f", v) }

// ratioOf makes a target of a ratio to the floor.
func ratioOf(f func(*sample) float64) func(*comparison, *target) float64 {
	return func(c *comparison, t *target) float64 { return c.ratio(t.transport, t.work, f) }
}

// valueOf makes a target of a figure of the library itself.
func valueOf(f func(*sample) float64) func(*comparison, *target) float64 {
	return func(c *comparison, t *target) float64 {
		return c.median(t.transport, "wamp", c.baseline, t.work, f)
	}
}

func p50(s *sample) float64 { return float64(s.p50) }

// allTargets lists them in the order of the tables.
func allTargets() []target {
	var all []target
	for _, tr := range []string{transportTCP, transportUnix} {
		all = append(all,
			target{"sequential call, p50, of the floor's", tr, "sequential", ratioOf(p50), 1.25, false, false, plain},
			target{"256 callers, calls/s, of the floor's", tr, "call256", ratioOf((*sample).rate), 0.60, false, true, plain},
			target{"256 callers, CPU a call, of the floor's", tr, "call256", ratioOf((*sample).cpuOp), 3, false, false, plain},
			target{"256 callers, allocations a call", tr, "call256", valueOf((*sample).allocs), 6, false, false, plain})
	}
	rates := func(tr string, results, publishes float64) {
		if results > 0 {
			all = append(all,
				target{"progressive results/s", tr, "results", valueOf((*sample).rate), results, true, true, rate},
				target{"events/s received", tr, "events", valueOf((*sample).rate), results, true, true, rate},
				target{"allocations a progressive result", tr, "results", valueOf((*sample).allocs), 2, false, false, plain},
				target{"allocations an event", tr, "events", valueOf((*sample).allocs), 2, false, false, plain})
		}
		if publishes > 0 {
			all = append(all,
				target{"events/s published by one", tr, "publish1", valueOf((*sample).rate), publishes, true, true, rate},
				target{"events/s published by 16", tr, "publish16", valueOf((*sample).rate), publishes, true, true, rate})
		}
	}
	all = append(all, target{"256 callers, calls/s", transportWeb, "call256", valueOf((*sample).rate), 500e3, true, true, rate},
		target{"256 callers, allocations a call", transportWeb, "call256", valueOf((*sample).allocs), 6, false, false, plain})
	rates(transportTCP, 2e6, 0)
	rates(transportUnix, 0, 3e6)
	rates(transportWeb, 1e6, 1.5e6)
	return all
}

// targets prints the targets and what was reached, as far as it was measured.
func (c *comparison) targets(out io.Writer) {
	speed := c.median(transportTCP, "floor", c.baseline, "call256", (*sample).rate)
	if speed == 0 || len(c.sides) < 2 {
		return
	}
	fmt.Fprintf(out, "\n### Targets\n\nRates are in terms of a machine on which the floor does %s calls/s over TCP with 256 callers; here it does %s, so they are scaled by %.2f.\n\n",
		rate(scale), rate(speed), speed/scale)
	fmt.Fprint(out, "| transport | what | target | reached | |\n|---|---|--:|--:|---|\n")
	for _, t := range allTargets() {
		got := t.value(c, &t)
		if got == 0 {
			continue
		}
		limit := t.limit
		if t.scaled {
			limit *= speed / scale
		}
		// what a run costs as a whole (callers that start, buffers that grow)
		// comes to a few hundredths of an allocation each
		bound, met := "<=", got <= limit+0.05
		if t.atLeast {
			bound, met = ">=", got >= limit
		}
		verdict := "missed"
		if met {
			verdict = "met"
		}
		fmt.Fprintf(out, "| %s | %s | %s %s | %s | %s |\n", t.transport, t.text, bound, t.write(limit), t.write(got), verdict)
	}
}
