package wamptest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A listener that hangs up on PING serves everything else, whatever it looks
// like, and what stands before the PING.
func TestPingHangUp(t *testing.T) {
	server, clientTLS, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		router []wamptest.Option
		listen []wamptest.ListenOption
		tls    *tls.Config
		pings  bool
	}{
		"option":   {nil, []wamptest.ListenOption{wamptest.WithPingHangUp()}, nil, false},
		"TLS":      {nil, []wamptest.ListenOption{wamptest.WithPingHangUp(), wamptest.WithTLS(server)}, clientTLS, false},
		"Crossbar": {[]wamptest.Option{wamptest.CrossbarQuirks()}, nil, nil, false},
		"default":  {nil, nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := wamptest.NewRouter(t, tt.router...)
			url, err := r.ListenRawSocket("tcp", "", tt.listen...)
			if err != nil {
				t.Fatal(err)
			}
			c := dial(t, rawDialer(url, tt.tls, 0), "cbor")
			c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
			c.subscribe("com.example.topic")
			for size := range 600 { // frames begin everywhere in what is read at once
				c.publish("com.example.topic", options("exclude_me", false), []byte(strings.Repeat("\x01\x00", size)))
			}
			c.publish("com.example.topic", options("exclude_me", false), make([]byte, 1<<20))
			for range 601 {
				c.expect(proto.Event)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			pong := make(chan error, 1)
			c.publish("com.example.other", nil)
			go func() { pong <- c.conn.Ping(ctx) }()
			if tt.pings {
				if err := <-pong; err != nil {
					t.Error(err)
				}
			} else {
				c.expectEnd()
				cancel()
				if err := <-pong; err == nil {
					t.Error("a pong")
				}
			}
			if s := r.Stats(); s.Received[proto.Publish] != 602 {
				t.Errorf("%d publishes", s.Received[proto.Publish])
			}
		})
	}
}

// The state of TLS lies under the trap, and a login sees it.
func TestPingHangUpWithTLSLogin(t *testing.T) {
	server, clientTLS, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	joe, err := wamptest.LocalIdentity("joe")
	if err != nil {
		t.Fatal(err)
	}
	server.ClientAuth, clientTLS.Certificates = tls.RequestClientCert, []tls.Certificate{joe}
	r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.TLS(func(cert *x509.Certificate, _ string) (authid, role string, ok bool) {
		return cert.Subject.CommonName, "user", true
	})))
	url, err := r.ListenRawSocket("tcp", "", wamptest.WithPingHangUp(), wamptest.WithTLS(server))
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, rawDialer(url, clientTLS, 0), "cbor")
	w := c.hello("realm1", proto.Entry{Key: "roles", Value: roles()}, proto.Entry{Key: "authmethods", Value: []string{"tls"}})
	if w.Options.Str("authid") != "joe" {
		t.Errorf("%v", w.Options.Map())
	}
}

// A link in memory has pings like a WebSocket.
func TestPingsInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		if err := c.conn.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	}, wamptest.CrossbarQuirks())
}
