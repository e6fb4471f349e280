package floor

import (
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	h, part := new(Histogram), new(Histogram)
	for i := 1; i <= 1000; i++ {
		part.Add(time.Duration(i) * time.Microsecond)
	}
	h.Add(-time.Second)
	h.Merge(part)
	if h.Count() != 1001 {
		t.Errorf("%d are counted", h.Count())
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 0.9999: time.Millisecond} {
		if got := h.Quantile(q); got < want-want/100 || got > want+want/100 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	n, last := 0, time.Duration(-1)
	for d, count := range h.All() {
		if d <= last {
			t.Errorf("%v behind %v", d, last)
		}
		n, last = n+count, d
	}
	if n != h.Count() {
		t.Errorf("the buckets have %d", n)
	}
}
