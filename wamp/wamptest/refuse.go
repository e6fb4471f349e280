package wamptest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
)

// WebSocket close codes. A pipe has them too, as if it were one; RawSocket has
// none, there the link is cut.
const (
	closeProtocol = 1002
	closeUTF8     = 1007
	closeTooBig   = 1009
	closeInternal = 1011
)

// closeError is what makes a router close a link without ABORT.
type closeError struct {
	code int
	text string
}

func (e *closeError) Error() string { return e.text }

// WithMaxMessage bounds the messages that the router takes from clients.
// Default 16 MiB. A larger one ends the link as at Crossbar: a WebSocket is
// closed with code 1009, and so is a link in memory, whose client reads a
// *transport.CloseError; RawSocket is cut. RawSocket tells its clients a limit,
// which is a power of two: the next one that is not below this.
//
// It holds beside WithLimits, whatever Size that says.
func WithMaxMessage(bytes int) Option {
	return optionFunc(func(c *config) { c.maxMessage = bytes })
}

// defaultMaxMessage is what the router takes if nothing else is said.
const defaultMaxMessage = 16 << 20

// maxReceive is the largest message that a listener accepts. RawSocket rounds
// down to a power of two, and the router checks each message again.
func (r *Router) maxReceive(cfg *listenConfig, powerOfTwo bool) int {
	n := r.cfg.limits.Size
	if cfg.maxReceive > 0 {
		return cfg.maxReceive
	}
	if !powerOfTwo {
		return n
	}
	p := 512
	for p < n && p < defaultMaxMessage {
		p *= 2
	}
	return p
}

// take parses one message of the client. Besides what the parser finds it
// refuses what the routers there are refuse.
func (l *link) take(parser codec.Parser, data []byte, m *proto.Message) error {
	if limit := l.router.cfg.limits.Size; len(data) > limit {
		return &closeError{closeTooBig, fmt.Sprintf("message of %d bytes, the limit is %d", len(data), limit)}
	}
	err := parser.Parse(data, m)
	if err != nil {
		if whole, ok := wholeIDs(l.codec, data); ok && parser.Parse(whole, m) == nil {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if fault := payloadFault(l.codec, m); fault != "" {
		code := closeProtocol
		if fault == badUTF8 && l.conn.Protocol().Text {
			code = closeUTF8
		}
		return &closeError{code, m.Type.String() + ": payload: " + fault}
	}
	return nil
}

// refused is the fault of a message that the transport has refused.
func refused(err error) error {
	switch {
	case errors.Is(err, transport.ErrTooBig):
		return &closeError{closeTooBig, err.Error()}
	case errors.Is(err, transport.ErrNotUTF8):
		return &closeError{closeUTF8, err.Error()}
	}
	return nil
}

// fault ends the link of a client for what it has sent.
func (r *Router) fault(l *link, err error) {
	if f := (*closeError)(nil); errors.As(err, &f) {
		r.shut(l, f.code, f.text)
		return
	}
	r.violation(l, err.Error())
}

// shut ends a link as Crossbar does where something is wrong: without ABORT,
// with a close code and a reason where the transport has them.
func (r *Router) shut(l *link, code int, text string) {
	if l.closed {
		return
	}
	r.violated(l, text)
	l.mu.Lock()
	l.closing = &transport.CloseError{Code: code, Reason: text}
	l.mu.Unlock()
	r.leave(l)
	l.finish()
}

// judgeURI checks the URI of a message. One that is not allowed ends the link
// where nothing could answer it: in the ERROR of a callee, GOODBYE and ABORT. At
// Crossbar it always does.
func (r *Router) judgeURI(l *link, m *proto.Message) bool {
	err := error(nil)
	switch m.Type {
	case proto.Error, proto.Goodbye, proto.Abort:
		err = proto.CheckURI(m.URI)
	case proto.Publish, proto.Call:
		if r.cfg.crossbar {
			err = proto.CheckURI(m.URI)
		}
	case proto.Subscribe, proto.Register:
		if r.cfg.crossbar {
			err = proto.CheckPattern(m.URI, proto.MatchPolicy(m.Options.Str(proto.KeyMatch)))
		}
	default:
	}
	switch {
	case err == nil:
		return true
	case r.cfg.crossbar:
		r.shut(l, closeInternal, "WAMP Internal Error ("+m.Type.String()+": "+err.Error()+")")
	default:
		r.violation(l, m.Type.String()+": "+err.Error())
	}
	return false
}

// maxViolations is how many violations Stats tells of: the first ones.
const maxViolations = 1000

// violated notes a violation.
func (r *Router) violated(l *link, text string) {
	if len(r.counts.violations) < maxViolations {
		r.counts.violations = append(r.counts.violations, text)
	}
	r.note("violation: "+text, "session %d broke the protocol: %s", l.sessionID(), text)
}

// endWith closes the connection with a code. The writer is the only one who
// writes messages, so that the frame comes behind them.
func (l *link) endWith(e *transport.CloseError) {
	socket := l.origin.socket
	if socket == nil {
		if l.gate.closeWith(e) {
			_ = l.conn.Close(l.router.root) // a pipe
		} else {
			_ = l.conn.CloseNow() // RawSocket
		}
		return
	}
	// The transport closes with codes of its own only. One frame more between two
	// of its writes is fine.
	_ = socket.SetWriteDeadline(time.Now().Add(endTimeout))
	_, _ = socket.Write(closeFrame(e))
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case <-l.torn: // the client has answered, and hung up
	case <-timer.C:
		_ = l.conn.CloseNow()
	}
}

// closeFrame is a WebSocket close frame of a server.
func closeFrame(e *transport.CloseError) []byte {
	reason := e.Reason
	for len(reason) > 123 || !utf8.ValidString(reason) {
		reason = reason[:len(reason)-1]
	}
	frame := binary.BigEndian.AppendUint16([]byte{0x88, byte(2 + len(reason))}, uint16(e.Code))
	return append(frame, reason...)
}

// drain reads what a client still has on its way whose message was too big: it
// reads the close frame behind that. It ends with the socket.
func drain(socket net.Conn) {
	if socket != nil {
		_, _ = io.Copy(io.Discard, socket)
	}
}
