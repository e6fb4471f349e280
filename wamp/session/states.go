package session

import (
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/flow"
)

// Phase is the phase of a session.
type Phase uint8

// The phases of a session. Connecting is an attempt that is under way: States counts
// it to Reconnecting, or nobody can listen yet; a HealthError tells it.
const (
	Connecting Phase = iota + 1
	Joined
	Reconnecting
	Closed
)

// String returns the phase in lower case.
func (p Phase) String() string {
	switch p {
	case Connecting:
		return "connecting"
	case Joined:
		return "joined"
	case Reconnecting:
		return "reconnecting"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// State is one state in the life of a session.
type State struct {
	Phase Phase
	// Details describes the session while it is joined.
	Details *Details
	// Attempt counts the attempts to reconnect since the connection was lost,
	// from 1, and Delay is the wait before this one, while the session is
	// reconnecting.
	Attempt int
	Delay   time.Duration
	// Router is the address of the present connection, or else of the last one or
	// the last attempt, "" where a dialer knows it alone.
	Router string
	// Cause is why the connection was lost, why the last attempt failed, or why
	// the session is closed; nil after Close.
	Cause error
}

// stateWatcher is one listener of States.
type stateWatcher struct {
	*flow.Latest[State]
	stop func() bool // takes the listener's context off
}

// setState tells everybody who listens.
func (c *core) setState(s State) {
	s.Router = c.cfg.address()
	c.life.state = s
	for w := range c.life.watchers {
		w.Put(s)
	}
	if s.Phase == Closed {
		for w := range c.life.watchers {
			w.Close()
			w.stop()
		}
		c.life.watchers = nil
	}
	c.logState(s)
}

// statesOp adds a listener.
type statesOp struct {
	w *stateWatcher
}

// refuse says that the session is over. Its argument is the session's error.
func (o *statesOp) refuse(err error) {
	if closed, is := Find[*ClosedError](err); is {
		err = closed.Reason
	}
	if !o.w.Over() {
		o.w.Put(State{Phase: Closed, Cause: err})
		o.w.Close()
		o.w.stop()
	}
}

func (o *statesOp) apply(c *core) {
	if o.w.Over() {
		return
	}
	if c.life.watchers == nil {
		c.life.watchers = map[*stateWatcher]struct{}{}
	}
	c.life.watchers[o.w] = struct{}{}
	if c.life.waiting && c.life.state.Phase == Joined {
		return // the link is lost, and the policy is being asked: the next state comes
	}
	o.w.Put(c.life.state)
}

// unlistenOp takes a listener out and closes its channel.
type unlistenOp struct{ w *stateWatcher }

func (o *unlistenOp) refuse(error) {}

func (o *unlistenOp) apply(c *core) {
	o.w.Close()
	delete(c.life.watchers, o.w)
}
