package authn

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnusable matches errors about a method that cannot be used on a
// connection: a ticket where it could be read, a channel binding that the
// connection does not have. [Any] leaves such a method out, and [InTurn] goes on
// to the next one. [PlaintextError], [TransportError] and [BindingError] match
// it. A [KeyFunc] that has no key for a realm may wrap it.
var ErrUnusable = errors.New("the method cannot be used on this connection")

// PlaintextError reports that a secret was not sent in the clear, since somebody
// on the way could read the connection: Private of [JoinInfo] is false.
// [AllowPlaintext] allows it.
type PlaintextError struct{ Method string }

func (e *PlaintextError) Error() string {
	return e.Method + ": the secret would go in the clear over a connection that can be read on its way (authn.AllowPlaintext allows it)"
}

// Is reports whether target is [ErrUnusable].
func (e *PlaintextError) Is(target error) bool { return target == ErrUnusable }

// TransportError reports that a connection lacks what a method needs, such as
// TLS for [TLS].
type TransportError struct {
	Method  string
	Problem string
}

func (e *TransportError) Error() string { return e.Method + ": " + e.Problem }

// Is reports whether target is [ErrUnusable].
func (e *TransportError) Is(target error) bool { return target == ErrUnusable }

// CredentialError reports that there is no usable secret or key. Err is the
// error of a provider, a signer or the file system; this package adds nothing
// of the secret to it.
type CredentialError struct {
	Method  string
	Problem string
	Err     error
}

func (e *CredentialError) Error() string {
	if e.Err == nil {
		return e.Method + ": " + e.Problem
	}
	return e.Method + ": " + e.Problem + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *CredentialError) Unwrap() error { return e.Err }

// ChallengeError reports a CHALLENGE that is malformed, or came when none was
// due.
type ChallengeError struct {
	Method string
	// Field is the key of Extra at fault, "" for the message itself.
	Field   string
	Problem string
}

func (e *ChallengeError) Error() string {
	if e.Field == "" {
		return e.Method + ": the router's challenge " + e.Problem
	}
	return e.Method + ": " + e.Field + " of the router's challenge " + e.Problem
}

// MethodError reports that the router chose a method that was not offered.
type MethodError struct {
	// Method is the router's choice, cut to at most 64 bytes.
	Method  string
	Offered []string
}

func (e *MethodError) Error() string {
	return fmt.Sprintf("the router chose the method %q, offered were: %s", e.Method, strings.Join(e.Offered, ", "))
}

// RouterError reports that the router did not do its part of a login: it gave
// no proof that it knows the secret, or a wrong one, or let the client in
// without asking.
type RouterError struct {
	Method  string
	Problem string
}

func (e *RouterError) Error() string { return e.Method + ": the router " + e.Problem }

// ConfigError reports that an [Authenticator], or a record of package accept,
// was put together wrongly.
type ConfigError struct{ Problem string }

func (e *ConfigError) Error() string { return e.Problem }

// clip cuts what a router said, so that an error stays readable.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// list puts errors into one line.
func list(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}
