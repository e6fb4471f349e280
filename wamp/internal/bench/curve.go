package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// curve is a table whose rows are points of a curve, with the curve drawn in
// text below it.
type curve struct {
	title  string
	axis   string
	heads  []string
	points []point
	drawn  []int // the columns that are drawn
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

// print writes the table and then, as code, bars of each drawn column.
func (c *curve) print(out io.Writer) {
	fmt.Fprintf(out, "\n### %s\n\n| %s | %s |\n|--:|%s\n", c.title, c.axis, strings.Join(c.heads, " | "),
		strings.Repeat("--:|", len(c.heads)))
	for _, p := range c.points {
		fmt.Fprintf(out, "| %s | %s |\n", p.label, strings.Join(p.texts, " | "))
	}
	fmt.Fprint(out, "\n```text\n")
	for i, col := range c.drawn {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s\n", c.heads[col])
		top := 0.0
		for _, p := range c.points {
			top = max(top, p.values[col])
		}
		const width = 50
		for _, p := range c.points {
			n := 0
			if top > 0 {
				n = int(p.values[col]/top*width + 0.5)
			}
			fmt.Fprintf(out, "%10s |%-*s %s\n", p.label, width, strings.Repeat("#", n), p.texts[col])
		}
	}
	fmt.Fprint(out, "```\n")
}

// sizeText writes a size.
func sizeText(n float64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%.0f MiB", n/(1<<20))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", n/(1<<20))
	case n >= 10<<10:
		return fmt.Sprintf("%.0f KiB", n/(1<<10))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", n/(1<<10))
	}
	return fmt.Sprintf("%.0f B", n)
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
