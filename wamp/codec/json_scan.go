package codec

import (
	"bytes"
	"encoding/base64"
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
)

// jsonSpace returns the offset of the next octet that is no white space.
func jsonSpace(data []byte, pos int) int {
	for pos < len(data) {
		if c := data[pos]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			break
		}
		pos++
	}
	return pos
}

// plainChar says of an octet that it stands for itself in a string.
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
	end, _, ok := jsonSkipNumber(data, pos)
	if ok {
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
	for i := 0; ; i++ {
		start, end, bad := jsonItem(s.data, pos, i, dict)
		if bad != "" || start < 0 {
			return end, bad
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
	if dict && i&1 == 0 && data[pos] != '"' {
		return -1, pos, badKey
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
		if end, bad = f.skip(s, start, 1); bad != "" {
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
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out = append(out, b[i])
			continue
		}
		if i++; i >= len(b) {
			return nil, false
		}
		switch b[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := jsonHex(b, i+1)
			i += 4
			if ok && utf16.IsSurrogate(r) {
				ok = len(b)-i > 6 && b[i+1] == '\\' && b[i+2] == 'u'
				if ok {
					low, hex := jsonHex(b, i+3)
					r = utf16.DecodeRune(r, low)
					ok = hex && r != utf8.RuneError
					i += 6
				}
			}
			if !ok {
				return nil, false
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, b[i])
		}
	}
	return out, utf8.Valid(out)
}

// jsonBinary returns the octets of a string in WAMP's form of binary.
func jsonBinary(s []byte) ([]byte, bool) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(s)-1))
	n, err := base64.StdEncoding.Strict().Decode(out, s[1:])
	return out[:n], err == nil && !bytes.ContainsAny(s, "\r\n")
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
	s := valueScan(raw)
	end, bad = f.skip(&s, start, 1)
	return start, end, bad
}

func (f jsonFormat) plain(raw []byte, pos int) (any, int, string) {
	switch raw[pos] {
	case '"':
		end, _ := jsonSkipString(raw, pos)
		b, ok := f.str(raw[pos:end])
		if !ok {
			return nil, pos, badUTF8
		}
		if len(b) > 0 && b[0] == 0 {
			if b, ok = jsonBinary(b); !ok {
				return nil, pos, badBase64
			}
			return b, end, ""
		}
		return string(b), end, ""
	case '[':
		return f.plainList(raw, pos)
	case '{':
		return f.plainMap(raw, pos)
	case 't':
		return true, pos + 4, ""
	case 'f':
		return false, pos + 5, ""
	case 'n':
		return nil, pos + 4, ""
	}
	end, integer, _ := jsonSkipNumber(raw, pos)
	v, ok := jsonNumber(raw[pos:end], integer)
	if !ok {
		return nil, pos, badNumber
	}
	return v, end, ""
}

// jsonNumber returns an integer exactly, and anything that is written with a
// fraction or an exponent, or is beyond uint64, as a float. It is not ok beyond float64.
func jsonNumber(raw []byte, integer bool) (v any, ok bool) {
	if integer {
		if n, ok := (jsonFormat{}).uint(raw); ok {
			return plainUint(n), true
		}
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil && n != 0 {
			return n, true
		}
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	return x, err == nil
}

func (f jsonFormat) plainList(raw []byte, pos int) (any, int, string) {
	list := []any{}
	pos++
	for i := 0; ; i++ {
		start, end, bad := jsonItem(raw, pos, i, false)
		if bad != "" || start < 0 {
			return list, end, bad
		}
		v, end, bad := f.plain(raw, start)
		if bad != "" {
			return nil, end, bad
		}
		list, pos = append(list, v), end
	}
}

func (f jsonFormat) plainMap(raw []byte, pos int) (any, int, string) {
	m := map[string]any{}
	pos++
	for i := 0; ; i += 2 {
		start, end, bad := jsonItem(raw, pos, i, true)
		if bad != "" || start < 0 {
			return m, end, bad
		}
		end, _ = jsonSkipString(raw, start)
		key, ok := f.str(raw[start:end])
		if !ok {
			return nil, start, badUTF8
		}
		k := string(key)
		if _, dup := m[k]; dup {
			return nil, start, badDuplicate
		}
		start, end, bad = jsonItem(raw, end, i+1, true)
		if bad != "" {
			return nil, end, bad
		}
		v, end, bad := f.plain(raw, start)
		if bad != "" {
			return nil, end, bad
		}
		m[k], pos = v, end
	}
}
