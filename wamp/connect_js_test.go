package wamp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// The tests of this file have a router beside them, that of wamp/internal/browser.
func browserRouter(t *testing.T) string {
	t.Helper()
	address := os.Getenv("WAMP_BROWSER")
	if address == "" {
		t.Fatal("no router: these tests are run by .ci/browser.sh")
	}
	return address + "/ws"
}

func joinBrowser(t *testing.T, options ...wamp.Option) *wamp.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := wamp.Connect(ctx, browserRouter(t), "realm1", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestBrowserSession(t *testing.T) {
	for _, c := range codec.All() {
		for _, options := range [][]wamp.Option{{}, {wamp.WithBatching(0)}} {
			s := joinBrowser(t, append(options, wamp.WithSerializers(c))...)
			got := 0
			for n, err := range wamp.Stream[int](t.Context(), s, "com.example.count", wamp.Args(2000), wamp.Progressive()) {
				if got++; err != nil || n != got {
					t.Fatalf("%s: result %d came as number %d: %v", c.Name(), n, got, err)
				}
			}
			if got != 2000 {
				t.Errorf("%s: %d results", c.Name(), got)
			}
			sub, err := s.Subscribe(t.Context(), "com.example.topic")
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Repeat("a text that is long ", 200_000)
			if _, err := s.Publish(t.Context(), "com.example.topic", wamp.Args(text), wamp.ExcludeMe(false), wamp.Acknowledge()).Wait(); err != nil {
				t.Fatal(err)
			}
			var back string
			e := <-sub.Events()
			if err := e.Scan(&back); err != nil || back != text {
				t.Errorf("%s: %d bytes came (%v)", c.Name(), len(back), err)
			}
		}
	}
}

func TestBrowserCancelInterruptsTheCallee(t *testing.T) {
	s := joinBrowser(t)
	before, err := wamp.Call[int](t.Context(), s, "com.example.interrupts", wamp.Args())
	if err != nil {
		t.Fatal(err)
	}
	for n, err := range wamp.Stream[int](t.Context(), s, "com.example.count", wamp.Args(10_000_000), wamp.Progressive()) {
		if err != nil {
			t.Fatal(err)
		}
		if n == 5 {
			break
		}
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		now, err := wamp.Call[int](t.Context(), s, "com.example.interrupts", wamp.Args())
		if err != nil || time.Now().After(end) {
			t.Fatalf("%d interrupts, as before: %v", now, err)
		}
		if now == before+1 {
			break
		}
	}
}

// A handler that sends in a loop learns of an INTERRUPT where it lets others have a turn.
func TestBrowserHandlerGivesWay(t *testing.T) {
	const procedure, all = "com.example.page.count", 20_000
	callee, caller := joinBrowser(t), joinBrowser(t)
	sent := make(chan int, 1)
	if _, err := callee.Handle(t.Context(), procedure, func(_ context.Context, inv *wamp.Invocation) error {
		for i := range all {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				sent <- i
				return err
			}
			if i%20 == 19 {
				time.Sleep(time.Millisecond)
			}
		}
		sent <- all
		return inv.Return(wamp.Args(all))
	}); err != nil {
		t.Fatal(err)
	}
	for n, err := range wamp.Stream[int](t.Context(), caller, procedure, wamp.Args(), wamp.Progressive()) {
		if err != nil {
			t.Fatal(err)
		}
		if n == 5 {
			break
		}
	}
	if n := <-sent; n == all {
		t.Error("it was not interrupted")
	}
}

// What a router says before it closes is heard.
func TestBrowserAbortIsHeard(t *testing.T) {
	for range 20 {
		_, err := wamp.Connect(t.Context(), browserRouter(t), "nosuch")
		var abort *wamp.AbortError
		if !errors.As(err, &abort) || !errors.Is(err, wamp.ErrNoSuchRealm) {
			t.Fatal(err)
		}
	}
}

func TestBrowserComesBack(t *testing.T) {
	s := joinBrowser(t, wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	sub, err := s.Subscribe(t.Context(), "com.example.topic")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		first := s.ID()
		_, err = s.Call(t.Context(), "com.example.cut", wamp.Args()).Final()
		var unknown *wamp.OutcomeUnknown
		if err != nil && !errors.As(err, &unknown) {
			t.Fatal(err)
		}
		for range 2000 {
			if s.ID() != first && s.Healthy() == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if _, err := s.Publish(t.Context(), "com.example.topic", wamp.Args("back"), wamp.ExcludeMe(false), wamp.Acknowledge(), wamp.Idempotent()).Wait(); err != nil {
			t.Fatal(err)
		}
		<-sub.Events()
		if s.ID() == first {
			t.Fatal("it was not cut")
		}
	}
}

// There is no ping: a call is the probe.
func TestBrowserKeepalive(t *testing.T) {
	s := joinBrowser(t, wamp.WithKeepalive(wamp.Keepalive{Interval: 50 * time.Millisecond, Timeout: 300 * time.Millisecond}))
	if _, err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Call(t.Context(), "com.example.stall", wamp.Args(3000)).Final(); err != nil && !errors.Is(err, wamp.ErrPongTimeout) {
		t.Error(err)
	}
	select {
	case <-s.Done():
		if !errors.Is(s.Err(), wamp.ErrPongTimeout) {
			t.Error(s.Err())
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody noticed")
	}
}

// What a browser does by itself is refused, at once and by name.
func TestBrowserOptions(t *testing.T) {
	jar, _ := cookiejar.New(nil)
	for name, o := range map[string]wamp.Option{
		"WithHeader": wamp.WithHeader("A", "b"), "WithTLS": wamp.WithTLS(&tls.Config{}), "WithProxy": wamp.WithProxy(http.ProxyFromEnvironment),
		"WithCookieJar": wamp.WithCookieJar(jar), "WithCompression": wamp.WithCompression(),
		"tcp://": wamp.WithURLs(false, "tcp://h:1"), "tcps://": wamp.WithURLs(false, "rss://h:1"), "unix://": wamp.WithURLs(false, "unix:///s"), "ws+unix://": wamp.WithURLs(false, "ws+unix:///s:/"),
	} {
		_, err := wamp.Connect(t.Context(), browserRouter(t), "realm1", o, wamp.WithReconnect(wamp.Backoff{Initial: true}))
		if !errors.Is(err, wamp.ErrNotInBrowser) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	joinBrowser(t, wamp.WithTLS(nil), wamp.WithProxy(nil), wamp.WithCookieJar(nil)) // none was given
}

// A login that is bound to the TLS connection cannot be had.
func TestBrowserHasNoChannelBinding(t *testing.T) {
	_, err := wamp.Connect(t.Context(), browserRouter(t), "realm1", wamp.WithAuth(authn.SCRAM("joe", "secret", authn.BindChannel(authn.TLSExporter))))
	var binding *authn.BindingError
	if !errors.As(err, &binding) {
		t.Error(err)
	}
}
