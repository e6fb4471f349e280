package transport

import (
	"net"
	"sync/atomic"
)

// dialed is a socket while HTTP is spoken over it, with TLS where we do that. It
// remembers what the peer begins with.
type dialed struct {
	net.Conn
	link  *link
	first atomic.Pointer[[]byte]
}

func newDialed(conn net.Conn) *dialed {
	l := newLink(conn)
	return &dialed{Conn: l.conn, link: l}
}

func (s *dialed) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if n > 0 && s.first.Load() == nil {
		first := append([]byte(nil), p[:min(n, firstBytes)]...)
		s.first.Store(&first)
	}
	return n, err
}

// Write keeps our writer out until it has returned: the answer to a request may
// come before that.
func (s *dialed) Write(p []byte) (int, error) {
	if err := s.link.acquire(); err != nil {
		return 0, err
	}
	defer s.link.release()
	return s.Conn.Write(p)
}

// Close is called by the HTTP transport.
func (s *dialed) Close() error { return s.link.finishSoon() }

// firstBytes is how much is kept of what a peer begins with.
const firstBytes = 16
