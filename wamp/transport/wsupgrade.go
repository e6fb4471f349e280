//go:build !js

package transport

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
)

// The library does the handshake, and is then given an empty stream: what is
// behind the handshake is ours, unless compression was agreed on. It is taken
// where the HTTP transport gives it, and the HTTP server, so that nothing that
// came early is lost and nothing of the library's is under the connection.

// upgrade is the RoundTripper of a dial: the user's transport, or a copy of it
// over sockets of ours.
type upgrade struct {
	http.RoundTripper
	dial *wsDial
}

// RoundTrip implements http.RoundTripper.
func (u *upgrade) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := u.RoundTripper.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		u.dial.take(resp)
	}
	return resp, err
}

// take takes the stream behind an answer.
func (d *wsDial) take(resp *http.Response) {
	stream, ok := resp.Body.(io.ReadWriter)
	got := d.got.Load()
	if !ok || got == nil {
		return
	}
	var l *link
	switch conn := (*got).(type) {
	case *dialed:
		d.sock, l = conn, conn.link
	case *tls.Conn: // of the HTTP transport, through a proxy
		if d.sock, ok = conn.NetConn().(*dialed); !ok {
			return
		}
		l = newLink(conn)
	default:
		return
	}
	d.link = l
	if compressed(resp.Header) {
		d.squeezed = newWSSocket(l, stream, nil)
		resp.Body = d.squeezed
		return
	}
	d.stream = stream
	resp.Body = nothing{}
}

// compressed reports whether the answer to a handshake agrees to an extension,
// of which there is one.
func compressed(h http.Header) bool { return h.Get("Sec-WebSocket-Extensions") != "" }

// hijackWriter takes the stream behind the answer of a server.
type hijackWriter struct {
	http.ResponseWriter
	link     *link
	early    []byte
	squeezed *wsSocket // where there is compression
}

func (h *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.link = newLink(conn)
	if n := brw.Reader.Buffered(); n > 0 {
		early, _ := brw.Reader.Peek(n)
		h.early = append(h.early, early...)
	}
	var under net.Conn = nothing{}
	if compressed(h.Header()) {
		h.squeezed = newWSSocket(h.link, h.link.conn, h.early)
		under = h.squeezed
	}
	return under, bufio.NewReadWriter(bufio.NewReader(under), bufio.NewWriter(under)), nil
}

// nothing is the stream that the library is given.
type nothing struct{ net.Conn }

func (nothing) Read([]byte) (int, error)    { return 0, io.EOF }
func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) Close() error                { return nil }
