package ring_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/ring"
)

// have checks that of the numbers below most the set has those from low on.
func have(t *testing.T, s *ring.Set[int], low, most int) {
	t.Helper()
	for n := range most {
		if s.Has(n) != (n >= low) {
			t.Errorf("%d: has it %v", n, s.Has(n))
		}
	}
	if s.Len() != most-low {
		t.Errorf("%d values, not %d", s.Len(), most-low)
	}
	if last := s.Last(); last != max(most-1, 0) {
		t.Errorf("the last is %d", last)
	}
}

func TestSetKeepsTheNewest(t *testing.T) {
	var s ring.Set[int]
	have(t, &s, 0, 0)
	for n := range 25 { // it goes round twice
		s.Add(n, 10)
		have(t, &s, max(0, n-9), n+1)
	}
	for n := 25; n < 40; n++ { // and grows again, from where it is
		s.Add(n, 20)
		have(t, &s, max(15, n-19), n+1)
	}
}

func TestSetRemove(t *testing.T) {
	var s ring.Set[int]
	s.Remove(1)
	for n := range 3 {
		s.Add(n, 3)
	}
	s.Remove(1)
	if s.Has(1) || !s.Has(0) || !s.Has(2) || s.Len() != 2 {
		t.Errorf("%v, %d values", s, s.Len())
	}
	s.Add(3, 3) // in the place of 0
	s.Add(4, 3) // in that of 1
	if s.Has(0) || !s.Has(2) || !s.Has(3) || !s.Has(4) || s.Len() != 3 {
		t.Errorf("%v, %d values", s, s.Len())
	}
}
