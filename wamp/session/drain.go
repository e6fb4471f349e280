package session

import "context"

// Drain ends the session gracefully: it unregisters everything and ends the
// subscriptions that have a Consumer, waits until the invocations that had arrived are
// answered, the events that had arrived are handled and every acknowledged publish has
// its answer, and then closes as Close does. It waits under ctx, or for CloseTimeout
// where that has no deadline. inside is the handler in which it is called, nil if in
// none: that one is not waited for.
func (s *Session) Drain(ctx context.Context, inside *Within) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	o := &drainOp{done: make(chan struct{}), inside: inside}
	var left []string
	defer s.letGo()()
	if s.box.behind(o) {
		select {
		case <-o.done:
		case <-ctx.Done():
			left = s.whatIsLeft()
		}
	}
	return s.shutDown(ctx, inside, left)
}

// drainOp is Drain.
type drainOp struct {
	done   chan struct{}
	inside *Within
}

func (o *drainOp) refuse(error) { close(o.done) }

func (o *drainOp) apply(c *core) {
	c.draining = true
	c.isLeft(Joined, ErrDraining)
	for _, r := range c.registrations.all() {
		r.drop(c, ErrDraining, false)
	}
	for _, sub := range c.subscriptions.all() {
		if sub.drains() {
			sub.drop(c, ErrDraining, false)
		}
	}
	c.drains = append(c.drains, o)
}

// drained ends the drains when nothing is left to wait for: no invocation and no event
// but those whose handlers drain, no publish that waits for its acknowledgement, and
// nobody who waits to hand one over.
func (c *core) drained() {
	inside := 0
	for i, o := range c.drains {
		if o.inside == nil || o.inside.Invocation == nil || c.countedBefore(i) {
			continue
		}
		if inv := o.inside.Invocation; c.invocations.Get(inv.Request) == inv {
			inside++
		}
	}
	if c.invocations.Len() > inside || c.publishing() || c.asking() {
		return
	}
	if n, _ := c.host.crowded(); n > 0 || c.consuming() {
		return
	}
	for _, o := range c.drains {
		close(o.done)
	}
	c.drains = nil
}

// countedBefore reports whether an earlier drain was called in the same handler.
func (c *core) countedBefore(i int) bool {
	for _, o := range c.drains[:i] {
		if o.inside != nil && o.inside.Run == c.drains[i].inside.Run {
			return true
		}
	}
	return false
}

// publishing reports whether a publish has not been sent, or not been
// acknowledged.
func (c *core) publishing() bool { return c.acks+c.ackWindow.queue.len()+c.life.publishes > 0 }

// asking reports whether a request about a handle waits, to be sent or for its
// answer: an invocation may come until the dealer has said that a registration
// is gone.
func (c *core) asking() bool { return c.handleWindow.open+c.handleWindow.queue.len() > 0 }
