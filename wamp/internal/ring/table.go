package ring

import (
	"iter"
	"slices"
)

// Table finds values by ids that are, most of the time, those of a sequence: of
// what is in progress, each has its own slot, and neighbours lie side by side. What
// finds its slot taken by another goes into a map, so that ids of any kind cost no
// more than they do there. The zero Table is empty.
type Table[K ~uint64, V any] struct {
	slots []slot[K, V] // a power of two of them
	used  int          // of slots
	rest  map[K]V
}

// slot is free where id is 0; the value of that id is never in a slot.
type slot[K ~uint64, V any] struct {
	id K
	v  V
}

const (
	fewSlots  = 8
	keepSlots = 1 << 12 // an empty table keeps no more
)

// Len returns the number of values.
func (t *Table[K, V]) Len() int { return t.used + len(t.rest) }

// Get returns the value of an id, and the zero value if there is none.
func (t *Table[K, V]) Get(id K) V {
	if s := t.slot(id); s != nil && s.id == id && id != 0 {
		return s.v
	}
	return t.rest[id]
}

// slot is where the value of id is, if it is in a slot.
func (t *Table[K, V]) slot(id K) *slot[K, V] {
	if len(t.slots) == 0 {
		return nil
	}
	return &t.slots[uint64(id)&uint64(len(t.slots)-1)]
}

// Put gives an id its value.
func (t *Table[K, V]) Put(id K, v V) {
	if len(t.rest) > 0 {
		if _, is := t.rest[id]; is {
			t.rest[id] = v
			return
		}
	}
	s := t.slot(id)
	if s == nil || s.id != 0 && s.id != id && t.used >= len(t.slots)/2 {
		t.grow()
		s = t.slot(id)
	}
	switch {
	case id == 0 || s.id != 0 && s.id != id:
		if t.rest == nil {
			t.rest = map[K]V{}
		}
		t.rest[id] = v
		return
	case s.id == 0:
		t.used++
	}
	s.id, s.v = id, v
}

// grow doubles the slots. Two values that had each its own have so again.
func (t *Table[K, V]) grow() {
	old := t.slots
	t.slots = make([]slot[K, V], max(fewSlots, 2*len(old)))
	for _, s := range old {
		if s.id != 0 {
			*t.slot(s.id) = s
		}
	}
}

// Delete takes an id out.
func (t *Table[K, V]) Delete(id K) {
	if s := t.slot(id); s != nil && s.id == id && id != 0 {
		*s = slot[K, V]{}
		t.used--
	} else if len(t.rest) > 0 {
		delete(t.rest, id)
	}
	if len(t.slots) > keepSlots && t.Len() == 0 {
		t.Clear()
	}
}

// Clear takes all out.
func (t *Table[K, V]) Clear() { *t = Table[K, V]{} }

// All returns an iterator over the table, in no order.
func (t *Table[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for i := range t.slots {
			if s := &t.slots[i]; s.id != 0 && !yield(s.id, s.v) {
				return
			}
		}
		for id, v := range t.rest {
			if !yield(id, v) {
				return
			}
		}
	}
}

// IDs returns all ids, the smallest first.
func (t *Table[K, V]) IDs() []K {
	ids := make([]K, 0, t.Len())
	for id := range t.All() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
