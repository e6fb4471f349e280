package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
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

	odd      *proto.Oddity
	received bool // it came in a message: nobody here has made it
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
	// ErrHeldBack is the cause of a HealthError while a consumer that does not
	// read holds the connection back.
	ErrHeldBack = failure("a slow consumer holds the connection back")
	// ErrRestoring is the cause of a HealthError while registrations and
	// subscriptions are not back after a reconnect.
	ErrRestoring = failure("registrations and subscriptions are not back")
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

// joinText puts what a peer has said behind head, in short.
func joinText(head, tail string) string {
	if tail == "" {
		return head
	}
	return head + " (" + proto.Short(tail) + ")"
}

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

// bare is the text of an error without the prefix of this library.
func bare(err error) string { return strings.TrimPrefix(textOf(err), prefix) }

// wrapped is an error that wraps others, whose prefixes are not in its text.
type wrapped struct {
	error
	text string
}

func (e *wrapped) Error() string { return e.text }

// Unwrap returns the error whose text that is, with all prefixes.
func (e *wrapped) Unwrap() error { return e.error }

// wrapf is [fmt.Errorf] without the prefix of the errors that it wraps. Whatever is put
// in front of it has one.
func wrapf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	for i, arg := range args {
		if inner, is := arg.(error); is {
			args[i] = bare(inner)
		}
	}
	return &wrapped{err, prefix + fmt.Sprintf(strings.ReplaceAll(format, "%w", "%s"), args...)}
}

// OpError names the operation that failed.
type OpError struct {
	// Op is the operation, such as "call" or "subscribe".
	Op string
	// URI is the procedure or topic, "" if there is none.
	URI string
	// Err is the reason.
	Err error
}

// AddressesError is why none of several addresses could be used.
type AddressesError struct {
	// Failures are how the attempts at each address failed the last time, the
	// latest first.
	Failures []transport.Failure
}

// mostTold is of how many addresses the text of an error tells.
const mostTold = 8

func (e *AddressesError) Error() string {
	var texts []string
	for _, f := range e.Failures[:min(len(e.Failures), mostTold)] {
		text := bare(f.Err)
		if at := proto.Short(f.Address) + ": "; !strings.HasPrefix(text, at) { // a transport names its address itself
			text = at + text
		}
		texts = append(texts, text)
	}
	text := strings.Join(texts, "; ")
	if more := len(e.Failures) - mostTold; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// Unwrap returns the errors.
func (e *AddressesError) Unwrap() []error {
	var all []error
	for _, f := range e.Failures {
		all = append(all, f.Err)
	}
	return all
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

func newError(cd codec.Codec, m *proto.Message) *Error {
	e := Received(m.URI, m.Options, codec.Received(cd, m))
	e.odd = m.Odd
	return e
}

// Received returns an error that came in a message.
func Received(uri string, details proto.Dict, payload codec.Payload) *Error {
	return &Error{URI: uri, Details: details, Payload: payload, received: true}
}

// Told is what an error of a handler says to its caller.
type Told struct {
	// Made is the first [Error] in its tree that was made here, and Constant the
	// first of the standard errors.
	Made     *Error
	Constant string
	// Received is the first Error that came from elsewhere with a URI of the
	// application's, and Standard the first with one of WAMP's own.
	Received, Standard *Error
}

// Tell looks for what an error says to a caller. It calls the methods of all types, as
// [Seek] does.
func Tell(err error) (t Told) {
	every(err, func(e error) bool {
		said, is := e.(*Error)      //nolint:errorlint // this is what errors.As would do
		constant, _ := e.(sentinel) //nolint:errorlint // see above
		if x, can := e.(finder); can && !is && constant == "" {
			is = x.As(&said) && said != nil
		}
		switch {
		case is:
			t.say(said)
		case constant != "" && t.Constant == "":
			t.Constant = string(constant)
		}
		return t.Made != nil
	})
	return t
}

// say notes an error that was found.
func (t *Told) say(e *Error) {
	at := &t.Made
	if e.received {
		at = &t.Received
		if strings.HasPrefix(e.URI, "wamp.") {
			at = &t.Standard
		}
	}
	if *at == nil {
		*at = e
	}
}
