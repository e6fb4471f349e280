package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"syscall/js"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// tryDial dials and returns the error, which is a DialError.
func tryDial(t *testing.T, address string, protocols ...transport.Protocol) *transport.DialError {
	t.Helper()
	if protocols == nil {
		protocols = transport.Protocols()
	}
	c, err := transport.DialWebSocket(bound(t), address, protocols, transport.WebSocketOptions{})
	var failed *transport.DialError
	if !errors.As(err, &failed) {
		t.Fatalf("%s: %v, %v", address, c, err)
	}
	return failed
}

// A page is told that a dial has failed, and nothing else.
func TestBrowserDialFails(t *testing.T) {
	for _, address := range []string{"ws://127.0.0.1:1/ws", server(t, "/status?code=401"), server(t, "/nowhere"), server(t, "/wrong")} {
		err := tryDial(t, address)
		var handshake *transport.HandshakeError
		if err.Hint == "" || strings.Contains(err.Error(), "code=401") || err.Phase == "" {
			t.Errorf("%v", err)
		}
		if errors.As(err, &handshake) && !errors.Is(err, transport.ErrNoProtocol) {
			t.Errorf("what nobody knows was told: %v", err)
		}
	}
}

func TestBrowserDialNeedsAProtocol(t *testing.T) {
	// Some take the answer without one, and some fail by themselves.
	if err := tryDial(t, server(t, "/none")); err.Hint == "" {
		t.Error(err)
	}
	_, err := transport.DialWebSocket(bound(t), server(t, "/echo"), nil, transport.WebSocketOptions{})
	if !errors.Is(err, transport.ErrNoProtocol) {
		t.Error(err)
	}
	f := install(t)
	f.set("protocol", "")
	f.made = func() { time.AfterFunc(time.Millisecond, f.open) }
	if err := tryDial(t, "ws://router.invalid/ws"); !errors.Is(err, transport.ErrNoProtocol) || !strings.Contains(err.Hint, "wamp.2.json") {
		t.Error(err)
	}
	if f.listening() != 0 || len(f.closes) == 0 {
		t.Errorf("%d listeners, closed with %v", f.listening(), f.closes)
	}
}

func TestBrowserDialTakesOddAddresses(t *testing.T) {
	p := protocol(t, "wamp.2.cbor")
	c, err := transport.DialWebSocket(bound(t), strings.Replace(server(t, "/echo"), "ws:", "WS:", 1)+"#part", []transport.Protocol{p, p}, transport.WebSocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.CloseNow()
}

func TestBrowserDialThrows(t *testing.T) {
	err := tryDial(t, "ws://user:secret@host:99999/ws?token=hidden")
	if text := err.Error(); strings.Contains(text, "secret") || strings.Contains(text, "hidden") || !strings.Contains(text, "ws://host:99999/ws") {
		t.Error(text)
	}
	theirs := js.Global().Get("WebSocket")
	js.Global().Delete("WebSocket")
	defer js.Global().Set("WebSocket", theirs)
	if err := tryDial(t, "ws://127.0.0.1:1/"); !errors.Is(err, transport.ErrNotInBrowser) {
		t.Error(err)
	}
}

func TestBrowserDialIsCancelled(t *testing.T) {
	key := newKey()
	why := errors.New("no time")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	_, err := transport.DialWebSocket(ctx, server(t, "/silent?key="+key), transport.Protocols(), transport.WebSocketOptions{})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Error(err)
	}
	if got := seen(t, key); got != "gone" {
		t.Errorf("the socket: %s", got)
	}
	ctx, cancel2 := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel2()
	if _, err := transport.DialWebSocket(ctx, server(t, "/silent"), transport.Protocols(), transport.WebSocketOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	f := install(t)
	over, cancel3 := context.WithCancel(t.Context())
	cancel3()
	if _, err := transport.DialWebSocket(over, "ws://router.invalid/", transport.Protocols(), transport.WebSocketOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if f.listening() != 0 {
		t.Errorf("%d listeners are left", f.listening())
	}
}

// What fails in a page of https with ws is known.
func TestBrowserDialHintOfMixedContent(t *testing.T) {
	js.Global().Set("location", map[string]any{"protocol": "https:"})
	defer js.Global().Delete("location")
	f := install(t)
	f.made = func() { time.AfterFunc(time.Millisecond, func() { f.fire("error", map[string]any{}) }) }
	for address, known := range map[string]bool{"ws://router.invalid/ws": true, "wss://router.invalid/ws": false, "ws://127.0.0.1/": false, "ws://localhost/": false} {
		if err := tryDial(t, address); strings.Contains(err.Hint, "only open wss") != known { // the browser's own machine is let in
			t.Error(err)
		}
	}
}

// Node 20 has no close event behind a dial that failed.
func TestBrowserDialErrorEventOnly(t *testing.T) {
	f := install(t)
	f.made = func() {
		time.AfterFunc(time.Millisecond, func() { f.fire("error", map[string]any{"message": "ECONNREFUSED"}) })
	}
	if err := tryDial(t, "ws://router.invalid/"); !strings.Contains(err.Error(), "ECONNREFUSED") {
		t.Error(err)
	}
	if f.listening() != 0 {
		t.Errorf("%d listeners are left", f.listening())
	}
}

func TestNotInBrowser(t *testing.T) {
	dialer := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("called") }
	jar, _ := cookiejar.New(nil)
	for name, o := range map[string]transport.DialOptions{
		"WebSocketOptions.Header":  {WebSocket: transport.WebSocketOptions{Header: http.Header{"A": {"b"}}}},
		"WebSocketOptions.TLS":     {WebSocket: transport.WebSocketOptions{TLS: &tls.Config{}}},
		"WebSocketOptions.Proxy":   {WebSocket: transport.WebSocketOptions{Proxy: http.ProxyFromEnvironment}},
		"WebSocketOptions.Jar":     {WebSocket: transport.WebSocketOptions{Jar: jar}},
		"WebSocketOptions.Client":  {WebSocket: transport.WebSocketOptions{Client: http.DefaultClient}},
		"WebSocketOptions.Dial":    {WebSocket: transport.WebSocketOptions{Dial: dialer}},
		"WebSocketOptions.Deflate": {WebSocket: transport.WebSocketOptions{Deflate: true}},
		"DialOptions.TLS":          {TLS: &tls.Config{}},
		"DialOptions.Dial":         {Dial: dialer},
	} {
		notHere(t, name, o, server(t, "/echo"))
	}
	for _, address := range []string{"tcp://h:1", "tcps://h:1", "rs://h:1", "rss://h:1", "unix:///s", "ws+unix:///s:/"} {
		scheme, _, _ := strings.Cut(address, ":")
		scheme = strings.NewReplacer("rss", "tcps", "rs", "tcp").Replace(scheme)
		notHere(t, scheme+"://", transport.DialOptions{}, address)
	}
	if _, err := transport.DialRawSocket(bound(t), "tcp", "h:1", nil, transport.Protocols(), transport.RawSocketOptions{}); !errors.Is(err, transport.ErrNotInBrowser) {
		t.Error(err)
	}
}

func notHere(t *testing.T, name string, o transport.DialOptions, address string) {
	t.Helper()
	_, err := transport.NewRotation(false, o, "ws://h/", address)
	errs := []error{err}
	a, err := transport.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Dialer(o)(bound(t), transport.Protocols())
	if errs = append(errs, err); o.TLS == nil && o.Dial == nil && a.WebSocket() {
		_, err = transport.DialWebSocket(bound(t), address, transport.Protocols(), o.WebSocket)
		errs = append(errs, err)
	}
	for i, err := range errs {
		if !errors.Is(err, transport.ErrNotInBrowser) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s, way %d: %v", name, i, err)
		}
	}
}
