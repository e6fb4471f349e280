package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

const (
	limit    = 128 << 20 // the largest message that is taken
	patience = 20 * time.Second
)

// odd are the servers: peers that a transport may meet. What one of them has seen of a
// connection is noted under the key of its query, and told by /seen.
type odd struct {
	mu   sync.Mutex
	seen map[string]chan string
}

func newOdd() *odd { return &odd{seen: make(map[string]chan string)} }

func (o *odd) handler() *http.ServeMux {
	mux := http.NewServeMux()
	for path, f := range map[string]func(http.ResponseWriter, *http.Request){
		"/echo": o.echo, "/seen": o.tell, "/last": last, "/cut": cut, "/status": status, "/silent": o.silent,
		"/wrong": wrong, "/none": none, "/flood": flood, "/stall": o.stall, "/bad": bad, "/type": otherType, "/pings": o.pings,
	} {
		mux.HandleFunc(path, f)
	}
	return mux
}

// at is where what was seen under a key is.
func (o *odd) at(key string) chan string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[key] == nil {
		o.seen[key] = make(chan string, 1)
	}
	return o.seen[key]
}

func (o *odd) note(r *http.Request, format string, args ...any) {
	select {
	case o.at(r.FormValue("key")) <- fmt.Sprintf(format, args...):
	default:
	}
}

func number(r *http.Request, name string, otherwise int) int {
	if n, err := strconv.Atoi(r.FormValue(name)); err == nil {
		return n
	}
	return otherwise
}

// tell sends what was seen under the key, as soon as it was.
func (o *odd) tell(w http.ResponseWriter, r *http.Request) {
	ws, err := accept(w, r)
	if err != nil {
		return
	}
	text := "nothing was seen"
	select {
	case text = <-o.at(r.FormValue("key")):
	case <-time.After(patience):
	}
	_ = ws.Write(r.Context(), websocket.MessageBinary, []byte(text))
	_ = ws.Close(websocket.StatusNormalClosure, "")
}

// accept upgrades to whatever the client offers first.
func accept(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	var offered []string
	for _, p := range append(transport.Protocols(), transport.BatchedProtocols()...) {
		offered = append(offered, p.Name)
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: offered, InsecureSkipVerify: true})
	if err == nil {
		ws.SetReadLimit(limit)
	}
	return ws, err
}

func ours(w http.ResponseWriter, r *http.Request) (transport.Conn, error) {
	all := append(transport.BatchedProtocols(), transport.Protocols()...)
	return transport.AcceptWebSocket(w, r, all, transport.AcceptOptions{AnyOrigin: true, ReadLimit: limit})
}

// echo gives each message back, and notes how many there were and how the client ended.
// Where mute is set it gives none back.
func (o *odd) echo(w http.ResponseWriter, r *http.Request) {
	c, err := ours(w, r)
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	for n := 0; ; n++ {
		m, err := c.Read()
		if err != nil {
			o.note(r, "%d messages: %v", n, err)
			return
		}
		if r.FormValue("mute") != "" {
			continue
		}
		var b transport.Batch
		b.Begin()
		b.Buf = append(b.Buf, m...)
		b.End()
		if err := c.Write(&b); err != nil {
			return
		}
	}
}

// last closes directly behind its last message.
func last(w http.ResponseWriter, r *http.Request) {
	ws, err := accept(w, r)
	if err != nil {
		return
	}
	for i := range number(r, "n", 1) {
		_ = ws.Write(r.Context(), websocket.MessageBinary, []byte{byte(i)})
	}
	if code := number(r, "code", 4001); code != 0 {
		_ = ws.Close(websocket.StatusCode(code), r.FormValue("reason"))
		return
	}
	_ = ws.Close(websocket.StatusNoStatusRcvd, "")
}

// cut hangs up without a close frame, behind one message.
func cut(w http.ResponseWriter, r *http.Request) {
	ws, err := accept(w, r)
	if err != nil {
		return
	}
	_ = ws.Write(r.Context(), websocket.MessageBinary, []byte{1})
	_ = ws.CloseNow()
}

func status(w http.ResponseWriter, r *http.Request) { w.WriteHeader(number(r, "code", 404)) }

// silent never answers, and notes that the client has gone.
func (o *odd) silent(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Read(make([]byte, 1))
	o.note(r, "gone")
}

// upgrade does the handshake by hand.
func upgrade(w http.ResponseWriter, r *http.Request, protocol string) (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]), protocol)
	return conn, brw, err
}

// wrong chooses a protocol that was not offered.
func wrong(w http.ResponseWriter, r *http.Request) {
	if conn, _, err := upgrade(w, r, "other"); err == nil {
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
}

// none chooses no protocol.
func none(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	_, _, _ = ws.Read(r.Context())
	_ = ws.CloseNow()
}

// flood sends many messages, without a look at whether they are read, and closes.
func flood(w http.ResponseWriter, r *http.Request) {
	ws, err := accept(w, r)
	if err != nil {
		return
	}
	ctx := ws.CloseRead(context.Background())
	m := make([]byte, number(r, "size", 1<<20))
	for i := range number(r, "n", 1) {
		m[0] = byte(i)
		if ws.Write(ctx, websocket.MessageBinary, m) != nil {
			return
		}
	}
	_ = ws.Close(4001, "bye")
}

// stall reads nothing for a while, and then echoes the number of bytes.
func (o *odd) stall(w http.ResponseWriter, r *http.Request) {
	ws, err := accept(w, r)
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	select {
	case <-time.After(time.Duration(number(r, "ms", 500)) * time.Millisecond):
	case <-r.Context().Done():
	}
	bytes := 0
	for {
		_, m, err := ws.Read(context.Background())
		if err != nil {
			o.note(r, "%d bytes", bytes)
			return
		}
		bytes += len(m)
	}
}

// bad sends a frame with reserved bits.
func bad(w http.ResponseWriter, r *http.Request) {
	if conn, _, err := upgrade(w, r, "wamp.2.cbor"); err == nil {
		_, _ = conn.Write([]byte{0x82, 1, 7, 0xf2, 1, 7})
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
}

// otherType sends a message of the type that was not agreed on.
func otherType(w http.ResponseWriter, r *http.Request) {
	ws, err := accept(w, r)
	if err != nil {
		return
	}
	typ := websocket.MessageText
	if p, _ := transport.ProtocolByName(ws.Subprotocol()); p.Text {
		typ = websocket.MessageBinary
	}
	_ = ws.Write(r.Context(), typ, []byte("x"))
	_, _, err = ws.Read(r.Context())
	_ = err
	_ = ws.CloseNow()
}

// pings sends some, and notes whether they were answered.
func (o *odd) pings(w http.ResponseWriter, r *http.Request) {
	ws, err := accept(w, r)
	if err != nil {
		return
	}
	ctx := ws.CloseRead(context.Background())
	n := 0
	for range 3 {
		if ws.Ping(ctx) == nil {
			n++
		}
	}
	o.note(r, "%d pongs", n)
	_ = ws.Close(websocket.StatusNormalClosure, "")
}
