package wamp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
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
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/faults"
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

// namesOf returns the names of protocols.
func namesOf(protocols []transport.Protocol) (names []string) {
	for _, p := range protocols {
		names = append(names, p.Name)
	}
	return names
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

// Each scheme over real sockets, with each serializer.
func TestConnectSchemes(t *testing.T) {
	// The error for one that does not exist has them all.
	_, unknown := transport.ParseAddress("gopher://host")
	_, all, _ := strings.Cut(unknown.Error(), ": want ")
	for name := range strings.FieldsSeq(strings.NewReplacer(",", "", " or ", " ").Replace(all)) {
		if !slices.ContainsFunc(schemes, func(s scheme) bool { return s.name == name }) {
			t.Errorf("%s has no row in schemes", name)
		}
	}
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
				t.Errorf("100,000 bytes: %d came, %v", len(got), err)
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
	if got := req.Header.Get("Sec-WebSocket-Protocol"); got != strings.Join(namesOf(transport.Protocols()), ",") {
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
					t.Errorf("%s: %d bytes, %v", c.Name(), len(out), err)
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
		faults.Tunnel(w, req)
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
			offered = namesOf(protocols)
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
// ctx covers the dial, the handshake and the login: whoever falls silent, the
// deadline is kept to the moment, and the error says that it was one.
// The same over sockets: a peer that takes the connection and says nothing, and
// one that falls silent behind the handshake of the transport.
// What a WebSocket server answers instead of an upgrade to WAMP.
// The router's ABORT is an error with its reason and what it said.
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

// Where the first address does not answer, the next is tried.
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
	connect(t, gone, wamp.WithURLs(false, gone, good)) // each once without a policy
	if err := fails(t, gone, wamp.WithURLs(false, gone+"2")); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), gone+"2: dial: ") || !strings.Contains(err.Error(), "; "+gone+": dial: ") {
		t.Errorf("without a policy: %v", err)
	}
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
