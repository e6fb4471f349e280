package session

import (
	"sync"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// inbox takes the messages of a link's reader. It is bounded: a reader that is
// far ahead of the actor waits, and TCP holds the router back.
type inbox struct {
	door *doorbell

	mu    sync.Mutex
	msgs  []proto.Message
	size  int
	total uint64 // bytes of all that has come
	err   error  // how the link ended, after msgs
	ended bool
	room  chan struct{} // closed when there is room; nil if the reader does not wait
}

const (
	inboxMessages = 2048
	inboxBytes    = 4 << 20
)

// put hands over what the reader has, swapping in an empty slice for the next
// run; stop ends the wait for room.
func (b *inbox) put(msgs []proto.Message, size int, stop <-chan struct{}) (next []proto.Message, ok bool) {
	for {
		b.mu.Lock()
		if len(b.msgs) == 0 {
			b.msgs, msgs = msgs, b.msgs
			b.size = size
			b.total += uint64(size)
			b.mu.Unlock()
			b.door.ring()
			return msgs[:0], true
		}
		if len(b.msgs) < inboxMessages && b.size < inboxBytes {
			b.msgs = append(b.msgs, msgs...)
			b.size += size
			b.total += uint64(size)
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

// empty reports whether there is neither a message nor the end.
func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.msgs) == 0 && !b.ended
}

// over reports whether the link has ended, whatever is left of its messages.
func (b *inbox) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// full reports whether the reader waits for room.
func (b *inbox) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.room != nil
}

// stats adds what has come on this link, and what waits.
func (b *inbox) stats(st *Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st.BytesReceived += b.total
	st.Inbox += len(b.msgs)
}

// bytes is how much has come.
func (b *inbox) bytes() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}
