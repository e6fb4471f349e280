package flow

import (
	"context"
	"sync"
)

// pulled is what a stream has that is read by the block. Its consumer takes a block
// of the backlog at a time into its hand, and the values out of that without a lock.
//
// It holds what a channel would, no more and no less, and loses the same: as many
// values as the channel has room for are outside of the bound, and are not taken
// back when the stream ends. It needs no goroutine while it lives; where it has ended
// and more is left than that, a guard waits for its consumer in place of the feeder.
type pulled[T any] struct {
	opened bool      // by OpenBlocks
	turned sync.Once // makes the channel
	room   int       // of the channel that there is not

	// Under the stream's lock.
	on      bool          // no channel: the consumer is Each, or has not come yet
	idle    bool          // the consumer waits for wake
	wake    chan struct{} // capacity 1, made with the first wait
	hand    *block[T]     // what the consumer takes values from; only it sets it
	guarded bool          // the stream is over, and a guard waits for the consumer
}

// OpenBlocks is Open of a stream that is read by the block, as if by a channel with
// room for so many values.
func (s *Stream[T]) OpenBlocks(ctx context.Context, eng Engine, room int) {
	s.eng, s.ctx = eng, ctx
	s.blocks.opened, s.blocks.on, s.blocks.room = true, true, room
}

// roomAhead is how many values of the backlog are not subject to its bound: those
// for which a channel would have room.
func (s *Stream[T]) roomAhead() int {
	if s.blocks.on {
		return s.blocks.room
	}
	return 0
}

// bound is how many bytes of the backlog are subject to its bound.
func (s *Stream[T]) bound() int {
	n, ahead := s.size, s.roomAhead()
	for b := s.first; b != nil && ahead > 0; b = b.next {
		for i := b.head; i < b.n && ahead > 0; i++ {
			n -= b.items[i].size
			ahead--
		}
	}
	return n
}

// Each gives each value to yield, until that returns false or the stream has ended.
// The value is lent until yield returns. What was not given is there for the next
// Each; the last value is given once. One Each at a time, and none beside a channel.
func (s *Stream[T]) Each(yield func(*T) bool) {
	var lent *item[T]
	defer func() {
		if lent != nil { // behind a panic or runtime.Goexit
			*lent = item[T]{}
		}
		s.leave()
	}()
	for b := s.blocks.hand; ; {
		if b != nil {
			for it := b.claim(); it != nil; it = b.claim() {
				lent = it
				more := yield(&it.v)
				lent, *it = nil, item[T]{}
				if !more {
					return
				}
			}
		}
		if b = s.take(); b == nil {
			break
		}
	}
	s.mu.Lock()
	last, has := s.lastV, s.hasLast
	s.lastV, s.hasLast = *new(T), false
	s.mu.Unlock()
	if has {
		yield(&last)
	}
}

// take waits for the next block, and gives the emptied one back. nil: there is none,
// and the stream has ended.
func (s *Stream[T]) take() *block[T] {
	p := &s.blocks
	s.mu.Lock()
	if p.hand != nil {
		s.recycle(p.hand)
		p.hand = nil
	}
	for s.items == 0 && !s.over {
		p.idle = true
		if p.wake == nil {
			p.wake = make(chan struct{}, 1)
		}
		s.mu.Unlock()
		<-p.wake // the end comes too
		s.mu.Lock()
	}
	b, ungate := s.nextLocked(nil)
	if b != nil {
		b.taken.Store(int32(b.head)) //nolint:gosec // an index
		p.hand = b
	}
	s.release()
	s.mu.Unlock()
	if ungate {
		s.eng.Ungate()
	}
	return b
}

// rouse reports whether the consumer is to be woken. It has been, then.
func (s *Stream[T]) rouse() bool {
	if !s.blocks.idle || s.items == 0 && !s.over {
		return false
	}
	s.blocks.idle = false
	return true
}

// leave is the consumer's last step: it may have left little enough.
func (s *Stream[T]) leave() {
	s.mu.Lock()
	s.release()
	s.mu.Unlock()
}

// release lets the guard go when no more is left than a channel would have room for.
func (s *Stream[T]) release() {
	if s.blocks.guarded && !s.waited() {
		s.blocks.guarded = false
		s.uncount()
		s.poke <- struct{}{} // the only one
	}
}

// waited reports whether the consumer of a stream that is over is waited for: it has
// left more than a channel would have room for, or it holds the link back.
func (s *Stream[T]) waited() bool { return s.gated || s.left() > s.blocks.room }

// Waits reports whether an end would wait for the consumer now.
func (s *Stream[T]) Waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waited()
}

// left is how many values the consumer has not taken.
func (s *Stream[T]) left() int {
	if b := s.blocks.hand; b != nil {
		return s.items + b.left()
	}
	return s.items
}

// finishBlocks is the end of a stream that has no channel.
func (s *Stream[T]) finishBlocks(last T, has, now bool) (ungate bool) {
	s.lastV, s.hasLast = last, has
	waits := s.waited()
	if now || waits && s.ctx.Err() != nil {
		return s.cut()
	}
	if !waits {
		s.uncount()
		return false
	}
	s.blocks.guarded = true
	s.makePoke()
	s.eng.Feed(s.guard)
	return false
}

// uncount takes what is left of a stream that is over out of what the engine counts:
// it is what a channel would have room for, and may never be read.
func (s *Stream[T]) uncount() {
	for b := s.first; b != nil; b = b.next {
		for i := b.head; i < b.n; i++ {
			b.items[i].size = 0
		}
		b.size = 0
	}
	s.eng.Hold(-s.size)
	s.size = 0
}

// guard waits until the consumer has read enough, until the operation's context
// ends, or for a Close that is out of time. Where the consumer chooses the channel
// after all, it becomes the feeder.
func (s *Stream[T]) guard(hurry <-chan struct{}) {
	late := false
	select {
	case <-s.poke:
	case <-hurry:
		late = true
	case <-s.ctx.Done():
	}
	s.mu.Lock()
	if !s.blocks.on {
		select {
		case <-s.poke: // it has come, though it was not what has woken us
		default:
		}
		s.mu.Unlock()
		s.feed(hurry)
		return
	}
	ungate := false
	if s.blocks.guarded {
		s.blocks.guarded = false
		if late {
			s.hurriedBlocks()
		} else {
			ungate = s.cut()
		}
	}
	s.mu.Unlock()
	if ungate {
		s.eng.Ungate()
	}
}

// cut gives up what was not read, but for what is in the channel elsewhere.
func (s *Stream[T]) cut() (ungate bool) {
	s.recall()
	room := s.blocks.room
	if s.Discard != nil {
		room = 0
	}
	s.keep(room, s.Discard)
	s.uncount()
	return s.ungated()
}

// hurriedBlocks is the end because Close is out of time: what is given up is counted.
func (s *Stream[T]) hurriedBlocks() {
	s.recall()
	n := s.keep(s.blocks.room, nil) // the session is gone: there is nobody to tell
	s.uncount()
	if s.Policy == Block {
		n += int(s.missed) // since Close did not wait for it any more
	}
	if n == 0 {
		return
	}
	if s.hasLast {
		n++
	}
	s.lastV, s.hasLast = s.Cut(s, n)
}

// recall takes back what the consumer has in its hand: it is in front of the backlog
// again. keep follows, which knows what is last.
func (s *Stream[T]) recall() {
	b := s.blocks.hand
	if b == nil {
		return
	}
	from := int(b.taken.Swap(1 << 30))
	if from >= b.n {
		return
	}
	if first := s.first; first != nil {
		s.tellGap(&first.items[first.head]) // these were dropped behind it
	}
	back := newBlock[T](false)
	back.n = copy(back.items, b.items[from:b.n])
	clear(b.items[from:b.n])
	for i := range back.n {
		back.size += back.items[i].size
	}
	back.next, s.first = s.first, back
	s.items += back.n
	s.size += back.size
	s.eng.Hold(back.size)
}

// keep gives up what is in the backlog behind its first values, and returns how many
// that were.
func (s *Stream[T]) keep(most int, discard func(T)) (dropped int) {
	var last *block[T]
	for b := s.first; b != nil; b = b.next {
		stay := min(most, b.n-b.head)
		most -= stay
		for i := b.head + stay; i < b.n; i++ {
			it := &b.items[i]
			if discard != nil {
				discard(it.v)
			}
			s.shrink(b, it)
			dropped++
		}
		if b.n = b.head + stay; stay > 0 {
			last = b
		}
	}
	if s.last = last; last == nil {
		s.first = nil
	} else {
		last.next = nil
	}
	return dropped
}

// turn makes the channel of a stream that nobody has read yet. Where more is there
// than it has room for, the guard feeds it from now on, or a goroutine that Close
// waits for.
func (s *Stream[T]) turn() {
	s.mu.Lock()
	p := &s.blocks
	room := p.room
	if s.over && !p.guarded {
		room = s.items + 1 // all of it
	}
	s.ch, p.on = make(chan T, room), false
	s.fill()
	feed, ungate := false, s.items == 0 && s.ungated()
	switch {
	case p.guarded:
		p.guarded, s.feeding = false, true
		*s.push(0) = item[T]{v: s.lastV, end: true, has: s.hasLast}
		s.poke <- struct{}{}
	case s.over:
		s.closeNow(s.lastV, s.hasLast, false)
	case s.items > 0:
		s.feeding, feed = true, true
		s.makePoke()
	}
	s.mu.Unlock()
	if ungate {
		s.eng.Ungate()
	}
	if feed && s.eng.GoFeeder(s.feed) != nil {
		s.unfed()
	}
}

// fill moves what the channel has room for out of the backlog.
func (s *Stream[T]) fill() {
	for s.items > 0 {
		it := &s.first.items[s.first.head]
		s.tellGap(it)
		if it.end || !offer(s.ch, it.v) {
			return
		}
		s.shift()
	}
}

// unfed closes a channel that was to be fed, and has no feeder because the session
// is over. Nobody has seen it yet: one that has room for all takes its place.
func (s *Stream[T]) unfed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	small := s.ch
	s.ch = make(chan T, len(small)+s.items+1)
	close(small)
	for v := range small {
		s.ch <- v
	}
	s.feeding = false
	last, has := s.lastV, s.hasLast // of an end that did not wait
	s.fill()
	if s.items > 0 { // the end
		end := &s.first.items[s.first.head]
		last, has = end.v, end.has
		s.emptied()
	}
	s.closeNow(last, has, s.abrupt)
}
