package main

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// mostShown is how much of a message -vv shows, in bytes.
const mostShown = 2000

// seeing dials the address, and tells of each message that goes over the connection.
func (t *tool) seeing(address string, cfg *tls.Config) (wamp.Option, error) {
	r, err := transport.NewRotation(false, transport.DialOptions{TLS: cfg}, address)
	if err != nil {
		return nil, err
	}
	return wamp.WithTransport(func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
		c, err := r.Dial(ctx, protocols)
		if err != nil {
			return nil, err
		}
		number := ""
		if n := t.connections.Add(1); n > 1 { // of bench, or another one after a loss
			number = fmt.Sprintf("%d", n)
		}
		return &seenConn{Conn: c, tell: func(way string, message []byte) {
			way += number
			fmt.Fprintln(t.errs, way, visible(shown(c.Protocol(), message)))
		}}, nil
	}), nil
}

// seenConn is a connection whose messages are told of.
type seenConn struct {
	transport.Conn
	tell func(way string, message []byte)
}

// Read implements [transport.Conn].
func (c *seenConn) Read() ([]byte, error) {
	m, err := c.Conn.Read()
	if err == nil {
		c.tell("<-", m)
	}
	return m, err
}

// Write implements [transport.Conn].
func (c *seenConn) Write(b *transport.Batch) error {
	for i := range b.Len() {
		c.tell("->", b.Message(i))
	}
	return c.Conn.Write(b)
}

// Unwrap, Private and Keep say what the connection inside says.
func (c *seenConn) Unwrap() transport.Conn { return c.Conn }
func (c *seenConn) Private() bool          { return transport.Private(c.Conn) }
func (c *seenConn) Keep() bool {
	k, ok := c.Conn.(transport.Keeper)
	return ok && k.Keep()
}

// shown is a message as -vv shows it. What answers a challenge may be a secret, as a ticket
// is, and stays hidden.
func shown(p transport.Protocol, message []byte) string {
	c, ok := codec.ByName(p.Serializer())
	if !ok {
		return fmt.Sprintf("%d bytes", len(message))
	}
	parts, err := wamp.Raw(c, message, nil).Args()
	if err != nil || len(parts) == 0 {
		return fmt.Sprintf("%d bytes that cannot be read: %v", len(message), err)
	}
	code, _ := parts[0].(int64)
	kind := proto.MessageType(code)
	if kind == proto.Authenticate {
		return kind.String() + " (hidden)"
	}
	text := compact(printable(parts[1:]))
	if len(text) > mostShown {
		text = text[:mostShown] + "..."
	}
	return kind.String() + " " + text
}
