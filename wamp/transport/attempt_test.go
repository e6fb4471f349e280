//go:build !js

package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// dial dials a URL as package wamp does.
func dial(ctx context.Context, rawURL string, opts transport.WebSocketOptions) (transport.Conn, error) {
	a, err := transport.ParseAddress(rawURL)
	if err != nil {
		return nil, err
	}
	return a.Dialer(transport.DialOptions{Dial: opts.Dial, WebSocket: opts, TLS: opts.TLS})(ctx, transport.Protocols())
}

// serve gives each connection to f, and closes it when the test ends.
func serve(t testing.TB, network string, f func(net.Conn)) net.Listener {
	t.Helper()
	ln := listen(t, network)
	var mu sync.Mutex
	var open []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			go f(conn)
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
		for _, conn := range open {
			_ = conn.Close()
		}
	})
	return ln
}

// says sends what a server says when it has heard something, and then hangs up
// or not.
func says(text string, hangUp bool) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, text)
		if hangUp {
			_ = conn.Close()
		}
	}
}

func silent(net.Conn) {}

// anyHint is for dialFails.
const anyHint = "any"

// dialFails dials and checks what the error says. A machine under load may not get as far
// as it should within wait, and may drop a SYN, even on the loopback interface, which it
// sends again after a second: then it dials again, with more time.
func dialFails(t *testing.T, rawURL string, opts transport.WebSocketOptions, wait time.Duration, phase, hint string) error {
	t.Helper()
	var err error
	var failed *transport.DialError
	var as bool // it should be
	for try := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		start := time.Now()
		_, err = dial(ctx, rawURL, opts)
		if d := time.Since(start); d > wait+2*time.Second {
			t.Errorf("%s: took %v", phase, d)
		}
		if !errors.As(err, &failed) {
			t.Fatalf("%v: no DialError", err)
		}
		hinted := hint == anyHint || strings.Contains(failed.Hint, hint) && (hint != "" || failed.Hint == "")
		if as = failed.Phase == phase && hinted; as || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
		t.Logf("try %d: %v", try+1, err)
		wait = min(4*wait, patience)
	}
	u, _ := url.Parse(rawURL)
	if !as || !strings.HasPrefix(err.Error(), u.Scheme+"://") || !strings.Contains(err.Error(), ": "+phase+": ") {
		t.Errorf("phase %q, hint %q: want %q, %q: %v", failed.Phase, failed.Hint, phase, hint, err)
	}
	return err
}

// Whoever says nothing, or stops in the middle, costs no more than the time of
// the dial, and the error says where it was.
func TestDialOfSilence(t *testing.T) {
	hello := "\x16\x03\x03\x00\x7a\x02\x00" // the beginning of a ServerHello
	for name, tt := range map[string]struct {
		scheme, phase, hint string
		server              func(net.Conn)
		proxy               string
	}{
		"ws":                 {scheme: "ws", server: silent, phase: transport.PhaseWebSocket, hint: "wss"},
		"ws, half an answer": {scheme: "ws", server: says("HTTP/1.1 101 Swi", false), phase: transport.PhaseWebSocket},
		"ws, half a header":  {scheme: "ws", server: says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: web", false), phase: transport.PhaseWebSocket},
		"wss":                {scheme: "wss", server: silent, phase: transport.PhaseTLS, hint: "ws"},
		"wss, stalls":        {scheme: "wss", server: says(hello, false), phase: transport.PhaseTLS, hint: "ws"},
		"tcp":                {scheme: "tcp", server: silent, phase: transport.PhaseRawSocket, hint: "tcps"},
		"tcp, stalls":        {scheme: "tcp", server: says("\x7f\xf3", false), phase: transport.PhaseRawSocket},
		"tcps":               {scheme: "tcps", server: silent, phase: transport.PhaseTLS, hint: "tcp"},
		"tcps, stalls":       {scheme: "tcps", server: says(hello, false), phase: transport.PhaseTLS, hint: "tcp"},
		"proxy":              {scheme: "wss", server: silent, proxy: "http", phase: transport.PhaseProxy},
		"proxy, stalls":      {scheme: "wss", server: says("HTTP/1.1 200 O", false), proxy: "http", phase: transport.PhaseProxy},
		"proxy, no tunnel":   {scheme: "wss", server: says("HTTP/1.1 200 OK\r\n\r\n", false), proxy: "http", phase: transport.PhaseTLS},
		"https proxy":        {scheme: "wss", server: silent, proxy: "https", phase: transport.PhaseProxy},
		"socks proxy":        {scheme: "wss", server: silent, proxy: "socks5", phase: transport.PhaseProxy},
		"proxy of ws":        {scheme: "ws", server: silent, proxy: "http", phase: transport.PhaseWebSocket, hint: "wss"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := serve(t, "tcp", tt.server)
			address := tt.scheme + "://" + ln.Addr().String() + "/ws"
			opts := transport.WebSocketOptions{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
			if tt.proxy != "" {
				address = tt.scheme + "://router.example/ws"
				opts.Proxy = http.ProxyURL(&url.URL{Scheme: tt.proxy, Host: ln.Addr().String()})
			}
			err := dialFails(t, address, opts, 1200*time.Millisecond, tt.phase, tt.hint)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			// A context that ends by hand says so, with its cause.
			cause := errors.New("changed my mind")
			ctx, cancel := context.WithCancelCause(t.Context())
			done := background(func() error { _, err := dial(ctx, address, opts); return err })
			time.Sleep(200 * time.Millisecond)
			cancel(cause)
			if err := within(t, done, "dial"); !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
				t.Errorf("%v", err)
			}
		})
	}
}

// One mistake, one hint.
func TestDialHints(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	status := func(n int, body string) func(net.Conn) {
		return says(fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n\r\n%s", n, http.StatusText(n), len(body), body), true)
	}
	goHTTP, _ := serveHTTP(t, wsOptions{}, http.NotFound)
	goHTTPS, _ := serveHTTP(t, wsOptions{secure: true}, http.NotFound)
	overTLS := func(f func(net.Conn)) func(net.Conn) {
		return func(conn net.Conn) { f(tls.Server(conn, serverTLS)) }
	}
	rawRouter := func(conn net.Conn) {
		c, err := transport.AcceptRawSocket(context.Background(), conn, only(protocol(t, "wamp.2.cbor")), transport.RawSocketOptions{})
		if err == nil {
			_ = c.CloseNow()
		}
	}
	unix := serve(t, "unix", rawRouter)
	unixHTTP := serve(t, "unix", says("HTTP/1.1 400 Bad Request\r\n\r\n", true))
	for name, tt := range map[string]struct {
		address     string // if not of server
		scheme      string
		server      func(net.Conn)
		phase, hint string
		text        string
		handshake   bool
	}{
		"404":             {scheme: "ws", server: status(404, ""), phase: transport.PhaseWebSocket, hint: `the path "/ws"`, text: "websocket upgrade: 404 Not Found (hint: ", handshake: true},
		"200":             {scheme: "ws", server: status(200, "hello"), phase: transport.PhaseWebSocket, hint: `the path "/ws"`, text: "200 OK", handshake: true},
		"401":             {scheme: "ws", server: status(401, ""), phase: transport.PhaseWebSocket, hint: "login by HTTP", text: "401 Unauthorized", handshake: true},
		"403":             {scheme: "wss", server: overTLS(status(403, "")), phase: transport.PhaseWebSocket, hint: "login by HTTP", text: "403 Forbidden", handshake: true},
		"407":             {scheme: "ws", server: status(407, ""), phase: transport.PhaseWebSocket, hint: "proxy", text: "407", handshake: true},
		"400":             {scheme: "ws", server: status(400, ""), phase: transport.PhaseWebSocket, hint: "offered were wamp.2.cbor, wamp.2.msgpack, wamp.2.json", text: "400 Bad Request", handshake: true},
		"503":             {scheme: "ws", server: status(503, ""), phase: transport.PhaseWebSocket, text: "503 Service Unavailable", handshake: true},
		"no subprotocol":  {scheme: "ws", server: upgrades(""), phase: transport.PhaseWebSocket, hint: "offered were wamp.2.cbor", text: "no common protocol", handshake: true},
		"another":         {scheme: "ws", server: upgrades("wamp.3"), phase: transport.PhaseWebSocket, hint: "offered were wamp.2.cbor", text: `"wamp.3"`, handshake: true},
		"nothing there":   {address: "ws://127.0.0.1:1/ws", phase: transport.PhaseDial, text: "dial tcp 127.0.0.1:1"},
		"nobody, raw":     {address: "tcp://127.0.0.1:1", phase: transport.PhaseDial, text: "dial tcp 127.0.0.1:1"},
		"no port":         {address: "tcp://localhost", phase: transport.PhaseDial, hint: "port"},
		"no socket":       {address: "unix://" + filepath.Join(t.TempDir(), "none"), phase: transport.PhaseDial, text: "no such file"},
		"wss at ws":       {address: strings.Replace(goHTTP, "ws:", "wss:", 1), phase: transport.PhaseTLS, hint: "ws in the place of wss"},
		"ws at wss":       {address: strings.Replace(goHTTPS, "wss:", "ws:", 1), phase: transport.PhaseWebSocket, hint: "wss in the place of ws", handshake: true},
		"ws at TLS":       {scheme: "ws", server: says("\x15\x03\x01\x00\x02\x02\x16", true), phase: transport.PhaseWebSocket, hint: "wss in the place of ws", handshake: true},
		"ws, hangs up":    {scheme: "ws", server: says("", true), phase: transport.PhaseWebSocket, hint: "does it want TLS, wss, or is it RawSocket, tcp?", handshake: true},
		"wss, hangs up":   {scheme: "wss", server: says("", true), phase: transport.PhaseTLS, hint: "is it ws, or RawSocket, tcp?"},
		"ws at raw":       {scheme: "ws", server: rawRouter, phase: transport.PhaseWebSocket, hint: "RawSocket, tcp?", handshake: true},
		"ws at raw bytes": {scheme: "ws", server: says("\x7f\x10\x00\x00", true), phase: transport.PhaseWebSocket, hint: "tcp in the place of ws", handshake: true},
		"wss at raw":      {scheme: "wss", server: overTLS(says("\x7f\x10\x00\x00", true)), phase: transport.PhaseWebSocket, hint: "tcps in the place of wss", handshake: true},
		"tcp at ws":       {scheme: "tcp", server: says("HTTP/1.1 400 Bad Request\r\n\r\n", true), phase: transport.PhaseRawSocket, hint: "ws in the place of tcp", handshake: true},
		"tcps at wss":     {scheme: "tcps", server: overTLS(says("HTTP/1.1 400 Bad Request\r\n\r\n", true)), phase: transport.PhaseRawSocket, hint: "wss in the place of tcps", handshake: true},
		"tcp at tcps":     {scheme: "tcp", server: says("\x15\x03\x01\x00\x02\x02\x16", true), phase: transport.PhaseRawSocket, hint: "tcps in the place of tcp", handshake: true},
		"tcps at tcp":     {scheme: "tcps", server: rawRouter, phase: transport.PhaseTLS, hint: "RawSocket, tcp?"},
		"tcps at ws":      {address: strings.Replace(goHTTP, "ws:", "tcps:", 1), phase: transport.PhaseTLS, hint: "tcp in the place of tcps"},
		"tcp, hangs up":   {scheme: "tcp", server: says("", true), phase: transport.PhaseRawSocket, hint: "does it want TLS, tcps, or is it WebSocket, ws?", handshake: true},
		"serializers":     {scheme: "tcp", server: says("\x7f\x10\x00\x00", true), phase: transport.PhaseRawSocket, hint: "offered were wamp.2.cbor", text: "serializer unsupported", handshake: true},
		"too many":        {scheme: "tcp", server: says("\x7f\x40\x00\x00", true), phase: transport.PhaseRawSocket, text: "maximum connection count reached", handshake: true},
		"ws+unix at unix": {address: "ws+unix://" + unix.Addr().String() + ":/ws", phase: transport.PhaseWebSocket, hint: "RawSocket, unix?", handshake: true},
		"unix at ws+unix": {address: "unix://" + unixHTTP.Addr().String(), phase: transport.PhaseRawSocket, hint: "ws+unix in the place of unix", handshake: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := tt.address
			if tt.server != nil {
				address = tt.scheme + "://" + serve(t, "tcp", tt.server).Addr().String()
				if strings.HasPrefix(tt.scheme, "ws") {
					address += "/ws"
				}
			}
			err := dialFails(t, address, transport.WebSocketOptions{TLS: clientTLS}, patience, tt.phase, tt.hint)
			if !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
			var handshake *transport.HandshakeError
			if errors.As(err, &handshake) != tt.handshake {
				t.Errorf("a %T: %v", errors.Unwrap(err), err)
			}
			var op *net.OpError
			if tt.phase == transport.PhaseDial && !errors.As(err, &op) {
				t.Errorf("the system's error is lost: %v", err)
			}
		})
	}
}

// What a proxy says in the place of opening a tunnel.
func TestProxyRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ answer, hint, text string }{
		"407":     {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "user and password in its URL", "said 407 Proxy Authentication Required"},
		"403":     {"HTTP/1.1 403 Forbidden\r\n\r\n", "", "said 403 Forbidden"},
		"garbage": {"220 mail.example ESMTP\r\n", "", "malformed HTTP"},
		"nothing": {"", "", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			ln := serve(t, "tcp", says(tt.answer, true))
			opts := transport.WebSocketOptions{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: ln.Addr().String()})}
			err := dialFails(t, "wss://router.example/ws", opts, patience, transport.PhaseProxy, tt.hint)
			var handshake *transport.HandshakeError
			if !strings.Contains(err.Error(), tt.text) || errors.As(err, &handshake) { // which would be the router's
				t.Errorf("%v", err)
			}
		})
	}
}

// upgrades is a server that agrees to a WebSocket with that subprotocol.
func upgrades(subprotocol string) func(net.Conn) {
	return func(conn net.Conn) {
		b := make([]byte, 4096)
		n, _ := conn.Read(b)
		key := ""
		for line := range strings.SplitSeq(string(b[:n]), "\r\n") {
			if name, v, _ := strings.Cut(line, ": "); strings.EqualFold(name, "Sec-WebSocket-Key") {
				key = v
			}
		}
		header := ""
		if subprotocol != "" {
			header = "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%sSec-WebSocket-Accept: %s\r\n\r\n", header, acceptKey(key))
	}
}

// A dial that succeeds owes nothing to its context any more.
func TestDialContextOwnsNothing(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	for name, connect := range map[string]func(ctx context.Context) (client, server transport.Conn){
		"ws": func(ctx context.Context) (c, s transport.Conn) { return webSocketUnder(ctx, t, wsOptions{}, cbor) },
		"wss": func(ctx context.Context) (c, s transport.Conn) {
			return webSocketUnder(ctx, t, wsOptions{secure: true}, cbor)
		},
		"wss, proxy": func(ctx context.Context) (c, s transport.Conn) {
			return webSocketUnder(ctx, t, wsOptions{secure: true, proxy: true}, cbor)
		},
		"other RoundTripper": func(ctx context.Context) (c, s transport.Conn) {
			return webSocketUnder(ctx, t, wsOptions{roundTripper: true}, cbor)
		},
		"tcp":  func(ctx context.Context) (c, s transport.Conn) { return rawSocketUnder(ctx, t, "tcp", false, cbor) },
		"tcps": func(ctx context.Context) (c, s transport.Conn) { return rawSocketUnder(ctx, t, "tcp", true, cbor) },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		client, server := connect(ctx)
		cancel()
		time.Sleep(20 * time.Millisecond)
		t.Log(name)
		pass(t, client, server, []byte("after"))
		pass(t, server, client, []byte("after"))
	}
}

// An answer without end costs a mebibyte.
func TestDialOfEndlessAnswer(t *testing.T) {
	for name, begin := range map[string]string{"header": "HTTP/1.1 101 Switching Protocols\r\n", "early hints": ""} {
		t.Run(name, func(t *testing.T) {
			line := "X-More: " + strings.Repeat("x", 1000) + "\r\n"
			if begin == "" {
				line = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
			}
			sent := make(chan int, 1)
			const room = 64 << 10 // which many a kernel lets grow to more than what is looked for here
			ln := serve(t, "tcp", func(conn net.Conn) {
				_ = conn.(*net.TCPConn).SetWriteBuffer(room)
				_, _ = conn.Read(make([]byte, 4096))
				_, err := io.WriteString(conn, begin)
				n := 0
				for err == nil && n < 64<<20 {
					_, err = io.WriteString(conn, strings.Repeat(line, 64))
					n += 64 * len(line)
				}
				sent <- n
			})
			small := func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				if err == nil {
					err = conn.(*net.TCPConn).SetReadBuffer(room)
				}
				return conn, err
			}
			dialFails(t, "ws://"+ln.Addr().String()+"/ws", transport.WebSocketOptions{Dial: small}, patience, transport.PhaseWebSocket, anyHint)
			if n := <-sent; n > 8<<20 { // the sockets hold some
				t.Errorf("%d bytes were read", n)
			}
		})
	}
}

// Abstract sockets have no file.
func TestAbstractSockets(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // nobody else has them
	}
	cbor := protocol(t, "wamp.2.cbor")
	name := fmt.Sprintf("@connectanum test %d", time.Now().UnixNano())
	ln, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ch := make(chan accepted, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			ch <- accepted{nil, err}
			return
		}
		c, err := transport.AcceptRawSocket(bound(t), conn, only(cbor), transport.RawSocketOptions{})
		ch <- accepted{c, err}
	}()
	c, err := dial(bound(t), "unix://"+strings.ReplaceAll(name, " ", "%20"), transport.WebSocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server := await(t, ch)
	closeAtEnd(t, c, server)
	pass(t, c, server, []byte("hello"))

	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" || r.URL.RawQuery != "q=1" {
			t.Errorf("asked for %v", r.URL)
		}
		c, err := transport.AcceptWebSocket(w, r, []transport.Protocol{cbor}, transport.AcceptOptions{})
		ch <- accepted{c, err}
	}), ReadHeaderTimeout: patience}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close(); <-done }()
	c, err = dial(bound(t), "ws+unix://"+strings.ReplaceAll(name, " ", "%20")+":/ws?q=1", transport.WebSocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server = await(t, ch)
	closeAtEnd(t, c, server)
	pass(t, c, server, []byte("hello"))
}
