package transport

import "io"

// WebSocketLimit is WebSocket with another read limit.
func WebSocketLimit[T, S ~int](ws Socket[T, S], limit int) (Conn, error) {
	p, _ := ProtocolByName(ws.Subprotocol())
	return newGivenSocket(ws, p, wsConfig{readLimit: limit}), nil
}

// ReadBuffer is the memory for reading of a connection over a socket of ours.
func ReadBuffer(c Conn) int {
	if ws, ok := c.(*webSocket); ok {
		return len(ws.in.buf) + cap(ws.in.large.b)
	}
	raw := c.(*rawSocket)
	return len(raw.buf) + cap(raw.large.b)
}

// Queued is how much a connection over a socket of ours has to say that the
// socket has not taken.
func Queued(c Conn) int {
	var l *link
	switch c := c.(type) {
	case *rawSocket:
		l = c.link
	case *webSocket:
		l = c.link
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// MaxPongs is how many bytes of pongs may wait.
const MaxPongs = maxPongs

// Schemes are the names of each scheme, its aliases last.
func Schemes() (all [][]string) {
	for _, s := range schemes {
		all = append(all, append([]string{s.name}, s.aliases...))
	}
	return all
}

// MessageReader makes messages of frames.
type MessageReader struct{ r wsReader }

// NewMessageReader returns one with a buffer of that size. control gets the control
// frames.
func NewMessageReader(src io.Reader, ofClient, text bool, limit, size int, control func(op byte, payload []byte) error) *MessageReader {
	return &MessageReader{wsReader{src: src, ofClient: ofClient, text: text, limit: limit, inBuffer: inBuffer{most: size}, control: control}}
}

// Next returns the next message.
func (m *MessageReader) Next() ([]byte, error) { return m.r.next() }

// Keep gives the memory of the last message away.
func (m *MessageReader) Keep() bool { return m.r.large.keep() }

// Whole reports whether Next needs nothing more from the source.
func (m *MessageReader) Whole() bool { return m.r.whole() }

// Drain reads until a close frame.
func (m *MessageReader) Drain() error { return m.r.drain(func() {}) }

// Memory is what it holds for messages.
func (m *MessageReader) Memory() int { return cap(m.r.buf) + cap(m.r.large.b) }

// CloseCode is the code that says what was wrong.
func CloseCode(err *FrameError) int {
	var c wsConn
	c.failure.Store(err)
	return c.closeCode()
}

// MessageWriter makes frames of batches.
type MessageWriter struct{ c webSocket }

// NewMessageWriter returns a client's or a server's.
func NewMessageWriter(server bool, p Protocol) *MessageWriter {
	m := new(MessageWriter)
	m.c.proto, m.c.separator, m.c.out.first = p, separator, wsFin|opBinary
	if p.Text {
		m.c.out.first = wsFin | opText
	}
	m.c.out.masks = !server
	return m
}

// Idle reports whether it holds no memory.
func (m *MessageWriter) Idle() bool { return m.c.out.room == nil && m.c.out.out == nil }

// Pieces gives what is written for a batch, piece by piece.
func (m *MessageWriter) Pieces(b *Batch, write func([]byte)) {
	for m.c.gather(b) {
		write(m.c.out.out)
		m.c.out.wrote(len(m.c.out.out))
	}
}

// WithoutUserInfo leaves users and passwords of URLs out of a text.
func WithoutUserInfo(s string) string { return withoutUserInfo(s) }
