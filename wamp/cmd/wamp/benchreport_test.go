package main

import (
	"strings"
	"testing"
	"time"
)

func TestDrawn(t *testing.T) {
	t.Parallel()
	s := new(benchSide)
	for d, n := range map[time.Duration]int{90 * time.Microsecond: 1, 150 * time.Microsecond: 100, 900 * time.Microsecond: 50} {
		for range n {
			s.hist.Add(d)
		}
	}
	want := "<=  100µs # 1\n<=  200µs " + strings.Repeat("#", 50) + " 100\n<=  500µs  0\n<=    1ms " + strings.Repeat("#", 25) + " 50\n"
	if got := drawn(s); got != want {
		t.Errorf("%s", got)
	}
}

func TestNext125(t *testing.T) {
	t.Parallel()
	d := time.Microsecond
	for _, want := range []time.Duration{2000, 5000, 10_000, 20_000, 50_000, 100_000} {
		if d = next125(d); d != want {
			t.Errorf("%v, want %v", d, want)
		}
	}
}

func TestBenchTable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.run("bench", "call", "--duration", "50ms", "-o", "pretty")
	has(t, got.out, "call of 16 bytes, 1 at once\n", " wamp ", " floor ", "ratio", "p99.9", " ms ", "\nwamp\n<= ", "\nfloor\n<= ", " ###")
	if got.code != 0 || got.errs != "" {
		t.Errorf("%+v", got)
	}
}
