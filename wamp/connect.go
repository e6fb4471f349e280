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
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
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
	ackTimeout  time.Duration
	addresses   []string
	shuffle     bool
}

const ackTimeout = 10 * time.Second

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
// may be given more than once.
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

// AckTimeout bounds the wait for SUBSCRIBED and REGISTERED, from the moment the
// request has been written. Default 10 s.
func AckTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: AckTimeout: it must be positive")
		}
		c.ackTimeout = d
		return nil
	})
}

// Assume takes a feature for announced, for routers that can more than they
// say. The name is the flag, such as "call_timeout".
func Assume(feature string) Option {
	return optionFunc(func(c *config) error {
		f, ok := proto.ParseFeature(feature)
		if !ok {
			return fmt.Errorf("wamp: Assume: unknown feature %q", feature)
		}
		c.Assume = append(c.Assume, f)
		return nil
	})
}

// Connect opens a connection to the router at address, joins the realm and
// logs in. ctx bounds all of that, and owns nothing when Connect has returned.
//
// The address is a URL: ws, wss (WebSocket), tcp, tcps (RawSocket; rs and rss
// mean the same), unix (RawSocket: unix:///path/to/socket) or ws+unix
// (ws+unix:///path/to/socket:/ws).
//
// The error is an *AbortError if the router refused, a *LoginError if this side
// did not go on with the login, a *ProtocolError if the router broke the
// protocol, a *LinkError if the connection was lost, a transport error if none
// came to be, or ctx's.
func Connect(ctx context.Context, address, realm string, options ...Option) (*Session, error) {
	c := &config{ackTimeout: ackTimeout, serializers: []codec.Codec{codec.CBOR, codec.MsgPack, codec.JSON}}
	c.Agent, c.Realm = agent, realm
	for _, o := range options {
		if err := o.applyConnect(c); err != nil {
			return nil, err
		}
	}
	if err := proto.CheckURI(realm); err != nil {
		return nil, fmt.Errorf("wamp: realm: %w", err)
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
	logger := c.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	noAcks := make(chan Ack)
	close(noAcks)
	return &Session{eng: eng, logger: logger, ackTimeout: c.ackTimeout, noAcks: noAcks, payloads: c.payloads}, nil
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
		dialers = append(dialers, d)
	}
	if len(dialers) == 1 {
		return dialers[0], nil
	}
	next := 0 // attempts of one session follow each other
	return func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
		if next%len(dialers) == 0 && c.shuffle {
			rand.Shuffle(len(dialers), func(i, k int) { dialers[i], dialers[k] = dialers[k], dialers[i] })
		}
		d := dialers[next%len(dialers)]
		next++
		return d(ctx, protocols)
	}, nil
}

// dialURL makes the dialer of an address.
func (c *config) dialURL(address string) (transport.Dialer, error) {
	u, err := url.Parse(address)
	if err != nil {
		var bad *url.Error // its text has the address, which may hold a password
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return nil, fmt.Errorf("wamp: the address is no URL: %w", err)
	}
	var network, host string
	var tlsConfig *tls.Config
	scheme := strings.ToLower(u.Scheme)
	switch scheme {
	case "ws", "wss", "ws+unix":
		if onSocket := scheme == "ws+unix"; onSocket && (u.Host != "" || u.Path == "") || !onSocket && u.Host == "" {
			return nil, fmt.Errorf("wamp: %s address without a host, or the path of a socket", scheme)
		}
		opts := transport.WebSocketOptions{Header: c.header, TLS: c.tls, Proxy: c.proxy, Jar: c.jar,
			Deflate: c.compression, ReadLimit: c.Limits.Size, Separator: c.separator}
		return func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
			return transport.DialWebSocket(ctx, address, protocols, opts)
		}, nil
	case "tcp", "rs":
		network, host = "tcp", u.Host
	case "tcps", "rss":
		network, host, tlsConfig = "tcp", u.Host, c.tls
		if tlsConfig == nil {
			tlsConfig = &tls.Config{}
		}
	case "unix":
		network, host = "unix", u.Host+u.Path
	default:
		return nil, fmt.Errorf("wamp: unknown scheme %q: want ws, wss, tcp, tcps, unix or ws+unix", u.Scheme)
	}
	if host == "" {
		return nil, fmt.Errorf("wamp: %s address without a host or path", u.Scheme)
	}
	return func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
		return transport.DialRawSocket(ctx, network, host, tlsConfig, plain(protocols), transport.RawSocketOptions{MaxReceive: c.Limits.Size})
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
