package floor

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

var errHandshake = errors.New("floor: bad handshake")

const (
	rawMagic     = 0x7f
	rawMaxLength = 0xf0 // 2^24 bytes
)

// AcceptRaw answers a RawSocket handshake.
func AcceptRaw(conn net.Conn) (Framing, Wire, error) {
	var b [4]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		return nil, nil, err
	}
	w := wireOf(b[1] & 0x0f)
	if b[0] != rawMagic || w == nil {
		return nil, nil, errHandshake
	}
	_, err := conn.Write([]byte{rawMagic, rawMaxLength | w.rawID(), 0, 0})
	return rawFraming{}, w, err
}

// openRaw asks for a RawSocket connection.
func openRaw(conn net.Conn, w Wire) (Framing, error) {
	if _, err := conn.Write([]byte{rawMagic, rawMaxLength | w.rawID(), 0, 0}); err != nil {
		return nil, err
	}
	var b [4]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		return nil, err
	}
	if b[0] != rawMagic || b[1]&0x0f != w.rawID() {
		return nil, errHandshake
	}
	return rawFraming{}, nil
}

// webOpcode is the opcode of the messages of a serializer.
func webOpcode(w Wire) byte {
	if w.Text() {
		return 1
	}
	return 2
}

// readHeader reads the head of an HTTP message, byte by byte so that nothing
// behind it is taken.
func readHeader(conn net.Conn) (first string, fields map[string]string, err error) {
	var text []byte
	var b [1]byte
	for !bytes.HasSuffix(text, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			return "", nil, err
		}
		if text = append(text, b[0]); len(text) > 16<<10 {
			return "", nil, errHandshake
		}
	}
	fields = make(map[string]string)
	lines := strings.Split(string(text), "\r\n")
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ":")
		fields[strings.ToLower(key)] = strings.TrimSpace(value)
	}
	return lines[0], fields, nil
}

// AcceptWeb answers a WebSocket handshake: the first subprotocol that it knows
// wins.
func AcceptWeb(conn net.Conn) (Framing, Wire, error) {
	_, fields, err := readHeader(conn)
	if err != nil {
		return nil, nil, err
	}
	var chosen Wire
	for offer := range strings.SplitSeq(fields["sec-websocket-protocol"], ",") {
		for _, w := range Wires {
			if chosen == nil && w.subprotocol() == strings.TrimSpace(offer) {
				chosen = w
			}
		}
	}
	if chosen == nil {
		return nil, nil, errHandshake
	}
	sum := sha1.Sum([]byte(fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]), chosen.subprotocol())
	return &webFraming{opcode: webOpcode(chosen)}, chosen, err
}

// openWeb asks for a WebSocket connection.
func openWeb(conn net.Conn, w Wire, host, path string) (Framing, error) {
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		path, host, w.subprotocol())
	if err != nil {
		return nil, err
	}
	status, fields, err := readHeader(conn)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 101 ") || fields["sec-websocket-protocol"] != w.subprotocol() {
		return nil, errHandshake
	}
	return &webFraming{opcode: webOpcode(w), client: true}, nil
}
