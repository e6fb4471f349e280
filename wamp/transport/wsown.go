package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// flushAfter is how much of a batch is gathered before it is written.
const flushAfter = 64 << 10

// webSocket speaks RFC 6455 over a socket of our own, behind the handshake,
// which the library does. The reading side never waits for the writer: what it
// has to say goes into the queue of the link.
type webSocket struct {
	wsConn
	link   *link
	server bool

	// Reader only, or Close once it has the turn.
	in       wsReader
	turn     atomic.Int32
	handed   chan struct{} // closed when a Read has given Close the turn
	heard    bool          // the peer's close frame
	answer   []byte        // a pong
	more     bool          // reader only: another message is at hand
	size     int           // reader only: of the last message
	receive1 func() ([]byte, error)

	// Writer only.
	out  wsWriter
	held bool // inside a frame: the link's token is ours

	finished atomic.Bool // our close frame is in the queue: no message comes behind it
	pingID   atomic.Uint64
	pongs    chan uint64 // id of a pong
}

// Whose turn it is to read.
const (
	turnNone    = iota
	turnRead    // a Read is under way
	turnAwaited // and Close waits for its end
	turnClose
)

// newWebSocket returns the connection over a link whose handshake is done. src
// gives what comes behind it, and early is what has come already.
func newWebSocket(l *link, src io.Reader, early []byte, server bool, p Protocol, cfg wsConfig) *webSocket {
	c := &webSocket{link: l, server: server, handed: make(chan struct{}), pongs: make(chan uint64, 1)}
	c.init(p, cfg, c.ping)
	c.receive1, c.broke = c.receive, l.failed
	c.in = wsReader{src: &patient{src, l}, ofClient: server, text: p.Text, limit: c.readLimit, control: c.control, inBuffer: inBuffer{most: readBuffer}}
	c.in.preload(early)
	c.out.first = wsFin | opBinary
	if p.Text {
		c.out.first = wsFin | opText
	}
	c.out.masks = !server
	return c
}

// Buffered implements Conn.
func (c *webSocket) Buffered() bool { return c.more && !c.shut.Load() }

// Read implements Conn.
func (c *webSocket) Read() ([]byte, error) {
	if !c.turn.CompareAndSwap(turnNone, turnRead) { // Close reads
		if c.rerr == nil {
			c.rerr = net.ErrClosed
		}
		return nil, c.rerr
	}
	m, err := c.next(c.receive1)
	c.size = len(m)
	c.more = err == nil && (len(c.rest) > 0 || c.in.whole())
	if !c.turn.CompareAndSwap(turnRead, turnNone) {
		c.turn.Store(turnClose)
		close(c.handed)
	}
	return m, err
}

// Keep implements Keeper. A message that shares its memory with others has to be most
// of them.
func (c *webSocket) Keep() bool { return c.size > len(c.in.large.b)/2 && c.in.large.keep() }

// takeTurn waits until no Read is under way, and keeps later ones out.
func (c *webSocket) takeTurn() error {
	for !c.turn.CompareAndSwap(turnNone, turnClose) {
		if c.turn.CompareAndSwap(turnRead, turnAwaited) {
			select {
			case <-c.handed:
				return nil
			case <-c.link.closed:
				return net.ErrClosed
			}
		}
	}
	return nil
}

// receive returns the next message of the peer.
func (c *webSocket) receive() ([]byte, error) {
	m, err := c.in.next()
	if err == nil {
		return m, nil
	}
	var bad *FrameError
	var said *CloseError
	switch {
	case errors.As(err, &bad):
		err = c.broken(bad)
	case errors.As(err, &said):
	case c.shut.Load(), c.heard:
		err = net.ErrClosed
	case err == io.EOF:
		err = fmt.Errorf("websocket: connection lost: %w", io.ErrUnexpectedEOF)
	default:
		err = fmt.Errorf("websocket: connection lost: %w", err)
	}
	close(c.read)
	return nil, err
}

// patient is the reading side's way to the socket. While too many pongs wait for
// a peer that does not read, it does not read either.
type patient struct {
	src  io.Reader
	link *link
}

func (r *patient) Read(p []byte) (int, error) {
	if r.link.flooded.Load() {
		if err := r.link.flush(); err != nil && r.link.isClosed() {
			return 0, err
		}
	}
	return r.src.Read(p)
}

// control answers a control frame. The error ends the reading.
func (c *webSocket) control(op byte, payload []byte) error {
	switch op {
	case opPing:
		if c.finished.Load() {
			return nil
		}
		c.answer = appendControl(c.answer[:0], opPong, payload, !c.server)
		c.link.pong(len(c.answer))
		if _, err := c.link.enqueue(c.answer); c.link.isClosed() {
			return err
		}
		return nil // the writer reports what is wrong; there may be more to read
	case opPong:
		if len(payload) != 8 {
			return nil
		}
		if id := binary.BigEndian.Uint64(payload); id == c.pingID.Load() {
			select {
			case <-c.pongs: // one that nobody has taken
			default:
			}
			c.pongs <- id
		}
		return nil
	}
	c.heard = true
	e, err := parseClose(payload)
	if err != nil {
		return &FrameError{Err: err}
	}
	if c.ending.Load() { // the answer to ours
		return net.ErrClosed
	}
	c.said.CompareAndSwap(nil, e)
	c.say(payload[:min(len(payload), 2)])
	_ = c.link.finishSoon()
	return e
}

// say queues our close frame, behind which nothing is sent.
func (c *webSocket) say(payload []byte) {
	if !c.finished.Swap(true) {
		_, _ = c.link.enqueue(appendControl(nil, opClose, payload, !c.server))
	}
}

// ping sends a ping and waits for its pong, or for the end of the reading.
func (c *webSocket) ping() error {
	id := c.pingID.Add(1)
	if _, err := c.link.enqueue(appendControl(nil, opPing, binary.BigEndian.AppendUint64(nil, id), !c.server)); err != nil {
		return err
	}
	for {
		select {
		case got := <-c.pongs:
			if got == id {
				return nil
			}
		case <-c.read:
			return net.ErrClosed
		case <-c.closed:
			return net.ErrClosed
		}
	}
}

// gather makes the next frames of b, and reports whether there is something to
// write.
func (c *webSocket) gather(b *Batch) bool {
	if c.out.off > 0 {
		return true
	}
	c.out.more()
	for len(c.out.rest) == 0 && b.next < b.Len() {
		m, n := b.Message(b.next), 1
		if !c.out.fits(len(m)) {
			break
		}
		if c.proto.Batched {
			m, n = c.join(b)
		}
		c.out.begin(m)
		b.next += n
	}
	return len(c.out.out) > 0
}

func (c *webSocket) Write(b *Batch) error {
	if err := c.fits(b); err != nil {
		return err
	}
	for c.gather(b) {
		if !c.held {
			if err := c.begin(); err != nil {
				return c.stop(err)
			}
		}
		n, err := c.link.conn.Write(c.out.out[c.out.off:])
		c.out.wrote(n)
		if err != nil {
			err = c.link.fail(err)
		}
		if c.held = err == nil && c.out.inside; !c.held {
			c.link.release()
		}
		if err != nil {
			return c.stop(err)
		}
	}
	return nil
}

// begin takes the right to write, behind what the reading side has to say.
func (c *webSocket) begin() error {
	if err := c.link.acquire(); err != nil {
		return err
	}
	err := c.link.empty()
	if err == nil && c.finished.Load() {
		err = net.ErrClosed
	}
	if err != nil {
		c.link.release()
	}
	return err
}

// stop ends the writing: the memory of the batch is its owner's again.
func (c *webSocket) stop(err error) error {
	c.out.room, c.out.out, c.out.off, c.out.rest = nil, nil, 0, nil
	return c.writeError(err)
}

// TryWrite writes without blocking where there is no TLS. An error of the
// socket is left for Write, which waits for what the peer may have said.
func (c *webSocket) TryWrite(b *Batch) (done bool, err error) {
	if !c.link.raw.ok() || b.Bytes() > flushAfter || c.held {
		return false, nil
	}
	if err := c.fits(b); err != nil {
		return false, err
	}
	if !c.link.tryAcquire() {
		return false, nil
	}
	ready := c.link.failed() == nil
	if ready {
		ready, _ = c.link.tryEmpty()
	}
	if !ready || c.finished.Load() {
		c.link.release()
		return false, nil
	}
	for err == nil && c.gather(b) {
		size := len(c.out.out) - c.out.off
		var n int
		n, err = c.link.raw.write(c.out.out[c.out.off:])
		c.out.wrote(n)
		if err != nil {
			_ = c.link.fail(err)
		} else if n < size {
			break
		}
	}
	c.held = err == nil && c.out.inside
	done = err == nil && len(c.out.out) == 0
	if !c.held {
		c.link.release()
	}
	return done, nil
}

// Close does the close handshake, in which messages of the peer are dropped.
func (c *webSocket) Close(ctx context.Context) error {
	c.ending.Store(true)
	flushed := make(chan struct{})
	f := func() error {
		c.say(binary.BigEndian.AppendUint16(nil, uint16(c.closeCode())))
		err := c.link.flush()
		close(flushed)
		if err != nil {
			return err
		}
		if err := c.hear(); err != nil {
			return err
		}
		return c.link.end()
	}
	quick := func(done, timeout <-chan struct{}) {
		select {
		case <-flushed:
		case <-done:
		case <-timeout:
		}
	}
	return c.handshake(ctx, closeWait, f, quick, c.kill)
}

// hear waits for the peer's close frame. After what was no frame there may be
// none to be found, and nothing is waited for but that ours gets through: to
// hang up on what has not been read would cut it off.
func (c *webSocket) hear() error {
	if err := c.takeTurn(); err != nil {
		return err
	}
	if c.heard {
		return nil
	}
	c.in.detach()
	var t *time.Timer
	err := c.in.drain(func() { t = time.AfterFunc(closeFlush, func() { _ = c.link.tear() }) })
	if t != nil {
		t.Stop()
	}
	return err
}

// CloseNow implements Conn.
func (c *webSocket) CloseNow() error {
	c.close()
	return c.kill()
}

// kill tears the link down and waits for what was started here.
func (c *webSocket) kill() error {
	err := c.link.tear()
	if err2 := c.crew.wait(hangUpWait); err == nil {
		err = err2
	}
	c.link.join()
	c.die.Do(func() { close(c.dead) })
	return err
}
