package authn

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnusable says that a method cannot be used here: a ticket over an open
// connection, a channel binding the connection does not have. Any leaves such
// a method out. PlaintextError, TransportError and BindingError match it, and a
// KeyFunc that has no key for a realm may wrap it.
var ErrUnusable = errors.New("the method cannot be used on this connection")

// ErrProof is the answer of the accepting side to a wrong password, signature
// or key.
var ErrProof = errors.New("the proof is wrong")

// PlaintextError refuses to send a secret in the clear over a connection that
// is not JoinInfo.Private. AllowPlaintext lifts it.
type PlaintextError struct{ Method string }

func (e *PlaintextError) Error() string {
	return e.Method + ": the secret would go in the clear over a connection that can be read on its way (authn.AllowPlaintext allows it)"
}

// Is makes the error an ErrUnusable.
func (e *PlaintextError) Is(target error) bool { return target == ErrUnusable }

// TransportError says that the connection lacks what a method lives on, such as
// a TLS connection for TLS.
type TransportError struct {
	Method  string
	Problem string
}

func (e *TransportError) Error() string { return e.Method + ": " + e.Problem }

// Is makes the error an ErrUnusable.
func (e *TransportError) Is(target error) bool { return target == ErrUnusable }

// CredentialError says that there is no usable secret or key. Err is what the
// user's provider, signer or file system said; nothing of the secret is in it
// that they did not put there.
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

// ChallengeError says that a CHALLENGE is malformed, or came when none was due.
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

// MethodError says that the router chose a method that was not offered.
type MethodError struct {
	// Method is the router's choice, cut to a sensible length.
	Method  string
	Offered []string
}

func (e *MethodError) Error() string {
	return fmt.Sprintf("the router chose the method %q, offered were: %s", e.Method, strings.Join(e.Offered, ", "))
}

// RouterError says that the router did not do its part of the login: it gave
// no proof of knowing the secret, a wrong one, or let the client in without
// asking.
type RouterError struct {
	Method  string
	Problem string
}

func (e *RouterError) Error() string { return e.Method + ": the router " + e.Problem }

// ConfigError says that an authenticator was put together wrongly.
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
