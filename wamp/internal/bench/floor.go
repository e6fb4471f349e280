package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net"
	"runtime"
	"strconv"
	"sync"
)

// floor is the hand-written client that the library is measured against: what
// a client of this protocol costs at least that has one lock, a table of
// waiting calls, and channels to those who wait. It encodes nothing but ids.
type floor struct {
	conn    net.Conn
	f       framing
	w       wire
	stopped sync.WaitGroup

	wake chan struct{} // capacity 1: there is something to write
	room *sync.Cond    // on mu: the writer has taken what was queued

	mu      sync.Mutex
	err     error
	asleep  bool   // the writer waits for wake
	out     []byte // frames to write
	lastID  uint64
	waiting map[uint64]waiter
	topic   []chan []byte // events, whatever the subscription: one for each consumer
	invoked chan uint64   // the ids of invocations, whatever the registration

	found []delivery // of the reader: what it has to hand over

	calls, publishes, ackeds, yields template
}

// waiter is who gets the answers to a request.
type waiter struct {
	ch     chan []byte
	stream bool // progressive results go there too, and then it is closed
}

// queued is how many bytes may wait before a publish has to.
const queued = 1 << 20

// dialFloor connects and joins.
func dialFloor(ctx context.Context, transport, address string, w wire) (*floor, error) {
	network := "tcp"
	if transport == transportUnix {
		network = "unix"
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &floor{
		conn: conn, w: w,
		wake:    make(chan struct{}, 1),
		waiting: make(map[uint64]waiter),
	}
	c.room = sync.NewCond(&c.mu)
	if transport == transportWeb {
		c.f, err = openWeb(conn, w)
	} else {
		c.f, err = openRaw(conn, w)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	c.calls = c.template(5, typeCall, w.appendTail(nil, dict{}, procCall, []any{answer}))
	c.publishes = c.template(5, typePublish, w.appendTail(nil, dict{}, "bench.topic", []any{answer}))
	c.ackeds = c.template(5, typePublish, w.appendTail(nil, dict{{"acknowledge", true}}, "bench.topic", []any{answer}))
	c.yields = c.template(4, typeYield, w.appendTail(nil, dict{}, []any{answer}))
	c.lastID = idBase
	c.stopped.Go(c.reader)
	c.stopped.Go(c.writer)
	welcome := make(chan []byte, 1)
	c.mu.Lock()
	c.waiting[idSession] = waiter{ch: welcome}
	start := len(c.out)
	c.out = w.appendList(c.f.begin(c.out), typeHello, "bench", dict{{"roles", dict{
		{"caller", dict{}}, {"callee", dict{}}, {"subscriber", dict{}}, {"publisher", dict{}}}}})
	c.out = c.f.end(c.out, start)
	c.mu.Unlock()
	c.ring()
	if _, ok := <-welcome; !ok {
		return nil, c.close()
	}
	return c, nil
}

// ring wakes the writer.
func (c *floor) ring() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// template is the frame of a request, fixed but for its id.
type template struct {
	frame []byte
	at    int    // where the id is
	mask  uint64 // what WebSocket has masked it with, from there on
	text  bool   // the id is sixteen digits; otherwise it is eight bytes
}

// template makes the frame of a short request of n elements.
func (c *floor) template(n int, typ uint64, tail []byte) template {
	start := c.f.begin(nil)
	b := c.w.appendHead(start, n, typ, idBase)
	t := template{at: len(b) - 8, text: c.w.text()}
	if t.text {
		t.at = len(b) - 16
	}
	if f, ok := c.f.(*webFraming); ok {
		key := uint64(f.mask)<<32 | uint64(f.mask)
		t.mask = bits.RotateLeft64(key, -8*((t.at-len(start))%4))
	}
	t.frame = c.f.end(append(b, tail...), 0)
	return t
}

// append appends the frame with an id.
func (t *template) append(dst []byte, id uint64) []byte {
	at := len(dst) + t.at
	dst = append(dst, t.frame...)
	if !t.text {
		binary.LittleEndian.PutUint64(dst[at:], bits.ReverseBytes64(id)^t.mask)
		return dst
	}
	digits := strconv.AppendUint(dst[at:at], id, 10)
	unmask(digits, uint32(t.mask))
	return dst
}

// expect takes the next id for a request whose answers go to one who waits,
// or to nobody. The lock is held.
func (c *floor) expect(to waiter) (uint64, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.lastID++
	if to.ch != nil {
		c.waiting[c.lastID] = to
	}
	return c.lastID, nil
}

// answer queues a fixed answer to an invocation.
func (c *floor) answer(t *template, invocation uint64) {
	c.mu.Lock()
	c.out = t.append(c.out, invocation)
	wake := c.asleep
	c.asleep = false
	c.mu.Unlock()
	if wake {
		c.ring()
	}
}

// send queues a fixed request.
func (c *floor) send(t *template, to waiter) error {
	c.mu.Lock()
	id, err := c.expect(to)
	if err != nil {
		c.mu.Unlock()
		return err
	}
	c.out = t.append(c.out, id)
	wake := c.asleep
	c.asleep = false
	for to.ch == nil && len(c.out) > queued && c.err == nil {
		c.room.Wait()
	}
	c.mu.Unlock()
	if wake {
		c.ring()
	}
	return nil
}

// request queues a request of n elements that ends with the given tail.
func (c *floor) request(n int, typ uint64, tail []byte, to waiter) error {
	c.mu.Lock()
	id, err := c.expect(to)
	if err == nil {
		start := len(c.out)
		c.out = c.w.appendHead(c.f.begin(c.out), n, typ, id)
		c.out = c.f.end(append(c.out, tail...), start)
		c.asleep = false
	}
	c.mu.Unlock()
	c.ring()
	return err
}

// writer writes all that is queued, in one write.
func (c *floor) writer() {
	var b []byte
	for {
		c.mu.Lock()
		for len(c.out) == 0 && c.err == nil {
			c.asleep = true
			c.mu.Unlock()
			<-c.wake
			runtime.Gosched() // who was woken together queues together
			c.mu.Lock()
		}
		if c.err != nil {
			c.mu.Unlock()
			return
		}
		b, c.out = c.out, b[:0]
		c.room.Broadcast()
		c.mu.Unlock()
		if _, err := c.conn.Write(b); err != nil {
			c.fail(err)
			return
		}
	}
}

// fail ends the client: the writer and the reader go, and the reader tells
// those who wait.
func (c *floor) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.room.Broadcast()
	c.mu.Unlock()
	_ = c.conn.Close()
	c.ring()
}

// hangUp closes the channels of all who wait. As their only sender, the reader
// does it when it ends.
func (c *floor) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, to := range c.waiting {
		close(to.ch)
	}
	for _, ch := range c.topic {
		close(ch)
	}
	if c.invoked != nil {
		close(c.invoked)
	}
}

// close ends the client and returns why it had ended before, if it had.
func (c *floor) close() error {
	c.fail(errClosed)
	c.stopped.Wait()
	if c.err == errClosed {
		return nil
	}
	return c.err
}

// reader hands what comes in to those who wait for it.
func (c *floor) reader() {
	defer c.hangUp()
	in := newInbox(64 << 10)
	r := c.w.newReader()
	for {
		n, err := c.conn.Read(in.space())
		if err != nil {
			c.fail(err)
			return
		}
		in.end += n
		if err := c.deliver(in, r); err != nil {
			c.fail(err)
			return
		}
	}
}

// deliver takes the messages out of what has been read. What the waiting ones
// get is theirs to keep: one copy is made for all of them.
func (c *floor) deliver(in *inbox, r reader) error {
	first := in.start
	for {
		kind, _, used, err := c.f.next(in.buf[first:in.end])
		if err != nil {
			return err
		}
		if used == 0 {
			break
		}
		if kind != frameMessage {
			return errFrame
		}
		first += used
	}
	if first == in.start {
		return nil
	}
	batch := append([]byte(nil), in.buf[in.start:first]...)
	in.start = first
	c.found = c.found[:0]
	for len(batch) > 0 {
		_, msg, used, _ := c.f.next(batch)
		batch = batch[used:]
		h, ok := parse(r, msg)
		if !ok {
			return fmt.Errorf("bench: bad message %q", msg)
		}
		c.found = append(c.found, delivery{typ: h.typ, id: h.id, rest: h.rest, more: h.flag})
	}
	c.find()
	for i := range c.found {
		d := &c.found[i]
		switch {
		case d.typ == typeEvent:
			for _, ch := range c.topic {
				ch <- d.rest
			}
		case d.ids != nil:
			d.ids <- d.id
		case d.ch != nil:
			d.ch <- d.rest
			if d.last {
				close(d.ch)
			}
		}
		*d = delivery{}
	}
	return nil
}

// delivery is a message for one who waits.
type delivery struct {
	typ, id uint64
	rest    []byte
	more    bool // not the last one of its request
	ch      chan []byte
	last    bool        // ch is closed behind it
	ids     chan uint64 // where the id of an invocation goes
}

// find finds out whom the messages are for, under one lock.
func (c *floor) find() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.found {
		d := &c.found[i]
		switch d.typ {
		case typeEvent:
			continue
		case typeInvocation:
			d.ids = c.invoked
			continue
		}
		to := c.waiting[d.id]
		d.ch, d.last = to.ch, to.stream && !d.more
		if !d.more {
			delete(c.waiting, d.id)
		}
	}
}
