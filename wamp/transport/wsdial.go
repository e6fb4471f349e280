package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coder/websocket"
)

// WebSocketOptions are the options of DialWebSocket. The zero value is fine.
type WebSocketOptions struct {
	// Header is sent with the request.
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
	// Dial opens the socket, to the router or the proxy. TLS goes on top.
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

// DialWebSocket connects to a WebSocket router. The scheme of rawURL is ws, wss
// or ws+unix:
//
//	ws://host:8080/ws
//	wss://host/ws
//	ws+unix:///run/router.sock:/ws?query
//
// where the path of the socket ends at the first colon, and what follows is
// the path of the request, "/" if there is nothing.
//
// ctx bounds the dial and the handshakes and nothing of the connection. Where
// there was an answer that is no agreement, the error is a *HandshakeError.
func DialWebSocket(ctx context.Context, rawURL string, protocols []Protocol, opts WebSocketOptions) (Conn, error) {
	d := &wsDial{opts: &opts}
	d.ctx, d.cancel = context.WithCancel(ctx)
	target, err := d.parse(rawURL)
	if err != nil {
		d.cancel()
		return nil, err
	}
	names := make([]string, 0, len(protocols))
	for _, p := range protocols {
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		d.cancel()
		return nil, &HandshakeError{Err: ErrNoProtocol}
	}
	mode := websocket.CompressionDisabled
	if opts.Deflate {
		mode = websocket.CompressionNoContextTakeover
	}
	client := d.client()
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { d.got = info.Conn }})
	// The library reads what follows a bad answer without regard to ctx.
	stop := context.AfterFunc(ctx, func() { d.cleanUp(nil) })
	ws, resp, err := websocket.Dial(traced, target, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: opts.Header, Subprotocols: names, CompressionMode: mode,
	})
	if !stop() && err == nil {
		_ = ws.CloseNow()
		err = ctx.Err()
	}
	if err != nil {
		d.cleanUp(nil)
		return nil, d.fail(ctx, resp, protocols, err)
	}
	p, ok := findProtocol(protocols, ws.Subprotocol())
	if !ok {
		d.cleanUp(nil)
		_ = ws.CloseNow()
		return nil, &HandshakeError{Status: resp.StatusCode, Err: ErrNoProtocol}
	}
	cfg := wsConfig{readLimit: opts.ReadLimit, maxSend: opts.MaxSend, separator: opts.Separator, tls: resp.TLS}
	cfg.sock = d.socket()
	d.cleanUp(cfg.sock)
	d.describe(&cfg)
	return newWebSocket(ws, p, cfg), nil
}

// wsDial is one dial. It knows every socket that was opened, since the HTTP
// transport may open more than it uses, or go on when nobody waits any more.
type wsDial struct {
	ctx      context.Context //nolint:containedctx // of the dial: the transport gives its dials another
	cancel   context.CancelFunc
	opts     *WebSocketOptions
	unixPath string
	secure   bool
	proxied  atomic.Bool
	own      *http.Transport
	got      net.Conn // the connection of the last request

	mu    sync.Mutex // guards the rest
	over  bool
	socks []*wsSocket
}

// parse returns the URL for the library.
func (d *wsDial) parse(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("websocket dial: %w", withoutURL(err))
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch u.Scheme {
	case "ws", "wss":
		d.secure = u.Scheme == "wss"
	case "ws+unix":
		path, request, found := strings.Cut(u.Path, ":")
		if path == "" || u.Host != "" {
			return "", errors.New("websocket dial: ws+unix needs the path of a socket, as in ws+unix:///run/router.sock:/ws")
		}
		if !found || !strings.HasPrefix(request, "/") {
			request = "/" + request
		}
		d.unixPath = path
		u.Scheme, u.Host, u.Path, u.RawPath = "ws", "localhost", request, ""
	default:
		return "", fmt.Errorf("websocket dial: unknown scheme %q", u.Scheme)
	}
	return u.String(), nil
}

// client makes the HTTP client of this dial, with a transport of its own.
func (d *wsDial) client() *http.Client {
	var c http.Client
	if d.opts.Client != nil {
		c = *d.opts.Client
	}
	if d.opts.Jar != nil {
		c.Jar = d.opts.Jar
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	redirect := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if d.secure && req.URL.Scheme != "https" {
			return errors.New("redirected from TLS to none")
		}
		if redirect != nil {
			return redirect(req, via)
		}
		if len(via) >= 10 {
			return errors.New("too many redirects")
		}
		return nil
	}
	base, ok := c.Transport.(*http.Transport)
	if !ok {
		return &c
	}
	d.own = base.Clone()
	c.Transport = d.own
	d.configure(d.own)
	return &c
}

func (d *wsDial) configure(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	if d.opts.TLS != nil {
		t.TLSClientConfig = d.opts.TLS.Clone()
	} else if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	if d.opts.Proxy != nil {
		t.Proxy = d.opts.Proxy
	}
	if d.unixPath != "" {
		t.Proxy = nil
	}
	if proxy := t.Proxy; proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			u, err := proxy(r)
			d.proxied.Store(u != nil)
			return u, err
		}
	}
	dial := t.DialContext
	if d.opts.Dial != nil {
		dial = d.opts.Dial
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if path := d.unixPath; path != "" {
		plain := dial
		if d.opts.Dial == nil {
			plain = new(net.Dialer).DialContext
		}
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return plain(ctx, "unix", path) }
	}
	dialTLS := t.DialTLSContext
	if dialTLS == nil || d.opts.Dial != nil {
		// TLS by ourselves, so that writes are gathered above it. Through a
		// proxy the HTTP transport does it, above the socket.
		dialTLS = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secured, err := clientTLS(ctx, conn, address, t.TLSClientConfig)
			if err != nil {
				_ = conn.Close()
				return nil, fmt.Errorf("tls handshake: %w", err)
			}
			return secured, nil
		}
	}
	// The context of the dial, not the one that the transport gives: that does
	// not end when the caller's does.
	t.DialContext = func(_ context.Context, network, address string) (net.Conn, error) {
		return d.adopt(dial(d.ctx, network, address))
	}
	t.DialTLSContext = func(_ context.Context, network, address string) (net.Conn, error) {
		return d.adopt(dialTLS(d.ctx, network, address))
	}
}

// adopt takes a new connection over, unless the dial is over.
func (d *wsDial) adopt(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	s := newWSSocket(conn)
	s.scan.http = true
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		_ = s.link.tear()
		return nil, net.ErrClosed
	}
	d.socks = append(d.socks, s)
	return s, nil
}

// cleanUp ends the dial and closes all sockets but keep.
func (d *wsDial) cleanUp(keep *wsSocket) {
	d.cancel()
	d.mu.Lock()
	d.over = true
	socks := d.socks
	d.mu.Unlock()
	for _, s := range socks {
		if s != keep {
			_ = s.link.tear()
		}
	}
	if d.own != nil {
		d.own.CloseIdleConnections()
	}
}

// socket is the one that the WebSocket goes over, nil if it is not ours.
func (d *wsDial) socket() *wsSocket {
	switch conn := d.got.(type) {
	case *wsSocket:
		return conn
	case *tls.Conn: // through a proxy
		s, _ := conn.NetConn().(*wsSocket)
		return s
	}
	return nil
}

func (d *wsDial) describe(cfg *wsConfig) {
	if cfg.sock != nil && cfg.tls == nil && d.secure {
		cfg.tls = tlsState(cfg.sock.link.conn)
	}
	switch {
	case cfg.tls != nil, d.unixPath != "":
		cfg.private = true
	case cfg.sock != nil && !d.proxied.Load():
		cfg.private = private(cfg.sock.link.conn)
	}
}

// fail makes the error of a dial.
func (d *wsDial) fail(ctx context.Context, resp *http.Response, protocols []Protocol, err error) error {
	err = withoutURL(err)
	if resp == nil {
		if ctx.Err() != nil {
			return fmt.Errorf("websocket dial: %w", context.Cause(ctx))
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.socks) > 0 { // there was someone
			return &HandshakeError{Err: err}
		}
		return fmt.Errorf("websocket dial: %w", err)
	}
	e := &HandshakeError{Status: resp.StatusCode}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		e.Err = err
		if name := resp.Header.Get("Sec-WebSocket-Protocol"); name != "" {
			e.Protocol = name
			if _, ok := findProtocol(protocols, name); !ok {
				e.Err = ErrNoProtocol
			}
		}
	}
	return e
}

// withoutURL takes the URL, in which there may be a secret, out of err.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
