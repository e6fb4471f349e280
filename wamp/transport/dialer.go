package transport

import (
	"context"
	"crypto/tls"
	"net"
)

// DialOptions are the options of Address.Dialer and NewRotation. The zero value is
// fine. What an address has no use for means nothing there.
type DialOptions struct {
	// TLS is for the schemes with TLS, by default that of an empty tls.Config.
	TLS *tls.Config
	// MaxReceive is the largest message to accept, by default 16 MiB. RawSocket
	// rounds it down to a power of two.
	MaxReceive int
	// Dial opens the socket, to the router or a proxy. TLS goes on top. One that
	// does not return when its ctx ends is left behind.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// WebSocket is for WebSockets. TLS, MaxReceive and Dial above take the place of
	// its TLS, ReadLimit and Dial where they are set.
	WebSocket WebSocketOptions
}

// Dialer returns the dialer of the address. A RawSocket has no batched protocols:
// those that are offered to it stand for the plain ones.
func (a *Address) Dialer(opts DialOptions) Dialer {
	to := *a
	if inBrowser {
		if err := refuse(notThere(a, &opts)); err != nil {
			err = &DialError{Address: a.String(), Phase: PhaseDial, Err: err}
			return func(context.Context, []Protocol) (Conn, error) { return nil, err }
		}
		return to.webSocketDialer(opts)
	}
	switch to.framing {
	case framedWeb:
		return to.webSocketDialer(opts)
	default:
		return to.rawSocketDialer(opts)
	}
}

func (a *Address) webSocketDialer(opts DialOptions) Dialer {
	ws := opts.WebSocket
	if opts.TLS != nil {
		ws.TLS = opts.TLS
	}
	if opts.MaxReceive != 0 {
		ws.ReadLimit = opts.MaxReceive
	}
	if opts.Dial != nil {
		ws.Dial = opts.Dial
	}
	return func(ctx context.Context, protocols []Protocol) (Conn, error) {
		return dialWebSocket(ctx, a, protocols, ws)
	}
}

func (a *Address) rawSocketDialer(opts DialOptions) Dialer {
	var config *tls.Config
	if a.TLS() {
		if config = opts.TLS; config == nil {
			config = &tls.Config{}
		}
	}
	raw := RawSocketOptions{MaxReceive: opts.MaxReceive, Dial: opts.Dial}
	return func(ctx context.Context, protocols []Protocol) (Conn, error) {
		return dialRawSocket(ctx, a, config, unbatched(protocols), raw)
	}
}
