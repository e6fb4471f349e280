//go:build !js

package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// A server's frames are not masked and a client's are: anything else is refused.
func TestWhoMasks(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	for name, connect := range map[string]func(t *testing.T) (transport.Conn, net.Conn, bool){
		"client": func(t *testing.T) (transport.Conn, net.Conn, bool) {
			address, conns := rawPeer(t, cbor, false, nil)
			c, err := transport.DialWebSocket(bound(t), "ws://"+address, []transport.Protocol{cbor}, transport.WebSocketOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return c, <-conns, true
		},
		"server": func(t *testing.T) (transport.Conn, net.Conn, bool) {
			url, ch := serveOurs(t, cbor)
			conn := dialRaw(t, url[len("ws://"):len(url)-len("/ws")], cbor)
			return await(t, ch), conn, false
		},
	} {
		for _, op := range []byte{0x82, 0x89, 0x88} {
			t.Run(fmt.Sprintf("%s/%x", name, op), func(t *testing.T) {
				c, peer, masked := connect(t)
				closeAtEnd(t, c)
				defer peer.Close()
				_, _ = peer.Write(frame(!masked, 0x82, []byte("good")))
				mustRead(t, c, []byte("good"))
				_, _ = peer.Write(frame(masked, op, nil))
				var broken *transport.FrameError
				if m, err := c.Read(); !errors.As(err, &broken) {
					t.Fatalf("read %q, %v", m, err)
				}
				closed := background(func() error { return c.Close(bound(t)) })
				if first, p, err := (frames{bufio.NewReader(peer)}).next(); err != nil || first != 0x88 || binary.BigEndian.Uint16(p) != 1002 {
					t.Errorf("%x %x, %v: want a close frame with 1002", first, p, err)
				}
				_ = peer.Close()
				within(t, closed, "Close")
			})
		}
	}
}

// What stands behind a handshake in the same piece is not lost.
func TestFramesRightBehindTheHandshake(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	early := append(frame(false, 0x82, []byte("early")), frame(false, 0x82, payload(20_000))...)
	for name, tt := range map[string]struct{ secure, proxy bool }{"ws": {}, "wss": {secure: true}, "proxy": {proxy: true}, "wss, proxy": {secure: true, proxy: true}} {
		t.Run(name, func(t *testing.T) {
			hijack := func(w http.ResponseWriter, r *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = conn.Close() })
				head := fmt.Sprintf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
					"Sec-WebSocket-Protocol: wamp.2.cbor\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
				_, _ = conn.Write(append([]byte(head), early...))
				_, _ = io.Copy(conn, bytes.NewReader(frame(false, 0x82, []byte("later"))))
			}
			address, config := serveHTTP(t, wsOptions{secure: tt.secure}, hijack)
			opts := transport.WebSocketOptions{TLS: config}
			if tt.proxy && tt.secure {
				opts.Proxy = http.ProxyURL(connectProxy(t))
			} else if tt.proxy { // which is asked for the URL itself
				there, _ := serveHTTP(t, wsOptions{}, hijack)
				u, err := url.Parse(strings.Replace(there, "ws:", "http:", 1))
				if err != nil {
					t.Fatal(err)
				}
				opts.Proxy = http.ProxyURL(u)
			}
			c, err := transport.DialWebSocket(bound(t), address, []transport.Protocol{cbor}, opts)
			if err != nil {
				t.Fatal(err)
			}
			closeAtEnd(t, c)
			mustRead(t, c, []byte("early"))
			mustRead(t, c, early[len(early)-20_000:])
			mustRead(t, c, []byte("later"))
		})
	}
	t.Run("server", func(t *testing.T) {
		address, ch := serveOurs(t, cbor)
		conn, err := net.Dial("tcp", address[len("ws://"):len(address)-len("/ws")])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		request := "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: wamp.2.cbor\r\n\r\n"
		_, _ = conn.Write(append([]byte(request), frame(true, 0x82, []byte("early"))...))
		mustRead(t, await(t, ch), []byte("early"))
	})
}

// lateConn is a conn whose first Write returns long after its bytes have left.
type lateConn struct {
	net.Conn
	release <-chan struct{}
	wrote   bool
}

func (c *lateConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if !c.wrote {
		c.wrote = true
		<-c.release
	}
	return n, err
}

// The answer to the request for an upgrade may be there before the Write of the
// request has returned: what is sent on the connection waits for that.
func TestAnswerBeforeItsRequestIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		go upgrades("wamp.2.cbor")(b)
		release := make(chan struct{})
		c, err := transport.DialWebSocket(t.Context(), "ws://router.example/ws", transport.Protocols(), transport.WebSocketOptions{
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return &lateConn{Conn: a, release: release}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		writes := background(func() error { return c.Write(batch([]byte("message"))) })
		synctest.Wait()
		select {
		case err := <-writes:
			t.Errorf("Write has returned, %v", err)
		default:
		}
		close(release)
		if first, p, err := (frames{bufio.NewReader(b)}).next(); err != nil || first != 0x82 || string(p) != "message" {
			t.Errorf("%x %q, %v", first, p, err)
		}
		if err := <-writes; err != nil {
			t.Error(err)
		}
		_ = c.CloseNow()
		_ = b.Close()
	})
}

// Text that cannot become UTF-8 ends the link at once, in the middle of a frame
// and of a message.
func TestTextFailsEarly(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 200_000)
	bad := append(long[:100_000:100_000], 0xff)
	for name, sent := range map[string][]byte{
		"small frame": frame(false, 0x81, []byte("abc\xed\xa0..."))[:7],
		"fragment":    append(frame(false, 0x01, []byte("abc\xf4")), 0x00, 5, 0x90),
		"large frame": frame(false, 0x81, append(bad, long...))[:100_100],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := pipeTo(t, "wamp.2.json")
				reads := readAll(c)
				_, _ = peer.Write(sent)
				synctest.Wait()
				_ = c.CloseNow()
				if err := <-reads; !errors.Is(err, transport.ErrNotUTF8) {
					t.Error(err)
				}
				_ = peer.Close()
			})
		})
	}
}

// pipeTo is webSocketOverPipe with another protocol.
func pipeTo(t *testing.T, name string) (transport.Conn, net.Conn) {
	t.Helper()
	a, b := net.Pipe()
	upgraded := make(chan struct{})
	go func() {
		upgrades(name)(b)
		close(upgraded)
	}()
	c, err := transport.DialWebSocket(t.Context(), "ws://router.example/ws", []transport.Protocol{protocol(t, name)}, transport.WebSocketOptions{
		Dial: func(context.Context, string, string) (net.Conn, error) { return a, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	<-upgraded
	return c, b
}

// The answer to a ping stands in front of what is sent later, and between the
// frames of a batch that is being written.
func TestPongsInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := webSocketOverPipe(t)
		reads := readAll(c)
		go func() { _, _ = peer.Write(frame(false, 0x89, []byte("first"))) }()
		synctest.Wait() // the pong is in the queue
		var messages [][]byte
		for range 1000 {
			messages = append(messages, payload(1000))
		}
		wait := send(t, c, messages...)
		r := frames{bufio.NewReader(peer)}
		if first, p, err := r.next(); err != nil || first != 0x8a || string(p) != "first" {
			t.Errorf("%x %.10q, %v: want the pong", first, p, err)
		}
		at := -1
		for i := range messages {
			if i == 10 {
				_, _ = peer.Write(frame(false, 0x89, []byte("second")))
				synctest.Wait()
			}
			first, p, err := r.next()
			if first == 0x8a {
				at = i
				first, p, err = r.next()
			}
			if err != nil || first != 0x82 || !bytes.Equal(p, messages[i]) {
				t.Fatalf("message %d: %x, %d bytes, %v", i, first, len(p), err)
			}
		}
		if at < 0 || at > 100 { // what was gathered went first
			t.Errorf("the pong came at message %d", at)
		}
		wait()
		_ = c.CloseNow()
		_ = peer.Close()
		<-reads
	})
}

// So it does where the writer is faster than the goroutine that brings it.
func TestPongBeforeAnAnswer(t *testing.T) {
	c, peer := webSocketOverPipe(t)
	done := echo(c)
	r := frames{bufio.NewReader(peer)}
	for i := range 500 {
		_, _ = peer.Write(append(frame(false, 0x89, []byte("ping")), frame(false, 0x82, []byte("message"))...))
		for _, want := range []byte{0x8a, 0x82} {
			if first, _, err := r.next(); err != nil || first != want {
				t.Fatalf("round %d: %x, %v, want %x", i, first, err, want)
			}
		}
	}
	_ = c.CloseNow()
	_ = peer.Close()
	within(t, done, "echo")
}

// What a close frame may say, and how it is answered.
func TestCloseFrames(t *testing.T) {
	code := func(n int, reason string) []byte {
		return append(binary.BigEndian.AppendUint16(nil, uint16(n)), reason...)
	}
	for name, tt := range map[string]struct {
		payload []byte
		code    int // what Read reports, 0 for a FrameError
		answer  []byte
	}{
		"none":         {nil, 1005, nil},
		"normal":       {code(1000, "bye"), 1000, code(1000, "")},
		"too big":      {code(1009, ""), 1009, code(1009, "")},
		"own":          {code(4999, "\xe2\x82\xac"), 4999, code(4999, "")},
		"half a code":  {[]byte{3}, 0, code(1002, "")},
		"999":          {code(999, ""), 0, code(1002, "")},
		"1004":         {code(1004, ""), 0, code(1002, "")},
		"1005":         {code(1005, ""), 0, code(1002, "")},
		"1006":         {code(1006, ""), 0, code(1002, "")},
		"1015":         {code(1015, ""), 0, code(1002, "")},
		"2999":         {code(2999, ""), 0, code(1002, "")},
		"5000":         {code(5000, ""), 0, code(1002, "")},
		"reason":       {code(1000, "\xff"), 0, code(1007, "")},
		"half a rune":  {code(1000, "\xe2\x82"), 0, code(1007, "")},
		"as it may be": {code(1000, string(payload(123))), 1000, code(1000, "")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := webSocketOverPipe(t)
				reads := readAll(c)
				_, _ = peer.Write(frame(false, 0x88, tt.payload))
				answer := make(chan []byte, 2)
				go func() {
					r := frames{bufio.NewReader(peer)}
					for {
						first, p, err := r.next()
						if err != nil {
							close(answer)
							return
						}
						if first != 0x88 {
							t.Errorf("a frame %x", first)
						}
						answer <- p
					}
				}()
				err := <-reads
				var ce *transport.CloseError
				var broken *transport.FrameError
				switch {
				case tt.code == 0 && !errors.As(err, &broken), tt.code != 0 && (!errors.As(err, &ce) || ce.Code != tt.code):
					t.Errorf("Read: %v", err)
				case ce != nil && len(tt.payload) > 2 && ce.Reason != string(tt.payload[2:]):
					t.Errorf("the reason is %q", ce.Reason)
				}
				if d := took(func() { _ = c.Close(context.Background()) }); d > 0 {
					t.Errorf("Close took %v, though the peer has said its word", d)
				}
				if got := <-answer; !bytes.Equal(got, tt.answer) {
					t.Errorf("the answer is %x, want %x", got, tt.answer)
				}
				if more, ok := <-answer; ok {
					t.Errorf("a second close frame, %x", more)
				}
				_ = peer.Close()
			})
		})
	}
}

// Close waits for the peer's close frame, whoever reads, and for five seconds; for
// a second where the peer has sent what is no frame.
func TestCloseWaitsForTheAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after []byte
		delay, want   time.Duration
	}{
		"answer":         {after: frame(false, 0x88, nil), delay: 3 * time.Second, want: 3 * time.Second},
		"no answer":      {delay: time.Hour, want: 5 * time.Second},
		"messages":       {after: append(bytes.Repeat(frame(false, 0x82, payload(100)), 3000), frame(false, 0x88, nil)...), delay: 2 * time.Second, want: 2 * time.Second},
		"a large one":    {after: append(frame(false, 0x82, payload(2<<20)), frame(false, 0x88, nil)...), delay: 2 * time.Second, want: 2 * time.Second},
		"broken":         {before: bytes.Repeat([]byte{0xff}, 14), delay: time.Hour, want: time.Second},
		"too large":      {before: []byte{0x82, 127, 0, 0, 0, 0, 2, 0, 0, 0}, after: append(make([]byte, 2<<24), 0x88, 0), delay: 3 * time.Second, want: 3 * time.Second},
		"in a large one": {before: []byte{0x82, 127, 0, 0, 0, 0, 2, 0, 0, 0, 'x'}, delay: time.Hour, want: 5 * time.Second},
	} {
		for _, reading := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%v", name, reading), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, peer := webSocketOverPipe(t)
					go func() { _, _ = io.Copy(io.Discard, peer) }()
					reads := make(<-chan error)
					if reading {
						reads = readAll(c)
					}
					over := make(chan struct{})
					defer close(over)
					go func() {
						if len(tt.before) > 0 {
							_, _ = peer.Write(tt.before)
						}
						select {
						case <-time.After(tt.delay):
							_, _ = peer.Write(tt.after)
						case <-over:
						}
					}()
					synctest.Wait()
					if d := took(func() { _ = c.Close(context.Background()) }); d != tt.want {
						t.Errorf("took %v, want %v", d, tt.want)
					}
					if reading {
						<-reads
					}
					_ = peer.Close()
				})
			})
		}
	}
}

// What Read has returned stays as it is while Close reads on.
func TestMessageWhileClosing(t *testing.T) {
	for _, size := range []int{100, 200_000} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := webSocketOverPipe(t)
			want := payload(size)
			go func() {
				_, _ = peer.Write(append(frame(false, 0x82, want), frame(false, 0x82, payload(50))...))
				for range 100 {
					_, _ = peer.Write(frame(false, 0x82, payload(size)))
				}
				_, _ = peer.Write(frame(false, 0x88, nil))
			}()
			go func() { _, _ = io.Copy(io.Discard, peer) }()
			m, err := c.Read()
			if err != nil {
				t.Fatal(err)
			}
			done := background(func() error { return c.Close(context.Background()) })
			for range 100 {
				if !bytes.Equal(m, want) {
					t.Fatal("the message has changed")
				}
				_ = c.Buffered()
			}
			<-done
			if !bytes.Equal(m, want) {
				t.Error("the message has changed")
			}
			_ = peer.Close()
		})
	}
}

// Behind our close frame comes nothing, though a Write is under way.
func TestNothingBehindTheCloseFrame(t *testing.T) {
	for _, ending := range []string{"ours", "theirs"} {
		t.Run(ending, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := webSocketOverPipe(t)
				reads := readAll(c)
				var messages [][]byte
				for range 1000 {
					messages = append(messages, payload(1000))
				}
				writes := background(func() error { return c.Write(batch(messages...)) })
				synctest.Wait()
				closed := make(<-chan error)
				if ending == "ours" {
					closed = background(func() error { return c.Close(context.Background()) })
				} else {
					_, _ = peer.Write(frame(false, 0x88, []byte{3, 0xe8}))
				}
				synctest.Wait()
				r := frames{bufio.NewReader(peer)}
				last := byte(0)
				for {
					first, _, err := r.next()
					if err != nil {
						break
					}
					if last == 0x88 {
						t.Fatalf("a frame %x behind the close frame", first)
					}
					if last = first; first == 0x88 && ending == "ours" {
						_, _ = peer.Write(frame(false, 0x88, nil))
					}
				}
				if last != 0x88 {
					t.Errorf("the last frame is %x", last)
				}
				if err := <-writes; err == nil {
					t.Error("all was written")
				}
				<-reads
				if ending == "ours" {
					<-closed
				}
				_ = c.CloseNow()
				_ = peer.Close()
			})
		})
	}
}

// Pongs and messages that are written in parts, because the socket takes no more,
// never get into one another.
func TestPongsAndPartsOfMessages(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	address, conns := rawPeer(t, cbor, false, nil)
	c, err := transport.DialWebSocket(bound(t), "ws://"+address, []transport.Protocol{cbor}, transport.WebSocketOptions{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				_ = conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
			}
			return conn, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, c)
	peer := <-conns
	defer peer.Close()
	reads := readAll(c)
	const count = 1500
	sizes := []int{65_532, 65_000, 10, 3000, 40_000, 0, 65_522}
	part := 0
	writes := background(func() error {
		b := new(transport.Batch)
		for i := range count {
			b.Reset(1 << 20)
			b.Begin()
			b.Buf = append(b.Buf, bytes.Repeat([]byte{byte(i)}, sizes[i%len(sizes)])...)
			b.End()
			done, err := c.(transport.TryWriter).TryWrite(b)
			if err == nil && !done {
				part++
				for range 100 { // the pongs have their chance
					runtime.Gosched()
				}
				err = c.Write(b)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	r := frames{bufio.NewReaderSize(peer, 1000)}
	pings, pongs := 0, 0
	for i := 0; i < count; {
		if pings < 4*i {
			_, _ = peer.Write(frame(false, 0x89, binary.BigEndian.AppendUint32(nil, uint32(pings))))
			pings++
		}
		first, p, err := r.next()
		switch {
		case err != nil:
			t.Fatal(err)
		case first == 0x8a && binary.BigEndian.Uint32(p) == uint32(pongs):
			pongs++
		case first == 0x82 && bytes.Equal(p, bytes.Repeat([]byte{byte(i)}, sizes[i%len(sizes)])):
			i++
		default:
			t.Fatalf("message %d, pong %d: a frame %x of %d bytes", i, pongs, first, len(p))
		}
	}
	if err := within(t, writes, "Write"); err != nil {
		t.Error(err)
	}
	if part < 10 || pongs < 10 {
		t.Errorf("%d parts, %d pongs", part, pongs)
	}
	_ = c.CloseNow()
	within(t, reads, "Read")
}

// A connection on which little arrives holds little, whatever has arrived before.
func TestWebSocketHoldsLittle(t *testing.T) {
	c, peer := webSocketOverPipe(t)
	defer peer.Close()
	closeAtEnd(t, c)
	for _, size := range []int{100, 3000, 60_000, 200_000, 3 << 20} {
		for _, m := range [][]byte{payload(size), nil} {
			wrote := background(func() error { _, err := peer.Write(frame(false, 0x82, m)); return err })
			mustRead(t, c, m)
			if n, most := transport.ReadBuffer(c), 2*(size+64<<10); n > most {
				t.Errorf("%d bytes for a message of %d", n, size)
			}
			if err := within(t, wrote, "Write of the peer"); err != nil {
				t.Fatal(err)
			}
		}
		for range 100 {
			wrote := background(func() error { _, err := peer.Write(frame(false, 0x82, []byte("x"))); return err })
			mustRead(t, c, []byte("x"))
			within(t, wrote, "Write of the peer")
		}
		if n := transport.ReadBuffer(c); n > 2<<10 {
			t.Errorf("%d bytes after one of %d and many small ones", n, size)
		}
	}
}
