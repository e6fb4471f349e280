package transport

// Keeper is a Conn whose large messages can be kept without a copy.
type Keeper interface {
	// Keep reports whether the message that Read has returned last is the caller's
	// from now on. It is if it has memory of its own, of about its size, and then
	// nothing is written there any more. Whoever reads calls it, before the next Read.
	Keep() bool
}

var (
	_ Keeper = (*rawSocket)(nil)
	_ Keeper = (*webSocket)(nil)
	_ Keeper = (*pipeEnd)(nil)
)

// large is the memory of a message that a read buffer does not hold. It grows with
// what has come and not by what a header says, but in large steps: a message of a
// mebibyte is copied once, of its first 64 KiB, and one of sixteen twice.
type large struct {
	b     []byte
	lent  bool // b is a read buffer
	last  bool // b is the message that was returned last
	small int  // messages since one needed it
}

// growth is how many times what has come a message has as memory, at most.
const growth = 16

// settle comes before the next message: what the last one had is kept for it, unless that
// is much or has not been needed for long.
func (l *large) settle() {
	l.last = false
	if cap(l.b) > keepBuffer || l.small >= keepReads {
		l.drop()
	}
}

func (l *large) drop() {
	if l.lent {
		giveBuffer(l.b[:cap(l.b)])
	}
	l.b, l.lent = nil, false
}

// grow makes room for more of a message that has need bytes, or more if there is
// another frame to come.
func (l *large) grow(need int, more bool) {
	have := len(l.b)
	if have < cap(l.b) {
		return
	}
	if have == 0 && need > readBuffer {
		l.b, l.lent = takeBuffer(readBuffer)[:0], true
		return
	}
	size := need
	if have > 0 && need/growth > have+have/4 {
		size = growth * have
	}
	if more {
		size = max(size, 2*have, 512)
	}
	b := append(make([]byte, 0, size), l.b...)
	l.drop()
	l.b = b
}

// done says that the message is there.
func (l *large) done() []byte {
	l.small, l.last = 0, true
	return l.b[:len(l.b):len(l.b)]
}

// keep gives the memory to whoever has the message.
func (l *large) keep() bool {
	n := len(l.b)
	if !l.last || n <= readBuffer || cap(l.b)-n > n/4 {
		return false
	}
	l.b, l.last = nil, false
	return true
}
