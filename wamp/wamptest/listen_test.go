package wamptest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func rawDialer(url string, cfg *tls.Config, maxReceive int) transport.Dialer {
	scheme, address, _ := strings.Cut(url, "://")
	network := "tcp"
	if scheme == "unix" {
		network = "unix"
	}
	return func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
		return transport.DialRawSocket(ctx, network, address, cfg, p, transport.RawSocketOptions{MaxReceive: maxReceive})
	}
}

func webDialer(url string, cfg *tls.Config, deflate bool) transport.Dialer {
	return func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
		return transport.DialWebSocket(ctx, url, p, transport.WebSocketOptions{TLS: cfg, Deflate: deflate})
	}
}

// listening is a way to a router by sockets.
type listening struct {
	name   string
	listen func(t *testing.T, r *wamptest.Router) (url string, dial transport.Dialer)
	scheme string
}

func listenings(t *testing.T) []listening {
	t.Helper()
	server, clientTLS, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	must := func(t *testing.T, url string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	// Paths of Unix sockets are short.
	socket := func(t *testing.T) string {
		t.Helper()
		dir, err := os.MkdirTemp("", "w") //nolint:usetesting // t.TempDir is too long for a socket's address
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return filepath.Join(dir, "s")
	}
	web := func(address func(*testing.T) string, cfg *tls.Config, deflate bool, o ...wamptest.ListenOption) func(*testing.T, *wamptest.Router) (string, transport.Dialer) {
		return func(t *testing.T, r *wamptest.Router) (string, transport.Dialer) {
			url, err := r.ListenWebSocket(address(t), o...)
			return must(t, url, err), webDialer(url, cfg, deflate)
		}
	}
	raw := func(network string, address func(*testing.T) string, cfg *tls.Config, o ...wamptest.ListenOption) func(*testing.T, *wamptest.Router) (string, transport.Dialer) {
		return func(t *testing.T, r *wamptest.Router) (string, transport.Dialer) {
			url, err := r.ListenRawSocket(network, address(t), o...)
			return must(t, url, err), rawDialer(url, cfg, 0)
		}
	}
	free := func(*testing.T) string { return "" }
	return []listening{
		{"ws", web(free, nil, false), "ws://127.0.0.1:"},
		{"ws deflate", web(free, nil, true, wamptest.WithCompression()), "ws://127.0.0.1:"},
		{"wss", web(free, clientTLS, false, wamptest.WithTLS(server)), "wss://127.0.0.1:"},
		{"ws+unix", web(func(t *testing.T) string { return "unix:" + socket(t) }, nil, false), "ws+unix:///"},
		{"tcp", raw("tcp", free, nil), "tcp://127.0.0.1:"},
		{"tcps", raw("tcp", free, clientTLS, wamptest.WithTLS(server)), "tcps://127.0.0.1:"},
		{"unix", raw("unix", socket, nil), "unix:///"},
	}
}

func TestListen(t *testing.T) {
	for _, l := range listenings(t) {
		for _, serializer := range []string{"json", "msgpack", "cbor", "cbor.batched", "json.batched"} {
			if strings.Contains(serializer, "batched") && !strings.HasPrefix(l.name, "ws") {
				continue
			}
			t.Run(l.name+" "+serializer, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				url, d := l.listen(t, r)
				if !strings.HasPrefix(url, l.scheme) {
					t.Errorf("url %s", url)
				}
				c := dial(t, d, serializer)
				c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
				other := join(t, r) // in memory, in CBOR
				other.register("com.example.proc")
				blob := make([]byte, 100_000)
				c.call("com.example.proc", nil, blob)
				inv := other.expect(proto.Invocation)
				if got, _ := other.arg(inv).([]byte); len(got) != len(blob) {
					t.Errorf("%d bytes", len(got))
				}
				other.yield(inv, false, "done")
				if m := c.expect(proto.Result); c.arg(m) != "done" {
					t.Errorf("%+v", m)
				}
				c.subscribe("com.example.topic")
				for i := range 1000 {
					other.publish("com.example.topic", nil, i)
				}
				for i := range 1000 {
					if e := c.expect(proto.Event); c.arg(e) != int64(i) {
						t.Fatalf("%d is %v", i, c.arg(e))
					}
				}
				c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
				c.expect(proto.Goodbye)
				c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
				c.expectAbort(proto.ErrURIProtocolViolation) // there is no session any more
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if err := r.WaitFor(ctx, func(s wamptest.Stats) bool { return s.Links == 1 }); err != nil {
					t.Errorf("%v: %+v", err, r.Stats())
				}
			})
		}
	}
}

func TestCutAndStallOfSockets(t *testing.T) {
	for _, l := range listenings(t) {
		t.Run(l.name, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			_, d := l.listen(t, r)
			c := dial(t, d, "cbor")
			c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
			ping := func(wait time.Duration) error {
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				defer cancel()
				return c.conn.Ping(ctx)
			}
			if err := ping(5 * time.Second); err != nil {
				t.Error(err)
			}
			r.Stall(c.id)
			if err := ping(50 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a stalled link answers a ping: %v", err)
			}
			c.subscribeAsync("com.example.topic")
			r.Unstall(c.id)
			c.expect(proto.Subscribed)
			r.Stall(c.id)
			c.subscribeAsync("com.example.other")
			r.Cut(c.id)
			if err := c.expectEnd(); errors.As(err, new(*transport.CloseError)) && strings.HasPrefix(l.name, "ws") {
				t.Errorf("a goodbye: %v", err)
			}
		})
	}
}

func (c *client) subscribeAsync(topic string) {
	c.t.Helper()
	c.request(&proto.Message{Type: proto.Subscribe, URI: topic})
}

func TestListenErrors(t *testing.T) {
	r := wamptest.NewRouter(t, wamptest.WithProtocols("wamp.2.json"))
	raw, err := r.ListenRawSocket("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web, err := r.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ListenRawSocket("tcp", strings.TrimPrefix(raw, "tcp://")); err == nil {
		t.Error("one address, two listeners")
	}
	if _, err := r.ListenWebSocket("256.0.0.1:0"); err == nil {
		t.Error("no such address")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cbor := []transport.Protocol{protocol(t, "cbor")}
	for name, d := range map[string]transport.Dialer{"raw": rawDialer(raw, nil, 0), "web": webDialer(web, nil, false)} {
		var refusal *transport.HandshakeError
		if _, err := d(ctx, cbor); !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		}
		r.RefuseDials(1, nil)
		if _, err := d(ctx, []transport.Protocol{protocol(t, "json")}); err == nil {
			t.Errorf("%s: not refused", name)
		}
		if conn, err := d(ctx, transport.Protocols()); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			_ = conn.CloseNow()
		}
	}
	r.RefuseDials(1, &transport.HandshakeError{Status: http.StatusServiceUnavailable})
	var refusal *transport.HandshakeError
	if _, err := webDialer(web, nil, false)(ctx, transport.Protocols()); !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable {
		t.Errorf("%v", err)
	}
	if _, err := webDialer(strings.Replace(web, "/ws", "/other", 1), nil, false)(ctx, transport.Protocols()); !errors.As(err, &refusal) || refusal.Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
	silent, err := net.Dial("tcp", strings.TrimPrefix(raw, "tcp://")) // never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r.Close()
	if _, err := r.ListenRawSocket("tcp", ""); !errors.Is(err, wamptest.ErrClosed) {
		t.Error(err)
	}
	if _, err := r.ListenWebSocket(""); !errors.Is(err, wamptest.ErrClosed) {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(raw, "tcp://")); err == nil {
		t.Error("a closed router listens")
	}
}
