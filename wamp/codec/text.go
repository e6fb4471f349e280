package codec

import (
	"strings"
	"unicode/utf8"
)

// Text returns the first positional argument if it is a string, of which it takes
// the first limit bytes at most, without half a character at the end. It decodes
// nothing else and runs no code of the user's, so that it costs next to nothing
// whatever a peer has sent: a sealed payload that nobody has opened yet has no
// text. Bytes that are no UTF-8 become U+FFFD.
func (p Payload) Text(limit int) (string, bool) {
	limit = max(limit, 0)
	if p.closed() {
		s := p.kw.sealed
		if !s.opened.Load() || s.err != nil {
			return "", false
		}
		p = s.p
	}
	if p.made {
		if len(p.values) == 0 {
			return "", false
		}
		s, ok := p.values[0].(string)
		return cutText(s, limit), ok
	}
	args := p.args()
	if args == nil {
		return "", false
	}
	f := p.codec.format()
	if args = trim(f, args); f.kind(args) != kindList {
		return "", false
	}
	pos, n := f.open(args)
	if f.text() {
		pos = jsonSpace(args, pos)
	}
	if n == 0 || pos >= len(args) {
		return "", false
	}
	b, ok := f.head(args[pos:], limit)
	return cutText(string(b), limit), ok
}

// cutText returns the first limit bytes of s, fewer where the last character would be
// cut.
func cutText(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
		for i := len(s) - 1; i >= 0 && i >= limit-utf8.UTFMax; i-- {
			if utf8.RuneStart(s[i]) {
				if !utf8.FullRuneInString(s[i:]) {
					s = s[:i]
				}
				break
			}
		}
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

func (msgpackFormat) head(raw []byte, limit int) ([]byte, bool) {
	class, n, next, ok := mpHead(raw, 0)
	if class != mpStr || !ok {
		return nil, false
	}
	b := raw[next:]
	return b[:min(n, uint(len(b)), uint(limit)+1)], true
}

func (f cborFormat) head(raw []byte, limit int) ([]byte, bool) {
	if raw[0]&0xe0 != cborText {
		return nil, false
	}
	if raw[0]&0x1f != cborIndef {
		return cborHeadOf(raw, limit)
	}
	b := []byte{}
	pos := 1
	for range limit + 16 { // chunks, which may be empty
		if len(b) > limit || pos >= len(raw) || raw[pos]&0xe0 != cborText || raw[pos]&0x1f == cborIndef {
			break
		}
		chunk, ok := cborHeadOf(raw[pos:], limit)
		var st stack
		end, bad := f.end(raw, pos, &st)
		if !ok || bad != "" {
			break
		}
		b, pos = append(b, chunk...), end
	}
	return b, true
}

// cborHeadOf returns the first bytes of a string of known length.
func cborHeadOf(raw []byte, limit int) ([]byte, bool) {
	n, next, ok := cborArg(raw, 0)
	if !ok {
		return nil, false
	}
	b := raw[next:]
	return b[:min(n, uint64(len(b)), uint64(limit)+1)], true
}

// head looks at no more of a string than the longest escapes of what is wanted.
func (f jsonFormat) head(raw []byte, limit int) ([]byte, bool) {
	if raw[0] != '"' {
		return nil, false
	}
	b := raw[1:]
	out := make([]byte, 0, min(len(b), limit+utf8.UTFMax))
	for i := 0; i < len(b) && b[i] != '"' && len(out) <= limit; {
		if b[i] != '\\' {
			out = append(out, b[i])
			i++
			continue
		}
		r, next, ok := jsonEscape(b, i)
		if !ok {
			r = utf8.RuneError
		}
		out, i = utf8.AppendRune(out, r), next
	}
	if len(out) > 0 && out[0] == 0 { // binary
		return nil, false
	}
	return out, true
}
