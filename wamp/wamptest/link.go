package wamptest

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

const (
	linkBatches = 4         // how many batches of a link may wait for the actor
	batchLen    = 256       // messages of a batch
	batchBytes  = 256 << 10 // payload of a batch
	keepBatch   = 1 << 20   // memory an empty batch may keep
	muchQueued  = 64 << 20  // bytes for a client that are worth a note
	endTimeout  = time.Second
)

var errTooBig = errors.New("the message is larger than the receiver accepts")

// link is one connection, with a reader and a writer goroutine. It outlives a
// session that ends with GOODBYE, and can carry another one then.
type link struct {
	router *Router
	conn   transport.Conn
	codec  codec.Codec
	gate   *gate
	ears   gate // the reader alone waits at it
	origin origin
	torn   chan struct{} // closed by the actor when the link is cut
	free   chan *batch   // the reader's batches that the actor has done with
	bell   chan struct{} // wakes the writer, capacity 1

	mu      sync.Mutex // guards the rest of the block, never held across a call
	out     *transport.Batch
	ending  bool                  // end the connection in order when out has been written
	closing *transport.CloseError // how, if not just so
	abrupt  bool                  // not in order: cut

	// Actor only.

	state   proto.State
	session *session // nil without one
	login   *login   // the login under way
	dirty   bool
	closed  bool          // cut, or about to be closed: nothing is sent any more
	lost    bool          // cut, or to be cut behind what is queued: there is no session, but for WithHalfOpen
	down    bool          // torn is closed
	late    []lateMessage // held back by Delay, in order
	final   bool          // close when late is empty

	lateTimer timer // of the first one of late
	leaving   timer // of the session that WithHalfOpen keeps
	patience  timer // of sever
}

// lateMessage is one that Delay holds back.
type lateMessage struct {
	due     time.Time
	message *proto.Message
}

// origin is what a listener knows of a connection.
type origin struct {
	cert   *x509.Certificate // of the listener
	header http.Header       // of the request of a WebSocket
	cookie string            // see WithCookies
	socket net.Conn          // under a WebSocket, TLS where there is TLS
}

// batch is a run of messages with the memory of their payloads.
type batch struct {
	messages []proto.Message
	memory   []byte
}

// attach takes over a connection. When there is an error it is torn down.
func (r *Router) attach(conn transport.Conn, g *gate, from origin) error {
	c, ok := codec.ByName(conn.Protocol().Serializer())
	if !ok {
		_ = conn.CloseNow()
		return &transport.HandshakeError{Err: transport.ErrNoProtocol, Protocol: conn.Protocol().Name}
	}
	l := &link{
		router: r, conn: conn, codec: c, gate: g, origin: from, state: proto.StateClosed, out: new(transport.Batch),
		torn: make(chan struct{}), bell: make(chan struct{}, 1), free: make(chan *batch, linkBatches),
	}
	for range linkBatches {
		l.free <- new(batch)
	}
	attached := false
	r.do(func() {
		if attached = !r.closed; attached {
			if r.stalled {
				g.shut()
			}
			r.open[l] = struct{}{}
			r.counts.accepted++
			r.links.Go(l.read)  // ends when the connection does
			r.links.Go(l.write) // ends when the link is cut or has been closed in order
		}
	})
	if !attached {
		_ = conn.CloseNow()
		return ErrClosed
	}
	return nil
}

// read hands what comes to the actor, and in the end that the link is over.
func (l *link) read() {
	defer l.router.mail.post(event{link: l, ended: true})
	limits := l.router.cfg.limits
	limits.Strict = true // what a client sends is looked at closely
	if limits.Depth == 0 {
		limits.Depth = payloadDepth + 1 // and the message
	}
	parser := l.codec.NewParser(limits)
	for {
		var b *batch
		select {
		case b = <-l.free:
		case <-l.torn:
			return
		}
		err, fault := l.fill(b, parser)
		unread := refused(err)
		if unread != nil {
			fault = unread
		}
		l.router.mail.post(event{link: l, batch: b, fault: fault})
		if unread != nil {
			drain(l.origin.socket)
		}
		if err != nil {
			return
		}
		if fault != nil {
			break
		}
	}
	for { // the rest is of no interest, but the end is
		if _, err := l.conn.Read(); err != nil {
			return
		}
	}
}

// fill reads one message and all that is there behind it. err is the end of
// the connection, fault a message that is refused.
func (l *link) fill(b *batch, parser codec.Parser) (err, fault error) {
	b.messages, b.memory = b.messages[:0], b.memory[:0]
	if cap(b.memory) > keepBatch {
		b.memory = nil
	}
	for {
		data, err := l.conn.Read()
		if err != nil {
			return err, nil
		}
		if !l.gate.wait(l.torn) || !l.ears.wait(l.torn) {
			return errors.New("cut"), nil
		}
		b.messages = append(b.messages, proto.Message{})
		m := &b.messages[len(b.messages)-1]
		if err := l.take(parser, data, m); err != nil {
			b.messages = b.messages[:len(b.messages)-1]
			return nil, err
		}
		m.Args, m.Kwargs = b.keep(m.Args), b.keep(m.Kwargs)
		if len(b.messages) == batchLen || len(b.memory) >= batchBytes || !l.conn.Buffered() {
			return nil, nil
		}
	}
}

// keep copies raw payload into the batch.
func (b *batch) keep(raw []byte) []byte {
	if raw == nil {
		return nil
	}
	start := len(b.memory)
	b.memory = append(b.memory, raw...)
	return b.memory[start:len(b.memory):len(b.memory)]
}

// giveBack returns a batch to the reader. Actor only.
func (l *link) giveBack(b *batch) {
	clear(b.messages)
	l.free <- b // there is room for all there are
}

// write sends what the actor has queued, all of it at each wake-up.
func (l *link) write() {
	b := new(transport.Batch)
	broken := false // the reader will see it too; until then nothing is written
	for {
		select {
		case <-l.bell:
		case <-l.torn:
			return
		}
		for {
			l.mu.Lock()
			b, l.out = l.out, b
			ending := l.ending
			l.mu.Unlock()
			if b.Len() == 0 {
				if ending {
					l.end()
					return
				}
				break
			}
			if !l.gate.wait(l.torn) {
				return
			}
			if !broken {
				broken = l.conn.Write(b) != nil
			}
			b.Reset(keepBatch)
			if l.router.cfg.queueLimit > 0 && !ending {
				break // what has come meanwhile has its own turn
			}
		}
	}
}

// end closes the connection in order, or has it cut.
func (l *link) end() {
	if !l.gate.wait(l.torn) {
		return
	}
	l.mu.Lock()
	closing, abrupt := l.closing, l.abrupt
	l.mu.Unlock()
	if abrupt {
		l.router.mail.post(event{link: l, ended: true})
		return
	}
	if closing != nil {
		l.endWith(closing)
		return
	}
	ctx, cancel := context.WithTimeout(l.router.root, endTimeout)
	defer cancel()
	if l.conn.Close(ctx) != nil {
		_ = l.conn.CloseNow()
	}
}

// wake tells the writer that there is something to do. Actor only.
func (l *link) wake() {
	l.dirty = false
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

// queueTurn is how long a message stays in a queue that WithQueueLimit bounds:
// what comes at the same moment of fake time meets the same queue.
const queueTurn = time.Millisecond

// touch has the writer woken at the end of the actor's turn. Actor only.
func (l *link) touch() {
	switch {
	case l.dirty:
	case l.router.cfg.queueLimit > 0:
		l.dirty = true
		l.router.after(queueTurn, l.wake)
	default:
		l.dirty = true
		l.router.dirty = append(l.router.dirty, l)
	}
}

// queue encodes m for the writer. Actor only.
func (l *link) queue(m *proto.Message) error {
	r := l.router
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.out
	if limit := r.cfg.queueLimit; limit > 0 && b.Len() >= limit {
		r.counts.dropped++
		r.note("queue", "a client has %d messages waiting, further ones are dropped: the first is %v", limit, m.Type)
		return nil
	}
	b.Begin()
	buf, err := l.codec.AppendMessage(b.Buf, m)
	if err == nil && r.cfg.floatIDs {
		if odd, ok := rewriteIDs(l.codec, buf[len(b.Buf):], float); ok {
			buf = append(b.Buf, odd...)
		}
	}
	b.Buf = buf
	if err == nil && b.Size() > l.conn.MaxSend() {
		err = errTooBig
	}
	if err != nil {
		b.Discard()
		return err
	}
	b.End()
	r.counts.sent[m.Type]++
	if len(b.Buf) > muchQueued {
		r.note("queued", "%d bytes wait for a client that does not read; WithQueueLimit bounds that", len(b.Buf))
	}
	l.touch()
	return nil
}

// queueRaw queues bytes that need not be a message. Actor only.
func (l *link) queueRaw(data []byte) {
	l.mu.Lock()
	l.out.Begin()
	l.out.Buf = append(l.out.Buf, data...)
	l.out.End()
	l.mu.Unlock()
	l.touch()
}

// queued returns what waits for the writer. Actor only.
func (l *link) queued() (messages, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Len(), len(l.out.Buf)
}

// finish closes the connection in order behind what is queued. Actor only.
func (l *link) finish() {
	l.closed = true
	if len(l.late) > 0 {
		l.final = true
		return
	}
	l.mu.Lock()
	l.ending = true
	l.mu.Unlock()
	l.touch()
}

// sever cuts the link behind what is queued. Who does not read that is cut after
// endTimeout. Actor only.
func (l *link) sever() {
	if l.lost {
		return
	}
	l.lose()
	l.mu.Lock()
	l.abrupt = true
	l.mu.Unlock()
	l.finish()
	l.patience = l.router.after(time.Until(l.lastDue())+endTimeout, l.cut)
}

// lastDue is when Delay holds nothing back any more.
func (l *link) lastDue() time.Time {
	if n := len(l.late); n > 0 {
		return l.late[n-1].due
	}
	return time.Now()
}

// cut tears the link down, with the session on it. Actor only.
func (l *link) cut() {
	if l.down {
		return
	}
	l.down = true
	l.lose()
	l.late = nil
	l.lateTimer.stop()
	l.patience.stop()
	delete(l.router.open, l)
	close(l.torn)
	l.router.links.Go(func() { _ = l.conn.CloseNow() }) // in a goroutine: the actor does not wait
}

// lose takes the session off the link, with WithHalfOpen later. Nothing more is taken
// from the link or sent. Actor only.
func (l *link) lose() {
	if l.lost {
		return
	}
	l.lost, l.closed = true, true
	l.router.drop(l)
	if d := l.router.cfg.halfOpen; d > 0 && l.session != nil {
		l.login = nil
		l.leaving = l.router.after(d, func() { l.router.leave(l) })
		return
	}
	l.router.leave(l)
	l.state = proto.StateClosed
}
