package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine describes where the figures come from.
func machine() string {
	model := cmp.Or(os.Getenv("PROCESSOR_IDENTIFIER"), "unknown processor") // Windows has it there
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

// main is the figure that some work is about, and how it is written.
func (w *work) main() (label string, figure func(*sample) float64, text func(float64) string) {
	switch {
	case w.run == nil:
		return w.unit, (*sample).idleLive, sizeText
	case w.unit == "":
		return "p50", p50, micros
	}
	return w.unit, (*sample).rate, rate
}

// number writes a number, or "-" what is none.
func number(format string, v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// tenths writes how many allocations there are.
func tenths(v float64) string { return number("%.1f", v) }

// micros writes nanoseconds as microseconds, or as milliseconds if they are many.
func micros(ns float64) string {
	if ns >= 10e6 {
		return number("%.1f ms", ns/1e6)
	}
	return number("%.2f us", ns/1e3)
}

// rate writes how many there are a second.
func rate(v float64) string {
	if v >= 1e6 {
		return number("%.2f M", v/1e6)
	}
	return number("%.0f k", v/1e3)
}

// transportTitles are the headings of the tables.
var transportTitles = map[string]string{
	transportTCP: "RawSocket over TCP", transportUnix: "RawSocket over a Unix socket", transportWeb: "WebSocket",
}

// table prints the table of one transport. What is not in it is in the raw
// figures.
func (c *comparison) table(out io.Writer, transport string) {
	floor := c.first(sideFloor)
	heads, rows := []string{"work", ""}, make([][]string, len(c.works))
	add := func(head string, text func(w *work) string) {
		heads = append(heads, head)
		for i := range c.works {
			rows[i] = append(rows[i], text(&c.works[i]))
		}
	}
	for i := range c.works {
		label, _, _ := c.works[i].main()
		rows[i] = []string{c.works[i].title, label}
	}
	for _, s := range c.sides {
		at := c.first(s.name)
		add(s.name, func(w *work) string {
			_, figure, text := w.main()
			return text(c.median(transport, at, w.name, figure))
		})
		switch s.name {
		case sideFloor:
			continue
		case sideOurs:
		default:
			add("wamp of "+s.name+"'s", func(w *work) string {
				_, figure, _ := w.main()
				return plain(c.ratio(transport, w.name, c.first(sideOurs), at, figure))
			})
			continue
		}
		for i, name := range s.wires {
			head := name
			if i == 0 {
				head = "of the floor's: " + name
			}
			add(head, func(w *work) string {
				_, figure, _ := w.main()
				return plain(c.ratio(transport, w.name, column{s.name, name}, floor, figure))
			})
		}
		add("CPU", func(w *work) string { return plain(c.ratio(transport, w.name, at, floor, (*sample).cpuOp)) })
		add("allocations", func(w *work) string { return tenths(c.median(transport, at, w.name, (*sample).allocs)) })
		add("allocated", func(w *work) string { return sizeText(c.median(transport, at, w.name, (*sample).memory)) })
	}
	fmt.Fprintf(out, "\n### %s\n\n| %s |\n|---|---|%s\n", transportTitles[transport], strings.Join(heads, " | "),
		strings.Repeat("--:|", len(heads)-2))
	for _, row := range rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
	var goroutines []string
	for _, s := range c.sides {
		if v := c.median(transport, c.first(s.name), idleWork.name, (*sample).idleGoroutines); !math.IsNaN(v) {
			goroutines = append(goroutines, s.name+" "+tenths(v))
		}
	}
	if len(goroutines) > 0 {
		fmt.Fprintf(out, "\nGoroutines of an idle session: %s.\n", strings.Join(goroutines, ", "))
	}
}

// report prints all there is.
func (c *comparison) report(out io.Writer, o *options) {
	fmt.Fprintf(out, "Medians of %d runs of %v each, the sides in turns, a new connection for each run. ", o.repeat, o.duration)
	fmt.Fprintln(out, "Ratios are medians of the ratio of runs side by side; for rates more is better, for times, CPU and memory less.",
		"CPU is of the floor's; allocations, and the memory allocated, are each. All three are of the whole client process.")
	if o.only == nil || o.only[idleWork.name] {
		fmt.Fprintf(out, "Idle sessions are %s, measured once; their CPU is that of joining.\n", thousands(c.sessions))
	}
	if len(c.failed) > 0 {
		fmt.Fprintf(out, "\nFailed: %s.\n", strings.Join(c.failed, "; "))
	}
	for _, t := range c.transports {
		c.table(out, t)
	}
	c.targets(out)
}
