package hostile_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

type badWriter func()

func (f badWriter) Write(p []byte) (int, error) { f(); return len(p), nil }

type badReader func()

func (f badReader) Read(p []byte) (int, error) { f(); return len(p), nil }

type badCache struct{ get, put func() }

func (c badCache) Get(string) (*tls.ClientSessionState, bool) { c.get(); return nil, false }
func (c badCache) Put(string, *tls.ClientSessionState)        { c.put() }

// What a user has put into a TLS configuration is called on goroutines of others,
// and while a connection is read: what slips there is a connection that fails, or
// as good as not there.
func TestTLSConfigThatSlips(t *testing.T) {
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	nothing := func() {}
	for how, slip := range map[string]func(){"panics": func() { panic("a slip") }, "goexits": runtime.Goexit} {
		for what, tt := range map[string]struct {
			set   func(*tls.Config)
			fails bool
		}{
			"KeyLogWriter": {func(c *tls.Config) { c.KeyLogWriter = badWriter(slip) }, true},
			"Rand":         {func(c *tls.Config) { c.Rand = badReader(slip) }, true},
			"Time":         {func(c *tls.Config) { c.Time = func() time.Time { slip(); return time.Time{} } }, false},
			"cache, Get":   {func(c *tls.Config) { c.ClientSessionCache = badCache{slip, nothing} }, false},
			"cache, Put":   {func(c *tls.Config) { c.ClientSessionCache = badCache{nothing, slip} }, false},
			"Verify":       {func(c *tls.Config) { c.VerifyConnection = func(tls.ConnectionState) error { slip(); return nil } }, true},
		} {
			for _, kind := range []string{"wss", "tcps"} {
				t.Run(what+" "+how+" "+kind, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					listen := func() (string, error) { return r.ListenRawSocket("tcp", "", wamptest.WithTLS(server)) }
					if kind == "wss" {
						listen = func() (string, error) { return r.ListenWebSocket("", wamptest.WithTLS(server)) }
					}
					address, err := listen()
					if err != nil {
						t.Fatal(err)
					}
					cfg := client.Clone()
					tt.set(cfg)
					s, err := wamp.Connect(within(t, 20*time.Second), address, "realm1", wamp.WithTLS(cfg))
					if (err != nil) != tt.fails || errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err)
					}
					if err == nil {
						answers(t, s)
						closeIt(t, s)
					}
				})
			}
		}
	}
}

type emptyConn struct{ net.Conn }

func (emptyConn) Read([]byte) (int, error) { return 0, nil }

// A connection that reads nothing, again and again, is one that is lost.
func TestConnectionThatReadsNothing(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	go func() { _, _ = io.Copy(io.Discard, b) }()
	p, _ := transport.ProtocolByName("wamp.2.cbor")
	conn := transport.NewRawSocket(emptyConn{a}, p, 1<<20, 1<<20)
	if err := endsWithin(t, "Read", time.Minute, func() error { _, err := conn.Read(); return err }); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
	_ = conn.CloseNow()
}
