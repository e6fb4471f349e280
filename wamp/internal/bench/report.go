package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine describes where the figures come from.
func machine() string {
	model := "unknown processor"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
		_ = f.Close()
	}
	read := func(path, otherwise string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			return otherwise
		}
		return strings.TrimSpace(string(b))
	}
	load, _, _ := strings.Cut(read("/proc/loadavg", "?"), " ")
	return fmt.Sprintf("Machine: %d cores, %s; kernel %s; %s %s/%s, GOMAXPROCS %d; commit %s; load before: %s.",
		runtime.NumCPU(), model, read("/proc/sys/kernel/osrelease", "unknown"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), commit(), load)
}

// commit is the commit that was measured, as far as it can be told.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	if out, err := exec.Command("git", "status", "--porcelain", "--", "*.go").Output(); err == nil && len(out) > 0 {
		id += " with changes"
	}
	return id
}

// figure is one row that a kind of work has in a table.
type figure struct {
	label string
	of    func(*sample) float64
	text  func(float64) string
	needs func(w *work) bool
}

var figures = []figure{
	{"p50", func(s *sample) float64 { return float64(s.p50) }, micros, isSequential},
	{"p99", func(s *sample) float64 { return float64(s.p99) }, micros, isSequential},
	{"", (*sample).rate, rate, func(w *work) bool { return !isSequential(w) }},
	{"CPU each", (*sample).cpuOp, micros, nil},
	{"allocations each", (*sample).allocs, func(v float64) string { return fmt.Sprintf("%.1f", v) }, nil},
	{"allocated each", (*sample).memory, sizeText, nil},
}

func isSequential(w *work) bool { return w.unit == "" }

// micros writes nanoseconds as microseconds.
func micros(ns float64) string { return fmt.Sprintf("%.2f us", ns/1e3) }

// rate writes how many there are a second.
func rate(v float64) string {
	if v >= 1e6 {
		return fmt.Sprintf("%.2f M", v/1e6)
	}
	return fmt.Sprintf("%.0f k", v/1e3)
}

// transportTitles are the headings of the tables.
var transportTitles = map[string]string{
	transportTCP: "RawSocket over TCP", transportUnix: "RawSocket over a Unix socket", transportWeb: "WebSocket",
}

// table prints the table of one transport.
func (c *comparison) table(out io.Writer, transport string) {
	fmt.Fprintf(out, "\n### %s\n\n| work | |", transportTitles[transport])
	type column struct{ side, wire string }
	var columns []column
	for _, s := range c.sides {
		for _, w := range s.wires {
			columns = append(columns, column{s.name, w})
			fmt.Fprintf(out, " %s, %s |", s.name, w)
		}
	}
	fmt.Fprintf(out, " %s to floor |\n|---|---|%s--:|\n", c.baseline, strings.Repeat("--:|", len(columns)))
	for i := range c.works {
		w := &c.works[i]
		title := w.title
		for _, f := range figures {
			if f.needs != nil && !f.needs(w) {
				continue
			}
			label := f.label
			if label == "" {
				label = w.unit
			}
			fmt.Fprintf(out, "| %s | %s |", title, label)
			title = ""
			for _, col := range columns {
				fmt.Fprintf(out, " %s |", f.text(c.median(transport, col.side, col.wire, w.name, f.of)))
			}
			ratio := "-"
			few := c.median(transport, "floor", c.baseline, w.name, (*sample).allocs) < 0.1 && strings.HasPrefix(f.label, "alloc")
			if r := c.ratio(transport, w.name, f.of); r > 0 && !few {
				ratio = fmt.Sprintf("%.2f", r)
			}
			fmt.Fprintf(out, " %s |\n", ratio)
		}
	}
}

// report prints all there is.
func (c *comparison) report(out io.Writer, o *options) {
	fmt.Fprintf(out, "Medians of %d runs of %v each, the sides in turns, a new connection for each run. ", o.repeat, o.duration)
	fmt.Fprintln(out, "CPU and allocations are those of the whole client process. Ratios are medians of the ratio of runs side by side.")
	for _, t := range c.transports {
		c.table(out, t)
	}
	c.targets(out)
}
