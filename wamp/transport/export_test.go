package transport

// WebSocketLimit is WebSocket with another read limit.
func WebSocketLimit[T, S ~int](ws Socket[T, S], limit int) (Conn, error) {
	p, _ := ProtocolByName(ws.Subprotocol())
	return newGivenSocket(ws, p, wsConfig{readLimit: limit}), nil
}

// ReadBuffer is the size of the read buffer of a RawSocket connection.
func ReadBuffer(c Conn) int { return len(c.(*rawSocket).buf) }

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
