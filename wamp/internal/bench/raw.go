package main

import (
	"encoding/csv"
	"fmt"
	"io"
)

// rawWriter writes figures as they were measured, as CSV. A nil one writes
// nothing.
type rawWriter struct{ w *csv.Writer }

// newRaw begins with a comment of one line.
func newRaw(out io.Writer, comment string) *rawWriter {
	fmt.Fprintf(out, "# %s\n", comment)
	return &rawWriter{csv.NewWriter(out)}
}

// row writes one line.
func (r *rawWriter) row(values ...any) {
	if r == nil {
		return
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	_ = r.w.Write(texts) // flush says what went wrong
}

// flush writes what is left and says whether all went well.
func (r *rawWriter) flush() error {
	if r == nil {
		return nil
	}
	r.w.Flush()
	return r.w.Error()
}

// raw writes every run.
func (c *comparison) raw(r *rawWriter) {
	r.row("transport", "work", "side", "serializer", "run", "operations", "seconds", "p50 ns", "p99 ns", "cpu ns",
		"allocations", "allocated bytes", "live bytes", "goroutines")
	for _, transport := range c.transports {
		for _, w := range c.works {
			for _, col := range c.columns() {
				for i, s := range c.samples[cell{transport, col.side, col.wire, w.name}] {
					r.row(transport, w.name, col.side, col.wire, i+1, s.ops, s.took.Seconds(), s.p50.Nanoseconds(), s.p99.Nanoseconds(),
						s.cpu.Nanoseconds(), s.mallocs, s.bytes, s.live, s.goroutines)
				}
			}
		}
	}
}

// raw writes the points of a curve.
func (c *curve) raw(r *rawWriter) {
	for _, p := range c.points {
		for i, v := range p.values {
			r.row(c.title, c.axis, p.label, c.heads[i], v)
		}
	}
}
