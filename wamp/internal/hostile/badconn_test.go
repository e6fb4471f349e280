package hostile_test

import (
	"context"
	"crypto/tls"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// slippingConn is a connection of the user's, of which a method slips once it
// is armed.
type slippingConn struct {
	transport.Conn
	method string
	armed  atomic.Bool
	slip   func()
}

func (c *slippingConn) do(method string) {
	if c.method == method && c.armed.Load() {
		c.slip()
	}
}

func (c *slippingConn) Protocol() transport.Protocol { c.do("Protocol"); return c.Conn.Protocol() }
func (c *slippingConn) Buffered() bool               { c.do("Buffered"); return c.Conn.Buffered() }
func (c *slippingConn) MaxSend() int                 { c.do("MaxSend"); return c.Conn.MaxSend() }
func (c *slippingConn) TLS() *tls.ConnectionState    { c.do("TLS"); return c.Conn.TLS() }
func (c *slippingConn) Private() bool                { c.do("Private"); return true }
func (c *slippingConn) RiskyPing() bool              { c.do("RiskyPing"); return false }
func (c *slippingConn) Ping(ctx context.Context) error {
	c.do("Ping")
	return c.Conn.Ping(ctx)
}

func (c *slippingConn) Read() ([]byte, error) {
	b, err := c.Conn.Read()
	c.do("Read")
	return b, err
}

func (c *slippingConn) Write(b *transport.Batch) error { c.do("Write"); return c.Conn.Write(b) }
func (c *slippingConn) Close(ctx context.Context) error {
	defer c.do("Close")
	return c.Conn.Close(ctx)
}

func (c *slippingConn) CloseNow() error {
	defer c.do("CloseNow")
	return c.Conn.CloseNow()
}

var connMethods = []string{"Protocol", "Buffered", "MaxSend", "TLS", "Private", "RiskyPing", "Ping", "Read", "Write", "Close", "CloseNow"}

// A user's connection that panics, or calls runtime.Goexit, is a link that is
// lost, or an attempt that failed; the next one is as good as ever.
func TestConnectionsThatSlip(t *testing.T) {
	for name, slip := range map[string]func(){"panics": func() { panic("a slip") }, "goexits": runtime.Goexit} {
		for _, method := range connMethods {
			for when, early := range map[string]bool{"joining": true, "joined": false} {
				t.Run(method+" "+name+"/"+when, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var log logged
						r := wamptest.NewRouter(t)
						n := 0
						c := &slippingConn{method: method, slip: slip}
						policy := quick()
						policy.Initial = true
						s, err := wamp.Connect(within(t, time.Minute), "", "realm1", log.Option(), wamp.WithReconnect(policy), wamp.WithTransport(
							func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
								conn, err := r.Dial(ctx, p)
								if n++; n > 1 || err != nil {
									return conn, err
								}
								c.Conn = conn
								c.armed.Store(early)
								return c, nil
							}), wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second}))
						if err != nil {
							t.Fatal(err)
						}
						handle(t, s, "com.example.echo", echo)
						c.armed.Store(true)
						_, _ = s.Call(within(t, time.Second), "com.example.echo", wamp.Args(1)).Final()
						<-time.After(10 * time.Second)
						alive(t, s)
						if err := endsWithin(t, "Close", 2*time.Second, func() error { return s.Close(context.Background()) }); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	}
}

// What is no connection is a failed attempt.
func TestNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		for name, conn := range map[string]transport.Conn{
			"nil": nil, "a nil pointer": (*slippingConn)(nil), "a Conn without one": &slippingConn{}, "a struct": struct{ transport.Conn }{},
		} {
			dial := func(context.Context, []transport.Protocol) (transport.Conn, error) { return conn, nil }
			if _, err := wamp.Connect(within(t, time.Minute), "", "realm1", wamp.WithTransport(dial)); err == nil {
				t.Errorf("%s: connected", name)
			}
			n := 0
			s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithReconnect(quick()), wamp.WithTransport(
				func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
					if n++; n > 1 && n < 4 {
						return conn, nil
					}
					return r.Dial(ctx, p)
				}))
			if err != nil {
				t.Fatal(err)
			}
			id := s.ID()
			r.Cut(id)
			<-time.After(time.Minute)
			if s.ID() == id || s.Err() != nil {
				t.Errorf("%s: it did not come back: %v", name, s.Err())
			}
			closeIt(t, s)
		}
	})
}

// Code of the user's that does not return, and does not look at its context, is
// left behind: the attempt has failed.
func TestProvidersThatBlock(t *testing.T) {
	for _, what := range []string{"dialer", "provider", "Random", "Redial"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("t")))
				never := make(chan struct{})
				var mu sync.Mutex // what was left behind goes on beside what came after
				calls := map[string]int{}
				block := func(of string, n int) {
					mu.Lock()
					calls[of]++
					now := of == what && calls[of] == n
					mu.Unlock()
					if now {
						<-never
					}
				}
				policy := quick()
				policy.Random = func() float64 { block("Random", 1); return 0.5 }
				policy.Redial = func(error) bool { block("Redial", 1); return true }
				s, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithReconnect(policy), log.Option(),
					wamp.WithAuth(authn.Ticket("joe", func(context.Context, authn.Request) (string, error) { block("provider", 2); return "t", nil })),
					wamp.WithTransport(func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
						block("dialer", 2)
						return r.Dial(ctx, p)
					}))
				if err != nil {
					t.Fatal(err)
				}
				id := s.ID()
				r.Cut(id)
				<-time.After(10 * time.Minute)
				if s.ID() == id || s.Err() != nil {
					t.Errorf("it did not come back: %v", s.Err())
				}
				if err := endsWithin(t, "Close", 2*time.Second, func() error { return s.Close(context.Background()) }); err != nil {
					t.Error(err)
				}
				close(never)
			})
			synctest.Test(t, func(t *testing.T) { // and at the first connection
				never := make(chan struct{})
				block := func(of string) {
					if of == what {
						<-never
					}
				}
				r := wamptest.NewRouter(t, wamptest.WithLogins(ticketLogin("t")))
				policy := quick()
				policy.Initial = true
				policy.Random = func() float64 { block("Random"); return 0.5 }
				policy.Redial = func(error) bool { block("Redial"); return true }
				n := 0
				err := endsWithin(t, "Connect", 11*time.Second, func() error {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					_, err := wamp.Connect(ctx, "", "realm1", wamp.WithReconnect(policy),
						wamp.WithAuth(authn.Ticket("joe", func(context.Context, authn.Request) (string, error) { block("provider"); return "t", nil })),
						wamp.WithTransport(func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
							block("dialer")
							if n++; what == "Random" || what == "Redial" {
								return nil, context.DeadlineExceeded
							}
							return r.Dial(ctx, p)
						}))
					return err
				})
				if err == nil {
					t.Error("connected")
				}
				close(never)
			})
		})
	}
}
