//go:build !js

package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/coder/websocket"
)

func dialWebSocket(ctx context.Context, target *Address, protocols []Protocol, opts WebSocketOptions) (Conn, error) {
	d := &wsDial{opts: &opts, target: target, protocols: protocols}
	d.tls, d.network, d.address, d.phase = target.TLS(), target.Network, target.String(), PhaseDial
	d.path = requestPath(target.request)
	for _, p := range protocols {
		d.offered = append(d.offered, p.Name)
	}
	if len(d.offered) == 0 {
		return nil, d.fail(&HandshakeError{Err: ErrNoProtocol})
	}
	return d.run(ctx, d.dial)
}

// wsDial is one dial. It knows every socket that was opened, since the HTTP
// transport may open more than it uses, or go on when nobody waits any more.
type wsDial struct {
	attempt
	ctx       context.Context //nolint:containedctx // of the dial: the transport gives its dials another
	opts      *WebSocketOptions
	target    *Address
	protocols []Protocol
	own       *http.Transport          // nil if the user's is another RoundTripper
	away      bool                     // redirected to another host
	proxy     atomic.Pointer[url.URL]  // in use
	got       atomic.Pointer[net.Conn] // of the last request
	last      atomic.Pointer[dialed]   // opened

	// Of the request that was answered with an upgrade, if the socket is ours.
	sock     *dialed
	link     *link
	stream   io.Reader // behind the answer
	squeezed *wsSocket // or the library's, where compression was agreed on
}

func (d *wsDial) dial(ctx context.Context) (Conn, error) {
	d.ctx = ctx
	mode := websocket.CompressionDisabled
	if d.opts.Deflate {
		mode = websocket.CompressionNoContextTakeover
	}
	client := d.client()
	if d.own != nil {
		defer d.own.CloseIdleConnections()
	} else { // nothing is known of what it does
		d.at(PhaseWebSocket)
	}
	header := d.opts.Header.Clone()
	header.Del("Host")
	ws, resp, err := websocket.Dial(httptrace.WithClientTrace(ctx, d.trace()), d.target.request.String(), &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: header, Host: d.opts.Header.Get("Host"), Subprotocols: d.offered, CompressionMode: mode,
		OnPingReceived: func(_ context.Context, p []byte) bool { return d.squeezed.pinged(p) },
	})
	if err != nil {
		return nil, d.refused(resp, err)
	}
	p, ok := findProtocol(d.protocols, ws.Subprotocol())
	if !ok {
		d.stop(nil)
		_ = ws.CloseNow()
		return nil, &HandshakeError{Status: resp.StatusCode, Err: ErrNoProtocol}
	}
	cfg := wsConfig{readLimit: d.opts.ReadLimit, maxSend: d.opts.MaxSend, separator: d.opts.Separator, tls: resp.TLS}
	d.stop(d.sock)
	d.describe(&cfg)
	switch {
	case d.link == nil:
		return newGivenSocket(ws, p, cfg), nil
	case d.squeezed != nil:
		return newDeflated(ws, d.squeezed, p, cfg), nil
	}
	_ = ws.CloseNow() // it has nothing
	return newWebSocket(d.link, d.stream, nil, false, p, cfg), nil
}

// trace learns how far the HTTP transport has come.
func (d *wsDial) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		TLSHandshakeStart: func() { d.at(PhaseTLS) }, // behind a proxy only: else it is ours
		GotConn: func(info httptrace.GotConnInfo) {
			d.got.Store(&info.Conn)
			d.at(PhaseWebSocket)
		},
	}
}

func (d *wsDial) describe(cfg *wsConfig) {
	if d.link != nil && cfg.tls == nil {
		cfg.tls = tlsState(d.link.conn)
	}
	switch {
	case cfg.tls != nil, d.network == "unix":
		cfg.private = true
	case d.link != nil && d.proxy.Load() == nil:
		cfg.private = private(d.link.conn)
	}
}

// refused makes the error of a request that has failed or was not answered with
// an upgrade.
func (d *wsDial) refused(resp *http.Response, err error) error {
	var said strings.Builder
	if resp != nil && resp.Body != nil {
		_, _ = io.Copy(&said, resp.Body) // the library has read its beginning
	}
	d.mu.Lock()
	if s := d.last.Load(); s != nil {
		if first := s.first.Load(); first != nil {
			d.first = *first
		}
	}
	d.wantsTLS = !d.tls && (strings.Contains(said.String(), "HTTPS") || strings.Contains(said.String(), "SSL"))
	phase := d.phase
	d.mu.Unlock()
	err = withoutURL(err)
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "failed to WebSocket dial: ") {
		err = inner // the phase says so
	}
	if resp == nil {
		var e *HandshakeError
		var panicked *PanicError
		if phase != PhaseWebSocket || errors.As(err, &e) || errors.As(err, &panicked) {
			return err
		}
		return &HandshakeError{Err: err}
	}
	e := &HandshakeError{Status: resp.StatusCode}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		e.Err = err
		if name := resp.Header.Get("Sec-WebSocket-Protocol"); name != "" {
			e.Protocol = name
			if _, ok := findProtocol(d.protocols, name); !ok {
				e.Err = ErrNoProtocol
			}
		}
	}
	return e
}
