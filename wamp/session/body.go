package session

import (
	"sync"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// Body is what an operation has to send beside its options: its payload, encoded,
// with room for a small one. See SetRest for one that has the options too.
type Body struct {
	// Args and Kwargs are encoded. They may live in Scratch. Encode may leave room in
	// front of them.
	Args, Kwargs []byte
	room         room
	// Scratch is room for small payloads, so that they cost no allocation.
	Scratch [127]byte
}

// room says what is in front of a payload.
type room uint8

const (
	noRoom    room = iota
	freeRoom       // Args begins with bodyRoom bytes that are free, and Kwargs follows it
	usedRoom       // they have been used
	wholeRest      // Args is all of the message but its id, and there is nothing else
)

// SetRest gives the body of a request that is encoded but for its id, by
// codec.AppendRest: it has no options, and a payload that is not large. rest may live in
// Scratch.
func (b *Body) SetRest(rest []byte) { b.Args, b.Kwargs, b.room = rest, nil, wholeRest }

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
	switch b.room {
	case noRoom:
		return b.Args, b.Kwargs
	case wholeRest: // they are not told apart
		return nil, nil
	}
	if len(b.Args) > bodyRoom {
		args = b.Args[bodyRoom:]
	}
	return args, b.Kwargs
}

// cost is what a message with this body and URI counts against the outbound
// bound.
func (b *Body) cost(uri string) int {
	if b.room == wholeRest {
		return restCost(b.Args)
	}
	args, kwargs := b.parts()
	return len(uri) + len(args) + len(kwargs) + 32
}

// forget lets go of the payload.
func (b *Body) forget() { b.Args, b.Kwargs, b.room = nil, nil, noRoom }

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
