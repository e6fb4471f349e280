package transport

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
)

// Separators of batched JSON: the one of the specification, and the one that
// Crossbar uses in its place. Neither can be inside of JSON text.
const (
	separator  = 0x1e
	separators = "\x1e\x18"
)

// batchBytes is how large a batched message gets at most, unless a single
// message in it is larger: the peer's limit is not known.
const batchBytes = 256 << 10

// fits looks for a message that the peer does not accept.
func (c *wsConn) fits(b *Batch) error {
	for i := b.next; i < b.Len(); i++ {
		if n := len(b.Message(i)); n > c.maxSend {
			return &SizeError{Size: n, Limit: c.maxSend}
		}
	}
	return nil
}

// join makes one batched message of the next n messages of b. One that was adopted is
// alone in it.
func (c *wsConn) join(b *Batch) (m []byte, n int) {
	c.scratch = c.scratch[:0]
	if cap(c.scratch) > keepQueue {
		c.scratch = nil
	}
	i, size := b.next, 0
	for ; i < b.Len() && (i == b.next || size+len(b.framed(i)) <= batchBytes && !b.alone(i) && !b.alone(i-1)); i++ {
		f := b.framed(i)
		size += len(f)
		if c.proto.Text {
			c.scratch = append(append(c.scratch, f[Headroom:]...), c.separator)
		} else {
			binary.BigEndian.PutUint32(f, uint32(len(f)-Headroom))
		}
	}
	switch n = i - b.next; {
	case c.proto.Text:
		return c.scratch, n
	case n == 1:
		return b.framed(b.next), 1
	}
	end := b.ends[i-1]
	return b.Buf[end-size : end], n
}

// split takes the first message off a batched one.
func split(p []byte, text bool) (m, rest []byte, err *FrameError) {
	if text {
		i := bytes.IndexAny(p, separators)
		if i < 0 {
			return nil, nil, &FrameError{Err: ErrBadLength}
		}
		return p[:i:i], p[i+1:], nil
	}
	if len(p) < Headroom {
		return nil, nil, &FrameError{Err: ErrBadLength}
	}
	n := uint64(binary.BigEndian.Uint32(p))
	if n > uint64(len(p)-Headroom) {
		return nil, nil, &FrameError{Err: ErrBadLength}
	}
	end := Headroom + int(n)
	return p[Headroom:end:end], p[end:], nil
}

// wsWriter makes frames of a batch, a piece of about flushAfter bytes at a time:
// each message is copied once, which masks it. Where nothing is to be written it has no
// memory.
type wsWriter struct {
	first  byte // of the header
	masks  bool // a client does
	room   *wsRoom
	out    []byte // in room
	off    int    // out[off:] is to be written
	rest   []byte // of the message under way, in whose frame out ends
	key    uint32 // for it
	inside bool   // what is written may end inside a frame
}

// wsRoom is what a writer needs while it has something to write.
type wsRoom struct {
	buf  []byte
	keys *rand.ChaCha8
}

// wsRooms go round between the connections: most have nothing to write most of the time.
var wsRooms = sync.Pool{New: func() any { return &wsRoom{keys: newKeys()} }}

// pieceSize is the size of out: a message of flushAfter bytes is in one piece.
const pieceSize = flushAfter + wsMaxHead

// begin starts the frame of a message.
func (w *wsWriter) begin(m []byte) {
	if w.room == nil {
		w.room = wsRooms.Get().(*wsRoom)
		w.out = w.room.buf[:0]
	}
	if w.masks {
		w.key = uint32(w.room.keys.Uint64())
	}
	w.out = appendHead(w.out, w.first, len(m), w.masks, w.key)
	w.rest = m
	w.more()
}

// fits reports whether the frame of a message of n bytes is written with what is
// in out. One that is larger than all of out is written in parts anyway.
func (w *wsWriter) fits(n int) bool {
	return len(w.out) == 0 || n > flushAfter || len(w.out)+wsMaxHead+n <= pieceSize
}

// more takes a part of the message under way.
func (w *wsWriter) more() {
	n := min(len(w.rest), max(pieceSize-len(w.out), 0))
	part := w.rest[:n]
	w.rest = w.rest[n:]
	if !w.masks {
		w.out = append(w.out, part...)
		return
	}
	at := len(w.out)
	w.out = slices.Grow(w.out, n)[:at+n]
	w.key = mask(w.out[at:], part, w.key)
}

// wrote notes that n bytes are written.
func (w *wsWriter) wrote(n int) {
	if n == 0 {
		return
	}
	if w.off += n; w.off == len(w.out) {
		w.out, w.off = w.out[:0], 0
	}
	if w.inside = w.off > 0 || len(w.rest) > 0; !w.inside {
		w.room.buf = w.out
		wsRooms.Put(w.room)
		w.room, w.out = nil, nil
	}
}
