//go:build !js

package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// stuck is a net.Conn of the worst sort: what is set in block does not return
// before release is closed, whatever is closed meanwhile.
type stuck struct {
	net.Conn
	read, write, close func() // called first; nil: the call goes through
}

func (c *stuck) Read(p []byte) (int, error) {
	if c.read != nil {
		c.read()
	}
	return c.Conn.Read(p)
}

func (c *stuck) Write(p []byte) (int, error) {
	if c.write != nil {
		c.write()
	}
	return c.Conn.Write(p)
}

func (c *stuck) Close() error {
	if c.close != nil {
		c.close()
	}
	return c.Conn.Close()
}

// mishaps are what a call of somebody's code may do in the place of returning.
// The goroutines end with release.
func mishaps(release <-chan struct{}) map[string]func() {
	return map[string]func(){
		"blocks": func() { <-release },
		"panics": func() { panic("a slip") },
		"exits":  runtime.Goexit,
		"fails":  nil,
	}
}

// took is how long f takes, in the bubble's time.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// Whatever a net.Conn does, CloseNow returns within a second, and then so do
// Read, Write and Ping. Close returns with its context.
func TestRawSocketOverBadConn(t *testing.T) {
	for _, call := range []string{"read", "write", "close", "all"} {
		for _, fault := range []string{"blocks", "panics", "exits"} {
			for _, ending := range []string{"CloseNow", "Close", "Close ended", "both"} {
				t.Run(call+" "+fault+"/"+ending, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						a, b := net.Pipe()
						release := make(chan struct{})
						f := mishaps(release)[fault]
						conn := &stuck{Conn: b}
						if call == "read" || call == "all" {
							conn.read = f
						}
						if call == "write" || call == "all" {
							conn.write = f
						}
						if call == "close" || call == "all" {
							conn.close = f
						}
						c := transport.NewRawSocket(conn, transport.Protocols()[0], 0, 0)
						reads := readAll(c)
						writes := background(func() error {
							for {
								if err := c.Write(batch(payload(1000))); err != nil {
									return err
								}
							}
						})
						ping := background(func() error { return c.Ping(context.Background()) })
						synctest.Wait()
						ended, cancel := context.WithCancel(t.Context())
						cancel()
						limit := time.Second
						d := took(func() {
							switch ending {
							case "CloseNow":
								_ = c.CloseNow()
							case "Close":
								ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
								defer cancel()
								limit = 4 * time.Second // a Write under way is waited for
								_ = c.Close(ctx)
							case "Close ended":
								limit = time.Second + 50*time.Millisecond
								_ = c.Close(ended)
							case "both":
								done := background(func() error { return c.Close(context.Background()) })
								_ = c.CloseNow()
								<-done
							}
						})
						if d > limit {
							t.Errorf("took %v", d)
						}
						synctest.Wait()
						for name, done := range map[string]<-chan error{"Read": reads, "Write": writes, "Ping": ping} {
							select {
							case err := <-done:
								if err == nil {
									t.Errorf("%s: no error", name)
								}
							default:
								t.Errorf("%s has not returned", name)
							}
						}
						close(release)
						_ = a.Close()
						_ = b.Close()
					})
				})
			}
		}
	}
}

// What a broken conn says about counts is not believed.
func TestRawSocketOverLyingConn(t *testing.T) {
	for name, n := range map[string]int{"more": 1 << 30, "less than none": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := transport.NewRawSocket(lying{n: n}, transport.Protocols()[0], 0, 0)
				if transport.Private(c) { // its RemoteAddr panics
					t.Error("private")
				}
				if m, err := c.Read(); err == nil {
					t.Errorf("read %d bytes", len(m))
				}
				if err := c.Write(batch([]byte("x"))); err == nil {
					t.Error("written")
				}
				_ = c.CloseNow()
			})
		})
	}
}

type lying struct {
	net.Conn
	n int
}

func (l lying) Read([]byte) (int, error)  { return l.n, nil }
func (l lying) Write([]byte) (int, error) { return l.n, nil }
func (l lying) Close() error              { return nil }

// A conn of the user's that behaves carries what one of package net does.
func TestRawSocketOverForeignConn(t *testing.T) {
	a, b := net.Pipe()
	client := transport.NewRawSocket(&stuck{Conn: a}, transport.Protocols()[0], 0, 0)
	server := transport.NewRawSocket(&stuck{Conn: b}, transport.Protocols()[0], 0, 0)
	closeAtEnd(t, client, server)
	pass(t, client, server, payload(10), payload(200_000), nil, payload(1))
	pass(t, server, client, payload(300_000), payload(70_000))
	reads := readAll(server)
	clientReads := readAll(client)
	if err := client.Ping(bound(t)); err != nil {
		t.Error(err)
	}
	if err := client.Close(bound(t)); err != nil {
		t.Error(err)
	}
	var ce *transport.CloseError
	if err := within(t, reads, "Read"); !errors.As(err, &ce) {
		t.Error(err)
	}
	within(t, clientReads, "Read")
}

// badSocket is a WebSocket library whose calls do not return, panic or end
// their goroutine.
type badSocket struct {
	mu    sync.Mutex
	calls map[string]func()
	end   chan struct{}
	once  sync.Once
}

func (s *badSocket) call(name string) error {
	s.mu.Lock()
	f := s.calls[name]
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	f()
	return errors.New(name + " has failed")
}

func (s *badSocket) Reader(ctx context.Context) (int, io.Reader, error) {
	if err := s.call("Reader"); err != nil {
		return 0, nil, err
	}
	select {
	case <-ctx.Done():
	case <-s.end:
	}
	return 0, nil, net.ErrClosed
}

func (s *badSocket) Write(context.Context, int, []byte) error { return s.call("Write") }

func (s *badSocket) Ping(ctx context.Context) error {
	if err := s.call("Ping"); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-s.end:
	}
	return net.ErrClosed
}

func (s *badSocket) Close(int, string) error {
	err := s.call("Close")
	s.once.Do(func() { close(s.end) })
	return err
}

func (s *badSocket) CloseNow() error {
	err := s.call("CloseNow")
	s.once.Do(func() { close(s.end) })
	return err
}

func (s *badSocket) SetReadLimit(int64)  {}
func (s *badSocket) Subprotocol() string { return "wamp.2.cbor" }

// Whatever a library does, CloseNow returns within a second, and so do Read,
// Write and Ping; Close a second after its context.
func TestWebSocketOverBadLibrary(t *testing.T) {
	for _, call := range []string{"Reader", "Write", "Ping", "Close", "CloseNow", "all"} {
		for _, fault := range []string{"blocks", "panics", "exits", "fails"} {
			for _, ending := range []string{"CloseNow", "Close", "Close ended", "Close without end"} {
				t.Run(call+" "+fault+"/"+ending, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						release := make(chan struct{})
						f := mishaps(release)[fault]
						if f == nil {
							f = func() {}
						}
						ws := &badSocket{calls: map[string]func(){call: f}, end: make(chan struct{})}
						if call == "all" {
							for _, name := range []string{"Reader", "Write", "Ping", "Close", "CloseNow"} {
								ws.calls[name] = f
							}
						}
						c, err := transport.WebSocket(ws)
						if err != nil {
							t.Fatal(err)
						}
						reads := readAll(c)
						writes := background(func() error { return c.Write(batch(payload(10))) })
						ping := background(func() error { return c.Ping(context.Background()) })
						synctest.Wait()
						ended, cancel := context.WithCancel(t.Context())
						cancel()
						limit := time.Second
						d := took(func() {
							switch ending {
							case "CloseNow":
								_ = c.CloseNow()
							case "Close":
								ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
								defer cancel()
								limit += 3 * time.Second
								_ = c.Close(ctx)
							case "Close ended":
								limit += 50 * time.Millisecond
								_ = c.Close(ended)
							case "Close without end":
								limit += 10 * time.Second
								_ = c.Close(context.Background())
							}
						})
						if d > limit {
							t.Errorf("took %v", d)
						}
						synctest.Wait()
						for name, done := range map[string]<-chan error{"Read": reads, "Write": writes, "Ping": ping} {
							select {
							case err := <-done:
								if err == nil && (name != "Write" || call == "Write" || call == "all") {
									t.Errorf("%s: no error", name)
								}
							default:
								t.Errorf("%s has not returned", name)
							}
						}
						if _, err := c.Read(); err == nil {
							t.Error("Read after the end")
						}
						if err := c.Close(ended); err != nil && fault != "blocks" {
							t.Errorf("second Close: %v", err)
						}
						close(release)
					})
				})
			}
		}
	}
}

// webSocketOverPipe is a connection in fake time, and its far end.
func webSocketOverPipe(t testing.TB) (transport.Conn, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	upgraded := make(chan struct{})
	go func() {
		upgrades("wamp.2.cbor")(b)
		close(upgraded)
	}()
	c, err := transport.DialWebSocket(t.Context(), "ws://router.example/ws", transport.Protocols(), transport.WebSocketOptions{
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		Dial:  func(context.Context, string, string) (net.Conn, error) { return a, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	<-upgraded
	return c, b
}

// Once a write has failed, closing does not wait for anything.
func TestCloseAfterFailedWrite(t *testing.T) {
	for name, connect := range map[string]func(testing.TB) (transport.Conn, net.Conn){
		"websocket": webSocketOverPipe,
		"rawsocket": func(testing.TB) (transport.Conn, net.Conn) {
			a, b := net.Pipe()
			return transport.NewRawSocket(a, transport.Protocols()[0], 0, 0), b
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, far := connect(t)
				_ = far.Close()
				_, _ = c.Read()
				d := took(func() {
					for range 3 {
						if err := c.Write(batch([]byte("x"))); err == nil {
							t.Error("written")
						}
					}
					_ = c.Close(context.Background())
				})
				if d > 0 {
					t.Errorf("took %v", d)
				}
			})
		})
	}
}

// Ends of a WebSocket and of a RawSocket whose peers do not take part, in fake
// time: what bounds them are timers.
func TestEndsInFakeTime(t *testing.T) {
	cbor := transport.Protocols()[0]
	rawSocket := func(testing.TB) (transport.Conn, net.Conn) {
		a, b := net.Pipe()
		return transport.NewRawSocket(a, cbor, 0, 0), b
	}
	peers := map[string]func(net.Conn){
		"does not read": func(net.Conn) {},
		"only reads":    func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
		"half a frame": func(conn net.Conn) {
			_, _ = conn.Write([]byte{0x82, 0x7e, 1})
			_, _ = io.Copy(io.Discard, conn)
		},
	}
	for name, connect := range map[string]func(testing.TB) (transport.Conn, net.Conn){"websocket": webSocketOverPipe, "rawsocket": rawSocket} {
		for what, peer := range peers {
			for _, busy := range []bool{false, true} {
				for ending, tt := range map[string]struct {
					end   func(transport.Conn)
					limit time.Duration
				}{
					"CloseNow": {func(c transport.Conn) { _ = c.CloseNow() }, 0},
					"Close": {func(c transport.Conn) {
						ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
						defer cancel()
						_ = c.Close(ctx)
					}, 2 * time.Second},
					"Close ended": {func(c transport.Conn) {
						ctx, cancel := context.WithCancel(context.Background())
						cancel()
						_ = c.Close(ctx)
					}, 50 * time.Millisecond},
					"Close without end": {func(c transport.Conn) { _ = c.Close(context.Background()) }, 10 * time.Second},
					"twice": {func(c transport.Conn) {
						done := background(func() error { return c.Close(context.Background()) })
						synctest.Wait()
						_ = c.Close(context.Background())
						<-done
					}, 10 * time.Second},
				} {
					t.Run(name+"/"+what+"/"+ending, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							c, far := connect(t)
							go peer(far)
							reads := readAll(c)
							writes := make(<-chan error)
							if busy {
								writes = background(func() error {
									for {
										if err := c.Write(batch(payload(100_000))); err != nil {
											return err
										}
										time.Sleep(time.Millisecond)
									}
								})
							}
							synctest.Wait()
							if d := took(func() { tt.end(c) }); d > tt.limit {
								t.Errorf("took %v", d)
							}
							synctest.Wait()
							select {
							case <-reads:
							default:
								t.Error("Read has not returned")
							}
							if busy {
								time.Sleep(time.Millisecond)
								synctest.Wait()
								select {
								case <-writes:
								default:
									t.Error("Write has not returned")
								}
							}
							_ = far.Close()
						})
					})
				}
			}
		}
	}
}
