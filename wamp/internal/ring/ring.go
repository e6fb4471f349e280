// Package ring remembers the newest values of a sequence that has no end, such
// as the ids of what is over.
package ring

import "slices"

// Set holds the newest values that were added. The zero Set is empty.
type Set[T comparable] struct {
	ring []T
	next int // where the next value goes, once the ring does not grow
	set  map[T]struct{}
}

// Has reports whether v is in the set.
func (s *Set[T]) Has(v T) bool {
	if len(s.set) == 0 {
		return false
	}
	_, ok := s.set[v]
	return ok
}

// Len returns the number of values in the set.
func (s *Set[T]) Len() int { return len(s.set) }

// Add adds v, in the place of the oldest value where the set holds limit of them.
// The set must not have v.
func (s *Set[T]) Add(v T, limit int) {
	if s.set == nil {
		s.set = map[T]struct{}{}
	}
	s.set[v] = struct{}{}
	if len(s.ring) < limit {
		if s.next != len(s.ring) { // it grows again after it went round
			s.ring = append(slices.Clone(s.ring[s.next:]), s.ring[:s.next]...)
		}
		s.ring = append(s.ring, v)
		s.next = len(s.ring)
		return
	}
	if s.next >= len(s.ring) {
		s.next = 0
	}
	delete(s.set, s.ring[s.next])
	s.ring[s.next] = v
	s.next++
}

// Remove takes v out. Its place in the ring stays taken until it is the oldest.
func (s *Set[T]) Remove(v T) { delete(s.set, v) }

// Last returns the newest value, removed or not, and the zero value if none was
// added.
func (s *Set[T]) Last() (v T) {
	if s.next > 0 {
		v = s.ring[s.next-1]
	}
	return v
}
