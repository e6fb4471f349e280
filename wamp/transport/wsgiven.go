package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// Socket is what WebSocket needs of a connection. *websocket.Conn of
// github.com/coder/websocket and of nhooyr.io/websocket, its older name, both
// have it; T is their type of a message, S that of a close code.
type Socket[T, S ~int] interface {
	Reader(context.Context) (T, io.Reader, error)
	Write(context.Context, T, []byte) error
	Ping(context.Context) error
	Close(S, string) error
	CloseNow() error
	SetReadLimit(int64)
	Subprotocol() string
}

// WebSocket returns the Conn over a WebSocket connection that exists already,
// of github.com/coder/websocket or nhooyr.io/websocket:
//
//	conn, err := transport.WebSocket(ws)
//
// Its subprotocol has to be one of protocols, by default all standard ones. It
// belongs to the Conn from then on, which sets its read limit to 16 MiB.
// DialWebSocket is faster: it owns the socket too and gathers writes. A message
// is read ahead of the one that Read has returned.
//
// The connection may stand on anything, so nobody waits for it longer than a
// second once the Conn is closed: a Reader, Write or Close of ws that does not
// return is left behind with its goroutine. The library, not this package,
// decides how long a ping or a pong may take to be written (five seconds, after
// which it closes the connection).
func WebSocket[T, S ~int](ws Socket[T, S], protocols ...Protocol) (Conn, error) {
	if len(protocols) == 0 {
		protocols = append(Protocols(), BatchedProtocols()...)
	}
	p, ok := findProtocol(protocols, ws.Subprotocol())
	if !ok {
		return nil, &HandshakeError{Protocol: ws.Subprotocol(), Err: ErrNoProtocol}
	}
	return newGivenSocket(ws, p, wsConfig{}), nil
}

// Types of messages in both libraries.
const (
	typeText   = 1
	typeBinary = 2
)

// headStart is what the read that drains has before the library's own: nothing
// tells when it is under way.
const headStart = 5 * time.Millisecond

// givenSocket is a connection of a library that was made elsewhere. It calls
// the library on goroutines of its own: nothing is known of what is under it.
type givenSocket[T, S ~int] struct {
	wsConn
	ws  Socket[T, S]
	typ T

	// ctx is for all reads, writes and pings. It ends when the connection is
	// torn down, which interrupts the library; a caller's never reaches it,
	// because any that ends closes the connection.
	ctx    context.Context //nolint:containedctx // the life of the connection
	cancel context.CancelFunc

	pumping  chan struct{} // full once the pump has been started
	full     chan *readBuf // messages that the pump has read
	free     chan *readBuf // for the pump
	pumpErr  error         // after read is closed
	cur      *readBuf      // reader only: what it has got
	receive1 func() ([]byte, error)

	// Writer only, and the goroutine that writes for it.
	out     []byte
	ends    []int
	werr    error // of a write that has failed
	writing bool  // the goroutine has been started
	work    chan struct{}
	wrote   chan error
}

func newGivenSocket[T, S ~int](ws Socket[T, S], p Protocol, cfg wsConfig) *givenSocket[T, S] {
	c := &givenSocket[T, S]{
		ws: ws, typ: typeBinary, pumping: make(chan struct{}, 1), work: make(chan struct{}, 1), wrote: make(chan error, 1),
		full: make(chan *readBuf, 1), free: make(chan *readBuf, 2),
	}
	c.free <- new(readBuf)
	c.free <- new(readBuf)
	c.init(p, cfg, func() error { return ws.Ping(c.ctx) })
	if p.Text {
		c.typ = typeText
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.receive1 = c.receive
	ws.SetReadLimit(int64(c.readLimit))
	return c
}

func (c *givenSocket[T, S]) Buffered() bool {
	return len(c.rest) > 0 || len(c.full) > 0 && !c.shut.Load()
}

func (c *givenSocket[T, S]) Read() ([]byte, error) { return c.next(c.receive1) }

// receive returns what the pump has read.
func (c *givenSocket[T, S]) receive() ([]byte, error) {
	if c.cur != nil {
		c.free <- c.cur // there is room for both
		c.cur = nil
	}
	c.startPump()
	select {
	case c.cur = <-c.full:
	case <-c.read:
		select {
		case c.cur = <-c.full: // what came before the end
		default:
			return nil, c.pumpErr
		}
	case <-c.closed:
		if e := c.said.Load(); e != nil {
			return nil, e
		}
		return nil, net.ErrClosed
	}
	return c.cur.b[:len(c.cur.b):len(c.cur.b)], nil
}

// startPump reports whether it has started the pump.
func (c *givenSocket[T, S]) startPump() bool {
	select {
	case c.pumping <- struct{}{}:
	default:
		return false
	}
	c.crew.start(c.pump, func(err error) { // ends with the connection
		if panicked := (*PanicError)(nil); errors.As(err, &panicked) {
			err = c.readError(panicked)
		}
		c.pumpErr = err
		close(c.read)
	})
	return true
}

// pump reads until there is an error. Once the connection is closed, what it
// reads is dropped: a read is under way then that cancel can interrupt, while
// the library's own, in its Close, would end after five seconds only.
func (c *givenSocket[T, S]) pump() error {
	for {
		typ, r, err := c.ws.Reader(c.ctx)
		if err != nil {
			return c.readError(err)
		}
		var b *readBuf
		select {
		case b = <-c.free:
		case <-c.closed:
			if _, err := io.Copy(io.Discard, r); err != nil {
				return c.readError(err)
			}
			continue
		}
		err = b.fill(r)
		if err := c.message(b.b, typ == typeText, err); err != nil {
			return err
		}
		select {
		case c.full <- b:
		case <-c.closed:
			c.free <- b
		}
	}
}

func (c *givenSocket[T, S]) Write(b *Batch) error {
	if err := c.fits(b); err != nil {
		return err
	}
	for b.next < b.Len() {
		switch {
		case c.shut.Load():
			return net.ErrClosed
		case c.werr != nil:
			return c.writeError(c.werr)
		case !c.writing:
			c.writing = true
			c.crew.start(c.writer, c.tell) // ends with the connection
		}
		n := c.gather(b)
		c.work <- struct{}{}
		select {
		case c.werr = <-c.wrote:
			if c.werr != nil {
				return c.writeError(c.werr)
			}
			b.next += n
		case <-c.closed:
			return net.ErrClosed
		}
	}
	return nil
}

// writer writes what was gathered, until that fails.
func (c *givenSocket[T, S]) writer() error {
	for {
		select {
		case <-c.work:
		case <-c.closed:
			return net.ErrClosed
		}
		start := 0
		for _, end := range c.ends {
			if err := c.ws.Write(c.ctx, c.typ, c.out[start:end]); err != nil {
				return err
			}
			start = end
		}
		c.tell(nil)
	}
}

// tell tells a Write what became of it. Once the connection is closed, none waits.
func (c *givenSocket[T, S]) tell(err error) {
	select {
	case c.wrote <- err:
	case <-c.closed:
	}
}

// TryWrite cannot tell whether the library would block.
func (c *givenSocket[T, S]) TryWrite(*Batch) (done bool, err error) { return false, nil }

// gather copies the next n messages of b, because a Write that is left behind
// may go on reading them.
func (c *givenSocket[T, S]) gather(b *Batch) (n int) {
	if cap(c.out) > keepQueue {
		c.out = nil
	}
	c.out, c.ends = c.out[:0], c.ends[:0]
	if c.proto.Batched {
		m, n := c.join(b)
		c.out = append(c.out, m...)
		c.ends = append(c.ends, len(c.out))
		return n
	}
	for i := b.next; i < b.Len(); i++ {
		m := b.Message(i)
		if n > 0 && len(c.out)+len(m) > flushAfter {
			break
		}
		c.out = append(c.out, m...)
		c.ends = append(c.ends, len(c.out))
		n++
	}
	return n
}

// Close does the close handshake, in which messages of the peer are dropped.
// The library waits for the peer no longer than five seconds.
func (c *givenSocket[T, S]) Close(ctx context.Context) error {
	c.ending.Store(true)
	f := func() error {
		if c.startPump() {
			t := time.NewTimer(headStart)
			select {
			case <-t.C:
			case <-ctx.Done():
			}
			t.Stop()
		}
		return c.ws.Close(S(c.closeCode()), "")
	}
	return c.handshake(ctx, libraryWait, f, func(done, timeout <-chan struct{}) {
		select {
		case <-done:
		case <-timeout:
		}
	}, c.kill)
}

// CloseNow implements Conn.
func (c *givenSocket[T, S]) CloseNow() error {
	c.close()
	return c.kill()
}

// kill interrupts the library and waits for what was started here, but not for
// long.
func (c *givenSocket[T, S]) kill() error {
	c.cancel()
	c.crew.start(c.ws.CloseNow, func(error) {}) // ends with the library's CloseNow
	err := c.crew.wait(hangUpWait)
	c.die.Do(func() { close(c.dead) })
	return err
}
