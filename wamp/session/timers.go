package session

import (
	"slices"
	"time"
)

// timer is one deadline of the core. It belongs to the operation that made it,
// and is part of it where every such operation has one: so it is small.
type timer struct {
	at     time.Duration // since the core's epoch
	after  time.Duration
	owner  expirer
	pos    int32 // in the heap, plus one; 0 when it is not in it
	wanted bool  // false once stopped
}

// expirer is told, on the actor, that its timer has run out.
type expirer interface{ expire(c *core) }

// timerFunc is an expirer.
type timerFunc func(c *core)

func (f timerFunc) expire(c *core) { f(c) }

// timers is a heap of deadlines; the host keeps one runtime timer for the
// earliest. Actor only.
type timers struct {
	heap  []*timer
	epoch time.Time
}

func (h *timers) start(t *timer, at time.Time) {
	if t.pos != 0 {
		h.remove(t)
	}
	t.at, t.wanted = at.Sub(h.epoch), true
	h.heap = append(h.heap, t)
	t.pos = int32(len(h.heap)) //nolint:gosec // there is one for an operation at most
	h.up(len(h.heap) - 1)
}

func (h *timers) stop(t *timer) {
	if t == nil {
		return
	}
	t.wanted = false
	if t.pos != 0 {
		h.remove(t)
	}
}

func (h *timers) remove(t *timer) {
	i, last := int(t.pos)-1, len(h.heap)-1
	if i != last {
		h.swap(i, last)
	}
	h.heap[last] = nil
	h.heap = h.heap[:last]
	t.pos = 0
	if i != last {
		h.down(i)
		h.up(i)
	}
}

// due takes the earliest timer out if its time has come.
func (h *timers) due(now time.Time) *timer {
	if len(h.heap) == 0 || h.heap[0].at > now.Sub(h.epoch) {
		return nil
	}
	t := h.heap[0]
	h.remove(t)
	t.wanted = false
	return t
}

// next is the earliest deadline, zero if there is none.
func (h *timers) next() time.Time {
	if len(h.heap) == 0 {
		return time.Time{}
	}
	return h.epoch.Add(h.heap[0].at)
}

func (h *timers) clear() {
	for _, t := range h.heap {
		t.pos, t.wanted = 0, false
	}
	h.heap = nil
}

func (h *timers) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].pos, h.heap[j].pos = int32(i+1), int32(j+1) //nolint:gosec // see start
}

func (h *timers) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if h.heap[i].at >= h.heap[p].at {
			return
		}
		h.swap(i, p)
		i = p
	}
}

func (h *timers) down(i int) {
	for {
		l := 2*i + 1
		if l >= len(h.heap) {
			return
		}
		if r := l + 1; r < len(h.heap) && h.heap[r].at < h.heap[l].at {
			l = r
		}
		if h.heap[l].at >= h.heap[i].at {
			return
		}
		h.swap(i, l)
		i = l
	}
}

// onWrite lets a timer start when what is in the outbound batch now is handed to
// the link.
func (c *core) onWrite(t *timer, after time.Duration, owner expirer) {
	t.after, t.wanted, t.owner = after, true, owner
	c.onWritten = append(c.onWritten, t)
}

// offWrite takes an onWrite back.
func (c *core) offWrite(t *timer) {
	if i := slices.Index(c.onWritten, t); i >= 0 {
		c.onWritten = slices.Delete(c.onWritten, i, i+1)
	}
}

// timerNow starts a timer.
func (c *core) timerNow(after time.Duration, fire func(*core)) *timer {
	t := &timer{}
	c.startNow(t, after, timerFunc(fire))
	return t
}

// startNow starts a timer that its owner holds.
func (c *core) startNow(t *timer, after time.Duration, owner expirer) {
	t.after, t.owner = after, owner
	c.timers.start(t, c.host.now().Add(after))
}
