package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCurveOfOddValues draws what differences of memory and medians of nothing
// may be.
func TestCurveOfOddValues(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, values := range [][]float64{{-3, 5}, {-3, -5}, {0, 0}, {nan, 5}, {nan, nan}, {inf, 5}, {-inf, 5}, {inf, inf}, {5}, {}} {
		c := &curve{title: "odd", axis: "n", heads: []string{"memory", "rate"}, drawn: []int{0}}
		for _, v := range values {
			c.add("x", []float64{v, v}, sizeText(v), rate(max(v, 0)))
		}
		var out strings.Builder
		c.print(&out)
		text := out.String()
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "-5") {
			t.Errorf("%v:\n%s", values, text)
		}
		if five := slices.Contains(values, 5); five != strings.Contains(text, "| `"+strings.Repeat("#", 24)+"` |") {
			t.Errorf("%v:\n%s", values, text)
		}
	}
	if got := sizeText(-1); got != "-" {
		t.Errorf("a negative size is %q", got)
	}
}

// TestTargets gives a verdict of each, by the figures as they are written.
func TestTargets(t *testing.T) {
	sides := chosenSides([]string{sideFloor, sideOurs}, []string{"cbor"})
	c := &comparison{transports: []string{transportTCP, transportUnix, transportWeb}, sides: sides, samples: make(map[cell][]sample)}
	put := func(side, work string, s sample) {
		for _, tr := range c.transports {
			c.samples[cell{tr, side, "cbor", work}] = append(c.samples[cell{tr, side, "cbor", work}], s)
		}
	}
	for _, w := range works {
		put(sideFloor, w.name, sample{ops: 1000, took: time.Second, p50: 1000, cpu: time.Second})
		// 1.1249 is written as 1.12; an allocation more than two in a thousand is none
		put(sideOurs, w.name, sample{ops: 1000, took: 2 * time.Second, p50: 1124, cpu: 5 * time.Second, mallocs: 2049, bytes: 65_000, live: 24_700_000})
	}
	var out strings.Builder
	c.targets(&out)
	for _, want := range []string{
		"one call after another: Call[T], p50 of the floor's | 1.12 (<= 1.12) met | 1.12 (<= 1.25) met | 1.12 (<= 1.12) met |",
		"256 callers: Call[T], rate of the floor's | 0.50 (>= 0.90) **missed** | 0.50 | 0.50 (>= 0.85) **missed** |",
		"10,000 callers: Call[T], rate of that on 4 cores | 1.00 (>= 1.00) met | 1.00 | 1.00 (>= 1.00) met |",
		"published by one, unacknowledged: CPU of the floor's | 5.00 (<= 4.50) **missed** | 5.00 | 5.00 (<= 6.00) met |",
		"Call[T]: allocations a call | 2.0 (<= 2.0) met |",
		"Call[T]: memory allocated a call | 65 B (<= 64 B) **missed** |",
		"an idle session: memory | 24 KiB (<= 24 KiB) met |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, target := range targets {
		if !strings.Contains(out.String(), target.what) {
			t.Errorf("nothing is said of %q", target.what)
		}
	}
}

// TestSection puts figures between the markers of a page and leaves the rest.
func TestSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	put := func(name, text string) {
		t.Helper()
		s, err := findSection(path, name)
		if err == nil {
			err = s.write(path, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("a", "first") // makes the page
	begin, end := markers("b")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("before\n"+string(page)+begin+end+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	put("b", "second")
	put("a", "third\n")
	put("b", "\nfourth\n")
	a, aEnd := markers("a")
	got, err := os.ReadFile(path)
	if want := "before\n" + a + "third\n" + aEnd + begin + "fourth\n" + end + "after\n"; err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if _, err := findSection(path, "c"); err == nil || !strings.Contains(err.Error(), "<!-- c: ") {
		t.Errorf("a page without the markers: %v", err)
	}
}
