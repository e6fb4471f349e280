package floor

import (
	"encoding/binary"
	"errors"
)

// The kinds of frame that a peer can get.
const (
	FrameMessage = iota
	FramePing
	FramePong
	FrameClose
	framePart // of a message whose end is still to come
)

var (
	errFrame = errors.New("floor: bad frame")
	// ErrClosed is the error of a client that has been closed, or by the peer.
	ErrClosed = errors.New("floor: closed by the peer")
)

// Framing puts messages into frames and takes them out again.
type Framing interface {
	// Begin opens a frame at the end of dst.
	Begin(dst []byte) []byte
	// End closes the frame that was opened when dst was start long.
	End(dst []byte, start int) []byte
	// Next takes the first frame out of b, whose bytes it may change. With
	// used 0 the frame is not complete.
	Next(b []byte) (kind int, payload []byte, used int, err error)
	// AppendControl appends a pong or a close that answers one with the
	// given payload.
	AppendControl(dst []byte, kind int, payload []byte) []byte
}

// rawFraming is RawSocket: a type byte and three of length.
type rawFraming struct{}

func (rawFraming) Begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

func (rawFraming) End(dst []byte, start int) []byte {
	n := len(dst) - start - 4
	dst[start+1], dst[start+2], dst[start+3] = byte(n>>16), byte(n>>8), byte(n)
	return dst
}

func (rawFraming) Next(b []byte) (kind int, payload []byte, used int, err error) {
	if len(b) < 4 {
		return 0, nil, 0, nil
	}
	n := int(b[1])<<16 | int(b[2])<<8 | int(b[3]) + 4
	if b[0] > FramePong {
		return 0, nil, 0, errFrame
	}
	if len(b) < n {
		return 0, nil, 0, nil
	}
	return int(b[0]), b[4:n], n, nil
}

func (rawFraming) AppendControl(dst []byte, kind int, payload []byte) []byte {
	if kind == FrameClose {
		return dst
	}
	n := len(payload)
	return append(append(dst, byte(kind), byte(n>>16), byte(n>>8), byte(n)), payload...)
}

// webFraming is WebSocket without extensions. It sends no fragments; the server
// takes those of others.
type webFraming struct {
	// opcode of messages: 1 text, 2 binary.
	opcode byte
	// client says that this side masks what it sends.
	client bool
	// mask is the key of the frame that was sent last.
	mask uint32
	// parts are the fragments so far of the message that comes in.
	parts []byte
}

const finBit, maskBit = 0x80, 0x80

func (f *webFraming) Begin(dst []byte) []byte {
	dst = append(dst, finBit|f.opcode, 0)
	if f.client {
		// any key will do, as long as both sides have the work of it
		f.mask = f.mask*1664525 + 1013904223
		dst = binary.LittleEndian.AppendUint32(dst, f.mask)
	}
	return dst
}

func (f *webFraming) End(dst []byte, start int) []byte {
	header, bit := 2, byte(0)
	if f.client {
		header, bit = 6, maskBit
	}
	n := len(dst) - start - header
	if f.client {
		unmask(dst[start+header:], f.mask)
	}
	more := 0 // bytes of length beyond the first
	switch {
	case n < 126:
		dst[start+1] = bit | byte(n)
		return dst
	case n < 1<<16:
		more = 2
	default:
		more = 8
	}
	dst = append(dst, make([]byte, more)...)
	copy(dst[start+2+more:], dst[start+2:])
	if more == 2 {
		dst[start+1] = bit | 126
		binary.BigEndian.PutUint16(dst[start+2:], uint16(n))
	} else {
		dst[start+1] = bit | 127
		binary.BigEndian.PutUint64(dst[start+2:], uint64(n))
	}
	return dst
}

func (f *webFraming) Next(b []byte) (kind int, payload []byte, used int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	header, n := 2, uint64(b[1]&0x7f)
	if n == 126 {
		header = 4
	} else if n == 127 {
		header = 10
	}
	masked := b[1]&maskBit != 0
	if masked {
		header += 4
	}
	if masked == f.client || f.client && b[0]&finBit == 0 {
		return 0, nil, 0, errFrame
	}
	if len(b) < header {
		return 0, nil, 0, nil
	}
	if n == 126 {
		n = uint64(binary.BigEndian.Uint16(b[2:]))
	} else if n == 127 {
		n = binary.BigEndian.Uint64(b[2:])
	}
	if n > maxMessage {
		return 0, nil, 0, errFrame
	}
	used = header + int(n)
	if len(b) < used {
		return 0, nil, 0, nil
	}
	payload = b[header:used]
	if masked {
		unmask(payload, binary.LittleEndian.Uint32(b[header-4:]))
	}
	opcode := b[0] & 0x0f
	if b[0]&finBit == 0 || opcode == 0 {
		if (opcode == 0) == (f.parts == nil) || len(f.parts)+len(payload) > maxMessage {
			return 0, nil, 0, errFrame
		}
		f.parts = append(f.parts, payload...)
		if b[0]&finBit == 0 {
			return framePart, nil, used, nil
		}
		payload, f.parts = f.parts, nil
		return FrameMessage, payload, used, nil
	}
	switch opcode {
	case f.opcode:
		return FrameMessage, payload, used, nil
	case 8:
		return FrameClose, payload, used, nil
	case 9:
		return FramePing, payload, used, nil
	case 10:
		return FramePong, payload, used, nil
	}
	return 0, nil, 0, errFrame
}

func (f *webFraming) AppendControl(dst []byte, kind int, payload []byte) []byte {
	opcode := byte(10)
	if kind == FrameClose {
		opcode = 8
	}
	start := len(dst)
	dst = append(f.Begin(dst), payload...)
	dst = f.End(dst, start)
	dst[start] = finBit | opcode
	return dst
}

// unmask applies a WebSocket mask, eight bytes at a time.
func unmask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
}

// maxMessage is the longest message that either canned peer takes.
const maxMessage = 64 << 20

// Inbox is a buffer that is read into, and frames taken out of.
type Inbox struct {
	Buf        []byte
	Start, End int
}

// NewInbox makes an inbox that grows from size bytes.
func NewInbox(size int) *Inbox { return &Inbox{Buf: make([]byte, size)} }

// Unread is what has been read and not been taken.
func (in *Inbox) Unread() []byte { return in.Buf[in.Start:in.End] }

// Space makes room to read into, and returns it.
func (in *Inbox) Space() []byte {
	if in.Start == in.End {
		in.Start, in.End = 0, 0
	}
	if in.End == len(in.Buf) && in.Start > 0 {
		in.End = copy(in.Buf, in.Unread())
		in.Start = 0
	}
	if in.End == len(in.Buf) {
		in.Buf = append(in.Buf, make([]byte, len(in.Buf))...)
	}
	return in.Buf[in.End:]
}
