package wamptest

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// WithPingHangUp makes a RawSocket listener hang up on a client that sends a
// PING. Seen at Crossbar, which takes the first byte of a frame for one of its
// length; a router with CrossbarQuirks does so by itself.
func WithPingHangUp() ListenOption { return listenFunc(func(c *listenConfig) { c.hangUp = true }) }

// pingTrap is a socket that is closed when a PING comes. What stands before it
// is still read.
type pingTrap struct {
	net.Conn
	left   int // bytes to the next frame that are not looked at: at first the handshake
	head   int // bytes of the length that have been read, 3 outside of a header
	length int
	sprung bool
}

func newPingTrap(c net.Conn) *pingTrap { return &pingTrap{Conn: c, left: 4, head: 3} }

// Read implements net.Conn.
func (c *pingTrap) Read(p []byte) (int, error) {
	n, err := 0, error(nil)
	if !c.sprung {
		n, err = c.Conn.Read(p)
		n, c.sprung = c.scan(p[:n])
	}
	if c.sprung && n == 0 {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// scan returns where in p a PING begins, or the end.
func (c *pingTrap) scan(p []byte) (n int, ping bool) {
	for i := 0; i < len(p); {
		switch {
		case c.left > 0:
			skip := min(c.left, len(p)-i)
			c.left, i = c.left-skip, i+skip
			continue
		case c.head < 3:
			c.length = c.length<<8 | int(p[i])
			if c.head++; c.head == 3 {
				c.left = c.length
			}
		case p[i]&0x07 == 1:
			return i, true
		default:
			c.head, c.length = 0, 0
			if p[i]&0x08 != 0 {
				c.length = 1 // of 25 bits
			}
		}
		i++
	}
	return len(p), false
}

// Close implements net.Conn.
func (c *pingTrap) Close() error {
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.NetConn().Close() // at once: TLS would say goodbye first
	}
	return c.Conn.Close()
}

// trapPings puts a trap under the RawSocket of a connection. TLS is done by then.
func trapPings(ctx context.Context, conn net.Conn) (trapped net.Conn, state *tls.ConnectionState, err error) {
	if t, ok := conn.(*tls.Conn); ok {
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, nil, err
		}
		s := t.ConnectionState()
		state = &s
	}
	return newPingTrap(conn), state, nil
}

// tlsConn is a connection whose TLS lies under a trap.
type tlsConn struct {
	transport.Conn
	state *tls.ConnectionState
}

// TLS implements transport.Conn.
func (c tlsConn) TLS() *tls.ConnectionState { return c.state }
