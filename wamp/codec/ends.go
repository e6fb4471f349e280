package codec

import (
	"bytes"
	"encoding/binary"
)

// What follows finds the end of a value and looks at nothing else: not at what
// its strings and keys are, nor how deep it nests. That is all that a parser
// has to know of a payload. The walks do not recurse, so that 16 MiB of nested
// lists are as good as any others.

// stack is what a walk remembers of the containers around the value at hand. It
// never takes more memory than the value itself.
type stack []byte

// keepStack is how much of a stack a parser keeps for the next message.
const keepStack = 4 << 10

// push pushes a number, in as few bytes as it needs.
func (s *stack) push(n uint64) {
	b := *s
	last := byte(0) // the byte that pop sees last
	for shift := 63; shift > 0; shift -= 7 {
		if n>>shift != 0 {
			b = append(b, byte(n>>shift)&0x7f|last)
			last = 0x80
		}
	}
	*s = append(b, byte(n)&0x7f|last)
}

func (s *stack) pop() (n uint64) {
	b := *s
	for shift := 0; ; shift += 7 {
		c := b[len(b)-1]
		b = b[:len(b)-1]
		n |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			*s = b
			return n
		}
	}
}

// end finds the end by counting the values that are still to come.
func (f msgpackFormat) end(data []byte, pos int, _ *stack) (int, string) {
	for more := 1; more > 0; more-- {
		if pos >= len(data) {
			return pos, badTruncated
		}
		c := data[pos]
		if n := int(mpQuick[c]); n > 0 && n <= len(data)-pos {
			pos += n
			continue
		}
		if c >= mpFixMap && c < mpFixStr {
			if n := int(c & 0x0f); c < mpFixList {
				more += 2 * n
			} else {
				more += n
			}
			pos++
			continue
		}
		class, n, next, ok := mpHead(data, pos)
		rest := uint(len(data) - next)
		if class == mpBad { // no value, but one byte
			pos = next
			continue
		}
		if !ok || n > rest {
			return pos, badTruncated
		}
		switch class {
		case mpList, mpMap:
			if class == mpMap {
				if n *= 2; n > rest {
					return pos, badTruncated
				}
			}
			if more += int(n); more-1 > len(data)-next {
				return pos, badTruncated
			}
			n = 0
		case mpExt:
			if n++; n > rest {
				return pos, badTruncated
			}
		}
		pos = next + int(n)
	}
	return pos, ""
}

// end counts too. A container of indefinite length, and a string of that kind,
// puts the count of what is around it away until its break has come.
func (f cborFormat) end(data []byte, pos int, st *stack) (int, string) {
	*st = (*st)[:0]
	more := 1
	for open := 0; ; {
		for more > 0 {
			if pos >= len(data) {
				return pos, badTruncated
			}
			c := data[pos]
			if n := int(cborQuick[c]); n > 0 && n <= len(data)-pos {
				pos += n
				more--
				continue
			}
			if c&0x1f == cborIndef && c >= cborBytes && c < cborTag {
				st.push(uint64(more - 1))
				more = 0
				open++
				pos++
				continue
			}
			next, items, bad := cborStep(data, pos)
			if bad != "" {
				return pos, bad
			}
			if more += items - 1; more > len(data)-next {
				return pos, badTruncated
			}
			pos = next
		}
		switch {
		case open == 0:
			return pos, ""
		case pos < len(data) && data[pos] == cborBreak:
			more = int(st.pop())
			pos++
			open--
		default:
			more = 1
		}
	}
}

// cborStep returns the offset behind an item, or behind its head where others are
// part of it, and how many those are.
func cborStep(data []byte, pos int) (next, items int, bad string) {
	n, next, ok := cborArg(data, pos)
	if !ok {
		return pos, 0, cborFault(data, pos)
	}
	rest := uint64(len(data) - next)
	switch data[pos] & 0xe0 {
	case cborTag:
		return next, 1, ""
	case cborBytes, cborText:
		if n > rest {
			return pos, 0, badTruncated
		}
		return next + int(n), 0, ""
	case cborArray:
		if n > rest {
			return pos, 0, badTruncated
		}
		return next, int(n), ""
	case cborMap:
		if n > rest/2 {
			return pos, 0, badTruncated
		}
		return next, int(2 * n), ""
	}
	return next, 0, ""
}

// jsonMarks says of a byte what it is outside of strings: 'q' for a quote, '['
// and ']' for brackets of either kind, ',' for what ends a word; 0 is part of one.
var jsonMarks = func() (t [256]byte) {
	for _, c := range " \t\r\n,:" {
		t[c] = ','
	}
	t['"'] = 'q'
	t['['], t['{'] = '[', '['
	t[']'], t['}'] = ']', ']'
	return t
}()

// end finds the end by brackets and quotes. A bit of the stack for each bracket
// says whether it is that of a dict.
func (f jsonFormat) end(data []byte, pos int, st *stack) (int, string) {
	if pos >= len(data) {
		return pos, badTruncated
	}
	switch jsonMarks[data[pos]] {
	case 'q':
		return jsonStringEnd(data, pos)
	case '[':
		return jsonBracketEnd(data, pos, st)
	}
	head := pos
	for pos < len(data) && jsonMarks[data[pos]] == 0 {
		pos++
	}
	if pos == head {
		return pos, badChar
	}
	return pos, ""
}

// jsonStringEnd finds the closing quote. Most strings are short, but some are long.
func jsonStringEnd(data []byte, pos int) (int, string) {
	head := pos
	for pos++; pos < len(data); pos++ {
		switch data[pos] {
		case '"':
			return pos + 1, ""
		case '\\':
			pos++
			continue
		}
		for len(data)-pos > 8 && noMarks(binary.LittleEndian.Uint64(data[pos+1:])) {
			if pos += 8; pos-head > 128 {
				return jsonLongEnd(data, head, pos+1)
			}
		}
	}
	return head, badTruncated
}

// jsonLongEnd goes on from pos. It looks for each quote once.
func jsonLongEnd(data []byte, head, pos int) (int, string) {
	for quote := -1; pos < len(data); {
		if quote < pos {
			n := bytes.IndexByte(data[pos:], '"')
			if n < 0 {
				break
			}
			quote = pos + n
		}
		n := bytes.IndexByte(data[pos:quote], '\\')
		if n < 0 {
			return quote + 1, ""
		}
		pos += n + 2
	}
	return head, badTruncated
}

// noMarks reports whether none of eight bytes is a quote or a backslash: a few others
// are taken for one.
func noMarks(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^(ones*'"'), x^(ones*'\\')
	return ((quote-ones)&^quote|(slash-ones)&^slash)&tops == 0
}

func jsonBracketEnd(data []byte, pos int, st *stack) (int, string) {
	*st = (*st)[:0]
	var bits uint64 // the innermost of the open brackets, the last one lowest
	head := pos
	for depth := 0; pos < len(data); {
		c := data[pos]
		switch jsonMarks[c] {
		case 'q':
			var bad string
			if pos, bad = jsonStringEnd(data, pos); bad != "" {
				return pos, bad
			}
			continue
		case '[':
			if depth&63 == 0 && depth > 0 {
				*st = binary.LittleEndian.AppendUint64(*st, bits)
			}
			bits <<= 1
			if c == '{' {
				bits |= 1
			}
			depth++
		case ']':
			if (bits&1 != 0) != (c == '}') {
				return pos, badBracket
			}
			bits >>= 1
			if depth--; depth == 0 {
				return pos + 1, ""
			}
			if depth&63 == 0 {
				rest := *st
				bits = binary.LittleEndian.Uint64(rest[len(rest)-8:])
				*st = rest[:len(rest)-8]
			}
		}
		pos++
	}
	return head, badTruncated
}

func (msgpackFormat) longDigits(raw []byte) int {
	for pos := 0; pos < len(raw); {
		class, n, next, _ := mpHead(raw, pos)
		switch class {
		case mpList, mpMap:
			n = 0
		case mpExt:
			n++
		case mpStr:
			if isDigits(raw[next : next+int(n)]) {
				return pos
			}
		}
		pos = next + int(n)
	}
	return -1
}

func (cborFormat) longDigits(raw []byte) int {
	for pos := 0; pos < len(raw); {
		switch c := raw[pos]; {
		case c&0xe0 == cborText || c&0xe0 == cborBytes:
			b, end, _ := cborContent(raw, pos)
			if c&0xe0 == cborText && isDigits(b) {
				return pos
			}
			pos = end
		case c&0x1f == cborIndef: // the beginning or the end of a container
			pos++
		default:
			_, pos, _ = cborArg(raw, pos)
		}
	}
	return -1
}

func (jsonFormat) longDigits(raw []byte) int {
	for pos := 0; pos < len(raw); pos++ {
		if raw[pos] != '"' {
			continue
		}
		end, _ := jsonStringEnd(raw, pos)
		if isDigits(raw[pos+1 : end-1]) {
			return pos
		}
		pos = end - 1
	}
	return -1
}
