package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	badChar    = "unexpected character"
	badEscape  = "wrong escape in a string"
	badControl = "control character in a string"
	badNumber  = "wrong number"
	badBase64  = "string of binary is not base64"
	badBracket = "bracket of the other kind"
	badDigits  = "number has too many digits"
)

// jsonSpace returns the offset of the next byte that is no white space.
func jsonSpace(data []byte, pos int) int {
	for pos < len(data) {
		if c := data[pos]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			break
		}
		pos++
	}
	return pos
}

// plainChar says of a byte that it stands for itself in a string.
var plainChar = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

// jsonSkipString skips the string whose quote is at pos.
func jsonSkipString(data []byte, pos int) (int, string) {
	head := pos
	for pos++; pos < len(data); pos++ {
		c := data[pos]
		if plainChar[c] {
			for len(data)-pos > 8 && allPlain(binary.LittleEndian.Uint64(data[pos+1:])) {
				pos += 8
			}
			continue
		}
		if c == '"' {
			return pos + 1, ""
		}
		if c != '\\' {
			return pos, badControl
		}
		if pos++; pos >= len(data) {
			break
		}
		switch data[pos] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if _, ok := jsonHex(data, pos+1); !ok {
				return pos, badEscape
			}
			pos += 4
		default:
			return pos, badEscape
		}
	}
	return head, badTruncated
}

// allPlain reports whether eight bytes are plain characters, all of ASCII: a few
// that are not are looked at one by one.
func allPlain(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^(ones*'"'), x^(ones*'\\')
	return (x|(quote-ones)&^quote|(slash-ones)&^slash|(x-ones*0x20)&^x)&tops == 0
}

// jsonHex reads the four digits of an escape.
func jsonHex(data []byte, pos int) (r rune, ok bool) {
	if len(data)-pos < 4 {
		return 0, false
	}
	for _, c := range data[pos : pos+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// jsonSkipNumber skips a number and says whether it is an integer.
func jsonSkipNumber(data []byte, pos int) (end int, integer, ok bool) {
	if pos < len(data) && data[pos] == '-' {
		pos++
	}
	switch {
	case pos >= len(data):
		return pos, false, false
	case data[pos] == '0':
		pos++
	default:
		start := pos
		if pos = jsonDigits(data, pos); pos == start {
			return pos, false, false
		}
	}
	integer = true
	if pos < len(data) && data[pos] == '.' {
		start := pos + 1
		if pos = jsonDigits(data, start); pos == start {
			return pos, false, false
		}
		integer = false
	}
	if pos < len(data) && data[pos]|0x20 == 'e' {
		pos++
		if pos < len(data) && (data[pos] == '+' || data[pos] == '-') {
			pos++
		}
		start := pos
		if pos = jsonDigits(data, start); pos == start {
			return pos, false, false
		}
		integer = false
	}
	return pos, integer, true
}

func jsonDigits(data []byte, pos int) int {
	for pos < len(data) && data[pos]-'0' <= 9 {
		pos++
	}
	return pos
}

// jsonNUL begins the form of binary.
var jsonNUL = []byte(`\u0000`)

func jsonLiteral(data []byte, pos int, word string) (int, string) {
	if len(data)-pos >= len(word) && string(data[pos:pos+len(word)]) == word {
		return pos + len(word), ""
	}
	return pos, badChar
}

// skip begins behind white space and does not skip what comes behind.
func (f jsonFormat) skip(s *scan, pos, depth int) (int, string) {
	data := s.data
	if pos >= len(data) {
		return pos, badTruncated
	}
	switch c := data[pos]; c {
	case '"':
		return jsonSkipString(data, pos)
	case '[', '{':
		return f.skipItems(s, pos, depth+1, c == '{')
	case 't':
		return jsonLiteral(data, pos, "true")
	case 'f':
		return jsonLiteral(data, pos, "false")
	case 'n':
		return jsonLiteral(data, pos, "null")
	}
	end, integer, ok := jsonSkipNumber(data, pos)
	if ok && end-pos > MaxDigits {
		return pos, badDigits
	}
	if ok {
		if !s.whole {
			s.whole = !integer && mayBeWhole(data[pos:end]) || string(data[pos:end]) == "-0"
		}
		return end, ""
	}
	if end == pos && pos < len(data) {
		return pos, badChar
	}
	return pos, badNumber
}

// skipItems skips the list or dict that begins at pos.
func (f jsonFormat) skipItems(s *scan, pos, depth int, dict bool) (int, string) {
	if depth > s.depth {
		return pos, badDepth
	}
	pos++
	if dict {
		s.dicts++
	}
	for i := 0; ; i++ {
		start, end, bad := jsonItem(s.data, pos, i, dict)
		if bad != "" || start < 0 {
			return end, bad
		}
		if dict && i&1 == 0 && (s.data[start] != '"' || s.keys && bytes.HasPrefix(s.data[start+1:], jsonNUL)) {
			return start, badKey
		}
		if !s.take(1) {
			return start, badElements
		}
		if pos, bad = f.skip(s, start, depth); bad != "" {
			return pos, bad
		}
	}
}

// jsonItem finds where element i of a list begins, or key (even i) or value
// (odd i) of a dict: it reads the comma or colon before it. At the end start is
// less than 0 and end behind the bracket.
func jsonItem(data []byte, pos, i int, dict bool) (start, end int, bad string) {
	pos = jsonSpace(data, pos)
	if pos >= len(data) {
		return -1, pos, badTruncated
	}
	c := data[pos]
	switch {
	case dict && i&1 == 1:
		if c != ':' {
			return -1, pos, badChar
		}
		pos = jsonSpace(data, pos+1)
	case c == ']' && !dict || c == '}' && dict:
		return -1, pos + 1, ""
	case i > 0:
		if c != ',' {
			return -1, pos, badChar
		}
		pos = jsonSpace(data, pos+1)
	}
	if pos >= len(data) {
		return -1, pos, badTruncated
	}
	return pos, pos, ""
}

func (f jsonFormat) split(s *scan, spans *[maxElements]span) (n, pos int, bad string) {
	data := s.data
	pos = jsonSpace(data, 0)
	if pos >= len(data) {
		return 0, 0, badTruncated
	}
	if data[pos] != '[' {
		return 0, pos, badNoList
	}
	pos++
	for {
		start, end, bad := jsonItem(data, pos, n, false)
		if bad != "" {
			return n, end, bad
		}
		if start < 0 {
			pos = end
			break
		}
		if n == maxElements-1 {
			return n, start, badLong
		}
		if !s.take(1) {
			return n, start, badElements
		}
		switch c := data[start]; {
		case !s.lenient || jsonMarks[c] == 0:
			end, bad = f.skip(s, start, 1)
		case c == '"':
			if end, bad = jsonSkipString(data, start); bad != "" {
				s.broken |= 1 << n // if it is no payload
				end, bad = jsonStringEnd(data, start)
			}
		default:
			end, bad = f.end(data, start, &s.stack)
		}
		if bad != "" {
			return n, end, bad
		}
		spans[n] = span{start, end}
		n, pos = n+1, end
	}
	if jsonSpace(data, pos) != len(data) {
		return n, pos, badTrailing
	}
	return n, pos, ""
}

func (jsonFormat) kind(raw []byte) kind {
	if len(raw) == 0 {
		return kindOther
	}
	switch raw[0] {
	case '[':
		return kindList
	case '{':
		return kindDict
	case '"':
		return kindString
	case 'n':
		return kindNull
	}
	return kindOther
}

func (jsonFormat) uint(raw []byte) (n uint64, ok bool) {
	if len(raw) == 0 || len(raw) > 20 || raw[0] == '0' && len(raw) > 1 {
		return 0, false
	}
	for _, c := range raw {
		d := uint64(c - '0')
		if d > 9 || n > math.MaxUint64/10 || n*10 > math.MaxUint64-d {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// whole reads 7.0 and 7e0 and whatever else is an integer, exactly.
func (jsonFormat) whole(raw []byte) (n uint64, ok bool) {
	if len(raw) == 0 || raw[0]-'0' > 9 {
		return 0, false
	}
	i, zeros, exp := 0, 0, 0 // zeros that nothing else has followed yet
	for frac := 0; i < len(raw) && raw[i]|0x20 != 'e'; i++ {
		switch d := raw[i] - '0'; {
		case raw[i] == '.':
			frac = 1
			continue
		case d > 9:
			return 0, false
		case d == 0:
			zeros++
		default:
			n, ok = timesTen(n, zeros+1)
			if !ok || n+uint64(d) < n {
				n = math.MaxUint64 // and stays it
			} else {
				n += uint64(d)
			}
			zeros = 0
		}
		exp -= frac
	}
	if n == 0 {
		return 0, true
	}
	if i < len(raw) {
		// An error says that it is out of range.
		e, _ := strconv.ParseInt(string(raw[i+1:]), 10, 30)
		exp += int(e)
	}
	if exp += zeros; exp < 0 {
		return 0, false
	}
	if n, ok = timesTen(n, exp); !ok {
		n = math.MaxUint64
	}
	return n, true
}

// timesTen returns n times ten to the power of exp.
func timesTen(n uint64, exp int) (uint64, bool) {
	for ; n > 0 && exp > 0; exp-- {
		if n > math.MaxUint64/10 {
			return 0, false
		}
		n *= 10
	}
	return n, true
}

func (f jsonFormat) str(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	b := raw[1 : len(raw)-1]
	if bytes.IndexByte(b, '\\') < 0 {
		return b, utf8.Valid(b)
	}
	return jsonUnescape(b)
}

// jsonUnescape returns what the inside of a string stands for. Half a
// surrogate pair stands for nothing.
func jsonUnescape(b []byte) ([]byte, bool) {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] != '\\' {
			run := bytes.IndexByte(b[i:], '\\')
			if run < 0 {
				run = len(b) - i
			}
			out = append(out, b[i:i+run]...)
			i += run
			continue
		}
		r, next, ok := jsonEscape(b, i)
		if !ok {
			return nil, false
		}
		out, i = utf8.AppendRune(out, r), next
	}
	return out, utf8.Valid(out)
}

// jsonEscape reads the escape at pos.
func jsonEscape(b []byte, pos int) (r rune, next int, ok bool) {
	if pos+1 >= len(b) {
		return 0, len(b), false
	}
	next = pos + 2
	switch c := b[pos+1]; c {
	case '"', '\\', '/':
		return rune(c), next, true
	case 'b':
		return '\b', next, true
	case 'f':
		return '\f', next, true
	case 'n':
		return '\n', next, true
	case 'r':
		return '\r', next, true
	case 't':
		return '\t', next, true
	case 'u':
	default:
		return 0, next, false
	}
	if r, ok = jsonHex(b, next); !ok {
		return 0, next, false
	}
	if next += 4; !utf16.IsSurrogate(r) {
		return r, next, true
	}
	if r, ok := jsonLow(b, next, r); ok {
		return r, next + 6, true
	}
	return utf8.RuneError, next, false
}

// jsonLow reads the second half of a surrogate pair.
func jsonLow(b []byte, next int, high rune) (r rune, ok bool) {
	if len(b)-next < 6 || b[next] != '\\' || b[next+1] != 'u' {
		return 0, false
	}
	low, ok := jsonHex(b, next+2)
	r = utf16.DecodeRune(high, low)
	return r, ok && r != utf8.RuneError
}

// mayBeWhole reports whether a number with a fraction or an exponent may be an
// integer.
func mayBeWhole(raw []byte) bool {
	for _, c := range raw {
		if c|0x20 == 'e' {
			return true
		}
	}
	return raw[len(raw)-1] == '0'
}

// jsonBinary returns the bytes of a string in WAMP's form of binary.
func jsonBinary(s []byte) ([]byte, bool) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(s)-1))
	n, err := base64.StdEncoding.Strict().Decode(out, s[1:])
	return out[:n], err == nil && bytes.IndexByte(s, '\r') < 0 && bytes.IndexByte(s, '\n') < 0
}

func (jsonFormat) open(raw []byte) (pos, n int) {
	if len(raw) == 2 {
		return 1, 0
	}
	return 1, -1
}

func (f jsonFormat) next(raw []byte, pos, i int, dict bool) (start, end int, bad string) {
	start, end, bad = jsonItem(raw, pos, i, dict)
	if bad != "" || start < 0 {
		return start, end, bad
	}
	var st stack
	end, bad = f.end(raw, start, &st)
	return start, end, bad
}
