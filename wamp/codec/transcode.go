package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// What follows turns text and marks into CBOR or MessagePack, where a list and a dict
// begin with their length: one walk counts, the next one writes.

// counts returns how many elements each list, and how many entries each dict of a
// well-formed text has, in the order in which they begin.
func counts(text []byte) []uint32 {
	var out []uint32
	var open []uint32 // those that have not ended
	for pos := 0; pos < len(text); {
		switch text[pos] {
		case '"':
			pos, _ = jsonStringEnd(text, pos)
			continue
		case '[', '{':
			open = append(open, uint32(len(out)))
			n := uint32(1)
			if next := jsonSpace(text, pos+1); text[next] == ']' || text[next] == '}' {
				n = 0
			}
			out = append(out, n)
		case ']', '}':
			open = open[:len(open)-1]
		case ',':
			out[open[len(open)-1]]++
		}
		pos++
	}
	return out
}

// transcoder writes text and marks in the form of f.
type transcoder struct {
	f      format
	text   []byte
	marks  []mark
	counts []uint32
}

// value appends the value at pos. The error is a fault, which stands at the offset
// that comes back.
func (t *transcoder) value(dst []byte, pos, depth int) (out []byte, end int, err error) {
	f := t.f
	if len(t.marks) > 0 && t.marks[0].start == pos {
		v := t.marks[0].v
		t.marks = t.marks[1:]
		dst, err = appendValue(f, dst, v, depth)
		return dst, pos + len("null"), err
	}
	switch c := t.text[pos]; c {
	case '"':
		end, _ := jsonSkipString(t.text, pos)
		s, ok := jsonFormat{}.str(t.text[pos:end])
		if !ok {
			return dst, pos, errUTF8
		}
		return append(appendTextHead(f, dst, len(s)), s...), end, nil
	case '[', '{':
		if depth >= valueDepth {
			return dst, pos, errTooDeep
		}
		n := int(t.counts[0])
		t.counts = t.counts[1:]
		if c == '[' {
			dst = f.listHead(dst, n)
		} else {
			dst = f.dictHead(dst, n)
		}
		for i := 0; ; i++ {
			start, end, _ := jsonItem(t.text, pos+1, i, c == '{')
			if start < 0 {
				return dst, end, nil
			}
			if dst, end, err = t.value(dst, start, depth+1); err != nil {
				return dst, end, err
			}
			pos = end - 1
		}
	case 't':
		return f.appendBool(dst, true), pos + 4, nil
	case 'f':
		return f.appendBool(dst, false), pos + 5, nil
	case 'n':
		return f.appendNil(dst), pos + 4, nil
	}
	end, integer, _ := jsonSkipNumber(t.text, pos)
	dst, err = appendNumber(f, dst, t.text[pos:end], integer)
	if err != nil {
		end = pos
	}
	return dst, end, err
}

// appendNumber appends a number that is written in JSON's form. That of -0 is a float.
func appendNumber(f format, dst, raw []byte, integer bool) ([]byte, error) {
	if len(raw) > MaxDigits {
		return dst, fault(badDigits)
	}
	v, ok := jsonNumber(raw, integer)
	if !ok {
		return dst, fault(badNumber)
	}
	switch v := v.(type) {
	case int64:
		return f.appendInt(dst, v), nil
	case uint64:
		return f.appendUint(dst, v), nil
	case float64:
		return f.appendFloat(dst, v)
	}
	return appendBig(f, dst, v.(*big.Int))
}

// appendTextHead appends what stands before the bytes of a string.
func appendTextHead(f format, dst []byte, n int) []byte {
	if _, ok := f.(cborFormat); ok {
		return cborHead(dst, cborText, uint64(n))
	}
	if n < 32 {
		return append(dst, mpFixStr|byte(n))
	}
	return mpLength(dst, mpStr8, uint64(n))
}

// doc is what was received, as text and marks, for the library to read.
type doc struct {
	text  []byte
	marks []mark
	odd   bool // among the marks are some that have no form in JSON
	whole bool // there are floats that are integers
	blind bool // nobody looks at the text of what is marked
}

func (d *doc) mark(v any) {
	d.marks = append(d.marks, mark{len(d.text), v})
}

// null writes something in the place of a value that JSON has no form for.
func (d *doc) null(v any) {
	d.mark(v)
	d.odd = true
	d.text = append(d.text, "null"...)
}

func (d *doc) string(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	if len(b) > 0 && b[0] == 0 {
		d.mark(nulText{})
	}
	d.text = appendJSONText(d.text, b)
	return true
}

func (d *doc) bytes(b []byte) {
	d.mark(b)
	if d.blind {
		d.text = append(d.text, `""`...)
		return
	}
	d.text = jsonFormat{}.appendBytes(d.text, b)
}

func (d *doc) float(v float64) {
	out, err := jsonFormat{}.appendFloat(d.text, v)
	if err != nil {
		d.null(v)
		return
	}
	d.text = out
	d.whole = d.whole || v == math.Trunc(v)
}

// known writes what a known tag makes of its content.
func (d *doc) known(v any) bool {
	switch v := v.(type) {
	case string:
		return d.string([]byte(v))
	case decimalText:
		d.mark(v)
		d.text = appendJSONText(d.text, []byte(v))
	case []byte:
		d.bytes(v)
	}
	return true
}

// appendJSONText appends a string that is valid.
func appendJSONText(dst, v []byte) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(v); i++ {
		c := v[i]
		if plainChar[c] {
			for len(v)-i > 8 && allPlain(binary.LittleEndian.Uint64(v[i+1:])) {
				i += 8
			}
			continue
		}
		dst = append(dst, v[done:i]...)
		done = i + 1
		dst = appendEscape(dst, c)
	}
	return append(append(dst, v[done:]...), '"')
}

// appendEscape appends a character that does not stand for itself.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// toText appends the well-formed value at pos.
func (f cborFormat) toText(d *doc, raw []byte, pos int) (int, string) {
	c := raw[pos]
	major := c & 0xe0
	switch major {
	case cborText, cborBytes:
		b, end, _ := cborContent(raw, pos)
		if major == cborBytes {
			d.bytes(b)
		} else if !d.string(b) {
			return pos, badUTF8
		}
		return end, ""
	case cborArray, cborMap:
		return f.itemsToText(d, raw, pos, major == cborMap)
	}
	n, next, _ := cborArg(raw, pos)
	switch major {
	case cborUint:
		d.text = strconv.AppendUint(d.text, n, 10)
		return next, ""
	case cborNint:
		if n < 1<<63 {
			d.text = strconv.AppendInt(d.text, ^int64(n), 10)
			return next, ""
		}
	case cborTag:
		if n == cborSelf {
			return f.toText(d, raw, next)
		}
	default:
		switch v := cborSimple(c, n).(type) {
		case bool:
			d.text = strconv.AppendBool(d.text, v)
		case float64:
			d.float(v)
		default:
			d.text = append(d.text, "null"...)
		}
		return next, ""
	}
	v, end, bad := f.plain(raw, pos) // a big number, or a tag
	if bad != "" {
		return end, bad
	}
	switch v := v.(type) {
	case int64:
		d.text = strconv.AppendInt(d.text, v, 10)
	case uint64:
		d.text = strconv.AppendUint(d.text, v, 10)
	case *big.Int:
		if v.BitLen() > maxBits {
			return pos, badDigits
		}
		d.text = v.Append(d.text, 10)
	case Tag:
		d.null(v)
	default:
		if major == cborTag && n == cborDecimal {
			v = decimalText(v.(string))
		}
		if !d.known(v) {
			return pos, badUTF8
		}
	}
	return end, ""
}

// keyToText appends the key of a dict that stands at pos, and the colon behind it:
// text as it is, an integer as decimal text.
func keyToText(f format, d *doc, raw []byte, pos int, text, integer bool) (end int, bad string) {
	switch {
	case text:
		end, bad = f.toText(d, raw, pos)
	case integer:
		d.text = append(d.text, '"')
		end, bad = f.toText(d, raw, pos)
		d.text = append(d.text, '"')
	default:
		return pos, badKey
	}
	d.text = append(d.text, ':')
	return end, bad
}

func (f cborFormat) itemsToText(d *doc, raw []byte, pos int, dict bool) (int, string) {
	n, next := -1, pos+1
	if raw[pos]&0x1f != cborIndef {
		arg, at, _ := cborArg(raw, pos)
		n, next = int(arg), at
	}
	pos = next
	open, shut := byte('['), byte(']')
	if dict {
		open, shut = '{', '}'
	}
	d.text = append(d.text, open)
	for i := 0; i != n; i++ {
		if n < 0 && raw[pos] == cborBreak {
			pos++
			break
		}
		if i > 0 {
			d.text = append(d.text, ',')
		}
		var bad string
		if dict {
			major := raw[pos] & 0xe0
			if pos, bad = keyToText(f, d, raw, pos, major == cborText, major == cborUint || major == cborNint); bad != "" {
				return pos, bad
			}
		}
		if pos, bad = f.toText(d, raw, pos); bad != "" {
			return pos, bad
		}
	}
	d.text = append(d.text, shut)
	return pos, ""
}

// toText appends the well-formed value at pos.
func (f msgpackFormat) toText(d *doc, raw []byte, pos int) (int, string) {
	class, length, next, _ := mpHead(raw, pos)
	n := int(length)
	switch class {
	case mpStr:
		if !d.string(raw[next : next+n]) {
			return pos, badUTF8
		}
		return next + n, ""
	case mpBin:
		d.bytes(raw[next : next+n])
		return next + n, ""
	case mpExt:
		v := mpPlainExt(raw[next], raw[next+1:next+1+n])
		if tag, unknown := v.(Tag); unknown {
			d.null(tag)
		} else {
			d.known(v)
		}
		return next + 1 + n, ""
	case mpList, mpMap:
		return f.itemsToText(d, raw, next, n, class == mpMap)
	}
	v, end, _ := f.plain(raw, pos)
	switch v := v.(type) {
	case int64:
		d.text = strconv.AppendInt(d.text, v, 10)
	case uint64:
		d.text = strconv.AppendUint(d.text, v, 10)
	case bool:
		d.text = strconv.AppendBool(d.text, v)
	case float64:
		d.float(v)
	default:
		d.text = append(d.text, "null"...)
	}
	return end, ""
}

func (f msgpackFormat) itemsToText(d *doc, raw []byte, pos, n int, dict bool) (int, string) {
	open, shut := byte('['), byte(']')
	if dict {
		open, shut = '{', '}'
	}
	d.text = append(d.text, open)
	for i := range n {
		if i > 0 {
			d.text = append(d.text, ',')
		}
		var bad string
		if dict {
			c := raw[pos]
			if pos, bad = keyToText(f, d, raw, pos, mpRows[c].class == mpStr, mpIsInt(c)); bad != "" {
				return pos, bad
			}
		}
		if pos, bad = f.toText(d, raw, pos); bad != "" {
			return pos, bad
		}
	}
	d.text = append(d.text, shut)
	return pos, ""
}

// mpIsInt reports whether a first byte begins an integer.
func mpIsInt(c byte) bool { return c < mpFixMap || c >= mpNegative || c >= mpUint8 && c <= mpInt64 }

// toText takes the text as it came, and marks what is binary in it.
func (f jsonFormat) toText(d *doc, raw []byte, pos int) (int, string) {
	if d.text = raw; bytes.IndexByte(raw, '\\') < 0 {
		return len(raw), ""
	}
	raw = mendSurrogates(raw)
	d.text = raw
	for pos := 0; ; {
		n := indexQuotedNUL(raw[pos:])
		if n < 0 {
			return len(raw), ""
		}
		pos += n
		end, _ := jsonSkipString(raw, pos)
		if next := jsonSpace(raw, end); next < len(raw) && raw[next] == ':' {
			return pos, badKey
		}
		s, ok := f.str(raw[pos:end])
		if !ok {
			return pos, badUTF8
		}
		b, ok := jsonBinary(s)
		if !ok {
			return pos, badBase64
		}
		d.marks = append(d.marks, mark{pos, b})
		pos = end
	}
}
