package session

import "sync/atomic"

// memory bounds what the streams of a session keep together for consumers that
// do not read. Each has a bound of its own; this one is for many of them.
type memory struct {
	limit int64
	held  atomic.Int64 // written by the streams' feeders too
	again int64        // nothing could be given back: look again above that
}

// Hold notes that a stream keeps so many bytes more, or less.
func (s *Session) Hold(bytes int) { s.core.memory.held.Add(int64(bytes)) }

// shedPart is which part of the limit is given back at once, so that the largest
// stream need not be looked for with each message.
const shedPart = 64

// hoard is a stream that keeps messages, with what is to be done about its
// verdict.
type hoard struct {
	Hoarder
	judge func(Verdict)
}

// relieve makes the largest streams apply their policies while they keep too
// much together.
func (c *core) relieve() {
	m := &c.memory
	held := m.held.Load()
	for ; held > m.limit && held > m.again; held = m.held.Load() {
		big, size := c.largest()
		part := int(m.limit / shedPart)
		if size > 0 {
			big.judge(big.Shed(min(size, part+int(held-m.limit))))
		}
		if m.held.Load() >= held { // nothing can be given back now
			m.again = held + int64(part)
			return
		}
	}
	if held <= m.limit {
		m.again = 0
	}
}

// largest finds the stream that keeps most.
func (c *core) largest() (big hoard, size int) {
	look := func(sink any, judge func(Verdict)) {
		if h, ok := sink.(Hoarder); ok {
			if n := h.Held(); n > size {
				big, size = hoard{h, judge}, n
			}
		}
	}
	for s := range c.subscriptions.seq {
		look(s.Sink, func(v Verdict) { c.judge(s, v) })
	}
	for _, r := range c.requests.All() {
		if call, ok := r.(*Call); ok {
			look(call.Sink, func(v Verdict) { c.judgeCall(call, v) })
		}
	}
	for r := range c.registrations.seq {
		look(r.Sink, func(v Verdict) { c.judgeProcedure(r, v) })
	}
	for _, inv := range c.invocations.All() {
		if inv.Chunks != nil {
			look(inv.Chunks, func(v Verdict) { c.judgeChunks(inv, v) })
		}
	}
	return big, size
}
