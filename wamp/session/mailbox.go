package session

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// This file holds the one hand-over lock of the engine: what other goroutines
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
// octets count until they have been written to the link. Control operations
// (cancel, unsubscribe, close, what a link says) are never held back.
type mailbox struct {
	door  *doorbell
	limit int

	mu       sync.Mutex
	data     []op
	ctl      []op
	used     int           // octets of data operations not yet written
	room     chan struct{} // closed when there is room again; nil if nobody waits
	offline  bool          // there is no link: data operations wait, or fail at once
	failFast bool
	closed   error // set once; nothing is taken after it
	// count of operations that had to wait for room, and of those that do
	waited  uint64
	waiting int
}

// put hands a data operation of size octets over. While there is no room it
// waits under ctx.
func (m *mailbox) put(ctx context.Context, o op, size int) error {
	m.mu.Lock()
	done, err := m.offer(o, size)
	m.mu.Unlock()
	switch {
	case err != nil:
		return err
	case done:
		m.door.ring()
		return nil
	}
	return m.wait(ctx, o, size)
}

// offer takes an operation if there is room, and fails if it never will be
// taken. The caller has the lock.
func (m *mailbox) offer(o op, size int) (done bool, err error) {
	switch {
	case m.closed != nil:
		return false, m.closed
	case m.offline && m.failFast && !patient(o):
		return false, ErrNotConnected
	case !m.offline && (m.used == 0 || m.used+size <= m.limit):
		m.used += size
		m.data = append(m.data, o)
		return true, nil
	}
	return false, nil
}

// patient reports whether an operation waits for a link in any case.
func patient(o op) bool {
	call, is := o.(*Call)
	return is && call.Patient
}

// wait is put where there was no room.
func (m *mailbox) wait(ctx context.Context, o op, size int) error {
	defer m.door.ring() // also for a drain, which waits for those who wait
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting++
	defer func() { m.waiting-- }()
	for {
		if done, err := m.offer(o, size); done || err != nil {
			return err
		}
		if m.room == nil {
			m.room = make(chan struct{})
		}
		room := m.room
		m.waited++
		m.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			m.mu.Lock()
			return newCanceled(ctx)
		}
		m.mu.Lock()
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
	m.data = append(m.data, o)
	m.mu.Unlock()
	m.door.ring()
	return nil
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

// spawn starts f in a goroutine of a group. The group is waited for only when
// the mailbox has been closed, and after that nothing is started: it reports
// false then.
func (m *mailbox) spawn(group *sync.WaitGroup, f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed != nil {
		return false
	}
	group.Go(f)
	return true
}

// take swaps the queues for the given empty ones. Actor only.
func (m *mailbox) take(data, ctl []op) (d, c []op) {
	m.mu.Lock()
	d, m.data = m.data, data[:0]
	c, m.ctl = m.ctl, ctl[:0]
	m.mu.Unlock()
	return d, c
}

// empty reports whether nothing waits.
func (m *mailbox) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.data) == 0 && len(m.ctl) == 0
}

// queued is how many data operations wait.
func (m *mailbox) queued() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.data)
}

// crowded reports whether somebody waits for room.
func (m *mailbox) crowded() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting > 0
}

// release gives octets back that have been written or dropped.
func (m *mailbox) release(size int) {
	if size == 0 {
		return
	}
	m.mu.Lock()
	m.used -= size
	if m.room != nil && m.used <= m.limit/2 && !m.offline {
		close(m.room)
		m.room = nil
	}
	m.mu.Unlock()
}

// setOffline says whether there is a link.
func (m *mailbox) setOffline(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offline = on
	if !on && m.room != nil {
		close(m.room)
		m.room = nil
	}
}

// close refuses everything from now on with err and returns what was waiting.
func (m *mailbox) close(err error) (data, ctl []op) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed == nil {
		m.closed = err
	}
	if m.room != nil {
		close(m.room)
		m.room = nil
	}
	data, ctl = m.data, m.ctl
	m.data, m.ctl = nil, nil
	return data, ctl
}

func (m *mailbox) stats() (used int, waited uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used, m.waited
}

// inbox takes the messages of a link's reader. It is bounded: a reader that is
// far ahead of the actor waits, and TCP holds the router back.
type inbox struct {
	door *doorbell

	mu    sync.Mutex
	msgs  []proto.Message
	size  int
	err   error // how the link ended, after msgs
	ended bool
	room  chan struct{} // closed when there is room; nil if the reader does not wait
}

const (
	inboxMessages = 2048
	inboxOctets   = 4 << 20
)

// put hands over what the reader has, swapping in an empty slice for the next
// run; stop ends the wait for room.
func (b *inbox) put(msgs []proto.Message, size int, stop <-chan struct{}) (next []proto.Message, ok bool) {
	for {
		b.mu.Lock()
		if len(b.msgs) == 0 {
			b.msgs, msgs = msgs, b.msgs
			b.size = size
			b.mu.Unlock()
			b.door.ring()
			return msgs[:0], true
		}
		if len(b.msgs) < inboxMessages && b.size < inboxOctets {
			b.msgs = append(b.msgs, msgs...)
			b.size += size
			b.mu.Unlock()
			b.door.ring()
			clear(msgs)
			return msgs[:0], true
		}
		if b.room == nil {
			b.room = make(chan struct{})
		}
		room := b.room
		b.mu.Unlock()
		select {
		case <-room:
		case <-stop:
			return msgs, false
		}
	}
}

// end says that the link is over; the actor sees it after the messages.
func (b *inbox) end(err error) {
	b.mu.Lock()
	if !b.ended {
		b.ended, b.err = true, err
	}
	b.mu.Unlock()
	b.door.ring()
}

// take swaps the messages for an empty slice. ended is reported only when no
// message is left. Actor only.
func (b *inbox) take(empty []proto.Message) (msgs []proto.Message, ended bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	msgs, b.msgs, b.size = b.msgs, empty[:0], 0
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
	if len(msgs) == 0 && b.ended {
		return msgs, true, b.err
	}
	return msgs, false, nil
}

func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.msgs) == 0 && !b.ended
}
