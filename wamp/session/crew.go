package session

import "sync/atomic"

// crew counts goroutines of one kind, so that they can be waited for with a
// bound: a WaitGroup would need a goroutine more for that, which stays as long
// as the last of them.
type crew struct {
	n    atomic.Int64
	bell atomic.Pointer[chan struct{}] // closed when one leaves; nil while nobody waits
}

// start runs f in a goroutine of the crew. Who may start one, and when it is
// too late, is the mailbox's business (spawn).
func (c *crew) start(f func()) {
	c.n.Add(1)
	go func() { // ends with f
		defer c.leave()
		f()
	}()
}

func (c *crew) leave() {
	c.n.Add(-1)
	c.ring()
}

// ring wakes who waits: there may be few enough.
func (c *crew) ring() {
	if c.bell.Load() == nil {
		return
	}
	if bell := c.bell.Swap(nil); bell != nil {
		close(*bell)
	}
}

// nobody is left.
var nobody = new(atomic.Int64)

// wait waits until no more than rest are left, or until stop is closed. It
// reports whether that many are left.
func (c *crew) wait(rest *atomic.Int64, stop <-chan struct{}) bool {
	for {
		bell := c.bell.Load()
		if bell == nil {
			fresh := make(chan struct{})
			if bell = &fresh; !c.bell.CompareAndSwap(nil, bell) {
				continue
			}
		}
		if c.n.Load() <= rest.Load() { // asked behind the bell: who leaves now rings it
			return true
		}
		select {
		case <-*bell:
		case <-stop:
			return c.n.Load() <= rest.Load()
		}
	}
}

// Tally counts the goroutines that run users' code of one kind, so that a Close
// can say which it has left behind.
type Tally struct {
	s         *Session
	one, many string
	n         atomic.Int64
	closed    atomic.Bool
}

// NewTally returns a tally of goroutines of which one is called so, and many
// are. Close it when no more are started.
func (s *Session) NewTally(one, many string) *Tally {
	t := &Tally{s: s, one: one, many: many}
	s.box.enlist(t, true)
	return t
}

// Go runs a user's code in a goroutine that Close waits for, though not beyond
// its bounds. Only what Session.Go runs may call it.
func (t *Tally) Go(f func()) {
	t.n.Add(1)
	t.s.handlers.n.Add(1)
	go t.run(f) // ends with f
}

func (t *Tally) run(f func()) {
	defer t.s.handlers.leave()
	defer t.left()
	f()
}

// Outside runs a user's code on a goroutine of Session.Go or GoFeeder. Meanwhile Close
// waits for that as for one of Tally.Go.
func (t *Tally) Outside(f func()) {
	t.n.Add(1)
	t.s.handlers.n.Add(1)
	t.s.feeders.leave()
	defer func() { // also behind a panic or runtime.Goexit
		t.s.feeders.n.Add(1)
		t.s.handlers.leave()
		t.left()
	}()
	f()
}

// Enter counts a user's code that will run on a goroutine of nobody's, until Leave.
func (t *Tally) Enter() {
	t.n.Add(1)
	t.s.handlers.n.Add(1)
}

// Leave undoes an Enter.
func (t *Tally) Leave() {
	t.s.handlers.leave()
	t.left()
}

func (t *Tally) left() {
	if t.n.Add(-1) == 0 && t.closed.Load() {
		t.s.box.enlist(t, false)
	}
}

// Close says that no more are started.
func (t *Tally) Close() {
	t.closed.Store(true)
	if t.n.Load() == 0 {
		t.s.box.enlist(t, false)
	}
}
