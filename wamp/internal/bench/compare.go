package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/floor"
)

// cell names one set of runs.
type cell struct{ transport, side, wire, work string }

// comparison holds all runs.
type comparison struct {
	transports []string
	works      []work
	sides      []side
	samples    map[cell][]sample
	sessions   int      // idle ones
	failed     []string // what a third side could not end
}

// floorSide is the hand-written client. What it does hardly depends on the
// serializer, so one is enough.
func floorSide() side {
	return side{name: sideFloor, wires: []string{"cbor"},
		dial: func(ctx context.Context, transport, address string, w wire) (client, error) {
			return dialFloor(ctx, transport, address, w)
		}}
}

// compare does all the work with all sides in turns.
func compare(ctx context.Context, o *options, p *process, sides []side) (*comparison, error) {
	c := &comparison{transports: o.transports, sides: sides, samples: make(map[cell][]sample), sessions: o.sessions}
	for _, w := range works {
		if o.only == nil || o.only[w.name] {
			c.works = append(c.works, w)
		}
	}
	for _, transport := range c.transports {
		for _, w := range c.works {
			fmt.Fprintf(os.Stderr, "%s: %s\n", transport, w.title)
			repeat := o.repeat
			if w.run == nil {
				repeat = 1 // memory is the same in each
			}
			unable := make(map[string]bool)
			for range repeat {
				if err := c.round(ctx, p.addresses[transport], transport, w, o.duration, unable); err != nil {
					return nil, err
				}
			}
		}
	}
	return c, nil
}

// round does one kind of work once with each side and serializer, each with a
// connection of its own. Sides that are unable are left out from then on.
func (c *comparison) round(ctx context.Context, address, transport string, w work, d time.Duration, unable map[string]bool) error {
	for _, s := range c.sides {
		if unable[s.name] {
			continue
		}
		for _, name := range s.wires {
			smp, err := c.once(ctx, s, transport, address, floor.Wires[name], w, d)
			if err != nil {
				err = fmt.Errorf("%s, %s, %s, %s: %w", w.name, s.name, transport, name, err)
				third := s.name != sideFloor && s.name != sideOurs
				if ctx.Err() != nil || !third && !errors.Is(err, errUnable) {
					return err
				}
				fmt.Fprintf(os.Stderr, "  %v\n", err)
				if !errors.Is(err, errUnable) {
					c.failed = append(c.failed, err.Error())
				}
				unable[s.name] = true
				break
			}
			at := cell{transport, s.name, name, w.name}
			c.samples[at] = append(c.samples[at], smp)
		}
	}
	return nil
}

// once connects, warms up, does the work and closes.
func (c *comparison) once(ctx context.Context, s side, transport, address string, wr wire, w work, d time.Duration) (sample, error) {
	// one context with a cancel for all calls, as programs have it
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if w.run == nil {
		return idle(ctx, s, transport, address, wr, c.sessions)
	}
	cl, err := s.dial(ctx, transport, address, wr)
	if err != nil {
		return sample{}, err
	}
	smp, err := sample{}, warm(ctx, cl)
	if err == nil {
		smp, err = w.run(ctx, cl, d)
	}
	if e := cl.close(); err == nil {
		err = e
	}
	return smp, err
}

// column is one side with one serializer.
type column struct{ side, wire string }

// columns are all there are, in their order.
func (c *comparison) columns() (all []column) {
	for _, s := range c.sides {
		for _, w := range s.wires {
			all = append(all, column{s.name, w})
		}
	}
	return all
}

// first is the column of a side that ratios are of. It is empty if the side
// takes no part.
func (c *comparison) first(name string) column {
	for _, s := range c.sides {
		if s.name == name {
			return column{name, s.wires[0]}
		}
	}
	return column{}
}

// values takes one figure out of each run of a cell.
func (c *comparison) values(at cell, figure func(*sample) float64) []float64 {
	var v []float64
	for i := range c.samples[at] {
		v = append(v, figure(&c.samples[at][i]))
	}
	return v
}

// median is the median of one figure of a cell, NaN without runs.
func (c *comparison) median(transport string, col column, work string, figure func(*sample) float64) float64 {
	return median(c.values(cell{transport, col.side, col.wire, work}, figure))
}

// ratio is the median of what the runs of one column are of the runs beside
// them of another, NaN without runs.
func (c *comparison) ratio(transport, work string, of, to column, figure func(*sample) float64) float64 {
	above := c.values(cell{transport, of.side, of.wire, work}, figure)
	below := c.values(cell{transport, to.side, to.wire, work}, figure)
	var r []float64
	for i := range min(len(above), len(below)) {
		if below[i] > 0 {
			r = append(r, above[i]/below[i])
		}
	}
	return median(r)
}
