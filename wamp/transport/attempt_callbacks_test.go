//go:build !js

package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// No error of a dial has a password in it, of the router's or a proxy's.
func TestDialErrorsHaveNoPassword(t *testing.T) {
	ln := serve(t, "tcp", says("HTTP/1.1 404 Not Found\r\n\r\n", true))
	host := ln.Addr().String()
	broken := errors.New(`invalid proxy address "http://me:hunter2@[": missing ']'`)
	for _, tt := range []struct {
		address string
		opts    transport.WebSocketOptions
	}{
		{address: "ws://me:hunter2@" + host + "/ws?token=hunter2#hunter2"},
		{address: "wss://me:hunter2@" + host + "/ws?token=hunter2"},
		{address: "tcp://me:hunter2@" + host},
		{address: "tcps://me:hunter2@" + host},
		{address: "ws://me:hunter2@127.0.0.1:1/ws"},
		{address: "tcp://me:hunter2@127.0.0.1:1"},
		{address: "unix://me:hunter2@/none"},
		{address: "ws+unix://me:hunter2@/none:/ws"},
		{address: "gopher://me:hunter2@host/"},
		{address: "ws://me:hunter2/more@host/ws"},
		{address: "ws://me:hunter2%zz@host/ws"},
		{address: "tcp://me:hunter2#@host:1"},
		{address: "ws://me:hunter2@host:port/ws"},
		{address: "me:hunter2@host"},
		{address: "wss://router.example/ws", opts: transport.WebSocketOptions{Proxy: proxyAt("http://me:hunter2@127.0.0.1:1")}},
		{address: "wss://router.example/ws", opts: transport.WebSocketOptions{Proxy: proxyAt("http://me:hunter2@" + host)}},
		{address: "ws://router.example/ws", opts: transport.WebSocketOptions{Proxy: proxyAt("http://me:hunter2@127.0.0.1:1")}},
		{address: "ws://router.example/ws", opts: transport.WebSocketOptions{Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }}},
	} {
		_, err := dial(bound(t), tt.address, tt.opts)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", tt.address, err)
		}
	}
}

func proxyAt(rawURL string) func(*http.Request) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		panic(err)
	}
	return http.ProxyURL(u)
}

// Code of the user's that is called in a dial may panic, end its goroutine or
// go on for ever: that is a dial that has failed.
func TestDialWithBadCallbacks(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	url1, _ := serveHTTP(t, wsOptions{secure: true}, http.NotFound)
	raw := serve(t, "tcp", func(conn net.Conn) { _ = tls.Server(conn, serverTLS).Handshake() })
	release := make(chan struct{})
	defer close(release)
	for name, f := range mishaps(release) {
		if f == nil {
			continue
		}
		wait := patience
		if name == "blocks" {
			wait = 150 * time.Millisecond
		}
		withTLS := func(set func(*tls.Config)) *tls.Config {
			c := clientTLS.Clone()
			set(c)
			return c
		}
		connection := withTLS(func(c *tls.Config) { c.VerifyConnection = func(tls.ConnectionState) error { f(); return nil } })
		certificate := withTLS(func(c *tls.Config) {
			c.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { f(); return nil }
		})
		dialer := func(context.Context, string, string) (net.Conn, error) { f(); return nil, nil }
		jar, _ := cookiejar.New(nil)
		for what, tt := range map[string]struct {
			address, phase string
			opts           transport.WebSocketOptions
		}{
			"dial":         {url1, transport.PhaseDial, transport.WebSocketOptions{Dial: dialer}},
			"raw dial":     {"tcp://h:1", transport.PhaseDial, transport.WebSocketOptions{Dial: dialer}},
			"proxy":        {url1, transport.PhaseProxy, transport.WebSocketOptions{Proxy: func(*http.Request) (*url.URL, error) { f(); return nil, nil }}},
			"transport":    {url1, transport.PhaseWebSocket, transport.WebSocketOptions{Client: &http.Client{Transport: tripper(func() { f() })}}},
			"their dialer": {url1, transport.PhaseDial, transport.WebSocketOptions{Client: &http.Client{Transport: &http.Transport{DialContext: dialer}}}},
			"jar":          {url1, transport.PhaseDial, transport.WebSocketOptions{Jar: badJar{jar, f}}},
			"tls":          {url1, transport.PhaseTLS, transport.WebSocketOptions{TLS: connection}},
			"raw tls":      {"tcps://" + raw.Addr().String(), transport.PhaseTLS, transport.WebSocketOptions{TLS: connection}},
			"tls proxied":  {url1, transport.PhaseTLS, transport.WebSocketOptions{TLS: certificate, Proxy: http.ProxyURL(connectProxy(t))}},
		} {
			t.Run(what+" "+name, func(t *testing.T) {
				err := dialFails(t, tt.address, tt.opts, wait, tt.phase, anyHint)
				var panicked *transport.PanicError
				if errors.As(err, &panicked) != (name == "panics") || panicked != nil && (panicked.Value != "a slip" || len(panicked.Stack) == 0) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

type tripper func()

func (f tripper) RoundTrip(*http.Request) (*http.Response, error) {
	f()
	return nil, errors.New("no way")
}

type badJar struct {
	http.CookieJar
	f func()
}

func (j badJar) Cookies(*url.URL) []*http.Cookie { j.f(); return nil }

// A dialer that has nothing, and one that comes when nobody waits any more.
func TestDialerThatIsLate(t *testing.T) {
	nothing := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	for _, address := range []string{"ws://h:1/ws", "wss://h:1/ws", "tcp://h:1", "tcps://h:1"} {
		if _, err := dial(bound(t), address, transport.WebSocketOptions{Dial: nothing}); err == nil {
			t.Errorf("%s: no error", address)
		}
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			late := func(context.Context, string, string) (net.Conn, error) {
				time.Sleep(time.Hour)
				return a, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			d := took(func() {
				if _, err := dial(ctx, address, transport.WebSocketOptions{Dial: late}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", address, err)
				}
			})
			if d > 20*time.Second+100*time.Millisecond {
				t.Errorf("%s: took %v", address, d)
			}
			if _, err := b.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: what came late is not closed: %v", address, err)
			}
		})
	}
}
