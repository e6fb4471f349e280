package codec

import (
	"encoding/binary"
	"unicode/utf8"
)

// The major types of CBOR (RFC 8949), as the top three bits of the first byte.
const (
	cborUint  = 0 << 5
	cborNint  = 1 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTag   = 6 << 5
	cborMisc  = 7 << 5

	// The tags that are known, besides 0 and 1 for times.
	cborBig         = 2 // and then its bytes
	cborBigNegative = 3
	cborSelf        = 55799 // it is CBOR

	cborIndef = 31   // length not known yet
	cborBreak = 0xff // its end
)

const (
	badReserved = "reserved byte"
	badBreak    = "misplaced break"
	badChunk    = "wrong chunk in a string of indefinite length"
	badBig      = "big number is not made of bytes"
)

// cborArg reads the argument of the head at pos. It is not ok when it is
// truncated, reserved or of indefinite length.
func cborArg(data []byte, pos int) (n uint64, next int, ok bool) {
	if info := data[pos] & 0x1f; info < 24 {
		return uint64(info), pos + 1, true
	}
	return cborLongArg(data, pos)
}

func cborLongArg(data []byte, pos int) (n uint64, next int, ok bool) {
	info := data[pos] & 0x1f
	pos++
	rest := data[pos:]
	switch info {
	case 24:
		if len(rest) >= 1 {
			return uint64(rest[0]), pos + 1, true
		}
	case 25:
		if len(rest) >= 2 {
			return uint64(binary.BigEndian.Uint16(rest)), pos + 2, true
		}
	case 26:
		if len(rest) >= 4 {
			return uint64(binary.BigEndian.Uint32(rest)), pos + 4, true
		}
	case 27:
		if len(rest) >= 8 {
			return binary.BigEndian.Uint64(rest), pos + 8, true
		}
	}
	return 0, pos, false
}

// cborFault says why cborArg was not ok.
func cborFault(data []byte, pos int) string {
	switch info := data[pos] & 0x1f; {
	case data[pos] == cborBreak:
		return badBreak
	case info >= 28:
		return badReserved
	}
	return badTruncated
}

// cborQuick has the length of the items whose first byte says it: numbers and
// short strings, which are most of what there is. It is never changed.
var cborQuick = func() (t [256]uint8) {
	for c := range t {
		switch info := c & 0x1f; {
		case c&0xe0 == cborMisc && info < 24, c < cborBytes && info < 24:
			t[c] = 1
		case (c&0xe0 == cborBytes || c&0xe0 == cborText) && info < 24:
			t[c] = uint8(1 + info)
		case c < cborBytes && info < 28:
			t[c] = 1 + 1<<(info-24)
		case c == cborMisc|26, c == cborMisc|27:
			t[c] = 1 + 1<<(info-24)
		}
	}
	return t
}()

func (f cborFormat) skip(s *scan, pos, depth int) (int, string) {
	data := s.data
	if pos >= len(data) {
		return pos, badTruncated
	}
	if data[pos]&0xe0 == cborTag {
		return f.skipTag(s, pos, depth+1)
	}
	c := data[pos]
	if c&0x1f == cborIndef {
		return f.skipIndef(s, pos, depth)
	}
	n, next, ok := cborArg(data, pos)
	if !ok {
		return pos, cborFault(data, pos)
	}
	switch c & 0xe0 {
	case cborUint, cborNint:
		return next, ""
	case cborBytes, cborText:
		if n > uint64(len(data)-next) {
			return pos, badTruncated
		}
		return next + int(n), ""
	case cborArray:
		return f.skipItems(s, pos, next, n, depth+1)
	case cborMap:
		if n > 1<<62 {
			return pos, badTruncated
		}
		s.dicts++
		return f.skipItems(s, pos, next, 2*n, depth+1)
	}
	if c == cborMisc|24 && n < 32 {
		return pos, badReserved
	}
	return next, ""
}

// skipTag skips a tag and what it is of. It counts as depth.
func (f cborFormat) skipTag(s *scan, pos, depth int) (int, string) {
	if depth > s.depth {
		return pos, badDepth
	}
	tag, next, ok := cborArg(s.data, pos)
	if !ok {
		return pos, cborFault(s.data, pos)
	}
	end, bad := f.skip(s, next, depth)
	if bad == "" && (tag == cborBig || tag == cborBigNegative) {
		s.long = max(s.long, end-next)
	}
	return end, bad
}

// skipItems skips the n items of a container that begins at head.
func (f cborFormat) skipItems(s *scan, head, pos int, n uint64, depth int) (int, string) {
	data := s.data
	if depth > s.depth {
		return head, badDepth
	}
	if n > uint64(len(data)-pos) {
		return head, badTruncated
	}
	if !s.take(n) {
		return head, badElements
	}
	for ; n > 0; n-- {
		if pos >= len(data) {
			return pos, badTruncated
		}
		if n := int(cborQuick[data[pos]]); n > 0 && n <= len(data)-pos {
			pos += n
			continue
		}
		var bad string
		if pos, bad = f.skip(s, pos, depth); bad != "" {
			return pos, bad
		}
	}
	return pos, ""
}

func (f cborFormat) skipIndef(s *scan, pos, depth int) (int, string) {
	data, head := s.data, pos
	major := data[pos] & 0xe0
	pos++
	switch major {
	case cborBytes, cborText:
		for pos < len(data) && data[pos] != cborBreak {
			if data[pos]&0xe0 != major || data[pos]&0x1f == cborIndef {
				return pos, badChunk
			}
			n, next, ok := cborArg(data, pos)
			if !ok {
				return pos, cborFault(data, pos)
			}
			if n > uint64(len(data)-next) {
				return pos, badTruncated
			}
			pos = next + int(n)
		}
	case cborArray, cborMap:
		if depth >= s.depth {
			return head, badDepth
		}
		if major == cborMap {
			s.dicts++
		}
		i := 0
		for ; pos < len(data) && data[pos] != cborBreak; i++ {
			if !s.take(1) {
				return pos, badElements
			}
			var bad string
			if pos, bad = f.skip(s, pos, depth+1); bad != "" {
				return pos, bad
			}
		}
		if major == cborMap && i%2 != 0 && pos < len(data) {
			return pos, badBreak
		}
	default:
		return pos - 1, cborFault(data, pos-1)
	}
	if pos >= len(data) {
		return head, badTruncated
	}
	return pos + 1, ""
}

func (f cborFormat) split(s *scan, spans *[maxElements]span) (n, pos int, bad string) {
	data := s.data
	if len(data) == 0 {
		return 0, 0, badTruncated
	}
	if data[0]&0xe0 != cborArray {
		return 0, 0, badNoList
	}
	indef := data[0]&0x1f == cborIndef
	count := uint64(maxElements)
	pos = 1
	if !indef {
		var ok bool
		if count, pos, ok = cborArg(data, 0); !ok {
			return 0, 0, cborFault(data, 0)
		}
		if count >= maxElements {
			return 0, 0, badLong
		}
	}
	if s.depth < 1 || !s.take(count) {
		return 0, 0, badElements
	}
	for n < int(count) {
		if indef && pos < len(data) && data[pos] == cborBreak {
			break
		}
		if n == maxElements-1 {
			return n, pos, badLong
		}
		end := len(data)
		if pos < end {
			end = pos + int(cborQuick[data[pos]])
		}
		if end == pos || end >= len(data) {
			if s.lenient {
				end, bad = f.end(data, pos, &s.stack)
			} else {
				end, bad = f.skip(s, pos, 1)
			}
			if bad != "" {
				return n, end, bad
			}
		}
		spans[n] = span{pos, end}
		n, pos = n+1, end
	}
	if indef {
		pos++
	}
	if pos != len(data) {
		return n, pos, badTrailing
	}
	return n, pos, ""
}

func (cborFormat) kind(raw []byte) kind {
	if len(raw) == 0 {
		return kindOther
	}
	switch raw[0] & 0xe0 {
	case cborArray:
		return kindList
	case cborMap:
		return kindDict
	case cborText:
		return kindString
	case cborBytes:
		return kindBinary
	case cborMisc:
		if raw[0] == cborMisc|22 || raw[0] == cborMisc|23 {
			return kindNull
		}
	}
	return kindOther
}

func (cborFormat) uint(raw []byte) (uint64, bool) {
	if len(raw) == 0 || raw[0]&0xe0 != cborUint {
		return 0, false
	}
	n, next, ok := cborArg(raw, 0)
	return n, ok && next == len(raw)
}

func (cborFormat) whole(raw []byte) (uint64, bool) {
	if len(raw) == 0 || raw[0]&0xe0 != cborMisc {
		return 0, false
	}
	n, next, ok := cborArg(raw, 0)
	if !ok || next != len(raw) {
		return 0, false
	}
	x, ok := cborFloat(raw[0], n)
	if !ok {
		return 0, false
	}
	return wholeFloat(x)
}

func (f cborFormat) str(raw []byte) ([]byte, bool) {
	if len(raw) == 0 || raw[0]&0xe0 != cborText {
		return nil, false
	}
	b, _, ok := cborContent(raw, 0)
	return b, ok && utf8.Valid(b)
}

// cborContent returns the bytes of the string at pos: a copy where it comes
// in chunks.
func cborContent(raw []byte, pos int) (b []byte, end int, ok bool) {
	if raw[pos]&0x1f != cborIndef {
		n, next, ok := cborArg(raw, pos)
		if !ok || n > uint64(len(raw)-next) {
			return nil, pos, false
		}
		end = next + int(n)
		return raw[next:end:end], end, true
	}
	major := raw[pos] & 0xe0
	b = []byte{}
	for pos++; pos < len(raw); {
		if raw[pos] == cborBreak {
			return b, pos + 1, true
		}
		chunk, end, ok := []byte(nil), pos, false
		if raw[pos]&0xe0 == major && raw[pos]&0x1f != cborIndef {
			chunk, end, ok = cborContent(raw, pos)
		}
		if !ok {
			return nil, pos, false
		}
		b, pos = append(b, chunk...), end
	}
	return nil, pos, false
}

func (cborFormat) open(raw []byte) (pos, n int) {
	if raw[0]&0x1f == cborIndef {
		if len(raw) == 2 {
			return 1, 0
		}
		return 1, -1
	}
	count, pos, ok := cborArg(raw, 0)
	if !ok || count > uint64(len(raw)) {
		return pos, 0
	}
	return pos, int(count)
}

func (f cborFormat) next(raw []byte, pos, i int, dict bool) (start, end int, bad string) {
	if pos >= len(raw) || raw[pos] == cborBreak {
		return -1, pos, ""
	}
	var st stack
	end, bad = f.end(raw, pos, &st)
	return pos, end, bad
}
