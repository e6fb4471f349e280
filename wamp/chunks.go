package wamp

import (
	"context"
	"time"

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
	if inv.chunks != nil {
		return inv.chunks.stream.Ch()
	}
	inv.once.Do(func() {
		if inv.Payload.Empty() {
			inv.only = flow.Of[Payload]()
		} else {
			inv.only = flow.Of(inv.Payload)
		}
	})
	return inv.only
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

// special prepares an invocation for what few have: chunks, and a timeout that
// the callee keeps.
func (inv *Invocation) special(cancel context.CancelCauseFunc) {
	reg := inv.reg
	if reg.timeouts {
		if ms, ok := inv.Details.Int(proto.KeyTimeout); ok && ms > 0 {
			inv.keep(time.Duration(min(ms, maxTimeout))*time.Millisecond, cancel)
		}
	}
	if !inv.Details.Bool(proto.KeyProgress) {
		return
	}
	k := &chunkStream{inv: inv}
	st := &k.stream
	st.Open(inv.ctx, reg.s.eng, chunkChannel)
	st.Policy, st.Bytes = reg.stream.Policy, reg.chunkBytes
	st.Cut = func(*flow.Stream[Payload], int) (Payload, bool) { return Payload{}, false }
	inv.chunks, inv.eng.Chunks = k, k
	inv.eng.Idle = reg.chunkIdle
	k.stream.Put(inv.Payload, 0) // finds room: the channel is empty
}

// maxTimeout is what a time.Duration can hold, in milliseconds.
const maxTimeout = int64(1<<63-1) / int64(time.Millisecond)

// limit is a timeout that the callee keeps. It bounds the time to the first
// result and between results.
type limit struct {
	after time.Duration
	timer *time.Timer
}

// keep makes the invocation's context end by its timeout. Where only one result
// can come that is the context's deadline, which everything called under it
// then sees.
func (inv *Invocation) keep(after time.Duration, cancel context.CancelCauseFunc) {
	cause := &TimeoutError{After: after}
	if !inv.Progressive() {
		ctx, stop := context.WithTimeoutCause(inv.ctx, after, cause)
		inv.ctx = ctx
		late := context.AfterFunc(ctx, func() { inv.reg.s.eng.Overdue(&inv.eng, cause) })
		inv.eng.Cancel = func(why error) {
			late()
			cancel(why)
			stop()
		}
		return
	}
	l := &limit{after: after, timer: time.AfterFunc(after, func() {
		cancel(cause)
		inv.reg.s.eng.Overdue(&inv.eng, cause)
	})}
	inv.limit = l
	inv.eng.Cancel = func(why error) {
		l.timer.Stop()
		cancel(why)
	}
}

// rearm starts the time anew, unless it is up.
func (l *limit) rearm() {
	if l.timer.Stop() {
		l.timer.Reset(l.after)
	}
}
