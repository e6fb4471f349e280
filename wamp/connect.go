package wamp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/flow"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Option changes how Connect joins and what the session is like.
type Option interface{ applyConnect(*config) error }

type optionFunc func(*config) error

func (f optionFunc) applyConnect(c *config) error { return f(c) }

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
	payloads    PayloadCodec
	batching    bool
	separator   byte
	addresses   []string
	shuffle     bool
	current     atomic.Pointer[string] // the address that was dialled last
}

// agent is HELLO.Details.agent.
const agent = "connectanum-go"

// WithAuth logs in. Default: anonymous. A refused login is an *AbortError that
// wraps an *authn.Refusal; a login that this side gave up is a *LoginError that
// wraps what package authn said. docs/login.md has an example for each method.
func WithAuth(a authn.Authenticator) Option {
	return optionFunc(func(c *config) error { c.Auth = a; return nil })
}

// WithSerializers offers these serializers, the first one preferred. Default:
// codec.CBOR, codec.MsgPack, codec.JSON.
func WithSerializers(codecs ...codec.Codec) Option {
	return optionFunc(func(c *config) error {
		if len(codecs) == 0 {
			return errors.New("wamp: WithSerializers: none given")
		}
		if slices.Contains(codecs, nil) {
			return errors.New("wamp: WithSerializers: one is nil")
		}
		c.serializers = codecs
		return nil
	})
}

// WithTLS sets the TLS configuration of wss, tcps and rss addresses. It is not
// changed, and must not be changed while it is in use.
func WithTLS(cfg *tls.Config) Option {
	return optionFunc(func(c *config) error { c.tls = cfg; return nil })
}

// WithHeader adds a header to the HTTP request of a WebSocket handshake. It
// may be given more than once. Host is the host that the request asks for. A
// redirect to another host or port takes no such header along.
func WithHeader(key, value string) Option {
	return optionFunc(func(c *config) error {
		if c.header == nil {
			c.header = http.Header{}
		}
		c.header.Add(key, value)
		return nil
	})
}

// WithProxy sets the HTTP proxy of WebSocket connections, as
// http.Transport.Proxy does. Default: http.ProxyFromEnvironment.
func WithProxy(proxy func(*http.Request) (*url.URL, error)) Option {
	return optionFunc(func(c *config) error { c.proxy = proxy; return nil })
}

// WithCookieJar sends the jar's cookies with the request of a WebSocket
// handshake, and takes those of the answer.
func WithCookieJar(jar http.CookieJar) Option {
	return optionFunc(func(c *config) error { c.jar = jar; return nil })
}

// WithCompression offers permessage-deflate on WebSocket connections. It saves
// octets and costs time and memory. Default: not offered.
func WithCompression() Option {
	return optionFunc(func(c *config) error { c.compression = true; return nil })
}

// WithBatching offers the batched WebSocket subprotocols before the plain ones:
// one WebSocket message then carries all the WAMP messages that wait to be
// written, which saves octets and work on both sides under load. A router that
// does not have them, and a RawSocket, which needs none, take the plain ones.
//
// separator ends each message of batched JSON: 0x1e by the text, which is the
// default when it is 0, and 0x18 for Crossbar. Both are understood on receiving.
func WithBatching(separator byte) Option {
	return optionFunc(func(c *config) error {
		if separator != 0 && separator != 0x1e && separator != 0x18 {
			return errors.New("wamp: WithBatching: the separator is 0x1e or 0x18")
		}
		c.batching, c.separator = true, separator
		return nil
	})
}

// Backoff says when and how often a lost connection is dialled again, and with
// it that it is: see WithReconnect.
type Backoff = session.Reconnect

// WithReconnect lets the session outlive its connection. When that is lost, it
// is dialled again after a delay with full jitter between policy.Min and a
// ceiling that doubles up to policy.Max; the session logs in again, and
// registrations and subscriptions come back with their options, in their order,
// on the channels that they have. docs/reconnect.md tells what becomes of what
// was under way.
//
// Close, a GOODBYE that says so, a refused login, a realm that is not there and
// a breach of the protocol are final; anything else is a loss.
func WithReconnect(policy Backoff) Option {
	return optionFunc(func(c *config) error {
		if policy.Min < 0 || policy.Max < 0 || policy.Attempts < 0 || policy.Time < 0 || policy.Hold < 0 || policy.Join < 0 {
			return errors.New("wamp: WithReconnect: negative")
		}
		c.Reconnect = &policy
		return nil
	})
}

// WithURLs adds addresses to the one given to Connect. Each attempt takes the
// next, in their order, or in a random one that is drawn anew for each round.
func WithURLs(shuffle bool, addresses ...string) Option {
	return optionFunc(func(c *config) error {
		c.addresses, c.shuffle = append(c.addresses, addresses...), shuffle
		return nil
	})
}

// Keepalive says how a peer that is gone without a word is noticed.
type Keepalive = session.Keepalive

// WithKeepalive probes the connection: a ping where the transport has one, else
// a call of which any answer counts. An answer that does not come in time is
// the loss of the connection, noticed within Interval + Timeout.
func WithKeepalive(k Keepalive) Option {
	return optionFunc(func(c *config) error {
		if k.Interval <= 0 || k.Timeout < 0 {
			return errors.New("wamp: WithKeepalive: the interval must be positive")
		}
		c.Keepalive = k
		return nil
	})
}

// WithTransport connects by a transport of the user's own. The URL given to
// Connect is not looked at then. A connection that was made elsewhere is a
// dialer that works once.
func WithTransport(dial transport.Dialer) Option {
	return optionFunc(func(c *config) error { c.dialer = dial; return nil })
}

// WithLogger logs what happens to the session. Payloads and secrets are never
// logged. Default: nothing is.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c *config) error { c.Logger = l; return nil })
}

// WithLimits bounds what is accepted of a router in one message. Defaults: see
// codec.Limits.
func WithLimits(l codec.Limits) Option {
	return optionFunc(func(c *config) error { c.Limits = l; return nil })
}

// WithOutbound bounds the octets that wait to be written; when they are
// reached, operations wait under their contexts. Default 8 MiB.
func WithOutbound(octets int) Option {
	return optionFunc(func(c *config) error {
		if octets <= 0 {
			return errors.New("wamp: WithOutbound: it must be positive")
		}
		c.Outbound = octets
		return nil
	})
}

// WithAgent sets the name by which the client introduces itself.
func WithAgent(name string) Option {
	return optionFunc(func(c *config) error { c.Agent = name; return nil })
}

// LoginTimeout bounds a login from the moment that the connection is there, the
// first one and each after a reconnect: what the router says, and what
// providers of credentials take. The error matches ErrLoginTimeout and counts as
// the loss of the connection. Default 15 s.
func LoginTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: LoginTimeout: it must be positive")
		}
		c.LoginTimeout = d
		return nil
	})
}

// DialTimeout bounds an attempt to open a connection with all that belongs to it:
// the socket, TLS, a proxy, the WebSocket upgrade or the RawSocket handshake. The
// error matches ErrDialTimeout. A dialer of the user's (WithTransport) that does
// not look at its context is left behind. Default 20 s.
func DialTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: DialTimeout: it must be positive")
		}
		c.DialTimeout = d
		return nil
	})
}

// CloseTimeout bounds Close and Drain where their context has no deadline, and
// how long a connection that does not end is waited for. Default 10 s.
func CloseTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: CloseTimeout: it must be positive")
		}
		c.CloseTimeout = d
		return nil
	})
}

// WithWindow bounds how many requests wait for the router's acknowledgement at
// once: of handles (SUBSCRIBE, REGISTER, UNSUBSCRIBE, UNREGISTER), and of
// acknowledged publishes, those of streams that have no Window of their own
// included. What is beyond waits in the session, in its order. Some routers keep
// no more than 64 messages for a client and drop what comes beyond, answers too;
// the defaults, 32 and 24, fit those. docs/benchmarks.md has figures at Crossbar,
// which drops none. That of publishes is at most 1,048,576.
func WithWindow(handles, publishes int) Option {
	return optionFunc(func(c *config) error {
		if handles < 1 || publishes < 1 || publishes > maxWindow {
			return fmt.Errorf("wamp: WithWindow: they must be positive, and that of publishes no more than %d", maxWindow)
		}
		c.Windows = session.Windows{Handles: handles, Publishes: publishes}
		return nil
	})
}

// WithMemory bounds the bytes that all streams of the session keep together for
// consumers that do not read; beyond it the largest stream applies its policy.
// Default 256 MiB.
func WithMemory(bytes int64) Option {
	return optionFunc(func(c *config) error {
		if bytes <= 0 {
			return errors.New("wamp: WithMemory: it must be positive")
		}
		c.Memory = bytes
		return nil
	})
}

// AckTimeout bounds the wait for SUBSCRIBED, REGISTERED and PUBLISHED, and for
// UNSUBSCRIBED and UNREGISTERED, from the moment the request has been written.
// Default 10 s.
func AckTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: AckTimeout: it must be positive")
		}
		c.AckTimeout = d
		return nil
	})
}

// Assume takes a feature for announced, for routers that can more than they
// say. The name is the flag, such as "call_timeout".
func Assume(feature string) Option {
	return featureOption("Assume", feature, func(c *config, f proto.Feature) { c.Assume = append(c.Assume, f) })
}

// Without takes a feature for one that the router does not have, whatever it
// announces, for routers that say more than they can.
func Without(feature string) Option {
	return featureOption("Without", feature, func(c *config, f proto.Feature) { c.Without = append(c.Without, f) })
}

func featureOption(name, feature string, set func(*config, proto.Feature)) Option {
	return optionFunc(func(c *config) error {
		f, ok := proto.ParseFeature(feature)
		if !ok {
			return fmt.Errorf("wamp: %s: unknown feature %q", name, feature)
		}
		set(c, f)
		return nil
	})
}

// Connect opens a connection to the router at address, joins the realm and
// logs in. ctx bounds all of that, and owns nothing when Connect has returned;
// DialTimeout and LoginTimeout bound it too.
//
// The address is a URL: ws, wss (WebSocket), tcp, tcps (RawSocket; rs and rss
// mean the same), unix (RawSocket: unix:///path/to/socket) or ws+unix
// (ws+unix:///path/to/socket:/ws). unix://@name and ws+unix://@name:/ws are
// abstract sockets.
//
// The error names the address and what was under way. It is an *AbortError if the
// router refused, a *LoginError if this side did not go on with the login, or
// the router hung up on it, a *ProtocolError if the router broke the protocol, a
// *LinkError if the connection was lost, a transport error if none came to be, or
// ctx's.
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
			return fmt.Errorf("wamp: no protocol for serializer %q", cd.Name())
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
		return nil, fmt.Errorf("wamp: %w", err)
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
