package session

import (
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// ClosedError ends an operation because the session is over. It matches
// [ErrSessionClosed] and wraps the reason.
type ClosedError struct {
	// Reason is why the session is over: a *GoodbyeError, *AbortError,
	// *ProtocolError, *LinkError or *GaveUpError, nil after Close.
	Reason error
	// Undelivered counts the messages of the stream that Close dropped because
	// nobody read them.
	Undelivered int
}

func (e *ClosedError) Error() string {
	s := ErrSessionClosed.Error()
	if e.Reason != nil {
		s += ": " + bare(e.Reason)
	}
	if e.Undelivered > 0 {
		s += " (" + count(e.Undelivered, "message was not delivered", "messages were not delivered") + ")"
	}
	return s
}

// Is matches ErrSessionClosed.
func (e *ClosedError) Is(target error) bool { return target == ErrSessionClosed }

// Unwrap returns the reason.
func (e *ClosedError) Unwrap() error { return e.Reason }

// GoodbyeError is the end of a session that the router closed by GOODBYE.
type GoodbyeError struct {
	// Reason is the URI of the reason.
	Reason string
	// Message is the message of the router, "" if there was none.
	Message string
}

func (e *GoodbyeError) Error() string {
	return joinText(prefix+"the router said goodbye: "+proto.Short(e.Reason), e.Message)
}

// Is reports whether target is the constant of the reason.
func (e *GoodbyeError) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && string(s) == e.Reason
}

// AbortError is a session that the router refused to begin, or ended, by ABORT.
type AbortError struct {
	// Reason is the URI of the reason.
	Reason string
	// Message is the message of the router, from the details or the first
	// argument, "" if there was none.
	Message string
	// Details are the details of the message.
	Details proto.Dict
	// Refusal explains a login that was refused, whatever URI the router uses
	// for it. It is nil for other reasons.
	Refusal *authn.Refusal
}

// Unwrap returns the Refusal, if there is one.
func (e *AbortError) Unwrap() error {
	if e.Refusal == nil {
		return nil
	}
	return e.Refusal
}

func (e *AbortError) Error() string {
	if e.Refusal != nil {
		return joinText(prefix+"login refused: "+e.Refusal.Kind.String()+": "+proto.Short(e.Reason), e.Message)
	}
	return joinText(prefix+"the router aborted: "+proto.Short(e.Reason), e.Message)
}

// Is reports whether target is the constant of the reason.
func (e *AbortError) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && string(s) == e.Reason
}

// ProtocolError is the end of a connection whose router broke the protocol, or
// of the operation that a broken message belonged to.
type ProtocolError struct {
	// Message is the type of the broken message, 0 if it could not be parsed.
	Message proto.MessageType
	// Reason says what was wrong.
	Reason string
	// Err is the error of the parser, nil if there was none.
	Err error
}

func (e *ProtocolError) Error() string {
	s := prefix + "protocol violation by the router: "
	if e.Message != 0 {
		s += e.Message.String() + ": "
	}
	return s + e.Reason
}

// Is matches ErrProtocolViolation.
func (e *ProtocolError) Is(target error) bool { return target == ErrProtocolViolation }

// Unwrap returns the parser's error.
func (e *ProtocolError) Unwrap() error { return e.Err }

// LinkError is the loss of the connection.
type LinkError struct {
	// Err is what the transport reported.
	Err error
}

func (e *LinkError) Error() string { return prefix + "connection lost: " + bare(e.Err) }

// Unwrap returns what the transport reported.
func (e *LinkError) Unwrap() error { return e.Err }

// LoginError is a login that this side gave up: the authenticator had no answer
// to a challenge, or did not trust the router, or the router hung up during the
// login.
type LoginError struct {
	// Err is what the authenticator reported.
	Err error
}

func (e *LoginError) Error() string { return prefix + "login: " + bare(e.Err) }

// Unwrap returns what the authenticator reported.
func (e *LoginError) Unwrap() error { return e.Err }

// GaveUpError is the end of a session that could not be joined again within
// the limits of its policy.
type GaveUpError struct {
	// Attempts is how many attempts were made.
	Attempts int
	// Err is how the last of them failed, or how the connection was lost.
	Err error
}

func (e *GaveUpError) Error() string {
	return prefix + "gave up after " + count(e.Attempts, "attempt", "attempts") + " to reconnect: " + bare(e.Err)
}

// Unwrap returns how the last attempt failed.
func (e *GaveUpError) Unwrap() error { return e.Err }

// RevokedError ends a subscription or registration that the router took away.
type RevokedError struct {
	// ID is the id of the subscription or registration.
	ID proto.ID
	// Reason is the URI of the reason, "" if the router gave none.
	Reason string
}

func (e *RevokedError) Error() string { return joinText(prefix+"revoked by the router", e.Reason) }

// Is reports whether target is the constant of the reason.
func (e *RevokedError) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && string(s) == e.Reason
}

func newAbortError(cd codec.Codec, m *proto.Message) *AbortError {
	e := &AbortError{Reason: m.URI, Message: m.Options.Str(proto.KeyMessage), Details: m.Options}
	if e.Message == "" && m.Args != nil {
		e.Message, _ = codec.Received(cd, m).Text(maxText)
	}
	return e
}
