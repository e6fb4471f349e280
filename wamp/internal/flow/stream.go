package flow

import (
	"context"
	"sync"
)

// Stream carries values from the actor to a consumer, in order.
//
// One that was opened by [Stream.Open] has a channel. There is one sender at a
// time: the actor, or while a backlog exists the feeder. One that was opened by
// [Stream.OpenBlocks] has none: all goes into the backlog, whose blocks the
// consumer takes by [Stream.Each]; the first call of [Stream.Ch] makes the channel,
// and the stream is like others from then on.
//
// All that they share is under mu, the one hand-over lock of a stream, which is
// never held across a call that can wait.
//
// It is opened before the first Put; the exported fields are set by then, and do not
// change.
type Stream[T any] struct {
	ch  chan T
	eng Engine
	ctx context.Context // of the operation: its end lets a feeder go
	// Bytes bounds the backlog, and Count if it is not 0.
	Bytes, Count int
	// Mark notes on a value that n values before it were dropped, and whether
	// one of them came after a gap; Hole tells whether a value does.
	Mark func(v T, n uint64, gap bool) T
	Hole func(v T) bool
	// Cut is the last value when Close drops n values; false: none. It is given
	// the stream, so that a call need not allocate a function of its own.
	Cut func(s *Stream[T], n int) (T, bool)
	// Discard takes a value that will not be delivered because the stream has
	// ended before; nil: nothing needs to be done about it.
	Discard func(v T)
	// Pool keeps empty blocks; nil: nothing does.
	Pool *Pool[T]

	mu      sync.Mutex
	first   *block[T] // of the backlog, nil when it is empty
	last    *block[T]
	free    *block[T] // empty ones, to be used again
	frees   int       // how many
	items   int       // in the backlog
	size    int       // bytes in the backlog
	Policy  Policy
	feeding bool
	gated   bool
	over    bool // Finish was called
	abrupt  bool // the feeder shall end now
	hasLast bool
	holes   [2]bool       // a value that came after a gap is among missed, among gap
	lastV   T             // what the feeder sends last when abrupt, and hasLast
	poke    chan struct{} // wakes a feeder; capacity 1, made with it
	dropped uint64        // values lost to the policy
	told    uint64        // of those, what the engine has been told of
	missed  uint64        // dropped since the last value that was taken
	gap     uint64        // dropped before the first value of the backlog

	blocks pulled[T] // how it is read without a channel
}

// Open makes the channel, with room for so many values. ctx is that of the operation:
// when it ends, what its consumer has not taken is waited for no longer.
func (s *Stream[T]) Open(ctx context.Context, eng Engine, room int) {
	s.ch, s.eng, s.ctx = make(chan T, room), eng, ctx
}

// Ch is the user's channel. It must not be asked for once Each has been used.
func (s *Stream[T]) Ch() <-chan T {
	if s.blocks.opened {
		s.blocks.turned.Do(s.turn)
	}
	return s.ch
}

// Engine is what the stream was opened with.
func (s *Stream[T]) Engine() Engine { return s.eng }

// Bind gives the stream another context, before the first Put.
func (s *Stream[T]) Bind(ctx context.Context) { s.ctx = ctx }

// Context is that of the operation.
func (s *Stream[T]) Context() context.Context { return s.ctx }

// Fed reports whether the stream has had a feeder, which may still be on its way out.
// Actor only.
func (s *Stream[T]) Fed() bool { return s.poke != nil }

// Put offers a value. Actor only.
func (s *Stream[T]) Put(v T, size int) Verdict {
	s.mu.Lock()
	verdict := s.put(&v, size)
	idle := s.rouse()
	s.mu.Unlock()
	if idle {
		s.blocks.wake <- struct{}{}
	}
	return verdict
}

func (s *Stream[T]) put(v *T, size int) Verdict {
	if s.over {
		return Taken
	}
	if s.missed > 0 && s.Mark != nil {
		*v = s.Mark(*v, s.missed, s.holes[0])
	}
	if !s.feeding && !s.blocks.on && offer(s.ch, *v) {
		s.missed, s.holes[0] = 0, false
		return Taken
	}
	verdict := Taken
	if s.full(size) {
		switch s.Policy {
		case Fail:
			return Overflow
		case DropNewest:
			s.dropped++
			s.missed++
			s.holes[0] = s.holes[0] || s.Hole != nil && s.Hole(*v)
			return Dropped
		case DropOldest:
			s.dropOldest(func() bool { return s.full(size) })
			verdict = Dropped
		case Block:
			switch {
			case !s.gated:
				s.gated = true
				verdict = Gate
			case !s.eng.Letting():
			case s.Mark == nil: // only events are dropped
				return Overflow
			default:
				s.dropped++
				s.missed++
				return Dropped
			}
		}
	}
	s.missed, s.holes[0] = 0, false
	it := s.push(size)
	it.v, it.size = *v, size
	return verdict
}

// full reports whether the backlog has no room for so many bytes.
func (s *Stream[T]) full(size int) bool {
	if s.Count > 0 && s.items-s.roomAhead() >= s.Count {
		return true
	}
	if s.size == 0 || s.size+size <= s.Bytes {
		return false
	}
	n := s.bound()
	return n > 0 && n+size > s.Bytes
}

// dropOldest drops the oldest values of the backlog while it is too much. What
// is next in line then learns how many were lost before it when it is taken.
func (s *Stream[T]) dropOldest(tooMuch func() bool) {
	for s.items > 0 && tooMuch() {
		it := &s.first.items[s.first.head]
		if it.end {
			return
		}
		s.holes[1] = s.holes[1] || s.Hole != nil && s.Hole(it.v)
		s.shift()
		s.dropped++
		s.gap++
	}
}

// shift takes the first value out of the backlog.
func (s *Stream[T]) shift() {
	b := s.first
	s.shrink(b, &b.items[b.head])
	if b.head++; b.head == b.n {
		s.unlinkFirst()
		s.recycle(b)
	}
}

// shrink takes an item out of a block of the backlog.
func (s *Stream[T]) shrink(b *block[T], it *item[T]) {
	s.size -= it.size
	b.size -= it.size
	s.items--
	s.eng.Hold(-it.size)
	*it = item[T]{}
}

// Held is how many bytes the backlog has. Actor only.
func (s *Stream[T]) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Shed applies the policy to a backlog that is the largest of a session that has
// too much: it is to give back so many bytes. Actor only.
func (s *Stream[T]) Shed(bytes int) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.items == 0 {
		return Taken
	}
	most := s.size - bytes
	policy := s.Policy
	if policy == Fail && s.Discard != nil { // each is refused by itself
		policy = DropNewest
	}
	switch policy {
	case Fail:
		return Overflow
	case Block:
		if s.gated {
			return Taken
		}
		s.gated = true
		return Gate
	case DropOldest:
		s.dropOldest(func() bool { return s.size > most })
	case DropNewest:
		s.dropNewest(most)
	}
	return Dropped
}

// dropNewest drops the newest values of the backlog until it has no more than
// most bytes. The blocks in which they were stay until the feeder gets there.
func (s *Stream[T]) dropNewest(most int) {
	var blocks []*block[T]
	for b := s.first; b != nil; b = b.next {
		blocks = append(blocks, b)
	}
	for i := len(blocks) - 1; i >= 0 && s.size > most; i-- {
		b := blocks[i]
		for b.n > b.head && s.size > most {
			it := &b.items[b.n-1]
			s.holes[0] = s.holes[0] || s.Hole != nil && s.Hole(it.v)
			if s.Discard != nil {
				s.Discard(it.v)
			}
			s.shrink(b, it)
			b.n--
			s.dropped++
			s.missed++
		}
		if b.n == b.head && i > 0 {
			s.last, blocks[i-1].next = blocks[i-1], nil
		}
	}
	if s.items == 0 {
		s.first, s.last = nil, nil
	}
}

func (s *Stream[T]) unlinkFirst() {
	if s.first = s.first.next; s.first == nil {
		s.last = nil
	}
}

// push appends a value of that size to the backlog, for the caller to fill in, and
// sees to it that somebody feeds it.
func (s *Stream[T]) push(size int) *item[T] {
	b := s.last
	if b == nil || b.n == len(b.items) || b.size >= blockBytes {
		b = s.empty()
		if s.last == nil {
			s.first = b
		} else {
			s.last.next = b
		}
		s.last = b
	}
	it := &b.items[b.n]
	b.n++
	b.size += size
	s.items++
	s.size += size
	s.eng.Hold(size)
	if !s.feeding && !s.blocks.on {
		s.feeding = true
		s.makePoke()
		s.eng.Feed(s.feed)
	}
	return it
}

func (s *Stream[T]) makePoke() {
	if s.poke == nil {
		s.poke = make(chan struct{}, 1)
	}
}

// Finish ends the stream: last, if has, is its last value. With now set it
// does not wait behind the backlog, which is dropped. Actor only; only the
// first call counts.
func (s *Stream[T]) Finish(last T, has, now bool) {
	s.mu.Lock()
	ungate := s.finishLocked(last, has, now)
	idle := s.rouse()
	s.mu.Unlock()
	if ungate {
		s.eng.Ungate()
	}
	if idle {
		s.blocks.wake <- struct{}{}
	}
}

func (s *Stream[T]) finishLocked(last T, has, now bool) (ungate bool) {
	if s.over {
		return false
	}
	s.over = true
	if s.blocks.on {
		return s.finishBlocks(last, has, now)
	}
	if !s.feeding {
		if !now && has && !offer(s.ch, last) {
			*s.push(0) = item[T]{v: last, end: true, has: true}
			return false
		}
		s.closeNow(last, now && has, now)
		return false
	}
	if s.ctx.Err() != nil {
		now = true
	}
	if now {
		s.cutBacklog(last, has)
		return s.ungated()
	}
	*s.push(0) = item[T]{v: last, end: true, has: has}
	return false
}

// Lost is how many values the policy has dropped since it was last asked. Actor
// only.
func (s *Stream[T]) Lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dropped - s.told
	s.told = s.dropped
	return n
}

// Dropped is how many values the policy has dropped.
func (s *Stream[T]) Dropped() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}
