package wamp

import (
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

const (
	chunkChannel = 16
	chunkBytes   = 4 << 20
)

// Chunks returns the channel of the payloads that the caller sends: all chunks
// of a progressive call, the first included, and the only payload of any other
// call. An empty last chunk is left out. Chunks returns the same channel each
// time.
//
// The session closes the channel after the last chunk, and at once when the
// context of the invocation ends or the invocation has been answered. Only the
// context tells these cases apart, so a handler looks at it before it takes the
// chunks for complete.
//
// Chunks that are not read are held up to a bound: 4 MiB, or the bytes of the
// registration's [Buffer]. Beyond it the invocation is answered with
// wamp.error.unavailable and its context ends with the cause [ErrSlowConsumer];
// with [OverflowBlock] the connection is held back instead.
//
// See the WAMP specification, "Progressive Call Invocations".
func (inv *Invocation) Chunks() <-chan Payload {
	if k, is := inv.invocation.Chunks.(*chunkStream); is {
		if inv.more == nil || inv.more.seen == nil {
			return k.stream.Ch()
		}
		c := &inv.more.chunks
		c.once.Do(func() { c.ch = inv.feedChunks(k.stream.Ch()) })
		return c.ch
	}
	if inv.only.Load() == nil {
		var only <-chan Payload
		if inv.Payload.Empty() {
			only = flow.Of[Payload]()
		} else {
			only = flow.Of(inv.Payload)
		}
		inv.only.CompareAndSwap(nil, &only)
	}
	return *inv.only.Load()
}

// chunkStream is the chunks of one progressive call. Its methods run on the
// actor.
type chunkStream struct {
	inv    *Invocation
	stream flow.Stream[Payload]
}

var (
	_ session.ChunkSink = (*chunkStream)(nil)
	_ session.Hoarder   = (*chunkStream)(nil)
)

// Chunk takes a further chunk.
func (k *chunkStream) Chunk(m *proto.Message, last bool) session.Verdict {
	verdict := session.Taken
	if p := codec.Received(k.inv.codec(), m); !last || !p.Empty() {
		verdict = k.stream.Put(k.inv.received(m), session.Cost(m))
	}
	if last && verdict != session.Overflow {
		k.stream.Finish(Payload{}, false, false)
	}
	return verdict
}

func (k *chunkStream) Held() int                  { return k.stream.Held() }
func (k *chunkStream) Shed(n int) session.Verdict { return k.stream.Shed(n) }

// End closes the channel at once: the invocation is over.
func (k *chunkStream) End() { k.stream.Finish(Payload{}, false, true) }
