package wamp

import (
	"context"
	"net"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// DialBy has the sockets of addresses opened by a function.
func DialBy(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return optionFunc(func(c *config) error { c.dial.Dial = dial; return nil })
}

// ForgetHeads forgets what was kept of all plain requests.
func ForgetHeads() {
	for i := range heads {
		heads[i].Store(nil)
	}
}

// HasHead reports whether the beginning of plain requests for a URI is kept.
func HasHead(c codec.Codec, uri string) bool {
	for i := range heads {
		if h := heads[i].Load(); h != nil && h.codec == c && h.uri == uri {
			return true
		}
	}
	return false
}
