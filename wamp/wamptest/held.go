package wamptest

import (
	"slices"
	"time"
)

// heldBack is what a hook or a Fault holds back.
type heldBack struct {
	due   time.Time
	timer timer
	owner any // the session, link or call with which it goes
	run   func()
}

// holdBack has f run on the actor when d has passed, unless its owner, a *session, *link
// or *call, is dropped before. What is due at the same time runs in the order in which
// it came.
func (r *Router) holdBack(owner any, d time.Duration, f func()) {
	h := &heldBack{due: time.Now().Add(d), owner: owner, run: f}
	at := len(r.held)
	for at > 0 && r.held[at-1].due.After(h.due) {
		at--
	}
	r.held = slices.Insert(r.held, at, h)
	h.timer = r.after(d, r.releaseNext)
}

// releaseNext runs the next one that is due. Timers of the same time fire in any order,
// so it need not be the one whose timer it was; there is a timer for each, so that none
// waits behind a hook that ends the goroutine.
func (r *Router) releaseNext() {
	if len(r.held) == 0 || r.held[0].due.After(time.Now()) {
		return
	}
	h := r.held[0]
	r.held[0] = nil
	r.held = r.held[1:]
	h.run()
}

// drop drops what is held back of an owner that is no more.
func (r *Router) drop(owner any) {
	r.held = slices.DeleteFunc(r.held, func(h *heldBack) bool {
		if h.owner != owner {
			return false
		}
		h.timer.stop()
		return true
	})
}
