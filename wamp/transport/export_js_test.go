package transport

const (
	MaxBacklog  = maxBacklog
	MaxAhead    = maxAhead
	MessageCost = messageCost
)

// Backlog is how many bytes nobody has read.
func Backlog(c Conn) int {
	b := c.(*browserSocket)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.backlog
}

// Ahead is how many bytes wait in the browser to be sent.
func Ahead(c Conn) int { return c.(*browserSocket).ahead() }

// BrowserCode is the code that is sent for another.
func BrowserCode(code int) int { return browserCode(code) }
