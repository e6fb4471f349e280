package wamp

import (
	"context"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Session is a joined WAMP session. All its methods may be called from any
// goroutine, also from inside a handler and between two results.
type Session struct {
	eng      *session.Session
	noAcks   Acks // closed, for unacknowledged publishes
	payloads PayloadCodec
	window   int // of publishes that wait for their acknowledgement
}

// Details are what is known of a session: its id, who it is, what the router
// is and can do.
type Details = session.Details

// Stats counts what a session has done and what it holds.
type Stats = session.Stats

// State is a moment in the life of a session.
type State = session.State

// Phase is where a session is in its life.
type Phase = session.Phase

// The phases of a session.
const (
	Connecting   = session.Connecting
	Joined       = session.Joined
	Reconnecting = session.Reconnecting
	Closed       = session.Closed
)

// RTT are round-trip times.
type RTT = session.RTT

// Engine opens the floor below, which package meta is built on: operations that
// come as structs, whose answers go to sinks on the session's actor. Its names may
// change with any version.
func (s *Session) Engine() *session.Session { return s.eng }

// Details returns what is known of the session.
func (s *Session) Details() *Details { return s.eng.Details() }

// ID is the session's id.
func (s *Session) ID() ID { return s.eng.Details().Session }

// Codec is the serializer that was agreed on.
func (s *Session) Codec() codec.Codec { return s.eng.Codec() }

// Context ends with the session; its cause is the session's error.
func (s *Session) Context() context.Context { return s.eng.Context() }

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.eng.Done() }

// Err is nil while the session lives, then a *ClosedError, which matches
// ErrSessionClosed and wraps the reason; after Close there is none.
func (s *Session) Err() error { return s.eng.Err() }

// Stats returns the session's counters.
func (s *Session) Stats() Stats { return s.eng.Stats() }

// Ping asks the router for a sign of life and returns the round-trip time: by a
// ping where the transport has one that no router hangs up on, else by a call of
// which any answer counts (on RawSocket, unless Keepalive.RawSocket says
// otherwise). ctx bounds the wait; an answer that does not come ends nothing.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	ctx, err := session.Own(ctx)
	if err != nil {
		return 0, opError("ping", "", err)
	}
	d, err := s.eng.Ping(ctx)
	return d, opError("ping", "", err)
}

// RTT returns the round-trip times of the session's pings: the last, the
// smoothed and the smallest; zero before the first.
func (s *Session) RTT() RTT { return s.eng.RTT() }

// States returns a channel of the session's states: the present one at once,
// then each that follows. A state that was not read when the next one comes is
// folded into it, so that the latest is never missed. The channel is closed by
// the session: when ctx ends, and after the closed state. With a nil ctx it is
// closed at once.
func (s *Session) States(ctx context.Context) <-chan State {
	ctx, err := session.Own(ctx)
	if err != nil {
		return flow.Of[State]()
	}
	return s.eng.States(ctx)
}

// Drain ends the session gracefully: it unregisters everything, waits until
// the invocations that had arrived are answered and acknowledged publishes have
// their answers, and closes. It waits under ctx, or for CloseTimeout where that
// has no deadline; then what is left is cut as in Close, and the error says what
// it was. Called in a handler with a context that derives from its own, it does
// not wait for that invocation.
func (s *Session) Drain(ctx context.Context) error { return s.leave(ctx, "drain", s.eng.Drain) }

// Close says GOODBYE behind what was begun before, waits for the router's answer,
// and returns when every goroutine of the session is gone. What has arrived can
// still be read for a second; what was not read then is dropped, and the last
// element of its stream says how much. Handlers see their context end and have a
// second, too: the error names those that go on. ctx bounds all of it, or
// CloseTimeout where it has no deadline: when it ends, the connection is torn down
// and Close returns an error that wraps ctx's. With a ctx that has ended already
// it still says GOODBYE, if that needs no waiting. Called in a handler with a
// context that derives from its own, it does not wait for that handler. Closing a
// session twice, or one that is over, is no error.
func (s *Session) Close(ctx context.Context) error { return s.leave(ctx, "close", s.eng.Close) }

// leave ends the session by one of the two.
func (s *Session) leave(ctx context.Context, op string, end func(context.Context, *session.Invocation) error) error {
	ctx, err := session.Own(ctx)
	if err != nil {
		return opError(op, "", err)
	}
	inv := s.inside(ctx)
	if inv == nil {
		return opError(op, "", end(ctx, nil))
	}
	// The end of the session ends the invocation's context, and with it ctx: that
	// is none of Close's reasons to stop waiting. Any other end is.
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() {
		if _, over := session.Find[*ClosedError](context.Cause(ctx)); !over {
			cancel(context.Cause(ctx))
		}
	})
	defer stop()
	if at, has := ctx.Deadline(); has {
		var release context.CancelFunc
		own, release = context.WithDeadline(own, at)
		defer release()
	}
	return opError(op, "", end(own, &inv.eng))
}

// guarded runs a user's code and reports whether it has returned: see
// session.Session.Guard.
func (s *Session) guarded(what string, f func()) bool { return s.eng.Guard(what, f) }

// Tables counts the entries of a session's tables, in Stats.
type Tables = session.Tables
