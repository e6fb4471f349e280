package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
)

// Separators of batched JSON: the one of the specification, and the one that
// Crossbar uses in its place. Neither can be inside of JSON text.
const (
	separator  = 0x1e
	separators = "\x1e\x18"
)

// batchOctets is how large a batched message gets at most, unless a single
// message in it is larger: the peer's limit is not known.
const batchOctets = 256 << 10

func (c *webSocket[T, S]) Write(b *Batch) error {
	err := c.frames(b)
	if err != nil || c.sock == nil {
		return err
	}
	return c.sock.link.flush()
}

// TryWrite writes without blocking where the socket is ours and there is no
// TLS.
func (c *webSocket[T, S]) TryWrite(b *Batch) (done bool, err error) {
	if c.sock == nil || !c.sock.link.raw.ok() || len(b.Buf) > flushAfter {
		return false, nil
	}
	if err := c.frames(b); err != nil {
		return false, err
	}
	return c.sock.link.tryFlush()
}

// frames gives what is left of b to the library. Where the socket is ours, the
// last part, or all, is in the queue afterwards.
func (c *webSocket[T, S]) frames(b *Batch) error {
	for i := b.next; i < b.Len(); i++ {
		if n := len(b.Message(i)); n > c.maxSend {
			return &SizeError{Size: n, Limit: c.maxSend}
		}
	}
	if c.sock != nil {
		c.sock.link.cork()
		defer c.sock.link.uncork()
	}
	size := 0
	for b.next < b.Len() {
		m, n := b.Message(b.next), 1
		if c.proto.Batched {
			m, n = c.join(b)
		}
		if err := c.ws.Write(c.ctx, c.typ, m); err != nil {
			return c.writeError(err)
		}
		b.next += n
		if size += len(m); size >= flushAfter && c.sock != nil && b.next < b.Len() {
			size = 0
			if err := c.sock.link.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *webSocket[T, S]) writeError(err error) error {
	if c.isClosed() || errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	if c.sock != nil {
		if lost := c.sock.lost(); lost != nil {
			return lost
		}
	}
	return err
}

// join makes one batched message of the next n messages of b.
func (c *webSocket[T, S]) join(b *Batch) (m []byte, n int) {
	start := 0
	if b.next > 0 {
		start = b.ends[b.next-1]
	}
	c.scratch = c.scratch[:0]
	if cap(c.scratch) > keepQueue {
		c.scratch = nil
	}
	i := b.next
	for ; i < b.Len() && (i == b.next || b.ends[i]-start <= batchOctets); i++ {
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
