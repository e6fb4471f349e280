//go:build !js

package transport_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// batchedPeer is a connection of ours and the library at its other end.
func batchedPeer(t *testing.T, name string, opts transport.WebSocketOptions) (transport.Conn, *websocket.Conn) {
	t.Helper()
	peers := make(chan *websocket.Conn, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{name}, CompressionMode: websocket.CompressionNoContextTakeover})
		if err != nil {
			t.Error(err)
			close(peers)
			return
		}
		ws.SetReadLimit(-1)
		peers <- ws
		<-t.Context().Done()
	}))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := transport.DialWebSocket(ctx, "ws"+strings.TrimPrefix(srv.URL, "http"), append(transport.BatchedProtocols(), transport.Protocols()...), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	ws := <-peers
	t.Cleanup(func() { _ = ws.CloseNow() })
	return c, ws
}

// framed puts messages into one batched message.
func framed(text bool, separator string, messages ...string) []byte {
	var b []byte
	for _, m := range messages {
		if text {
			b = append(append(b, m...), separator...)
		} else {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(m))), m...)
		}
	}
	return b
}

// What stands in one write goes out as one WebSocket message, in the form of the
// text; what comes in one is as many messages, whichever the separator.
func TestBatchedForm(t *testing.T) {
	for _, name := range []string{"wamp.2.json.batched", "wamp.2.msgpack.batched", "wamp.2.cbor.batched"} {
		for _, deflate := range []bool{false, true} {
			for _, sep := range []string{"\x1e", "\x18"} {
				text := strings.Contains(name, "json")
				c, ws := batchedPeer(t, name, transport.WebSocketOptions{Deflate: deflate, Separator: sep[0]})
				messages := []string{`[1,"a"]`, strings.Repeat("x", 3000), `[2]`, `[3,"` + strings.Repeat("y", 400_000) + `"]`, `[4]`}
				var raw [][]byte
				for _, m := range messages {
					raw = append(raw, []byte(m))
				}
				go func() {
					if err := c.Write(batch(raw...)); err != nil {
						t.Error(err)
					}
					if err := c.Write(batch([]byte(`[5]`))); err != nil {
						t.Error(err)
					}
				}()
				for _, want := range [][]string{messages[:3], messages[3:4], messages[4:], {`[5]`}} { // the fourth is larger than a batch
					typ, got, err := ws.Read(t.Context())
					if err != nil || (typ == websocket.MessageText) != text || string(got) != string(framed(text, sep, want...)) {
						t.Fatalf("%s: %v, %d bytes, %v", name, typ, len(got), err)
					}
					if err := ws.Write(t.Context(), typ, framed(text, sep, want...)); err != nil {
						t.Fatal(err)
					}
				}
				for i, want := range append(messages, `[5]`) {
					got, err := c.Read()
					if err != nil || string(got) != want {
						t.Fatalf("%s: message %d: %d bytes, %v", name, i, len(got), err)
					}
				}
			}
		}
	}
}

// What is no batch ends the connection with a protocol error, behind the
// messages in front of it.
func TestBrokenBatches(t *testing.T) {
	for name, tt := range map[string]struct {
		proto string
		data  []byte
		whole int
		want  error
	}{
		"json: none":              {"wamp.2.json.batched", nil, 0, transport.ErrEmptyBatch},
		"json: not ended":         {"wamp.2.json.batched", []byte("[1]\x1e[2]"), 1, transport.ErrBadLength},
		"cbor: none":              {"wamp.2.cbor.batched", nil, 0, transport.ErrEmptyBatch},
		"cbor: half a length":     {"wamp.2.cbor.batched", []byte{0, 0}, 0, transport.ErrBadLength},
		"cbor: a length only":     {"wamp.2.cbor.batched", []byte{0, 0, 0, 1}, 0, transport.ErrBadLength},
		"cbor: too long":          {"wamp.2.cbor.batched", []byte{0, 0, 0, 1, 7, 0, 0, 0, 2, 7}, 1, transport.ErrBadLength},
		"msgpack: as long as can": {"wamp.2.msgpack.batched", []byte{255, 255, 255, 255, 7}, 0, transport.ErrBadLength},
		"msgpack: some left":      {"wamp.2.msgpack.batched", []byte{0, 0, 0, 1, 7, 9}, 1, transport.ErrBadLength},
	} {
		t.Run(name, func(t *testing.T) {
			c, ws := batchedPeer(t, tt.proto, transport.WebSocketOptions{})
			typ := websocket.MessageBinary
			if c.Protocol().Text {
				typ = websocket.MessageText
			}
			if err := ws.Write(t.Context(), typ, tt.data); err != nil {
				t.Fatal(err)
			}
			for i := range tt.whole {
				if _, err := c.Read(); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
			}
			for range 2 {
				if m, err := c.Read(); !errors.Is(err, tt.want) {
					t.Errorf("%q, %v", m, err)
				}
			}
			closed := make(chan error, 1)
			go func() {
				_, _, err := ws.Read(context.WithoutCancel(t.Context()))
				closed <- err
			}()
			_ = c.Close(t.Context())
			if err := <-closed; websocket.CloseStatus(err) != websocket.StatusProtocolError {
				t.Error(err)
			}
		})
	}
}
