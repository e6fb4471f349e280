package wamp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Option is an option of [Connect]. Options that need a value of a certain
// range fail in Connect where it is out of range.
type Option interface{ applyConnect(*config) error }

type optionFunc func(*config) error

func (f optionFunc) applyConnect(c *config) error { return f(c) }

// notInBrowser refuses an option that means something which a browser does by itself.
func notInBrowser(option string, given bool) error {
	if runtime.GOOS == "js" && given {
		return fmt.Errorf("%s: %w", option, transport.ErrNotInBrowser)
	}
	return nil
}

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
// preferred one first. Default: those of [codec.All], the most compact first. The
// router chooses; [Session.Codec] is its choice.
func WithSerializers(codecs ...codec.Codec) Option {
	return optionFunc(func(c *config) error {
		if len(codecs) == 0 {
			return errors.New("WithSerializers: no serializer is given")
		}
		if slices.Contains(codecs, nil) {
			return errors.New("WithSerializers: a serializer is nil")
		}
		c.serializers = codecs
		return nil
	})
}

// WithTLS sets the TLS configuration for addresses with TLS, see [Connect]. It
// must not be changed while it is in use. Default: that of an empty
// [tls.Config]. In a browser it fails, see [ErrNotInBrowser].
func WithTLS(cfg *tls.Config) Option {
	return optionFunc(func(c *config) error {
		c.dial.TLS = cfg
		return notInBrowser("WithTLS", cfg != nil)
	})
}

// WithHeader adds a header to the HTTP request of a WebSocket handshake. It may
// be given several times. The key Host sets the host of the request. Headers
// are not sent along when the router redirects to another host or port. In a
// browser it fails, see [ErrNotInBrowser].
func WithHeader(key, value string) Option {
	return optionFunc(func(c *config) error {
		ws := &c.dial.WebSocket
		if ws.Header == nil {
			ws.Header = http.Header{}
		}
		ws.Header.Add(key, value)
		return notInBrowser("WithHeader", true)
	})
}

// WithProxy sets the HTTP proxy of WebSocket connections, as the Proxy field of
// [http.Transport] does. Default: [http.ProxyFromEnvironment]. In a browser it
// fails, see [ErrNotInBrowser].
func WithProxy(proxy func(*http.Request) (*url.URL, error)) Option {
	return optionFunc(func(c *config) error {
		c.dial.WebSocket.Proxy = proxy
		return notInBrowser("WithProxy", proxy != nil)
	})
}

// WithCookieJar sends the cookies of the jar with the request of a WebSocket
// handshake, and stores those of the answer in it. Default: no cookies. In a
// browser it fails, see [ErrNotInBrowser]: the browser sends its own.
func WithCookieJar(jar http.CookieJar) Option {
	return optionFunc(func(c *config) error {
		c.dial.WebSocket.Jar = jar
		return notInBrowser("WithCookieJar", jar != nil)
	})
}

// WithCompression offers compression (permessage-deflate) on WebSocket
// connections. It saves bytes and costs time and memory. Default: not offered.
// In a browser it fails, see [ErrNotInBrowser]: browsers offer it always.
func WithCompression() Option {
	return optionFunc(func(c *config) error {
		c.dial.WebSocket.Deflate = true
		return notInBrowser("WithCompression", true)
	})
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
			return fmt.Errorf("WithBatching: the separator is %#x, it must be 0x1e or 0x18", separator)
		}
		c.batching, c.dial.WebSocket.Separator = true, separator
		return nil
	})
}

// WithTransport sets a function that opens the connection, in place of the
// addresses given to [Connect] and [WithURLs], which are ignored. To use one
// connection that exists already, pass a function that returns it once and then
// an error.
func WithTransport(dial transport.Dialer) Option {
	return optionFunc(func(c *config) error {
		if dial == nil {
			return errors.New("WithTransport: the function is nil")
		}
		c.dialer = dial
		return nil
	})
}

// WithPayloadCodec seals and opens the payloads of the session with a codec: a
// [seal.Ring], or for peers that use other forms a [seal.Profile1], a
// [seal.Cryptobox], or what [seal.PassThru] returns, which encrypts nothing.
// Default: none.
//
// What the codec seals is sent only to a router that announced
// payload_passthru_mode, or payload_encryption_cryptobox for the form of
// Autobahn; otherwise the operation fails with a [FeatureError]. It is never
// sent as it is. A payload that the codec refuses to seal or to open has a
// [seal.PayloadError]: that of the operation, or of [codec.Payload.Scan].
//
// A [seal.Negotiator], such as a Profile1, agrees with the router at each join,
// in authextra of HELLO and WELCOME; authextra of the login stays as it is. A
// router's answer that will not do ends the join with a [LoginError] that wraps a
// [seal.NegotiationError]. What is sealed while there is no connection is sealed
// as it was agreed before.
//
// Payloads of the protocol's own procedures and topics, wamp and those that begin
// with "wamp.", are not sealed.
func WithPayloadCodec(c seal.Codec) Option {
	return optionFunc(func(cfg *config) error { cfg.payloads = c; return nil })
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
		c.Outbound = bytes
		return positive("WithOutbound", bytes)
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
		c.LoginTimeout = d
		return positive("LoginTimeout", d)
	})
}

// DialTimeout bounds each attempt to open a connection: the socket, TLS, a
// proxy, and the WebSocket or RawSocket handshake. The error matches [ErrDialTimeout], with
// a function of [WithTransport] too; one that ignores its context is left behind.
// Default: 20 s.
func DialTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		c.DialTimeout = d
		return positive("DialTimeout", d)
	})
}

// CloseTimeout bounds [Session.Close] and [Session.Drain] where their context
// has no deadline, and how long a connection may take to close. Default: 10 s.
func CloseTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		c.CloseTimeout = d
		return positive("CloseTimeout", d)
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
			return fmt.Errorf("WithWindow: the windows %d and %d must be positive, and that of publishes no more than %d", handles, publishes, maxWindow)
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
		c.Memory = bytes
		return positive("WithMemory", bytes)
	})
}

// AckTimeout bounds the wait for the router's acknowledgement of Subscribe, Register,
// Unsubscribe, Unregister and acknowledged publishes, from the moment the request has
// been written. Subscribe and Register then fail with [ErrAckTimeout], and a publish with
// an [OutcomeUnknown]. Default: 10 s.
func AckTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		c.AckTimeout = d
		return positive("AckTimeout", d)
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
			return fmt.Errorf("%s: unknown feature %q", name, feature)
		}
		set(c, f)
		return nil
	})
}
