package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// WebSocketOptions are the options of DialWebSocket. The zero value is fine.
type WebSocketOptions struct {
	// Header is sent with the request; its Host is the host that is asked for.
	// A redirect to another host or port takes none of it along.
	Header http.Header
	// TLS is used for wss.
	TLS *tls.Config
	// Proxy says which HTTP proxy to use for a request. If it is nil the
	// transport of Client decides, by default http.ProxyFromEnvironment. It is
	// not asked for Unix sockets.
	Proxy func(*http.Request) (*url.URL, error)
	// Jar has the cookies to send and takes those of the answer.
	Jar http.CookieJar
	// Client sends the request, by default one like http.DefaultClient. Where
	// its Transport is an *http.Transport, a clone of that is used whose
	// connections gather writes; another RoundTripper is used as it is.
	Client *http.Client
	// Dial opens the socket, to the router or the proxy. TLS goes on top. One
	// that does not return when its ctx ends is left behind.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Deflate offers compression of messages (permessage-deflate without
	// context takeover).
	Deflate bool
	// ReadLimit is the largest message to accept, by default 16 MiB. For a
	// batched protocol it holds for the batch.
	ReadLimit int
	// MaxSend is the largest message that the router accepts, if that is
	// known.
	MaxSend int
	// Separator ends each message of batched JSON, by default 0x1e as in the
	// specification. Crossbar wants 0x18. Both are understood when received.
	Separator byte
}

// AcceptOptions are the options of AcceptWebSocket. The zero value is fine.
type AcceptOptions struct {
	// Deflate agrees to compression of messages.
	Deflate bool
	// ReadLimit is the largest message to accept, by default 16 MiB.
	ReadLimit int
	// AnyOrigin lets pages of other hosts connect.
	AnyOrigin bool
	// Separator is that of WebSocketOptions.
	Separator byte
}

// DialWebSocket connects to a WebSocket router. The scheme of rawURL is one of
// WebSockets, see ParseAddress.
//
// ctx bounds the dial and the handshakes and nothing of the connection. The
// error is a *DialError, which wraps a *HandshakeError where there was an answer
// that is no agreement. Redirects are followed, ten at most, but not from TLS to
// none. In a browser, see the overview of the package, the browser follows none.
func DialWebSocket(ctx context.Context, rawURL string, protocols []Protocol, opts WebSocketOptions) (Conn, error) {
	target, err := ParseAddress(rawURL)
	if err != nil {
		return nil, err
	}
	if !target.WebSocket() {
		return nil, fmt.Errorf("the scheme %q is none of WebSocket", target.Scheme)
	}
	return dialWebSocket(ctx, target, protocols, opts)
}

// withoutURL takes the URL, in which there may be a secret, out of err.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
