package main

import (
	"math"
	"runtime"
	"slices"
	"time"
)

// sample is what one run of some work came to.
type sample struct {
	ops      int
	took     time.Duration
	p50, p99 time.Duration // of one call, where that is measured
	cpu      time.Duration // of this process, the system's part included
	mallocs  uint64
	bytes    uint64

	live       float64 // of idle sessions: heap and stacks in use
	goroutines int     // of idle sessions
}

func (s *sample) rate() float64   { return float64(s.ops) / s.took.Seconds() }
func (s *sample) cpuOp() float64  { return float64(s.cpu.Nanoseconds()) / float64(max(s.ops, 1)) }
func (s *sample) memory() float64 { return float64(s.bytes) / float64(max(s.ops, 1)) }
func (s *sample) allocs() float64 { return float64(s.mallocs) / float64(max(s.ops, 1)) }

// idleLive is what an idle session holds.
func (s *sample) idleLive() float64 { return s.live / float64(max(s.ops, 1)) }

// idleGoroutines are those of an idle session.
func (s *sample) idleGoroutines() float64 { return float64(s.goroutines) / float64(max(s.ops, 1)) }

func p50(s *sample) float64 { return float64(s.p50) }

// measure runs f and says what it cost the whole process.
func measure(f func() (ops int, err error)) (sample, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	ops, err := f()
	s := sample{ops: ops, took: time.Since(start), cpu: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	s.mallocs, s.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return s, err
}

// median is the middle value, NaN of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
