package session

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// link is one connection with its reader and its writer goroutine.
type link struct {
	conn   transport.Conn
	try    transport.TryWriter // nil if the connection cannot
	parser codec.Parser
	in     inbox
	box    *mailbox

	work    chan *transport.Batch // to the writer, capacity 1; closed to stop it
	stop    chan struct{}         // closed when the link is torn down
	written chan struct{}         // closed by the writer when it ends
	ctx     context.Context       // ends with the link: pings run under it
	gated   atomic.Bool           // a consumer holds the link back
	cancel  context.CancelFunc
	done    sync.WaitGroup // reader, writer and keeper

	// Actor only.
	busy  bool // the writer has a batch
	spare *transport.Batch
	cost  int // octets of the mailbox bound in the writer's batch
}

// keepBatch is how much memory an empty batch may keep.
const keepBatch = 1 << 20

func newLink(ctx context.Context, j *joiner, box *mailbox) *link {
	l := &link{
		conn: j.conn, parser: j.parser, box: box,
		work: make(chan *transport.Batch, 1), stop: make(chan struct{}), written: make(chan struct{}), spare: new(transport.Batch),
	}
	l.in.door = box.door
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.try, _ = j.conn.(transport.TryWriter)
	return l
}

// start starts the two goroutines. They end when the link is shut.
func (l *link) start() {
	l.done.Add(2)
	go l.read()
	go l.write()
}

// readerBatch is how many messages the reader gathers at most before it hands
// them over, where the connection can say that more are at hand.
const readerBatch = 256

// read takes messages from the connection until it fails; the actor learns of
// that after the last message.
func (l *link) read() {
	defer l.done.Done()
	var batch []proto.Message
	var room pool
	size := 0
	for {
		data, err := l.conn.Read()
		if err != nil {
			l.flushIn(batch, size)
			l.in.end(&LinkError{Err: err})
			return
		}
		batch = append(batch, proto.Message{})
		m := &batch[len(batch)-1]
		if err := l.parser.Parse(data, m); err != nil {
			l.flushIn(batch[:len(batch)-1], size)
			l.in.end(parseViolation(err))
			return
		}
		if m.Args != nil || m.Kwargs != nil {
			m.Args, m.Kwargs = room.clone(m.Args, m.Kwargs)
		}
		size += len(data)
		if len(batch) < readerBatch && size < inboxOctets/4 && l.conn.Buffered() {
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
	defer l.done.Done()
	defer close(l.written)
	for b := range l.work {
		if err := l.conn.Write(b); err != nil {
			_ = l.conn.CloseNow() // the reader reports the loss
			l.in.end(&LinkError{Err: err})
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
	o.batch.Reset(keepBatch)
	l.spare = o.batch
}

// tryMessages and tryOctets say which batches are sent by the actor itself,
// when the link is idle: those that look like one caller waiting for one
// answer. Anything more is worth a writer that works beside the actor.
const (
	tryMessages = 2
	tryOctets   = 16 << 10
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
	if l.try != nil && b.Len() <= tryMessages && len(b.Buf) <= tryOctets {
		done, err := l.try.TryWrite(b)
		switch {
		case err != nil:
			_ = l.conn.CloseNow()
			l.in.end(&LinkError{Err: err})
			done = true
		case done:
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

// shut ends the link. With orderly set what was handed over is still sent and
// the connection is closed in order, bounded by ctx. It returns when both
// goroutines are gone.
func (l *link) shut(ctx context.Context, orderly bool) {
	close(l.work)
	l.cancel()
	abort := context.AfterFunc(ctx, func() { _ = l.conn.CloseNow() })
	if orderly {
		<-l.written // CloseNow unblocks the writer when ctx ends
		close(l.stop)
		_ = l.conn.Close(ctx)
	} else {
		close(l.stop)
	}
	_ = l.conn.CloseNow()
	l.done.Wait()
	abort()
}
