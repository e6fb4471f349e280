package codec

import "math"

// tokenKind is what a token is.
type tokenKind uint8

const (
	tokenOther tokenKind = iota // a list, dict, tag, extension, or broken
	tokenNull
	tokenBool
	tokenInt
	tokenFloat
	tokenString
	tokenBinary
)

// token is a scalar that was read by hand.
type token struct {
	kind tokenKind
	neg  bool // of an integer: bits are of an int64 below zero
	bits uint64
	f    float64
	b    []byte // of a string or binary; aliases raw unless it had escapes
}

func (t *token) int64() (int64, bool) {
	return int64(t.bits), t.neg || t.bits <= math.MaxInt64
}

func (t *token) float() (float64, bool) {
	switch {
	case t.kind == tokenFloat:
		return t.f, true
	case t.neg:
		return float64(int64(t.bits)), true
	}
	return float64(t.bits), true
}

// scanScalar decodes raw into the commonest kinds of targets without the
// library. It is not done where the target is of another kind or the value is
// no scalar. Null makes the target zero.
func scanScalar(f format, raw []byte, v any) (done bool, err error) {
	ok := false
	switch v := v.(type) {
	case *int:
		t := f.token(raw)
		if t.kind == tokenOther {
			return false, nil
		}
		n, fits := t.int64()
		if ok = t.fits(tokenInt) && fits && int64(int(n)) == n; ok {
			*v = int(n)
		}
	case *int64:
		t := f.token(raw)
		if t.kind == tokenOther {
			return false, nil
		}
		n, fits := t.int64()
		if ok = t.fits(tokenInt) && fits; ok {
			*v = n
		}
	case *uint64:
		t := f.token(raw)
		if t.kind == tokenOther {
			return false, nil
		}
		if ok = t.fits(tokenInt) && !t.neg; ok {
			*v = t.bits
		}
	case *float64:
		t := f.token(raw)
		if t.kind == tokenOther {
			return false, nil
		}
		if ok = t.fits(tokenInt) || t.kind == tokenFloat; ok {
			*v, _ = t.float()
		}
	case *bool:
		t := f.token(raw)
		if t.kind == tokenOther {
			return false, nil
		}
		if ok = t.fits(tokenBool); ok {
			*v = t.bits != 0
		}
	case *string:
		t := f.token(raw)
		if t.kind == tokenOther {
			return false, nil
		}
		if ok = t.fits(tokenString); ok {
			*v = string(t.b)
		}
	case *[]byte:
		return scanBytes(f, raw, v)
	default:
		return false, nil
	}
	if !ok {
		return true, &mismatch{f.name(), f.kind(raw), v}
	}
	return true, nil
}

// scanBytes decodes binary into memory of its own. A JSON string without the
// mark of binary is the library's.
func scanBytes(f format, raw []byte, v *[]byte) (done bool, err error) {
	t := f.token(raw)
	switch {
	case t.kind == tokenOther, t.kind == tokenString && f.text():
		return false, nil
	case t.kind == tokenNull:
		*v = nil
	case t.kind == tokenBinary:
		*v = append(make([]byte, 0, len(t.b)), t.b...)
	default:
		return true, &mismatch{f.name(), f.kind(raw), v}
	}
	return true, nil
}

// fits reports whether the token is of kind k, or null.
func (t *token) fits(k tokenKind) bool { return t.kind == k || t.kind == tokenNull }

func (f cborFormat) token(raw []byte) (t token) {
	if len(raw) == 0 {
		return t
	}
	c := raw[0]
	major := c & 0xe0
	if major == cborText || major == cborBytes {
		b, end, ok := cborContent(raw, 0)
		if !ok || end != len(raw) {
			return t
		}
		t.b, t.kind = b, tokenBinary
		if major == cborText {
			t.kind = tokenOther
			if s, ok := f.str(raw); ok {
				t.b, t.kind = s, tokenString
			}
		}
		return t
	}
	n, next, ok := cborArg(raw, 0)
	if !ok || next != len(raw) {
		return t
	}
	switch major {
	case cborUint:
		t.kind, t.bits = tokenInt, n
	case cborNint:
		if n <= math.MaxInt64 {
			t.kind, t.bits, t.neg = tokenInt, ^n, true
		}
	case cborMisc:
		switch v := cborSimple(c, n).(type) {
		case bool:
			t.kind = tokenBool
			if v {
				t.bits = 1
			}
		case float64:
			t.kind, t.f = tokenFloat, v
		case nil:
			if f.kind(raw) == kindNull {
				t.kind = tokenNull
			}
		}
	}
	return t
}

func (f msgpackFormat) token(raw []byte) (t token) {
	if len(raw) == 0 {
		return t
	}
	class, n, next, ok := mpHead(raw, 0)
	if !ok || n != len(raw)-next {
		return t
	}
	switch class {
	case mpStr:
		if s, ok := f.str(raw); ok {
			t.kind, t.b = tokenString, s
		}
		return t
	case mpBin:
		t.kind, t.b = tokenBinary, raw[next:]
		return t
	case mpScalar:
	default:
		return t
	}
	switch raw[0] {
	case mpNil:
		t.kind = tokenNull
	case mpFalse:
		t.kind = tokenBool
	case mpTrue:
		t.kind, t.bits = tokenBool, 1
	case mpFloat32, mpFloat64:
		v, _, _ := f.plain(raw, 0)
		t.kind = tokenFloat
		t.f, _ = v.(float64)
	default:
		if t.bits, t.neg, ok = mpInt(raw); ok {
			t.kind = tokenInt
		}
	}
	return t
}

func (f jsonFormat) token(raw []byte) (t token) {
	if len(raw) == 0 {
		return t
	}
	s := valueScan(raw)
	switch raw[0] {
	case '[', '{':
		return t
	}
	if end, bad := f.skip(&s, 0, 0); bad != "" || end != len(raw) {
		return t
	}
	switch raw[0] {
	case '"':
		b, ok := f.str(raw)
		switch {
		case !ok:
			return t
		case len(b) == 0 || b[0] != 0:
			t.kind, t.b = tokenString, b
			return t
		}
		if b, ok = jsonBinary(b); ok {
			t.kind, t.b = tokenBinary, b
		}
	case 't':
		t.kind, t.bits = tokenBool, 1
	case 'f':
		t.kind = tokenBool
	case 'n':
		t.kind = tokenNull
	default:
		t.number(raw)
	}
	return t
}

// number reads a well-formed JSON number.
func (t *token) number(raw []byte) {
	if n, ok := (jsonFormat{}).uint(raw); ok {
		t.kind, t.bits = tokenInt, n
		return
	}
	_, integer, _ := jsonSkipNumber(raw, 0)
	if raw[0] == '-' && integer {
		if n, ok := (jsonFormat{}).uint(raw[1:]); ok && n <= 1<<63 {
			t.kind, t.bits, t.neg = tokenInt, -n, n > 0
			return
		}
	}
	if v, ok := jsonNumber(raw, integer).(float64); ok {
		t.kind, t.f = tokenFloat, v
	}
}
