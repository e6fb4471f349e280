package transport

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// wsSocket is the net.Conn under a WebSocket library. It reads in large pieces
// and counts the messages in them. Once upgraded, a Write of the library never
// blocks: it goes into the queue of the link, which our writer flushes after a
// burst, and the link's goroutine where the library answers a ping or a close
// frame from the reading side.
type wsSocket struct {
	net.Conn
	link     *link
	upgraded atomic.Bool

	// Reader only. The library may read from two goroutines while it closes,
	// one at a time.
	buf  []byte
	r, w int
	scan frameScanner

	arrived atomic.Int64 // messages that have been read from the socket in full
	readErr atomic.Pointer[error]
}

func newWSSocket(conn net.Conn) *wsSocket {
	return &wsSocket{Conn: conn, link: newLink(conn)}
}

// errHangUp is what the library is told when the peer has hung up. It takes an
// io.EOF inside a frame for the end of the message, and would hand out a part
// as the whole; so would compression with io.ErrUnexpectedEOF.
var errHangUp = errors.New("the peer has hung up")

func (s *wsSocket) Read(p []byte) (int, error) {
	n, err := s.read(p)
	if err == io.EOF && s.upgraded.Load() {
		err = errHangUp
	}
	return n, err
}

func (s *wsSocket) read(p []byte) (int, error) {
	if s.r < s.w {
		n := copy(p, s.buf[s.r:s.w])
		s.r += n
		return n, nil
	}
	if len(p) >= readBuffer {
		return s.receive(p)
	}
	if s.buf == nil {
		s.buf = make([]byte, readBuffer)
	}
	n, err := s.receive(s.buf)
	if n == 0 {
		return 0, err
	}
	s.r, s.w = copy(p, s.buf[:n]), n
	return s.r, nil
}

// receive reads from the socket.
func (s *wsSocket) receive(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if messages := s.scan.feed(p[:n]); messages > 0 {
		s.arrived.Add(messages)
	}
	if err != nil {
		s.readErr.CompareAndSwap(nil, &err)
	}
	return n, err
}

// preload puts p in front of what the socket gives.
func (s *wsSocket) preload(p []byte) {
	s.buf = make([]byte, max(readBuffer, len(p)))
	s.w = copy(s.buf, p)
	s.arrived.Add(s.scan.feed(p))
}

func (s *wsSocket) Write(p []byte) (int, error) {
	if !s.upgraded.Load() {
		return s.Conn.Write(p)
	}
	if _, err := s.link.enqueue(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close is called by the library, at the end of a close handshake too: the
// frame that answers the peer's may still be in the queue.
func (s *wsSocket) Close() error {
	if s.link.isClosed() {
		return nil
	}
	_ = s.Conn.SetWriteDeadline(time.Now().Add(closeFlush))
	return s.link.end()
}

// lost returns why the socket is of no more use, nil if it is.
func (s *wsSocket) lost() error {
	if e := s.readErr.Load(); e != nil {
		if *e == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return *e
	}
	return s.link.failed()
}
