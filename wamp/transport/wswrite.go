package transport

import (
	"bytes"
	"encoding/binary"
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

// join makes one batched message of the next n messages of b.
func (c *wsConn) join(b *Batch) (m []byte, n int) {
	start := 0
	if b.next > 0 {
		start = b.ends[b.next-1]
	}
	c.scratch = c.scratch[:0]
	if cap(c.scratch) > keepQueue {
		c.scratch = nil
	}
	i := b.next
	for ; i < b.Len() && (i == b.next || b.ends[i]-start <= batchBytes); i++ {
		one := b.Message(i)
		if c.proto.Text {
			c.scratch = append(append(c.scratch, one...), c.separator)
		} else {
			binary.BigEndian.PutUint32(b.Buf[b.ends[i]-len(one)-Headroom:], uint32(len(one)))
		}
	}
	if c.proto.Text {
		return c.scratch, i - b.next
	}
	return b.Buf[start:b.ends[i-1]], i - b.next
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
