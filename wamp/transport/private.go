package transport

import (
	"crypto/tls"
	"net"
)

// private reports whether nobody on the way can read what goes over conn.
func private(conn net.Conn) bool {
	if _, ok := unguard(conn).(*tls.Conn); ok {
		return true
	}
	switch a := remoteAddr(conn).(type) {
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

// remoteAddr asks a conn of the user's with care.
func remoteAddr(conn net.Conn) (a net.Addr) {
	if _, foreign := conn.(*guarded); !foreign {
		return conn.RemoteAddr()
	}
	_ = safely(func() error {
		a = conn.RemoteAddr()
		return nil
	})
	return a
}

func tlsState(conn net.Conn) *tls.ConnectionState {
	c, ok := unguard(conn).(*tls.Conn)
	if !ok {
		return nil
	}
	state := c.ConnectionState()
	return &state
}
