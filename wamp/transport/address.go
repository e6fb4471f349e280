package transport

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Address is where a router is: a URL, understood.
type Address struct {
	// Scheme is ws, wss, tcp, tcps, unix or ws+unix.
	Scheme string
	// Network and Host are for the dialer: "tcp" and host:port (without a port
	// for ws and wss where the URL has none), or "unix" and the name of a
	// socket, which begins with @ if it is an abstract one.
	Network, Host string
	// request is the URL of the WebSocket handshake, nil for RawSocket.
	request *url.URL
}

// ParseAddress understands the URL of a router:
//
//	ws://host:8080/ws       WebSocket, wss with TLS
//	tcp://host:8081         RawSocket, tcps with TLS; rs and rss mean the same
//	unix:///run/wamp.sock   RawSocket over a Unix socket
//	unix://@name            over an abstract one, which has no file
//	ws+unix:///run/s:/ws    WebSocket over a Unix socket
//	ws+unix://@name:/ws
//
// The path of the socket of ws+unix ends at the first colon, and what follows
// is the request's, "/" if there is nothing. The text of the error has no part
// of a URL that may hold a password.
func ParseAddress(rawURL string) (*Address, error) {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	switch scheme = strings.ToLower(scheme); scheme {
	case "unix":
		name, err := socketName(rest)
		if err == nil && name == "" {
			err = errors.New("unix address without a path")
		}
		return &Address{Scheme: scheme, Network: "unix", Host: name}, err
	case "ws+unix":
		return parseOnSocket(rest)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, noURL(rawURL, err)
	}
	a := &Address{Scheme: strings.ToLower(u.Scheme), Network: "tcp", Host: u.Host}
	switch a.Scheme {
	case "ws", "wss":
		u.Scheme, a.request = a.Scheme, u
	case "tcp", "tcps":
	case "rs":
		a.Scheme = "tcp"
	case "rss":
		a.Scheme = "tcps"
	default:
		return nil, fmt.Errorf("unknown scheme %q: want ws, wss, tcp, tcps, unix or ws+unix", u.Scheme)
	}
	if a.Host == "" {
		return nil, fmt.Errorf("%s address without a host", u.Scheme)
	}
	return a, nil
}

// noURL is the error for what is no URL. What the parser says quotes a part of
// it, so that is left out where there may be a password.
func noURL(rawURL string, err error) error {
	if strings.Contains(rawURL, "@") {
		return errors.New("the address is no URL (in a user name or password, characters such as : / ? # [ ] @ % are written as %XX)")
	}
	return fmt.Errorf("the address is no URL: %w", withoutURL(err))
}

// socketName takes the name of a Unix socket out of what follows the scheme.
func socketName(rest string) (string, error) {
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	host, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i > 0 { // a user, who means nothing here
		rest = rest[i+1:]
	}
	name, err := url.PathUnescape(rest)
	if err != nil {
		return "", noURL("", err)
	}
	return name, nil
}

func parseOnSocket(rest string) (*Address, error) {
	socket, request, _ := strings.Cut(rest, ":")
	if i := strings.IndexAny(socket, "?#"); i >= 0 {
		socket, request = socket[:i], socket[i:]
	}
	if socket == "" || socket[0] != '/' && socket[0] != '@' {
		return nil, errors.New("ws+unix needs the path of a socket, as in ws+unix:///run/router.sock:/ws")
	}
	name, err := url.PathUnescape(socket)
	if err != nil {
		return nil, noURL("", err)
	}
	if !strings.HasPrefix(request, "/") {
		request = "/" + request
	}
	u, err := url.Parse("ws://localhost" + request)
	if err != nil {
		return nil, noURL("", err)
	}
	return &Address{Scheme: "ws+unix", Network: "unix", Host: name, request: u}, nil
}

// WebSocket reports whether it is a WebSocket's, not a RawSocket's.
func (a *Address) WebSocket() bool { return a.request != nil }

// TLS reports whether TLS is spoken.
func (a *Address) TLS() bool { return a.Scheme == "wss" || a.Scheme == "tcps" }

// String returns the address for people to read: without user, password and
// query.
func (a *Address) String() string {
	switch {
	case a.request == nil:
		return a.Scheme + "://" + a.Host
	case a.Network == "unix":
		return a.Scheme + "://" + a.Host + ":" + a.request.EscapedPath()
	}
	return readable(a.request)
}

// readable is what may be shown of a URL.
func readable(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }
