package wamp_test

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// scheme is a kind of address, and how a router listens there.
type scheme struct {
	name   string
	secure bool
	listen func(r *wamptest.Router, socket string, options ...wamptest.ListenOption) (string, error)
}

func listenWeb(r *wamptest.Router, _ string, o ...wamptest.ListenOption) (string, error) {
	return r.ListenWebSocket("", o...)
}

func listenRaw(r *wamptest.Router, _ string, o ...wamptest.ListenOption) (string, error) {
	return r.ListenRawSocket("tcp", "", o...)
}

var schemes = []scheme{
	{"ws", false, listenWeb}, {"wss", true, listenWeb},
	{"tcp", false, listenRaw}, {"tcps", true, listenRaw}, {"rs", false, listenRaw}, {"rss", true, listenRaw},
	{"unix", false, func(r *wamptest.Router, socket string, o ...wamptest.ListenOption) (string, error) {
		return r.ListenRawSocket("unix", socket, o...)
	}},
	{"ws+unix", false, func(r *wamptest.Router, socket string, o ...wamptest.ListenOption) (string, error) {
		return r.ListenWebSocket("unix:"+socket, o...)
	}},
}

// overSockets runs a test for each scheme, with the address of the router and
// the options that it takes to reach it.
func overSockets(t *testing.T, r *wamptest.Router, test func(t *testing.T, s scheme, address string, options []wamp.Option)) {
	t.Helper()
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range schemes {
		t.Run(s.name, func(t *testing.T) {
			var listen []wamptest.ListenOption
			var options []wamp.Option
			if s.secure {
				listen, options = append(listen, wamptest.WithTLS(server)), append(options, wamp.WithTLS(client))
			}
			address, err := s.listen(r, filepath.Join(t.TempDir(), "r.sock"), listen...)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(address, "://")
			test(t, s, s.name+"://"+rest, options)
		})
	}
}

// connect connects over sockets and closes the session with the test.
func connect(t *testing.T, address string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s, err := wamp.Connect(within(t, 10*time.Second), address, "realm1", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, s) })
	return s
}

// fails checks that Connect fails, and soon.
func fails(t *testing.T, address string, options ...wamp.Option) error {
	t.Helper()
	s, err := wamp.Connect(within(t, 10*time.Second), address, "realm1", options...)
	if err == nil {
		closeIt(t, s)
		t.Fatal("Connect has succeeded")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nothing but the deadline has ended it: %v", err)
	}
	return err
}

func TestConnectSchemes(t *testing.T) {
	r := wamptest.NewRouter(t)
	overSockets(t, r, func(t *testing.T, _ scheme, address string, options []wamp.Option) {
		for _, c := range serializers {
			s := connect(t, address, append([]wamp.Option{wamp.WithSerializers(c)}, options...)...)
			if d := s.Details(); d.Protocol != "wamp.2."+c.Name() || s.Codec() != c {
				t.Errorf("agreed on %s", d.Protocol)
			}
			reg := handle(t, s, "com.example.echo", echo)
			alive(t, s)
			big := strings.Repeat("0123456789", 10_000)
			res, err := s.Call(within(t, 10*time.Second), "com.example.echo", wamp.Args(big)).Final()
			var got string
			if err != nil || res.Scan(&got) != nil || got != big {
				t.Errorf("100,000 octets: %d came, %v", len(got), err)
			}
			if err := reg.Unregister(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// What both sides speak is taken in the order of WithSerializers, over
// RawSocket too, where each is offered on a connection of its own.
func TestConnectAgrees(t *testing.T) {
	for _, tt := range []struct {
		router, client []codec.Codec
		want           codec.Codec // nil: there is none
	}{
		{nil, nil, codec.CBOR},
		{nil, []codec.Codec{codec.JSON, codec.CBOR}, codec.JSON},
		{nil, []codec.Codec{codec.MsgPack, codec.JSON}, codec.MsgPack},
		{[]codec.Codec{codec.JSON}, nil, codec.JSON},
		{[]codec.Codec{codec.JSON, codec.MsgPack}, nil, codec.MsgPack},
		{[]codec.Codec{codec.CBOR}, []codec.Codec{codec.JSON, codec.MsgPack}, nil},
	} {
		var routerOptions []wamptest.Option
		for _, c := range tt.router {
			routerOptions = append(routerOptions, wamptest.WithProtocols("wamp.2."+c.Name()))
		}
		options := []wamp.Option{}
		if tt.client != nil {
			options = append(options, wamp.WithSerializers(tt.client...))
		}
		check := func(t *testing.T, address string, options ...wamp.Option) {
			t.Helper()
			if tt.want == nil {
				var handshake *transport.HandshakeError
				if err := fails(t, address, options...); !errors.As(err, &handshake) {
					t.Errorf("nothing in common: %v", err)
				}
				return
			}
			if s := connect(t, address, options...); s.Codec() != tt.want {
				t.Errorf("agreed on %s, want %s", s.Codec().Name(), tt.want.Name())
			}
		}
		r := wamptest.NewRouter(t, routerOptions...)
		overSockets(t, r, func(t *testing.T, _ scheme, address string, more []wamp.Option) {
			check(t, address, append(more, options...)...)
		})
		t.Run("memory", func(t *testing.T) { check(t, "", append(options, wamp.WithTransport(r.Dial))...) })
	}
}

func TestConnectTLS(t *testing.T) {
	r := wamptest.NewRouter(t)
	_, stranger, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	overSockets(t, r, func(t *testing.T, s scheme, address string, options []wamp.Option) {
		if !s.secure {
			return
		}
		// Nobody vouches for the router, or somebody else does.
		var authority x509.UnknownAuthorityError
		if err := fails(t, address); !errors.As(err, &authority) {
			t.Errorf("without a configuration: %v", err)
		}
		if err := fails(t, address, wamp.WithTLS(stranger)); !errors.As(err, &authority) {
			t.Errorf("with another authority: %v", err)
		}
		if s.name == "wss" { // a plain request does not get in
			var handshake *transport.HandshakeError
			if err := fails(t, strings.Replace(address, "wss", "ws", 1)); !errors.As(err, &handshake) {
				t.Errorf("without TLS: %v", err)
			}
		}
		// The configuration that was passed in stays as it was.
		cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
		connect(t, address, wamp.WithTLS(cfg))
		if !reflect.DeepEqual(cfg, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) {
			t.Error("the configuration was changed")
		}
		connect(t, address, options...)
	})
	// TLS is spoken to a router that has none: an error, not plain text.
	address, err := r.ListenRawSocket("tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	fails(t, strings.Replace(address, "tcp", "tcps", 1))
}

// webScript serves WebSocket connections to a script and keeps their requests.
func webScript(t *testing.T, script *wamptest.Script, accept transport.AcceptOptions) (address string, requests chan *http.Request) {
	t.Helper()
	requests = make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests <- req
		http.SetCookie(w, &http.Cookie{Name: "cbtid", Value: "crumb"})
		if c, err := transport.AcceptWebSocket(w, req, transport.Protocols(), accept); err == nil {
			_ = script.Serve(c)
		}
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http"), requests
}

func TestConnectRequest(t *testing.T) {
	script := wamptest.NewScript(t, wamptest.Welcome()).Again(wamptest.Welcome()).Again(wamptest.Welcome())
	address, requests := webScript(t, script, transport.AcceptOptions{Deflate: true})
	connect(t, address+"/path?q=1", wamp.WithHeader("X-Token", "a"), wamp.WithHeader("x-token", "b"))
	req := <-requests
	if got := req.Header.Values("X-Token"); !slices.Equal(got, []string{"a", "b"}) || req.RequestURI != "/path?q=1" {
		t.Errorf("%s with %v", req.RequestURI, got)
	}
	if ext := req.Header.Get("Sec-WebSocket-Extensions"); ext != "" {
		t.Errorf("offered %q unasked", ext)
	}
	if got := req.Header.Get("Sec-WebSocket-Protocol"); got != "wamp.2.cbor,wamp.2.msgpack,wamp.2.json" {
		t.Errorf("offered %q", got)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	connect(t, address, wamp.WithCompression(), wamp.WithCookieJar(jar))
	req = <-requests
	if ext := req.Header.Get("Sec-WebSocket-Extensions"); !strings.Contains(ext, "permessage-deflate") || len(req.Cookies()) > 0 {
		t.Errorf("extensions %q, cookies %v", ext, req.Cookies())
	}
	connect(t, address, wamp.WithCookieJar(jar))
	req = <-requests
	if c, err := req.Cookie("cbtid"); err != nil || c.Value != "crumb" {
		t.Errorf("the jar's cookie did not come back: %v", err)
	}
}

func TestConnectCompressed(t *testing.T) {
	r := wamptest.NewRouter(t)
	for name, compressed := range map[string]bool{"both": true, "client only": false} {
		t.Run(name, func(t *testing.T) {
			var listen []wamptest.ListenOption
			if compressed {
				listen = append(listen, wamptest.WithCompression())
			}
			address, err := r.ListenWebSocket("", listen...)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range serializers {
				s := connect(t, address, wamp.WithCompression(), wamp.WithSerializers(c))
				reg := handle(t, s, "com.example.echo", echo)
				in := strings.Repeat("again and again ", 20_000)
				res, err := s.Call(within(t, 10*time.Second), "com.example.echo", wamp.Args(in)).Final()
				var out string
				if err != nil || res.Scan(&out) != nil || out != in {
					t.Errorf("%s: %d octets, %v", c.Name(), len(out), err)
				}
				if err := reg.Unregister(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// tunnel is an HTTP proxy that counts what goes through.
func tunnel(t *testing.T) (address *url.URL, seen chan string) {
	t.Helper()
	seen = make(chan string, 10)
	plain := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		seen <- req.Method + " " + req.Host
		if req.Method != http.MethodConnect {
			plain.ServeHTTP(w, req)
			return
		}
		far, err := net.Dial("tcp", req.Host)
		if err != nil {
			http.Error(w, "no such host", http.StatusBadGateway)
			return
		}
		near, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = far.Close()
			return
		}
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(near, far)
			_ = near.Close()
		}()
		_, _ = io.Copy(far, brw)
		_ = far.Close()
		<-done
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address, seen
}

func TestConnectThroughProxy(t *testing.T) {
	r := wamptest.NewRouter(t)
	proxy, seen := tunnel(t)
	overSockets(t, r, func(t *testing.T, s scheme, address string, options []wamp.Option) {
		if s.name != "ws" && s.name != "wss" {
			return
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		session := connect(t, address, append(options, wamp.WithProxy(http.ProxyURL(proxy)))...)
		handle(t, session, "com.example.echo", echo)
		alive(t, session)
		want := "GET " + u.Host
		if s.secure {
			want = "CONNECT " + u.Host
		}
		if got := <-seen; got != want {
			t.Errorf("the proxy was asked %q, want %q", got, want)
		}
	})
	why := errors.New("no proxy today")
	err := fails(t, "ws://127.0.0.1:1", wamp.WithProxy(func(*http.Request) (*url.URL, error) { return nil, why }))
	if !errors.Is(err, why) {
		t.Errorf("the proxy function failed: %v", err)
	}
}

// A transport of the user's own is told what to offer, in order; the address is
// not looked at.
func TestConnectOwnTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		var offered []string
		dial := func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
			for _, p := range protocols {
				offered = append(offered, p.Name)
			}
			return r.Dial(ctx, protocols)
		}
		s, err := wamp.Connect(t.Context(), "what:is this", "realm1", wamp.WithTransport(dial), wamp.WithSerializers(codec.JSON, codec.CBOR))
		if err != nil {
			t.Fatal(err)
		}
		defer closeIt(t, s)
		if !slices.Equal(offered, []string{"wamp.2.json", "wamp.2.cbor"}) {
			t.Errorf("offered %v", offered)
		}
		// A connection that was made elsewhere is a dialer that works once.
		p, _ := transport.ProtocolByName("wamp.2.msgpack")
		conn, err := r.Dial(t.Context(), []transport.Protocol{p})
		if err != nil {
			t.Fatal(err)
		}
		once, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(func(context.Context, []transport.Protocol) (transport.Conn, error) {
			return conn, nil
		}))
		if err != nil || once.Codec() != codec.MsgPack {
			t.Fatal(err)
		}
		defer closeIt(t, once)

		why := errors.New("the cable is out")
		if err := fails(t, "", wamp.WithTransport(func(context.Context, []transport.Protocol) (transport.Conn, error) { return nil, why })); !errors.Is(err, why) {
			t.Errorf("the dialer failed: %v", err)
		}
		odd, far := transport.Pipe(transport.Protocol{Name: "wamp.2.ubjson"})
		if err := fails(t, "", wamp.WithTransport(func(context.Context, []transport.Protocol) (transport.Conn, error) { return odd, nil })); !strings.Contains(err.Error(), "wamp.2.ubjson") {
			t.Errorf("a protocol without a codec: %v", err)
		}
		if _, err := far.Read(); err == nil {
			t.Error("that connection was left open")
		}
	})
}

// What cannot be right is an error before anything is dialled, and the error
// does not repeat what may be secret.
func TestConnectRefuses(t *testing.T) {
	var invalid *wamp.URIError
	for _, tt := range []struct {
		address, realm string
		options        []wamp.Option
		want           string
	}{
		{"", "realm1", nil, "scheme"},
		{"127.0.0.1:8080", "realm1", nil, "URL"},
		{"localhost:8080", "realm1", nil, "scheme"},
		{"http://127.0.0.1:8080/ws", "realm1", nil, "scheme"},
		{"ws://user:secret@[::1", "realm1", nil, "URL"},
		{"ws://user:secret\x7f@host/", "realm1", nil, "URL"},
		{"ws:///ws", "realm1", nil, "host"},
		{"wss://", "realm1", nil, "host"},
		{"tcp://", "realm1", nil, "host"},
		{"rss://", "realm1", nil, "host"},
		{"unix://", "realm1", nil, "path"},
		{"ws+unix://", "realm1", nil, "path"},
		{"ws+unix://host/path:/ws", "realm1", nil, "path"},
		{"tcp://127.0.0.1:1", "", nil, "realm"},
		{"tcp://127.0.0.1:1", "realm 1", nil, "realm"},
		{"tcp://127.0.0.1:1", "realm..1", nil, "realm"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithURLs(false, "gopher://host")}, "scheme"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithSerializers()}, "WithSerializers"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithOutbound(0)}, "WithOutbound"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithOutbound(-1)}, "WithOutbound"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.AckTimeout(0)}, "AckTimeout"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.AckTimeout(-time.Second)}, "AckTimeout"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.Assume("telepathy")}, "telepathy"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithKeepalive(wamp.Keepalive{})}, "WithKeepalive"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithKeepalive(wamp.Keepalive{Interval: 1, Timeout: -1})}, "WithKeepalive"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithReconnect(wamp.Backoff{Min: -1})}, "WithReconnect"},
		{"tcp://127.0.0.1:1", "realm1", []wamp.Option{wamp.WithReconnect(wamp.Backoff{Attempts: -1})}, "WithReconnect"},
	} {
		err := fails2(t, tt.address, tt.realm, tt.options)
		if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "wamp: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q %q: %v", tt.address, tt.realm, err)
		}
		if tt.want == "realm" && !errors.As(err, &invalid) {
			t.Errorf("%q: %v", tt.realm, err)
		}
		var refused syscall.Errno
		if errors.As(err, &refused) {
			t.Errorf("%q was dialled: %v", tt.address, err)
		}
	}
	// Where nobody listens the system says so.
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for _, s := range schemes {
		address := s.name + "://" + gone.Addr().String()
		want := error(syscall.ECONNREFUSED)
		if strings.HasSuffix(s.name, "unix") {
			address, want = s.name+"://"+filepath.Join(t.TempDir(), "gone"), os.ErrNotExist
		}
		if err := fails(t, address); !errors.Is(err, want) {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func fails2(t *testing.T, address, realm string, options []wamp.Option) error {
	t.Helper()
	s, err := wamp.Connect(within(t, 10*time.Second), address, realm, options...)
	if err == nil {
		closeIt(t, s)
		t.Fatalf("%q %q: Connect has succeeded", address, realm)
	}
	return err
}

// ctx covers the dial, the handshake and the login: whoever falls silent, the
// deadline is kept to the moment, and the error says that it was one.
func TestConnectDeadline(t *testing.T) {
	patient := func(ctx context.Context, _ authn.Request) (string, error) { <-ctx.Done(); return "", ctx.Err() }
	challenge := wamptest.Send(&proto.Message{Type: proto.Challenge, Text: "ticket"})
	hello := wamptest.Expect(proto.Hello)
	for name, tt := range map[string]struct {
		auth  authn.Authenticator
		steps []wamptest.Step
	}{
		"at HELLO":            {nil, []wamptest.Step{hello}},
		"not even reading":    {nil, []wamptest.Step{wamptest.Stall()}},
		"after CHALLENGE":     {authn.Ticket("joe", "x"), []wamptest.Step{hello, challenge, wamptest.Expect(proto.Authenticate)}},
		"the provider itself": {authn.Ticket("joe", patient), []wamptest.Step{hello, challenge}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := wamptest.NewScript(t, tt.steps...)
				checkDeadline(t, wamp.WithTransport(script.Dial), wamp.WithAuth(tt.auth))
			})
		})
	}
	t.Run("at the dial", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t, wamptest.WithAccept(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
			checkDeadline(t, wamp.WithTransport(r.Dial))
		})
	})
	t.Run("with a cause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			script := wamptest.NewScript(t, hello)
			why := errors.New("changed my mind")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(why) })
			_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(script.Dial))
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !errors.Is(err, wamp.ErrCanceled) {
				t.Errorf("%v", err)
			}
		})
	})
}

func checkDeadline(t *testing.T, options ...wamp.Option) {
	t.Helper()
	start := time.Now()
	_, err := wamp.Connect(within(t, 300*time.Millisecond), "", "realm1", options...)
	var canceled *wamp.CanceledError
	if !errors.As(err, &canceled) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wamp.ErrTimeout) {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d != 300*time.Millisecond {
		t.Errorf("after %v", d)
	}
}

// The same over sockets: a peer that takes the connection and says nothing, and
// one that falls silent behind the handshake of the transport.
func TestConnectSilentSockets(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		for _, s := range schemes {
			t.Run(s.name+" accepts", func(t *testing.T) {
				t.Parallel()
				network, address := "tcp", "127.0.0.1:0"
				if strings.HasSuffix(s.name, "unix") {
					network, address = "unix", filepath.Join(t.TempDir(), "s.sock")
				}
				ln, err := net.Listen(network, address)
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close() // the system has accepted for it: nobody reads, nobody writes
				checkSilent(t, s.name+"://"+ln.Addr().String())
			})
		}
		r := wamptest.NewRouter(t, wamptest.WithReceive(func(proto.ID, *proto.Message) wamptest.Action { return wamptest.Drop() }))
		overSockets(t, r, func(t *testing.T, s scheme, address string, options []wamp.Option) {
			checkSilent(t, address, options...)
		})
	})
}

func checkSilent(t *testing.T, address string, options ...wamp.Option) {
	t.Helper()
	start := time.Now()
	s, err := wamp.Connect(within(t, 50*time.Millisecond), address, "realm1", options...)
	if err == nil {
		closeIt(t, s)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wamp.ErrTimeout) {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("after %v", d)
	}
}

// What a WebSocket server answers instead of an upgrade to WAMP.
func TestConnectWebSocketAnswers(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, http.StatusText(code), code) }
	}
	upgrade := func(salt string, lines ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + salt))
			accept := base64.StdEncoding.EncodeToString(sum[:])
			answer := append([]string{"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + accept}, lines...)
			_, _ = io.WriteString(conn, strings.Join(answer, "\r\n")+"\r\n\r\n")
		}
	}
	const salt = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // of RFC 6455
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		status int
		is     error
		text   string
	}{
		"401":                {status(http.StatusUnauthorized), 401, nil, "401 Unauthorized"},
		"403":                {status(http.StatusForbidden), 403, nil, "403"},
		"404":                {status(http.StatusNotFound), 404, nil, "404 Not Found"},
		"503":                {status(http.StatusServiceUnavailable), 503, nil, "503"},
		"200":                {status(http.StatusOK), 200, nil, "200"},
		"no subprotocol":     {upgrade(salt), 101, transport.ErrNoProtocol, ""},
		"wrong subprotocol":  {upgrade(salt, "Sec-WebSocket-Protocol: wamp.2.flatbuffers"), 101, transport.ErrNoProtocol, "wamp.2.flatbuffers"},
		"one we did not ask": {upgrade(salt, "Sec-WebSocket-Protocol: wamp.2.json"), 101, transport.ErrNoProtocol, "wamp.2.json"},
		"no WebSocket":       {upgrade("salt", "Sec-WebSocket-Protocol: wamp.2.cbor"), 101, nil, ""},
		"hangs up":           {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, io.EOF, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			err := fails(t, "ws"+strings.TrimPrefix(server.URL, "http"), wamp.WithSerializers(codec.CBOR))
			var handshake *transport.HandshakeError
			if !errors.As(err, &handshake) || handshake.Status != tt.status {
				t.Fatalf("%v", err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

// The router's ABORT is an error with its reason and what it said.
func TestConnectAbort(t *testing.T) {
	for uri, sentinel := range map[string]error{
		proto.ErrURINoSuchRealm: wamp.ErrNoSuchRealm, proto.ErrURINoMatchingAuthMethod: wamp.ErrNoMatchingAuthMethod,
		proto.ErrURIAuthenticationFailed: wamp.ErrAuthenticationFailed, proto.ErrURINotAuthorized: wamp.ErrNotAuthorized,
		proto.ErrURIProtocolViolation: wamp.ErrProtocolViolation, proto.ErrURINoSuchPrincipal: wamp.ErrNoSuchPrincipal,
		proto.ErrURIAuthenticationRequired: wamp.ErrAuthenticationRequired, "com.example.full": nil,
	} {
		t.Run(uri, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := wamptest.NewScript(t, wamptest.Expect(proto.Hello), wamptest.Send(&proto.Message{Type: proto.Abort, URI: uri,
					Options: proto.Dict{{Key: "message", Value: "because"}, {Key: "x_more", Value: 1}}}), wamptest.ExpectEnd())
				err := fails(t, "", wamp.WithTransport(script.Dial))
				var abort *wamp.AbortError
				if !errors.As(err, &abort) || abort.Reason != uri || abort.Message != "because" || !strings.Contains(err.Error(), uri+" (because)") {
					t.Fatalf("%v", err)
				}
				if n, _ := abort.Details.Int("x_more"); n != 1 || sentinel != nil && !errors.Is(err, sentinel) || errors.Is(err, wamp.ErrRuntimeError) {
					t.Errorf("%v", err)
				}
				script.Wait()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithRealms("realm2"))
		if err := fails(t, "", wamp.WithTransport(r.Dial)); !errors.Is(err, wamp.ErrNoSuchRealm) {
			t.Errorf("%v", err)
		}
	})
}

func TestConnectDetails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roles := wamptest.FeaturesWithout(proto.CallTimeout)
		r := wamptest.NewRouter(t, wamptest.WithFeatures(roles), wamptest.WithLogins(wamptest.LoginFunc("anonymous", func(req wamptest.LoginRequest) wamptest.LoginStep {
			if req.Details.Str("agent") != "tester" {
				return wamptest.LoginStep{Refuse: &wamptest.Refusal{Message: "agent"}}
			}
			return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: "joe", AuthRole: "admin", Provider: "static", Extra: map[string]any{"floor": 3}}}
		})))
		s := join(t, r, wamp.WithAgent("tester"), wamp.WithSerializers(codec.MsgPack))
		d := s.Details()
		if len(r.Sessions()) != 1 || d.Session != r.Sessions()[0].ID || s.ID() != d.Session || !d.Session.Valid() {
			t.Errorf("session %d", d.Session)
		}
		if d.Realm != "realm1" || d.AuthID != "joe" || d.AuthRole != "admin" || d.AuthMethod != "anonymous" || d.AuthProvider != "static" ||
			!reflect.DeepEqual(d.AuthExtra, map[string]any{"floor": int64(3)}) || d.Agent != "wamptest" || d.Protocol != "wamp.2.msgpack" {
			t.Errorf("%+v", d)
		}
		if !d.Roles.Has(proto.Broker) || !d.Roles.Has(proto.Dealer) || d.Roles != roles {
			t.Errorf("roles %v, want %v", d.Roles.Dict(), roles.Dict())
		}
		if d.Roles.Features(proto.Dealer).Has(proto.CallTimeout) || !d.Roles.Features(proto.Dealer).Has(proto.CallCanceling) {
			t.Errorf("features %v", d.Roles.Features(proto.Dealer).Names())
		}
		if d.Welcome.Str("authid") != "joe" {
			t.Errorf("WELCOME %v", d.Welcome.Map())
		}
		if s.Err() != nil || s.Context().Err() != nil {
			t.Error(s.Err())
		}
	})
}

func TestLoginTicket(t *testing.T) {
	lookup := func(authid, realm string) (ticket, role string, ok bool) {
		return "secret!!", "member", authid == "joe" && realm == "realm1"
	}
	vault := errors.New("the vault is shut")
	asked := 0
	provider := func(ticket string, err error) authn.Provider {
		return func(_ context.Context, r authn.Request) (string, error) {
			asked++
			if r.Method != "ticket" || r.AuthID != "joe" || r.Realm != "realm1" || r.Rejoin != 0 {
				return "", errors.New("asked for something else")
			}
			return ticket, err
		}
	}
	for _, tt := range []struct {
		name   string
		auth   authn.Authenticator
		logins []wamptest.Login
		check  func(err error) bool // nil: it succeeds
	}{
		{"right", authn.Ticket("joe", "secret!!"), nil, nil},
		{"from a provider", authn.Ticket("joe", provider("secret!!", nil)), nil, nil},
		{"wrong", authn.Ticket("joe", "guess!!!"), nil, func(err error) bool { return errors.Is(err, wamp.ErrAuthenticationFailed) }},
		{"nobody", authn.Ticket("jane", "secret!!"), nil, func(err error) bool { return errors.Is(err, wamp.ErrNoSuchPrincipal) }},
		{"the provider fails", authn.Ticket("joe", provider("", vault)), nil, func(err error) bool {
			var login *wamp.LoginError
			return errors.As(err, &login) && errors.Is(err, vault)
		}},
		{"not accepted", authn.Ticket("joe", "secret!!"), []wamptest.Login{wamptest.Anonymous()}, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
		{"anonymous, not accepted", authn.Anonymous(), nil, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
		{"anonymous by default, not accepted", nil, nil, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logins := tt.logins
				if logins == nil {
					logins = []wamptest.Login{wamptest.Ticket(lookup)}
				}
				var log strings.Builder
				r := wamptest.NewRouter(t, wamptest.WithLogins(logins...))
				options := []wamp.Option{wamp.WithTransport(r.Dial), wamp.WithAuth(tt.auth),
					wamp.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))}
				s, err := wamp.Connect(t.Context(), "", "realm1", options...)
				if tt.check == nil {
					if err != nil {
						t.Fatal(err)
					}
					if d := s.Details(); d.AuthID != "joe" || d.AuthRole != "member" || d.AuthMethod != "ticket" {
						t.Errorf("%+v", d)
					}
					closeIt(t, s)
				} else if err == nil || !tt.check(err) {
					t.Errorf("%v", err)
				}
				for _, secret := range []string{"secret!!", "guess!!!"} {
					if strings.Contains(log.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
						t.Errorf("the ticket is told: %v, %s", err, log.String())
					}
				}
				synctest.Wait()
				if links := r.Stats().Links; links != 0 {
					t.Errorf("%d links are left", links)
				}
			})
		})
	}
	if asked != 2 {
		t.Errorf("providers were asked %d times", asked)
	}
	t.Run("over sockets", func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.Ticket(lookup)))
		overSockets(t, r, func(t *testing.T, _ scheme, address string, options []wamp.Option) {
			s := connect(t, address, append(options, wamp.WithAuth(authn.Ticket("joe", "secret!!")))...)
			if d := s.Details(); d.AuthID != "joe" || d.AuthMethod != "ticket" {
				t.Errorf("%+v", d)
			}
			if err := fails(t, address, append(options, wamp.WithAuth(authn.Ticket("joe", "guess!!!")))...); !errors.Is(err, wamp.ErrAuthenticationFailed) {
				t.Errorf("wrong: %v", err)
			}
		})
	})
}

// ctx owns nothing once Connect has returned.
func TestConnectContextIsLetGo(t *testing.T) {
	r := wamptest.NewRouter(t)
	check := func(t *testing.T, address string, options ...wamp.Option) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s, err := wamp.Connect(ctx, address, "realm1", options...)
		if err != nil {
			t.Fatal(err)
		}
		defer closeIt(t, s)
		cancel()
		reg := handle(t, s, "com.example.echo", echo)
		alive(t, s)
		if err := reg.Unregister(t.Context()); err != nil || s.Err() != nil {
			t.Error(err, s.Err())
		}
	}
	overSockets(t, r, func(t *testing.T, _ scheme, address string, options []wamp.Option) { check(t, address, options...) })
	t.Run("memory", func(t *testing.T) { check(t, "", wamp.WithTransport(r.Dial)) })
}

// Where the first address does not answer, and the policy says so, the next is
// tried.
func TestConnectNextAddress(t *testing.T) {
	r := wamptest.NewRouter(t)
	good, err := r.ListenRawSocket("tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	gone := "unix://" + filepath.Join(t.TempDir(), "gone")
	policy := wamp.WithReconnect(wamp.Backoff{Initial: true, Min: time.Millisecond, Max: time.Millisecond, Attempts: 3})
	connect(t, gone, policy, wamp.WithURLs(false, gone, good))
	connect(t, gone, policy, wamp.WithURLs(true, good))
	var gaveUp *wamp.GaveUpError
	if err := fails(t, gone, policy, wamp.WithURLs(false, gone)); !errors.As(err, &gaveUp) || gaveUp.Attempts != 3 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := fails(t, gone, wamp.WithURLs(false, good)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a policy: %v", err)
	}
}
