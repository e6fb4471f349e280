package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
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
	tokenBig // an integer that no bits hold
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
	b    []byte // of a string or binary; aliases raw unless it had escapes. Of a float in JSON
}

// big returns an integer of any size.
func (t *token) big(f format) *big.Int {
	switch {
	case t.kind == tokenInt && t.neg:
		return big.NewInt(int64(t.bits))
	case t.kind == tokenInt:
		return new(big.Int).SetUint64(t.bits)
	case f.text():
		return jsonBig(t.b)
	}
	n := new(big.Int).SetBytes(t.b)
	if t.neg {
		n.Not(n)
	}
	return n
}

// bigFloat returns the float that is nearest to a big integer. It is not ok where
// that is none.
func (t *token) bigFloat(f format) (float64, bool) {
	if f.text() {
		x, err := strconv.ParseFloat(string(t.b), 64)
		return x, err == nil
	}
	if len(bytes.TrimLeft(t.b, "\x00")) > 128 { // 2^1024 and above
		return 0, false
	}
	x, _ := new(big.Float).SetInt(t.big(f)).Float64()
	return x, !math.IsInf(x, 0)
}

// int64 returns a number that is one exactly, and zero for null.
func (t *token) int64() (int64, bool) {
	n, ok := t.bits, t.kind == tokenInt || t.kind == tokenNull
	neg := t.neg
	if t.kind == tokenFloat {
		if n, ok = t.wholeBits(); t.f < 0 {
			if n > 1<<63 {
				return 0, false
			}
			n, neg = -n, n > 0
		}
	}
	return int64(n), ok && (neg || n <= math.MaxInt64)
}

// uint64 is int64 for numbers without a sign.
func (t *token) uint64() (uint64, bool) {
	switch {
	case t.kind == tokenFloat:
		n, ok := t.wholeBits()
		return n, ok && (t.f >= 0 || n == 0)
	case t.kind == tokenInt, t.kind == tokenNull:
		return t.bits, !t.neg
	}
	return 0, false
}

// wholeBits returns the size of a float that is an integer exactly.
func (t *token) wholeBits() (uint64, bool) {
	if t.b != nil { // as it is written
		return exactUint(bytes.TrimPrefix(t.b, []byte("-")))
	}
	x := math.Abs(t.f)
	if x != math.Trunc(x) || x >= 1<<64 {
		return 0, false
	}
	return uint64(x), true
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
	if !isQuick(v) {
		return false, nil
	}
	t := f.token(raw)
	ok := false
	switch v := v.(type) {
	case *int:
		n, fits := t.int64()
		if ok = fits && int64(int(n)) == n; ok {
			*v = int(n)
		}
	case *int64:
		var n int64
		if n, ok = t.int64(); ok {
			*v = n
		}
	case *uint64:
		var n uint64
		if n, ok = t.uint64(); ok {
			*v = n
		}
	case *float64:
		if ok = t.fits(tokenInt) || t.kind == tokenFloat; ok {
			*v = t.float()
		} else if t.kind == tokenBig {
			var x float64
			if x, ok = t.bigFloat(f); ok {
				*v = x
			}
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
	case *big.Int:
		switch ok = true; t.kind {
		case tokenNull:
			*v = big.Int{}
		case tokenInt, tokenBig:
			*v = *t.big(f)
		default:
			ok = false
		}
	case **big.Int:
		switch ok = true; t.kind {
		case tokenNull:
			*v = nil
		case tokenInt, tokenBig:
			*v = t.big(f)
		default:
			ok = false
		}
	}
	if !ok && t.kind == tokenBroken {
		return true, &SyntaxError{Codec: f.name(), Reason: badUTF8}
	}
	return ok, nil // the reference says what is wrong
}

// isQuick reports whether a target is one that scanScalar or unmarshalPlain knows.
func isQuick(v any) bool {
	switch v.(type) {
	case *int, *int64, *uint64, *float64, *bool, *string, *[]byte, *big.Int, **big.Int, *any, *[]any, *map[string]any:
		return true
	}
	return false
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
	if ok && major == cborTag && (n == cborBig || n == cborBigNegative) {
		return cborBigToken(raw, next, n == cborBigNegative)
	}
	if !ok || next != len(raw) {
		return t
	}
	switch major {
	case cborUint:
		t.kind, t.bits = tokenInt, n
	case cborNint:
		if n <= math.MaxInt64 {
			t.kind, t.bits, t.neg = tokenInt, ^n, true
		} else {
			t.kind, t.b, t.neg = tokenBig, raw[1:], true
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

// cborBigToken reads what the tag of a big number is of.
func cborBigToken(raw []byte, pos int, negative bool) (t token) {
	if pos >= len(raw) || raw[pos]&0xe0 != cborBytes {
		return t
	}
	b, end, ok := cborContent(raw, pos)
	if !ok || end != len(raw) {
		return t
	}
	short := bytes.TrimLeft(b, "\x00")
	n := uint64(0)
	for _, c := range short[:min(len(short), 8)] {
		n = n<<8 | uint64(c)
	}
	switch {
	case len(short) > 8 || negative && n > math.MaxInt64:
		t.kind, t.b, t.neg = tokenBig, b, negative
	case negative:
		t.kind, t.bits, t.neg = tokenInt, ^n, true
	default:
		t.kind, t.bits = tokenInt, n
	}
	return t
}

func (f msgpackFormat) token(raw []byte) (t token) {
	if len(raw) == 0 {
		return t
	}
	class, n, next, ok := mpHead(raw, 0)
	if !ok || n != uint(len(raw)-next) {
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
	s := valueScan(raw, valueDepth)
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
		if !ok {
			b, ok = f.str(mendSurrogates(raw))
		}
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
	if integer && (raw[0] != '-' || len(raw) > 2) { // -0 is a float
		t.kind, t.b = tokenBig, raw
		return
	}
	if x, err := strconv.ParseFloat(string(raw), 64); err == nil {
		t.kind, t.f, t.b = tokenFloat, x, raw
	}
}
