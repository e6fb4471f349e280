package transport

import (
	"crypto/tls"
	"net"
)

// private reports whether nobody on the way can read what goes over conn.
func private(conn net.Conn) bool {
	if _, ok := conn.(*tls.Conn); ok {
		return true
	}
	switch a := conn.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	case nil:
		return false
	default:
		return a.Network() == "pipe" // net.Pipe
	}
}

func tlsState(conn net.Conn) *tls.ConnectionState {
	c, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := c.ConnectionState()
	return &state
}
