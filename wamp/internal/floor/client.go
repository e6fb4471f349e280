package floor

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net"
	"runtime"
	"sync"
	"time"
)

// Client is the hand-written client that the library is measured against: what
// a client of this protocol costs at least that has one lock, a table of
// waiting calls, and channels to those who wait. It encodes nothing but ids.
type Client struct {
	conn    net.Conn
	f       Framing
	w       Wire
	stopped sync.WaitGroup

	wake chan struct{} // capacity 1: there is something to write
	room *sync.Cond    // on mu: the writer has taken what was queued

	mu      sync.Mutex
	err     error
	asleep  bool   // the writer waits for wake
	out     []byte // frames to write
	lastID  uint64
	waiting map[uint64]Waiter
	topic   []chan []byte // events, whatever the subscription: one for each consumer
	invoked chan uint64   // the ids of invocations, whatever the registration

	found []delivery // of the reader: what it has to hand over
}

// Waiter is who gets the answers to a request.
type Waiter struct {
	Ch     chan []byte
	Stream bool // progressive results go there too, and then it is closed
}

// queued is how many bytes may wait before a publish has to.
const queued = 1 << 20

// Endpoint is where a client connects to, and as whom it joins.
type Endpoint struct {
	Network, Address string      // of the dial
	TLS              *tls.Config // nil: none
	Web              bool        // WebSocket; RawSocket otherwise
	Host, Path       string
	Wire             Wire
	Realm            string
	// Hello is a whole HELLO; nil: one that asks for nothing.
	Hello []byte
	// Challenged answers a CHALLENGE with an AUTHENTICATE; nil: it cannot.
	Challenged func(msg []byte) ([]byte, error)
	// LastID is 0 for a router that counts requests: the first one has the id behind it.
	LastID uint64
}

// RefusedError is an ABORT, GOODBYE or ERROR of the router.
type RefusedError struct{ URI string }

func (e *RefusedError) Error() string { return "floor: the router says " + e.URI }

// Dial connects and joins. ctx bounds both.
func (e *Endpoint) Dial(ctx context.Context) (*Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, e.Network, e.Address)
	if err != nil {
		return nil, err
	}
	if e.TLS != nil {
		conn = tls.Client(conn, e.TLS)
	}
	c := &Client{
		conn: conn, w: e.Wire, lastID: e.LastID,
		wake:    make(chan struct{}, 1),
		waiting: make(map[uint64]Waiter),
	}
	c.room = sync.NewCond(&c.mu)
	in := NewInbox(64 << 10)
	late := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if e.Web {
		c.f, err = openWeb(conn, e.Wire, e.Host, e.Path)
	} else {
		c.f, err = openRaw(conn, e.Wire)
	}
	if err == nil {
		err = c.join(in, e)
	}
	if !late() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	c.stopped.Go(func() { c.reader(in) })
	c.stopped.Go(c.writer)
	return c, nil
}

// join says HELLO and waits for WELCOME.
func (c *Client) join(in *Inbox, e *Endpoint) error {
	hello := e.Hello
	if hello == nil {
		hello = c.w.AppendList(nil, TypeHello, e.Realm, Pairs("roles",
			Pairs("caller", Dict{}, "callee", Dict{}, "subscriber", Dict{}, "publisher", Dict{})))
	}
	r := c.w.NewReader()
	for say := hello; ; {
		if say != nil {
			if _, err := c.conn.Write(c.f.End(append(c.f.Begin(nil), say...), 0)); err != nil {
				return err
			}
			say = nil
		}
		kind, msg, used, err := c.f.Next(in.Unread())
		if err != nil {
			return err
		}
		if used == 0 {
			n, err := c.conn.Read(in.Space())
			if err != nil {
				return err
			}
			in.End += n
			continue
		}
		in.Start += used
		if kind != FrameMessage {
			continue
		}
		h, ok := Parse(r, msg)
		switch {
		case ok && h.Typ == TypeWelcome:
			return nil
		case ok && (h.Typ == TypeAbort || h.Typ == TypeGoodbye):
			return &RefusedError{string(h.URI)}
		case ok && h.Typ == typeChallenge && e.Challenged != nil:
			if say, err = e.Challenged(msg); err != nil {
				return err
			}
		default:
			return fmt.Errorf("floor: bad message %q", msg)
		}
	}
}

// Err is why the client is over, nil before it is.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Spawn runs f on a goroutine that ends before close returns: with the channels that the
// client closes.
func (c *Client) Spawn(f func()) { c.stopped.Go(f) }

// ring wakes the writer.
func (c *Client) ring() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// wideID is an id of the width that all have in templates: eight bytes, or sixteen
// digits.
const wideID = 1 << 52

// Template is the frame of a request, fixed but for its id.
type Template struct {
	frame []byte
	at    int    // where the id is
	mask  uint64 // what WebSocket has masked it with, from there on
	text  bool   // the id is sixteen digits; otherwise it is eight bytes
}

// Template makes the frame of a request of n elements, which ends with tail.
func (c *Client) Template(n int, typ uint64, tail []byte) Template {
	start := c.f.Begin(nil)
	b := c.w.AppendHead(start, n, typ, wideID)
	t := Template{at: len(b) - 8, text: c.w.Text()}
	if t.text {
		t.at = len(b) - 16
	}
	if f, ok := c.f.(*webFraming); ok {
		key := uint64(f.mask)<<32 | uint64(f.mask)
		t.mask = bits.RotateLeft64(key, -8*((t.at-len(start))%4))
	}
	b = append(b, tail...)
	t.frame = c.f.End(b, 0)
	t.at += len(t.frame) - len(b) // the length of a long frame takes more
	return t
}

// append appends the frame with an id.
func (t *Template) append(dst []byte, id uint64) []byte {
	at := len(dst) + t.at
	dst = append(dst, t.frame...)
	if !t.text {
		binary.LittleEndian.PutUint64(dst[at:], bits.ReverseBytes64(id)^t.mask)
		return dst
	}
	digits := dst[at : at+16] // a short one has white space before it
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = ' '
		if id > 0 {
			digits[i] = '0' + byte(id%10)
			id /= 10
		}
	}
	unmask(digits, uint32(t.mask))
	return dst
}

// expect takes the next id for a request whose answers go to one who waits,
// or to nobody. The lock is held.
func (c *Client) expect(to Waiter) (uint64, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.lastID++
	if to.Ch != nil {
		c.waiting[c.lastID] = to
	}
	return c.lastID, nil
}

// Answer queues a fixed answer to an invocation.
func (c *Client) Answer(t *Template, invocation uint64) {
	c.mu.Lock()
	c.out = t.append(c.out, invocation)
	wake := c.asleep
	c.asleep = false
	c.mu.Unlock()
	if wake {
		c.ring()
	}
}

// Send queues a fixed request.
func (c *Client) Send(t *Template, to Waiter) error {
	c.mu.Lock()
	id, err := c.expect(to)
	if err != nil {
		c.mu.Unlock()
		return err
	}
	c.out = t.append(c.out, id)
	wake := c.asleep
	c.asleep = false
	for to.Ch == nil && len(c.out) > queued && c.err == nil {
		c.room.Wait()
	}
	c.mu.Unlock()
	if wake {
		c.ring()
	}
	return nil
}

// Request queues a request of n elements that ends with the given tail.
func (c *Client) Request(n int, typ uint64, tail []byte, to Waiter) error {
	c.mu.Lock()
	id, err := c.expect(to)
	if err == nil {
		start := len(c.out)
		c.out = c.w.AppendHead(c.f.Begin(c.out), n, typ, id)
		c.out = c.f.End(append(c.out, tail...), start)
		c.asleep = false
	}
	c.mu.Unlock()
	c.ring()
	return err
}

// writer writes all that is queued, in one write.
func (c *Client) writer() {
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
func (c *Client) fail(err error) {
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
func (c *Client) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, to := range c.waiting {
		close(to.Ch)
	}
	for _, ch := range c.topic {
		close(ch)
	}
	if c.invoked != nil {
		close(c.invoked)
	}
}

// Close ends the client and returns why it had ended before, if it had.
func (c *Client) Close() error {
	c.fail(ErrClosed)
	c.stopped.Wait()
	if c.err == ErrClosed {
		return nil
	}
	return c.err
}

// reader hands what comes in to those who wait for it.
func (c *Client) reader(in *Inbox) {
	defer c.hangUp()
	r := c.w.NewReader()
	for {
		if err := c.deliver(in, r); err != nil { // at first what came behind WELCOME
			c.fail(err)
			return
		}
		n, err := c.conn.Read(in.Space())
		if err != nil {
			c.fail(err)
			return
		}
		in.End += n
	}
}

// deliver takes the messages out of what has been read. What the waiting ones
// get is theirs to keep: one copy is made for all of them.
func (c *Client) deliver(in *Inbox, r Reader) error {
	first := in.Start
	for {
		kind, payload, used, err := c.f.Next(in.Buf[first:in.End])
		if err != nil {
			return err
		}
		if used == 0 {
			break
		}
		switch kind {
		case FramePing:
			c.mu.Lock()
			c.out = c.f.AppendControl(c.out, FramePong, payload)
			c.mu.Unlock()
			c.ring()
		case FrameClose:
			return ErrClosed
		}
		first += used
	}
	if first == in.Start {
		return nil
	}
	batch := append([]byte(nil), in.Buf[in.Start:first]...)
	in.Start = first
	c.found = c.found[:0]
	for len(batch) > 0 {
		kind, msg, used, _ := c.f.Next(batch)
		batch = batch[used:]
		if kind != FrameMessage {
			continue
		}
		h, ok := Parse(r, msg)
		switch {
		case !ok:
			return fmt.Errorf("floor: bad message %q", msg)
		case h.Typ == TypeGoodbye || h.Typ == TypeAbort:
			return &RefusedError{string(h.URI)}
		case h.Typ == TypeError:
			h.Rest = append([]byte{refused}, h.URI...)
		}
		c.found = append(c.found, delivery{typ: h.Typ, id: h.Id, rest: h.Rest, more: h.Flag})
	}
	c.find()
	for i := range c.found {
		d := &c.found[i]
		switch {
		case d.typ == TypeEvent:
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

// refused begins what the one who waits gets of an ERROR, before the URI: no list of
// arguments begins so.
const refused = 0xff

// Result waits for the one result of a call.
func (c *Client) Result(ch chan []byte) ([]byte, error) {
	b, ok := <-ch
	if !ok {
		return nil, c.err
	}
	return b, Refusal(b)
}

// Refusal is the error of an answer that is one, nil of any other.
func Refusal(b []byte) error {
	if len(b) > 0 && b[0] == refused {
		return &RefusedError{string(b[1:])}
	}
	return nil
}

// Consume makes channels for events, one for each of n consumers, and returns all
// there are.
func (c *Client) Consume(n int) []chan []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.topic = append(c.topic, make(chan []byte, 1024))
	}
	return c.topic
}

// Invocations makes the channel for the ids of invocations.
func (c *Client) Invocations() <-chan uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.invoked = make(chan uint64, 1024)
	return c.invoked
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
func (c *Client) find() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.found {
		d := &c.found[i]
		switch d.typ {
		case TypeEvent:
			continue
		case TypeInvocation:
			d.ids = c.invoked
			continue
		}
		to := c.waiting[d.id]
		d.ch, d.last = to.Ch, to.Stream && !d.more
		if !d.more {
			delete(c.waiting, d.id)
		}
	}
}
