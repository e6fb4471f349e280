package session

import (
	"context"
	"sync"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Close says GOODBYE, waits for the router's, and returns when every goroutine
// of the session is gone. ctx bounds the waiting: when it ends the link is torn
// down and backlogs are dropped, and Close returns its error. On a session that
// is over it only waits for the goroutines.
func (s *Session) Close(ctx context.Context) error {
	var err error
	s.box.control(&closeOp{})
	handlers := gone(s.gone, &s.feeders, &s.handlers)
	for _, waiting := range []<-chan struct{}{s.done, s.gone, gone(s.gone, &s.feeders)} {
		if err == nil {
			select {
			case <-waiting:
				continue
			case <-ctx.Done():
				err = newCanceled(ctx)
				s.hasten.Do(func() { close(s.hurry) })
				s.box.control(&closeOp{now: true})
			}
		}
		<-waiting
	}
	if err == nil {
		select {
		case <-handlers:
		case <-ctx.Done():
			err = newCanceled(ctx)
		}
	}
	return err
}

// gone returns a channel that is closed when the actor is gone and nobody of
// the groups is left. Each may be added to by the actor and by members of those
// before it only, so that nobody comes when it has been waited for.
func gone(actor <-chan struct{}, groups ...*sync.WaitGroup) <-chan struct{} {
	ch := make(chan struct{})
	go func() { // ends with the groups
		<-actor
		for _, g := range groups {
			g.Wait()
		}
		close(ch)
	}()
	return ch
}

// closeOp is Close: GOODBYE goes out after the data operations that were there
// before it; with now set, the session ends without waiting for anything.
type closeOp struct{ now bool }

func (o *closeOp) refuse(error) {}

func (o *closeOp) apply(c *core) {
	if o.now {
		c.end(nil)
		return
	}
	c.closing = true
}

// goodbyeNow sends GOODBYE. The shell calls it when the data operations that
// came before Close have been applied.
func (c *core) goodbyeNow() {
	c.closing = false
	if c.life.waiting {
		c.end(nil)
		return
	}
	if c.state != proto.StateEstablished {
		return
	}
	c.emitControl(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
	c.state = proto.StateClosing
}

// closedError is the error of an operation that comes too late.
func (c *core) closedError() error { return &ClosedError{Reason: c.reason} }
