package session

import (
	"math/bits"
	"sync"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// A large message is encoded once and not copied: there is room in front of its payload
// for the rest of it.

// bodyRoom is room for what stands in front of a large payload: options and URI.
const bodyRoom = 512

// Roomy returns a buffer for a message of about so many bytes, with room in front of it.
// What is in there is of no meaning.
func Roomy(room, size int) []byte {
	n := room + size + bodyRoom
	if class := bits.Len(uint(n)); class < len(usedRooms) {
		if b, _ := usedRooms[class].Get().(*[]byte); b != nil && cap(*b) >= n {
			return (*b)[:room]
		}
	}
	return make([]byte, room, n)
}

// usedRooms are the buffers of messages that have been written, by their size: that of
// class n has less than 2^n bytes, and at least half of that.
var usedRooms [26]sync.Pool

// giveRoomy gives a buffer back which nobody reads any more.
func giveRoomy(b []byte) {
	if class := bits.Len(uint(cap(b))); cap(b) > MostCopied && class < len(usedRooms) {
		usedRooms[class].Put(&b)
	}
}

// sendBody is send of a message with the payload b.
func (c *core) sendBody(m *proto.Message, b *Body, again bool) (proto.ID, error) {
	m.Request = c.lastID.Next()
	if err := c.emitBody(m, b, again); err != nil {
		return 0, err
	}
	c.lastID = m.Request
	return m.Request, nil
}

// emitBody is emit of a message with the payload b. A large one is not copied: the rest
// of the message is written around it, if it fits. again: it may be sent another time
// when it has been written.
func (c *core) emitBody(m *proto.Message, b *Body, again bool) error {
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
	if err = c.adopt(m.Type, codec.AppendEnd(c.codec, whole), bodyRoom, again); err == nil {
		b.room = usedRoom
	}
	return err
}

// adopt ends a message that has memory of its own: its head is c.head, and comes in
// front of what begins at an offset. The batch does not copy it. Unless it may be sent
// again its memory goes back when it has been written.
func (c *core) adopt(t proto.MessageType, whole []byte, at int, again bool) error {
	start := at - len(c.head)
	if n := len(whole) - start; n > c.maxSend {
		return tooBig(t, n, c.maxSend)
	}
	copy(whole[start:], c.head)
	var written func()
	if !again {
		written = func() { giveRoomy(whole) }
	}
	c.out.Adopt(whole[start-transport.Headroom:], written)
	c.stats.Sent++
	c.stats.BytesSent += uint64(len(whole) - start)
	return nil
}
