//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

func unmarshalText(text string, v any) error { return json.Unmarshal([]byte(text), v) }

// TestTicketLogin logs in against the router's own list of tickets.
func TestTicketLogin(t *testing.T) {
	for _, kind := range kinds {
		for _, cd := range codecs {
			c := cell{kind, cd}
			s := c.join(t, wamp.WithAuth(authn.Ticket("tick-app", "ticket-secret")))
			if d := s.Details(); d.AuthID != "tick-app" || d.AuthRole != "app" || d.AuthMethod != "ticket" {
				t.Errorf("%v: details %+v", c, d)
			}
		}
	}
	t.Run("limited", func(t *testing.T) {
		s := cell{"ws", codec.CBOR}.join(t, wamp.WithAuth(authn.Ticket("tick-limited", "ticket-limited-secret")))
		if _, err := s.Call(limit(t), "com.example.anything", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("a forbidden call: %v, want ErrNotAuthorized", err)
		}
	})
	for name, auth := range map[string]authn.Authenticator{
		"wrong secret": authn.Ticket("tick-app", "not the secret"),
		"wrong name":   authn.Ticket("nobody", "ticket-secret"),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := wamp.Connect(limit(t), rig.URLs["raw"], realm, wamp.WithAuth(auth))
			if err == nil {
				leave(t, s)
				t.Fatal("joined")
			}
			var aborted *wamp.AbortError
			if !errors.As(err, &aborted) || !errors.Is(err, wamp.ErrNotAuthorized) {
				t.Errorf("error %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

func TestNoSuchRealm(t *testing.T) {
	for _, kind := range kinds {
		c := cell{kind, codec.CBOR}
		s, err := wamp.Connect(limit(t), rig.URLs[kind], "realm-nowhere", c.options()...)
		if err == nil {
			leave(t, s)
			t.Fatalf("%s: joined", kind)
		}
		if !errors.Is(err, wamp.ErrNoSuchRealm) {
			t.Errorf("%s: %v, want ErrNoSuchRealm", kind, err)
		}
	}
}

// TestUntrustedCertificate: without the router's CA nothing is sent to it.
func TestUntrustedCertificate(t *testing.T) {
	for _, kind := range []string{"wss", "rawtls"} {
		s, err := wamp.Connect(limit(t), rig.URLs[kind], realm)
		if err == nil {
			leave(t, s)
			t.Fatalf("%s: joined", kind)
		}
		if !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestMessageLimit: the router said in the RawSocket handshake that it takes
// 64 KiB; a larger message is refused here, and the session lives on.
func TestMessageLimit(t *testing.T) {
	s := cell{"unix-small", codec.CBOR}.join(t)
	if _, err := s.Call(limit(t), "com.example.big", wamp.Args(make([]byte, 100_000))).Final(); !errors.Is(err, wamp.ErrPayloadTooBig) {
		t.Errorf("error %v, want ErrPayloadTooBig", err)
	}
	if err := (<-s.Publish(limit(t), "com.example.big", wamp.Args(make([]byte, 100_000)), wamp.Acknowledge())).Err; !errors.Is(err, wamp.ErrPayloadTooBig) {
		t.Errorf("error %v, want ErrPayloadTooBig", err)
	}
	idle(t, s)
}

// TestDeflateIsUsed looks at the handshake on the wire: permessage-deflate is
// agreed on when it was asked for, and only then.
func TestDeflateIsUsed(t *testing.T) {
	for _, want := range []bool{true, false} {
		var seen head
		c := cell{"ws", codec.JSON}
		if want {
			c.kind = "ws-deflate"
		}
		u, err := url.Parse(rig.URLs["ws-deflate"])
		if err != nil {
			t.Fatal(err)
		}
		u.Host = relay(t, u.Host, &seen)
		s, err := wamp.Connect(limit(t), u.String(), realm, c.options()...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Call(limit(t), "wamp.session.count", wamp.Args()).Final(); err != nil {
			t.Error(err)
		}
		leave(t, s)
		header, _, _ := strings.Cut(seen.String(), "\r\n\r\n")
		if got := strings.Contains(header, "permessage-deflate"); got != want {
			t.Errorf("deflate agreed on: %v, want %v; the router answered\n%s", got, want, header)
		}
	}
}

// head keeps what came first.
type head struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text.Write(p[:min(len(p), max(0, 4096-h.text.Len()))])
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// relay forwards one connection to the address and notes what comes back. It
// returns its own address.
func relay(t *testing.T, to string, seen *head) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	work.Go(func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		work.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
		_, _ = io.Copy(client, io.TeeReader(server, seen))
	})
	return l.Addr().String()
}

// TestSilentSkipLeavesNothing: Crossbar never answers CANCEL in mode skip.
// Hundreds of such calls leave nothing behind.
func TestSilentSkipLeavesNothing(t *testing.T) {
	c := cell{"raw", codec.CBOR}
	p := joinPartner(t, c)
	s := c.join(t)
	var streams []wamp.Results
	ctx, cancel := context.WithCancel(limit(t))
	for range 300 {
		streams = append(streams, s.Call(ctx, p.prefix+"slow", wamp.Args(1000), wamp.CancelMode(wamp.Skip)))
	}
	p.running(t, 300)
	cancel()
	for _, r := range streams {
		if _, err := r.Final(); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
	}
	idle(t, s)
	p.running(t, 0)
	idle(t, s)
}

// TestQuickstart runs the README's program against the router.
func TestQuickstart(t *testing.T) {
	root := filepath.Join(rig.source, "..", "..")
	binary := filepath.Join(t.TempDir(), "quickstart")
	build := exec.Command("go", "build", "-o", binary, "./docs/examples/quickstart")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, kind := range []string{"ws", "raw", "unix"} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		run := exec.CommandContext(ctx, binary, "-url", rig.URLs[kind], "-realm", realm)
		run.Dir = root
		out, err := run.CombinedOutput()
		cancel()
		if err != nil || !bytes.Contains(out, []byte(realm)) || !bytes.Contains(out, []byte("progress")) {
			t.Errorf("%s: %v\n%s", kind, err, out)
		} else if kind == "ws" {
			t.Logf("go run ./docs/examples/quickstart -url %s -realm %s\n%s", rig.URLs[kind], realm, out)
		}
	}
}
