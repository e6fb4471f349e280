package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall/js"
)

// errNotTold is why a dial has failed: nothing that happens before a connection is
// open is told to a page, so that it cannot look around in the network of its user.
var errNotTold = errors.New("no connection, and JavaScript is not told why")

// hintNotTold is where to look.
const hintNotTold = "the console of the browser may say more: nobody there, another path, a certificate, or a policy of the page"

// dialWebSocket opens a WebSocket of JavaScript.
func dialWebSocket(ctx context.Context, target *Address, protocols []Protocol, opts WebSocketOptions) (Conn, error) {
	d := &wsDial{opts: &opts, target: target, protocols: protocols}
	d.tls, d.network, d.address, d.phase = target.TLS(), target.Network, target.String(), PhaseDial
	var offered []string
	for _, p := range protocols {
		if !slices.Contains(offered, p.Name) { // twice is an error there
			offered = append(offered, p.Name)
		}
	}
	d.offered = offered
	if len(offered) == 0 {
		return nil, d.fail(&HandshakeError{Err: ErrNoProtocol})
	}
	if err := refuse(notThere(target, &DialOptions{WebSocket: opts})); err != nil {
		return nil, d.fail(err)
	}
	return d.run(ctx, d.dial)
}

// wsDial is one dial.
type wsDial struct {
	attempt
	opts      *WebSocketOptions
	target    *Address
	protocols []Protocol
}

func (d *wsDial) dial(ctx context.Context) (Conn, error) {
	u := *d.target.request
	u.Fragment, u.RawFragment = "", "" // an error there
	cfg := wsConfig{readLimit: d.opts.ReadLimit, maxSend: d.opts.MaxSend, separator: d.opts.Separator}
	cfg.private = d.tls || loopback(u.Hostname())
	c, err := newBrowserSocket(u.String(), d.offered, cfg)
	if err != nil {
		return nil, d.thrown(&u, err)
	}
	if !d.opens(c, c.CloseNow) {
		_ = c.CloseNow()
		return nil, net.ErrClosed
	}
	select {
	case <-c.opened:
	case <-c.gone:
		if text := c.complained(); text != "" {
			return nil, fmt.Errorf("%w: %s", errNotTold, short(text))
		}
		return nil, errNotTold
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	name := ""
	if err := caught(func() { name = c.ws.Get("protocol").String() }); err != nil {
		return nil, err
	}
	p, ok := findProtocol(d.protocols, name)
	if !ok {
		d.at(PhaseWebSocket)
		return nil, &HandshakeError{Protocol: name, Err: ErrNoProtocol}
	}
	c.proto = p
	return c, nil
}

// thrown is the error of what JavaScript throws in the place of dialling, which may quote
// the URL.
func (d *wsDial) thrown(u *url.URL, err error) error {
	if errors.Is(err, ErrNotInBrowser) {
		return err
	}
	text := strings.ReplaceAll(err.Error(), u.String(), d.address)
	if u.RawQuery != "" {
		text = strings.ReplaceAll(text, u.RawQuery, "")
	}
	return errors.New(short(text))
}

// loopback reports whether what a browser takes for host is on this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// hint explains what is known of the page.
func (a *attempt) hint(err error) string {
	switch {
	case errors.Is(err, errNotTold):
		if u, bad := url.Parse(a.address); bad == nil && !a.tls && !loopback(u.Hostname()) && pageIsSecure() {
			return "a page of https may only open " + schemeFor(framedWeb, a.network, true)
		}
		return hintNotTold
	case errors.Is(err, ErrNoProtocol) && len(a.offered) > 0:
		return "offered were " + strings.Join(a.offered, ", ")
	}
	return ""
}

// pageIsSecure reports whether the program runs in a page of https.
func pageIsSecure() bool {
	l := js.Global().Get("location")
	return l.Truthy() && l.Get("protocol").String() == "https:"
}
