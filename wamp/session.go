package wamp

import (
	"context"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Session is a joined WAMP session, made by [Connect]. All its methods may be
// called from any goroutine, including from inside a handler and between two results.
type Session struct {
	eng        *session.Session
	noAcks     Acks // closed, for unacknowledged publishes
	payloads   seal.Codec
	negotiates bool      // payloads is a seal.Negotiator
	window     int       // of publishes that wait for their acknowledgement
	ones       sync.Pool // of *oneCall

	interceptors []Interceptor
	seeing       *session.Tally // of interceptors that run on the goroutines of streams
	address      func() string  // that was dialled last
}

// Details describes a joined session. It does not change; after a reconnect
// [Session.Details] returns a new one.
//
//   - [session.Details.Session] is the id of the session.
//   - [session.Details.Realm] is the realm that was joined.
//   - [session.Details.AuthID], [session.Details.AuthRole],
//     [session.Details.AuthMethod], [session.Details.AuthProvider] and
//     [session.Details.AuthExtra] are what the router said of the login.
//   - [session.Details.Agent] is the router's name for itself, "" if it gave
//     none.
//   - [session.Details.Roles] are the roles of the router with their features.
//   - [session.Details.Protocol] is the subprotocol that was agreed on, such as
//     "wamp.2.cbor".
//   - [session.Details.Router] is the address of the router, without user, password
//     and query, "" with [WithTransport].
//   - [session.Details.Welcome] are the details of the WELCOME message.
type Details = session.Details

// State is one state in the life of a session, see [Session.States].
//
//   - [session.State.Phase] is the phase of the session.
//   - [session.State.Details] describes the session while it is [Joined].
//   - [session.State.Attempt] counts the attempts to reconnect since the
//     connection was lost, from 1, and [session.State.Delay] is the wait before
//     this one, while the session is [Reconnecting].
//   - [session.State.Router] is the address of the present connection, or else of
//     the last one or the last attempt, "" with [WithTransport].
//   - [session.State.Cause] is why the connection was lost, why the last
//     attempt failed, or why the session is [Closed]; nil after
//     [Session.Close].
type State = session.State

// Phase is the phase of a session: [Connecting], [Joined], [Reconnecting] or
// [Closed]. [session.Phase.String] returns its name in lower case.
type Phase = session.Phase

// The phases of a session.
const (
	// Connecting is the phase of an attempt to connect that is under way. Only a
	// HealthError has it: for States it is a part of Reconnecting.
	Connecting = session.Connecting
	// Joined is the phase in which the session has a connection.
	Joined = session.Joined
	// Reconnecting is the phase between the loss of a connection and the next
	// login.
	Reconnecting = session.Reconnecting
	// Closed is the last phase.
	Closed = session.Closed
)

// RTT are the round-trip times of a session's pings: [session.RTT.Last],
// [session.RTT.Smoothed] and [session.RTT.Min].
type RTT = session.RTT

// Engine returns the engine of the session, for libraries that add operations to it, as
// package meta does. An operation is a struct, and its answers go to a sink, on the
// session's own goroutine; package session has an example. Its names may change with any
// version.
func (s *Session) Engine() *session.Session { return s.eng }

// Details returns the description of the session, as of the present connection
// or the last one.
func (s *Session) Details() *Details { return s.eng.Details() }

// ID returns the id of the session. It changes with a reconnect.
func (s *Session) ID() ID { return s.eng.Details().Session }

// Codec returns the serializer that was agreed on with the router.
func (s *Session) Codec() codec.Codec { return s.eng.Codec() }

// Context returns a context that ends with the session; its cause is the error
// of [Session.Err].
func (s *Session) Context() context.Context { return s.eng.Context() }

// Done returns a channel that is closed when the session is over. [Session.Err]
// then returns why.
func (s *Session) Done() <-chan struct{} { return s.eng.Done() }

// Err returns why the session is over: a [ClosedError], which wraps the reason; after
// [Session.Close] there is none. It returns nil while the session lives.
func (s *Session) Err() error { return s.eng.Err() }

// Ping asks the router for an answer and returns the round-trip time. It sends
// a ping on a WebSocket, and makes a call, of which any answer counts, where
// the connection has no ping or the router may not like it (RawSocket, unless
// the RawSocket field of [Keepalive] is set). ctx governs the wait. A missing
// answer ends the ping but not the connection; [WithKeepalive] is for that.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) {
	ctx, err := session.Own(ctx)
	if err != nil {
		return 0, opError("ping", "", err)
	}
	d, err := s.eng.Ping(ctx)
	return d, opError("ping", "", err)
}

// RTT returns the round-trip times of the session's pings, those of
// [WithKeepalive] included. They are zero before the first.
func (s *Session) RTT() RTT { return s.eng.RTT() }

// States returns a channel of the session's states: the present one at once,
// then each that follows. A state that has not been read when the next comes is
// replaced by it, so that the latest is never missed. A connection that is back
// before its loss has been read is seen as [Joined] alone, with another id in the
// Details.
//
// ctx governs the channel. The session closes it when ctx ends, and after the
// state [Closed]. With a nil ctx it is closed at once.
func (s *Session) States(ctx context.Context) <-chan State {
	ctx, err := session.Own(ctx)
	if err != nil {
		return flow.Of[State]()
	}
	return s.eng.States(ctx)
}

// Drain ends the session gracefully. It unregisters all procedures, ends the
// subscriptions of [Session.SubscribeFunc] and [On], waits until the invocations that
// have arrived are answered, the events that have arrived are handled and acknowledged
// publishes have been acknowledged, and then closes the session as [Session.Close] does.
//
// ctx governs the wait; [CloseTimeout] bounds it where ctx has no deadline.
// What is left at its end is cut, and the error says what that was. Called in a
// handler with a context that derives from the handler's, Drain does not wait
// for that handler; events that wait behind it are not handled, and [Consumer.Err]
// counts them.
func (s *Session) Drain(ctx context.Context) error { return s.leave(ctx, "drain", s.eng.Drain) }

// Close ends the session: it sends GOODBYE after everything that was begun
// before, waits for the router's answer, and returns when all goroutines of the
// session have ended. What has arrived can still be read for one second; then
// it is dropped, and the last element of its stream says how much that was. The
// contexts of handlers end, and Close waits one second for them; its error
// names those that go on.
//
// ctx governs all of this; [CloseTimeout] bounds it where ctx has no deadline.
// At its end the connection is torn down and Close returns a [CanceledError].
// If ctx has ended before, GOODBYE is still sent if that needs no waiting.
// Called in a handler with a context that derives from the handler's, Close
// does not wait for that handler.
//
// Closing a session that is over is no error.
func (s *Session) Close(ctx context.Context) error { return s.leave(ctx, "close", s.eng.Close) }

// leave ends the session by one of the two.
func (s *Session) leave(ctx context.Context, op string, end func(context.Context, *session.Within) error) error {
	ctx, err := session.Own(ctx)
	if err != nil {
		return opError(op, "", err)
	}
	inside := s.inside(ctx)
	if inside == nil {
		return opError(op, "", end(ctx, nil))
	}
	// The end of the session ends the handler's context, and with it ctx: that
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
	return opError(op, "", end(own, inside))
}

// guarded runs a user's code and reports whether it has returned: see
// session.Session.Guard.
func (s *Session) guarded(what string, f func()) bool { return s.eng.Guard(what, f) }
