package wamp

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Session is a joined WAMP session. All its methods may be called from any
// goroutine, also from inside a handler and between two results.
type Session struct {
	eng        *session.Session
	logger     *slog.Logger
	ackTimeout time.Duration
	noAcks     Acks // closed, for unacknowledged publishes
	payloads   PayloadCodec
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

// Ping sends a ping on the connection and returns the round-trip time. ctx
// bounds the wait; a pong that does not come ends nothing. Not every transport
// has pings: see transport.ErrNoPing.
func (s *Session) Ping(ctx context.Context) (time.Duration, error) { return s.eng.Ping(ctx) }

// RTT returns the round-trip times of the session's pings: the last, the
// smoothed and the smallest; zero before the first.
func (s *Session) RTT() RTT { return s.eng.RTT() }

// States returns a channel of the session's states: the present one at once,
// then each that follows. A state that was not read when the next one comes is
// folded into it, so that the latest is never missed. The channel is closed by
// the session: when ctx ends, and after the closed state.
func (s *Session) States(ctx context.Context) <-chan State { return s.eng.States(ctx) }

// Drain ends the session gracefully: it unregisters everything, waits until
// the invocations that had arrived are answered and acknowledged publishes have
// their answers, and closes. ctx bounds all of it; when it ends, what is left
// is cut as in Close.
func (s *Session) Drain(ctx context.Context) error { return s.eng.Drain(ctx) }

// Close says GOODBYE, waits for the router's answer and for consumers to read
// what has arrived, and returns when every goroutine of the session is gone.
// ctx bounds the waiting: when it ends, the connection is torn down and unread
// streams are cut, their last element saying how much was lost, and Close
// returns an error that wraps ctx's. Handlers that are running see their
// context end; Close waits for them within ctx. Closing a session twice, or
// one that is over, is no error.
func (s *Session) Close(ctx context.Context) error { return s.eng.Close(ctx) }

func (s *Session) logPanic(procedure string, p any) {
	s.logger.Error("wamp: a handler panicked", "procedure", procedure, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// Tables counts the entries of a session's tables, in Stats.
type Tables = session.Tables
