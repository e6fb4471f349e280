//go:build !js

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

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
	theirs := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if err := d.redirect(req, via); err != nil || theirs == nil {
			return err
		}
		return theirs(req, via)
	}
	if base, ok := c.Transport.(*http.Transport); ok {
		d.own = base.Clone()
		c.Transport = &upgrade{d.own, d}
		d.configure(d.own)
	}
	return &c
}

// maxRedirects is how many redirects are followed.
const maxRedirects = 10

// ours are the headers of the handshake, which the library sets. What else is
// in a request is the user's, or Referer.
var ours = map[string]bool{
	"Connection": true, "Upgrade": true, "Sec-Websocket-Version": true, "Sec-Websocket-Key": true,
	"Sec-Websocket-Protocol": true, "Sec-Websocket-Extensions": true,
}

// redirect looks at a request that follows a redirect. Once it has gone to
// another host, what the user has given for the first stays behind. The jar
// adds its cookies later, by its own rules.
func (d *wsDial) redirect(req *http.Request, via []*http.Request) error {
	switch {
	case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https":
		return &HandshakeError{Err: fmt.Errorf("redirected from TLS to none, at %s", req.URL.Host)}
	case len(via) > maxRedirects:
		return &HandshakeError{Err: errors.New("too many redirects")}
	}
	d.away = d.away || hostPort(req.URL) != hostPort(via[0].URL)
	if d.away {
		for key := range req.Header {
			if !ours[key] {
				delete(req.Header, key)
			}
		}
		req.Host = ""
	} else if host := d.opts.Header.Get("Host"); host != "" {
		req.Host = host
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.phase, d.path = PhaseDial, requestPath(req.URL)
	if d.network == "tcp" {
		u := *req.URL
		u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
		d.address, d.tls = readable(&u), u.Scheme == "wss"
	}
	return nil
}

func requestPath(u *url.URL) string {
	if path := u.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// maxResponse is how large the header of an HTTP answer may be, unless the
// user's transport says otherwise.
const maxResponse = 1 << 20

func (d *wsDial) configure(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	if t.MaxResponseHeaderBytes == 0 {
		t.MaxResponseHeaderBytes = maxResponse
	}
	if d.opts.TLS != nil {
		t.TLSClientConfig = d.opts.TLS.Clone()
	} else if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{}
	}
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	recoverTLS(t.TLSClientConfig)
	if d.opts.Proxy != nil {
		t.Proxy = d.opts.Proxy
	}
	if d.network == "unix" {
		t.Proxy = nil
	}
	d.watchProxy(t)

	dial, dialTLS := t.DialContext, t.DialTLSContext
	if d.opts.Dial != nil {
		dial, dialTLS = d.opts.Dial, nil
	}
	if dial == nil || d.network == "unix" && d.opts.Dial == nil {
		dial = new(net.Dialer).DialContext
	}
	// All of it runs under the context of the dial, not the one that the
	// transport gives, which does not end when the caller's does.
	t.DialContext = func(_ context.Context, network, address string) (net.Conn, error) {
		return d.adopt(d.connect(dial, network, address))
	}
	t.DialTLSContext = func(_ context.Context, network, address string) (net.Conn, error) {
		if dialTLS != nil {
			return d.adopt(d.connect(dialTLS, network, address))
		}
		conn, err := d.connect(dial, network, address)
		if err != nil {
			return nil, err
		}
		// TLS by ourselves, so that writes are gathered above it. Behind a
		// proxy the HTTP transport does it, above the socket.
		if d.proxy.Load() == nil {
			d.at(PhaseTLS)
		}
		secured, err := clientTLS(d.ctx, conn, address, t.TLSClientConfig)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		return d.adopt(secured, nil)
	}
}

// proxyError is what a proxy says in the place of opening a tunnel.
type proxyError struct {
	host   string
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("%s said %d %s", e.host, e.status, http.StatusText(e.status))
}

// watchProxy learns which proxy is used and what it says.
func (d *wsDial) watchProxy(t *http.Transport) {
	if proxy := t.Proxy; proxy != nil {
		t.Proxy = func(r *http.Request) (u *url.URL, err error) {
			d.at(PhaseProxy)
			err = safely(func() (err error) {
				u, err = proxy(r)
				return err
			})
			if err == nil && u == nil {
				d.at(PhaseDial)
			}
			d.proxy.Store(u)
			return u, err
		}
	}
	if header := t.GetProxyConnectHeader; header != nil {
		t.GetProxyConnectHeader = func(ctx context.Context, u *url.URL, target string) (h http.Header, err error) {
			err = safely(func() (err error) {
				h, err = header(ctx, u, target)
				return err
			})
			return h, err
		}
	}
	theirs := t.OnProxyConnectResponse
	t.OnProxyConnectResponse = func(ctx context.Context, u *url.URL, req *http.Request, resp *http.Response) (err error) {
		if theirs != nil {
			err = safely(func() error { return theirs(ctx, u, req, resp) })
		}
		if err == nil && resp.StatusCode != http.StatusOK {
			err = &proxyError{u.Host, resp.StatusCode}
		}
		return err
	}
}

// connect opens a socket.
func (d *wsDial) connect(dial dialFunc, network, address string) (net.Conn, error) {
	if d.network == "unix" {
		network, address = "unix", d.target.Host
	}
	conn, err := dial.call(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	return guard(conn), nil
}

// adopt takes a new connection over, unless the dial is over.
func (d *wsDial) adopt(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	s := newDialed(conn)
	if !d.opens(s, s.link.tear) {
		_ = s.link.tear()
		return nil, net.ErrClosed
	}
	d.last.Store(s)
	return s, nil
}
