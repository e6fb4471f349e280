package floor

import (
	"bytes"
	"strconv"
)

// jsonWire is JSON without white space between values, and without escapes in
// the strings that are read.
type jsonWire struct{}

func (jsonWire) Name() string        { return "json" }
func (jsonWire) rawID() byte         { return 1 }
func (jsonWire) subprotocol() string { return "wamp.2.json" }
func (jsonWire) Text() bool          { return true }
func (jsonWire) NewReader() Reader   { return new(jsonReader) }

func (jsonWire) AppendHead(dst []byte, _ int, typ, id uint64) []byte {
	dst = strconv.AppendUint(append(dst, '['), typ, 10)
	return strconv.AppendUint(append(dst, ','), id, 10)
}

func (w jsonWire) AppendTail(dst []byte, values ...any) []byte {
	for _, v := range values {
		dst = w.appendValue(append(dst, ','), v)
	}
	return append(dst, ']')
}

func (jsonWire) AppendRest(dst, rest []byte) []byte {
	dst = append(dst, ",{}"...)
	if rest[0] != ']' {
		dst = append(dst, ',')
	}
	return append(dst, rest...)
}

func (w jsonWire) AppendList(dst []byte, values ...any) []byte {
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.appendValue(dst, v)
	}
	return append(dst, ']')
}

func (w jsonWire) appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case raw:
		return append(dst, v...)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case string:
		return append(append(append(dst, '"'), v...), '"')
	case bool:
		return strconv.AppendBool(dst, v)
	case []any:
		return w.AppendList(dst, v...)
	case Dict:
		dst = append(dst, '{')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(w.appendValue(dst, e.key), ':')
			dst = w.appendValue(dst, e.value)
		}
		return append(dst, '}')
	}
	panic(unsupported(v))
}

// jsonReader reads JSON that has no white space between values, but before numbers.
type jsonReader struct {
	b   []byte
	bad bool
}

func (r *jsonReader) Begin(msg []byte) { r.b, r.bad = msg, false }
func (r *jsonReader) OK() bool         { return !r.bad }

// rest includes the bracket that ends the message.
func (r *jsonReader) rest() []byte {
	if len(r.b) == 0 {
		r.bad = true
		return []byte{']'}
	}
	return r.b
}

// comma steps over the comma behind a value.
func (r *jsonReader) comma() {
	if len(r.b) > 0 && r.b[0] == ',' {
		r.b = r.b[1:]
	}
}

// open steps over one expected byte.
func (r *jsonReader) open(c byte) {
	if len(r.b) == 0 || r.b[0] != c {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[1:]
}

func (r *jsonReader) List() int {
	r.open('[')
	return 0
}

func (r *jsonReader) Uint() (n uint64) {
	for len(r.b) > 0 && r.b[0] == ' ' { // of a template
		r.b = r.b[1:]
	}
	i := 0
	for i < len(r.b) && r.b[i]-'0' < 10 {
		n = n*10 + uint64(r.b[i]-'0')
		i++
	}
	if i == 0 {
		r.bad = true
	}
	r.b = r.b[i:]
	r.comma()
	return n
}

func (r *jsonReader) str() []byte {
	r.open('"')
	end := bytes.IndexByte(r.b, '"')
	if end < 0 {
		r.bad, r.b = true, nil
		return nil
	}
	s := r.b[:end]
	r.b = r.b[end+1:]
	r.comma()
	return s
}

func (r *jsonReader) flag() bool {
	set := false
	r.open('{')
	for len(r.b) > 0 && r.b[0] != '}' {
		key := r.str()
		r.open(':')
		if isFlag(key) && len(r.b) > 0 && r.b[0] == 't' {
			set = true
		}
		r.skip()
	}
	r.open('}')
	r.comma()
	return set
}

// skip steps over a value and the comma behind it.
func (r *jsonReader) skip() {
	depth, inside := 0, false
	for i := 0; i < len(r.b); i++ {
		c := r.b[i]
		switch {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '[' || c == '{':
			depth++
		case (c == ']' || c == '}' || c == ',') && depth == 0:
			r.b = r.b[i:]
			r.comma()
			return
		case c == ']' || c == '}':
			depth--
		}
	}
	r.bad, r.b = true, nil
}
