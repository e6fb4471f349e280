package transport

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// A RawSocket frame is a header of four bytes, RRRR X TTT and a length of 24
// bits, and as many bytes as that says. X is a 25th bit of the length.
const (
	rawMessage = 0
	rawPing    = 1
	rawPong    = 2

	rawHeader   = 4
	rawReserved = 0xf0
	rawX        = 0x08
	rawType     = 0x07

	// rawMaxReceive is the largest message that can be announced and received;
	// the largest one sent is one byte smaller, because routers do not agree
	// on how to write that one length.
	rawMaxReceive = 1 << 24
	rawMaxSend    = rawMaxReceive - 1
	rawMinReceive = 1 << 9
)

const (
	// A read buffer that has grown past keepBuffer goes as soon as the message
	// is read, a smaller one after keepReads messages that did not need it.
	keepBuffer = 1 << 20
	keepReads  = 64
	// maxPongs is how many bytes of pongs may wait for a peer that sends pings
	// and does not read. Beyond that we do not read on.
	maxPongs = 1 << 20
)

type rawSocket struct {
	proto            Protocol
	maxSend, maxRecv int
	link             *link

	held bool // writer only: a batch is partly written, the token is ours

	// Reader only.
	inBuffer
	large large
	rerr  error

	pingMu sync.Mutex // guards pings and pingID
	pings  map[uint64]chan struct{}
	pingID uint64
}

// NewRawSocket returns the connection over a conn whose RawSocket handshake is
// done. maxSend and maxReceive are the largest messages that the peer and we
// have announced to accept; 0 means 2^24.
//
// A conn that is not of package net or crypto/tls may be of any quality: its
// Read, Write and Close run on goroutines of their own, which costs a little,
// and one that does not return is left behind a second after CloseNow.
func NewRawSocket(conn net.Conn, p Protocol, maxSend, maxReceive int) Conn {
	c := &rawSocket{proto: p, maxSend: maxSend, maxRecv: maxReceive, link: newLink(conn), inBuffer: inBuffer{most: readBuffer}}
	if maxSend <= 0 || maxSend > rawMaxSend {
		c.maxSend = rawMaxSend
	}
	if maxReceive <= 0 || maxReceive > rawMaxReceive {
		c.maxRecv = rawMaxReceive
	}
	return c
}

func (c *rawSocket) Protocol() Protocol        { return c.proto }
func (c *rawSocket) MaxSend() int              { return c.maxSend }
func (c *rawSocket) TLS() *tls.ConnectionState { return tlsState(c.link.conn) }

// RiskyPing implements RiskyPinger: Crossbar hangs up on PING.
func (c *rawSocket) RiskyPing() bool { return true }

func (c *rawSocket) Private() bool { return private(c.link.conn) }

// frame fills in the headers of the messages that have none yet.
func (c *rawSocket) frame(b *Batch) error {
	for i := b.next; i < len(b.ends); i++ {
		if n := len(b.Message(i)); n > c.maxSend {
			return &SizeError{Size: n, Limit: c.maxSend}
		}
	}
	for ; b.next < len(b.ends); b.next++ {
		f := b.framed(b.next)
		binary.BigEndian.PutUint32(f, uint32(len(f)-rawHeader))
	}
	return nil
}

func (c *rawSocket) Write(b *Batch) error {
	if err := c.frame(b); err != nil {
		return err
	}
	if len(b.piece()) == 0 {
		return nil
	}
	if !c.held {
		if err := c.link.acquire(); err != nil {
			return err
		}
	}
	var err error
	for p := b.piece(); len(p) > 0 && err == nil; p = b.piece() {
		var n int
		n, err = c.link.conn.Write(p)
		b.sent(n)
		if err != nil {
			err = c.link.fail(err)
		}
	}
	c.held = false
	c.link.release()
	return err
}

func (c *rawSocket) TryWrite(b *Batch) (done bool, err error) {
	if err := c.frame(b); err != nil {
		return false, err
	}
	p := b.piece()
	if len(p) == 0 {
		return true, nil
	}
	if !c.link.raw.ok() || c.held || !c.link.tryAcquire() {
		return false, nil
	}
	err = c.link.failed()
	for err == nil && len(p) > 0 {
		n, bad := c.link.raw.write(p)
		b.sent(n)
		switch {
		case bad != nil:
			err = c.link.fail(bad)
		case n == len(p):
			p = b.piece()
			continue
		case n > 0:
			c.held = true // the stream is inside a frame: nobody else may write
			return false, nil
		}
		break
	}
	c.link.release()
	return err == nil && len(p) == 0, err
}

func (c *rawSocket) Buffered() bool {
	p := c.buf[c.r:c.w]
	if len(p) < rawHeader || p[0]&rawType != rawMessage {
		return false
	}
	n, err := c.parse(p)
	return err == nil && len(p) >= rawHeader+n
}

// parse returns the length of the frame that starts with p.
func (c *rawSocket) parse(p []byte) (int, error) {
	b := p[0]
	switch {
	case b&rawReserved != 0:
		return 0, &FrameError{Err: ErrReserved}
	case b&rawType > rawPong:
		return 0, &FrameError{Err: ErrFrameType}
	}
	n := int(p[1])<<16 | int(p[2])<<8 | int(p[3])
	if b&rawX != 0 {
		if n != 0 {
			return 0, &FrameError{Err: ErrBadLength}
		}
		n = rawMaxReceive
	}
	if n > c.maxRecv {
		return 0, &FrameError{Err: ErrTooBig, Size: n}
	}
	return n, nil
}

func (c *rawSocket) Read() ([]byte, error) {
	if c.rerr != nil {
		return nil, c.rerr
	}
	if c.link.isClosed() {
		return nil, net.ErrClosed
	}
	for {
		c.large.settle()
		frame, err := c.next()
		if err == nil {
			if typ := frame[0] & rawType; typ != rawMessage {
				if err = c.control(typ, frame); err == nil {
					continue
				}
			}
		}
		if err != nil {
			c.rerr = err
			return nil, err
		}
		return frame[rawHeader:], nil
	}
}

// next returns the next frame, whose capacity is cut: where it stands in the buffer, or
// in memory of its own if the buffer is never that large.
func (c *rawSocket) next() ([]byte, error) {
	for {
		if p := c.buf[c.r:c.w]; len(p) >= rawHeader {
			n, err := c.parse(p)
			if err != nil {
				_ = c.link.tear()
				return nil, err
			}
			need := rawHeader + n
			if len(p) >= need {
				c.r += need
				c.large.small++
				return p[:need:need], nil
			}
			if need > readBuffer && len(p) >= idleBuffer {
				return c.gather(need)
			}
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// gather returns a frame of need bytes that has memory of its own.
func (c *rawSocket) gather(need int) ([]byte, error) {
	l := &c.large
	for l.b = l.b[:0]; len(l.b) < need; {
		l.grow(need, false)
		have := len(l.b)
		room := l.b[have:min(cap(l.b), need)]
		n := copy(room, c.buf[c.r:c.w])
		if c.r += n; n == 0 { // it is most of the frame
			var err error
			if n, err = c.receive(room, true); err != nil {
				return nil, err
			}
		}
		l.b = l.b[:have+n]
	}
	return l.done(), nil
}

// fill reads more into the buffer.
func (c *rawSocket) fill() error {
	n, err := c.receive(c.room(0), c.w > 0)
	c.add(n)
	return err
}

// receive reads at least a byte. inside says that a frame has begun.
func (c *rawSocket) receive(p []byte, inside bool) (int, error) {
	for {
		n, err := c.link.conn.Read(p)
		switch {
		case n > 0:
			return n, nil // the error, if any, comes again
		case err == nil:
			continue
		case c.link.isClosed():
			return 0, net.ErrClosed
		case err == io.EOF && !inside:
			return 0, &CloseError{}
		case err == io.EOF:
			return 0, fmt.Errorf("connection cut inside a frame: %w", io.ErrUnexpectedEOF)
		}
		return 0, err
	}
}

// Keep implements Keeper.
func (c *rawSocket) Keep() bool { return c.large.keep() }

// control handles a ping or a pong.
func (c *rawSocket) control(typ byte, frame []byte) error {
	if typ == rawPing {
		frame[0] = frame[0]&^rawType | rawPong // in place: the reader owns the buffer
		n, err := c.link.enqueue(frame)
		if err == nil && n > maxPongs {
			err = c.link.flush()
		}
		if err != nil && !c.link.isClosed() {
			return nil // the writer reports it; there may be more to read
		}
		return err
	}
	if body := frame[rawHeader:]; len(body) == 8 {
		c.pingMu.Lock()
		if pong := c.pings[binary.BigEndian.Uint64(body)]; pong != nil {
			select {
			case pong <- struct{}{}:
			default:
			}
		}
		c.pingMu.Unlock()
	}
	return nil
}

func (c *rawSocket) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pong := make(chan struct{}, 1)
	c.pingMu.Lock()
	c.pingID++
	id := c.pingID
	if c.pings == nil {
		c.pings = make(map[uint64]chan struct{})
	}
	c.pings[id] = pong
	c.pingMu.Unlock()
	defer func() {
		c.pingMu.Lock()
		delete(c.pings, id)
		c.pingMu.Unlock()
	}()
	if c.link.queued() < maxPongs { // else the peer does not read, and will not answer
		frame := binary.BigEndian.AppendUint64([]byte{rawPing, 0, 0, 8}, id)
		if _, err := c.link.enqueue(frame); err != nil {
			return err
		}
	}
	select {
	case <-pong:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.link.closed:
		return net.ErrClosed
	}
}

// Close flushes what is in the queue, ends TLS and the socket.
func (c *rawSocket) Close(ctx context.Context) error {
	if c.link.isClosed() {
		return nil
	}
	err := c.link.finish(ctx)
	c.link.join()
	return err
}

func (c *rawSocket) CloseNow() error {
	err := c.link.tear()
	c.link.join()
	return err
}
