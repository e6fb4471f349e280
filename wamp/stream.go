package wamp

import (
	"context"
	"sync"

	"github.com/connectanum/connectanum-go/wamp/session"
)

// Policy says what happens when a stream's bound is reached because its
// consumer is slow.
type Policy uint8

// The overflow policies.
const (
	// Fail ends the stream with ErrSlowConsumer after what it holds; a call
	// is cancelled. The default of calls.
	Fail Policy = iota + 1
	// DropOldest drops the oldest undelivered event and counts it. The
	// default of subscriptions.
	DropOldest
	// DropNewest drops the event that found no room and counts it.
	DropNewest
	// Block stops reading from the connection until the stream has drained
	// below half its bound: every other stream of the session waits too, and
	// the router, which feels the back-pressure, may answer it with loss. A
	// consumer that calls inside its own loop can wait for itself; only the
	// deadline of its call ends that.
	Block
)

// stream carries values from the actor to a user's channel, in order. There is
// one sender at a time: the actor, or while a backlog exists the feeder. All
// that they share is under mu, the one hand-over lock of a stream, which is
// never held across a call that can wait.
//
// This is the only file that sends to or closes a user's channel.
type stream[T any] struct {
	ch     chan T
	eng    *session.Session
	ctx    context.Context // of the operation: its end lets a feeder go
	policy Policy
	octets int // bound of the backlog
	count  int // bound of the backlog in values, 0: none
	// mark notes on a value that n values before it were dropped.
	mark func(v T, n uint64) T
	// cut is the last value when Close drops n values; false: none.
	cut func(n int) (T, bool)

	mu      sync.Mutex
	queue   []item[T]
	head    int // queue[:head] has been taken
	size    int // octets in the backlog
	feeding bool
	gated   bool
	over    bool // finish was called
	abrupt  bool // the feeder shall end now
	lastV   T    // what the feeder sends last when abrupt
	hasLast bool
	poke    chan struct{} // wakes a feeder; capacity 1, made with it
	dropped uint64        // values lost to the policy
	missed  uint64        // dropped since the last value that was taken
}

// item is a value of the backlog; the end is one too.
type item[T any] struct {
	v    T
	size int
	end  bool // close the channel after it
	has  bool // with end: v is to be sent before
}

// put offers a value. Actor only.
func (s *stream[T]) put(v T, size int) session.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return session.Taken
	}
	if s.missed > 0 && s.mark != nil {
		v = s.mark(v, s.missed)
	}
	if !s.feeding {
		select {
		case s.ch <- v:
			s.missed = 0
			return session.Taken
		default:
		}
	}
	full := s.size+size > s.octets && s.size > 0 || s.count > 0 && s.backlog() >= s.count
	verdict := session.Taken
	if full {
		switch s.policy {
		case Fail:
			return session.Overflow
		case DropNewest:
			s.dropped++
			s.missed++
			return session.Taken
		case DropOldest:
			v = s.dropOldest(size, v)
		case Block:
			if !s.gated {
				s.gated = true
				verdict = session.Gate
			}
		}
	}
	s.missed = 0
	s.push(item[T]{v: v, size: size})
	return verdict
}

func (s *stream[T]) backlog() int { return len(s.queue) - s.head }

// dropOldest makes room for a value of size octets; what is next in line,
// perhaps v itself, learns how many were lost before it.
func (s *stream[T]) dropOldest(size int, v T) T {
	var lost uint64
	for s.backlog() > 0 && (s.size+size > s.octets || s.count > 0 && s.backlog() >= s.count) {
		s.size -= s.queue[s.head].size
		s.queue[s.head] = item[T]{}
		s.head++
		lost++
	}
	s.dropped += lost
	if s.mark == nil || lost == 0 {
		return v
	}
	if s.backlog() > 0 {
		next := &s.queue[s.head]
		next.v = s.mark(next.v, lost)
		return v
	}
	return s.mark(v, lost)
}

// push appends to the backlog and sees to it that somebody feeds it.
func (s *stream[T]) push(it item[T]) {
	if s.head > 0 && len(s.queue) == cap(s.queue) && s.head*2 >= len(s.queue) {
		n := copy(s.queue, s.queue[s.head:])
		clear(s.queue[n:])
		s.queue, s.head = s.queue[:n], 0
	}
	s.queue = append(s.queue, it)
	s.size += it.size
	if !s.feeding {
		s.feeding = true
		if s.poke == nil {
			s.poke = make(chan struct{}, 1)
		}
		s.eng.Feed(s.feed)
	}
}

// finish ends the stream: last, if has, is its last value. With now set it
// does not wait behind the backlog, which is dropped. Actor only; only the
// first call counts.
func (s *stream[T]) finish(last T, has, now bool) {
	s.mu.Lock()
	ungate := s.finishLocked(last, has, now)
	s.mu.Unlock()
	if ungate {
		s.eng.Ungate()
	}
}

func (s *stream[T]) finishLocked(last T, has, now bool) (ungate bool) {
	if s.over {
		return false
	}
	s.over = true
	if !s.feeding {
		if !now && has && !s.send(last) {
			s.push(item[T]{v: last, end: true, has: true})
			return false
		}
		if now && has {
			s.force(last)
		}
		close(s.ch)
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

// cutBacklog tells the feeder to end now.
func (s *stream[T]) cutBacklog(last T, has bool) {
	s.abrupt, s.lastV, s.hasLast = true, last, has
	s.queue, s.head, s.size = nil, 0, 0
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

func (s *stream[T]) ungated() bool {
	g := s.gated
	s.gated = false
	return g
}

// send offers a value to the channel without waiting.
func (s *stream[T]) send(v T) bool {
	select {
	case s.ch <- v:
		return true
	default:
		return false
	}
}

// force sends the last value even if the channel is full: it takes one out. As
// the only sender it ends after a try or two.
func (s *stream[T]) force(v T) {
	for !s.send(v) {
		select {
		case <-s.ch:
		default:
		}
	}
}

// A feeder takes the backlog in runs, so that it meets the actor at the lock
// less often. A run that has been taken is no longer subject to the bound.
const (
	runItems  = 16
	runOctets = 64 << 10
)

// feed is the feeder: it sends the backlog and ends when that is empty. It
// waits for the consumer, for the operation's context, for a poke from finish,
// and for a Close that is out of time.
func (s *stream[T]) feed(hurry <-chan struct{}) {
	ended := s.ctx.Done()
	var run [runItems]item[T]
	for {
		n, ok, ungate := s.next(&run)
		if ungate {
			s.eng.Ungate()
		}
		if !ok {
			return
		}
		for i := 0; i < n; i++ {
			it := &run[i]
			if it.end && !it.has {
				close(s.ch)
				return
			}
			sent := false
			for !sent {
				select {
				case s.ch <- it.v:
					sent = true
				case <-s.poke: // next sees what finish wants
					n, sent = 0, true
				case <-hurry:
					s.hurried(run[i:n])
					return
				case <-ended:
					ended = nil
					if last := &run[n-1]; last.end {
						s.endNow(last)
						return
					}
					if s.ctxOver() {
						n, sent = 0, true
					}
				}
			}
			if it.end && n > 0 {
				close(s.ch)
				return
			}
		}
		clear(run[:])
	}
}

// endNow ends the stream with an end that has been taken out of the backlog.
func (s *stream[T]) endNow(end *item[T]) {
	if end.has {
		s.force(end.v)
	}
	close(s.ch)
}

// next takes the next run out of the backlog. It ends the feeder when there is
// none, or when finish said so.
func (s *stream[T]) next(run *[runItems]item[T]) (n int, ok, ungate bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abrupt {
		if s.hasLast {
			s.force(s.lastV)
		}
		close(s.ch)
		return 0, false, s.ungated()
	}
	if s.backlog() == 0 {
		s.feeding, s.head = false, 0
		if s.queue = s.queue[:0]; cap(s.queue) > keepItems {
			s.queue = nil
		}
		return 0, false, s.ungated()
	}
	for size := 0; n < runItems && size < runOctets && s.backlog() > 0; n++ {
		run[n] = s.queue[s.head]
		s.queue[s.head] = item[T]{}
		s.head++
		size += run[n].size
		s.size -= run[n].size
	}
	if s.gated && s.size <= s.octets/2 && (s.count == 0 || s.backlog() <= s.count/2) {
		return n, true, s.ungated()
	}
	return n, true, false
}

// keepItems is how large an empty backlog may stay.
const keepItems = 256

// ctxOver handles the end of the operation's context: if the end of the stream
// is in the backlog it comes now; if not, the actor decides when. It reports
// whether next has something new to say.
func (s *stream[T]) ctxOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abrupt {
		return true
	}
	if n := len(s.queue); s.backlog() > 0 && s.queue[n-1].end {
		end := s.queue[n-1]
		s.cutBacklog(end.v, end.has)
		return true
	}
	return false
}

// hurried ends the stream because Close is out of time: what was not read, of
// the feeder's run and of the backlog, is dropped and counted.
func (s *stream[T]) hurried(run []item[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := append(append([]item[T](nil), run...), s.queue[s.head:]...)
	n := len(rest)
	end := rest[n-1]
	if end.end && (!end.has || n == 1) {
		n--
	}
	last, has := end.v, end.end && end.has
	if n > 0 {
		last, has = s.cut(n)
	}
	if has {
		s.force(last)
	}
	s.over, s.queue, s.head, s.size = true, nil, 0, 0
	close(s.ch)
}

// lost is how many values the policy has dropped.
func (s *stream[T]) lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}
