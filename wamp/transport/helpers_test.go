//go:build !js

package transport_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	nhooyr "nhooyr.io/websocket"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// connector returns both ends of a connection; they are closed when the test
// ends.
type connector func(t testing.TB, p transport.Protocol) (client, server transport.Conn)

// kind is one way to have a connection, for the tests that all must pass.
type kind struct {
	name       string
	connect    connector
	proto      transport.Protocol
	limit      int  // largest message that the server receives, 0 without limit
	code       int  // close code that Close sends
	tls        bool // TLS() is not nil
	private    bool
	owned      bool // the sockets of both ends are ours
	buffered   bool // Buffered knows
	try        bool // TryWrite does something
	unbuffered bool // a Write waits for a Read
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
	batchedJSON := protocol(t, "wamp.2.json.batched")
	batchedCBOR := protocol(t, "wamp.2.cbor.batched")
	raw := kind{proto: cbor, limit: testLimit, private: true, owned: true, buffered: true}
	ws := kind{limit: testLimit, private: true, owned: true, buffered: true, code: 1000}
	brought := kind{limit: testLimit, code: 1000}
	as := func(k kind, name string, p transport.Protocol, connect connector, more ...func(*kind)) kind {
		k.name, k.proto, k.connect = name, p, connect
		for _, f := range more {
			f(&k)
		}
		return k
	}
	try := func(k *kind) { k.try = runtime.GOOS != "windows" }
	secure := func(k *kind) { k.tls = true }
	unbuffered := func(k *kind) { k.unbuffered, k.buffered = true, false }
	foreign := func(k *kind) { k.owned, k.buffered = false, false }
	open := func(k *kind) { k.private = false }
	known := func(k *kind) { k.buffered = true }
	return []kind{
		as(kind{private: true, owned: true, buffered: true, try: true}, "pipe", cbor, pipe),
		as(raw, "rawsocket_tcp", cbor, rawSocket("tcp", false), try),
		as(raw, "rawsocket_tls", cbor, rawSocket("tcp", true), secure),
		as(raw, "rawsocket_unix", cbor, rawSocket("unix", false), try),
		as(raw, "rawsocket_net.Pipe", cbor, rawPipe, unbuffered),
		as(ws, "ws", cbor, webSocket(wsOptions{}), try),
		as(ws, "ws_text", json, webSocket(wsOptions{}), try),
		as(ws, "ws_deflate", json, webSocket(wsOptions{deflate: true}), try),
		as(ws, "ws_unix", cbor, webSocket(wsOptions{unix: true}), try),
		as(ws, "wss", cbor, webSocket(wsOptions{secure: true}), secure),
		as(ws, "wss_through_a_proxy", cbor, webSocket(wsOptions{secure: true, proxy: true}), secure),
		as(ws, "ws_json.batched", batchedJSON, webSocket(wsOptions{}), try),
		as(ws, "ws_cbor.batched", batchedCBOR, webSocket(wsOptions{}), try),
		as(ws, "ws_other_RoundTripper", cbor, webSocket(wsOptions{roundTripper: true}), foreign, open),
		as(brought, "coder", cbor, broughtCoder),
		as(brought, "coder_text", json, broughtCoder),
		as(brought, "nhooyr", cbor, broughtNhooyr),
		as(brought, "nhooyr_json.batched", batchedJSON, broughtNhooyr, known),
		as(ws, "nhooyr_client", cbor, nhooyrClient, foreign, open),
		as(ws, "nhooyr_server", cbor, nhooyrServer, foreign),
	}
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

func rawSocket(network string, secure bool) connector {
	return func(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
		return rawSocketUnder(bound(t), t, network, secure, p)
	}
}

// rawSocketUnder dials under ctx.
func rawSocketUnder(ctx context.Context, t testing.TB, network string, secure bool, p transport.Protocol) (client, server transport.Conn) {
	var serverTLS, clientTLS *tls.Config
	if secure {
		serverTLS, clientTLS = testTLS(t)
	}
	ln := listen(t, network)
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

func webSocket(o wsOptions) connector {
	return func(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
		return webSocketUnder(bound(t), t, o, p)
	}
}

// webSocketUnder dials under ctx.
func webSocketUnder(ctx context.Context, t testing.TB, o wsOptions, p transport.Protocol) (client, server transport.Conn) {
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
	client, err := transport.DialWebSocket(ctx, url, []transport.Protocol{p}, opts)
	if err != nil {
		t.Fatal(err)
	}
	server = await(t, ch)
	closeAtEnd(t, client, server)
	return client, server
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
	serving := ln
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

func serveCoder(t testing.TB, p transport.Protocol) (url string, ch chan accepted) {
	ch = make(chan accepted, 1)
	url, _ = serveHTTP(t, wsOptions{}, func(w http.ResponseWriter, r *http.Request) {
		ws, err := coder.Accept(w, r, &coder.AcceptOptions{Subprotocols: []string{p.Name}})
		if err != nil {
			ch <- accepted{nil, err}
			return
		}
		c, err := transport.WebSocketLimit(ws, testLimit)
		ch <- accepted{c, err}
	})
	return url, ch
}

func serveNhooyr(t testing.TB, p transport.Protocol) (url string, ch chan accepted) {
	ch = make(chan accepted, 1)
	url, _ = serveHTTP(t, wsOptions{}, func(w http.ResponseWriter, r *http.Request) {
		ws, err := nhooyr.Accept(w, r, &nhooyr.AcceptOptions{Subprotocols: []string{p.Name}})
		if err != nil {
			ch <- accepted{nil, err}
			return
		}
		c, err := transport.WebSocketLimit(ws, testLimit)
		ch <- accepted{c, err}
	})
	return url, ch
}

func serveOurs(t testing.TB, p transport.Protocol) (url string, ch chan accepted) {
	ch = make(chan accepted, 1)
	url, _ = serveHTTP(t, wsOptions{}, func(w http.ResponseWriter, r *http.Request) {
		c, err := transport.AcceptWebSocket(w, r, []transport.Protocol{p}, transport.AcceptOptions{ReadLimit: testLimit})
		ch <- accepted{c, err}
	})
	return url, ch
}

func dialNhooyr(t testing.TB, url string, p transport.Protocol) (transport.Conn, error) {
	ws, _, err := nhooyr.Dial(bound(t), url, &nhooyr.DialOptions{Subprotocols: []string{p.Name}})
	if err != nil {
		return nil, err
	}
	return transport.WebSocket(ws)
}

func both(t testing.TB, ch <-chan accepted) func(transport.Conn, error) (client, server transport.Conn) {
	return func(client transport.Conn, err error) (transport.Conn, transport.Conn) {
		if err != nil {
			t.Fatal(err)
		}
		server := await(t, ch)
		closeAtEnd(t, client, server)
		return client, server
	}
}

func broughtCoder(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	url, ch := serveCoder(t, p)
	ws, _, err := coder.Dial(bound(t), url, &coder.DialOptions{Subprotocols: []string{p.Name}})
	if err != nil {
		t.Fatal(err)
	}
	return both(t, ch)(transport.WebSocket(ws))
}

func broughtNhooyr(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	url, ch := serveNhooyr(t, p)
	return both(t, ch)(dialNhooyr(t, url, p))
}

func nhooyrClient(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	url, ch := serveOurs(t, p)
	return both(t, ch)(dialNhooyr(t, url, p))
}

func nhooyrServer(t testing.TB, p transport.Protocol) (client, server transport.Conn) {
	url, ch := serveNhooyr(t, p)
	return both(t, ch)(transport.DialWebSocket(bound(t), url, []transport.Protocol{p}, transport.WebSocketOptions{}))
}
