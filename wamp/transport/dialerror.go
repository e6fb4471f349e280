package transport

import "strings"

// Phases of a dial.
const (
	PhaseDial      = "dial"
	PhaseProxy     = "proxy"
	PhaseTLS       = "tls handshake"
	PhaseWebSocket = "websocket upgrade"
	PhaseRawSocket = "rawsocket handshake"
)

// DialError is a connection that could not be opened.
type DialError struct {
	// Address is the URL, without user, password and query. After a redirect
	// it is the one that was redirected to.
	Address string
	// Phase is how far the attempt had come, one of the Phase constants.
	Phase string
	// Err is the cause: an error of the system, a *HandshakeError, or the error
	// of the context.
	Err error
	// Hint suggests what to change, "" if no single mistake explains the error.
	Hint string
}

func (e *DialError) Error() string {
	s := short(e.Address) + ": " + e.Phase + ": " + e.Err.Error()
	if e.Hint != "" {
		s += " (hint: " + e.Hint + ")"
	}
	return s
}

// maxText bounds in an error what the peer has said.
const maxText = 200

// short returns s without its middle where it is very long: a redirect or a
// handshake may say anything.
func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText/2]+"..."+s[len(s)-maxText/2:], "")
}

// Unwrap returns Err.
func (e *DialError) Unwrap() error { return e.Err }

// joined are the errors of several tries.
type joined []error

func (e joined) Error() string {
	var texts []string
	for _, err := range e {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (e joined) Unwrap() []error { return e }

// redactedError is an error whose text had user and password of a URL in it.
type redactedError struct{ err error }

func (e *redactedError) Error() string { return withoutUserInfo(e.err.Error()) }
func (e *redactedError) Unwrap() error { return e.err }

func withoutPassword(err error) error {
	if text := err.Error(); withoutUserInfo(text) != text {
		return &redactedError{err}
	}
	return err
}

// withoutUserInfo leaves out what stands between "://" and the last "@" of what may be
// one URL: up to a space or a quotation mark.
func withoutUserInfo(s string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "://")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("://")
		end := strings.IndexFunc(rest, func(r rune) bool { return r == '"' || strings.ContainsRune(" \t\n\f\r", r) })
		if end < 0 {
			end = len(rest)
		}
		s = rest[strings.LastIndexByte(rest[:end], '@')+1:]
	}
}
