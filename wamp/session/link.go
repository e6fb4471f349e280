package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// link is one connection with its reader and its writer goroutine.
type link struct {
	conn   transport.Conn
	try    transport.TryWriter // nil if the connection cannot
	keeper transport.Keeper    // nil if it cannot either
	parser codec.Parser
	in     inbox
	box    *mailbox
	log    *journal
	fault  func(what string, p any)

	work    chan *transport.Batch // to the writer, capacity 1; closed to stop it
	stop    chan struct{}         // closed when the link is torn down
	written chan struct{}         // closed by the writer when it ends
	ctx     context.Context       // ends with the link: pings run under it
	risky   bool                  // its pings may end it
	gated   atomic.Bool           // a consumer holds the link back
	reads   atomic.Uint64         // messages that the reader has got
	cancel  context.CancelFunc
	done    crew // reader, writer, keeper, and who closes the connection

	// Actor only.
	busy  bool // the writer has a batch
	spare *transport.Batch
	cost  int // bytes of the mailbox bound in the writer's batch
}

// shutTime bounds how long a link that is no longer wanted may take to send what
// is left and to close in order.
const shutTime = time.Second

// keepBatch is how much memory an empty batch may keep.
const keepBatch = 1 << 20

func newLink(ctx context.Context, j *joiner, box *mailbox, fault func(string, any)) *link {
	l := &link{
		conn: j.conn, parser: j.parser, box: box, log: j.cfg.log, fault: fault, risky: j.risky,
		work: make(chan *transport.Batch, 1), stop: make(chan struct{}), written: make(chan struct{}), spare: new(transport.Batch),
	}
	l.in.door = box.door
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.try = transport.TryWriterOf(j.conn)
	l.keeper, _ = j.conn.(transport.Keeper)
	return l
}

// start starts the two goroutines. They end when the link is shut.
func (l *link) start() {
	l.done.start(func() { l.run("a connection's Read", l.read) })
	l.done.start(func() {
		defer close(l.written)
		l.run("a connection's Write", l.write)
	})
}

// readerBatch is how many messages the reader gathers at most before it hands
// them over, where the connection can say that more are at hand.
const readerBatch = 256

// read takes messages from the connection until it fails; the actor learns of
// that after the last message.
func (l *link) read() {
	var batch []proto.Message
	var room pool
	size := 0
	for {
		data, err := l.conn.Read()
		if err != nil {
			l.flushIn(batch, size)
			l.in.end(&LinkError{Err: outside(err)})
			return
		}
		l.reads.Add(1)
		batch = append(batch, proto.Message{})
		m := &batch[len(batch)-1]
		if err := l.parser.Parse(data, m); err != nil {
			l.flushIn(batch[:len(batch)-1], size)
			l.in.end(parseViolation(err))
			return
		}
		if m.Args != nil || m.Kwargs != nil {
			if n := len(m.Args) + len(m.Kwargs); n > len(data)/2 && n > MostCopied && l.keeper != nil && l.keeper.Keep() {
				m.Args, m.Kwargs = keepPayload(m.Args, m.Kwargs, data)
			} else {
				m.Args, m.Kwargs = room.clone(m.Args, m.Kwargs)
			}
		}
		size += len(data)
		if len(batch) < readerBatch && size < inboxBytes/4 && l.conn.Buffered() {
			continue
		}
		var ok bool
		if batch, ok = l.in.put(batch, size, l.stop); !ok {
			return
		}
		size = 0
	}
}

// pool is memory for small payloads: several share an allocation. What a user
// keeps of one keeps the others of it too, so it is no larger than what a
// message costs beside its payload, a few times over.
type pool struct{ free []byte }

const (
	poolSize  = 512
	poolSmall = poolSize / 8 // of what is cloned into it
)

// clone copies the raw payload out of the reader's buffer.
func (p *pool) clone(args, kwargs []byte) (a, k []byte) {
	n := len(args) + len(kwargs)
	if n == 0 || n > poolSmall {
		return clonePayload(args, kwargs, nil)
	}
	if n > len(p.free) {
		p.free = make([]byte, poolSize)
	}
	buf := p.free[:n:n]
	p.free = p.free[n:]
	return clonePayload(args, kwargs, buf)
}

func (l *link) flushIn(batch []proto.Message, size int) {
	if len(batch) > 0 {
		l.in.put(batch, size, l.stop)
	}
}

// write sends batch after batch until work is closed.
func (l *link) write() {
	for b := range l.work {
		if err := l.conn.Write(b); err != nil {
			l.broke(outside(err))
			for range l.work { // until the actor closes it
			}
			return
		}
		l.box.control(&wroteOp{l, b})
	}
}

// wroteOp tells the actor that the writer is idle again.
type wroteOp struct {
	link  *link
	batch *transport.Batch
}

func (o *wroteOp) refuse(error) {}

func (o *wroteOp) apply(c *core) {
	l := o.link
	l.busy = false
	l.box.release(l.cost)
	l.cost = 0
	o.batch.Written()
	o.batch.Reset(keepBatch)
	l.spare = o.batch
}

// tryMessages and tryBytes say which batches are sent by the actor itself,
// when the link is idle: those that look like one caller waiting for one
// answer. Anything more is worth a writer that works beside the actor.
const (
	tryMessages = 2
	tryBytes    = 16 << 10
)

// flush hands the core's outbound batch to the link, if the writer is idle.
// It reports whether it is gone.
func (l *link) flush(c *core) {
	if c.out.Len() == 0 { // what was applied had nothing to send
		l.box.release(c.outCost)
		c.outCost = 0
		return
	}
	if l.busy {
		return
	}
	b := c.out
	cost := c.outCost
	c.handed()
	c.out, c.outCost, l.spare = l.spare, 0, nil
	if l.try != nil && b.Len() <= tryMessages && b.Bytes() <= tryBytes {
		done, err := l.try.TryWrite(b)
		if err != nil {
			l.broke(err)
			l.busy, l.cost = true, cost // nothing is written any more
			return
		}
		if done {
			l.box.release(cost)
			b.Reset(keepBatch)
			l.spare = b
			return
		}
	}
	l.busy, l.cost = true, cost
	l.work <- b // capacity 1 and the writer was idle: never blocks
}

// broke says that nothing can be written any more. What the peer has sent
// before, such as why it hangs up, is still read: for a moment, if it does not
// end by itself.
func (l *link) broke(err error) {
	l.done.start(func() { // ends with the link, or within shutTime
		t := time.NewTimer(lingerTime)
		defer t.Stop()
		select {
		case <-t.C:
		case <-l.stop:
			return
		}
		l.in.end(&LinkError{Err: err})
		closeNow(l.conn, l.fault)
	})
}

// run is the reader or the writer. A user's connection that panics, or calls
// runtime.Goexit, is a link that is lost.
func (l *link) run(what string, f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		p := recover()
		l.fault(what, p)
		err := errors.New(what + " called runtime.Goexit")
		if p != nil {
			err = fmt.Errorf("%s panicked: %v", what, p)
		}
		l.in.end(&LinkError{Err: err})
	}()
	f()
	returned = true
}

// closeNow and closeInOrder close a connection, which may be a user's.
func closeNow(conn transport.Conn, fault func(string, any)) {
	guard("a connection's CloseNow", fault, func() { _ = conn.CloseNow() })
}

func closeInOrder(ctx context.Context, conn transport.Conn, fault func(string, any)) {
	guard("a connection's Close", fault, func() { _ = conn.Close(ctx) })
}

// shut ends the link. With orderly set what was handed over is still sent and
// the connection is closed in order, in no more than shutTime, or lingerTime once
// hurry is closed. It returns when all goroutines of the link are gone, but no
// later than limit: a user's connection need not end. It reports whether they are.
func (l *link) shut(hurry <-chan struct{}, orderly bool, limit time.Duration) bool {
	all, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	close(l.work)
	l.cancel()
	if orderly {
		ctx, late := context.WithTimeout(all, shutTime)
		done := make(chan struct{})
		l.done.start(func() { // ends with Close of the connection
			defer close(done)
			select {
			case <-l.written:
				closeInOrder(ctx, l.conn, l.fault)
			case <-ctx.Done():
			}
		})
		select {
		case <-done:
		case <-ctx.Done():
		case <-hurry:
			t := time.NewTimer(lingerTime)
			select {
			case <-done:
			case <-ctx.Done():
			case <-t.C:
			}
			t.Stop()
		}
		late()
	}
	close(l.stop)
	l.done.start(func() { closeNow(l.conn, l.fault) }) // ends with that
	if l.done.wait(nobody, all.Done()) {
		return true
	}
	l.log.write(RecordLeftBehind, slog.Duration("after", limit))
	return false
}

// clonePayload copies the raw payload out of the reader's buffer, both parts
// into buf, or into one allocation if that is nil.
func clonePayload(args, kwargs, buf []byte) (a, k []byte) {
	n := len(args)
	if n+len(kwargs) == 0 {
		return args, kwargs
	}
	if buf == nil {
		buf = make([]byte, n+len(kwargs))
	}
	copy(buf, args)
	copy(buf[n:], kwargs)
	if args != nil {
		a = buf[:n] // its capacity reaches over kwargs: see codec.Received
	}
	if kwargs != nil {
		k = buf[n:]
	}
	return a, k
}

// keepPayload is clonePayload of a message whose memory is the payload's from now on.
// What has both parts moves to its beginning.
func keepPayload(args, kwargs, data []byte) (a, k []byte) {
	if len(args) == 0 || len(kwargs) == 0 {
		return args, kwargs
	}
	return clonePayload(args, kwargs, data[:len(args)+len(kwargs)])
}
