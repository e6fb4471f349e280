package codec

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Tag is what Args and Kwargs give for a value that is marked as something that
// is not known here: one with a tag of CBOR, or an extension of MessagePack. It
// fits no other target than an any, and cannot be sent.
type Tag struct {
	// Number is the number of the tag, or the type of the extension as a byte: -2
	// is 254.
	Number uint64
	// Content is the plain value behind a tag, and the bytes of an extension.
	Content any
}

// decimalText is a decimal number, which is text where it is not asked for as a
// number.
type decimalText string

// plainDecimals is how many digits a decimal number may have that is not written
// with an exponent.
const plainDecimals = 40

// newDecimal returns mantissa * 10^exp as text: with as many decimals as it came
// with, and with an exponent where that would be long.
func newDecimal(mantissa *big.Int, exp int64) decimalText {
	digits, sign := mantissa.String(), ""
	if digits[0] == '-' {
		digits, sign = digits[1:], "-"
	}
	n := int64(len(digits))
	switch {
	case exp >= 0 && n+exp <= plainDecimals:
		if digits != "0" {
			digits += strings.Repeat("0", int(exp))
		}
	case exp < 0 && n > -exp && n <= plainDecimals:
		digits = digits[:n+exp] + "." + digits[n+exp:]
	case exp < 0 && -exp < plainDecimals && n <= -exp:
		digits = "0." + strings.Repeat("0", int(-exp-n)) + digits
	default:
		exp += n - 1
		if n > 1 {
			digits = digits[:1] + "." + digits[1:]
		}
		if digits += "e"; exp >= 0 {
			digits += "+"
		}
		digits += strconv.FormatInt(exp, 10)
	}
	return decimalText(sign + digits)
}

// uuidText returns the text of 16 bytes.
func uuidText(b []byte) string {
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// timeText returns an RFC 3339 text. It is not ok for years of more than four
// digits, which have none.
func timeText(t time.Time) (string, bool) {
	t = t.UTC()
	return t.Format(time.RFC3339Nano), t.Year() >= 0 && t.Year() <= 9999
}

// epochText returns the text of seconds since 1970, to the nanosecond.
func epochText(sec float64) (string, bool) {
	if !(math.Abs(sec) < 1<<40) {
		return "", false
	}
	whole, frac := math.Modf(sec)
	if frac < 0 {
		whole, frac = whole-1, frac+1
	}
	// A float of today's seconds is good for microseconds and no more.
	nsec := math.Round(frac*1e6) * 1e3
	return timeText(time.Unix(int64(whole), int64(nsec)))
}

// The tags of CBOR that are known, besides those of big numbers.
const (
	cborTimeText  = 0
	cborTimeEpoch = 1
	cborDecimal   = 4
	cborUUID      = 37
	cborUint8s    = 64 // bytes as JavaScript's Uint8Array
)

// maxTagDigits bounds the mantissa of a decimal number.
const maxTagBits = maxBits

// knownTag returns what a tag makes of its content: a string, a decimalText or
// bytes. It is not ok for a tag that is not known, or of which the content is not what
// it should be.
func knownTag(number uint64, content any) (v any, ok bool) {
	switch number {
	case cborTimeText:
		v, ok = content.(string)
	case cborTimeEpoch:
		switch n := content.(type) {
		case int64:
			if n < -1<<40 || n > 1<<40 {
				return nil, false
			}
			return timeText(time.Unix(n, 0))
		case float64:
			return epochText(n)
		}
	case cborDecimal:
		return decimalOf(content)
	case cborUUID:
		if b, isBytes := content.([]byte); isBytes && len(b) == 16 {
			return uuidText(b), true
		}
	case cborUint8s:
		v, ok = content.([]byte)
	}
	return v, ok
}

// decimalOf reads an exponent and a mantissa.
func decimalOf(content any) (any, bool) {
	list, _ := content.([]any)
	if len(list) != 2 {
		return nil, false
	}
	exp, ok := list[0].(int64)
	if !ok || exp > math.MaxInt32 || exp < math.MinInt32 {
		return nil, false
	}
	switch n := list[1].(type) {
	case int64:
		return newDecimal(big.NewInt(n), exp), true
	case uint64:
		return newDecimal(new(big.Int).SetUint64(n), exp), true
	case *big.Int:
		if n.BitLen() <= maxTagBits {
			return newDecimal(n, exp), true
		}
	}
	return nil, false
}

// plainOf returns a value as Args gives it.
func plainOf(v any) any {
	if s, ok := v.(decimalText); ok {
		return string(s)
	}
	return v
}

// exactUint returns the number that JSON's digits stand for, without a sign: 7, 7.0
// and 70e-1. It is not ok where that is no integer of 64 bits.
func exactUint(raw []byte) (n uint64, ok bool) {
	zeros, exp, frac, i := 0, 0, 0, 0 // zeros that nothing else has followed yet
	for ; i < len(raw) && raw[i]|0x20 != 'e'; i++ {
		switch d := raw[i] - '0'; {
		case raw[i] == '.':
			frac = 1
			continue
		case d > 9:
			return 0, false
		case d == 0:
			zeros++
		default:
			// What is longer than this has a fraction, or is too large.
			if n, ok = timesTen(n, zeros+1); !ok || n+uint64(d) < n {
				return 0, false
			}
			n += uint64(d)
			zeros = 0
		}
		exp -= frac
	}
	if n == 0 {
		return 0, true
	}
	if i < len(raw) {
		e, err := strconv.ParseInt(string(raw[i+1:]), 10, 30)
		if err != nil {
			return 0, false
		}
		exp += int(e)
	}
	if exp += zeros; exp < 0 {
		return 0, false
	}
	return timesTen(n, exp)
}

// exactBig is exactUint for numbers of any size, with a sign. The exponent is
// bounded as digits are.
func exactBig(raw []byte) (*big.Int, bool) {
	text, negative := raw, false
	if len(text) > 0 && text[0] == '-' {
		text, negative = text[1:], true
	}
	digits := make([]byte, 0, len(text))
	exp, frac, i := 0, 0, 0
	for ; i < len(text) && text[i]|0x20 != 'e'; i++ {
		switch c := text[i]; {
		case c == '.':
			frac = 1
			continue
		case c < '0' || c > '9':
			return nil, false
		default:
			digits = append(digits, c)
		}
		exp -= frac
	}
	if len(digits) == 0 || len(digits) > MaxDigits {
		return nil, false
	}
	if i < len(text) {
		e, err := strconv.ParseInt(string(text[i+1:]), 10, 30)
		if err != nil {
			e = MaxDigits + int64(len(digits))
			if text[i+1] == '-' {
				e = -e
			}
		}
		exp += int(e)
	}
	for len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		exp++
	}
	if len(digits) == 1 && digits[0] == '0' {
		return new(big.Int), true
	}
	if exp < 0 || exp+len(digits) > MaxDigits {
		return nil, false
	}
	n := bigDigits(append(digits, strings.Repeat("0", exp)...))
	if negative {
		n.Neg(n)
	}
	return n, true
}

// String says what it is a tag of.
func (t Tag) String() string { return fmt.Sprintf("tag %d", t.Number) }
