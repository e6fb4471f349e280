package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// What is not ours may block for ever, panic or end its goroutine: a net.Conn
// of the user's, a WebSocket library's connection, a dialer, a proxy function.
// It runs on goroutines of its own. When the connection is closed, nobody
// waits for them longer than hangUpWait.

const (
	// hangUpWait is how long tearing down waits for code that is not ours.
	hangUpWait = time.Second
	// closeFlush bounds how long a connection that the peer has closed waits
	// for what is still in its queue.
	closeFlush = time.Second
	// closeWait bounds Close where its context does not.
	closeWait = 5 * time.Second
	// emptyReads is how often in a row a connection may read nothing.
	emptyReads = 100
	// lastWords is what a Close has whose context has ended before: time for
	// what needs no waiting.
	lastWords = 50 * time.Millisecond
)

// errStuck says that a connection was left behind.
var errStuck = errors.New("transport: the connection's Close does not return")

// run calls f, which may panic or end its goroutine, and tells done what
// became of it.
func run(f func() error, done func(error)) {
	err := errors.New("runtime.Goexit was called")
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		done(err)
	}()
	err = f()
}

// safely calls f where a panic, or the end of the goroutine, would be somebody
// else's.
func safely(f func() error) error {
	done := make(chan error, 1)
	go run(f, func(err error) { done <- err }) // ends with f
	return <-done
}

// hangUp closes a connection and waits for that, but not for long.
func hangUp(closing func() error) error {
	done := make(chan error, 1)
	go run(closing, func(err error) { done <- err }) // ends with the Close, which may be never
	t := time.NewTimer(hangUpWait)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return errStuck
	}
}

// crew counts the goroutines that are in code which is not ours.
type crew struct {
	mu   sync.Mutex    // guards the rest, never held across a call
	n    int           // goroutines
	idle chan struct{} // closed when there are none, nil while nobody waits
}

// start runs f on a goroutine. It ends when f does.
func (c *crew) start(f func() error, done func(error)) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	go run(f, func(err error) {
		done(err)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.n--; c.n == 0 && c.idle != nil {
			close(c.idle)
			c.idle = nil
		}
	})
}

// wait waits until all goroutines have ended, no longer than d.
func (c *crew) wait(d time.Duration) error {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-idle:
		return nil
	case <-t.C:
		return errStuck
	}
}

// netPipe is the type of what net.Pipe returns.
var netPipe = func() reflect.Type {
	a, _ := net.Pipe()
	return reflect.TypeOf(a)
}()

// trusted reports whether Close of conn ends its Read and Write, and returns.
func trusted(conn net.Conn) bool {
	switch c := conn.(type) {
	case *net.TCPConn, *net.UnixConn, *guarded, *dialed:
		return true
	case *tls.Conn:
		return trusted(c.NetConn())
	}
	return reflect.TypeOf(conn) == netPipe
}

// guarded makes a net.Conn that is not trusted a trusted one: what it does
// runs on goroutines of its own and in memory of its own, so that Read and
// Write return when it is closed, whatever the conn is doing. One goroutine
// reads, one writes.
type guarded struct {
	net.Conn
	shut   atomic.Bool
	closed chan struct{}

	// Reader only, and the goroutine that reads for it.
	in       []byte
	r, w     int
	inErr    error
	inDone   chan error
	inN      int
	readOnce func() error // and what takes its result
	readDone func(error)

	// Writer only, and the goroutine that writes for it.
	out       []byte
	outDone   chan error
	outN      int
	writeOnce func() error
	writeDone func(error)
}

// guard returns conn if it is trusted, else what makes it so.
func guard(conn net.Conn) net.Conn {
	if trusted(conn) {
		return conn
	}
	g := &guarded{Conn: conn, closed: make(chan struct{}), inDone: make(chan error, 1), outDone: make(chan error, 1)}
	g.readOnce, g.writeOnce = g.readConn, g.writeConn
	g.readDone, g.writeDone = func(err error) { g.inDone <- err }, func(err error) { g.outDone <- err }
	return g
}

// unguard returns what the user gave.
func unguard(conn net.Conn) net.Conn {
	if g, ok := conn.(*guarded); ok {
		return g.Conn
	}
	return conn
}

// Read implements net.Conn.
func (g *guarded) Read(p []byte) (int, error) {
	if g.shut.Load() {
		return 0, net.ErrClosed
	}
	if g.r == g.w && g.inErr == nil && len(p) > 0 {
		if g.in == nil {
			g.in = make([]byte, readBuffer)
		}
		go run(g.readOnce, g.readDone) // ends with the Read
		select {
		case g.inErr = <-g.inDone:
			g.r, g.w = 0, g.inN
		case <-g.closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(p, g.in[g.r:g.w])
	if g.r += n; n > 0 || len(p) == 0 {
		return n, nil
	}
	err := g.inErr
	g.inErr = nil
	return 0, err
}

func (g *guarded) readConn() error {
	g.inN = 0
	var n int
	var err error
	for tries := 0; n == 0 && err == nil; tries++ {
		if tries == emptyReads || g.shut.Load() {
			return io.ErrNoProgress
		}
		n, err = g.Conn.Read(g.in)
	}
	if n < 0 || n > len(g.in) {
		return fmt.Errorf("the connection read %d of %d bytes", n, len(g.in))
	}
	g.inN = n
	return err
}

// Write implements net.Conn.
func (g *guarded) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if g.shut.Load() {
			return n, net.ErrClosed
		}
		g.out = append(g.out[:0], p[:min(len(p), flushAfter)]...)
		go run(g.writeOnce, g.writeDone) // ends with the Write
		select {
		case err = <-g.outDone:
			n += g.outN
			p = p[g.outN:]
			if err != nil {
				return n, err
			}
		case <-g.closed:
			return n, net.ErrClosed
		}
	}
	return n, nil
}

func (g *guarded) writeConn() error {
	g.outN = 0
	n, err := g.Conn.Write(g.out)
	g.outN = min(max(n, 0), len(g.out))
	if err == nil && n != len(g.out) {
		err = io.ErrShortWrite
	}
	return err
}

// Close implements net.Conn. TLS that the user has put above a socket is not
// ended in order here: that waits for the peer.
func (g *guarded) Close() error {
	if g.shut.Swap(true) {
		return net.ErrClosed
	}
	close(g.closed)
	return hangUp(bottom(g.Conn).Close)
}
