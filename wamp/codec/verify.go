package codec

import (
	"bytes"
	"unicode/utf8"
)

// What follows checks what is to be sent: what a library or a marshaler of the
// user's has written, and raw payloads. A router cuts the link of whoever sends
// a string that is no UTF-8, or a key that is no text.

func (f msgpackFormat) verify(s *scan, pos, depth int) (int, string) {
	data := s.data
	if pos >= len(data) {
		return pos, badTruncated
	}
	class, n, next, ok := mpHead(data, pos)
	rest := uint(len(data) - next)
	switch {
	case class == mpBad:
		return pos, badReserved
	case !ok || n > rest:
		return pos, badTruncated
	}
	end := next + int(n)
	switch class {
	case mpStr:
		if !utf8.Valid(data[next:end]) {
			return pos, badUTF8
		}
	case mpExt:
		if end++; end > len(data) {
			return pos, badTruncated
		}
	case mpList, mpMap:
		if depth >= s.depth {
			return pos, badDepth
		}
		if class == mpMap {
			n *= 2
		}
		for end = next; n > 0; n-- {
			// Short strings and small integers are most of what there is.
			if end < len(data) {
				c := data[end]
				if last := end + 1 + int(c&0x1f); c >= mpFixStr && c < mpNil && last <= len(data) && utf8.Valid(data[end+1:last]) {
					end = last
					continue
				}
				if c < mpFixMap && (class != mpMap || n&1 == 1) {
					end++
					continue
				}
			}
			var bad string
			if class == mpMap && n&1 == 0 {
				end, bad = f.verifyKey(s, end)
			} else {
				end, bad = f.verify(s, end, depth+1)
			}
			if bad != "" {
				return end, bad
			}
		}
	}
	return end, ""
}

func (f msgpackFormat) verifyKey(s *scan, pos int) (int, string) {
	if pos >= len(s.data) {
		return pos, badTruncated
	}
	switch c := s.data[pos]; {
	case mpRows[c].class == mpStr:
	case c < mpFixMap, c >= mpNegative, c >= mpUint8 && c <= mpInt64:
		s.ints = true
	default:
		return pos, badKey
	}
	return f.verify(s, pos, s.depth)
}

func (f cborFormat) verify(s *scan, pos, depth int) (int, string) {
	data := s.data
	if pos >= len(data) {
		return pos, badTruncated
	}
	switch major := data[pos] & 0xe0; major {
	case cborText:
		b, end, ok := cborContent(data, pos)
		switch {
		case !ok:
			return f.skip(s, pos, 0) // which knows why
		case !utf8.Valid(b):
			return pos, badUTF8
		}
		return end, ""
	case cborArray, cborMap:
		if depth >= s.depth {
			return pos, badDepth
		}
		return f.verifyItems(s, pos, depth+1, major == cborMap)
	case cborTag:
		tag, next, ok := cborArg(data, pos)
		switch {
		case !ok:
			return pos, cborFault(data, pos)
		case depth >= s.depth:
			return pos, badDepth
		case next < len(data) && (tag == cborBig || tag == cborBigNegative) && data[next]&0xe0 != cborBytes:
			return pos, badBig
		}
		return f.verify(s, next, depth+1)
	}
	return f.skip(s, pos, 0)
}

// verifyItems verifies what is in the container that begins at head.
func (f cborFormat) verifyItems(s *scan, head, depth int, dict bool) (int, string) {
	data := s.data
	indef := data[head]&0x1f == cborIndef
	n, pos := uint64(0), head+1
	if !indef {
		var ok bool
		if n, pos, ok = cborArg(data, head); !ok {
			return head, cborFault(data, head)
		}
	}
	if n > uint64(len(data)-pos) {
		return head, badTruncated
	}
	if dict {
		n *= 2
	}
	for i := uint64(0); indef || i < n; i++ {
		if pos >= len(data) {
			return pos, badTruncated
		}
		c := data[pos]
		if indef && c == cborBreak {
			if dict && i&1 == 1 {
				return pos, badBreak
			}
			return pos + 1, ""
		}
		// Short strings and small integers are most of what there is.
		if last := pos + 1 + int(c&0x1f); c >= cborText && c < cborText+24 && last <= len(data) && utf8.Valid(data[pos+1:last]) {
			pos = last
			continue
		}
		key := dict && i&1 == 0
		if c < cborBytes && c&0x1f < 24 && !key {
			pos++
			continue
		}
		var bad string
		if key {
			pos, bad = f.verifyKey(s, pos)
		} else {
			pos, bad = f.verify(s, pos, depth)
		}
		if bad != "" {
			return pos, bad
		}
	}
	return pos, ""
}

func (f cborFormat) verifyKey(s *scan, pos int) (int, string) {
	switch s.data[pos] & 0xe0 {
	case cborText:
	case cborUint, cborNint:
		s.ints = true
	default:
		return pos, badKey
	}
	return f.verify(s, pos, s.depth)
}

func (f jsonFormat) verify(s *scan, pos, depth int) (int, string) {
	s.keys = true
	end, bad := f.skip(s, pos, depth)
	if bad != "" {
		return end, bad
	}
	raw := s.data[pos:end]
	if !utf8.Valid(raw) {
		return pos, badUTF8
	}
	if at := jsonSurrogate(raw); at >= 0 {
		return pos + at, badUTF8
	}
	return end, ""
}

// jsonSurrogate finds the escape of half a surrogate pair in well-formed JSON, -1 if
// there is none.
func jsonSurrogate(raw []byte) int {
	for pos := 0; ; {
		n := bytes.IndexByte(raw[pos:], '\\')
		if n < 0 {
			return -1
		}
		_, next, ok := jsonEscape(raw, pos+n)
		if !ok {
			return pos + n
		}
		pos = next
	}
}
