//go:build !js

package transport_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// webServer is an HTTP server that redirects, or upgrades at /ws, and keeps the
// requests.
func webServer(t *testing.T, secure bool, to func(r *http.Request) string) (base string, requests chan *http.Request, client *http.Client) {
	t.Helper()
	requests = make(chan *http.Request, 64)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Clone(t.Context())
		if r.URL.Path != "/ws" {
			http.SetCookie(w, &http.Cookie{Name: "given", Value: r.URL.Path[1:], Path: "/"})
			http.Redirect(w, r, to(r), http.StatusFound)
			return
		}
		c, err := transport.AcceptWebSocket(w, r, transport.Protocols(), transport.AcceptOptions{AnyOrigin: true})
		if err == nil {
			_ = c.CloseNow()
		}
	})
	var server *httptest.Server
	if secure {
		server = httptest.NewTLSServer(handler)
	} else {
		server = httptest.NewServer(handler)
	}
	t.Cleanup(server.Close)
	return server.URL, requests, server.Client()
}

func toWS(base string) string { return "ws" + strings.TrimPrefix(base, "http") }

// What the user gives for one host goes to no other, not on the way back
// either.
func TestRedirectHeaders(t *testing.T) {
	var a, b string
	a, asked, _ := webServer(t, false, func(r *http.Request) string {
		switch r.URL.Path {
		case "/same":
			return "/ws"
		case "/absolute":
			return a + "/ws"
		case "/twice":
			return "/away"
		}
		return b + "/" + strings.TrimPrefix(r.URL.Path, "/away-")
	})
	b, askedThere, _ := webServer(t, false, func(r *http.Request) string {
		if r.URL.Path == "/back" {
			return a + "/ws"
		}
		return "/ws"
	})
	header := http.Header{
		"Authorization": {"Bearer secret"}, "X-Api-Key": {"secret"}, "Cookie": {"hand=secret"}, "Origin": {"http://secret.example"},
		"User-Agent": {"secret/1"}, "Referer": {"http://secret.example/"}, "X-Two": {"secret", "secret"}, "Proxy-Authorization": {"secret"},
	}
	jar, _ := cookiejar.New(nil)
	here, _ := url.Parse(a)
	jar.SetCookies(here, []*http.Cookie{{Name: "jar", Value: "1"}})
	connect := func(path string) {
		t.Helper()
		c, err := transport.DialWebSocket(bound(t), toWS(a)+path, transport.Protocols(), transport.WebSocketOptions{Header: header, Jar: jar})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		_ = c.CloseNow()
	}
	has := func(what string, r *http.Request, want bool) {
		t.Helper()
		for key := range header {
			if got := strings.Contains(fmt.Sprint(r.Header[key]), "secret"); got != want {
				t.Errorf("%s: %s is %q", what, key, r.Header[key])
			}
		}
		if !want && r.Header.Get("Referer") != "" {
			t.Errorf("%s: Referer %q", what, r.Header.Get("Referer"))
		}
		if r.Header.Get("Sec-WebSocket-Key") == "" || r.Header.Get("Upgrade") == "" {
			t.Errorf("%s: no handshake", what)
		}
	}
	for _, path := range []string{"/same", "/absolute"} {
		connect(path)
		for range 2 {
			r := <-asked
			has(path, r, true)
			if r.Header.Get("Host") != "" {
				t.Error("Host among the headers")
			}
		}
	}
	connect("/away-ws")
	has("at first", <-asked, true)
	r := <-askedThere
	has("away", r, false)
	// Cookies of the jar have their own rules: those of a host without ports.
	if jarred, err := r.Cookie("jar"); err != nil || jarred.Value != "1" {
		t.Errorf("the jar's cookie is %v, %v", jarred, err)
	}
	connect("/twice")
	has("twice", <-asked, true)
	has("twice", <-asked, true)
	has("twice", <-askedThere, false)
	has("twice", <-askedThere, false)
	connect("/away-back")
	has("back", <-asked, true)
	has("back", <-askedThere, false)
	has("back", <-asked, false)
	if len(asked)+len(askedThere) > 0 {
		t.Error("more requests than that")
	}
}

// WithHeader("Host", ...) is the host that is asked for, of the same server
// after a redirect too.
func TestHostHeader(t *testing.T) {
	var base string
	base, asked, _ := webServer(t, false, func(r *http.Request) string {
		if r.URL.Path == "/absolute" {
			return base + "/ws"
		}
		return "/ws"
	})
	header := http.Header{}
	header.Set("Host", "router.example")
	for _, path := range []string{"/ws", "/relative", "/absolute"} {
		c, err := transport.DialWebSocket(bound(t), toWS(base)+path, transport.Protocols(), transport.WebSocketOptions{Header: header})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.CloseNow()
		for n := len(asked); n > 0; n-- {
			if r := <-asked; r.Host != "router.example" {
				t.Errorf("%s: asked for %s", path, r.Host)
			}
		}
	}
	if len(header) != 1 || header.Get("Host") == "" {
		t.Errorf("the user's header was changed: %v", header)
	}
}

// From TLS to none is refused, at once or later on the way; the other way is
// fine. Ten redirects are followed, not eleven.
func TestRedirectLimits(t *testing.T) {
	var plain, secure string
	plain, askedPlain, _ := webServer(t, false, func(r *http.Request) string {
		switch r.URL.Path {
		case "/up":
			return secure + "/ws"
		case "/down":
			return secure + "/down"
		}
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err != nil || n == 1 {
			return "/ws"
		}
		return fmt.Sprintf("/%d", n-1)
	})
	secure, askedSecure, client := webServer(t, true, func(*http.Request) string { return plain + "/ws" })
	dial := func(address string) error {
		opts := transport.WebSocketOptions{TLS: client.Transport.(*http.Transport).TLSClientConfig}
		c, err := transport.DialWebSocket(bound(t), toWS(address), transport.Protocols(), opts)
		if err == nil {
			_ = c.CloseNow()
		}
		return err
	}
	for _, start := range []string{secure + "/down", plain + "/down"} {
		err := dial(start)
		var handshake *transport.HandshakeError
		var failed *transport.DialError
		if !errors.As(err, &handshake) || !errors.As(err, &failed) || failed.Phase != transport.PhaseWebSocket || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%s: %v", start, err)
		}
		for n := len(askedPlain); n > 0; n-- {
			if r := <-askedPlain; r.URL.Path == "/ws" {
				t.Errorf("%s: the request went out in plain text", start)
			}
		}
	}
	if err := dial(plain + "/up"); err != nil {
		t.Errorf("to TLS: %v", err)
	}
	if err := dial(plain + "/10"); err != nil {
		t.Errorf("ten redirects: %v", err)
	}
	if err := dial(plain + "/11"); err == nil {
		t.Error("eleven redirects were followed")
	}
	if len(askedSecure) == 0 {
		t.Error("TLS was never asked")
	}
}

// After a redirect the error names the address that has failed.
func TestRedirectInErrors(t *testing.T) {
	gone := listen(t, "tcp")
	_ = gone.Close()
	base, _, _ := webServer(t, false, func(*http.Request) string { return "http://" + gone.Addr().String() + "/there?secret" })
	_, err := transport.DialWebSocket(bound(t), toWS(base)+"/here", transport.Protocols(), transport.WebSocketOptions{})
	var failed *transport.DialError
	if !errors.As(err, &failed) || failed.Address != "ws://"+gone.Addr().String()+"/there" || failed.Phase != transport.PhaseDial {
		t.Errorf("%v", err)
	}
}
