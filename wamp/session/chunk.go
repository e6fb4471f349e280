package session

import "github.com/connectanum/connectanum-go/wamp/proto"

// Chunk is a further CALL of a progressive call. The caller fills in the
// exported fields before it hands it to Session.Chunk; from then on it belongs
// to the actor.
type Chunk struct {
	// Call is the call, which was handed over before.
	Call *Call
	// Last: it is the last one.
	Last bool
	// Body is its payload.
	Body
	// Done is told that the actor has let go of the chunk. It runs on the actor, and
	// may be nil.
	Done func(*Chunk)
}

func (k *Chunk) release() {
	if k.Done != nil {
		k.Done(k)
	}
}

func (k *Chunk) size() int { return k.cost(k.Call.URI) }

func (k *Chunk) refuse(error) { k.release() }

func (k *Chunk) apply(c *core) {
	c.outCost += k.size()
	k.pass(c)
}

// pass sends the chunk, unless the call is over. While the call itself may have
// to be sent again, its chunks are kept too.
func (k *Chunk) pass(c *core) {
	call := k.Call
	if call.parkedAt.listed() {
		call.chunks = append(call.chunks, k)
		return
	}
	if c.requests.Get(call.id) != request(call) || call.canceled != nil || !call.More {
		c.stats.Dropped++
		k.release()
		return
	}
	c.msg = proto.Message{Type: proto.Call, Request: call.id, Options: chunkOptions, URI: call.URI}
	if k.Last {
		call.More, c.msg.Options = false, nil
	}
	if err := c.emitBody(&c.msg, &k.Body, false); err != nil {
		c.cancelCall(call, call.Mode)
		call.finish(c, End{Err: err})
		k.release()
		return
	}
	if c.unwritten(call.seq) {
		call.chunks = append(call.chunks, k)
		return
	}
	call.chunks = nil
	k.release()
}
