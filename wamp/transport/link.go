package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is the writing side of a socket. Two parties write: the writer of the
// connection, which may block for as long as the peer does not read, and the
// reading side, which answers pings and must never wait for a peer that is
// itself waiting for us to read. So what the reading side has to say goes into
// a queue, and a goroutine that lives only as long as there is something in it
// brings it to the socket between two writes of the writer.
type link struct {
	conn   net.Conn  // TLS where there is TLS; trusted
	bottom net.Conn  // the socket; trusted
	tls    *tls.Conn // nil without TLS
	raw    rawWriter

	token   chan struct{} // held by who writes to the socket
	closed  chan struct{} // closed by tear
	tearing atomic.Bool
	torn    chan struct{} // closed when tear is done
	flooded atomic.Bool   // more than maxPongs wait: for the reading side

	// Held with the token.
	cur []byte // taken from the queue
	off int    // how much of it is on its way

	mu       sync.Mutex // guards the rest, never held across a call that blocks
	queue    []byte
	pongs    [2]int // bytes of pongs in queue and in cur, where the queue has more than those
	corked   bool   // the writer is going to flush
	flushing bool   // the goroutine lives
	over     bool   // no more goroutines
	err      error  // of the first failed write
	flushers sync.WaitGroup
}

// A queue whose memory has grown past this is given back.
const keepQueue = 1 << 20

func newLink(conn net.Conn) *link {
	conn = guard(conn)
	l := &link{conn: conn, bottom: bottom(conn), token: make(chan struct{}, 1), closed: make(chan struct{}), torn: make(chan struct{})}
	l.tls, _ = unguard(conn).(*tls.Conn)
	if l.bottom == l.conn {
		l.raw.init(conn)
	}
	return l
}

// bottom is the socket under TLS.
func bottom(conn net.Conn) net.Conn {
	for {
		switch upper := conn.(type) {
		case *tls.Conn:
			conn = upper.NetConn()
		case *dialed:
			conn = upper.Conn
		default:
			return conn
		}
	}
}

// acquire takes the right to write to the socket.
func (l *link) acquire() error {
	select {
	case l.token <- struct{}{}:
		err := l.failed()
		if err != nil {
			l.release()
		}
		return err
	case <-l.closed:
		return net.ErrClosed
	}
}

func (l *link) tryAcquire() bool {
	select {
	case l.token <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *link) release() { <-l.token }

// failed returns the error of an earlier write. After it the stream may end
// inside a frame, so nothing more may be written.
func (l *link) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// fail keeps the first error of a write. What the peer has sent before can
// still be read.
func (l *link) fail(err error) error {
	if l.isClosed() {
		return net.ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	return err
}

// enqueue takes p over for the goroutine, or for the writer if that is going
// to flush. It never blocks. It returns the size of the queue.
func (l *link) enqueue(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return 0, net.ErrClosed
	}
	if l.err != nil {
		return 0, l.err
	}
	l.queue = append(l.queue, p...)
	if !l.corked && !l.flushing {
		l.flushing = true
		l.flushers.Go(l.flusher) // ends when the queue is empty or the socket is closed
	}
	return len(l.queue), nil
}

// queued is the size of the queue.
func (l *link) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// pong notes that a pong of n bytes goes into the queue.
func (l *link) pong(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pongs[0] += n; l.pongs[0]+l.pongs[1] > maxPongs {
		l.flooded.Store(true)
	}
}

func (l *link) flusher() {
	for {
		err := l.flush()
		l.mu.Lock()
		if err != nil || len(l.queue) == 0 || l.corked {
			l.flushing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// cork says that the writer is going to flush, so that nobody else has to.
func (l *link) cork() {
	l.mu.Lock()
	l.corked = true
	l.mu.Unlock()
}

func (l *link) uncork() {
	l.mu.Lock()
	l.corked = false
	l.mu.Unlock()
}

// flush writes what is in the queue. It blocks until the socket has taken it.
func (l *link) flush() error {
	if err := l.acquire(); err != nil {
		return err
	}
	defer l.release()
	return l.empty()
}

// empty is flush for who has the token.
func (l *link) empty() error {
	for l.take() {
		n, err := l.conn.Write(l.cur[l.off:])
		l.off += n
		if err != nil {
			return l.fail(err)
		}
	}
	return nil
}

// tryFlush is flush without blocking. It reports whether the queue is empty.
func (l *link) tryFlush() (bool, error) {
	if !l.raw.ok() || !l.tryAcquire() {
		return false, nil
	}
	defer l.release()
	return l.tryEmpty()
}

// tryEmpty is tryFlush for who has the token.
func (l *link) tryEmpty() (bool, error) {
	for l.take() {
		n, err := l.raw.write(l.cur[l.off:])
		l.off += n
		if err != nil {
			return false, l.fail(err)
		}
		if l.off < len(l.cur) {
			return false, nil
		}
	}
	return true, nil
}

// take makes sure that there is something in cur; false if there is nothing.
func (l *link) take() bool {
	if l.off < len(l.cur) {
		return true
	}
	empty := l.cur[:0]
	if cap(empty) > keepQueue {
		empty = nil
	}
	l.mu.Lock()
	l.cur, l.queue = l.queue, empty
	l.pongs[1], l.pongs[0] = l.pongs[0], 0
	l.flooded.Store(l.pongs[1] > maxPongs)
	l.mu.Unlock()
	l.off = 0
	return len(l.cur) > 0
}

func (l *link) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// tear closes the socket under everything, which unblocks all who use it.
func (l *link) tear() error {
	if l.tearing.Swap(true) {
		<-l.torn // after hangUpWait at the latest
		return nil
	}
	defer close(l.torn)
	close(l.closed)
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	err := hangUp(l.bottom.Close)
	if errors.Is(err, net.ErrClosed) { // TLS has closed it
		return nil
	}
	return err
}

// join waits for the goroutine, after tear.
func (l *link) join() { l.flushers.Wait() }

// finish ends the link in order, bounded by ctx and by closeWait. It reports
// ctx's error if that ended it. If ctx has ended before, what needs no waiting
// is done all the same.
func (l *link) finish(ctx context.Context) error {
	d := closeWait
	var ended <-chan struct{}
	if ctx.Err() == nil {
		ended = ctx.Done()
	} else {
		d = lastWords
	}
	err := within(ended, d, func() { _ = l.tear() }, l.end)
	if ctx.Err() != nil && errors.Is(err, net.ErrClosed) {
		return ctx.Err()
	}
	return err
}

// finishSoon is finish where there is no context, bounded by closeFlush.
func (l *link) finishSoon() error {
	if l.isClosed() {
		return nil
	}
	return within(nil, closeFlush, func() { _ = l.tear() }, l.end)
}

// within runs f, and interrupts it when ended is closed or after d.
func within(ended <-chan struct{}, d time.Duration, interrupt func(), f func() error) error {
	done := make(chan error, 1)
	go run(f, func(err error) { done <- err }) // ends when it is interrupted
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-ended:
	case <-t.C:
	}
	interrupt()
	return <-done
}

// end writes what is left, then ends TLS and the socket in order.
func (l *link) end() error {
	err := l.flush()
	if err == nil && l.tls != nil {
		done := make(chan error, 1)
		go run(l.tls.Close, func(err error) { done <- err }) // close_notify; ends with the socket
		select {
		case err = <-done:
		case <-l.closed:
			err = net.ErrClosed
		}
	}
	if err2 := l.tear(); err == nil {
		err = err2
	}
	return err
}
