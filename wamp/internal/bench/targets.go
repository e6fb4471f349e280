package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// target is one figure that the library set out to reach, on some transports.
type target struct {
	what   string
	work   string
	figure func(*sample) float64
	// of says what the figure is divided by: that of another side, or, with
	// work, of other work of the library's. Without both it is the figure
	// itself, divided by unit.
	of       string
	ofWork   string
	unit     float64
	text     func(float64) string
	atLeast  bool
	tcp      float64 // the limits; 0: none
	unix, ws float64
}

func plain(v float64) string { return number("%.2f", v) }

// targets are in the order of the table. Where nothing is said of Unix sockets,
// they have none. Those of a third side are thirdTargets.
var targets = []target{
	{what: "one call after another: Call[T], p50 of the floor's", work: "one", figure: p50, of: sideFloor, tcp: 1.12, unix: 1.25, ws: 1.12},
	{what: "256 callers: Call[T], rate of the floor's", work: "one256", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.90, ws: 0.85},
	{what: "256 callers: Call as a stream, rate of the floor's", work: "call256", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.80, ws: 0.70},
	{what: "10,000 callers: Call[T], rate of the floor's; set for 16 cores", work: "one10000", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.75, ws: 0.70},
	{what: "10,000 callers: Call[T], rate of that on 4 cores", work: "one10000", figure: (*sample).rate, ofWork: "one10000on4", atLeast: true, tcp: 1, ws: 1},
	{what: "progressive results, channel: rate of the floor's", work: "results", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.5, ws: 0.5},
	{what: "progressive results, iterator: rate of the floor's", work: "scannediter", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.7, ws: 0.7},
	{what: "events, channel: rate of the floor's", work: "events", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.45, ws: 0.45},
	{what: "events, iterator: rate of the floor's", work: "eventsiter", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.65, ws: 0.65},
	{what: "invocations answered, iterator: CPU of the floor's", work: "invocationsiter", figure: (*sample).cpuOp, of: sideFloor, tcp: 4.5, ws: 4.5},
	{what: "invocations answered, channel: CPU of the floor's", work: "invocations", figure: (*sample).cpuOp, of: sideFloor, tcp: 4.5, ws: 4.5},
	{what: "published by one, unacknowledged: CPU of the floor's", work: "publish1", figure: (*sample).cpuOp, of: sideFloor, tcp: 4.5, ws: 6},
	{what: "acknowledged publishes as a stream: rate of the floor's", work: "ackedstream", figure: (*sample).rate, of: sideFloor, atLeast: true, tcp: 0.6, ws: 0.5},
	{what: "Call[T]: memory allocated a call", work: "one", figure: (*sample).memory, unit: 1, text: sizeText, tcp: 64, unix: 64, ws: 64},
	{what: "Call[T]: allocations a call", work: "one", figure: (*sample).allocs, unit: 1, text: tenths, tcp: 2, unix: 2, ws: 2},
	{what: "Call as a stream: memory allocated a call", work: "sequential", figure: (*sample).memory, unit: 1, text: sizeText, tcp: 300, unix: 300, ws: 300},
	{what: "Call as a stream: allocations a call", work: "sequential", figure: (*sample).allocs, unit: 1, text: tenths, tcp: 4, unix: 4, ws: 4},
	{what: "1 MiB there and back: p50 of the floor's", work: "echo1m", figure: p50, of: sideFloor, tcp: 1.25, ws: 1.4},
	{what: "16 MiB there and back: p50 of the floor's", work: "echo16m", figure: p50, of: sideFloor, tcp: 1.25, ws: 1.4},
	{what: "1 MiB there and back: memory allocated, of the payload", work: "echo1m", figure: (*sample).memory, unit: 1 << 20, tcp: 2.5, unix: 2.5, ws: 2.5},
	{what: "16 MiB there and back: memory allocated, of the payload", work: "echo16m", figure: (*sample).memory, unit: longest, tcp: 2.5, unix: 2.5, ws: 2.5},
	{what: "an idle session: memory", work: "idle", figure: (*sample).idleLive, unit: 1, text: sizeText, tcp: 24 << 10, unix: 24 << 10, ws: 24 << 10},
}

// thirdTargets are those that a side beside the floor takes part in.
func thirdTargets(name string) []target {
	return []target{
		{what: "256 callers: Call[T], rate of that of " + name, work: "one256", figure: (*sample).rate, of: name, atLeast: true, unix: 6, ws: 6},
		{what: "one call after another: Call[T], p50 of that of " + name, work: "one", figure: p50, of: name, ws: 0.85},
	}
}

// limit is what the target is over a transport, 0 where there is none.
func (t *target) limit(transport string) float64 {
	return map[string]float64{transportTCP: t.tcp, transportUnix: t.unix, transportWeb: t.ws}[transport]
}

// write writes a figure of it.
func (t *target) write(v float64) string {
	if t.text != nil {
		return t.text(v)
	}
	return plain(v)
}

// reached is what a run came to, NaN if that was not measured.
func (t *target) reached(c *comparison, transport string) float64 {
	us := c.first(sideOurs)
	switch {
	case t.of != "":
		return c.ratio(transport, t.work, us, c.first(t.of), t.figure)
	case t.ofWork != "":
		return c.median(transport, us, t.work, t.figure) / c.median(transport, us, t.ofWork, t.figure)
	}
	return c.median(transport, us, t.work, t.figure) / t.unit
}

// met says whether a figure meets a limit, as both are written: the last digit
// that is not shown decides nothing.
func (t *target) met(v, limit float64) bool {
	if t.write(v) == t.write(limit) {
		return true
	}
	return (v > limit) == t.atLeast
}

// targets prints every target, what was reached, and whether that meets it.
func (c *comparison) targets(out io.Writer) {
	all := targets
	for _, s := range c.sides {
		if s.name != sideFloor && s.name != sideOurs {
			all = append(all[:len(all):len(all)], thirdTargets(s.name)...)
		}
	}
	var rows, absent []string
	met, missed := 0, 0
	for i := range all {
		t := &all[i]
		row, measured := "| "+t.what+" |", false
		bound := "<= "
		if t.atLeast {
			bound = ">= "
		}
		for _, transport := range c.transports {
			v, limit := t.reached(c, transport), t.limit(transport)
			switch {
			case math.IsNaN(v):
				row += " - |"
				continue
			case limit == 0:
				row += fmt.Sprintf(" %s |", t.write(v))
			case t.met(v, limit):
				met++
				row += fmt.Sprintf(" %s (%s%s) met |", t.write(v), bound, t.write(limit))
			default:
				missed++
				row += fmt.Sprintf(" %s (%s%s) **missed** |", t.write(v), bound, t.write(limit))
			}
			measured = true
		}
		if measured {
			rows = append(rows, row)
		} else {
			absent = append(absent, t.what)
		}
	}
	fmt.Fprintf(out, "\n### Targets\n\n%d met, %d missed. ", met, missed)
	if len(absent) > 0 {
		fmt.Fprintf(out, "Not measured in this run: %s.", strings.Join(absent, "; "))
	}
	fmt.Fprint(out, "\n\n| what | ", strings.Join(c.transports, " | "), " |\n|---|", strings.Repeat("--:|", len(c.transports)), "\n",
		strings.Join(rows, "\n"), "\n")
}
