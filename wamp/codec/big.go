package codec

import (
	"math"
	"math/big"
)

// MaxDigits is how many characters a number may have that is written in
// decimal: one in JSON, and a *big.Int that is to be written as digits. The time to turn
// digits into a number, and back, grows faster than their count. A big number in CBOR is
// bytes, and has no bound where it is decoded into a *big.Int or encoded from one.
const MaxDigits = 1 << 16

// maxBits is how many bits MaxDigits digits make.
const maxBits = MaxDigits * 33219 / 10000

// wholeFloat returns a float that is an unsigned integer as one; beyond uint64
// it is the largest. -0 is none.
func wholeFloat(x float64) (uint64, bool) {
	switch {
	case !(x >= 0) || x != math.Trunc(x) || math.Signbit(x):
		return 0, false
	case x >= 1<<64:
		return math.MaxUint64, true
	}
	return uint64(x), true
}

// appendBig appends an integer of any size: one beyond 64 bits is a big number in
// CBOR, and decimal text in the others.
func appendBig(f format, dst []byte, n *big.Int) ([]byte, error) {
	switch {
	case n.IsInt64():
		return f.appendInt(dst, n.Int64()), nil
	case n.IsUint64():
		return f.appendUint(dst, n.Uint64()), nil
	case f == format(cborFormat{}):
		return cborAppendBig(dst, n), nil
	case n.BitLen() > maxBits:
		return dst, fault(badDigits)
	}
	return f.appendString(dst, n.String())
}

func cborAppendBig(dst []byte, n *big.Int) []byte {
	major, tag := byte(cborUint), byte(cborBig)
	if n.Sign() < 0 {
		n = new(big.Int).Not(n)
		major, tag = cborNint, cborBigNegative
	}
	if n.IsUint64() {
		return cborHead(dst, major, n.Uint64())
	}
	size := (n.BitLen() + 7) / 8
	dst = cborHead(append(dst, cborTag|tag), cborBytes, uint64(size))
	start := len(dst)
	dst = append(dst, make([]byte, size)...)
	n.FillBytes(dst[start:])
	return dst
}

// bigLeaf is how many digits math/big is given at once: its time grows with the
// square of them.
const bigLeaf = 512

// bigDigits returns the number that the digits stand for.
func bigDigits(digits []byte) *big.Int {
	size := bigLeaf
	var pows []*big.Int // ten to the power of 512, 1024, 2048, ...
	for ; size < len(digits); size *= 2 {
		if pows == nil {
			pows = append(pows, new(big.Int).Exp(big.NewInt(10), big.NewInt(bigLeaf), nil))
		} else {
			last := pows[len(pows)-1]
			pows = append(pows, new(big.Int).Mul(last, last))
		}
	}
	return bigPart(digits, size, pows)
}

func bigPart(digits []byte, size int, pows []*big.Int) *big.Int {
	if len(pows) == 0 {
		n, _ := new(big.Int).SetString(string(digits), 10)
		return n
	}
	size /= 2
	top := pows[len(pows)-1]
	pows = pows[:len(pows)-1]
	if len(digits) <= size {
		return bigPart(digits, size, pows)
	}
	cut := len(digits) - size
	n := bigPart(digits[:cut], size, pows)
	n.Mul(n, top)
	return n.Add(n, bigPart(digits[cut:], size, pows))
}

// checkLibrary refuses what would take a library long: digits, in a number or in text, that go into
// numbers of package big, and big numbers of CBOR, of which it makes digits where
// they do not fit.
func checkLibrary(f format, s *scan, traits typeTraits) error {
	if s.long > maxBits/8 || s.long > 1<<10 && traits&(hasBig|hasAny|hasText) == 0 {
		return &SyntaxError{Codec: f.name(), Offset: -1, Reason: badDigits}
	}
	if traits&hasAny != 0 {
		if err := checkMemory(f, s); err != nil {
			return err
		}
	}
	if traits&hasBig == 0 {
		return nil
	}
	if pos := f.longDigits(s.data); pos >= 0 {
		return &SyntaxError{Codec: f.name(), Offset: pos, Reason: badDigits}
	}
	return nil
}

// isDigits reports whether text is a number with too many digits, in any form that
// package big reads.
func isDigits(text []byte) bool {
	if len(text) <= MaxDigits {
		return false
	}
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f', c == '+', c == '-', c == '.', c == '/', c == '_', c|0x20 == 'x',
			c|0x20 == 'p', c|0x20 == 'o':
		default:
			return false
		}
	}
	return true
}
