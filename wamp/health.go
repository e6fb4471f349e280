package wamp

import "github.com/connectanum/connectanum-go/wamp/session"

// The causes of a [HealthError] that no other error has.
var (
	// ErrHeldBack is the cause while a consumer that does not read, under the
	// policy OverflowBlock, holds the connection back.
	ErrHeldBack = session.ErrHeldBack
	// ErrRestoring is the cause while registrations and subscriptions are not
	// back after a reconnect.
	ErrRestoring = session.ErrRestoring
)

// HealthError says why a session is not ready, see [Session.Healthy].
//
//   - [session.HealthError.Phase] is [Reconnecting] while the next attempt to
//     connect is waited for, [Connecting] while it is under way, [Closed] once
//     the session is being closed or over, and [Joined] where there is a
//     connection.
//   - [session.HealthError.Since] is when that began: the loss of the
//     connection, the login after which handles are missing, the moment from
//     which the connection is held back, the last pong, or the end.
//   - [session.HealthError.Attempt] is the number of the attempt to reconnect that
//     follows or is under way, from 1, and 0 where there is a connection.
//   - [session.HealthError.Login] reports that the attempt has a connection and
//     logs in.
//   - [session.HealthError.Missing] is how many registrations and subscriptions
//     are not back.
//   - [session.HealthError.Cause] is how the connection was lost or the last
//     attempt failed, [ErrHeldBack], [ErrRestoring], [ErrPongTimeout],
//     [ErrDraining], or a [ClosedError].
//
// It wraps its cause. Without a connection it also matches [ErrNotConnected].
type HealthError = session.HealthError

// Healthy returns nil while the session is ready to work, and otherwise a
// [HealthError], as a readiness probe wants it. A session is ready unless
//
//   - it has no connection,
//   - a consumer has held the connection back for five seconds,
//   - registrations or subscriptions are not back after a reconnect: nobody
//     reaches them,
//   - with [WithKeepalive], no pong has come for Interval and Timeout together,
//   - it is being drained or closed, or is over.
//
// It is cheap, may be called from any goroutine, and waits for nobody, not even
// for the session's own goroutine.
func (s *Session) Healthy() error { return s.eng.Healthy() }
