package flow

import (
	"context"
	"sync"
)

// Stream carries values from the actor to a user's channel, in order. There is
// one sender at a time: the actor, or while a backlog exists the feeder. All
// that they share is under mu, the one hand-over lock of a stream, which is
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

	mu      sync.Mutex
	first   *block[T] // of the backlog, nil when it is empty
	last    *block[T]
	spare   *block[T] // an empty one, to be used again
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
}

// Open makes the channel, with room for so many values. ctx is that of the operation:
// when it ends, what its consumer has not taken is waited for no longer.
func (s *Stream[T]) Open(ctx context.Context, eng Engine, room int) {
	s.ch, s.eng, s.ctx = make(chan T, room), eng, ctx
}

// Ch is the user's channel.
func (s *Stream[T]) Ch() <-chan T { return s.ch }

// Engine is what the stream was opened with.
func (s *Stream[T]) Engine() Engine { return s.eng }

// Bind gives the stream another context, before the first Put.
func (s *Stream[T]) Bind(ctx context.Context) { s.ctx = ctx }

// Context is that of the operation.
func (s *Stream[T]) Context() context.Context { return s.ctx }

// Fed reports whether the stream has had a feeder, which may still be on its way out.
// Actor only.
func (s *Stream[T]) Fed() bool { return s.poke != nil }

// item is a value of the backlog; the end is one too.
type item[T any] struct {
	v    T
	size int
	end  bool // close the channel after it
	has  bool // with end: v is to be sent before
}

// The backlog is a list of blocks, so that it grows without copying, and so
// that the feeder can take a block at a time and meet the actor at the lock
// less often. A block that has been taken is no longer subject to the bound,
// so it is kept small in bytes too.
const (
	blockItems = 32
	blockBytes = 64 << 10
)

type block[T any] struct {
	items   [blockItems]item[T]
	head, n int // items[head:n] are there
	size    int
	next    *block[T]
}

// Put offers a value. Actor only.
func (s *Stream[T]) Put(v T, size int) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return Taken
	}
	if s.missed > 0 && s.Mark != nil {
		v = s.Mark(v, s.missed, s.holes[0])
	}
	if !s.feeding {
		select {
		case s.ch <- v:
			s.missed, s.holes[0] = 0, false
			return Taken
		default:
		}
	}
	full := s.size+size > s.Bytes && s.size > 0 || s.Count > 0 && s.items >= s.Count
	verdict := Taken
	if full {
		switch s.Policy {
		case Fail:
			return Overflow
		case DropNewest:
			s.dropped++
			s.missed++
			s.holes[0] = s.holes[0] || s.Hole != nil && s.Hole(v)
			return Dropped
		case DropOldest:
			s.dropOldest(func() bool { return s.size+size > s.Bytes || s.Count > 0 && s.items >= s.Count })
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
	s.push(item[T]{v: v, size: size})
	return verdict
}

// dropOldest drops the oldest values of the backlog while it is too much. What
// is next in line then learns how many were lost before it when it is taken.
func (s *Stream[T]) dropOldest(tooMuch func() bool) {
	for s.items > 0 && tooMuch() {
		b := s.first
		it := &b.items[b.head]
		if it.end {
			return
		}
		s.holes[1] = s.holes[1] || s.Hole != nil && s.Hole(it.v)
		s.shrink(b, it)
		b.head++
		s.dropped++
		s.gap++
		if b.head == b.n {
			s.unlinkFirst()
			s.recycle(b)
		}
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

// recycle keeps an emptied block for later; its items are zero.
func (s *Stream[T]) recycle(b *block[T]) {
	b.head, b.n, b.size, b.next = 0, 0, 0, nil
	s.spare = b
}

// push appends to the backlog and sees to it that somebody feeds it.
func (s *Stream[T]) push(it item[T]) {
	b := s.last
	if b == nil || b.n == blockItems || b.size >= blockBytes {
		if b = s.spare; b == nil {
			b = new(block[T])
		}
		s.spare = nil
		if s.last == nil {
			s.first = b
		} else {
			s.last.next = b
		}
		s.last = b
	}
	b.items[b.n] = it
	b.n++
	b.size += it.size
	s.items++
	s.size += it.size
	s.eng.Hold(it.size)
	if !s.feeding {
		s.feeding = true
		if s.poke == nil {
			s.poke = make(chan struct{}, 1)
		}
		s.eng.Feed(s.feed)
	}
}

// Finish ends the stream: last, if has, is its last value. With now set it
// does not wait behind the backlog, which is dropped. Actor only; only the
// first call counts.
func (s *Stream[T]) Finish(last T, has, now bool) {
	s.mu.Lock()
	ungate := s.finishLocked(last, has, now)
	s.mu.Unlock()
	if ungate {
		s.eng.Ungate()
	}
}

func (s *Stream[T]) finishLocked(last T, has, now bool) (ungate bool) {
	if s.over {
		return false
	}
	s.over = true
	if !s.feeding {
		if !now && has && !offer(s.ch, last) {
			s.push(item[T]{v: last, end: true, has: true})
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
	s.push(item[T]{v: last, end: true, has: has})
	return false
}

// closeNow closes the channel. With now set, what nobody has read yet is taken
// back where that matters; last, if has, is put in.
func (s *Stream[T]) closeNow(last T, has, now bool) {
	if now && s.Discard != nil {
		for {
			select {
			case v := <-s.ch:
				s.Discard(v)
				continue
			default:
			}
			break
		}
	}
	if has {
		force(s.ch, last)
	}
	close(s.ch)
}

// cutBacklog tells the feeder to end now.
func (s *Stream[T]) cutBacklog(last T, has bool) {
	s.abrupt, s.lastV, s.hasLast = true, last, has
	for b := s.first; b != nil; b = b.next {
		s.discardBlock(b)
	}
	s.emptied()
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// discardBlock gives up the values of a block.
func (s *Stream[T]) discardBlock(b *block[T]) {
	if s.Discard == nil || b == nil {
		return
	}
	for i := b.head; i < b.n; i++ {
		if it := &b.items[i]; !it.end {
			s.Discard(it.v)
		}
	}
}

// emptied notes that the backlog is gone.
func (s *Stream[T]) emptied() {
	s.eng.Hold(-s.size)
	s.first, s.last, s.items, s.size = nil, nil, 0, 0
}

func (s *Stream[T]) ungated() bool {
	g := s.gated
	s.gated = false
	return g
}

// feed is the feeder: it sends the backlog and ends when that is empty. It
// waits for the consumer, for the operation's context, for a poke from Finish,
// and for a Close that is out of time.
func (s *Stream[T]) feed(hurry <-chan struct{}) {
	ended := s.ctx.Done()
	for b := s.next(nil); b != nil; b = s.next(b) {
		for b.head < b.n {
			it := &b.items[b.head]
			if it.end && !it.has {
				close(s.ch)
				return
			}
			select {
			case s.ch <- it.v:
				if it.end {
					close(s.ch)
					return
				}
				*it = item[T]{}
				b.head++
			case <-s.poke: // next sees what Finish wants
				if s.next(b) == nil {
					return
				}
			case <-hurry:
				s.hurried(b)
				return
			case <-ended:
				ended = nil
				if b.items[b.n-1].end {
					s.endNow(b)
					return
				}
				if s.ctxOver() && s.next(b) == nil {
					return
				}
			}
		}
	}
}

// endNow ends the stream with the end of a block that has been taken out of the
// backlog, and that is not delivered any more.
func (s *Stream[T]) endNow(b *block[T]) {
	end := &b.items[b.n-1]
	s.discardBlock(b)
	s.closeNow(end.v, end.has, true)
}

// next takes the next block out of the backlog and gives an emptied one back.
// It returns nil, and the feeder ends, when there is none or when Finish said
// so.
func (s *Stream[T]) next(empty *block[T]) *block[T] {
	s.mu.Lock()
	b, ungate := s.nextLocked(empty)
	s.mu.Unlock()
	if ungate {
		s.eng.Ungate()
	}
	return b
}

func (s *Stream[T]) nextLocked(empty *block[T]) (b *block[T], ungate bool) {
	if s.abrupt {
		s.discardBlock(empty)
		s.closeNow(s.lastV, s.hasLast, true)
		return nil, s.ungated()
	}
	if empty != nil {
		s.recycle(empty)
	}
	if s.items == 0 {
		s.feeding = false
		return nil, s.ungated()
	}
	b = s.first
	s.unlinkFirst()
	if it := &b.items[b.head]; s.gap > 0 && s.Mark != nil && !it.end {
		it.v, s.gap, s.holes[1] = s.Mark(it.v, s.gap, s.holes[1]), 0, false
	}
	s.items -= b.n - b.head
	s.size -= b.size
	s.eng.Hold(-b.size)
	if s.gated && s.size <= s.Bytes/2 && (s.Count == 0 || s.items <= s.Count/2) {
		return b, s.ungated()
	}
	return b, false
}

// ctxOver handles the end of the operation's context: if the end of the stream
// is in the backlog it comes now; if not, the actor decides when. It reports
// whether next has something new to say.
func (s *Stream[T]) ctxOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abrupt {
		return true
	}
	if b := s.last; b != nil && b.items[b.n-1].end {
		end := b.items[b.n-1]
		s.cutBacklog(end.v, end.has)
		return true
	}
	return false
}

// hurried ends the stream because Close is out of time: what was not read, of
// the feeder's block and of the backlog, is dropped and counted.
func (s *Stream[T]) hurried(b *block[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := b.n - b.head + s.items
	if s.Policy == Block {
		n += int(s.missed) // since Close did not wait for it any more
	}
	end := b.items[b.n-1]
	if s.last != nil {
		end = s.last.items[s.last.n-1]
	}
	if end.end && (!end.has || n == 1 && offer(s.ch, end.v)) {
		n--
	}
	if n > 0 {
		oust(s.ch, func(out int) (T, bool) { return s.Cut(s, n+out) }) // what makes room is lost too
	}
	s.over = true
	s.emptied()
	close(s.ch)
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
