package transport

// WebSocketLimit is WebSocket with another read limit.
func WebSocketLimit[T, S ~int](ws Socket[T, S], limit int) (Conn, error) {
	p, _ := ProtocolByName(ws.Subprotocol())
	return newWebSocket(ws, p, wsConfig{readLimit: limit}), nil
}

// ReadBuffer is the size of the read buffer of a RawSocket connection.
func ReadBuffer(c Conn) int { return len(c.(*rawSocket).buf) }

// Queued is how much a RawSocket connection has to say beside its writer.
func Queued(c Conn) int {
	l := c.(*rawSocket).link
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}
