package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
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

// Rotation dials one router at several addresses: each dial takes the next one, and
// begins again behind the last.
type Rotation struct {
	shuffle bool

	mu   sync.Mutex // guards the rest, never held across a dial
	all  []stop     // in the order of this round
	next int
	last string
}

// stop is one address of a rotation.
type stop struct {
	address string
	dial    Dialer
}

// NewRotation returns the rotation of the addresses, see [ParseAddress], in their
// order, or if shuffle in a random order that is drawn anew for each round. At least
// one is needed.
func NewRotation(shuffle bool, opts DialOptions, addresses ...string) (*Rotation, error) {
	if len(addresses) == 0 {
		return nil, errors.New("no address")
	}
	r := &Rotation{shuffle: shuffle}
	for i, rawURL := range addresses {
		a, err := ParseAddress(rawURL)
		if err == nil && inBrowser {
			err = refuse(notThere(a, &opts))
		}
		if err != nil {
			if len(addresses) > 1 { // which may have a password in it
				err = fmt.Errorf("address %d of %d: %w", i+1, len(addresses), err)
			}
			return nil, err
		}
		r.all = append(r.all, stop{a.String(), a.Dialer(opts)})
	}
	return r, nil
}

// Dial is a [Dialer]. It dials the next address.
func (r *Rotation) Dial(ctx context.Context, protocols []Protocol) (Conn, error) {
	return r.turn()(ctx, protocols)
}

func (r *Rotation) turn() Dialer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == 0 && r.shuffle {
		rand.Shuffle(len(r.all), func(i, k int) { r.all[i], r.all[k] = r.all[k], r.all[i] })
	}
	s := r.all[r.next]
	r.next = (r.next + 1) % len(r.all)
	r.last = s.address
	return s.dial
}

// Last returns the address that was dialled last, as [Address.String] shows it, and
// "" before the first dial.
func (r *Rotation) Last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
