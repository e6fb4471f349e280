package session

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Drain ends the session gracefully: it unregisters everything, waits under
// ctx until the invocations that had arrived are answered and every
// acknowledged publish has its answer, and then closes as Close does.
func (s *Session) Drain(ctx context.Context) error {
	o := &drainOp{done: make(chan struct{})}
	if s.box.control(o) {
		select {
		case <-o.done:
		case <-ctx.Done():
		}
	}
	return s.Close(ctx)
}

// drainOp is Drain.
type drainOp struct{ done chan struct{} }

func (o *drainOp) refuse(error) { close(o.done) }

func (o *drainOp) apply(c *core) {
	c.draining = true
	for _, r := range c.procs.all() {
		c.dropRegistration(r, ErrDraining, false)
	}
	c.drains = append(c.drains, o)
}

// drained ends the drains when nothing is left to wait for.
func (c *core) drained() {
	if len(c.invs) > 0 || len(c.procs.seq) > 0 {
		return
	}
	for _, r := range c.requests {
		switch r.requestType() {
		case proto.Publish, proto.Unregister, proto.Register:
			return
		default:
		}
	}
	for _, p := range c.life.parked {
		if _, ok := p.(*Publish); ok {
			return
		}
	}
	for _, o := range c.drains {
		close(o.done)
	}
	c.drains = nil
}
