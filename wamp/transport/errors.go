package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// What can be wrong with a connection. Errors of this package wrap them, so
// that errors.Is tells.
var (
	// ErrNoPing is returned by Ping where the transport has none.
	ErrNoPing = errors.New("transport has no ping")
	// ErrTooBig: a message is larger than its receiver accepts.
	ErrTooBig = errors.New("message too big")
	// ErrReserved: bits or bytes that have to be zero are not.
	ErrReserved = errors.New("reserved bits used")
	// ErrFrameType: the type of a frame is not one that may be sent: a
	// reserved one, or text where binary was agreed on and the reverse.
	ErrFrameType = errors.New("wrong frame type")
	// ErrBadLength: a length field contradicts itself or what follows.
	ErrBadLength = errors.New("bad length")
	// ErrEmptyBatch: a batched message without any message in it.
	ErrEmptyBatch = errors.New("empty batch")
	// ErrNoProtocol: the peer supports none of the protocols offered, or has
	// chosen one that was not.
	ErrNoProtocol = errors.New("no common protocol")
	// ErrNotUTF8: a text message is not UTF-8.
	ErrNotUTF8 = errors.New("text that is not UTF-8")
	// ErrBacklog: too much waits that nobody has read, on a connection whose peer
	// cannot be held back: one of JavaScript, with 64 MiB.
	ErrBacklog = errors.New("too many unread messages")
	// ErrNotRawSocket: what came is not a RawSocket handshake.
	ErrNotRawSocket = errors.New("not a RawSocket handshake")
)

// ErrNotInBrowser is wrapped by the error of an option, or of an address, that means
// something which JavaScript gives a program no say in. It is [errors.ErrUnsupported].
var ErrNotInBrowser error = notInBrowserError{}

type notInBrowserError struct{}

func (notInBrowserError) Error() string        { return "not possible in a browser" }
func (notInBrowserError) Is(target error) bool { return target == errors.ErrUnsupported }

// CloseError says that the peer closed the connection in order. It wraps
// io.EOF.
type CloseError struct {
	// Code is the WebSocket close code (1005 if the peer gave none), 0 for
	// transports without codes.
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	switch {
	case e.Code == 0:
		return "closed by peer"
	case e.Reason == "":
		return fmt.Sprintf("closed by peer with code %d", e.Code)
	}
	return fmt.Sprintf("closed by peer with code %d: %q", e.Code, e.Reason)
}

// Unwrap returns io.EOF.
func (e *CloseError) Unwrap() error { return io.EOF }

// FrameError says that the peer broke the rules of the transport. A connection
// that is merely cut, even inside a frame, is none: that is io.ErrUnexpectedEOF
// or what the system reports.
type FrameError struct {
	// Err is one of the errors of this package, or says what else is wrong.
	Err error
	// Size is the size of the message where Err is ErrTooBig, as far as known.
	Size int
}

func (e *FrameError) Error() string {
	if e.Size > 0 {
		return fmt.Sprintf("bad frame: %v (%d bytes)", e.Err, e.Size)
	}
	return fmt.Sprintf("bad frame: %v", e.Err)
}

// Unwrap returns Err.
func (e *FrameError) Unwrap() error { return e.Err }

// SizeError is returned by Write for a message that is larger than MaxSend.
// Nothing of the batch has been sent then. It wraps ErrTooBig.
type SizeError struct {
	Size, Limit int
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("message of %d bytes, the peer accepts %d", e.Size, e.Limit)
}

// Unwrap returns ErrTooBig.
func (e *SizeError) Unwrap() error { return ErrTooBig }

// Refusal is the error number of a RawSocket handshake.
type Refusal byte

// The refusals that are defined; the others are reserved.
const (
	RefusedSerializer     Refusal = 1
	RefusedLength         Refusal = 2
	RefusedReserved       Refusal = 3
	RefusedMaxConnections Refusal = 4
)

func (r Refusal) String() string {
	switch r {
	case RefusedSerializer:
		return "serializer unsupported"
	case RefusedLength:
		return "maximum message length unacceptable"
	case RefusedReserved:
		return "use of reserved bits"
	case RefusedMaxConnections:
		return "maximum connection count reached"
	}
	return fmt.Sprintf("error %d", byte(r))
}

// HandshakeError is a connection that was opened but not agreed on: the upgrade
// to WebSocket or the handshake of RawSocket was refused.
type HandshakeError struct {
	// Status is the HTTP status of the answer, 0 if there was none. It is 101
	// where the upgrade itself succeeded and the subprotocol did not fit.
	Status int
	// Refusal is the error number of a RawSocket handshake, 0 if there was
	// none.
	Refusal Refusal
	// Protocol is what the peer chose, or what was offered to it.
	Protocol string
	// Err is the cause, nil if there is none.
	Err error
}

func (e *HandshakeError) Error() string {
	var parts []string
	if e.Status != 0 && e.Status != http.StatusSwitchingProtocols {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))))
	}
	if e.Refusal != 0 {
		parts = append(parts, e.Refusal.String())
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	if len(parts) == 0 {
		parts = append(parts, "handshake failed")
	}
	s := strings.Join(parts, ": ")
	if e.Protocol != "" {
		s += fmt.Sprintf(" (protocol %q)", short(e.Protocol))
	}
	return s
}

// Unwrap returns Err.
func (e *HandshakeError) Unwrap() error { return e.Err }

// PanicError says that code which is not of this package has panicked: a
// dialer, a proxy function, a connection.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
