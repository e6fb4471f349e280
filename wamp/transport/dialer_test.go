//go:build !js

package transport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// What holds for all addresses reaches each; where it is not set, what is said for
// WebSockets holds there.
func TestDialOptions(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	serverTLS, trusting := testTLS(t)
	ch := make(chan accepted, 1)
	web, _ := serveHTTP(t, wsOptions{secure: true}, func(w http.ResponseWriter, r *http.Request) {
		c, err := transport.AcceptWebSocket(w, r, []transport.Protocol{cbor}, transport.AcceptOptions{})
		ch <- accepted{c, err}
	})
	raw := "tcps://" + serve(t, "tcp", func(conn net.Conn) {
		c, err := transport.AcceptRawSocket(context.Background(), tls.Server(conn, serverTLS), only(cbor), transport.RawSocketOptions{})
		if err == nil { // else it is not trusted
			ch <- accepted{c, nil}
		}
	}).Addr().String()
	for name, tt := range map[string]struct {
		opts     transport.DialOptions
		web, raw bool // let in
		limit    bool // of 600 bytes
	}{
		"nothing":           {},
		"for all":           {transport.DialOptions{TLS: trusting, MaxReceive: 600}, true, true, true},
		"for all, in front": {transport.DialOptions{TLS: trusting, MaxReceive: 600, WebSocket: transport.WebSocketOptions{TLS: &tls.Config{}, ReadLimit: 800}}, true, true, true},
		"no limit":          {transport.DialOptions{TLS: trusting}, true, true, false},
		"for WebSockets":    {transport.DialOptions{WebSocket: transport.WebSocketOptions{TLS: trusting, ReadLimit: 600}}, true, false, true},
	} {
		for rawURL, want := range map[string]bool{web: tt.web, raw: tt.raw} {
			a, err := transport.ParseAddress(rawURL)
			if err != nil {
				t.Fatal(err)
			}
			c, err := a.Dialer(tt.opts)(bound(t), []transport.Protocol{cbor})
			var untrusted *tls.CertificateVerificationError
			if (err == nil) != want || err != nil && !errors.As(err, &untrusted) {
				t.Errorf("%s, %v: %v", name, a, err)
			}
			if err != nil {
				continue
			}
			server := await(t, ch)
			closeAtEnd(t, c, server)
			sent := background(func() error { return server.Write(batch(payload(700))) })
			read := background(func() error { _, err := c.Read(); return err })
			if a.WebSocket() {
				err = within(t, read, "Read")
			} else { // the peer knows it
				err = within(t, sent, "Write")
			}
			if (err != nil) != tt.limit {
				t.Errorf("%s, %v: 700 bytes: %v", name, a, err)
			}
		}
	}
}

// What was agreed on as batched is offered to a RawSocket in its plain form, once.
func TestRawSocketTakesNoBatches(t *testing.T) {
	cbor, json := protocol(t, "wamp.2.cbor"), protocol(t, "wamp.2.json")
	ch := make(chan accepted, 1)
	var offered []byte
	ln := serve(t, "tcp", func(conn net.Conn) {
		c, err := transport.AcceptRawSocket(context.Background(), conn, func(id byte) (transport.Protocol, bool) {
			offered = append(offered, id)
			return json, id == json.RawSocketID
		}, transport.RawSocketOptions{})
		if err == nil {
			ch <- accepted{c, nil}
		}
	})
	a, err := transport.ParseAddress("tcp://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Dialer(transport.DialOptions{})(bound(t), []transport.Protocol{
		protocol(t, "wamp.2.cbor.batched"), cbor, {Name: "wamp.2.ubjson.batched", Batched: true}, protocol(t, "wamp.2.json.batched")})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, c, await(t, ch))
	if c.Protocol() != json || !slices.Equal(offered, []byte{cbor.RawSocketID, json.RawSocketID}) {
		t.Errorf("%v, offered %v", c.Protocol(), offered)
	}
}
