//go:build !js

package transport_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// upgradeAndSay is a WebSocket server of few words: it upgrades one request,
// sends bytes and hangs up in order.
func upgradeAndSay(t testing.TB, extension string, raw []byte) (url string) {
	t.Helper()
	ln := listen(t, "tcp")
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Protocol: wamp.2.cbor\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
			acceptKey(req.Header.Get("Sec-WebSocket-Key")), extension)
		_, _ = conn.Write(raw)
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}()
	return "ws://" + ln.Addr().String()
}

// acceptKey is the answer to a Sec-WebSocket-Key.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A connection that is cut inside a frame loses the message: a part of it is
// never handed out for the whole.
func TestWebSocketCutInsideFrame(t *testing.T) {
	message := bytes.Repeat([]byte("message "), 1000)
	frame := append([]byte{0x82, 126, byte(len(message) >> 8), byte(len(message))}, message...)
	small := append([]byte{0x82, 8}, message[:8]...)
	first := append([]byte{0x02, 8}, message[:8]...) // of several
	var squeezed bytes.Buffer
	z, err := flate.NewWriter(&squeezed, flate.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(message)
	_ = z.Flush()
	deflated := squeezed.Bytes()[:squeezed.Len()-4]
	deflated = append([]byte{0xc2, 126, byte(len(deflated) >> 8), byte(len(deflated))}, deflated...)
	const agreed = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"
	for name, tt := range map[string]struct {
		frame   []byte
		at      []int // bytes that get through
		deflate bool
	}{
		"long":       {frame: frame, at: []int{1, 2, 3, 4, 5, 4000, len(frame) - 1}},
		"short":      {frame: small, at: []int{1, 2, 3, 9}},
		"fragmented": {frame: append(first, 0x80, 8), at: []int{2, 9, 10, 11, 12}},
		"compressed": {frame: deflated, at: []int{2, 4, 5, 9, 10, 4000, len(deflated) - 1}, deflate: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range tt.at {
				opts := transport.WebSocketOptions{Deflate: tt.deflate}
				extension := ""
				if tt.deflate {
					extension = agreed
				}
				c, err := transport.DialWebSocket(bound(t), upgradeAndSay(t, extension, append(small[:len(small):len(small)], tt.frame[:n]...)),
					[]transport.Protocol{protocol(t, "wamp.2.cbor")}, opts)
				if err != nil {
					t.Fatal(err)
				}
				closeAtEnd(t, c)
				mustRead(t, c, message[:8]) // what came in full
				if m, err := c.Read(); err == nil || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("cut after %d bytes: a message of %d bytes, %v", n, len(m), err)
				}
			}
		})
	}
}

// A server that answers wrongly and keeps the connection costs no more than the
// deadline of the dial.
func TestWebSocketDialBadAnswerKeptOpen(t *testing.T) {
	for name, answer := range map[string]string{
		"wrong key":         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm8=\r\n\r\n",
		"half a body":       "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\nboot",
		"half of an answer": "HTTP/1.1 503 Serv",
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, "tcp")
			conns := make(chan net.Conn, 1)
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, answer)
				conns <- conn
			}()
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := transport.DialWebSocket(ctx, "ws://"+ln.Addr().String()+"/ws", transport.Protocols(), transport.WebSocketOptions{})
			if took := time.Since(start); err == nil || took > 2*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
			_ = (<-conns).Close()
		})
	}
}
