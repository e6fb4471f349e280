package transport

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// scheme is a row of the table of schemes.
type scheme struct {
	name    string
	aliases []string // other names of it
	network string   // of the socket: "tcp" or "unix"
	tls     bool
	framing framing
	// parse takes the socket, and the request of a WebSocket, out of the URL.
	// rest is what follows the scheme and "://".
	parse func(s *scheme, rawURL, rest string) (host string, request *url.URL, err error)
}

// framing is how messages go over the socket.
type framing int

const (
	framedRaw framing = iota // RawSocket
	framedWeb                // WebSocket
)

// schemes are all there are. What is said about them elsewhere, by errors, hints and
// documentation, follows this table, or a test holds it to it.
var schemes = []scheme{
	{name: "ws", network: "tcp", framing: framedWeb, parse: parseHost},
	{name: "wss", network: "tcp", tls: true, framing: framedWeb, parse: parseHost},
	{name: "tcp", aliases: []string{"rs"}, network: "tcp", framing: framedRaw, parse: parseHost},
	{name: "tcps", aliases: []string{"rss"}, network: "tcp", tls: true, framing: framedRaw, parse: parseHost},
	{name: "unix", network: "unix", framing: framedRaw, parse: parseSocket},
	{name: "ws+unix", network: "unix", framing: framedWeb, parse: parseSocketAndRequest},
}

// schemeNamed finds a scheme by its name or an alias.
func schemeNamed(name string) (*scheme, bool) {
	name = strings.ToLower(name)
	for i := range schemes {
		if s := &schemes[i]; s.name == name || slices.Contains(s.aliases, name) {
			return s, true
		}
	}
	return nil, false
}

// schemeFor names the scheme of a framing over a network. It has TLS if secure, where
// there is one that has.
func schemeFor(f framing, network string, secure bool) (name string) {
	for _, s := range schemes {
		if s.framing != f || (s.network == "unix") != (network == "unix") {
			continue
		}
		if s.tls == secure {
			return s.name
		}
		name = cmp.Or(name, s.name)
	}
	return name
}

// schemeList is "ws, wss or tcp".
func schemeList() string {
	var names []string
	for _, s := range schemes {
		names = append(names, s.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// requestScheme is the scheme of the URL of the request.
func (s *scheme) requestScheme() string {
	if s.tls {
		return "wss"
	}
	return "ws"
}

// Address is where a router is: a URL, understood. [ParseAddress] makes one.
type Address struct {
	// Scheme is the scheme, in lower case. That of rs and rss is tcp and tcps.
	Scheme string
	// Network and Host are for the dialer: "tcp" and host:port (without a port
	// for ws and wss where the URL has none), or "unix" and the name of a
	// socket, which begins with @ if it is an abstract one.
	Network, Host string

	framing framing
	request *url.URL // of the WebSocket handshake, nil for others
}

var errNoAddress = errors.New("no address")

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
	if strings.TrimSpace(rawURL) == "" {
		return nil, errNoAddress
	}
	name, rest, _ := strings.Cut(rawURL, "://")
	s, ok := schemeNamed(name)
	if !ok {
		u, err := url.Parse(rawURL)
		if err != nil {
			return nil, noURL(rawURL, err)
		}
		if s, ok = schemeNamed(u.Scheme); !ok {
			return nil, fmt.Errorf("unknown scheme %q: want %s", u.Scheme, schemeList())
		}
		rest = "" // there is no "://"
	}
	host, request, err := s.parse(s, rawURL, rest)
	if err != nil {
		return nil, err
	}
	return &Address{Scheme: s.name, Network: s.network, Host: host, framing: s.framing, request: request}, nil
}

// parseHost reads what has a host.
func parseHost(s *scheme, rawURL, _ string) (string, *url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", nil, noURL(rawURL, err)
	}
	if u.Host == "" {
		return "", nil, fmt.Errorf("%s address without a host", u.Scheme)
	}
	if s.framing != framedWeb {
		return u.Host, nil, nil
	}
	u.Scheme = s.requestScheme()
	return u.Host, u, nil
}

// parseSocket reads the name of a Unix socket.
func parseSocket(s *scheme, _, rest string) (string, *url.URL, error) {
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	host, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i > 0 { // a user, who means nothing here
		rest = rest[i+1:]
	}
	name, err := url.PathUnescape(rest)
	if err != nil {
		return "", nil, noURL("", err)
	}
	if name == "" {
		return "", nil, fmt.Errorf("%s needs the path of a socket, as in %[1]s:///run/router.sock", s.name)
	}
	return name, nil, nil
}

// parseSocketAndRequest reads the name of a Unix socket and the path of a request.
func parseSocketAndRequest(s *scheme, _, rest string) (string, *url.URL, error) {
	socket, request, _ := strings.Cut(rest, ":")
	if i := strings.IndexAny(socket, "?#"); i >= 0 {
		socket, request = socket[:i], socket[i:]
	}
	if socket == "" || socket[0] != '/' && socket[0] != '@' {
		return "", nil, fmt.Errorf("%s needs the path of a socket, as in %[1]s:///run/router.sock:/ws", s.name)
	}
	name, err := url.PathUnescape(socket)
	if err != nil {
		return "", nil, noURL("", err)
	}
	if !strings.HasPrefix(request, "/") {
		request = "/" + request
	}
	u, err := url.Parse(s.requestScheme() + "://localhost" + request)
	if err != nil {
		return "", nil, noURL("", err)
	}
	return name, u, nil
}

// noURL is the error for what is no URL. What the parser says quotes a part of
// it, so that is left out where there may be a password.
func noURL(rawURL string, err error) error {
	if strings.Contains(rawURL, "@") {
		return errors.New("the address is no URL (in a user name or password, characters such as : / ? # [ ] @ % are written as %XX)")
	}
	return fmt.Errorf("the address is no URL such as ws://host:8080/ws: %w", withoutURL(err))
}

// WebSocket reports whether it is a WebSocket's, not a RawSocket's.
func (a *Address) WebSocket() bool { return a.framing == framedWeb }

// TLS reports whether TLS is spoken.
func (a *Address) TLS() bool {
	s, ok := schemeNamed(a.Scheme)
	return ok && s.tls
}

// String returns the address for people to read: without user, password and
// query.
func (a *Address) String() string {
	text := a.Scheme + "://" + a.Host
	switch {
	case a.request == nil:
		return text
	case a.Network == "unix":
		text += ":"
	}
	return text + a.request.EscapedPath()
}

// key is the same for addresses that are the same, however they are written: in upper
// case, with the port that is meant without one, without the first slash of a path.
func (a *Address) key() string {
	if a.Network == "unix" && a.request == nil {
		return a.String()
	}
	if a.request == nil {
		return a.Scheme + "://" + strings.ToLower(a.Host)
	}
	u := *a.request
	u.Host, u.Fragment = hostPort(&u), ""
	if u.Path == "" {
		u.Path = "/"
	}
	key := u.String() // with user, password and query
	if a.Network == "unix" {
		key = a.Host + " " + key
	}
	return key
}

// hostPort names the server of a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" || u.Scheme == "wss" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// readable is what may be shown of a URL.
func readable(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }
