package authn_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

// tlsPair returns what both ends of a real TLS connection know of it.
func tlsPair(t *testing.T, version uint16) (client, server tls.ConnectionState) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"test"}}
	key := seed(5)
	der, err := x509.CreateCertificate(rand.Reader, template, template, public(key), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	a, b := net.Pipe()
	c := tls.Client(a, &tls.Config{RootCAs: pool, ServerName: "test", MinVersion: version, MaxVersion: version})
	s := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}}, MinVersion: version, MaxVersion: version})
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if version == tls.VersionTLS13 { // the server's ticket waits to be read
		go func() { _, _ = c.Read(make([]byte, 1)) }()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState(), s.ConnectionState()
}

// Both ends of a connection get the same out of it, and a login over it needs
// both to be of that connection.
func TestChannelBinding(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version uint16
		binding authn.Binding
		ok      bool
	}{
		{"exporter, TLS 1.3", tls.VersionTLS13, authn.TLSExporter, true},
		{"exporter, TLS 1.2", tls.VersionTLS12, authn.TLSExporter, true},
		{"unique, TLS 1.2", tls.VersionTLS12, authn.TLSUnique, true},
		{"unique, TLS 1.3", tls.VersionTLS13, authn.TLSUnique, false},
		{"certificate, TLS 1.3", tls.VersionTLS13, authn.TLSServerEndPoint, true},
		{"unknown", tls.VersionTLS13, "tls-other", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := tlsPair(t, tt.version)
			info := authn.JoinInfo{Realm: "realm1", Private: true, TLS: &client}
			atServer := func(cs *tls.ConnectionState) func(authn.Binding) ([]byte, error) {
				return func(b authn.Binding) ([]byte, error) {
					if b == authn.TLSServerEndPoint {
						return accept.EndPoint(client.PeerCertificates[0]), nil
					}
					return authn.BindingData(cs, b)
				}
			}
			scram := authn.SCRAM("joe", "password", authn.BindChannel(tt.binding))
			sign := authn.Cryptosign("joe", seed(1), authn.BindChannel(tt.binding), authn.RouterKey(public(seed(9))))
			if !tt.ok {
				for _, auth := range []authn.Authenticator{scram, sign} {
					if _, err := auth.Begin(t.Context(), info); !is[*authn.BindingError](err) || !errors.Is(err, authn.ErrUnusable) {
						t.Errorf("%v: %v", auth, err)
					}
				}
				return
			}
			play := func(cs *tls.ConnectionState) error {
				a, h := begin(t, scram, info)
				s, err := accept.SCRAM(record(t, "password", cheap), h, atServer(cs))
				if err != nil {
					t.Fatal(err)
				}
				r, err := a.Challenge(t.Context(), s.Challenge())
				if err != nil {
					t.Fatal(err)
				}
				extra, err := s.Verify(r)
				if err != nil {
					return err
				}
				return a.Welcome(welcome(extra))
			}
			if err := play(&server); err != nil {
				t.Error(err)
			}
			_, other := tlsPair(t, tt.version)
			if err := play(&other); tt.binding != authn.TLSServerEndPoint && !errors.Is(err, accept.ErrProof) {
				t.Errorf("SCRAM over another connection: %v", err)
			}
			if tt.binding == authn.TLSServerEndPoint {
				if _, err := sign.Begin(t.Context(), info); !is[*authn.BindingError](err) {
					t.Errorf("cryptosign: %v", err)
				}
				return
			}
			a, h := begin(t, sign, info)
			s, err := accept.Cryptosign(h, seed(9), func(b authn.Binding) ([]byte, error) { return authn.ChannelID(&server, b) })
			if err != nil {
				t.Fatal(err)
			}
			r, err := a.Challenge(t.Context(), s.Challenge())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Verify(r); err != nil {
				t.Error(err)
			}
			// Somebody in the middle has another connection to the client.
			a, h = begin(t, sign, info)
			s, err = accept.Cryptosign(h, seed(9), func(b authn.Binding) ([]byte, error) { return authn.ChannelID(&other, b) })
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Challenge(t.Context(), s.Challenge()); !is[*authn.RouterError](err) {
				t.Errorf("cryptosign over another connection: %v", err)
			}
		})
	}
}

// A router that does not take part, and a list of bindings.
func TestBindingDropped(t *testing.T) {
	client, _ := tlsPair(t, tls.VersionTLS13)
	info := authn.JoinInfo{Realm: "realm1", Private: true, TLS: &client}
	challenge := authn.Challenge{Method: "cryptosign", Extra: dict("challenge", hex.EncodeToString(make([]byte, 32)))}
	for _, tt := range []struct {
		name   string
		list   []authn.Binding
		router any
		want   func(error) bool
	}{
		{"dropped", []authn.Binding{authn.TLSUnique, authn.TLSExporter}, nil, is[*authn.BindingError]},
		{"another", []authn.Binding{authn.TLSExporter}, "tls-unique", is[*authn.BindingError]},
		{"another, though none would do", []authn.Binding{authn.TLSExporter, authn.NoBinding}, "tls-unique", is[*authn.BindingError]},
		{"dropped where none will do", []authn.Binding{authn.TLSExporter, authn.NoBinding}, nil, func(err error) bool { return err == nil }},
		{"kept", []authn.Binding{authn.TLSUnique, authn.TLSExporter}, "tls-exporter", func(err error) bool { return err == nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, h := begin(t, authn.Cryptosign("", seed(1), authn.BindChannel(tt.list...)), info)
			if h.Extra["channel_binding"] != "tls-exporter" {
				t.Errorf("asked for %v", h.Extra["channel_binding"])
			}
			c := challenge
			c.Extra = c.Extra.With("channel_binding", tt.router)
			_, err := a.Challenge(t.Context(), c)
			if !tt.want(err) || errors.Is(err, authn.ErrUnusable) {
				t.Errorf("%v", err)
			}
		})
	}
	// without TLS
	for _, auth := range []authn.Authenticator{authn.SCRAM("joe", "p", authn.BindChannel(authn.TLSExporter)), authn.Cryptosign("", seed(1), authn.BindChannel(authn.TLSExporter))} {
		if _, err := auth.Begin(t.Context(), joe); !is[*authn.BindingError](err) {
			t.Errorf("%v without TLS: %v", auth, err)
		}
	}
	_, h := begin(t, authn.SCRAM("joe", "p", authn.BindChannel(authn.TLSExporter, authn.NoBinding)), joe)
	if v, ok := h.Extra["channel_binding"]; v != nil || !ok {
		t.Errorf("without TLS: %v", h.Extra)
	}
	if _, err := authn.SCRAM("joe", "p", authn.CrossbarDialect(), authn.BindChannel(authn.TLSUnique)).Begin(t.Context(), info); !is[*authn.ConfigError](err) {
		t.Errorf("Crossbar: %v", err)
	}
}

// The Finished message has 12 bytes, cryptosign binds with 32.
func TestChannelID(t *testing.T) {
	a, _ := tlsPair(t, tls.VersionTLS12)
	x, err := authn.ChannelID(&a, authn.TLSUnique)
	if err != nil || len(x) != 32 || bytes.Equal(x[:12], a.TLSUnique) {
		t.Errorf("%x, %v", x, err)
	}
}
