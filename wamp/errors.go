package wamp

import (
	"errors"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// The error types. Those that a peer's message makes, such as [Error] and
// [AbortError], and those that this side concludes, such as [CanceledError] and
// [LinkError], are never the same type.
//
// Each is found with [errors.As]. Many also match one of the Err values below
// with [errors.Is]. The page docs/errors.md lists every text that they can have, with its
// cause and what to do.
type (
	// Error is an error that the peer or the router sent: an ERROR message. It
	// matches the constant of its URI with [errors.Is]: [ErrNoSuchProcedure]
	// and so on. A timeout that the router kept also matches
	// [context.DeadlineExceeded].
	//
	//   - [session.Error.URI] names the error.
	//   - [session.Error.Details] are the details of the message. They may be
	//     nil and must not be changed.
	//   - [session.Error.Payload] is what came with the error. It is embedded,
	//     so that an Error has the methods of [codec.Payload]:
	//     [codec.Payload.Scan], [codec.Payload.ScanKw], [codec.Payload.Args],
	//     [codec.Payload.Kwargs].
	//   - [session.Error.Oddity] is nil unless details of the message had a wrong
	//     type and were left out.
	//
	// [NewError] makes one for a handler to return.
	Error = session.Error
	// FeatureError refuses an operation because the router did not announce a
	// feature that the operation or one of its options needs. Nothing was sent.
	// [Assume] lets a session use a feature that is not announced.
	//
	//   - [session.FeatureError.Role] is the role of the router that lacks it.
	//   - [session.FeatureError.Feature] is the feature.
	//   - [session.FeatureError.NoRole] reports that the router lacks the whole
	//     role.
	//   - [session.FeatureError.Option] names the option that needs the
	//     feature, "" if the operation itself does.
	FeatureError = session.FeatureError
	// Interrupt is the cause of an invocation's context after the dealer sent
	// INTERRUPT: the caller cancelled its call, or is gone. It matches
	// [ErrCanceled] and the constant of its reason.
	//
	//   - [session.Interrupt.Mode] is "kill" or "killnowait", "" if the dealer
	//     did not say.
	//   - [session.Interrupt.Reason] is the error URI that the dealer gave, if
	//     any.
	Interrupt = session.Interrupt
	// OutcomeUnknown ends an operation that was written when the connection was
	// lost or the session ended, or that the router did not acknowledge in
	// time. The operation may or may not have been carried out. After the end
	// of the session it also matches [ErrSessionClosed]. [Idempotent] sends an
	// operation again, where there is another connection, instead.
	//
	//   - [session.OutcomeUnknown.Delivered] counts the progressive results
	//     that had arrived.
	//   - [session.OutcomeUnknown.Links] counts the connections in a row that
	//     ended soon after the operation was written, if that is why it is not
	//     sent again.
	//   - [session.OutcomeUnknown.Reason] is how the connection ended, or the
	//     [ClosedError] of the session. It is wrapped.
	OutcomeUnknown = session.OutcomeUnknown
	// RetryError is the error of a call that was made more than once, by [Retry] or
	// [Resume].
	//
	//   - [session.RetryError.Attempts] is how many attempts were made.
	//   - [session.RetryError.Err] is the error of the last one that has failed by
	//     itself. It is wrapped.
	//   - [session.RetryError.Ended] is why there was not another one, such as a
	//     [CanceledError], where that is not the policy; nil otherwise. It is wrapped.
	RetryError = session.RetryError
	// CanceledError ends an operation whose context has ended. It matches the
	// error of the context, the cause of the context, and [ErrCanceled] or,
	// after a deadline, [ErrTimeout].
	//
	//   - [session.CanceledError.Err] is [context.Canceled] or
	//     [context.DeadlineExceeded].
	//   - [session.CanceledError.Cause] is the cause of the context.
	//   - [session.CanceledError.Peer] is what the callee answered in mode
	//     [Kill], nil if it did not answer.
	//   - [session.CanceledError.Offline] is why there was no connection, nil
	//     if there was one.
	//   - [session.CanceledError.Attempt] says how far an attempt to connect
	//     had come, nil if the operation was not one.
	CanceledError = session.CanceledError
	// TimeoutError ends a call whose [Timeout] ran out. It matches [ErrTimeout]
	// and [context.DeadlineExceeded].
	//
	//   - [session.TimeoutError.After] is the limit.
	//   - [session.TimeoutError.Offline] is why there was no connection, nil if
	//     there was one.
	//   - [session.TimeoutError.Timeout] reports true, as for a net.Error.
	TimeoutError = session.TimeoutError
	// ClosedError ends an operation because the session is over. It matches
	// [ErrSessionClosed]. An operation that was written before ends with an
	// [OutcomeUnknown] that wraps it.
	//
	//   - [session.ClosedError.Reason] is why the session is over: a
	//     [GoodbyeError], [AbortError], [ProtocolError], [LinkError] or
	//     [GaveUpError], nil after [Session.Close]. It is wrapped.
	//   - [session.ClosedError.Undelivered] counts the messages of the stream
	//     that [Session.Close] dropped because nobody read them.
	ClosedError = session.ClosedError
	// GoodbyeError is the end of a session that the router closed by GOODBYE.
	// It matches the constant of its reason.
	//
	//   - [session.GoodbyeError.Reason] is the URI of the reason.
	//   - [session.GoodbyeError.Message] is the message of the router, "" if
	//     there was none.
	GoodbyeError = session.GoodbyeError
	// AbortError is a session that the router refused to begin, or ended, by
	// ABORT. It matches the constant of its reason.
	//
	//   - [session.AbortError.Reason] is the URI of the reason.
	//   - [session.AbortError.Message] is the message of the router, "" if
	//     there was none.
	//   - [session.AbortError.Details] are the details of the message.
	//   - [session.AbortError.Refusal] explains a login that was refused; nil
	//     otherwise. It is wrapped.
	AbortError = session.AbortError
	// ProtocolError is the end of a connection whose router broke the protocol.
	// It matches [ErrProtocolViolation].
	//
	//   - [session.ProtocolError.Message] is the type of the message, 0 if it
	//     could not be parsed.
	//   - [session.ProtocolError.Reason] says what was wrong.
	//   - [session.ProtocolError.Err] is the error of the parser, nil if there
	//     was none. It is wrapped.
	ProtocolError = session.ProtocolError
	// LinkError is the loss of the connection.
	//
	//   - [session.LinkError.Err] is what the transport reported. It is
	//     wrapped.
	LinkError = session.LinkError
	// LoginError is a login that failed on this side, where the authenticator
	// had no answer to a challenge or did not trust the router, or during which
	// the router hung up.
	//
	//   - [session.LoginError.Err] is what the authenticator reported. It is
	//     wrapped.
	LoginError = session.LoginError
	// GaveUpError is the end of a session that could not be joined again within
	// the limits of its [Backoff].
	//
	//   - [session.GaveUpError.Attempts] is how many attempts were made.
	//   - [session.GaveUpError.Err] is how the last of them failed, or how the
	//     connection was lost. It is wrapped.
	GaveUpError = session.GaveUpError
	// AddressesError is why none of the addresses of [WithURLs] could be used. It is
	// wrapped by a [GaveUpError], or by the error of [Connect].
	//
	//   - [session.AddressesError.Failures] has for each address that was tried, as a
	//     [transport.Failure], how it failed the last time, the latest first. Their
	//     errors are wrapped.
	AddressesError = session.AddressesError
	// RevokedError ends a subscription or registration that the router took
	// away. It matches the constant of its reason.
	//
	//   - [session.RevokedError.ID] is the id of the subscription or
	//     registration.
	//   - [session.RevokedError.Reason] is the URI of the reason, "" if the
	//     router gave none.
	RevokedError = session.RevokedError
	// URIError refuses a string that is not a valid URI. The rules are those of
	// the WAMP specification, section "URIs", in their loose form.
	//
	//   - [proto.URIError.URI] is the string.
	//   - [proto.URIError.Reason] says what is wrong with it.
	URIError = proto.URIError
	// OpError names the operation that failed. Nearly every error that package
	// wamp returns is one.
	//
	//   - [session.OpError.Op] is the operation, such as "call", or "register" for
	//     [Session.Handle] too.
	//   - [session.OpError.URI] is the procedure or topic, "" if there is none.
	//   - [session.OpError.Err] is the reason. It is wrapped.
	OpError = session.OpError
	// EncodeError refuses a payload with a value that cannot be sent. Nothing
	// was sent.
	//
	//   - [codec.EncodeError.Codec] is the name of the serializer.
	//   - [codec.EncodeError.Path] says where in the payload the value stands,
	//     such as "args[1].name".
	//   - [codec.EncodeError.Reason] says what is wrong with it.
	//   - [codec.EncodeError.Err] is the error of a marshaler or a library, nil
	//     if there was none. It is wrapped.
	EncodeError = codec.EncodeError
	// PanicError is the panic of a marshaler, an unmarshaler, a payload codec or an
	// [Interceptor], and to interceptors that of a handler.
	//
	//   - [codec.PanicError.Value] is what it panicked with. An error is
	//     wrapped.
	//   - [codec.PanicError.Stack] is the first 16 KiB of the stack.
	PanicError = codec.PanicError
	// ScanError is the error of Scan and ScanKw: an argument did not fit its
	// target.
	//
	//   - [codec.ScanError.Index] is the position of the argument, -1 for the
	//     keyword arguments.
	//   - [codec.ScanError.Path] says where in the payload the value stands,
	//     such as "args[0].items[3].price".
	//   - [codec.ScanError.Type] is the Go type of the target.
	//   - [codec.ScanError.Err] is the reason. It is wrapped.
	ScanError = codec.ScanError
	// HandshakeError is a connection that was opened but not agreed on: the
	// upgrade to WebSocket or the handshake of RawSocket was refused.
	//
	//   - [transport.HandshakeError.Status] is the HTTP status, 0 if there was
	//     none.
	//   - [transport.HandshakeError.Refusal] is the error number of a RawSocket
	//     handshake, 0 if there was none.
	//   - [transport.HandshakeError.Protocol] is what the router chose, or what
	//     was offered to it.
	//   - [transport.HandshakeError.Err] is the cause, nil if there is none. It
	//     is wrapped.
	HandshakeError = transport.HandshakeError
	// DialError is a connection that could not be opened.
	//
	//   - [transport.DialError.Address] is the URL, without user, password and
	//     query.
	//   - [transport.DialError.Phase] is how far the attempt had come, such as
	//     "tls handshake".
	//   - [transport.DialError.Err] is the cause, such as a [HandshakeError].
	//     It is wrapped.
	//   - [transport.DialError.Hint] suggests what to change, "" if no single
	//     mistake explains the error.
	DialError = transport.DialError
	// ChunkTimeoutError is the cause of an invocation's context after the next
	// chunk of a progressive call did not come within [ChunkIdle]. It matches
	// [ErrTimeout] and [context.DeadlineExceeded].
	//
	//   - [session.ChunkTimeoutError.After] is the limit.
	//   - [session.ChunkTimeoutError.Timeout] reports true, as for a net.Error.
	ChunkTimeoutError = session.ChunkTimeoutError
)

// Errors of this side, to be compared with [errors.Is].
var (
	// ErrSessionClosed is matched by the error of every operation on a session
	// that is over. See ClosedError.
	ErrSessionClosed = session.ErrSessionClosed
	// ErrSlowConsumer ends a stream whose consumer did not read fast enough, so
	// that its bound was reached. See Buffer and OverflowFail.
	ErrSlowConsumer = session.ErrSlowConsumer
	// ErrPayloadTooBig refuses a message that is larger than the router
	// accepts. Nothing was sent.
	ErrPayloadTooBig = session.ErrPayloadTooBig
	// ErrAckTimeout ends a Session.Subscribe or Session.Register that the
	// router did not answer within AckTimeout.
	ErrAckTimeout = session.ErrAckTimeout
	// ErrUnsubscribed is returned by Subscription.Err after
	// Subscription.Unsubscribe.
	ErrUnsubscribed = session.ErrUnsubscribed
	// ErrUnregistered is returned by Registration.Err and Service.Err after
	// Unregister.
	ErrUnregistered = session.ErrUnregistered
	// ErrNotConnected refuses an operation that began while there was no
	// connection, where Backoff.FailFast is set.
	ErrNotConnected = session.ErrNotConnected
	// ErrPongTimeout is the reason of a LinkError after a probe of
	// WithKeepalive was not answered in time.
	ErrPongTimeout = session.ErrPongTimeout
	// ErrDialTimeout is matched by the error of an attempt to connect that took
	// longer than DialTimeout.
	ErrDialTimeout = session.ErrDialTimeout
	// ErrLoginTimeout is matched by the error of a login that took longer than
	// LoginTimeout.
	ErrLoginTimeout = session.ErrLoginTimeout
	// ErrNotInBrowser is matched by the error of a Connect in a browser that was
	// given an address or an option that JavaScript does not offer.
	ErrNotInBrowser = transport.ErrNotInBrowser
	// ErrBacklog is the reason of a LinkError in a browser, where a router cannot
	// be held back: 64 MiB of messages waited that nobody had read.
	ErrBacklog = transport.ErrBacklog
	// ErrDraining is returned by Registration.Err and Service.Err after
	// Session.Drain.
	ErrDraining = session.ErrDraining
	// ErrCallEnded is returned by the send function of Session.CallFunc after
	// the call is over, and is the cause of the context that the function was
	// given.
	ErrCallEnded = session.ErrCallEnded
	// ErrAnswered is returned where an invocation that has ended is answered
	// again.
	ErrAnswered = session.ErrAnswered
)

// The standard errors of WAMP and of its routers. Each is an error that carries its
// URI: compare the error of an operation with one by [errors.Is], or return
// one from a [Handler] so that the caller gets the URI.
//
// The WAMP specification lists them where it lists its URIs.
const (
	// ErrInvalidURI is wamp.error.invalid_uri: a URI of the message is not
	// valid.
	ErrInvalidURI = session.ErrInvalidURI
	// ErrNoSuchProcedure is wamp.error.no_such_procedure: nobody has registered
	// the procedure.
	ErrNoSuchProcedure = session.ErrNoSuchProcedure
	// ErrProcedureAlreadyExists is wamp.error.procedure_already_exists: the
	// procedure has been registered before, and is not shared.
	ErrProcedureAlreadyExists = session.ErrProcedureAlreadyExists
	// ErrNoSuchRegistration is wamp.error.no_such_registration: the
	// registration does not exist.
	ErrNoSuchRegistration = session.ErrNoSuchRegistration
	// ErrNoSuchSubscription is wamp.error.no_such_subscription: the
	// subscription does not exist.
	ErrNoSuchSubscription = session.ErrNoSuchSubscription
	// ErrInvalidArgument is wamp.error.invalid_argument: the callee does not
	// accept the arguments.
	ErrInvalidArgument = session.ErrInvalidArgument
	// ErrCanceled is wamp.error.canceled: the call was cancelled. An Error
	// with the spelling wamp.error.cancelled matches too.
	ErrCanceled = session.ErrCanceled
	// ErrPayloadSizeExceeded is wamp.error.payload_size_exceeded: the payload
	// is larger than the receiver accepts.
	ErrPayloadSizeExceeded = session.ErrPayloadSizeExceeded
	// ErrProtocolViolation is wamp.error.protocol_violation: a message broke
	// the protocol.
	ErrProtocolViolation = session.ErrProtocolViolation
	// ErrNotAuthorized is wamp.error.not_authorized: this session may not do
	// that.
	ErrNotAuthorized = session.ErrNotAuthorized
	// ErrAuthorizationFailed is wamp.error.authorization_failed: the router
	// could not decide whether the session may do that.
	ErrAuthorizationFailed = session.ErrAuthorizationFailed
	// ErrNoSuchRealm is wamp.error.no_such_realm: the realm does not exist.
	ErrNoSuchRealm = session.ErrNoSuchRealm
	// ErrNoSuchRole is wamp.error.no_such_role: the role of the login does not
	// exist.
	ErrNoSuchRole = session.ErrNoSuchRole
	// ErrNoMatchingAuthMethod is wamp.error.no_matching_auth_method: the router
	// accepts none of the login methods offered.
	ErrNoMatchingAuthMethod = session.ErrNoMatchingAuthMethod
	// ErrNoSuchPrincipal is wamp.error.no_such_principal: the authid does not
	// exist.
	ErrNoSuchPrincipal = session.ErrNoSuchPrincipal
	// ErrAuthenticationDenied is wamp.error.authentication_denied: the router
	// refused the login.
	ErrAuthenticationDenied = session.ErrAuthenticationDenied
	// ErrAuthenticationFailed is wamp.error.authentication_failed: the login
	// could not be checked, or was wrong.
	ErrAuthenticationFailed = session.ErrAuthenticationFailed
	// ErrAuthenticationRequired is wamp.error.authentication_required: the
	// realm cannot be joined without a login.
	ErrAuthenticationRequired = session.ErrAuthenticationRequired
	// ErrAuthorizationDenied is wamp.error.authorization_denied: the session
	// may not join the realm or role.
	ErrAuthorizationDenied = session.ErrAuthorizationDenied
	// ErrAuthorizationRequired is wamp.error.authorization_required: the realm
	// cannot be joined without authorization.
	ErrAuthorizationRequired = session.ErrAuthorizationRequired
	// ErrTimeout is wamp.error.timeout: a time limit of the call ran out.
	ErrTimeout = session.ErrTimeout
	// ErrOptionNotAllowed is wamp.error.option_not_allowed: the router does not
	// allow an option of the message.
	ErrOptionNotAllowed = session.ErrOptionNotAllowed
	// ErrDiscloseMeDisallowed is wamp.error.option_disallowed.disclose_me: the
	// router does not let the session disclose itself.
	ErrDiscloseMeDisallowed = session.ErrDiscloseMeDisallowed
	// ErrNetworkFailure is wamp.error.network_failure: the router lost the
	// connection to the other side.
	ErrNetworkFailure = session.ErrNetworkFailure
	// ErrUnavailable is wamp.error.unavailable: the callee cannot take the call
	// at present.
	ErrUnavailable = session.ErrUnavailable
	// ErrNoAvailableCallee is wamp.error.no_available_callee: no callee of the
	// procedure can take the call at present.
	ErrNoAvailableCallee = session.ErrNoAvailableCallee
	// ErrFeatureNotSupported is wamp.error.feature_not_supported: the other
	// side lacks a feature that the message needs.
	ErrFeatureNotSupported = session.ErrFeatureNotSupported
	// ErrNoSuchSession is wamp.error.no_such_session: the session does not
	// exist.
	ErrNoSuchSession = session.ErrNoSuchSession
	// ErrNoAuthMethod is wamp.error.no_auth_method: Crossbar accepts none of
	// the login methods offered.
	ErrNoAuthMethod = session.ErrNoAuthMethod
	// ErrInvalidPayload is wamp.error.invalid_payload: the payload does not fit
	// or cannot be decoded. Autobahn defined it.
	ErrInvalidPayload = session.ErrInvalidPayload
	// ErrRuntimeError is wamp.error.runtime_error: the handler of the callee
	// failed. Autobahn defined it.
	ErrRuntimeError = session.ErrRuntimeError
)

// What is refused before anything happens.
var (
	errNoStream    = errors.New("the stream is nil, or has been read to its end")
	errNoResults   = opError("call", "", errNoStream) // made once: each Final begins with it
	errByChannel   = errors.New("the stream is read by its channel already")
	errByLoop      = errors.New("another loop reads the stream")
	errNilOption   = errors.New("an option is nil")
	errNilProducer = errors.New("the producer is nil")
	errNilHandler  = errors.New("the handler is nil")
	errUnwanted    = errors.New("the request has arguments, and the procedure takes none")
	errProducer    = errors.New("the producer panicked or called runtime.Goexit")
	errHandler     = errors.New("the handler panicked or called runtime.Goexit")
	errInterceptor = errors.New("an interceptor called runtime.Goexit")
	errGoexit      = errors.New("a marshaler called runtime.Goexit")
)

// opError says of which operation an error is; nil stays nil.
func opError(op, uri string, err error) error { return session.WrapOp(op, uri, err) }

// NewError returns an error for a handler to return or for [Invocation.Fail].
// The caller gets it as an [Error] with the URI and the payload. It passes on what
// another operation has received, whatever its URI is.
func NewError(uri string, payload Payload) *Error { return &Error{URI: uri, Payload: payload} }

// Errorf returns an error for a handler to return or for [Invocation.Fail], with a text
// for the caller. kind says which one it is: a constant such as [ErrInvalidArgument], or
// an error that carries a URI, of [NewError] or received; any other is
// wamp.error.runtime_error. The caller gets an [Error] with that URI, whose only argument is the text that [fmt.Errorf] makes.
//
//	return wamp.Errorf(wamp.ErrInvalidArgument, "line %d: %v", n, err)
func Errorf(kind error, format string, args ...any) *Error {
	uri := ErrorURI(kind)
	if uri == "" {
		uri = proto.ErrURIRuntimeError
	}
	return NewError(uri, Args(fmt.Errorf(format, args...).Error()))
}

// ErrorURI returns the error URI that err carries, "" if it carries none. Both
// an [Error] and the Err constants carry one, wrapped or not.
func ErrorURI(err error) string { return session.URIOf(err) }
