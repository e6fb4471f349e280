package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"
)

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
	tokenBroken // a string that is not valid UTF-8
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

func (t *token) float() float64 {
	switch {
	case t.kind == tokenFloat:
		return t.f
	case t.neg:
		return float64(int64(t.bits))
	}
	return float64(t.bits)
}

// scanScalar decodes raw into the commonest kinds of targets without the
// library. It is not done where the target is of another kind or the value is
// no scalar. Null makes the target zero.
func scanScalar(f format, raw []byte, v any) (done bool, err error) {
	switch v.(type) {
	case *int, *int64, *uint64, *float64, *bool, *string, *[]byte:
	default:
		return false, nil
	}
	t := f.token(raw)
	ok := false
	switch v := v.(type) {
	case *int:
		n, fits := t.int64()
		if ok = t.fits(tokenInt) && fits && int64(int(n)) == n; ok {
			*v = int(n)
		}
	case *int64:
		n, fits := t.int64()
		if ok = t.fits(tokenInt) && fits; ok {
			*v = n
		}
	case *uint64:
		if ok = t.fits(tokenInt) && !t.neg; ok {
			*v = t.bits
		}
	case *float64:
		if ok = t.fits(tokenInt) || t.kind == tokenFloat; ok {
			*v = t.float()
		}
	case *bool:
		if ok = t.fits(tokenBool); ok {
			*v = t.bits != 0
		}
	case *string:
		if ok = t.fits(tokenString); ok {
			*v = string(t.b)
		}
	case *[]byte:
		if ok = t.fits(tokenBinary); ok {
			*v = bytes.Clone(t.b)
		}
	}
	switch {
	case ok:
		return true, nil
	case t.kind == tokenOther, t.kind == tokenString && f.text():
		return false, nil // the library says what is wrong; JSON takes base64 for binary
	case t.kind == tokenBroken:
		return true, &SyntaxError{Codec: f.name(), Reason: badUTF8}
	}
	return true, &mismatch{f.name(), f.kind(raw), v}
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
		switch {
		case !ok || end != len(raw):
		case major == cborBytes:
			t.kind, t.b = tokenBinary, b
		case utf8.Valid(b):
			t.kind, t.b = tokenString, b
		default:
			t.kind = tokenBroken
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
		switch c {
		case cborMisc | 20:
			t.kind = tokenBool
		case cborMisc | 21:
			t.kind, t.bits = tokenBool, 1
		case cborMisc | 22, cborMisc | 23:
			t.kind = tokenNull
		default:
			if t.f, ok = cborFloat(c, n); ok {
				t.kind = tokenFloat
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
		t.kind = tokenBroken
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
	case mpFloat32:
		t.kind, t.f = tokenFloat, float64(math.Float32frombits(binary.BigEndian.Uint32(raw[1:])))
	case mpFloat64:
		t.kind, t.f = tokenFloat, math.Float64frombits(binary.BigEndian.Uint64(raw[1:]))
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
	if x, err := strconv.ParseFloat(string(raw), 64); err == nil {
		t.kind, t.f = tokenFloat, x
	}
}
