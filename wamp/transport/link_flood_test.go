//go:build !js

package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// rawPeer is a WebSocket server that upgrades requests and leaves the rest to
// the test.
func rawPeer(t testing.TB, p transport.Protocol, deflate bool, serverTLS *tls.Config) (address string, conns <-chan net.Conn) {
	t.Helper()
	ln := listen(t, "tcp")
	ch := make(chan net.Conn, 1)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if serverTLS != nil {
				conn = tls.Server(conn, serverTLS)
			}
			req, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				_ = conn.Close()
				continue
			}
			extension := ""
			if deflate {
				extension = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"
			}
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Protocol: %s\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
				p.Name, acceptKey(req.Header.Get("Sec-WebSocket-Key")), extension)
			ch <- conn
		}
	}()
	return ln.Addr().String(), ch
}

// dialRaw is a client of few words: it asks for an upgrade and leaves the rest
// to the test.
func dialRaw(t testing.TB, address string, p transport.Protocol) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	small(conn)
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", p.Name)
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		t.Fatal(err)
	}
	return conn
}

// small makes the system hold little for a connection, so that a flood shows
// soon. The buffer for what is read is the system's own affair: where it is set,
// small segments overrun it, are dropped, and TCP crawls.
func small(conn net.Conn) {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10)
}

// frame is a WebSocket frame. One of a client is masked, with a key of zeros.
func frame(masked bool, first byte, payload []byte) []byte {
	f := []byte{first, 0}
	switch n := len(payload); {
	case n < 126:
		f[1] = byte(n)
	case n < 1<<16:
		f[1] = 126
		f = binary.BigEndian.AppendUint16(f, uint16(n))
	default:
		f[1] = 127
		f = binary.BigEndian.AppendUint64(f, uint64(n))
	}
	if masked {
		f[1] |= 0x80
		f = append(f, 0, 0, 0, 0)
	}
	return append(f, payload...)
}

// frames reads WebSocket frames.
type frames struct{ r *bufio.Reader }

func (f frames) next() (first byte, payload []byte, err error) {
	var h [2]byte
	if _, err := io.ReadFull(f.r, h[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1] & 0x7f)
	more := map[uint64]int{126: 2, 127: 8}[n]
	if more > 0 {
		var b [8]byte
		if _, err := io.ReadFull(f.r, b[8-more:]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(b[:])
	}
	var key [4]byte
	if h[1]&0x80 != 0 {
		if _, err := io.ReadFull(f.r, key[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(f.r, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return h[0], payload, err
}

// A peer that pings and does not read is not read from any more once a mebibyte
// of pongs waits for it. When it reads it gets them all.
func TestPingFlood(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	serverTLS, clientTLS := testTLS(t)
	webSocketClient := func(secure bool) func(t *testing.T) (transport.Conn, net.Conn) {
		return func(t *testing.T) (transport.Conn, net.Conn) {
			config, scheme := serverTLS, "wss://"
			if !secure {
				config, scheme = nil, "ws://"
			}
			address, conns := rawPeer(t, cbor, false, config)
			opts := transport.WebSocketOptions{TLS: clientTLS, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				if err == nil {
					small(conn)
				}
				return conn, err
			}}
			c, err := transport.DialWebSocket(bound(t), scheme+address, []transport.Protocol{cbor}, opts)
			if err != nil {
				t.Fatal(err)
			}
			peer := <-conns
			small(peer)
			return c, peer
		}
	}
	ping := func(p []byte) []byte { return frame(false, 0x89, p) }
	for name, tt := range map[string]struct {
		connect func(t *testing.T) (transport.Conn, net.Conn)
		ping    func(payload []byte) []byte
		pongs   func(*bufio.Reader) func() ([]byte, error)
		size    int
		busy    bool // our writer is stalled too
	}{
		"ws":       {connect: webSocketClient(false), size: 125, ping: ping, pongs: pongsOf},
		"ws small": {connect: webSocketClient(false), size: 4, ping: ping, pongs: pongsOf},
		"ws busy":  {connect: webSocketClient(false), size: 125, busy: true, ping: ping},
		"wss":      {connect: webSocketClient(true), size: 125, ping: ping, pongs: pongsOf},
		"ws server": {size: 125, ping: func(p []byte) []byte { return frame(true, 0x89, p) }, pongs: pongsOf,
			connect: func(t *testing.T) (transport.Conn, net.Conn) {
				url, ch := serveOurs(t, cbor)
				conn := dialRaw(t, url[len("ws://"):len(url)-len("/ws")], cbor)
				return await(t, ch), conn
			}},
		"rawsocket": {size: 1000, pongs: rawPongsOf, ping: func(p []byte) []byte {
			return append(binary.BigEndian.AppendUint32(nil, 1<<24|uint32(len(p))), p...)
		}, connect: func(t *testing.T) (transport.Conn, net.Conn) {
			ln := listen(t, "tcp")
			peer, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			small(conn)
			small(peer)
			return transport.NewRawSocket(conn, cbor, 0, 0), peer
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, peer := tt.connect(t)
			defer peer.Close()
			closeAtEnd(t, c)
			reads := readAll(c)
			writes := make(<-chan error)
			if tt.busy {
				writes = stall(c)
			}
			const atMost = 64 << 20
			var sent, pings atomic.Int64
			var enough atomic.Bool
			atOnce := max(50, 32<<10/tt.size)
			wrote := background(func() error {
				var chunk []byte
				for !enough.Load() && sent.Load() < atMost {
					chunk = chunk[:0]
					for i := range atOnce {
						p := bytes.Repeat([]byte{'x'}, tt.size)
						binary.BigEndian.PutUint32(p, uint32(pings.Load())+uint32(i))
						chunk = append(chunk, tt.ping(p)...)
					}
					if _, err := peer.Write(chunk); err != nil {
						return err
					}
					sent.Add(int64(len(chunk)))
					pings.Add(int64(atOnce))
				}
				return nil
			})
			// A hundred thousand small pings take a busy machine a while.
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			for last := int64(-1); ctx.Err() == nil && (sent.Load() != last || last < transport.MaxPongs/2); {
				last = sent.Load()
				time.Sleep(500 * time.Millisecond)
			}
			enough.Store(true)
			if sent.Load() >= atMost {
				t.Fatal("it is read from without end")
			}
			select {
			case err := <-reads:
				t.Fatalf("Read: %v", err)
			default:
			}
			if tt.busy {
				_ = c.CloseNow()
				within(t, writes, "Write")
				within(t, reads, "Read")
				_ = peer.Close()
				within(t, wrote, "Write of the peer")
				return
			}
			// What one read brings may be above the bound, and small pings
			// make pongs three times as large.
			if n := transport.Queued(c); n > transport.MaxPongs+1<<18 || ctx.Err() != nil {
				t.Errorf("%d bytes wait, after %d", n, sent.Load())
			}
			var got atomic.Int64
			pongs := background(func() error {
				r := tt.pongs(bufio.NewReader(peer))
				for {
					p, err := r()
					if err != nil {
						return err
					}
					if len(p) != tt.size || binary.BigEndian.Uint32(p) != uint32(got.Load()) {
						return fmt.Errorf("pong %d is %x", got.Load(), p)
					}
					got.Add(1)
				}
			})
			// Millions of them fit into the sockets of some kernels: it may take as long as
			// they come.
			stands := time.Now().Add(patience)
			for last := int64(0); got.Load() != pings.Load() && time.Now().Before(stands); time.Sleep(time.Millisecond) {
				if n := got.Load(); n != last {
					last, stands = n, time.Now().Add(patience)
				}
			}
			if err := within(t, wrote, "Write of the peer"); err != nil {
				t.Fatal(err)
			}
			if got.Load() != pings.Load() {
				t.Errorf("%d pongs for %d pings", got.Load(), pings.Load())
			}
			_ = c.CloseNow()
			within(t, reads, "Read")
			within(t, pongs, "Read of the peer")
		})
	}
}

// pongsOf reads WebSocket frames that are pongs.
func pongsOf(r *bufio.Reader) func() ([]byte, error) {
	return func() ([]byte, error) {
		first, p, err := frames{r}.next()
		if err == nil && first != 0x8a {
			err = fmt.Errorf("a frame %x", first)
		}
		return p, err
	}
}

// rawPongsOf reads RawSocket frames that are pongs.
func rawPongsOf(r *bufio.Reader) func() ([]byte, error) {
	return func() ([]byte, error) {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, err
		}
		if head[0] != 2 {
			return nil, fmt.Errorf("a frame %x", head)
		}
		p := make([]byte, binary.BigEndian.Uint32(head[:])&0xffffff)
		_, err := io.ReadFull(r, p)
		return p, err
	}
}

// However long the peer of a flood does not read, the connection survives: the
// library gives the reading of a control frame five seconds, and it is not
// inside one that reading stops.
func TestPingFloodForLong(t *testing.T) {
	for _, size := range []int{60, 125} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := webSocketOverPipe(t)
			reads := readAll(c)
			const pings, at = 24_000, 1_000
			sent := background(func() error {
				p := bytes.Repeat(frame(false, 0x89, make([]byte, size)), at)
				for range pings / at {
					if _, err := peer.Write(p); err != nil {
						return err
					}
				}
				return nil
			})
			time.Sleep(time.Hour)
			select {
			case err := <-sent:
				t.Errorf("all was read, %v", err)
			case err := <-reads:
				t.Errorf("the connection has ended: %v", err)
			default:
			}
			r := frames{bufio.NewReader(peer)}
			for i := range pings {
				if first, p, err := r.next(); err != nil || first != 0x8a || len(p) != size {
					t.Fatalf("pong %d: %x, %d bytes, %v", i, first, len(p), err)
				}
			}
			_ = c.CloseNow()
			<-sent
			<-reads
			_ = peer.Close()
		})
	}
}

// A ping whose pong comes late is not taken for the answer to the next one.
func TestPingAfterALatePong(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	address, conns := rawPeer(t, cbor, false, nil)
	c, err := transport.DialWebSocket(bound(t), "ws://"+address, []transport.Protocol{cbor}, transport.WebSocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, c)
	reads := readAll(c)
	peer := <-conns
	defer peer.Close()
	r := frames{bufio.NewReader(peer)}
	ping := func(d time.Duration) (<-chan error, context.CancelFunc) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		return background(func() error { return c.Ping(ctx) }), cancel
	}
	const joins = 100 * time.Millisecond // more than enough for a Ping to begin
	expect := func() []byte {
		_ = peer.SetReadDeadline(time.Now().Add(patience))
		first, p, err := r.next()
		if err != nil || first != 0x89 {
			t.Fatalf("%x, %v: want a ping", first, err)
		}
		return p
	}
	first, cancel := ping(patience)
	early := expect()
	cancel()
	if err := within(t, first, "Ping"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	second, cancel := ping(patience)
	defer cancel()
	third, cancel := ping(patience)
	defer cancel()
	time.Sleep(joins) // both wait
	_, _ = peer.Write(frame(false, 0x8a, early))
	late := expect() // one ping for both
	select {
	case err := <-second:
		t.Fatalf("Ping came back with the pong of another: %v", err)
	case err := <-third:
		t.Fatalf("Ping came back with the pong of another: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	_, _ = peer.Write(frame(false, 0x8a, late))
	for _, done := range []<-chan error{second, third} {
		if err := within(t, done, "Ping"); err != nil {
			t.Error(err)
		}
	}
	// A pong that comes within the time is a sign of life, whose ever it is.
	first, cancel = ping(patience)
	early = expect()
	cancel()
	within(t, first, "Ping")
	second, cancel = ping(10 * joins)
	defer cancel()
	time.Sleep(joins)
	_, _ = peer.Write(frame(false, 0x8a, early))
	if err := within(t, second, "Ping"); err != nil {
		t.Errorf("Ping: %v, though a pong has come", err)
	}
	_ = c.CloseNow()
	within(t, reads, "Read")
}

// endedSoon is a context that has ended by the time that somebody looks twice.
type endedSoon struct {
	context.Context
	looks *int
}

func (c endedSoon) Err() error {
	if *c.looks++; *c.looks == 1 {
		return nil
	}
	return c.Context.Err()
}

// Pings of ours to a peer that does not read are bounded too.
func TestOwnPingsAreBounded(t *testing.T) {
	for name, connect := range map[string]connector{"rawsocket": rawSocket("tcp", false), "ws": webSocket(wsOptions{})} {
		t.Run(name, func(t *testing.T) {
			client, _ := connect(t, protocol(t, "wamp.2.cbor"))
			done := stall(client)
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			before := transport.Queued(client)
			for range 2 * transport.MaxPongs / 12 {
				if err := client.Ping(endedSoon{ended, new(int)}); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			if n := transport.Queued(client) - before; n > transport.MaxPongs+1<<10 {
				t.Errorf("%d bytes of pings wait", n)
			}
			_ = client.CloseNow()
			within(t, done, "Write")
		})
	}
}
