package transport

import "slices"

// Headroom is how many bytes a Batch keeps free before each message, for the
// frame header of a transport that has one of that size.
const Headroom = 4

// Batch is a run of messages on their way out: each is preceded by Headroom bytes
// that belong to the transport. They are in one buffer,
//
//	b.Begin()
//	b.Buf = append(b.Buf, message...)
//	b.End() // or b.Discard()
//
// but for those that have memory of their own, see Adopt.
type Batch struct {
	// Buf holds the messages with their headroom. Between Begin and End the
	// owner of the batch appends to it.
	Buf     []byte
	ends    []int     // where each message ends in Buf; one that was adopted has no bytes there
	start   int       // offset of the open message's headroom, -1 if none is open
	adopted []adopted // in their order
	more    int       // bytes of them
	// For the transport: the next message to send, or where bytes are sent as they
	// stand here, what has been sent of Buf, of how many that were adopted, and of
	// the one behind those.
	next, off, gone, part int
}

// adopted is a message that has memory of its own, with its headroom.
type adopted struct {
	i       int // its number
	buf     []byte
	written func()
}

// Begin opens a message.
func (b *Batch) Begin() {
	b.start = len(b.Buf)
	b.Buf = append(b.Buf, 0, 0, 0, 0)
}

// Size is the size of the message that is open.
func (b *Batch) Size() int { return len(b.Buf) - b.start - Headroom }

// End finishes the open message.
func (b *Batch) End() { b.ends = append(b.ends, len(b.Buf)) }

// Discard drops the open message.
func (b *Batch) Discard() { b.Buf = b.Buf[:b.start] }

// Adopt takes a whole message without a copy. It has Headroom bytes in front, into
// which the transport may write; the others it only reads. The batch does not use the
// memory for anything else. written, if it is not nil, is called by Written.
func (b *Batch) Adopt(message []byte, written func()) {
	b.adopted = append(b.adopted, adopted{len(b.ends), message, written})
	b.ends = append(b.ends, len(b.Buf))
	b.more += len(message)
}

// Bytes is how many bytes the messages have, with their headroom.
func (b *Batch) Bytes() int { return len(b.Buf) + b.more }

// Len is the number of finished messages.
func (b *Batch) Len() int { return len(b.ends) }

// Message returns message i without its headroom.
func (b *Batch) Message(i int) []byte { return b.framed(i)[Headroom:] }

// framed is message i with its headroom.
func (b *Batch) framed(i int) []byte {
	start, end := 0, b.ends[i]
	if i > 0 {
		start = b.ends[i-1]
	}
	if start < end {
		return b.Buf[start:end:end]
	}
	at, _ := slices.BinarySearchFunc(b.adopted, i, func(a adopted, i int) int { return a.i - i })
	return b.adopted[at].buf
}

// alone reports whether message i was adopted.
func (b *Batch) alone(i int) bool { return i > 0 && b.ends[i-1] == b.ends[i] || b.ends[i] == 0 }

// piece is what is sent next where all is sent as it stands here; nothing if all has
// been. It ends where a message does.
func (b *Batch) piece() []byte {
	if b.gone < len(b.adopted) {
		a := &b.adopted[b.gone]
		if end := b.ends[a.i]; b.off < end {
			return b.Buf[b.off:end]
		}
		return a.buf[b.part:]
	}
	if len(b.ends) == 0 {
		return nil
	}
	return b.Buf[b.off:b.ends[len(b.ends)-1]]
}

// sent notes that n bytes of the piece are sent.
func (b *Batch) sent(n int) {
	if b.gone == len(b.adopted) || b.off < b.ends[b.adopted[b.gone].i] {
		b.off += n
		return
	}
	if b.part += n; b.part == len(b.adopted[b.gone].buf) {
		b.gone, b.part = b.gone+1, 0
	}
}

// Next returns the next message that has not been sent and counts it as sent,
// for a Write outside of this package; ok is false when there is none left.
func (b *Batch) Next() (m []byte, ok bool) {
	if b.next == len(b.ends) {
		return nil, false
	}
	b.next++
	return b.Message(b.next - 1), true
}

// Written tells those whose messages were adopted that all has been written. The batch
// is of no use until Reset then, which by itself tells nobody.
func (b *Batch) Written() {
	for i := range b.adopted {
		if f := b.adopted[i].written; f != nil {
			f()
		}
	}
}

// Reset empties the batch and keeps its own memory, unless it has grown past keep
// bytes.
func (b *Batch) Reset(keep int) {
	if cap(b.Buf) > keep {
		b.Buf, b.ends = nil, nil
	}
	clear(b.adopted)
	b.Buf, b.ends, b.adopted, b.more = b.Buf[:0], b.ends[:0], b.adopted[:0], 0
	b.next, b.off, b.gone, b.part = 0, 0, 0, 0
}
