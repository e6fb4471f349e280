//go:build !js

package transport

import (
	"context"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// AcceptWebSocket is the router's side: it upgrades the request, to the first
// of the client's protocols that is in protocols. If there is an error it has
// answered the request.
func AcceptWebSocket(w http.ResponseWriter, r *http.Request, protocols []Protocol, opts AcceptOptions) (Conn, error) {
	p, ok := firstCommon(r.Header, protocols)
	if !ok && r.Header.Get("Upgrade") != "" {
		http.Error(w, "no common WebSocket subprotocol", http.StatusBadRequest)
		return nil, &HandshakeError{Protocol: r.Header.Get("Sec-WebSocket-Protocol"), Err: ErrNoProtocol}
	}
	mode := websocket.CompressionDisabled
	if opts.Deflate {
		mode = websocket.CompressionNoContextTakeover
	}
	h := &hijackWriter{ResponseWriter: w}
	ws, err := websocket.Accept(h, r, &websocket.AcceptOptions{
		Subprotocols: []string{p.Name}, CompressionMode: mode, InsecureSkipVerify: opts.AnyOrigin,
		OnPingReceived: func(_ context.Context, p []byte) bool { return h.squeezed.pinged(p) },
	})
	if err != nil {
		return nil, &HandshakeError{Protocol: p.Name, Err: err}
	}
	cfg := wsConfig{readLimit: opts.ReadLimit, separator: opts.Separator, tls: r.TLS}
	cfg.private = r.TLS != nil || private(h.link.conn)
	if h.squeezed != nil {
		return newDeflated(ws, h.squeezed, p, cfg), nil
	}
	_ = ws.CloseNow() // it has nothing
	return newWebSocket(h.link, h.link.conn, h.early, true, p, cfg), nil
}

func firstCommon(h http.Header, protocols []Protocol) (Protocol, bool) {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if p, ok := findProtocol(protocols, strings.TrimSpace(name)); ok {
				return p, true
			}
		}
	}
	return Protocol{}, false
}
