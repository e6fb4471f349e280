package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// curve is a table whose rows are points of a curve, with bars beside some of
// its columns.
type curve struct {
	title  string
	axis   string
	heads  []string
	points []point
	drawn  []int // the columns that have bars; they have one scale
}

// point is one row.
type point struct {
	label  string
	values []float64
	texts  []string
}

func (c *curve) add(label string, values []float64, texts ...string) {
	c.points = append(c.points, point{label, values, texts})
}

// print writes the table.
func (c *curve) print(out io.Writer) {
	fmt.Fprintf(out, "\n### %s\n\n| %s |", c.title, c.axis)
	rule := "|--:|"
	top := 0.0 // of all that is drawn, so that columns can be compared
	for i, head := range c.heads {
		fmt.Fprintf(out, " %s |", head)
		rule += "--:|"
		if slices.Contains(c.drawn, i) {
			fmt.Fprint(out, " |")
			rule += ":--|"
			for _, p := range c.points {
				if v := p.values[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
					top = max(top, v)
				}
			}
		}
	}
	fmt.Fprintf(out, "\n%s\n", rule)
	for _, p := range c.points {
		fmt.Fprintf(out, "| %s |", p.label)
		for i, text := range p.texts {
			fmt.Fprintf(out, " %s |", text)
			if slices.Contains(c.drawn, i) {
				fmt.Fprintf(out, " %s |", bar(p.values[i], top))
			}
		}
		fmt.Fprintln(out)
	}
}

// bar draws a value. What is not above 0 or no number has none.
func bar(v, top float64) string {
	const width = 24
	share := v / top
	if !(share > 0) || math.IsInf(share, 0) {
		return ""
	}
	n := int(min(share, 1)*width + 0.5)
	if n == 0 {
		return ""
	}
	return "`" + strings.Repeat("#", n) + "`"
}

// sizeText writes a size. Differences of memory may be negative: what was
// garbage before is gone. They are as good as none.
func sizeText(n float64) string {
	switch {
	case n < 0:
		return "-"
	case n >= 10<<20:
		return number("%.0f MiB", n/(1<<20))
	case n >= 1<<20:
		return number("%.1f MiB", n/(1<<20))
	case n >= 10<<10:
		return number("%.0f KiB", n/(1<<10))
	case n >= 1<<10:
		return number("%.1f KiB", n/(1<<10))
	}
	return number("%.0f B", n)
}

// liveHeap is the memory that is in use when all garbage is gone.
func liveHeap() float64 {
	var m runtime.MemStats
	for range 3 { // finalizers and pools need more than one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) + float64(m.StackInuse)
}

// parallel runs f for 0 to n-1, a few at a time, and returns the first error.
func parallel(n int, f func(i int) error) error { return spread(n, 64, f) }

// spread does n things, at most so many of them at once.
func spread(n, most int, f func(i int) error) error {
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		first atomic.Pointer[error]
	)
	for range min(n, most) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && first.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}
