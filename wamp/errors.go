package wamp

import (
	"errors"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// What a peer said, and what we concluded; never the same type.
type (
	// Error is what the peer said: an ERROR message with URI, details and
	// payload.
	Error = session.Error
	// FeatureError refuses an operation whose feature the router lacks.
	FeatureError = session.FeatureError
	// Interrupt is the cause of an interrupted invocation's context.
	Interrupt = session.Interrupt
	// OutcomeUnknown ends an operation that was written when the connection
	// was lost.
	OutcomeUnknown = session.OutcomeUnknown
	// CanceledError ends an operation whose context ended.
	CanceledError = session.CanceledError
	// TimeoutError ends a call whose Timeout ran out.
	TimeoutError = session.TimeoutError
	// ClosedError matches ErrSessionClosed and wraps why the session is over.
	ClosedError = session.ClosedError
	// GoodbyeError is a session that the router closed by GOODBYE.
	GoodbyeError = session.GoodbyeError
	// AbortError is a join that the router refused, or a session it ended, by
	// ABORT.
	AbortError = session.AbortError
	// ProtocolError is a session whose router broke the protocol.
	ProtocolError = session.ProtocolError
	// LinkError is the loss of the connection.
	LinkError = session.LinkError
	// LoginError is a join that this side gave up.
	LoginError = session.LoginError
	// GaveUpError is a session that could not be joined again within the limits
	// of its policy.
	GaveUpError = session.GaveUpError
	// RevokedError ends a subscription or registration that the router took
	// away.
	RevokedError = session.RevokedError
	// URIError says why a URI is not one.
	URIError = proto.URIError
	// OpError says which operation failed, and of which procedure or topic.
	OpError = session.OpError
	// EncodeError says which value of a payload cannot be sent, and why.
	EncodeError = codec.EncodeError
	// PanicError says that a marshaler or an unmarshaler of the user's has
	// panicked.
	PanicError = codec.PanicError
	// DialError says where a dial has failed, and how far it had come.
	DialError = transport.DialError
	// ChunkTimeoutError is the cause of an invocation's context that ended
	// because the next chunk did not come (ChunkIdle).
	ChunkTimeoutError = session.ChunkTimeoutError
)

// Our own conclusions.
var (
	// ErrSessionClosed is matched by every error of an operation on a session
	// that is over.
	ErrSessionClosed = session.ErrSessionClosed
	// ErrSlowConsumer ends a stream whose consumer let its bound be reached.
	ErrSlowConsumer = session.ErrSlowConsumer
	// ErrPayloadTooBig refuses a message that the peer would not accept.
	ErrPayloadTooBig = session.ErrPayloadTooBig
	// ErrAckTimeout ends a Subscribe or Register that the router did not
	// answer in time.
	ErrAckTimeout = session.ErrAckTimeout
	// ErrUnsubscribed is Subscription.Err after Unsubscribe.
	ErrUnsubscribed = session.ErrUnsubscribed
	// ErrUnregistered is Registration.Err after Unregister.
	ErrUnregistered = session.ErrUnregistered
	// ErrNotConnected refuses an operation that began while there was no
	// connection, where the reconnect policy says so.
	ErrNotConnected = session.ErrNotConnected
	// ErrPongTimeout is the reason of a LinkError when a pong was missed.
	ErrPongTimeout = session.ErrPongTimeout
	// ErrDialTimeout is matched by the error of an attempt to connect that took
	// longer than DialTimeout.
	ErrDialTimeout = session.ErrDialTimeout
	// ErrLoginTimeout is matched by the error of a login that was not finished
	// in time.
	ErrLoginTimeout = session.ErrLoginTimeout
	// ErrDraining is Registration.Err after Drain.
	ErrDraining = session.ErrDraining
	// ErrCallEnded is returned for a chunk of a progressive call that is over,
	// and is the cause by which its producer's context ends.
	ErrCallEnded = session.ErrCallEnded
	// ErrAnswered is returned for a second end of one invocation.
	ErrAnswered = session.ErrAnswered
)

// The standard error URIs, for errors.Is against what a peer said, and for a
// handler to return.
const (
	ErrInvalidURI             = session.ErrInvalidURI
	ErrNoSuchProcedure        = session.ErrNoSuchProcedure
	ErrProcedureAlreadyExists = session.ErrProcedureAlreadyExists
	ErrNoSuchRegistration     = session.ErrNoSuchRegistration
	ErrNoSuchSubscription     = session.ErrNoSuchSubscription
	ErrInvalidArgument        = session.ErrInvalidArgument
	ErrCanceled               = session.ErrCanceled
	ErrPayloadSizeExceeded    = session.ErrPayloadSizeExceeded
	ErrProtocolViolation      = session.ErrProtocolViolation
	ErrNotAuthorized          = session.ErrNotAuthorized
	ErrAuthorizationFailed    = session.ErrAuthorizationFailed
	ErrNoSuchRealm            = session.ErrNoSuchRealm
	ErrNoSuchRole             = session.ErrNoSuchRole
	ErrNoMatchingAuthMethod   = session.ErrNoMatchingAuthMethod
	ErrNoSuchPrincipal        = session.ErrNoSuchPrincipal
	ErrAuthenticationDenied   = session.ErrAuthenticationDenied
	ErrAuthenticationFailed   = session.ErrAuthenticationFailed
	ErrAuthenticationRequired = session.ErrAuthenticationRequired
	ErrAuthorizationDenied    = session.ErrAuthorizationDenied
	ErrAuthorizationRequired  = session.ErrAuthorizationRequired
	ErrTimeout                = session.ErrTimeout
	ErrOptionNotAllowed       = session.ErrOptionNotAllowed
	ErrDiscloseMeDisallowed   = session.ErrDiscloseMeDisallowed
	ErrNetworkFailure         = session.ErrNetworkFailure
	ErrUnavailable            = session.ErrUnavailable
	ErrNoAvailableCallee      = session.ErrNoAvailableCallee
	ErrFeatureNotSupported    = session.ErrFeatureNotSupported
	ErrNoSuchSession          = session.ErrNoSuchSession
	ErrNoAuthMethod           = session.ErrNoAuthMethod
	ErrInvalidPayload         = session.ErrInvalidPayload
	ErrRuntimeError           = session.ErrRuntimeError
)

// What is refused before anything happens.
var (
	errNoStream    = errors.New("wamp: nothing comes: it is nil, or was read to its end before")
	errNilOption   = errors.New("an option is nil")
	errNilProducer = errors.New("the producer is nil")
	errProducer    = errors.New("the producer panicked or called runtime.Goexit")
)

// opError says of which operation an error is; nil stays nil.
func opError(op, uri string, err error) error { return session.WrapOp(op, uri, err) }

// NewError makes an error for a callee to answer with: its URI, and what the
// caller shall get beside it.
func NewError(uri string, payload Payload) *Error { return &Error{URI: uri, Payload: payload} }

// ErrorURI returns the error URI that err carries, "" if it carries none.
func ErrorURI(err error) string { return session.URIOf(err) }

// Payload is what a message carries for the application: positional and
// keyword arguments. A received one is decoded when it is asked for.
type Payload = codec.Payload

// Args makes a payload of positional arguments.
func Args(values ...any) Payload { return codec.Args(values...) }

// Kwargs makes a payload of keyword arguments: a map with string keys, or a
// struct.
func Kwargs(v any) Payload { return codec.Kwargs(v) }

// Raw makes a payload of values that are encoded already, for pass-through:
// args is a list, kwargs a dict, in the form of c; nil means absent.
func Raw(c codec.Codec, args, kwargs []byte) Payload { return codec.Raw(c, args, kwargs) }

// ID is a WAMP id.
type ID = proto.ID

// Dict is the options or details of a message.
type Dict = proto.Dict

// Peer is who caused a message, as far as the router disclosed it.
type Peer struct {
	// Session is the peer's session id, 0 if not disclosed.
	Session ID
	// AuthID and AuthRole are the peer's, "" if not disclosed.
	AuthID, AuthRole string
}
