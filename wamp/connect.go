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

// Option is an option of [Connect]. Options that need a value of a certain
// range fail in Connect where it is out of range.
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

// WithAuth sets how the session logs in, with a method of package authn.
// Default: [authn.Anonymous].
//
// A login that the router refuses is an [AbortError] that wraps an
// [authn.Refusal]; a login that this side gives up is a [LoginError] that wraps
// the error of the method. docs/login.md has an example of each method.
func WithAuth(a authn.Authenticator) Option {
	return optionFunc(func(c *config) error { c.Auth = a; return nil })
}

// WithSerializers sets which serializers are offered to the router, the
// preferred one first. Default: [codec.CBOR], [codec.MsgPack], [codec.JSON].
// The router chooses; [Session.Codec] is its choice.
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

// WithTLS sets the TLS configuration for wss, tcps and rss addresses. It must
// not be changed while it is in use. Default: that of an empty [tls.Config].
func WithTLS(cfg *tls.Config) Option {
	return optionFunc(func(c *config) error { c.tls = cfg; return nil })
}

// WithHeader adds a header to the HTTP request of a WebSocket handshake. It may
// be given several times. The key Host sets the host of the request. Headers
// are not sent along when the router redirects to another host or port.
func WithHeader(key, value string) Option {
	return optionFunc(func(c *config) error {
		if c.header == nil {
			c.header = http.Header{}
		}
		c.header.Add(key, value)
		return nil
	})
}

// WithProxy sets the HTTP proxy of WebSocket connections, as the Proxy field of
// [http.Transport] does. Default: [http.ProxyFromEnvironment].
func WithProxy(proxy func(*http.Request) (*url.URL, error)) Option {
	return optionFunc(func(c *config) error { c.proxy = proxy; return nil })
}

// WithCookieJar sends the cookies of the jar with the request of a WebSocket
// handshake, and stores those of the answer in it. Default: no cookies.
func WithCookieJar(jar http.CookieJar) Option {
	return optionFunc(func(c *config) error { c.jar = jar; return nil })
}

// WithCompression offers compression (permessage-deflate) on WebSocket
// connections. It saves bytes and costs time and memory. Default: not offered.
func WithCompression() Option {
	return optionFunc(func(c *config) error { c.compression = true; return nil })
}

// WithBatching offers the batched WebSocket subprotocols in front of the plain
// ones: one WebSocket message then carries all WAMP messages that are waiting
// to be written, which saves bytes and work on both sides under load. A router
// without them chooses a plain one. RawSocket needs no batching and does not
// change. Default: not offered.
//
// The separator ends each message of batched JSON. It is 0x1e in the WAMP
// specification, which is also what 0 stands for, and 0x18 at Crossbar. Both
// are understood in what is received.
//
// See the WAMP specification, "Batched WebSocket Transport".
func WithBatching(separator byte) Option {
	return optionFunc(func(c *config) error {
		if separator != 0 && separator != 0x1e && separator != 0x18 {
			return errors.New("wamp: WithBatching: the separator is 0x1e or 0x18")
		}
		c.batching, c.separator = true, separator
		return nil
	})
}

// Backoff configures automatic reconnection. Passing one to [WithReconnect]
// enables it. The zero value has the defaults.
//
// Before each attempt the session waits for a random time between Min and a
// ceiling that starts at twice Min and doubles with each attempt, up to Max.
type Backoff struct {
	// Min and Max bound the wait before an attempt. Defaults: 100 ms and 30 s.
	Min, Max time.Duration
	// Attempts limits how many attempts in a row are made before the session
	// ends with a GaveUpError. Zero means no limit.
	Attempts int
	// Time limits how long the attempts in a row may take together. Zero means
	// no limit.
	Time time.Duration
	// Hold is how long a connection must last before attempts are counted from
	// zero again. Default: 10 s.
	Hold time.Duration
	// Join bounds one attempt, from the dial to the end of the login. Default:
	// 20 s.
	Join time.Duration
	// Killed reconnects also after the router has killed the session by GOODBYE
	// with wamp.close.killed. Some routers, Crossbar among them, kill with
	// wamp.close.normal, which is also what they send when they go away; the
	// session reconnects after that in any case.
	Killed bool
	// Initial applies the policy to the first connection too, the one that
	// Connect makes.
	Initial bool
	// FailFast makes operations that begin while there is no connection fail at
	// once with ErrNotConnected. Otherwise they wait for one under their
	// contexts.
	FailFast bool
	// Redial decides after each loss and each failed attempt whether to try
	// again. It replaces all rules but Attempts and Time, and is not asked
	// after Close. It runs on a goroutine of its own; where it panics or takes
	// longer than DialTimeout, the rules decide. Default: the rules, see
	// WithReconnect.
	Redial func(cause error) bool
	// Random returns the random numbers for the wait, from 0 up to 1. Others
	// are ignored. Default: math/rand/v2.
	Random func() float64
}

// WithReconnect lets the session outlive its connection. When the connection is
// lost, the session dials again after a wait that the policy sets, logs in
// again, and restores registrations and subscriptions with their options, in
// their order, on the channels that they have. Without it the session ends with
// its first connection. docs/reconnect.md describes what becomes of operations
// that were in progress.
//
// These ends are final: [Session.Close], a GOODBYE with wamp.close.killed, five
// connections in a row that broke the protocol and answered nothing, a refused
// login and a realm that does not exist. The last two are final at once only if
// the session has not been joined before; later a refused login is final after
// at least five refusals in a row over at least 60 s. Anything else is a loss.
func WithReconnect(policy Backoff) Option {
	return optionFunc(func(c *config) error {
		if policy.Min < 0 || policy.Max < 0 || policy.Attempts < 0 || policy.Time < 0 || policy.Hold < 0 || policy.Join < 0 {
			return errors.New("wamp: WithReconnect: negative")
		}
		c.Reconnect = (*session.Reconnect)(&policy)
		return nil
	})
}

// WithURLs adds addresses to the one given to [Connect]. Each attempt to
// connect takes the next address, in order, or with shuffle in a random order
// that is drawn anew for each round.
func WithURLs(shuffle bool, addresses ...string) Option {
	return optionFunc(func(c *config) error {
		c.addresses, c.shuffle = append(c.addresses, addresses...), shuffle
		return nil
	})
}

// Keepalive configures how a connection is probed. Passing one to
// [WithKeepalive] enables it.
type Keepalive struct {
	// Interval is the pause between two probes. It must be positive.
	Interval time.Duration
	// Timeout bounds the wait for the answer to a probe. Default: Interval.
	Timeout time.Duration
	// RawSocket probes RawSocket connections by a PING. Some routers, Crossbar
	// among them, close the connection on a PING, so the default is a call.
	RawSocket bool
	// Procedure is what is called where the connection has no ping. Any answer
	// counts, an error too. Default: wamp.session.count.
	Procedure string
}

// WithKeepalive probes the connection, so that a router that has vanished
// without a word is noticed within Interval + Timeout. The probe is a ping on a
// WebSocket, and a call on connections without pings. A probe that is not
// answered in time is the loss of the connection, with the reason
// [ErrPongTimeout]. Default: no probes.
func WithKeepalive(k Keepalive) Option {
	return optionFunc(func(c *config) error {
		if k.Interval <= 0 || k.Timeout < 0 {
			return errors.New("wamp: WithKeepalive: the interval must be positive")
		}
		c.Keepalive = session.Keepalive(k)
		return nil
	})
}

// WithTransport sets a function that opens the connection, in place of the
// address given to [Connect], which is ignored. To use one connection that
// exists already, pass a function that returns it once and then an error.
func WithTransport(dial transport.Dialer) Option {
	return optionFunc(func(c *config) error { c.dialer = dial; return nil })
}

// WithLogger sets the logger of the session. Payloads and secrets are never
// logged. Default: nothing is logged, except for the stacks of panics in the
// user's code, which go to [slog.Default].
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c *config) error { c.Logger = l; return nil })
}

// WithLimits bounds what is accepted from the router in one message. The
// defaults are those of [codec.Limits].
func WithLimits(l codec.Limits) Option {
	return optionFunc(func(c *config) error { c.Limits = l; return nil })
}

// WithOutbound bounds how many bytes may wait to be written. Operations that
// find no room wait for it under their contexts. Default: 8 MiB.
func WithOutbound(bytes int) Option {
	return optionFunc(func(c *config) error {
		if bytes <= 0 {
			return errors.New("wamp: WithOutbound: it must be positive")
		}
		c.Outbound = bytes
		return nil
	})
}

// WithAgent sets the name by which the client introduces itself to the router.
// Default: connectanum-go.
func WithAgent(name string) Option {
	return optionFunc(func(c *config) error { c.Agent = name; return nil })
}

// LoginTimeout bounds each login, the first one and those after a reconnect,
// from the moment the connection is there. It includes the time that providers
// of credentials take. The error matches [ErrLoginTimeout]; after a reconnect
// it is another loss of the connection. Default: 15 s.
func LoginTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: LoginTimeout: it must be positive")
		}
		c.LoginTimeout = d
		return nil
	})
}

// DialTimeout bounds each attempt to open a connection: the socket, TLS, a
// proxy, and the WebSocket or RawSocket handshake. The error matches
// [ErrDialTimeout]. A function of [WithTransport] that ignores its context is
// left behind. Default: 20 s.
func DialTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: DialTimeout: it must be positive")
		}
		c.DialTimeout = d
		return nil
	})
}

// CloseTimeout bounds [Session.Close] and [Session.Drain] where their context
// has no deadline, and how long a connection may take to close. Default: 10 s.
func CloseTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: CloseTimeout: it must be positive")
		}
		c.CloseTimeout = d
		return nil
	})
}

// WithWindow bounds how many requests may wait for the router's acknowledgement
// at once: handles is for Subscribe, Unsubscribe, Register and Unregister
// together, publishes for acknowledged publishes, including those of publish
// streams without a [Window] of their own. Further requests wait in the
// session, in their order.
//
// Some routers keep at most 64 messages for a client and drop further ones,
// answers too. The defaults, 32 and 24, are safe there. docs/benchmarks.md has
// figures for Crossbar, which drops none. The maximum of publishes is
// 1,048,576.
func WithWindow(handles, publishes int) Option {
	return optionFunc(func(c *config) error {
		if handles < 1 || publishes < 1 || publishes > maxWindow {
			return fmt.Errorf("wamp: WithWindow: they must be positive, and that of publishes no more than %d", maxWindow)
		}
		c.Windows = session.Windows{Handles: handles, Publishes: publishes}
		return nil
	})
}

// WithMemory bounds the bytes that all streams of the session hold together for
// consumers that do not read. Beyond it the stream that holds the most applies
// its overflow policy, see [Buffer]. Default: 256 MiB.
func WithMemory(bytes int64) Option {
	return optionFunc(func(c *config) error {
		if bytes <= 0 {
			return errors.New("wamp: WithMemory: it must be positive")
		}
		c.Memory = bytes
		return nil
	})
}

// AckTimeout bounds the wait for the router's acknowledgement of Subscribe,
// Register, Unsubscribe, Unregister and acknowledged publishes, from the moment
// the request has been written. Default: 10 s.
func AckTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return errors.New("wamp: AckTimeout: it must be positive")
		}
		c.AckTimeout = d
		return nil
	})
}

// Assume treats a feature as announced, for routers that support it without
// saying so. The feature is named as in the WAMP specification, for example
// "call_timeout".
func Assume(feature string) Option {
	return featureOption("Assume", feature, func(c *config, f proto.Feature) { c.Assume = append(c.Assume, f) })
}

// Without treats a feature as not announced, for routers that announce it
// without supporting it. The feature is named as in the WAMP specification, for
// example "call_timeout".
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
