package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Error is an error that the peer or the router sent: an ERROR message.
// [errors.Is] matches it with the constant of its URI.
type Error struct {
	// URI names the error.
	URI string
	// Details are the details of the message. They may be nil and must not be
	// changed.
	Details proto.Dict
	// Payload is what came with the error.
	codec.Payload

	odd *proto.Oddity
}

// Oddity returns what was wrong with the details of the message, nil if nothing
// was.
func (e *Error) Oddity() *proto.Oddity { return e.odd }

// prefix begins the text of every error and every record of the log. Only what is
// in this file and logs.go writes it: an error inside of another loses it (bare).
const prefix = "wamp: "

// failure makes an error to be compared with.
func failure(text string) error { return errors.New(prefix + text) }

// maxText bounds the texts of a peer's that become part of an error's.
const maxText = 200

// Error returns the URI and, where the first argument is text, that text.
func (e *Error) Error() string {
	if e == nil {
		return prefix + "a nil *Error"
	}
	if text, ok := e.Text(maxText); ok && text != "" {
		return prefix + proto.Short(e.URI) + ": " + text
	}
	return prefix + proto.Short(e.URI)
}

// Is reports whether target is the constant of the error's URI. A timeout that
// the router kept also matches [context.DeadlineExceeded].
func (e *Error) Is(target error) bool {
	if e == nil {
		return false
	}
	if target == context.DeadlineExceeded {
		return e.URI == proto.ErrURITimeout
	}
	s, ok := target.(sentinel)
	return ok && (string(s) == e.URI || s == ErrCanceled && e.URI == proto.ErrURICancelled)
}

// sentinel is the type of the standard errors: a URI to compare with.
type sentinel string

func (s sentinel) Error() string { return prefix + string(s) }

// URI returns the error URI.
func (s sentinel) URI() string { return string(s) }

// The standard errors, for errors.Is against what a peer said.
const (
	ErrInvalidURI             = sentinel(proto.ErrURIInvalidURI)
	ErrNoSuchProcedure        = sentinel(proto.ErrURINoSuchProcedure)
	ErrProcedureAlreadyExists = sentinel(proto.ErrURIProcedureAlreadyExists)
	ErrNoSuchRegistration     = sentinel(proto.ErrURINoSuchRegistration)
	ErrNoSuchSubscription     = sentinel(proto.ErrURINoSuchSubscription)
	ErrInvalidArgument        = sentinel(proto.ErrURIInvalidArgument)
	ErrCanceled               = sentinel(proto.ErrURICanceled)
	ErrPayloadSizeExceeded    = sentinel(proto.ErrURIPayloadSizeExceeded)
	ErrProtocolViolation      = sentinel(proto.ErrURIProtocolViolation)
	ErrNotAuthorized          = sentinel(proto.ErrURINotAuthorized)
	ErrAuthorizationFailed    = sentinel(proto.ErrURIAuthorizationFailed)
	ErrNoSuchRealm            = sentinel(proto.ErrURINoSuchRealm)
	ErrNoSuchRole             = sentinel(proto.ErrURINoSuchRole)
	ErrNoMatchingAuthMethod   = sentinel(proto.ErrURINoMatchingAuthMethod)
	ErrNoSuchPrincipal        = sentinel(proto.ErrURINoSuchPrincipal)
	ErrAuthenticationDenied   = sentinel(proto.ErrURIAuthenticationDenied)
	ErrAuthenticationFailed   = sentinel(proto.ErrURIAuthenticationFailed)
	ErrAuthenticationRequired = sentinel(proto.ErrURIAuthenticationRequired)
	ErrAuthorizationDenied    = sentinel(proto.ErrURIAuthorizationDenied)
	ErrAuthorizationRequired  = sentinel(proto.ErrURIAuthorizationRequired)
	ErrTimeout                = sentinel(proto.ErrURITimeout)
	ErrOptionNotAllowed       = sentinel(proto.ErrURIOptionNotAllowed)
	ErrDiscloseMeDisallowed   = sentinel(proto.ErrURIDiscloseMe)
	ErrNetworkFailure         = sentinel(proto.ErrURINetworkFailure)
	ErrUnavailable            = sentinel(proto.ErrURIUnavailable)
	ErrNoAvailableCallee      = sentinel(proto.ErrURINoAvailableCallee)
	ErrFeatureNotSupported    = sentinel(proto.ErrURIFeatureNotSupported)
	ErrNoSuchSession          = sentinel(proto.ErrURINoSuchSession)
	ErrNoAuthMethod           = sentinel(proto.ErrURINoAuthMethod)
	ErrInvalidPayload         = sentinel(proto.ErrURIInvalidPayload)
	ErrRuntimeError           = sentinel(proto.ErrURIRuntimeError)
	ErrRevoked                = sentinel(proto.ErrURIUnregistered) // why Crossbar revokes a registration
)

// URIOf returns the error URI that err carries, "" if it carries none.
func URIOf(err error) string {
	if e, is := Seek[*Error](err); is && e != nil {
		return e.URI
	}
	s, _ := Seek[sentinel](err)
	return string(s)
}

// Our own conclusions: never what a peer said.
var (
	// ErrSessionClosed is matched by every error of an operation on a
	// session that is over; the error wraps the reason.
	ErrSessionClosed = failure("session closed")
	// ErrSlowConsumer ends a stream whose consumer let its bound be reached.
	ErrSlowConsumer = failure("slow consumer: the bound of the stream is reached")
	// ErrPayloadTooBig refuses a message that the peer would not accept.
	ErrPayloadTooBig = failure("payload too big")
	// ErrAckTimeout ends a Subscribe or Register that the router did not
	// answer in time.
	ErrAckTimeout = failure("the router did not acknowledge in time")
	// ErrUnsubscribed is the end of a subscription that its user ended.
	ErrUnsubscribed = failure("unsubscribed")
	// ErrUnregistered is the end of a registration that its user ended.
	ErrUnregistered = failure("unregistered")
	// ErrNotConnected refuses an operation that began while there was no
	// connection, where the reconnect policy says so.
	ErrNotConnected = failure("not connected")
	// ErrPongTimeout is the reason of a LinkError when a pong was missed.
	ErrPongTimeout = errors.New("no pong in time")
	// ErrDraining is the end of a registration whose session is drained, and
	// refuses one that comes later.
	ErrDraining = failure("the session is being drained")
	// ErrCallEnded is the cause by which the context of a progressive call's
	// producer ends when the call is over.
	ErrCallEnded = failure("the call has ended")
	// ErrDialTimeout is the reason of a failed attempt to connect that took
	// longer than DialTimeout.
	ErrDialTimeout = errors.New("no connection within DialTimeout")
	// ErrLoginTimeout is the reason of a LinkError or LoginError when the login
	// was not finished in time.
	ErrLoginTimeout = errors.New("the login was not finished in time")
	// ErrAnswered is returned for a second end of one invocation.
	ErrAnswered = failure("the invocation has been answered")
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
		s += fmt.Sprintf(" (%d messages were not delivered)", e.Undelivered)
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

// joinText puts what a peer has said behind head, in short.
func joinText(head, tail string) string {
	if tail == "" {
		return head
	}
	return head + " (" + proto.Short(tail) + ")"
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
	return prefix + fmt.Sprintf("gave up after %d attempts to reconnect: %s", e.Attempts, bare(e.Err))
}

// Unwrap returns how the last attempt failed.
func (e *GaveUpError) Unwrap() error { return e.Err }

// FeatureError refuses an operation because the router did not announce a
// feature that it needs. Nothing was sent.
type FeatureError struct {
	// Role is the role of the router that lacks the feature.
	Role proto.Role
	// Feature is the feature. It means nothing where NoRole is set.
	Feature proto.Feature
	// NoRole reports that the router lacks the whole role.
	NoRole bool
	// Option names the option that needs the feature, "" if the operation
	// itself does.
	Option string
}

func (e *FeatureError) Error() string {
	if e.NoRole {
		return prefix + "the router is no " + e.Role.String()
	}
	s := prefix
	if e.Option != "" {
		s += e.Option + ": "
	}
	return fmt.Sprintf("%sthe %s did not announce %s (wamp.Assume(%q) if it has it all the same)", s, e.Role, e.Feature, e.Feature)
}

// Interrupt is the cause of an invocation's context after the dealer sent
// INTERRUPT.
type Interrupt struct {
	// Mode is "kill" or "killnowait", "" if the dealer did not say.
	Mode string
	// Reason is the error URI that the dealer gave, "" if it gave none.
	Reason string
}

func (e *Interrupt) Error() string {
	s := prefix + "interrupted"
	if e.Mode != "" {
		s += ": mode " + proto.Short(e.Mode)
	}
	return joinText(s, e.Reason)
}

// Is reports whether target is [ErrCanceled] or the constant of the reason.
func (e *Interrupt) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && (s == ErrCanceled || string(s) == e.Reason)
}

// OutcomeUnknown ends an operation that was written when the connection was
// lost or the session ended, or that the router did not acknowledge in time. The
// operation may or may not have been carried out.
type OutcomeUnknown struct {
	// Delivered counts the progressive results that had arrived.
	Delivered int
	// Links counts the connections in a row that ended soon after the operation
	// was written, if that is why it is not sent again.
	Links int
	// Reason is how the connection ended.
	Reason error
}

func (e *OutcomeUnknown) Error() string {
	s := prefix + "outcome unknown: "
	if e.Links > 0 {
		s += fmt.Sprintf("%d connections in a row ended when it had been sent, it is not tried again: ", e.Links)
	}
	return s + bare(e.Reason)
}

// Unwrap returns the reason.
func (e *OutcomeUnknown) Unwrap() error { return e.Reason }

// unknownAtEnd is the error of an operation that was written, where err is why it
// ends. If that is the end of the session, nobody knows what became of it.
func unknownAtEnd(err error, delivered int) error {
	if closed, is := err.(*ClosedError); is { //nolint:errorlint // the engine's own, not wrapped yet
		return &OutcomeUnknown{Delivered: delivered, Reason: closed}
	}
	return err
}

// bare is the text of an error without the prefix of this library.
func bare(err error) string { return strings.TrimPrefix(textOf(err), prefix) }

// OpError names the operation that failed.
type OpError struct {
	// Op is the operation, such as "call" or "subscribe".
	Op string
	// URI is the procedure or topic, "" if there is none.
	URI string
	// Err is the reason.
	Err error
}

// WrapOp returns err as the error of an operation, nil for nil.
func WrapOp(op, uri string, err error) error {
	if err == nil {
		return nil
	}
	if named, is := Find[*OpError](err); is && named.Op == op && named.URI == uri {
		return err
	}
	return &OpError{Op: op, URI: uri, Err: err}
}

func (e *OpError) Error() string {
	s, text := prefix+e.Op, bare(e.Err)
	if e.URI != "" {
		s += " " + proto.Short(e.URI)
		text = strings.TrimPrefix(text, e.URI+": ") // a transport names its address itself
	}
	return s + ": " + text
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// CanceledError ends an operation whose context has ended. It matches the error
// of the context, its cause, and [ErrCanceled] or, after a deadline,
// [ErrTimeout].
type CanceledError struct {
	// Err is context.Canceled or context.DeadlineExceeded.
	Err error
	// Cause is the cause of the context.
	Cause error
	// Peer is what the callee answered in mode kill, nil if it did not answer.
	Peer *Error
	// Offline is why there was no connection, nil if there was one: how the
	// last one was lost, or how the last attempt failed.
	Offline error
	// Attempt says how far an attempt to connect had come: a
	// *transport.DialError, or the login. It is nil if the operation was not
	// one.
	Attempt error
}

func newCanceled(ctx context.Context) *CanceledError {
	return &CanceledError{Err: ctx.Err(), Cause: causeOf(ctx)}
}

// canceledOffline is newCanceled for what waited for a link; offline is nil if
// it did not.
func canceledOffline(ctx context.Context, offline error) *CanceledError {
	e := newCanceled(ctx)
	e.Offline = offline
	return e
}

// Canceled returns the error of an operation whose ctx has ended.
func Canceled(ctx context.Context) error { return newCanceled(ctx) }

func (e *CanceledError) Error() string {
	s := prefix + bare(e.Err)
	if e.Attempt != nil {
		s = prefix + e.Attempt.Error()
	}
	if e.Cause != nil && !same(e.Cause, e.Err) {
		s += ": " + bare(e.Cause)
	}
	return s + whileOffline(e.Offline)
}

func whileOffline(why error) string {
	if why == nil {
		return ""
	}
	return " while not connected: " + bare(why)
}

// notConnected is ErrNotConnected with the reason.
func notConnected(why error) error {
	if why == nil {
		return ErrNotConnected
	}
	return fmt.Errorf("%w: %w", ErrNotConnected, why)
}

// Is reports whether target is [ErrCanceled], or after a deadline [ErrTimeout].
func (e *CanceledError) Is(target error) bool {
	if same(e.Err, context.DeadlineExceeded) {
		return target == ErrTimeout
	}
	return target == ErrCanceled
}

// Unwrap returns the error of the context, its cause, and what else is known.
func (e *CanceledError) Unwrap() []error {
	errs := []error{e.Err}
	if e.Cause != nil && !same(e.Cause, e.Err) {
		errs = append(errs, e.Cause)
	}
	if e.Peer != nil {
		errs = append(errs, e.Peer)
	}
	if e.Offline != nil {
		errs = append(errs, e.Offline)
	}
	if e.Attempt != nil {
		errs = append(errs, e.Attempt)
	}
	return errs
}

// TimeoutError ends a call whose own time limit (wamp.Timeout) ran out.
type TimeoutError struct {
	// After is the limit.
	After time.Duration
	// Offline is why there was no connection, nil if there was one.
	Offline error
}

func (e *TimeoutError) Error() string {
	return prefix + "no result within " + e.After.String() + whileOffline(e.Offline)
}

// Unwrap returns why there was no connection, nil if there was one.
func (e *TimeoutError) Unwrap() error { return e.Offline }

// Is reports whether target is [ErrTimeout] or [context.DeadlineExceeded].
func (e *TimeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// Timeout reports true, as for a net.Error.
func (e *TimeoutError) Timeout() bool { return true }

// ChunkTimeoutError is the cause of an invocation's context after the next
// chunk of a progressive call did not come in time (wamp.ChunkIdle).
type ChunkTimeoutError struct {
	// After is the limit.
	After time.Duration
}

func (e *ChunkTimeoutError) Error() string { return prefix + "no chunk within " + e.After.String() }

// Is reports whether target is [ErrTimeout] or [context.DeadlineExceeded].
func (e *ChunkTimeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// Timeout reports true, as for a net.Error.
func (e *ChunkTimeoutError) Timeout() bool { return true }

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

func newError(cd codec.Codec, m *proto.Message) *Error {
	return &Error{URI: m.URI, Details: m.Options, Payload: codec.Received(cd, m), odd: m.Odd}
}

func newAbortError(cd codec.Codec, m *proto.Message) *AbortError {
	e := &AbortError{Reason: m.URI, Message: m.Options.Str(proto.KeyMessage), Details: m.Options}
	if e.Message == "" && m.Args != nil {
		e.Message, _ = codec.Received(cd, m).Text(maxText)
	}
	return e
}
