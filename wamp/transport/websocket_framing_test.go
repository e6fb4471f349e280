//go:build !js

package transport_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	coder "github.com/coder/websocket"
	nhooyr "nhooyr.io/websocket"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// A close frame that has come is reported, even if the connection is torn down
// before the library is done with it.
func TestCloseFrameBeforeCloseNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := webSocketOverPipe(t)
		reads := readAll(c)
		writes := background(func() error { return c.Write(batch(payload(100_000))) })
		_, _ = io.CopyN(io.Discard, peer, 10_000)
		_, _ = peer.Write(frame(false, 0x88, []byte{1009 >> 8, 1009 & 0xff}))
		time.Sleep(100 * time.Millisecond) // it waits for the writer, to answer
		_ = c.CloseNow()
		for _, done := range []<-chan error{reads, writes} {
			var ce *transport.CloseError
			if err := <-done; !errors.As(err, &ce) && done == reads {
				t.Errorf("%v", err)
			}
		}
		_ = peer.Close()
	})
}

// A peer that closes in the middle of a message of ours is heard: Read and
// Write both say with which code.
func TestCloseFrameInTheMiddleOfAWrite(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	serverTLS, clientTLS := testTLS(t)
	own := func(scheme string) func(t *testing.T, address string) (transport.Conn, error) {
		return func(t *testing.T, address string) (transport.Conn, error) {
			return transport.DialWebSocket(bound(t), scheme+address, []transport.Protocol{cbor}, transport.WebSocketOptions{TLS: clientTLS})
		}
	}
	dials := map[string]func(t *testing.T, address string) (transport.Conn, error){
		"ws":  own("ws://"),
		"wss": own("wss://"),
		"coder": func(t *testing.T, address string) (transport.Conn, error) {
			ws, _, err := coder.Dial(bound(t), "ws://"+address, &coder.DialOptions{Subprotocols: []string{cbor.Name}})
			if err != nil {
				return nil, err
			}
			return transport.WebSocket(ws)
		},
		"nhooyr": func(t *testing.T, address string) (transport.Conn, error) {
			ws, _, err := nhooyr.Dial(bound(t), "ws://"+address, &nhooyr.DialOptions{Subprotocols: []string{cbor.Name}})
			if err != nil {
				return nil, err
			}
			return transport.WebSocket(ws)
		},
	}
	tooBig := frame(false, 0x88, append([]byte{1009 >> 8, 1009 & 0xff}, "too big"...))
	for name, dial := range dials {
		for _, then := range []string{"hangs up", "stays", "reads on"} {
			t.Run(name+"/"+then, func(t *testing.T) {
				t.Parallel()
				config := serverTLS
				if name != "wss" {
					config = nil
				}
				rounds, size := 5, 2<<20
				if then == "stays" { // the libraries wait five seconds for the writer
					rounds, size = 1, 16<<20
				}
				for range rounds {
					address, conns := rawPeer(t, cbor, false, config)
					c, err := dial(t, address)
					if err != nil {
						t.Fatal(err)
					}
					closeAtEnd(t, c)
					peer := <-conns
					defer peer.Close()
					reads := readAll(c)
					writes := background(func() error {
						for { // some may go out before the frame is seen
							if err := c.Write(batch(payload(size))); err != nil {
								_ = c.CloseNow() // as the engine does
								return err
							}
						}
					})
					_, _ = io.CopyN(io.Discard, peer, 100_000)
					_, _ = peer.Write(tooBig)
					switch then {
					case "hangs up":
						_ = peer.Close()
					case "reads on":
						go func() { _, _ = io.Copy(io.Discard, peer); _ = peer.Close() }()
					}
					for what, done := range map[string]<-chan error{"Read": reads, "Write": writes} {
						var ce *transport.CloseError
						if err := within(t, done, what); !errors.As(err, &ce) || ce.Code != 1009 || ce.Reason != "too big" {
							t.Errorf("%s: %v", what, err)
						}
					}
				}
			})
		}
	}
}

// Text that is not UTF-8 is broken framing, wherever it stands in the message.
func TestTextThatIsNoUTF8(t *testing.T) {
	for _, name := range []string{"wamp.2.json", "wamp.2.json.batched", "wamp.2.cbor"} {
		for what, bad := range map[string]string{
			"good":          "[1,\"\xe2\x82\xac \xf0\x9f\x98\x80\"]\x1e",
			"lone":          "[1,\"\xff\"]\x1e",
			"surrogate":     "[1,\"\xed\xa0\x80\"]\x1e",
			"overlong":      "[1,\"\xc0\xaf\"]\x1e",
			"cut":           "[1,\"\xe2\x82",
			"second of two": "[1]\x1e[2,\"\xfe\"]\x1e",
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				p := protocol(t, name)
				address, conns := rawPeer(t, p, false, nil)
				c, err := transport.DialWebSocket(bound(t), "ws://"+address, []transport.Protocol{p}, transport.WebSocketOptions{})
				if err != nil {
					t.Fatal(err)
				}
				closeAtEnd(t, c)
				peer := <-conns
				defer peer.Close()
				first := byte(0x82)
				if p.Text {
					first = 0x81
				}
				// In two frames, which part a character.
				half := len(bad) / 2
				_, _ = peer.Write(append(frame(false, first&0x7f, []byte(bad[:half])), frame(false, 0x80, []byte(bad[half:]))...))
				_, err = c.Read()
				if what == "good" || !p.Text {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				var broken *transport.FrameError
				if !errors.As(err, &broken) || !errors.Is(err, transport.ErrNotUTF8) {
					t.Fatalf("Read: %v", err)
				}
				closed := background(func() error { return c.Close(bound(t)) })
				op, reason, err := frames{bufio.NewReader(peer)}.next()
				if err != nil || op != 0x88 || binary.BigEndian.Uint16(reason) != 1007 {
					t.Errorf("%x %x, %v: want a close frame with 1007", op, reason, err)
				}
				_ = peer.Close()
				within(t, closed, "Close")
			})
		}
	}
}

// What is read is bounded by the limit, and grows with what has come: not with
// what a header says, and not with what it is once it has been inflated.
func TestWebSocketMemory(t *testing.T) {
	cbor := protocol(t, "wamp.2.cbor")
	const limit = 1 << 20
	var bomb bytes.Buffer
	z, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 16 {
		_, _ = z.Write(zeros)
	}
	_ = z.Flush()
	inflates := bomb.Bytes()[:bomb.Len()-4]
	var empties []byte // a message of one byte in 20,001 frames
	empties = append(empties, frame(false, 0x02, nil)...)
	for range 20_000 {
		empties = append(empties, frame(false, 0x00, nil)...)
	}
	empties = append(empties, frame(false, 0x80, []byte{'x'})...)
	var pieces []byte // as large as is allowed, and one more
	pieces = append(pieces, frame(false, 0x02, []byte{'x'})...)
	for range limit / 16 {
		pieces = append(pieces, frame(false, 0x00, zeros[:16])...)
	}
	for name, tt := range map[string]struct {
		stream  []byte
		deflate bool
		want    error  // nil: the message 'x'
		most    uint64 // bytes to allocate, 6*limit if 0
	}{
		"header only":     {stream: []byte{0x82, 127, 0, 0, 0, 0, 0, 0xf, 0xff, 0xff, 'x'}, want: io.ErrUnexpectedEOF, most: limit / 2},
		"header too big":  {stream: []byte{0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'x'}, want: transport.ErrTooBig, most: limit / 2},
		"deflate bomb":    {stream: frame(false, 0xc2, inflates), deflate: true, want: transport.ErrTooBig},
		"empty fragments": {stream: empties},
		"many fragments":  {stream: pieces, want: transport.ErrTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			address, conns := rawPeer(t, cbor, tt.deflate, nil)
			c, err := transport.DialWebSocket(bound(t), "ws://"+address, []transport.Protocol{cbor}, transport.WebSocketOptions{ReadLimit: limit, Deflate: tt.deflate})
			if err != nil {
				t.Fatal(err)
			}
			closeAtEnd(t, c)
			peer := <-conns
			defer peer.Close()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			go func() {
				_, _ = peer.Write(tt.stream)
				_ = peer.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, peer)
			}()
			m, err := c.Read()
			runtime.ReadMemStats(&after)
			if tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && (err != nil || string(m) != "x") {
				t.Errorf("%d bytes, %v", len(m), err)
			}
			if tt.most == 0 {
				tt.most = 6 * limit
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > tt.most {
				t.Errorf("%d bytes were allocated", n)
			}
		})
	}
}
