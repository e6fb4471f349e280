package flow

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
			if !it.end && offer(s.ch, it.v) { // a select of four costs several times as much
				*it = item[T]{}
				b.head++
				continue
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
	s.tellGap(&b.items[b.head])
	s.items -= b.n - b.head
	s.size -= b.size
	s.eng.Hold(-b.size)
	if s.gated && s.bound() <= s.Bytes/2 && (s.Count == 0 || s.items-s.roomAhead() <= s.Count/2) {
		return b, s.ungated()
	}
	return b, false
}

// tellGap notes on the first value of the backlog that others were dropped before it.
func (s *Stream[T]) tellGap(it *item[T]) {
	if s.gap > 0 && s.Mark != nil && !it.end {
		it.v, s.gap, s.holes[1] = s.Mark(it.v, s.gap, s.holes[1]), 0, false
	}
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
