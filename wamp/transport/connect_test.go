package transport_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	nhooyr "nhooyr.io/websocket"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// kind is one way to have a connection, for the tests that all must pass.
type kind struct {
	name string
	// connect returns both ends; they are closed when the test ends.
	connect func(t testing.TB, p transport.Protocol) (client, server transport.Conn)
	proto   transport.Protocol
	limit   int  // largest message that the server receives
	tls     bool // TLS() is not nil at the client
	private bool
	code    int // close code that Close sends
}

const (
	testLimit = 1 << 20
	patience  = 20 * time.Second // for what has to happen and does at once
)

func protocol(t testing.TB, name string) transport.Protocol {
	t.Helper()
	p, ok := transport.ProtocolByName(name)
	if !ok {
		t.Fatalf("no protocol %q", name)
	}
	return p
}

func kinds(t testing.TB) []kind {
	cbor, json := protocol(t, "wamp.2.cbor"), protocol(t, "wamp.2.json")
	var all []kind
	add := func(k kind) {
		if k.proto.Name == "" {
			k.proto = cbor
		}
		all = append(all, k)
	}
	add(kind{name: "pipe", connect: pipe, private: true})
	add(kind{name: "rawsocket tcp", connect: rawSocket("tcp", false), limit: testLimit, private: true})
	add(kind{name: "rawsocket tls", connect: rawSocket("tcp", true), limit: testLimit, tls: true, private: true})
	add(kind{name: "rawsocket unix", connect: rawSocket("unix", false), limit: testLimit, private: true})
	add(kind{name: "rawsocket net.Pipe", connect: rawPipe, limit: testLimit, private: true})
	ws := func(name string, connect func(testing.TB, transport.Protocol) (client, server transport.Conn), p transport.Protocol) {
		secure := strings.Contains(name, "wss")
		ours := strings.HasPrefix(name, "ws")
		add(kind{name: name, connect: connect, proto: p, limit: testLimit, tls: secure && ours, private: ours, code: 1000})
	}
	ws("ws", webSocket(wsOptions{}), cbor)
	ws("ws text", webSocket(wsOptions{}), json)
	ws("ws deflate", webSocket(wsOptions{deflate: true}), json)
	ws("wss", webSocket(wsOptions{secure: true}), cbor)
	ws("wss through a proxy", webSocket(wsOptions{secure: true, proxy: true}), cbor)
	ws("ws unix", webSocket(wsOptions{unix: true}), cbor)
	ws("ws json.batched", webSocket(wsOptions{}), protocol(t, "wamp.2.json.batched"))
	ws("ws cbor.batched", webSocket(wsOptions{}), protocol(t, "wamp.2.cbor.batched"))
	ws("ws other RoundTripper", webSocket(wsOptions{roundTripper: true}), cbor)
	ws("brought coder", broughtCoder, cbor)
	ws("brought nhooyr", broughtNhooyr, cbor)
	ws("brought nhooyr batched", broughtNhooyr, protocol(t, "wamp.2.json.batched"))
	return all
}

func pipe(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	client, server = transport.Pipe(p)
	closeAtEnd(t, client, server)
	return client, server
}

func closeAtEnd(t testing.TB, conns ...transport.Conn) {
	t.Cleanup(func() {
		for _, c := range conns {
			_ = c.CloseNow()
		}
	})
}

// testTLS returns the configurations of a server at 127.0.0.1 and its clients.
func testTLS(t testing.TB) (server, client *tls.Config) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	server = &tls.Config{Certificates: s.TLS.Certificates}
	client = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.NextProtos = nil
	return server, client
}

func listen(t testing.TB, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func only(p transport.Protocol) func(byte) (transport.Protocol, bool) {
	return func(id byte) (transport.Protocol, bool) { return p, id == p.RawSocketID }
}

// accepted is the far end of a connection.
type accepted struct {
	conn transport.Conn
	err  error
}

func await(t testing.TB, ch <-chan accepted) transport.Conn {
	t.Helper()
	select {
	case a := <-ch:
		if a.err != nil {
			t.Fatal(a.err)
		}
		return a.conn
	case <-time.After(patience):
		t.Fatal("nothing was accepted")
		return nil
	}
}

func bound(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func rawSocket(network string, secure bool) func(testing.TB, transport.Protocol) (client, server transport.Conn) {
	return func(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
		var serverTLS, clientTLS *tls.Config
		if secure {
			serverTLS, clientTLS = testTLS(t)
		}
		ln := listen(t, network)
		ctx := bound(t)
		ch := make(chan accepted, 1)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				ch <- accepted{nil, err}
				return
			}
			if secure {
				conn = tls.Server(conn, serverTLS)
			}
			c, err := transport.AcceptRawSocket(ctx, conn, only(p), transport.RawSocketOptions{MaxReceive: testLimit})
			ch <- accepted{c, err}
		}()
		client, err := transport.DialRawSocket(ctx, network, ln.Addr().String(), clientTLS, []transport.Protocol{p}, transport.RawSocketOptions{})
		if err != nil {
			t.Fatal(err)
		}
		server = await(t, ch)
		closeAtEnd(t, client, server)
		return client, server
	}
}

func rawPipe(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	a, b := net.Pipe()
	client = transport.NewRawSocket(a, p, testLimit, 0)
	server = transport.NewRawSocket(b, p, 0, testLimit)
	closeAtEnd(t, client, server)
	return client, server
}

type wsOptions struct {
	secure, deflate, unix, proxy, roundTripper bool
}

type roundTripper struct{ http.RoundTripper }

func webSocket(o wsOptions) func(testing.TB, transport.Protocol) (client, server transport.Conn) {
	return func(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
		ch := make(chan accepted, 1)
		url, clientTLS := serveHTTP(t, o, func(w http.ResponseWriter, r *http.Request) {
			c, err := transport.AcceptWebSocket(w, r, []transport.Protocol{p}, transport.AcceptOptions{Deflate: o.deflate, ReadLimit: testLimit})
			ch <- accepted{c, err}
		})
		opts := transport.WebSocketOptions{TLS: clientTLS, Deflate: o.deflate}
		if o.proxy {
			opts.Proxy = http.ProxyURL(connectProxy(t))
		}
		if o.roundTripper {
			own := http.DefaultTransport.(*http.Transport).Clone()
			t.Cleanup(own.CloseIdleConnections)
			opts.Client = &http.Client{Transport: roundTripper{own}}
		}
		client, err := transport.DialWebSocket(bound(t), url, []transport.Protocol{p}, opts)
		if err != nil {
			t.Fatal(err)
		}
		server = await(t, ch)
		closeAtEnd(t, client, server)
		return client, server
	}
}

// serveHTTP serves until the test ends, and returns the address for
// WebSocket clients.
func serveHTTP(t testing.TB, o wsOptions, handler http.HandlerFunc) (url string, clientTLS *tls.Config) {
	t.Helper()
	network := "tcp"
	if o.unix {
		network = "unix"
	}
	ln := listen(t, network)
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	url = "ws://" + ln.Addr().String() + "/ws"
	if o.unix {
		url = "ws+unix://" + ln.Addr().String() + ":/ws"
	}
	serving := net.Listener(ln)
	if o.secure {
		var serverTLS *tls.Config
		serverTLS, clientTLS = testTLS(t)
		serving = tls.NewListener(ln, serverTLS)
		url = "wss://" + ln.Addr().String() + "/ws"
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(serving)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return url, clientTLS
}

func broughtCoder(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	ch := make(chan accepted, 1)
	url, _ := serveHTTP(t, wsOptions{}, func(w http.ResponseWriter, r *http.Request) {
		ws, err := coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: []string{p.Name}})
		if err != nil {
			ch <- accepted{nil, err}
			return
		}
		c, err := transport.WebSocket(ws)
		ws.SetReadLimit(testLimit)
		ch <- accepted{c, err}
	})
	ws, _, err := coder.Dial(bound(t), url, &coder.DialOptions{Subprotocols: []string{p.Name}})
	if err != nil {
		t.Fatal(err)
	}
	client, err = transport.WebSocket(ws)
	if err != nil {
		t.Fatal(err)
	}
	server = await(t, ch)
	closeAtEnd(t, client, server)
	return client, server
}

//nolint:staticcheck // the old name of the library is what this is about
func broughtNhooyr(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	ch := make(chan accepted, 1)
	url, _ := serveHTTP(t, wsOptions{}, func(w http.ResponseWriter, r *http.Request) {
		ws, err := nhooyr.Accept(w, r, &nhooyr.AcceptOptions{Subprotocols: []string{p.Name}})
		if err != nil {
			ch <- accepted{nil, err}
			return
		}
		c, err := transport.WebSocket(ws)
		ws.SetReadLimit(testLimit)
		ch <- accepted{c, err}
	})
	ws, _, err := nhooyr.Dial(bound(t), url, &nhooyr.DialOptions{Subprotocols: []string{p.Name}})
	if err != nil {
		t.Fatal(err)
	}
	client, err = transport.WebSocket(ws)
	if err != nil {
		t.Fatal(err)
	}
	server = await(t, ch)
	closeAtEnd(t, client, server)
	return client, server
}
