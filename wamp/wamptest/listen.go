package wamptest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	neturl "net/url"
	"strings"
	"sync"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// handshakeTimeout bounds the handshakes of an accepted socket.
const handshakeTimeout = 10 * time.Second

// acceptPause is how long a listener rests that could not accept, for want of
// descriptors perhaps.
const acceptPause = 50 * time.Millisecond

// pause waits for d. It reports false when the router is being closed.
func (r *Router) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.root.Done():
		return false
	}
}

// ListenOption changes how a listener accepts connections.
type ListenOption interface{ applyListen(*listenConfig) }

type listenFunc func(*listenConfig)

func (f listenFunc) applyListen(c *listenConfig) { f(c) }

type listenConfig struct {
	tls        *tls.Config
	compress   bool
	maxReceive int
	cookies    bool
	hangUp     bool
}

// cert is the certificate of the listener, nil without TLS.
func (c *listenConfig) cert() *x509.Certificate {
	if c.tls == nil || len(c.tls.Certificates) == 0 {
		return nil
	}
	return c.tls.Certificates[0].Leaf
}

// WithTLS makes a listener speak TLS. LocalTLS makes a configuration.
func WithTLS(cfg *tls.Config) ListenOption { return listenFunc(func(c *listenConfig) { c.tls = cfg }) }

// WithCompression makes a WebSocket listener agree to permessage-deflate.
func WithCompression() ListenOption { return listenFunc(func(c *listenConfig) { c.compress = true }) }

// WithCookies makes a WebSocket listener give each client a cookie, by which
// the login Cookie knows it again.
func WithCookies() ListenOption { return listenFunc(func(c *listenConfig) { c.cookies = true }) }

// cookieName is the cookie of WithCookies.
const cookieName = "wamptest"

// WithMaxReceive bounds the messages that a listener accepts, see
// WithMaxMessage, which it is by default.
func WithMaxReceive(bytes int) ListenOption {
	return listenFunc(func(c *listenConfig) { c.maxReceive = bytes })
}

// listeners are the sockets that the router accepts connections on.
type listeners struct {
	mu     sync.Mutex // guards the rest, never held across a call
	stops  []func()
	closed bool
	tasks  sync.WaitGroup // accept loops and handshakes
}

// add starts a task and keeps what ends it.
func (ls *listeners) add(task, stop func()) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return false
	}
	ls.stops = append(ls.stops, stop)
	ls.tasks.Go(task) // ends when stop has been called
	return true
}

// close ends the accept loops and handshakes, whose context has ended.
func (ls *listeners) close() {
	ls.mu.Lock()
	ls.closed = true
	stops := ls.stops
	ls.stops = nil
	ls.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	ls.tasks.Wait()
}

// gatedListener puts a gate under each accepted socket.
type gatedListener struct{ net.Listener }

// Accept implements net.Listener.
func (l gatedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newGatedConn(c), nil
}

// gateOf returns the gate of an accepted socket.
func gateOf(c net.Conn) *gate {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if g, ok := c.(*gatedConn); ok {
		return g.gate
	}
	return new(gate)
}

func listen(network, address string, options []ListenOption) (net.Listener, listenConfig, error) {
	var cfg listenConfig
	for _, o := range options {
		o.applyListen(&cfg)
	}
	if address == "" && network == "tcp" {
		address = "127.0.0.1:0"
	}
	//nolint:noctx // it does not wait for anybody
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, cfg, err
	}
	ln = gatedListener{ln}
	if cfg.tls != nil {
		ln = tls.NewListener(ln, cfg.tls)
	}
	return ln, cfg, nil
}

// ListenRawSocket accepts RawSocket connections at an address of network "tcp"
// or "unix"; an empty one is a free port of the loopback interface. The URL is
// tcp://, tcps:// or unix://. It listens until the router is closed.
func (r *Router) ListenRawSocket(network, address string, options ...ListenOption) (url string, err error) {
	ln, cfg, err := listen(network, address, options)
	if err != nil {
		return "", err
	}
	accept := func() {
		for {
			conn, err := ln.Accept()
			switch {
			case err == nil:
				r.listeners.tasks.Go(func() { r.acceptRawSocket(conn, cfg) }) // bounded by the router's context
			case errors.Is(err, net.ErrClosed) || !r.pause(acceptPause):
				return
			}
		}
	}
	if !r.listeners.add(accept, func() { _ = ln.Close() }) {
		_ = ln.Close()
		return "", ErrClosed
	}
	switch {
	case network == "unix":
		return "unix://" + escaped(ln.Addr()), nil
	case cfg.tls != nil:
		return "tcps://" + ln.Addr().String(), nil
	}
	return "tcp://" + ln.Addr().String(), nil
}

// escaped is the path of a socket as it stands in a URL: the folder of a test
// may have a '#'.
func escaped(socket net.Addr) string { return (&neturl.URL{Path: socket.String()}).EscapedPath() }

func (r *Router) acceptRawSocket(conn net.Conn, cfg listenConfig) {
	if r.admit(r.root) != nil {
		_ = conn.Close()
		return
	}
	choose := func(id byte) (transport.Protocol, bool) {
		for _, p := range r.cfg.offered() {
			if p.RawSocketID == id {
				return p, true
			}
		}
		return transport.Protocol{}, false
	}
	ctx, cancel := context.WithTimeout(r.root, handshakeTimeout)
	defer cancel()
	socket, state := conn, (*tls.ConnectionState)(nil)
	if cfg.hangUp || r.cfg.crossbar {
		var err error
		if socket, state, err = trapPings(ctx, conn); err != nil {
			_ = conn.Close()
			return
		}
	}
	c, err := transport.AcceptRawSocket(ctx, socket, choose, transport.RawSocketOptions{MaxReceive: r.maxReceive(&cfg, true)})
	if err != nil {
		return
	}
	if state != nil {
		c = tlsConn{c, state}
	}
	_ = r.attach(c, gateOf(conn), origin{cert: cfg.cert()})
}

type socketKey struct{}

// ListenWebSocket accepts WebSocket connections at a TCP address, by default a
// free port of the loopback interface, or at "unix:" and a path. The URL is
// ws://, wss:// or ws+unix:// with the path /ws. It listens until the router is
// closed.
func (r *Router) ListenWebSocket(address string, options ...ListenOption) (url string, err error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	ln, cfg, err := listen(network, address, options)
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, req *http.Request) { r.acceptWebSocket(w, req, cfg) })
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: handshakeTimeout, BaseContext: func(net.Listener) context.Context { return r.root },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, socketKey{}, c)
		},
	}
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if !r.listeners.add(func() { _ = server.Serve(ln) }, func() { _ = server.Close(); _ = ln.Close() }) {
		_ = ln.Close()
		return "", ErrClosed
	}
	switch {
	case network == "unix":
		return "ws+unix://" + escaped(ln.Addr()) + ":/ws", nil
	case cfg.tls != nil:
		return "wss://" + ln.Addr().String() + "/ws", nil
	}
	return "ws://" + ln.Addr().String() + "/ws", nil
}

// acceptWebSocket upgrades a request. A refusal that is a HandshakeError with a
// status is answered with that, any other hangs up.
func (r *Router) acceptWebSocket(w http.ResponseWriter, req *http.Request, cfg listenConfig) {
	if err := r.admit(r.root); err != nil {
		if refusal := (*transport.HandshakeError)(nil); errors.As(err, &refusal) && refusal.Status >= 400 {
			http.Error(w, http.StatusText(refusal.Status), refusal.Status)
			return
		}
		panic(http.ErrAbortHandler)
	}
	from := origin{cert: cfg.cert(), header: req.Header}
	if cfg.cookies {
		if c, err := req.Cookie(cookieName); err == nil && c.Value != "" {
			from.cookie = c.Value
		} else {
			from.cookie = rand.Text()
			http.SetCookie(w, &http.Cookie{Name: cookieName, Value: from.cookie, Path: "/", HttpOnly: true, Secure: cfg.tls != nil})
		}
	}
	c, err := transport.AcceptWebSocket(w, req, r.cfg.offered(), transport.AcceptOptions{Deflate: cfg.compress, ReadLimit: r.maxReceive(&cfg, false)})
	if err != nil {
		return
	}
	from.socket, _ = req.Context().Value(socketKey{}).(net.Conn)
	_ = r.attach(c, gateOf(from.socket), from)
}

// LocalTLS returns TLS configurations of a server at the loopback interface
// and of clients that trust it, with a key made for the occasion.
func LocalTLS() (server, client *tls.Config, err error) {
	cert, err := selfSigned("wamptest", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	server = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	return server, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// LocalIdentity returns a client certificate for the login TLS, with a key made
// for the occasion. It vouches for itself: a server that shall check it has its
// Leaf among its ClientCAs.
func LocalIdentity(name string) (tls.Certificate, error) {
	return selfSigned(name, x509.ExtKeyUsageClientAuth)
}

func selfSigned(name string, usage x509.ExtKeyUsage) (cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return cert, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	if usage == x509.ExtKeyUsageServerAuth {
		template.DNSNames = []string{"localhost"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return cert, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return cert, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
