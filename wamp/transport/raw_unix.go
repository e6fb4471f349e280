//go:build unix

package transport

import (
	"net"
	"syscall"
)

// rawWriter writes to a socket without blocking. It keeps what a call needs,
// so that a call allocates nothing.
type rawWriter struct {
	rc     syscall.RawConn
	write1 func(fd uintptr) bool
	p      []byte
	n      int
	err    error
}

// init takes plain sockets only: something built on one may have a Write of
// its own.
func (w *rawWriter) init(conn net.Conn) {
	var err error
	switch c := conn.(type) {
	case *net.TCPConn:
		w.rc, err = c.SyscallConn()
	case *net.UnixConn:
		w.rc, err = c.SyscallConn()
	}
	if err != nil {
		w.rc = nil
	}
	w.write1 = w.once
}

func (w *rawWriter) ok() bool { return w.rc != nil }

// write writes what the system takes of p at once.
func (w *rawWriter) write(p []byte) (int, error) {
	w.p, w.n, w.err = p, 0, nil
	err := w.rc.Write(w.write1)
	w.p = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// once returns true always: the caller does not want to wait.
func (w *rawWriter) once(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.p)
		switch err {
		case nil:
			w.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
		default:
			w.err = err
		}
		return true
	}
}
