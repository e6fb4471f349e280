//go:build !js

package transport

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// wsSocket is the net.Conn under a WebSocket library, once upgraded. It reads in
// large pieces and counts the messages in them. A Write of the library never
// blocks: it goes into the queue of the link, which our writer flushes after a
// burst, and the link's goroutine where the library answers a ping or a close
// frame from the reading side.
type wsSocket struct {
	net.Conn
	link *link

	// Reader only. The library may read from two goroutines while it closes,
	// one at a time.
	src  io.Reader
	buf  []byte
	r, w int
	scan frameScanner

	arrived atomic.Int64 // messages that have been read from the socket in full
	readErr atomic.Pointer[error]

	said    chan struct{} // closed when a close frame is in the queue
	sayOnce sync.Once
}

// newWSSocket returns the socket over a link. src gives what comes behind the
// handshake, and early is what has come already.
func newWSSocket(l *link, src io.Reader, early []byte) *wsSocket {
	s := &wsSocket{Conn: l.conn, link: l, src: src, said: make(chan struct{})}
	if len(early) > 0 {
		s.buf = make([]byte, max(readBuffer, len(early)))
		s.w = copy(s.buf, early)
		s.arrived.Add(s.scan.feed(early))
	}
	return s
}

// errHangUp is what the library is told when the peer has hung up. It takes an
// io.EOF inside a frame for the end of the message, and would hand out a part
// as the whole; so would compression with io.ErrUnexpectedEOF.
var errHangUp = errors.New("the peer has hung up")

func (s *wsSocket) Read(p []byte) (int, error) {
	n, err := s.read(p)
	if err == io.EOF {
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

// receive reads from the socket. While too many pongs wait for a peer that
// does not read, it waits too: not inside a control frame, whose reading the
// library gives five seconds, but at its end.
func (s *wsSocket) receive(p []byte) (int, error) {
	if s.link.flooded.Load() {
		if n := s.scan.inControl(); n > 0 {
			p = p[:min(uint64(len(p)), n)]
		} else if err := s.link.flush(); err != nil && s.link.isClosed() {
			return 0, err
		}
	}
	n, err := s.src.Read(p)
	if messages := s.scan.feed(p[:n]); messages > 0 {
		s.arrived.Add(messages)
	}
	if err != nil {
		s.readErr.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (s *wsSocket) Write(p []byte) (int, error) {
	if _, err := s.link.enqueue(p); err != nil {
		return 0, err
	}
	if len(p) > 0 && len(p) <= closeFrameSize && p[0] == 0x88 {
		s.sayOnce.Do(func() { close(s.said) })
	}
	return len(p), nil
}

// closeFrameSize is the size of a masked close frame without a reason. The
// library writes it at once; the end of a long message may look like one, which
// does no harm.
const closeFrameSize = 8

// Close is called by the library, at the end of a close handshake too: the
// frame that answers the peer's may still be in the queue.
func (s *wsSocket) Close() error { return s.link.finishSoon() }

// pinged notes that the library is going to answer a ping, and lets it.
func (s *wsSocket) pinged(payload []byte) bool {
	if s != nil {
		s.link.pong(len(payload) + pongHeader)
	}
	return true
}

// pongHeader is what a pong has beside its payload, masked or not.
const pongHeader = 6

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
