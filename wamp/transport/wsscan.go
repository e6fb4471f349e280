//go:build !js

package transport

// frameScanner counts the complete messages in a stream of WebSocket frames as
// it passes by. The WebSocket library reads from a buffer of ours into one of
// its own, so this is the only way to know whether another message is at hand.
type frameScanner struct {
	head [14]byte
	have int
	skip uint64 // bytes of the payload to come
	last bool   // that payload ends a message
}

// feed looks at p, which follows what it was given before, and returns how many
// messages end in it.
func (s *frameScanner) feed(p []byte) (messages int64) {
	for len(p) > 0 {
		if s.skip > 0 {
			n := min(s.skip, uint64(len(p)))
			p = p[n:]
			if s.skip -= n; s.skip == 0 && s.last {
				messages++
			}
			continue
		}
		n := copy(s.head[s.have:s.size()], p)
		s.have += n
		p = p[n:]
		if s.have < s.size() { // known in full after two bytes
			continue
		}
		s.begin()
		if s.skip == 0 && s.last {
			messages++
		}
	}
	return messages
}

// inControl is how much of the payload of a control frame follows.
func (s *frameScanner) inControl() uint64 {
	if s.head[0]&0x08 == 0 {
		return 0
	}
	return s.skip
}

// size is the size of the frame header, as far as it can be known.
func (s *frameScanner) size() int {
	if s.have < 2 {
		return 2
	}
	n := 2
	switch s.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if s.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// begin starts the payload of a frame whose header is complete.
func (s *frameScanner) begin() {
	s.skip = uint64(s.head[1] & 0x7f)
	more := 0
	switch s.skip {
	case 126:
		more = 2
	case 127:
		more = 8
	}
	if more > 0 {
		s.skip = 0
		for _, b := range s.head[2 : 2+more] {
			s.skip = s.skip<<8 | uint64(b)
		}
	}
	s.last = s.head[0]&0x80 != 0 && s.head[0]&0x0f < 8 // the final frame of data
	s.have = 0
}
