package floor

import (
	"iter"
	"math/bits"
	"time"
)

// Histogram counts durations in buckets of less than one percent of their
// value, in memory of a fixed size.
type Histogram struct {
	counts [44 << fineBits]uint32
	total  int
}

const fineBits = 7

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	n := uint64(max(d, 0))
	shift := max(bits.Len64(n)-fineBits-1, 0)
	i := shift<<fineBits + int(n>>shift)
	h.counts[min(i, len(h.counts)-1)]++
	h.total++
}

// Count is how many have been counted.
func (h *Histogram) Count() int { return h.total }

// Merge adds what another one has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
}

// All returns the durations that were counted, each as the middle of its bucket, in
// ascending order, and how often.
func (h *Histogram) All() iter.Seq2[time.Duration, int] {
	return func(yield func(time.Duration, int) bool) {
		for i, n := range h.counts {
			if n > 0 && !yield(middle(i), int(n)) {
				return
			}
		}
	}
}

// middle is the middle of a bucket.
func middle(i int) time.Duration {
	shift := max(i>>fineBits-1, 0)
	return time.Duration(uint64(i-shift<<fineBits)<<shift + 1<<shift/2)
}

// Quantile is the duration that a share q of those counted do not exceed.
func (h *Histogram) Quantile(q float64) time.Duration {
	left := int(q * float64(h.total))
	for i, n := range h.counts {
		if left -= int(n); left < 0 {
			return middle(i)
		}
	}
	return 0
}
