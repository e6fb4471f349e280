package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// side is one client that takes part in the comparison.
type side struct {
	name  string
	wires []string // the serializers it is measured with
	dial  func(ctx context.Context, transport, address string, w wire) (client, error)
}

// cell names one set of runs.
type cell struct{ transport, side, wire, work string }

// comparison holds all runs.
type comparison struct {
	transports []string
	works      []work
	sides      []side
	samples    map[cell][]sample
	baseline   string // the serializer that ratios are of
}

// floorSide is the hand-written client. What it does hardly depends on the
// serializer, so one is enough.
func floorSide() side {
	return side{name: "floor", wires: []string{"cbor"},
		dial: func(ctx context.Context, transport, address string, w wire) (client, error) {
			return dialFloor(ctx, transport, address, w)
		}}
}

// compare does all the work with all sides in turns.
func compare(ctx context.Context, o *options, p *process, sides []side) (*comparison, error) {
	c := &comparison{transports: o.transports, sides: sides, samples: make(map[cell][]sample), baseline: "cbor"}
	for _, w := range works {
		if o.only == nil || o.only[w.name] {
			c.works = append(c.works, w)
		}
	}
	for _, transport := range c.transports {
		for _, w := range c.works {
			fmt.Fprintf(os.Stderr, "%s: %s\n", transport, w.title)
			for range o.repeat {
				if err := c.round(ctx, p.addresses[transport], transport, w, o.duration); err != nil {
					return nil, err
				}
			}
		}
	}
	return c, nil
}

// round does one kind of work once with each side and serializer, each with a
// connection of its own.
func (c *comparison) round(ctx context.Context, address, transport string, w work, d time.Duration) error {
	for _, s := range c.sides {
		for _, name := range s.wires {
			smp, err := once(ctx, s, transport, address, wires[name], w, d)
			if err != nil {
				return fmt.Errorf("%s, %s, %s, %s: %w", w.name, s.name, transport, name, err)
			}
			at := cell{transport, s.name, name, w.name}
			c.samples[at] = append(c.samples[at], smp)
		}
	}
	return nil
}

// once connects, warms up, does the work and closes.
func once(ctx context.Context, s side, transport, address string, wr wire, w work, d time.Duration) (sample, error) {
	// one context with a cancel for all calls, as programs have it
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := s.dial(ctx, transport, address, wr)
	if err != nil {
		return sample{}, err
	}
	smp, err := sample{}, warm(ctx, c)
	if err == nil {
		smp, err = w.run(ctx, c, d)
	}
	if e := c.close(); err == nil {
		err = e
	}
	return smp, err
}

// values takes one figure out of each run of a cell.
func (c *comparison) values(at cell, figure func(*sample) float64) []float64 {
	var v []float64
	for i := range c.samples[at] {
		v = append(v, figure(&c.samples[at][i]))
	}
	return v
}

// median is the median of one figure of a cell.
func (c *comparison) median(transport, side, wire, work string, figure func(*sample) float64) float64 {
	return median(c.values(cell{transport, side, wire, work}, figure))
}

// ratio is the median of what the library's runs are of the floor's runs
// beside them.
func (c *comparison) ratio(transport, work string, figure func(*sample) float64) float64 {
	f := c.values(cell{transport, "floor", c.baseline, work}, figure)
	o := c.values(cell{transport, "wamp", c.baseline, work}, figure)
	var r []float64
	for i := range min(len(f), len(o)) {
		if f[i] > 0 {
			r = append(r, o[i]/f[i])
		}
	}
	return median(r)
}
