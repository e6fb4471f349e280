package wamptest

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The faults inside of a payload that end a link at Crossbar, whose serializers
// decode all of it: they are the sender's, so the receiver must not pay.
const (
	badUTF8  = "string is not valid UTF-8"
	badKey   = "dict key is not a string"
	badDepth = "nested too deeply"
	badForm  = "malformed value"
)

// payloadDepth is how deep a payload may nest; Crossbar's MessagePack has 1024,
// its CBOR 400.
const payloadDepth = 512

// payloadFault says what is wrong inside the payload of a message that a client
// has sent, "" if nothing is. The parser has found the message well-formed; this
// is what it leaves to those who decode the payload.
func payloadFault(c codec.Codec, m *proto.Message) string {
	for _, raw := range [...][]byte{m.Args, m.Kwargs} {
		if raw == nil {
			continue
		}
		fault := ""
		switch c {
		case codec.CBOR:
			_, fault = cborWalk(raw, 0, 0)
		case codec.MsgPack:
			_, fault = mpWalk(raw, 0, 0)
		default: // its keys are strings, and it has no other place for a string's bytes
			if !utf8.Valid(raw) {
				fault = badUTF8
			}
		}
		if fault != "" {
			return fault
		}
	}
	return ""
}

const (
	cborBytes = 2
	cborText  = 3
	cborList  = 4
	cborMap   = 5
	cborTag   = 6
	cborBreak = 0xff
)

// cborHead reads the head at pos. open: the length is not said.
func cborHead(raw []byte, pos int) (major byte, n uint64, next int, open bool, fault string) {
	if pos >= len(raw) {
		return 0, 0, pos, false, badForm
	}
	major, info := raw[pos]>>5, raw[pos]&0x1f
	pos++
	switch {
	case info < 24:
		return major, uint64(info), pos, false, ""
	case info == 31 && major >= cborBytes && major <= cborMap:
		return major, 0, pos, true, ""
	case info > 27:
		return major, 0, pos, false, badForm
	}
	size := 1 << (info - 24)
	if len(raw)-pos < size {
		return major, 0, pos, false, badForm
	}
	for _, b := range raw[pos : pos+size] {
		n = n<<8 | uint64(b)
	}
	return major, n, pos + size, false, ""
}

// cborWalk returns the offset behind the value at pos.
func cborWalk(raw []byte, pos, depth int) (end int, fault string) {
	if depth > payloadDepth {
		return pos, badDepth
	}
	major, n, next, open, fault := cborHead(raw, pos)
	if fault != "" {
		return pos, fault
	}
	switch major {
	case cborBytes, cborText:
		if open {
			return cborChunks(raw, next, major)
		}
		return cborString(raw, next, n, major)
	case cborList, cborMap:
		for i := uint64(0); open || i < n; i++ {
			if open && next < len(raw) && raw[next] == cborBreak {
				return next + 1, ""
			}
			if major == cborMap {
				if next < len(raw) && raw[next]>>5 != cborText {
					return next, badKey
				}
				if next, fault = cborWalk(raw, next, depth+1); fault != "" {
					return next, fault
				}
			}
			if next, fault = cborWalk(raw, next, depth+1); fault != "" {
				return next, fault
			}
		}
	case cborTag:
		return cborWalk(raw, next, depth+1)
	}
	return next, ""
}

// cborString returns the offset behind the n bytes of a string.
func cborString(raw []byte, pos int, n uint64, major byte) (end int, fault string) {
	if n > uint64(len(raw)-pos) {
		return pos, badForm
	}
	end = pos + int(n)
	if major == cborText && !utf8.Valid(raw[pos:end]) {
		return pos, badUTF8
	}
	return end, ""
}

// cborChunks returns the offset behind a string that comes in pieces.
func cborChunks(raw []byte, pos int, of byte) (end int, fault string) {
	for {
		if pos < len(raw) && raw[pos] == cborBreak {
			return pos + 1, ""
		}
		major, n, next, open, fault := cborHead(raw, pos)
		if fault == "" && (major != of || open) {
			fault = badForm
		}
		if fault == "" {
			pos, fault = cborString(raw, next, n, of)
		}
		if fault != "" {
			return pos, fault
		}
	}
}

// mpHead reads the head at pos: n bytes, or n values or entries where list or
// dict is set, follow.
func mpHead(raw []byte, pos int) (n uint64, next int, text, list, dict, ok bool) {
	if pos >= len(raw) {
		return 0, pos, false, false, false, false
	}
	c := raw[pos]
	next = pos + 1
	sized := func(size int) bool {
		if len(raw)-next < size {
			return false
		}
		var b [8]byte
		copy(b[8-size:], raw[next:next+size])
		n, next = binary.BigEndian.Uint64(b[:]), next+size
		return true
	}
	ok = true
	switch {
	case c < 0x80 || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3: // one byte
	case c < 0x90:
		n, dict = uint64(c&0xf), true
	case c < 0xa0:
		n, list = uint64(c&0xf), true
	case c < 0xc0:
		n, text = uint64(c&0x1f), true
	case c == 0xc1:
		ok = false
	case c <= 0xc6: // bin
		ok = sized(1 << (c - 0xc4))
	case c <= 0xc9: // ext, with a byte for its type
		ok = sized(1 << (c - 0xc7))
		n++
	case c <= 0xcb: // floats
		n = 4 << (c - 0xca)
	case c <= 0xcf: // integers
		n = 1 << (c - 0xcc)
	case c <= 0xd3:
		n = 1 << (c - 0xd0)
	case c <= 0xd8: // ext of a fixed size
		n = 1<<(c-0xd4) + 1
	case c <= 0xdb:
		ok, text = sized(1<<(c-0xd9)), true
	case c <= 0xdd:
		ok, list = sized(2<<(c-0xdc)), true
	default:
		ok, dict = sized(2<<(c-0xde)), true
	}
	return n, next, text, list, dict, ok
}

// mpWalk returns the offset behind the value at pos.
func mpWalk(raw []byte, pos, depth int) (end int, fault string) {
	if depth > payloadDepth {
		return pos, badDepth
	}
	n, next, text, list, dict, ok := mpHead(raw, pos)
	switch {
	case !ok:
		return pos, badForm
	case !list && !dict:
		if n > uint64(len(raw)-next) {
			return pos, badForm
		}
		end = next + int(n)
		if text && !utf8.Valid(raw[next:end]) {
			return pos, badUTF8
		}
		return end, ""
	}
	for range n {
		if dict {
			if _, _, text, _, _, ok := mpHead(raw, next); ok && !text {
				return next, badKey
			}
			if next, fault = mpWalk(raw, next, depth+1); fault != "" {
				return next, fault
			}
		}
		if next, fault = mpWalk(raw, next, depth+1); fault != "" {
			return next, fault
		}
	}
	return next, ""
}
