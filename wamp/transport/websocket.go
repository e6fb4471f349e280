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
	"unicode/utf8"
)

// defaultReadLimit is the largest WebSocket message that is received unless
// an option says otherwise.
const defaultReadLimit = 16 << 20

type wsConfig struct {
	readLimit int
	maxSend   int
	separator byte
	tls       *tls.ConnectionState
	private   bool
}

// wsConn is what the kinds of WebSocket connections have in common: with frames of
// our own, with the library's over a socket of our own, and over somebody's
// connection.
type wsConn struct {
	wsConfig
	proto Protocol
	broke func() error // why the socket is of no more use; nil if it is not ours

	scratch []byte // writer only

	// Reader only.
	rest []byte // of a batched message
	rerr error

	failure atomic.Pointer[FrameError] // what the peer did wrong, for the close code
	said    atomic.Pointer[CloseError] // the peer's close frame, unless it answers ours
	read    chan struct{}              // closed when reading is over

	ending atomic.Bool   // by Close
	shut   atomic.Bool   // by Close or CloseNow
	closed chan struct{} // closed with shut
	dead   chan struct{} // closed when the connection is torn down
	die    sync.Once
	pings  pinger
	crew   crew
}

func (c *wsConn) init(p Protocol, cfg wsConfig, ping func() error) {
	c.wsConfig, c.proto = cfg, p
	if c.readLimit <= 0 {
		c.readLimit = defaultReadLimit
	}
	if c.maxSend <= 0 {
		c.maxSend = math.MaxInt32
	}
	if c.separator == 0 {
		c.separator = separator
	}
	c.read, c.closed, c.dead = make(chan struct{}), make(chan struct{}), make(chan struct{})
	c.pings.send, c.pings.crew = ping, &c.crew
}

func (c *wsConn) Protocol() Protocol        { return c.proto }
func (c *wsConn) MaxSend() int              { return c.maxSend }
func (c *wsConn) TLS() *tls.ConnectionState { return c.tls }
func (c *wsConn) Private() bool             { return c.private }

// close notes that the connection is closed, and reports whether it was not.
func (c *wsConn) close() bool {
	if c.shut.Swap(true) {
		return false
	}
	close(c.closed)
	return true
}

// next returns the next message. receive gives one of the library.
func (c *wsConn) next(receive func() ([]byte, error)) ([]byte, error) {
	if c.rerr != nil {
		return nil, c.rerr
	}
	m, err := c.unbatch(receive)
	if err != nil {
		c.rerr = err
		return nil, err
	}
	return m, nil
}

func (c *wsConn) unbatch(receive func() ([]byte, error)) ([]byte, error) {
	if c.shut.Load() {
		return nil, net.ErrClosed
	}
	if len(c.rest) == 0 {
		m, err := receive()
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

// readBuf is a buffer that grows with what comes, and shrinks again.
type readBuf struct {
	b     []byte
	small int // messages since one needed the grown buffer
}

// fill reads a message of the library.
func (b *readBuf) fill(r io.Reader) error {
	switch {
	case cap(b.b) <= readBuffer:
	case len(b.b) > readBuffer:
		b.small = 0
	default:
		b.small++
	}
	if cap(b.b) == 0 || cap(b.b) > keepBuffer || b.small >= keepReads {
		b.b, b.small = make([]byte, 0, 4<<10), 0
	}
	b.b = b.b[:0]
	for {
		if len(b.b) == cap(b.b) {
			b.b = append(b.b, 0)[:len(b.b)]
		}
		n, err := r.Read(b.b[len(b.b):cap(b.b)])
		b.b = b.b[:len(b.b)+n]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// message looks at what the library has read: a message if err is nil.
func (c *wsConn) message(m []byte, text bool, err error) error {
	switch {
	case err != nil && len(m) > c.readLimit:
		return c.broken(&FrameError{Err: ErrTooBig, Size: len(m)})
	case err != nil:
		return c.readError(err)
	case text != c.proto.Text:
		return c.broken(&FrameError{Err: ErrFrameType})
	case text && !utf8.Valid(m):
		return c.broken(&FrameError{Err: ErrNotUTF8})
	}
	return nil
}

// broken notes what the peer did wrong.
func (c *wsConn) broken(err *FrameError) error {
	c.failure.CompareAndSwap(nil, err)
	return err
}

// readError turns what the library says into one of our errors. A close frame
// that the peer has sent by itself counts even if the connection has been torn
// down meanwhile.
func (c *wsConn) readError(err error) error {
	if e, ok := closeFrame(err); ok && !c.ending.Load() {
		c.said.CompareAndSwap(nil, e)
		return e
	}
	if c.shut.Load() {
		return net.ErrClosed
	}
	if c.broke != nil {
		if lost := c.broke(); lost != nil {
			return fmt.Errorf("websocket: connection lost: %w", lost)
		}
	} else {
		var op net.Error
		var panicked *PanicError
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("websocket: connection lost: %w", io.ErrUnexpectedEOF)
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op), errors.As(err, &panicked):
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

// writeError makes the error of a write that has failed. The peer may have said
// why, in a close frame that is about to be read.
func (c *wsConn) writeError(err error) error {
	t := time.NewTimer(closeFlush)
	defer t.Stop()
	select {
	case <-c.read:
	case <-c.closed:
	case <-t.C:
	}
	if e := c.said.Load(); e != nil {
		return e
	}
	if c.shut.Load() || errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	if c.broke != nil {
		if lost := c.broke(); lost != nil {
			return lost
		}
	}
	return err
}

// Ping sends a ping, or waits for the one that is under way and then sends one:
// a library's ends with its pong and not before.
func (c *wsConn) Ping(ctx context.Context) error { return c.pings.ping(ctx, c.closed) }

// libraryWait is how long the libraries take for a close handshake.
const libraryWait = 2 * closeWait

// Close codes of WebSocket.
const (
	closeNormal      = 1000
	closeProtocol    = 1002
	closeUnsupported = 1003
	closeNone        = 1005 // never sent
	closeAbnormal    = 1006 // never sent: the other side is gone without a close frame
	closeNotUTF8     = 1007
	closeTooBig      = 1009
)

func (c *wsConn) closeCode() int {
	err := c.failure.Load()
	switch {
	case err == nil:
		return closeNormal
	case errors.Is(err, ErrTooBig):
		return closeTooBig
	case errors.Is(err, ErrFrameType) && !errors.Is(err, errOpcode):
		return closeUnsupported
	case errors.Is(err, ErrNotUTF8):
		return closeNotUTF8
	}
	return closeProtocol
}

// handshake does the close handshake by f and then tears the connection down by
// kill. It is bounded by ctx and by d. Where ctx has ended before, quick says what of f
// needs no waiting.
func (c *wsConn) handshake(ctx context.Context, d time.Duration, f func() error, quick func(done, timeout <-chan struct{}), kill func() error) error {
	if !c.close() { // somebody else does it
		select {
		case <-c.dead:
		case <-ctx.Done():
			_ = kill()
		}
		return nil
	}
	ended := ctx.Err() != nil
	done := make(chan struct{})
	c.crew.start(f, func(error) { close(done) })
	over := ctx.Done()
	if ended {
		d, over = lastWords, nil
	}
	timeout := make(chan struct{})
	t := time.AfterFunc(d, func() { close(timeout) })
	defer t.Stop()
	switch {
	case ended:
		quick(done, timeout)
	default:
		select {
		case <-done:
		case <-timeout:
		case <-over:
		}
	}
	inTime := ctx.Err() == nil
	select {
	case <-done:
		inTime = true
	default:
	}
	err := kill()
	if !inTime {
		return ctx.Err()
	}
	return err
}
