package codec

import (
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

func (f cborFormat) plain(raw []byte, pos int) (any, int, string) {
	c := raw[pos]
	if c&0x1f == cborIndef && c&0xe0 != cborText && c&0xe0 != cborBytes {
		return f.plainContainer(raw, pos, pos+1, -1)
	}
	switch c & 0xe0 {
	case cborText:
		b, end, ok := cborContent(raw, pos)
		if !ok || !utf8.Valid(b) {
			return nil, pos, badUTF8
		}
		return string(b), end, ""
	case cborBytes:
		b, end, _ := cborContent(raw, pos)
		return append([]byte{}, b...), end, ""
	}
	n, next, _ := cborArg(raw, pos)
	switch c & 0xe0 {
	case cborUint:
		return plainUint(n), next, ""
	case cborNint:
		if n > math.MaxInt64 {
			x := new(big.Int).SetUint64(n)
			return x.Not(x), next, ""
		}
		return -1 - int64(n), next, ""
	case cborArray, cborMap:
		return f.plainContainer(raw, pos, next, int(n))
	case cborTag:
		if n == cborBig || n == cborBigNegative {
			if next >= len(raw) || raw[next]&0xe0 != cborBytes {
				return nil, pos, badBig
			}
			b, end, _ := cborContent(raw, next)
			return plainBig(b, n == cborBigNegative), end, ""
		}
		v, end, bad := f.plain(raw, next)
		if bad != "" || n == cborSelf {
			return v, end, bad
		}
		if known, ok := knownTag(n, v); ok {
			return plainOf(known), end, ""
		}
		return Tag{n, v}, end, ""
	}
	return cborSimple(c, n), next, ""
}

// cborSimple returns the value of major type 7. Undefined and the simple
// values without a meaning are nil.
func cborSimple(c byte, n uint64) any {
	switch c {
	case cborMisc | 20:
		return false
	case cborMisc | 21:
		return true
	}
	if f, ok := cborFloat(c, n); ok {
		return f
	}
	return nil
}

func cborFloat(c byte, n uint64) (float64, bool) {
	switch c {
	case cborMisc | 25:
		return halfFloat(uint16(n)), true
	case cborMisc | 26:
		return float64(math.Float32frombits(uint32(n))), true
	case cborMisc | 27:
		return math.Float64frombits(n), true
	}
	return 0, false
}

// halfFloat widens a float of 16 bits.
func halfFloat(h uint16) float64 {
	exp, frac := int(h>>10&0x1f), float64(h&0x3ff)
	v := math.Ldexp(1024+frac, exp-25)
	switch {
	case exp == 0:
		v = math.Ldexp(frac, -24)
	case exp == 31 && frac == 0:
		v = math.Inf(1)
	case exp == 31:
		v = math.NaN()
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return v
}

// plainUint returns n as int64, or as uint64 above its range.
func plainUint(n uint64) any {
	if n > math.MaxInt64 {
		return n
	}
	return int64(n)
}

// plainBig returns a big number, as int64 or uint64 where it is one.
func plainBig(b []byte, negative bool) any {
	n := new(big.Int).SetBytes(b)
	if negative {
		n.Not(n)
	}
	switch {
	case n.IsInt64():
		return n.Int64()
	case n.IsUint64():
		return n.Uint64()
	}
	return n
}

// plainContainer decodes the list or dict that begins at head, with its n
// elements or entries from pos on; n is -1 if a break ends them.
func (f cborFormat) plainContainer(raw []byte, head, pos, n int) (any, int, string) {
	more := func(i int) bool {
		if n < 0 {
			return raw[pos] != cborBreak
		}
		return i < n
	}
	size := max(n, 0)
	var out any
	if raw[head]&0xe0 == cborArray {
		list := make([]any, 0, size)
		for i := 0; more(i); i++ {
			v, end, bad := f.plain(raw, pos)
			if bad != "" {
				return nil, end, bad
			}
			list, pos = append(list, v), end
		}
		out = list
	} else {
		m := make(map[string]any, size)
		for i := 0; more(i); i++ {
			if major := raw[pos] & 0xe0; major != cborText && major != cborUint && major != cborNint {
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
		out = m
	}
	if n < 0 {
		pos++
	}
	return out, pos, ""
}

// plainEntry says what is wrong with k as the next key of m.
func plainEntry(m map[string]any, k any) string {
	switch k.(type) {
	case string, int64, uint64, *big.Int:
	default:
		return badKey
	}
	if _, dup := m[plainKey(k)]; dup {
		return badDuplicate
	}
	return ""
}

// plainKey returns a dict's key. JSON knows strings only, so an integer becomes
// its decimal digits.
func plainKey(k any) string {
	switch k := k.(type) {
	case string:
		return k
	case int64:
		return strconv.FormatInt(k, 10)
	case uint64:
		return strconv.FormatUint(k, 10)
	case *big.Int:
		return k.String()
	}
	return ""
}
