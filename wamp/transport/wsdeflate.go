//go:build !js

package transport

import (
	"context"
	"errors"

	"github.com/coder/websocket"
)

// deflated is a connection whose messages are compressed, for which the frames
// are left to github.com/coder/websocket, over a socket of our own. What it
// writes goes into the queue of a link, so that none of its calls waits for a
// peer but those that read.
type deflated struct {
	wsConn
	sock *wsSocket
	ws   *websocket.Conn
	typ  websocket.MessageType

	// ctx is for all reads and writes and never ends: closing the socket ends
	// everything, and contexts cost time at each frame. A caller's never
	// reaches the library, because any that ends closes the connection.
	ctx context.Context //nolint:containedctx // the life of the connection

	// Reader only.
	buf      readBuf
	returned int64 // messages of the library
	receive1 func() ([]byte, error)
}

func newDeflated(ws *websocket.Conn, sock *wsSocket, p Protocol, cfg wsConfig) *deflated {
	c := &deflated{sock: sock, ws: ws, typ: websocket.MessageBinary, ctx: context.Background()}
	c.init(p, cfg, func() error { return ws.Ping(c.ctx) })
	if p.Text {
		c.typ = websocket.MessageText
	}
	c.receive1, c.broke = c.receive, sock.lost
	ws.SetReadLimit(int64(c.readLimit))
	return c
}

func (c *deflated) self() TryWriter { return c }

func (c *deflated) Buffered() bool {
	if len(c.rest) > 0 {
		return true
	}
	return c.sock.arrived.Load() > c.returned && !c.sock.link.isClosed()
}

func (c *deflated) Read() ([]byte, error) { return c.next(c.receive1) }

// receive reads a message of the library.
func (c *deflated) receive() ([]byte, error) {
	typ, r, err := c.ws.Reader(c.ctx)
	if err == nil {
		c.returned++
		err = c.buf.fill(r)
		err = c.message(c.buf.b, typ == websocket.MessageText, err)
	} else {
		err = c.readError(err)
	}
	if err != nil {
		close(c.read)
		return nil, err
	}
	return c.buf.b[:len(c.buf.b):len(c.buf.b)], nil
}

func (c *deflated) Write(b *Batch) error {
	err := c.frames(b)
	if err == nil {
		err = c.sock.link.flush()
	}
	if err == nil || errors.Is(err, ErrTooBig) {
		return err
	}
	return c.writeError(err)
}

// TryWrite writes without blocking where there is no TLS. An error of the
// socket is left for Write, which waits for what the peer may have said.
func (c *deflated) TryWrite(b *Batch) (done bool, err error) {
	if !c.sock.link.raw.ok() || b.Bytes() > flushAfter {
		return false, nil
	}
	if err := c.frames(b); err != nil {
		if errors.Is(err, ErrTooBig) {
			return false, err
		}
		return false, nil
	}
	done, err = c.sock.link.tryFlush()
	return done && err == nil, nil
}

// frames gives what is left of b to the library. The last part, or all, is in
// the queue afterwards.
func (c *deflated) frames(b *Batch) error {
	if err := c.fits(b); err != nil {
		return err
	}
	c.sock.link.cork()
	defer c.sock.link.uncork()
	size := 0
	for b.next < b.Len() {
		m, n := b.Message(b.next), 1
		if c.proto.Batched {
			m, n = c.join(b)
		}
		if err := c.ws.Write(c.ctx, c.typ, m); err != nil {
			return err
		}
		b.next += n
		if size += len(m); size >= flushAfter && b.next < b.Len() {
			size = 0
			if err := c.sock.link.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close does the close handshake, in which messages of the peer are dropped.
// The library waits for the peer no longer than five seconds.
func (c *deflated) Close(ctx context.Context) error {
	c.ending.Store(true)
	return c.handshake(ctx, libraryWait, func() error { return c.ws.Close(websocket.StatusCode(c.closeCode()), "") }, c.lastWords, c.kill)
}

// lastWords waits until the close frame is in the queue, and the queue in the
// socket.
func (c *deflated) lastWords(done, timeout <-chan struct{}) {
	select {
	case <-c.sock.said:
	case <-done:
	case <-timeout:
		return
	}
	flushed := make(chan struct{})
	c.crew.start(c.sock.link.flush, func(error) { close(flushed) }) // ends with the link
	select {
	case <-flushed:
	case <-timeout:
	}
}

// CloseNow implements Conn.
func (c *deflated) CloseNow() error {
	c.close()
	return c.kill()
}

// kill makes everything the library does on the socket fail, ends it and waits
// for what was started here.
func (c *deflated) kill() error {
	err := c.sock.link.tear()
	c.crew.start(c.ws.CloseNow, func(error) {})
	if err2 := c.crew.wait(hangUpWait); err == nil {
		err = err2
	}
	c.sock.link.join()
	c.die.Do(func() { close(c.dead) })
	return err
}
