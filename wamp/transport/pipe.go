package transport

import (
	"context"
	"crypto/tls"
	"io"
	"math"
	"net"
	"sync/atomic"
)

// A pipe holds at most pipeChunks chunks in each direction. A chunk takes
// messages of one Write until it has chunkBytes, so a single message may be
// larger.
const (
	pipeChunks = 64
	chunkBytes = 16 << 10
)

// Pipe returns the two ends of a connection in memory. It blocks on channels
// only, so it works in a bubble of testing/synctest. A writer waits when the
// other end does not read; messages are copied. A ping is answered by the
// other end while it reads.
//
// Close ends it in order: what was written is still read at the other end,
// then a *CloseError. After CloseNow that is io.ErrUnexpectedEOF.
func Pipe(p Protocol) (client, server Conn) {
	a, b := newPipeEnd(p), newPipeEnd(p)
	a.peer, b.peer = b, a
	return a, b
}

// PipeDialer returns a dialer whose connections are pipes. accept is given the
// far end of each; the protocol is the first one offered. What accept returns
// is the error of the dial.
func PipeDialer(accept func(ctx context.Context, server Conn) error) Dialer {
	return func(ctx context.Context, protocols []Protocol) (Conn, error) {
		if len(protocols) == 0 {
			return nil, &HandshakeError{Err: ErrNoProtocol}
		}
		client, server := Pipe(protocols[0])
		if err := accept(ctx, server); err != nil {
			_ = client.CloseNow()
			_ = server.CloseNow()
			return nil, err
		}
		return client, nil
	}
}

// pipeEnd is one end. What it reads lies with itself, what it writes goes to
// the peer's fields.
type pipeEnd struct {
	proto Protocol
	peer  *pipeEnd

	in    chan *chunk        // to be read
	free  chan *chunk        // read, to be used again by the peer
	pings chan chan struct{} // to be answered
	done  chan struct{}      // closed when this end is closed
	state atomic.Int32       // how it was closed

	// Reader only.
	cur *chunk
	pos int
	err error
}

const (
	pipeOpen = iota
	pipeClosed
	pipeTorn
)

type chunk struct {
	buf  []byte
	ends []int
}

func newPipeEnd(p Protocol) *pipeEnd {
	return &pipeEnd{
		proto: p,
		in:    make(chan *chunk, pipeChunks),
		free:  make(chan *chunk, pipeChunks),
		pings: make(chan chan struct{}),
		done:  make(chan struct{}),
	}
}

func (e *pipeEnd) Protocol() Protocol        { return e.proto }
func (e *pipeEnd) MaxSend() int              { return math.MaxInt32 }
func (e *pipeEnd) TLS() *tls.ConnectionState { return nil }
func (e *pipeEnd) Private() bool             { return true }

func (e *pipeEnd) Buffered() bool {
	return e.state.Load() == pipeOpen && (e.cur != nil && e.pos < len(e.cur.ends) || len(e.in) > 0)
}

func (e *pipeEnd) Read() ([]byte, error) {
	if e.state.Load() != pipeOpen {
		return nil, net.ErrClosed
	}
	for e.cur == nil || e.pos == len(e.cur.ends) {
		if e.err != nil {
			return nil, e.err
		}
		e.recycle()
		select {
		case e.cur = <-e.in:
		case pong := <-e.pings:
			pong <- struct{}{}
		case <-e.done:
			return nil, net.ErrClosed
		case <-e.peer.done:
			select {
			case e.cur = <-e.in:
			default:
				e.err = error(&CloseError{})
				if e.peer.state.Load() == pipeTorn {
					e.err = io.ErrUnexpectedEOF
				}
			}
		}
	}
	start := 0
	if e.pos > 0 {
		start = e.cur.ends[e.pos-1]
	}
	end := e.cur.ends[e.pos]
	e.pos++
	return e.cur.buf[start:end:end], nil
}

// Keep implements Keeper: a large chunk is not used again. It is close to the size of a
// large message, which is the last one in it.
func (e *pipeEnd) Keep() bool {
	if e.cur == nil || cap(e.cur.buf) <= 2*chunkBytes {
		return false
	}
	start := 0
	if e.pos > 1 {
		start = e.cur.ends[e.pos-2]
	}
	n := e.cur.ends[e.pos-1] - start
	return n > readBuffer && cap(e.cur.buf)-n <= n/4
}

// recycle gives the chunk that was read back to the writer.
func (e *pipeEnd) recycle() {
	c := e.cur
	e.cur, e.pos = nil, 0
	if c == nil || cap(c.buf) > 2*chunkBytes {
		return
	}
	select {
	case e.free <- c:
	default:
	}
}

func (e *pipeEnd) Write(b *Batch) error {
	for b.next < b.Len() {
		if err := e.writable(); err != nil {
			return err
		}
		c, n := e.fill(b)
		select {
		case e.peer.in <- c:
			b.next += n
		case <-e.done:
		case <-e.peer.done:
		}
	}
	return nil
}

func (e *pipeEnd) TryWrite(b *Batch) (done bool, err error) {
	for b.next < b.Len() {
		if err := e.writable(); err != nil {
			return false, err
		}
		if len(e.peer.in) == cap(e.peer.in) {
			return false, nil
		}
		c, n := e.fill(b) // this is the only sender: there is still room
		e.peer.in <- c
		b.next += n
	}
	return true, nil
}

func (e *pipeEnd) writable() error {
	if e.state.Load() != pipeOpen {
		return net.ErrClosed
	}
	if e.peer.state.Load() != pipeOpen {
		return io.ErrClosedPipe
	}
	return nil
}

// fill copies messages of b that are not yet sent into a chunk.
func (e *pipeEnd) fill(b *Batch) (c *chunk, n int) {
	if b.next == b.Len() {
		return nil, 0
	}
	select {
	case c = <-e.peer.free:
	default:
		c = new(chunk)
	}
	c.buf, c.ends = c.buf[:0], c.ends[:0]
	for i := b.next; i < b.Len(); i++ {
		m := b.Message(i)
		if n > 0 && len(c.buf)+len(m) > chunkBytes {
			break
		}
		c.buf = append(c.buf, m...)
		c.ends = append(c.ends, len(c.buf))
		n++
	}
	return c, n
}

func (e *pipeEnd) Ping(ctx context.Context) error {
	pong := make(chan struct{}, 1)
	var pings chan<- chan struct{} = e.peer.pings
	for {
		select {
		case pings <- pong:
			pings = nil
		case <-pong:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-e.done:
			return net.ErrClosed
		case <-e.peer.done:
			return io.ErrClosedPipe
		}
	}
}

func (e *pipeEnd) Close(context.Context) error {
	e.end(pipeClosed)
	return nil
}

func (e *pipeEnd) CloseNow() error {
	e.end(pipeTorn)
	return nil
}

func (e *pipeEnd) end(state int32) {
	if e.state.CompareAndSwap(pipeOpen, state) {
		close(e.done)
	}
}
