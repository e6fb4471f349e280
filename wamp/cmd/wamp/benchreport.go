package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// benchLine is what was measured of one side. Times are in milliseconds.
type benchLine struct {
	Side       string  `json:"side"`
	Work       string  `json:"work"`
	Size       int     `json:"size"`
	Parallel   int     `json:"parallel"`
	Asked      float64 `json:"rate_asked,omitempty"`
	Operations int     `json:"operations"`
	Seconds    float64 `json:"seconds"`
	Rate       float64 `json:"rate"`
	P50        float64 `json:"p50_ms"`
	P90        float64 `json:"p90_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p999_ms"`
	Max        float64 `json:"max_ms"`
	NotBegun   int64   `json:"not_begun,omitempty"` // of a rate that was too high
}

func (l benchLine) raw() []any {
	return []any{fmt.Sprintf("%s %.0f/s p50 %g ms p99 %g ms", l.Side, l.Rate, l.P50, l.P99)}
}

// ratioLine is how many times what the floor takes this library does.
type ratioLine struct {
	Side string  `json:"side"`
	Work string  `json:"work"`
	Rate float64 `json:"rate"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
}

func (l ratioLine) raw() []any { return []any{fmt.Sprintf("%s %g rate %g", l.Side, l.P50, l.Rate)} }

// line is what was measured of a side.
func (b *benching) line(s *benchSide) benchLine {
	ms := func(d time.Duration) float64 { return rounded(float64(d)/float64(time.Millisecond), 1e4) }
	at := func(q float64) float64 { return ms(min(s.hist.Quantile(q), s.most)) } // of a bucket, its middle
	n := s.hist.Count()
	return benchLine{
		Side: s.name, Work: b.work, Size: b.flags.size, Parallel: b.flags.parallel, Asked: b.flags.rate,
		Operations: n, Seconds: rounded(s.took.Seconds(), 1e3), Rate: rounded(float64(n)/max(s.took.Seconds(), 1e-9), 10),
		P50: at(0.5), P90: at(0.9), P99: at(0.99), P999: at(0.999), Max: ms(s.most), NotBegun: s.late.Load(),
	}
}

func rounded(v, to float64) float64 { return math.Round(v*to) / to }

// ratio compares two sides.
func ratio(ours, floor benchLine) ratioLine {
	of := func(a, b float64) float64 { return rounded(a/max(b, 1e-9), 1e3) }
	return ratioLine{Side: ours.Side + "/" + floor.Side, Work: ours.Work, Rate: of(ours.Rate, floor.Rate),
		P50: of(ours.P50, floor.P50), P90: of(ours.P90, floor.P90), P99: of(ours.P99, floor.P99)}
}

// report prints what was measured: for people where they are likely to look.
func (b *benching) report(c *cobra.Command) error {
	var lines []benchLine
	for _, s := range b.sides {
		if s.hist.Count() > 0 {
			lines = append(lines, b.line(s))
		}
		if n := s.late.Load(); n > 0 {
			b.t.note("wamp: %s: %d operations had not begun in time: the rate is too high, or --parallel too low", s.name, n)
		}
	}
	out, is := b.t.out.(*os.File)
	people := is && isTerminal(out) && !c.Flags().Changed("output") && !c.Flags().Changed("format")
	if people || b.t.show.inTable() {
		return b.table(lines)
	}
	for _, l := range lines {
		if err := b.t.show.print(l); err != nil {
			return err
		}
	}
	if len(lines) == 2 {
		return b.t.show.print(ratio(lines[0], lines[1]))
	}
	return nil
}

// table prints figures side by side, and the histogram of this library.
func (b *benching) table(lines []benchLine) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s of %d bytes, %d at once", b.work, b.flags.size, b.flags.parallel)
	if b.flags.rate > 0 {
		fmt.Fprintf(&out, ", %g a second", b.flags.rate)
	}
	out.WriteString("\n\n")
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(title string, of func(benchLine) string, compared func(ratioLine) float64) {
		fmt.Fprintf(w, "%s\t", title)
		for _, l := range lines {
			fmt.Fprintf(w, "%s\t", of(l))
		}
		if len(lines) == 2 {
			text := ""
			if compared != nil {
				text = fmt.Sprintf("%.2f", compared(ratio(lines[0], lines[1])))
			}
			fmt.Fprintf(w, "%s\t", text)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\t")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t", l.Side)
	}
	if len(lines) == 2 {
		fmt.Fprint(w, "ratio\t")
	}
	fmt.Fprintln(w)
	row("a second", func(l benchLine) string { return fmt.Sprintf("%.0f", l.Rate) }, func(r ratioLine) float64 { return r.Rate })
	ms := func(v float64) string { return fmt.Sprintf("%.3f ms", v) }
	row("p50", func(l benchLine) string { return ms(l.P50) }, func(r ratioLine) float64 { return r.P50 })
	row("p90", func(l benchLine) string { return ms(l.P90) }, func(r ratioLine) float64 { return r.P90 })
	row("p99", func(l benchLine) string { return ms(l.P99) }, func(r ratioLine) float64 { return r.P99 })
	row("p99.9", func(l benchLine) string { return ms(l.P999) }, nil)
	row("max", func(l benchLine) string { return ms(l.Max) }, nil)
	_ = w.Flush() // into memory
	for _, s := range b.sides {
		if s.hist.Count() > 0 {
			fmt.Fprintf(&out, "\n%s\n%s", s.name, drawn(s))
		}
	}
	return b.t.show.write(out.Bytes())
}

// barWidth is how long the longest bar of a histogram is.
const barWidth = 50

// drawn is the histogram of a side: rows whose bounds are 1, 2 and 5 times the powers of
// ten, each with how many were not above its bound and above the one before.
func drawn(s *benchSide) string {
	type bucket struct {
		to time.Duration
		n  int
	}
	var rows []bucket
	to := time.Microsecond
	for d, n := range s.hist.All() {
		for d > to {
			if len(rows) > 0 {
				rows = append(rows, bucket{to: next125(to)})
			}
			to = next125(to)
		}
		if len(rows) == 0 {
			rows = append(rows, bucket{to: to})
		}
		rows[len(rows)-1].n += n
	}
	most := 0
	for _, r := range rows {
		most = max(most, r.n)
	}
	var out strings.Builder
	for _, r := range rows {
		bar := r.n * barWidth / most
		if r.n > 0 {
			bar = max(bar, 1)
		}
		fmt.Fprintf(&out, "<= %6v %s %d\n", r.to, strings.Repeat("#", bar), r.n)
	}
	return out.String()
}

// next125 is the next bound behind one.
func next125(d time.Duration) time.Duration {
	for p := time.Duration(1); ; p *= 10 {
		switch d {
		case p, 5 * p:
			return 2 * d
		case 2 * p:
			return 5 * p
		}
	}
}

// benchBar shows how far a run has come, where somebody sees it.
type benchBar struct {
	bar  *bar
	stop chan struct{}
	over chan struct{}
}

// newBenchBar makes the bar of a run that takes as long. It is drawn by a goroutine that
// ends with end.
func (t *tool) newBenchBar(all time.Duration) *benchBar {
	const steps = 1000
	b := &benchBar{bar: t.barOf(steps, "warming up"), stop: make(chan struct{}), over: make(chan struct{})}
	begun := time.Now()
	go func() {
		defer close(b.over)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				b.bar.set(min(int(time.Since(begun)*steps/all), steps-1))
			case <-b.stop:
				b.bar.done()
				return
			}
		}
	}()
	return b
}

// on says what is measured now.
func (b *benchBar) on(what string) { b.bar.tell(what) }

func (b *benchBar) end() {
	close(b.stop)
	<-b.over
}
