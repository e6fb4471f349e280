package codec

import (
	"math/big"
	"strconv"
)

func (f jsonFormat) plain(raw []byte, pos int) (any, int, string) {
	switch raw[pos] {
	case '"':
		end, _ := jsonSkipString(raw, pos)
		b, ok := f.str(raw[pos:end])
		if !ok {
			return nil, pos, badUTF8
		}
		if len(b) > 0 && b[0] == 0 {
			if b, ok = jsonBinary(b); !ok {
				return nil, pos, badBase64
			}
			return b, end, ""
		}
		return string(b), end, ""
	case '[':
		return f.plainList(raw, pos)
	case '{':
		return f.plainMap(raw, pos)
	case 't':
		return true, pos + 4, ""
	case 'f':
		return false, pos + 5, ""
	case 'n':
		return nil, pos + 4, ""
	}
	end, integer, _ := jsonSkipNumber(raw, pos)
	v, ok := jsonNumber(raw[pos:end], integer)
	if !ok {
		return nil, pos, badNumber
	}
	return v, end, ""
}

// jsonNumber returns an integer exactly, and -0 and anything that is written with
// a fraction or an exponent as a float. It is not ok beyond float64.
func jsonNumber(raw []byte, integer bool) (v any, ok bool) {
	if integer {
		if n, ok := (jsonFormat{}).uint(raw); ok {
			return plainUint(n), true
		}
		switch n, err := strconv.ParseInt(string(raw), 10, 64); {
		case err != nil:
			return jsonBig(raw), true
		case n != 0:
			return n, true
		}
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	return x, err == nil
}

// jsonBig returns an integer of at most MaxDigits.
func jsonBig(raw []byte) *big.Int {
	if raw[0] == '-' {
		n := bigDigits(raw[1:])
		return n.Neg(n)
	}
	return bigDigits(raw)
}

func (f jsonFormat) plainList(raw []byte, pos int) (any, int, string) {
	list := []any{}
	pos++
	for i := 0; ; i++ {
		start, end, bad := jsonItem(raw, pos, i, false)
		if bad != "" || start < 0 {
			return list, end, bad
		}
		v, end, bad := f.plain(raw, start)
		if bad != "" {
			return nil, end, bad
		}
		list, pos = append(list, v), end
	}
}

func (f jsonFormat) plainMap(raw []byte, pos int) (any, int, string) {
	m := map[string]any{}
	pos++
	for i := 0; ; i += 2 {
		start, end, bad := jsonItem(raw, pos, i, true)
		if bad != "" || start < 0 {
			return m, end, bad
		}
		end, _ = jsonSkipString(raw, start)
		key, ok := f.str(raw[start:end])
		if !ok {
			return nil, start, badUTF8
		}
		k := string(key)
		if _, dup := m[k]; dup {
			return nil, start, badDuplicate
		}
		start, end, bad = jsonItem(raw, end, i+1, true)
		if bad != "" {
			return nil, end, bad
		}
		v, end, bad := f.plain(raw, start)
		if bad != "" {
			return nil, end, bad
		}
		m[k], pos = v, end
	}
}
