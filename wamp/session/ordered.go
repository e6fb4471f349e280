package session

import (
	"cmp"
	"slices"
)

// ordered is a set that remembers the order of arrival, which is the order in
// which handles are restored.
type ordered[T comparable] struct{ seq map[T]uint64 }

func (o *ordered[T]) add(v T, order uint64) {
	if o.seq == nil {
		o.seq = map[T]uint64{}
	}
	o.seq[v] = order
}

func (o *ordered[T]) has(v T) bool { _, ok := o.seq[v]; return ok }

func (o *ordered[T]) remove(v T) bool {
	_, ok := o.seq[v]
	delete(o.seq, v)
	return ok
}

func (o *ordered[T]) len() int { return len(o.seq) }

// all returns the members, oldest first.
func (o *ordered[T]) all() []T {
	out := make([]T, 0, len(o.seq))
	for v := range o.seq {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b T) int { return cmp.Compare(o.seq[a], o.seq[b]) })
	return out
}
