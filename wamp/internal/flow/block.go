package flow

import (
	"sync"
	"sync/atomic"
)

// item is a value of the backlog; where the stream has a channel, the end is one too.
type item[T any] struct {
	v    T
	size int
	end  bool // close the channel after it
	has  bool // with end: v is to be sent before
}

// The backlog is a list of blocks, so that it grows without copying, and so
// that who empties it can take a block at a time and meet the actor at the lock
// less often. A block that has been taken is no longer subject to the bound,
// so it is kept small in bytes too.
const (
	blockItems = 32
	blockBytes = 64 << 10
	// firstItems is the size of a block where nothing waits: a stream of which
	// little comes keeps only one of those.
	firstItems = 8
	// mostFree is how many empty ones a stream keeps: one for the actor, one in the
	// consumer's hand.
	mostFree = 2
)

// Pool keeps empty blocks for all streams of a type, so that neither what comes in
// bursts is garbage, nor does each stream keep what its largest burst has needed.
type Pool[T any] struct{ blocks sync.Pool }

type block[T any] struct {
	items   []item[T]
	head, n int // items[head:n] are there
	size    int
	next    *block[T]
	// taken is what the consumer has taken of a block in its hand, instead of head.
	// Who takes the rest away from it does so by setting it beyond n.
	taken atomic.Int32
}

// newBlock allocates a block together with its items.
func newBlock[T any](small bool) *block[T] {
	if small {
		b := new(struct {
			block[T]
			room [firstItems]item[T]
		})
		b.items = b.room[:]
		return &b.block
	}
	b := new(struct {
		block[T]
		room [blockItems]item[T]
	})
	b.items = b.room[:]
	return &b.block
}

// claim takes the next value out of a block in the consumer's hand; nil: there is
// none any more.
func (b *block[T]) claim() *item[T] {
	if i := int(b.taken.Add(1)) - 1; i < b.n {
		return &b.items[i]
	}
	return nil
}

// left is how many values a block in the consumer's hand has.
func (b *block[T]) left() int { return max(0, b.n-int(b.taken.Load())) }

// empty is a block without items.
func (s *Stream[T]) empty() *block[T] {
	if b := s.free; b != nil && (s.items == 0 || s.Pool == nil) {
		s.free, b.next = b.next, nil
		s.frees--
		return b
	}
	if s.items == 0 {
		return newBlock[T](true)
	}
	if s.Pool != nil {
		if b, _ := s.Pool.blocks.Get().(*block[T]); b != nil {
			return b
		}
	}
	return newBlock[T](false)
}

// recycle keeps an emptied block for later; its items are zero.
func (s *Stream[T]) recycle(b *block[T]) {
	b.head, b.n, b.size, b.next = 0, 0, 0, nil
	switch {
	case s.Pool != nil && len(b.items) > firstItems:
		s.Pool.blocks.Put(b)
	case s.frees < mostFree:
		b.next, s.free = s.free, b
		s.frees++
	}
}
