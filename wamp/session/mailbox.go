package session

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// This file holds the hand-over lock of operations: what other goroutines
// give to the actor. It is never held across a call.

// op is something the actor does for another goroutine.
type op interface {
	// apply runs on the actor.
	apply(c *core)
	// refuse runs on the actor, or on the caller's goroutine, when the session
	// is over and apply will never run.
	refuse(err error)
}

// doorbell wakes the actor. It costs nothing while the actor is awake.
type doorbell struct {
	asleep atomic.Bool
	bell   chan struct{} // capacity 1
}

func (d *doorbell) ring() {
	if d.asleep.Load() && d.asleep.CompareAndSwap(true, false) {
		select {
		case d.bell <- struct{}{}:
		default:
		}
	}
}

// mailbox takes the operations of users. Data operations are bounded: their
// bytes count until they have been written to the link. Control operations
// (cancel, close, what a link says) are never held back.
type mailbox struct {
	door  *doorbell
	limit int

	mu       sync.Mutex
	data     post
	ctl      []op
	used     int          // bytes of data operations not yet written
	line     list[waiter] // those who wait for room, oldest first
	offline  bool         // there is no link: data operations wait, or fail at once
	cause    error        // why there is none
	failFast bool
	closed   error // set once; nothing is taken after it
	waited   uint64
	admitted int                 // of data: have waited
	tallies  map[*Tally]struct{} // of those who run users' code
}

// post is data operations in their order. A publish of which nobody waits for anything,
// and an answer to an invocation, are only their bytes.
type post struct {
	entries []posting
	bytes   []byte
}

// posting is one of them.
type posting struct {
	o        op          // nil: bytes
	topic    string      // of a publish
	inv      *Invocation // that is answered, nil for a publish
	progress bool        // the answer is not its last
	end      int         // of its bytes, which begin where those of the one before end
}

func (p *post) add(o op) { p.entries = append(p.entries, posting{o: o}) }

func (p *post) addBytes(e posting, data []byte) {
	p.bytes = append(p.bytes, data...)
	e.end = len(p.bytes)
	p.entries = append(p.entries, e)
}

// keepPostings is how many entries an empty post keeps room for.
const keepPostings = 16 << 10

// empty makes a post that has been gone through ready for others.
func (p *post) empty() {
	clear(p.entries)
	p.entries, p.bytes = p.entries[:0], p.bytes[:0]
	if cap(p.bytes) > keepBatch {
		p.bytes = nil
	}
	if cap(p.entries) > keepPostings {
		p.entries = nil
	}
}

// waiter is a data operation that waits for room.
type waiter struct {
	o    op
	size int
	at   time.Time
	done chan error // capacity 1; nil for a Close, whose op knows by itself
}

// put hands a data operation of size bytes over. While there is no room it
// waits under ctx, behind those who wait already.
func (m *mailbox) put(ctx context.Context, o op, size int) error {
	m.mu.Lock()
	switch room, err := m.admits(o, size); {
	case err != nil:
		m.mu.Unlock()
		return err
	case !room:
		return m.wait(ctx, o, size)
	}
	m.used += size
	m.data.add(o)
	m.mu.Unlock()
	m.door.ring()
	return nil
}

// admits reports whether there is room for an operation, nil for one that is bytes. An
// error means that it never will be taken. The caller has the lock.
func (m *mailbox) admits(o op, size int) (bool, error) {
	switch {
	case m.closed != nil:
		return false, m.closed
	case m.offline && m.failFast && !patient(o):
		return false, notConnected(m.cause)
	}
	return m.line.len() == 0 && m.room(size), nil
}

// post hands over a publish of which nobody waits for anything, if there is room.
func (m *mailbox) post(topic string, rest []byte) (done bool, err error) {
	return m.copyIn(posting{topic: topic}, rest, restCost(rest), false)
}

// answer hands an answer to an invocation over, if there is room, or past the bound if
// it is the last: an invocation's end is never held back.
func (m *mailbox) answer(a Answer) (done bool, err error) {
	return m.copyIn(posting{inv: a.Inv, progress: a.Progress}, a.Message, a.cost(), !a.Progress)
}

// copyIn takes an operation that is bytes if there is room, or by force.
func (m *mailbox) copyIn(e posting, data []byte, size int, force bool) (done bool, err error) {
	m.mu.Lock()
	if force {
		done, err = m.closed == nil, m.closed
	} else {
		done, err = m.admits(nil, size)
	}
	if done {
		m.used += size
		m.data.addBytes(e, data)
	}
	m.mu.Unlock()
	if done {
		m.door.ring()
	}
	return done, err
}

// room reports whether size bytes may be taken. The caller has the lock.
func (m *mailbox) room(size int) bool { return !m.offline && (m.used == 0 || m.used+size <= m.limit) }

// patient reports whether an operation waits for a link in any case.
func patient(o op) bool {
	call, is := o.(*Call)
	return is && call.Patient
}

// limited is an operation with a time limit of its own beside its context.
type limited interface {
	// due is when the limit has passed, zero if there is none.
	due() time.Time
	// late is the error of the limit.
	late(offline error) error
}

var _ limited = (*Call)(nil)

// wait is put where there was no room. It is called with the lock and gives it
// back.
func (m *mailbox) wait(ctx context.Context, o op, size int) error {
	w := waiter{o: o, size: size, at: time.Now(), done: make(chan error, 1)}
	at := m.line.push(w)
	m.waited++
	var end time.Time
	limit, _ := o.(limited)
	if limit != nil {
		end = limit.due() // once it is taken over it may be over, and its struct somebody else's
	}
	m.mu.Unlock()
	var due <-chan time.Time
	if !end.IsZero() {
		t := time.NewTimer(time.Until(end))
		defer t.Stop()
		due = t.C
	}
	late := false
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		learn(ctx)
	case <-due:
		late = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !at.listed() { // it was taken over meanwhile
		return <-w.done
	}
	m.line.remove(at)
	m.door.ring() // for a drain, which waits for those who wait
	var offline error
	if m.offline {
		offline = m.cause
	}
	if late {
		return limit.late(offline)
	}
	return canceledOffline(ctx, offline)
}

// admit takes over those who wait, in their order, while there is room. The
// caller has the lock.
func (m *mailbox) admit() {
	for at := m.line.first(); at != nil && m.room(at.value.size); at = m.line.first() {
		w := at.value
		m.line.remove(at)
		m.used += w.size
		m.data.add(w.o)
		m.admitted++
		if w.done != nil {
			w.done <- nil
		}
	}
}

// force hands a data operation over without waiting, past the bound: an
// invocation's end is never held back.
func (m *mailbox) force(o op, size int) error {
	m.mu.Lock()
	if m.closed != nil {
		err := m.closed
		m.mu.Unlock()
		return err
	}
	m.used += size
	m.data.add(o)
	m.mu.Unlock()
	m.door.ring()
	return nil
}

// forced is force for an operation of no size. It reports false when the session
// is over.
func (m *mailbox) forced(o op) bool { return m.force(o, 0) == nil }

// behind hands an operation over behind all that was begun before, those who
// wait for room included. Without a link it does not wait for them. It reports
// false when the session is over.
func (m *mailbox) behind(o op) bool {
	m.mu.Lock()
	switch {
	case m.closed != nil:
		m.mu.Unlock()
		return false
	case m.offline || m.line.len() == 0:
		m.data.add(o)
	default:
		m.line.push(waiter{o: o})
	}
	m.mu.Unlock()
	m.door.ring()
	return true
}

// control hands a control operation over. It reports false when the session
// is over.
func (m *mailbox) control(o op) bool {
	m.mu.Lock()
	if m.closed != nil {
		m.mu.Unlock()
		return false
	}
	m.ctl = append(m.ctl, o)
	m.mu.Unlock()
	m.door.ring()
	return true
}

// spawn starts f in a goroutine of a crew. The crew is waited for only when the
// mailbox has been closed, and after that nothing is started: it reports false
// then.
func (m *mailbox) spawn(c *crew, f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed != nil {
		return false
	}
	c.start(f)
	return true
}

// enlist notes a tally, or forgets it.
func (m *mailbox) enlist(t *Tally, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !on {
		delete(m.tallies, t)
		return
	}
	if m.tallies == nil {
		m.tallies = map[*Tally]struct{}{}
	}
	m.tallies[t] = struct{}{}
}

// running says which users' code runs.
func (m *mailbox) running() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for t := range m.tallies {
		if n := t.n.Load(); n > 0 {
			out = append(out, count(int(n), t.one, t.many))
		}
	}
	slices.Sort(out)
	return out
}

// take swaps the queues for the given ones, which are empty. Actor only.
func (m *mailbox) take(data post, ctl []op) (d post, c []op) {
	m.mu.Lock()
	d, m.data = m.data, data
	c, m.ctl = m.ctl, ctl[:0]
	m.admitted = 0
	m.mu.Unlock()
	return d, c
}

// empty reports whether nothing waits for the actor.
func (m *mailbox) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.data.entries) == 0 && len(m.ctl) == 0
}

// queued is how many data operations wait for the actor.
func (m *mailbox) queued() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.data.entries)
}

// crowded is how many wait for room, or have waited and are not taken yet.
func (m *mailbox) crowded() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.line.len() + m.admitted
}

// waitingSince is when the first of those began who wait for room, zero if nobody
// does.
func (m *mailbox) waitingSince() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at := m.line.first(); at != nil; at = at.next {
		if at.value.done != nil {
			return at.value.at
		}
	}
	return time.Time{}
}

// release gives bytes back that have been written or dropped.
func (m *mailbox) release(size int) {
	if size == 0 {
		return
	}
	m.mu.Lock()
	m.used -= size
	m.admit()
	m.mu.Unlock()
}

// setOnline says that there is a link.
func (m *mailbox) setOnline() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offline, m.cause = false, nil
	m.admit()
}

// setOffline says that there is no link, and why. A Close that waits behind
// others does not wait for the next one.
func (m *mailbox) setOffline(cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offline, m.cause = true, cause
	for at := m.line.first(); at != nil; {
		next := at.next
		if at.value.done == nil {
			m.line.remove(at)
			m.data.add(at.value.o)
		}
		at = next
	}
}

// close refuses everything from now on with err and returns what was waiting.
func (m *mailbox) close(err error) (data, ctl []op) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed == nil {
		m.closed = err
	}
	for at := m.line.first(); at != nil; at = m.line.first() {
		m.line.remove(at)
		if at.value.done != nil {
			at.value.done <- err
		} else {
			m.ctl = append(m.ctl, at.value.o)
		}
	}
	for _, e := range m.data.entries {
		if e.o != nil { // nobody is to be told of the others
			data = append(data, e.o)
		}
	}
	ctl = m.ctl
	m.data, m.ctl = post{}, nil
	return data, ctl
}

func (m *mailbox) stats(st *Stats) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st.QueuedBytes, st.Waited, st.Mailbox = m.used, m.waited, len(m.data.entries)+m.line.len()
}
