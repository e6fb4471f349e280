package codec

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"
)

// The first bytes of MessagePack that are not a value or a length themselves.
const (
	mpFixMap   = 0x80
	mpFixList  = 0x90
	mpFixStr   = 0xa0
	mpNil      = 0xc0
	mpUnused   = 0xc1
	mpFalse    = 0xc2
	mpTrue     = 0xc3
	mpBin8     = 0xc4
	mpExt8     = 0xc7
	mpFloat32  = 0xca
	mpFloat64  = 0xcb
	mpUint8    = 0xcc
	mpUint64   = 0xcf
	mpInt8     = 0xd0
	mpInt64    = 0xd3
	mpFixExt1  = 0xd4
	mpFixExt16 = 0xd8
	mpStr8     = 0xd9
	mpList16   = 0xdc
	mpMap16    = 0xde
	mpNegative = 0xe0
)

// mpClass is what kind of value a first byte begins.
type mpClass uint8

const (
	mpScalar mpClass = iota // n bytes follow, which are the value
	mpStr
	mpBin
	mpExt // n bytes follow, the first is the extension's type
	mpList
	mpMap
	mpBad
)

// mpRow says how a value begins: its class, and its length, which stands in
// the size bytes behind the first one, or is n if size is 0.
type mpRow struct {
	class mpClass
	size  uint8
	n     uint8
}

// mpRows has a row for each first byte. It is never changed.
var mpRows = func() (rows [256]mpRow) {
	for c := range rows {
		r := &rows[c]
		switch {
		case c < mpFixMap || c >= mpNegative:
		case c < mpFixList:
			*r = mpRow{mpMap, 0, uint8(c & 0x0f)}
		case c < mpFixStr:
			*r = mpRow{mpList, 0, uint8(c & 0x0f)}
		case c < mpNil:
			*r = mpRow{mpStr, 0, uint8(c & 0x1f)}
		case c == mpUnused:
			r.class = mpBad
		case c < mpBin8:
		case c < mpExt8:
			*r = mpRow{mpBin, 1 << (c - mpBin8), 0}
		case c < mpFloat32:
			*r = mpRow{mpExt, 1 << (c - mpExt8), 0}
		case c <= mpFloat64:
			r.n = 4 << (c - mpFloat32)
		case c <= mpUint64:
			r.n = 1 << (c - mpUint8)
		case c <= mpInt64:
			r.n = 1 << (c - mpInt8)
		case c <= mpFixExt16:
			*r = mpRow{mpExt, 0, 1 << (c - mpFixExt1)}
		case c < mpList16:
			*r = mpRow{mpStr, 1 << (c - mpStr8), 0}
		case c < mpMap16:
			*r = mpRow{mpList, 2 << (c - mpList16), 0}
		default:
			*r = mpRow{mpMap, 2 << (c - mpMap16), 0}
		}
	}
	return rows
}()

// mpQuick has the length of the values whose first byte says it: numbers and
// short strings, which are most of what there is. It is never changed.
var mpQuick = func() (t [256]uint8) {
	for c, r := range mpRows {
		if (r.class == mpScalar || r.class == mpStr) && r.size == 0 && c != mpUint64 {
			t[c] = 1 + r.n
		}
	}
	return t
}()

// mpHead reads the head at pos: the class of the value and its length in
// bytes, elements or entries, which may be more than an int holds.
func mpHead(data []byte, pos int) (class mpClass, n uint, next int, ok bool) {
	r := mpRows[data[pos]]
	pos++
	if r.size == 0 {
		return r.class, uint(r.n), pos, r.class != mpBad
	}
	rest := data[pos:]
	if len(rest) < int(r.size) {
		return r.class, 0, pos, false
	}
	switch r.size {
	case 1:
		n = uint(rest[0])
	case 2:
		n = uint(binary.BigEndian.Uint16(rest))
	default:
		n = uint(binary.BigEndian.Uint32(rest))
	}
	return r.class, n, pos + int(r.size), true
}

func (f msgpackFormat) skip(s *scan, pos, depth int) (int, string) {
	data := s.data
	if pos >= len(data) {
		return pos, badTruncated
	}
	class, n, next, ok := mpHead(data, pos)
	if !ok {
		if class == mpBad {
			return pos, badReserved
		}
		return pos, badTruncated
	}
	rest := uint(len(data) - next)
	if n > rest {
		return pos, badTruncated
	}
	switch class {
	case mpList:
		return f.skipItems(s, pos, next, int(n), depth+1)
	case mpMap:
		if n > rest/2 {
			return pos, badTruncated
		}
		s.dicts++
		return f.skipItems(s, pos, next, 2*int(n), depth+1)
	case mpExt:
		if n++; n > rest {
			return pos, badTruncated
		}
	}
	return next + int(n), ""
}

// skipItems skips the n items of a container that begins at head.
func (f msgpackFormat) skipItems(s *scan, head, pos, n, depth int) (int, string) {
	data := s.data
	if depth > s.depth {
		return head, badDepth
	}
	if n > len(data)-pos {
		return head, badTruncated
	}
	if !s.take(uint64(n)) {
		return head, badElements
	}
	for ; n > 0; n-- {
		if pos >= len(data) {
			return pos, badTruncated
		}
		if n := int(mpQuick[data[pos]]); n > 0 && n <= len(data)-pos {
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

func (f msgpackFormat) split(s *scan, spans *[maxElements]span) (n, pos int, bad string) {
	data := s.data
	if len(data) == 0 {
		return 0, 0, badTruncated
	}
	class, count, pos, ok := mpHead(data, 0)
	switch {
	case class != mpList:
		return 0, 0, badNoList
	case !ok:
		return 0, 0, badTruncated
	case count >= maxElements:
		return 0, 0, badLong
	case s.depth < 1 || !s.take(uint64(count)):
		return 0, 0, badElements
	}
	for n < int(count) {
		end := len(data)
		if pos < end {
			end = pos + int(mpQuick[data[pos]])
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
	if pos != len(data) {
		return n, pos, badTrailing
	}
	return n, pos, ""
}

func (msgpackFormat) kind(raw []byte) kind {
	if len(raw) == 0 {
		return kindOther
	}
	switch mpRows[raw[0]].class {
	case mpStr:
		return kindString
	case mpBin:
		return kindBinary
	case mpList:
		return kindList
	case mpMap:
		return kindDict
	}
	if raw[0] == mpNil {
		return kindNull
	}
	return kindOther
}

// mpInt reads an integer: its bits, and whether it is negative.
func mpInt(raw []byte) (bits uint64, negative, ok bool) {
	if len(raw) == 0 {
		return 0, false, false
	}
	switch c := raw[0]; {
	case c < mpFixMap:
		return uint64(c), false, len(raw) == 1
	case c >= mpNegative:
		return uint64(int64(int8(c))), true, len(raw) == 1
	case c >= mpUint8 && c <= mpInt64:
		rest := raw[1:]
		if len(rest) != 1<<((c-mpUint8)&3) {
			return 0, false, false
		}
		switch len(rest) {
		case 1:
			bits = uint64(rest[0])
		case 2:
			bits = uint64(binary.BigEndian.Uint16(rest))
		case 4:
			bits = uint64(binary.BigEndian.Uint32(rest))
		default:
			bits = binary.BigEndian.Uint64(rest)
		}
		if c >= mpInt8 {
			shift := 64 - 8*len(rest)
			bits = uint64(int64(bits<<shift) >> shift)
			negative = int64(bits) < 0
		}
		return bits, negative, true
	}
	return 0, false, false
}

func (msgpackFormat) uint(raw []byte) (uint64, bool) {
	n, negative, ok := mpInt(raw)
	return n, ok && !negative
}

func (f msgpackFormat) whole(raw []byte) (uint64, bool) {
	if t := f.token(raw); t.kind == tokenFloat {
		return wholeFloat(t.f)
	}
	return 0, false
}

func (msgpackFormat) str(raw []byte) ([]byte, bool) {
	if len(raw) == 0 || mpRows[raw[0]].class != mpStr {
		return nil, false
	}
	_, n, next, ok := mpHead(raw, 0)
	if !ok || n > uint(len(raw)-next) {
		return nil, false
	}
	b := raw[next : next+int(n)]
	return b, utf8.Valid(b)
}

func (msgpackFormat) open(raw []byte) (pos, n int) {
	_, count, pos, ok := mpHead(raw, 0)
	if !ok || count > uint(len(raw)) {
		return pos, 0
	}
	return pos, int(count)
}

func (f msgpackFormat) next(raw []byte, pos, i int, dict bool) (start, end int, bad string) {
	if pos >= len(raw) {
		return -1, pos, ""
	}
	var st stack
	end, bad = f.end(raw, pos, &st)
	return pos, end, bad
}

func (f msgpackFormat) plain(raw []byte, pos int) (any, int, string) {
	class, length, next, _ := mpHead(raw, pos)
	n := int(length)
	switch class {
	case mpStr:
		b := raw[next : next+n]
		if !utf8.Valid(b) {
			return nil, pos, badUTF8
		}
		return string(b), next + n, ""
	case mpBin:
		return append([]byte{}, raw[next:next+n]...), next + n, ""
	case mpExt:
		return mpPlainExt(raw[next], raw[next+1:next+1+n]), next + 1 + n, ""
	case mpList:
		list := make([]any, 0, n)
		for range n {
			v, end, bad := f.plain(raw, next)
			if bad != "" {
				return nil, end, bad
			}
			list, next = append(list, v), end
		}
		return list, next, ""
	case mpMap:
		return f.plainMap(raw, next, n)
	}
	end := next + n
	switch raw[pos] {
	case mpNil:
		return nil, end, ""
	case mpFalse:
		return false, end, ""
	case mpTrue:
		return true, end, ""
	case mpFloat32:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(raw[next:]))), end, ""
	case mpFloat64:
		return math.Float64frombits(binary.BigEndian.Uint64(raw[next:])), end, ""
	}
	bits, negative, _ := mpInt(raw[pos:end])
	if negative {
		return int64(bits), end, ""
	}
	return plainUint(bits), end, ""
}

func (f msgpackFormat) plainMap(raw []byte, pos, n int) (any, int, string) {
	m := make(map[string]any, n)
	for range n {
		if c := raw[pos]; mpRows[c].class != mpStr && !mpIsInt(c) {
			return nil, pos, badKey // a time, though it is text
		}
		k, end, bad := f.plain(raw, pos)
		if bad != "" {
			return nil, end, bad
		}
		if bad = plainEntry(m, k); bad != "" {
			return nil, pos, bad
		}
		v, next, bad := f.plain(raw, end)
		if bad != "" {
			return nil, next, bad
		}
		m[plainKey(k)], pos = v, next
	}
	return m, pos, ""
}

// mpPlainExt returns a timestamp as the RFC 3339 string it is in the other
// serializers, and a Tag for any other extension.
func mpPlainExt(typ byte, b []byte) any {
	if t, ok := mpTimestamp(typ, b); ok {
		return t.Format(time.RFC3339Nano)
	}
	return Tag{uint64(typ), append([]byte{}, b...)}
}

// mpTimestamp reads MessagePack's own timestamp, the extension of type -1.
func mpTimestamp(typ byte, b []byte) (time.Time, bool) {
	var sec, nsec int64
	switch {
	case typ != 0xff:
		return time.Time{}, false
	case len(b) == 4:
		sec = int64(binary.BigEndian.Uint32(b))
	case len(b) == 8:
		n := binary.BigEndian.Uint64(b)
		sec, nsec = int64(n&(1<<34-1)), int64(n>>34)
	case len(b) == 12:
		sec, nsec = int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint32(b))
	default:
		return time.Time{}, false
	}
	t := time.Unix(sec, nsec).UTC()
	// Years of more than four digits have no RFC 3339 form.
	return t, nsec < 1e9 && t.Year() >= 0 && t.Year() <= 9999
}
