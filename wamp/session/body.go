package session

import (
	"sync"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Body is what an operation has to send beside its options: its payload, encoded,
// with room for a small one.
type Body struct {
	// Args and Kwargs are encoded. They may live in Scratch. Encode may leave room in
	// front of them.
	Args, Kwargs []byte
	room         room
	// Scratch is room for small payloads, so that they cost no allocation.
	Scratch [95]byte
}

// room says what is in front of a payload.
type room uint8

const (
	noRoom   room = iota
	freeRoom      // Args begins with bodyRoom bytes that are free, and Kwargs follows it
	usedRoom      // they have been used
)

// bodyRoom is room for what stands in front of a large payload: options and URI.
const bodyRoom = 512

// Encode encodes a payload into the body: into Scratch, if that is big enough.
func (b *Body) Encode(cd codec.Codec, p codec.Payload) error {
	b.forget()
	dst := b.Scratch[:0]
	n := codec.Bulk(cd, &p)
	large := n > MostCopied
	if large {
		dst = Roomy(bodyRoom, n)
	}
	buf, n, err := p.Encode(cd, dst)
	switch {
	case err != nil:
		return err
	case large:
		n += bodyRoom
		b.room, b.Args = freeRoom, buf[:n]
	case n > 0:
		b.Args = buf[:n:n]
	}
	if n < len(buf) {
		b.Kwargs = buf[n:]
	}
	return nil
}

// parts are the arguments and keyword arguments, nil where there are none.
func (b *Body) parts() (args, kwargs []byte) {
	if b.room == noRoom {
		return b.Args, b.Kwargs
	}
	if len(b.Args) > bodyRoom {
		args = b.Args[bodyRoom:]
	}
	return args, b.Kwargs
}

// Roomy returns a buffer for a message of about so many bytes, with room in front of it.
func Roomy(room, size int) []byte { return make([]byte, room, room+size+bodyRoom) }

// cost is what a message with this body and URI counts against the outbound
// bound.
func (b *Body) cost(uri string) int {
	args, kwargs := b.parts()
	return len(uri) + len(args) + len(kwargs) + 32
}

// forget lets go of the payload.
func (b *Body) forget() { b.Args, b.Kwargs, b.room = nil, nil, noRoom }

// sendBody is send of a message with the payload b.
func (c *core) sendBody(m *proto.Message, b *Body) (proto.ID, error) {
	m.Request = c.lastID.Next()
	if err := c.emitBody(m, b); err != nil {
		return 0, err
	}
	c.lastID = m.Request
	return m.Request, nil
}

// emitBody is emit of a message with the payload b. A large one is not copied: the rest
// of the message is written around it, if it fits.
func (c *core) emitBody(m *proto.Message, b *Body) error {
	m.Args, m.Kwargs = b.parts()
	if b.room != freeRoom || m.Args != nil && m.Kwargs != nil && c.codec == codec.JSON { // there is a comma between them
		return c.emit(m)
	}
	head, err := codec.AppendHead(c.codec, c.head[:0], m)
	if err != nil {
		return err
	}
	if len(head) > bodyRoom-transport.Headroom {
		return c.emit(m)
	}
	c.head = head
	whole := b.Args[:len(b.Args)+len(b.Kwargs)]
	if err = c.adopt(m.Type, codec.AppendEnd(c.codec, whole), bodyRoom); err == nil {
		b.room = usedRoom
	}
	return err
}

// adopt ends a message that has memory of its own: its head is c.head, and comes in
// front of what begins at an offset. The batch does not copy it.
func (c *core) adopt(t proto.MessageType, whole []byte, at int) error {
	start := at - len(c.head)
	if n := len(whole) - start; n > c.maxSend {
		return tooBig(t, n, c.maxSend)
	}
	copy(whole[start:], c.head)
	c.out.Adopt(whole[start-transport.Headroom:])
	c.stats.Sent++
	return nil
}

// Lent is the part of an operation that says what becomes of it when the actor
// does not need it any more.
type Lent[T any] struct {
	// Done is told that the actor has let go of the operation. It runs on the
	// actor, and may be nil.
	Done func(*T)
}

func (l *Lent[T]) release(op *T) {
	if l.Done != nil {
		l.Done(op)
	}
}

// Pool has operations of one kind that are used again, so that they cost no
// allocation: nobody holds one that the actor has let go of.
type Pool[T any] struct {
	pool sync.Pool
	// Put takes an operation back, and is what its Done is set to.
	Put func(*T)
}

// NewPool returns an empty pool.
func NewPool[T any]() *Pool[T] {
	p := &Pool[T]{}
	p.pool.New = func() any { return new(T) }
	p.Put = func(op *T) {
		var none T
		*op = none
		p.pool.Put(op)
	}
	return p
}

// Get returns an operation in which nothing is set.
func (p *Pool[T]) Get() *T { return p.pool.Get().(*T) }
