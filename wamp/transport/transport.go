package transport

import (
	"context"
	"crypto/tls"
	"reflect"
)

// Protocol is one serialization that can be agreed on for a connection.
type Protocol struct {
	// Name is the WebSocket subprotocol, for example "wamp.2.cbor".
	Name string
	// RawSocketID is the serializer number of the RawSocket handshake, 0 if
	// the protocol cannot be used there.
	RawSocketID byte
	// Text: WebSocket messages are text frames, not binary ones.
	Text bool
	// Batched: one WebSocket message carries many WAMP messages.
	Batched bool
}

// Conn is one connection that carries whole messages. One goroutine reads, one
// writes (TryWrite and Write are never under way at the same time); Ping and
// the Close methods may be called from any.
type Conn interface {
	// Protocol is what was agreed on.
	Protocol() Protocol
	// Read returns the next message. It is valid until the next Read. It
	// blocks until a message is there or the connection is closed; then the
	// error says why (*CloseError if the peer closed it in order).
	Read() ([]byte, error)
	// Buffered reports whether Read would return at once, as far as it can be
	// known without reading. False is always a correct answer.
	Buffered() bool
	// Write sends what is left of b, in as few system calls as it can.
	Write(b *Batch) error
	// MaxSend is how many bytes a message may have that the peer accepts.
	MaxSend() int
	// Ping sends a ping and waits for its pong under ctx, while another
	// goroutine reads. ErrNoPing where the transport has none. It does not
	// close the connection when ctx ends.
	Ping(ctx context.Context) error
	// Close ends the connection in order (WebSocket close handshake where
	// there is one, with a code that fits the reason), bounded by ctx, and
	// frees everything. If ctx has ended before, what needs no waiting is
	// still sent, such as the close frame.
	Close(ctx context.Context) error
	// CloseNow tears the connection down. Read and Write return. The
	// connections of this package wait a second at most for what is not
	// theirs, a net.Conn whose Close does not return.
	CloseNow() error
	// TLS is the state of the TLS connection, nil without TLS.
	TLS() *tls.ConnectionState
}

// TryWriter is a Conn that can write without blocking. Only connections of this
// package are: a session writes that way from the goroutine that owns its state,
// where no other code may run. A wrapper that embeds a TryWriter beside its Conn
// lets it through; a TryWrite of the wrapper's own is not called.
type TryWriter interface {
	// TryWrite sends as much of b as the system takes at once and reports
	// whether all of it went. What did not go stays in b, for Write.
	TryWrite(b *Batch) (done bool, err error)
	// self is the connection under all wrappers.
	self() TryWriter
}

// TryWriterOf returns the TryWriter that c is, or that is embedded in c as one,
// and nil if there is none.
func TryWriterOf(c Conn) (t TryWriter) {
	w, ok := c.(TryWriter)
	if !ok {
		return nil
	}
	defer func() {
		if recover() != nil { // what is embedded is nil
			t = nil
		}
	}()
	return w.self()
}

func (c *rawSocket) self() TryWriter         { return c }
func (c *webSocket) self() TryWriter         { return c }
func (c *givenSocket[T, S]) self() TryWriter { return c }
func (e *pipeEnd) self() TryWriter           { return e }

// Dialer opens a connection, offering the protocols in order of preference.
// ctx bounds the dial and its handshakes, not the connection.
type Dialer func(ctx context.Context, protocols []Protocol) (Conn, error)

// Private reports whether nobody on the way can read what goes over the
// connection: TLS, a Unix socket, a loopback address or memory. It asks the
// connection, which may have a method Private() bool; one without it counts as
// public.
func Private(c Conn) bool {
	p, ok := c.(interface{ Private() bool })
	return ok && p.Private()
}

// RiskyPinger is a Conn whose peer may take a ping for an error and hang up.
// RawSocket is one: its PING is in the specification, and not in every router.
// Ping is there for those who know the router.
type RiskyPinger interface{ RiskyPing() bool }

var _ RiskyPinger = (*rawSocket)(nil)

// RiskyPing reports whether a ping may end the connection: whether c is a
// RiskyPinger that says so, or wraps one. A wrapper is looked through if it has
// a method Unwrap() Conn, or is a struct in which a Conn is embedded.
func RiskyPing(c Conn) bool {
	for range maxWrappers {
		if r, ok := c.(RiskyPinger); ok {
			return r.RiskyPing()
		}
		if c = unwrap(c); c == nil {
			return false
		}
	}
	return false
}

// maxWrappers ends the search where wrappers go round in a circle.
const maxWrappers = 32

// unwrap returns the Conn in a wrapper, nil if there is none.
func unwrap(c Conn) Conn {
	if u, ok := c.(interface{ Unwrap() Conn }); ok {
		return u.Unwrap()
	}
	v := reflect.Indirect(reflect.ValueOf(c))
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.Anonymous || !f.IsExported() {
			continue
		}
		if inner, ok := v.Field(i).Interface().(Conn); ok {
			return inner
		}
	}
	return nil
}
