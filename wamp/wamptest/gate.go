package wamptest

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// gate is what a stalled link waits at. The zero gate is open.
type gate struct {
	mu     sync.Mutex    // never held across a call
	barred chan struct{} // closed when the gate opens, nil while it is open

	piped   bool                                 // a pipeClient reads closing
	closing atomic.Pointer[transport.CloseError] // how the router has closed the pipe, if not just so
}

// closeWith says with which code a pipe is about to be closed. It reports
// whether there is a client who sees it.
func (g *gate) closeWith(e *transport.CloseError) bool {
	if g.piped {
		g.closing.Store(e)
	}
	return g.piped
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.barred == nil {
		g.barred = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.barred != nil {
		close(g.barred)
		g.barred = nil
	}
}

// wait returns when the gate is open. It reports false when stop came first.
func (g *gate) wait(stop <-chan struct{}) bool {
	for {
		g.mu.Lock()
		barred := g.barred
		g.mu.Unlock()
		if barred == nil {
			return true
		}
		select {
		case <-barred:
		case <-stop:
			return false
		}
	}
}

// pipeClient is the client's end of a pipe whose pings wait at the gate too:
// nothing answers them while the link is stalled. A pipe has no close codes, so
// it gets them past it.
type pipeClient struct {
	transport.Conn
	transport.TryWriter
	gate *gate
}

func newPipeClient(c transport.Conn, g *gate) transport.Conn {
	try, ok := c.(transport.TryWriter)
	if !ok {
		return c
	}
	g.piped = true
	return &pipeClient{Conn: c, TryWriter: try, gate: g}
}

// Read implements transport.Conn.
func (c *pipeClient) Read() ([]byte, error) {
	data, err := c.Conn.Read()
	if err != nil && errors.As(err, new(*transport.CloseError)) {
		if e := c.gate.closing.Load(); e != nil {
			return nil, e
		}
	}
	return data, err
}

// Ping implements transport.Conn.
func (c *pipeClient) Ping(ctx context.Context) error {
	if !c.gate.wait(ctx.Done()) {
		return ctx.Err()
	}
	return c.Conn.Ping(ctx)
}

// Private tells transport.Private that nobody can listen.
func (c *pipeClient) Private() bool { return true }

// gatedConn is an accepted socket that waits at a gate.
type gatedConn struct {
	net.Conn
	gate   *gate
	once   sync.Once
	closed chan struct{}
}

func newGatedConn(c net.Conn) *gatedConn {
	return &gatedConn{Conn: c, gate: new(gate), closed: make(chan struct{})}
}

// Read implements net.Conn.
func (c *gatedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.gate.wait(c.closed) {
		return 0, net.ErrClosed
	}
	return n, err
}

// Write implements net.Conn.
func (c *gatedConn) Write(p []byte) (int, error) {
	if !c.gate.wait(c.closed) {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
