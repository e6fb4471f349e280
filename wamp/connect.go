package wamp

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// config is what the options of Connect make.
type config struct {
	session.Config
	serializers []codec.Codec
	dialer      transport.Dialer
	tls         *tls.Config
	header      http.Header
	proxy       func(*http.Request) (*url.URL, error)
	jar         http.CookieJar
	compression bool
	payloads    seal.Codec
	batching    bool
	separator   byte
	addresses   []string
	shuffle     bool
	current     atomic.Pointer[string] // the address that was dialled last
}

// agent is HELLO.Details.agent.
const agent = "connectanum-go"

// Connect opens a connection to the router at address, logs in and joins the
// realm. ctx governs this, together with [DialTimeout] and [LoginTimeout]; its
// end after Connect has returned means nothing to the session, which lives
// until [Session.Close].
//
// The address is a URL:
//
//   - ws://host:port/path and wss://host:port/path are WebSocket, without and
//     with TLS.
//   - tcp://host:port and tcps://host:port are RawSocket, without and with TLS.
//     The schemes rs and rss mean the same.
//   - unix:///path/to/socket is RawSocket over a Unix socket, and
//     ws+unix:///path/to/socket:/path is WebSocket over one. unix://@name and
//     ws+unix://@name:/path are abstract sockets.
//
// The error is an [OpError] that names the address and what was in progress. It
// wraps a [DialError] if there was no connection, an [AbortError] if the router
// refused, a [LoginError] if this side gave up the login, a [ProtocolError] if
// the router broke the protocol, a [LinkError] if the connection was lost, or a
// [CanceledError] if ctx ended.
func Connect(ctx context.Context, address, realm string, options ...Option) (*Session, error) {
	c := &config{serializers: []codec.Codec{codec.CBOR, codec.MsgPack, codec.JSON}}
	c.Agent, c.Realm = agent, realm
	s, err := c.connect(ctx, address, options)
	if err != nil {
		return nil, opError("connect", c.Address(), err)
	}
	return s, nil
}

func (c *config) connect(ctx context.Context, address string, options []Option) (*Session, error) {
	c.Address = func() string {
		if at := c.current.Load(); at != nil {
			return *at
		}
		return ""
	}
	ctx, err := session.Own(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if o == nil {
			return nil, errNilOption
		}
		if err := o.applyConnect(c); err != nil {
			return nil, err
		}
	}
	if err := proto.CheckURI(c.Realm); err != nil {
		return nil, fmt.Errorf("realm: %w", err)
	}
	if err := c.protocols(); err != nil {
		return nil, err
	}
	c.Dial = c.dialer
	if c.Dial == nil {
		dial, err := c.dialURLs(append([]string{address}, c.addresses...))
		if err != nil {
			return nil, err
		}
		c.Dial = dial
	}
	eng, err := session.Connect(ctx, c.Config)
	if err != nil {
		return nil, err
	}
	return &Session{eng: eng, noAcks: flow.Of[Ack](), payloads: c.payloads, window: eng.Windows().Publishes}, nil
}

func (c *config) protocols() error {
	for _, cd := range c.serializers {
		i := -1
		for k, p := range transport.Protocols() {
			if p.Name == "wamp.2."+cd.Name() {
				i = k
			}
		}
		if i < 0 {
			return fmt.Errorf("no protocol for serializer %q", cd.Name())
		}
		if c.batching {
			c.Protocols = append(c.Protocols, transport.BatchedProtocols()[i])
		}
		c.Protocols = append(c.Protocols, transport.Protocols()[i])
	}
	return nil
}

// dialURLs makes a dialer that takes one address after the other.
func (c *config) dialURLs(addresses []string) (transport.Dialer, error) {
	var dialers []transport.Dialer
	for _, a := range addresses {
		d, err := c.dialURL(a)
		if err != nil {
			return nil, err
		}
		dialers = append(dialers, c.noting(a, d))
	}
	if len(dialers) == 1 {
		return dialers[0], nil
	}
	// Attempts of one session follow each other, but one that was left behind
	// may still be on its way.
	turn := make(chan int, 1)
	turn <- 0
	return func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
		next := <-turn
		if next == 0 && c.shuffle {
			rand.Shuffle(len(dialers), func(i, k int) { dialers[i], dialers[k] = dialers[k], dialers[i] })
		}
		dial := dialers[next]
		turn <- (next + 1) % len(dialers)
		return dial(ctx, protocols)
	}, nil
}

// noting notes the address that is dialled, as transport names it.
func (c *config) noting(address string, dial transport.Dialer) transport.Dialer {
	if a, err := transport.ParseAddress(address); err == nil {
		address = a.String()
	}
	return func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
		c.current.Store(&address)
		return dial(ctx, protocols)
	}
}

// dialURL makes the dialer of an address.
func (c *config) dialURL(address string) (transport.Dialer, error) {
	a, err := transport.ParseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if a.WebSocket() {
		opts := transport.WebSocketOptions{Header: c.header, TLS: c.tls, Proxy: c.proxy, Jar: c.jar,
			Deflate: c.compression, ReadLimit: c.Limits.Size, Separator: c.separator}
		return func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
			return transport.DialWebSocket(ctx, address, protocols, opts)
		}, nil
	}
	var tlsConfig *tls.Config
	if a.TLS() {
		if tlsConfig = c.tls; tlsConfig == nil {
			tlsConfig = &tls.Config{}
		}
	}
	return func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
		return transport.DialRawSocket(ctx, a.Network, a.Host, tlsConfig, plain(protocols), transport.RawSocketOptions{MaxReceive: c.Limits.Size})
	}, nil
}

// plain returns the protocols in the form that is not batched: a RawSocket has no
// other, and what is encoded is the same.
func plain(protocols []transport.Protocol) []transport.Protocol {
	var out []transport.Protocol
	for _, p := range protocols {
		if p.Batched {
			p, _ = transport.ProtocolByName(strings.TrimSuffix(p.Name, ".batched"))
		}
		if !slices.ContainsFunc(out, func(o transport.Protocol) bool { return o.Name == p.Name }) {
			out = append(out, p)
		}
	}
	return out
}
