package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// defaultReadLimit is the largest WebSocket message that is received unless
// an option says otherwise.
const defaultReadLimit = 16 << 20

// flushAfter is how much of a batch is gathered before it is written.
const flushAfter = 64 << 10

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
// DialWebSocket is faster: it owns the socket too and gathers writes.
func WebSocket[T, S ~int](ws Socket[T, S], protocols ...Protocol) (Conn, error) {
	if len(protocols) == 0 {
		protocols = append(Protocols(), BatchedProtocols()...)
	}
	p, ok := findProtocol(protocols, ws.Subprotocol())
	if !ok {
		return nil, &HandshakeError{Protocol: ws.Subprotocol(), Err: ErrNoProtocol}
	}
	return newWebSocket(ws, p, wsConfig{}), nil
}

type wsConfig struct {
	sock      *wsSocket // nil if the socket is not ours
	readLimit int
	maxSend   int
	separator byte
	tls       *tls.ConnectionState
	private   bool
}

type webSocket[T, S ~int] struct {
	wsConfig
	ws    Socket[T, S]
	proto Protocol
	typ   T

	// ctx is for all reads and writes; a caller's never reaches the library,
	// because any that ends closes the connection. Where the socket is ours it
	// never ends, since closing the socket ends everything and contexts cost
	// time at each frame. Otherwise cancel is how CloseNow interrupts a close
	// handshake.
	ctx    context.Context //nolint:containedctx // the life of the connection
	cancel context.CancelFunc

	// Writer only.
	scratch []byte

	readMu sync.Mutex // held while the library reads for us
	// Reader only.
	buf      []byte
	small    int
	rest     []byte // of a batched message
	returned int64  // messages of the library
	rerr     error

	failure atomic.Pointer[FrameError] // for the close code

	mu     sync.Mutex // guards closed, and that no ping starts after it
	closed bool
	pings  sync.WaitGroup // and drain
}

func newWebSocket[T, S ~int](ws Socket[T, S], p Protocol, cfg wsConfig) *webSocket[T, S] {
	c := &webSocket[T, S]{wsConfig: cfg, ws: ws, proto: p, typ: 2}
	if p.Text {
		c.typ = 1
	}
	if c.readLimit <= 0 {
		c.readLimit = defaultReadLimit
	}
	if c.maxSend <= 0 {
		c.maxSend = math.MaxInt32
	}
	if c.separator == 0 {
		c.separator = separator
	}
	ws.SetReadLimit(int64(c.readLimit))
	c.ctx, c.cancel = context.Background(), func() {}
	if c.sock == nil {
		c.ctx, c.cancel = context.WithCancel(c.ctx)
	} else {
		c.sock.upgraded.Store(true)
	}
	return c
}

func (c *webSocket[T, S]) Protocol() Protocol        { return c.proto }
func (c *webSocket[T, S]) MaxSend() int              { return c.maxSend }
func (c *webSocket[T, S]) TLS() *tls.ConnectionState { return c.tls }
func (c *webSocket[T, S]) Private() bool             { return c.private }

func (c *webSocket[T, S]) Buffered() bool {
	if len(c.rest) > 0 {
		return true
	}
	return c.sock != nil && c.sock.arrived.Load() > c.returned && !c.sock.link.isClosed()
}

func (c *webSocket[T, S]) Read() ([]byte, error) {
	if c.rerr != nil {
		return nil, c.rerr
	}
	m, err := c.read()
	if err != nil {
		c.rerr = err
	}
	return m, err
}

func (c *webSocket[T, S]) read() ([]byte, error) {
	if c.isClosed() {
		return nil, net.ErrClosed
	}
	if len(c.rest) == 0 {
		m, err := c.readMessage()
		if err != nil || !c.proto.Batched {
			return m, err
		}
		if len(m) == 0 {
			return nil, c.broken(&FrameError{Err: ErrEmptyBatch})
		}
		c.rest = m
	}
	m, rest, err := split(c.rest, c.proto.Text)
	if err != nil {
		return nil, c.broken(err)
	}
	c.rest = rest
	return m, nil
}

// readMessage reads a message of the library into buf, which grows with what
// comes.
func (c *webSocket[T, S]) readMessage() ([]byte, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	typ, r, err := c.ws.Reader(c.ctx)
	if err != nil {
		return nil, c.readError(err)
	}
	c.returned++
	switch {
	case cap(c.buf) <= readBuffer:
	case len(c.buf) > readBuffer:
		c.small = 0
	default:
		c.small++
	}
	if cap(c.buf) == 0 || cap(c.buf) > keepBuffer || c.small >= keepReads {
		c.buf, c.small = make([]byte, 0, 4<<10), 0
	}
	c.buf = c.buf[:0]
	for {
		if len(c.buf) == cap(c.buf) {
			c.buf = append(c.buf, 0)[:len(c.buf)]
		}
		n, err := r.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		switch {
		case err == io.EOF:
			if typ != c.typ {
				return nil, c.broken(&FrameError{Err: ErrFrameType})
			}
			return c.buf[:len(c.buf):len(c.buf)], nil
		case err != nil && len(c.buf) > c.readLimit:
			return nil, c.broken(&FrameError{Err: ErrTooBig, Size: len(c.buf)})
		case err != nil:
			return nil, c.readError(err)
		}
	}
}

// broken notes what the peer did wrong.
func (c *webSocket[T, S]) broken(err *FrameError) error {
	c.failure.CompareAndSwap(nil, err)
	return err
}

// readError turns what the library says into one of our errors.
func (c *webSocket[T, S]) readError(err error) error {
	if c.isClosed() {
		return net.ErrClosed
	}
	if e, ok := closeFrame(err); ok {
		return e
	}
	if c.sock != nil {
		if lost := c.sock.lost(); lost != nil {
			return fmt.Errorf("websocket: connection lost: %w", lost)
		}
	} else {
		var op net.Error
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("websocket: connection lost: %w", io.ErrUnexpectedEOF)
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
			return fmt.Errorf("websocket: connection lost: %w", err)
		}
	}
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return c.broken(&FrameError{Err: err})
}

// closeFrame finds the CloseError of a library in err. The two have different
// types of the same shape, and importing the older library for its type would
// put both into every program.
func closeFrame(err error) (*CloseError, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.ValueOf(err)
		if v.Kind() != reflect.Struct {
			continue
		}
		code, reason := v.FieldByName("Code"), v.FieldByName("Reason")
		if code.IsValid() && code.CanInt() && reason.Kind() == reflect.String {
			return &CloseError{Code: int(code.Int()), Reason: reason.String()}, true
		}
	}
	return nil, false
}

func (c *webSocket[T, S]) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	done := make(chan error, 1)
	// Ends with the pong or the connection: a ctx that ends while the library
	// writes would close the connection.
	c.pings.Go(func() { done <- c.ws.Ping(c.ctx) })
	c.mu.Unlock()
	select {
	case err := <-done:
		if err != nil && c.isClosed() {
			return net.ErrClosed
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *webSocket[T, S]) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// setClosed reports whether the connection was closed already. If not, and
// first is not nil, first is started and kill waits for it.
func (c *webSocket[T, S]) setClosed(first func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return true
	}
	c.closed = true
	if first != nil {
		c.pings.Go(first)
	}
	return false
}

// Close codes of WebSocket.
const (
	closeNormal      = 1000
	closeProtocol    = 1002
	closeUnsupported = 1003
	closeTooBig      = 1009
)

func (c *webSocket[T, S]) closeCode() S {
	err := c.failure.Load()
	switch {
	case err == nil:
		return closeNormal
	case errors.Is(err, ErrTooBig):
		return closeTooBig
	case errors.Is(err, ErrFrameType):
		return closeUnsupported
	}
	return closeProtocol
}

// Close does the close handshake, in which messages of the peer are dropped.
// The library waits for the peer no longer than five seconds.
func (c *webSocket[T, S]) Close(ctx context.Context) error {
	stop := context.AfterFunc(ctx, c.interrupt)
	if c.sock == nil {
		reading := make(chan struct{})
		idle := c.readMu.TryLock()
		if !idle {
			close(reading) // somebody else does
			c.setClosed(func() { c.readMu.Lock(); c.drain() })
		} else if c.setClosed(func() { close(reading); c.drain() }) {
			c.readMu.Unlock()
			close(reading)
		}
		<-reading
		if idle { // and it is in the library by then
			t := time.NewTimer(headStart)
			select {
			case <-t.C:
			case <-ctx.Done():
			}
			t.Stop()
		}
	} else {
		c.setClosed(nil)
	}
	_ = c.ws.Close(c.closeCode(), "")
	inTime := stop()
	c.kill()
	if !inTime {
		return ctx.Err()
	}
	return nil
}

// headStart is what the read that drains has before the library's own: nothing
// tells when it is under way.
const headStart = 5 * time.Millisecond

// drain reads for as long as the connection is there, so that a read is under
// way that interrupt can end: the library's own, in its Close, only ends after
// five seconds. The caller has locked readMu.
func (c *webSocket[T, S]) drain() {
	defer c.readMu.Unlock()
	for {
		_, r, err := c.ws.Reader(c.ctx)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
	}
}

func (c *webSocket[T, S]) CloseNow() error {
	c.setClosed(nil)
	c.kill()
	return nil
}

// interrupt makes everything the library does on the socket fail.
func (c *webSocket[T, S]) interrupt() {
	c.cancel()
	if c.sock != nil {
		_ = c.sock.link.tear()
	}
}

// kill ends the library and waits for what was started here.
func (c *webSocket[T, S]) kill() {
	c.interrupt()
	_ = c.ws.CloseNow()
	if c.sock != nil {
		c.sock.link.join()
	}
	c.pings.Wait()
}
