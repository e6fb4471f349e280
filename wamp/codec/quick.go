package codec

import (
	"math"
	"unicode/utf8"
)

// Quick decodes a received payload into v if it is one argument and nothing else, and
// that and v are of the commonest types. For everything else, and for whatever is wrong,
// it reports false and leaves v as it was; [Payload.Scan] then says what is wrong.
func Quick(p *Payload, v any) bool {
	if int(p.nargs) != len(p.raw) {
		return false
	}
	f, pos, n := p.quickList()
	return n == 1 && quickItem(f, p.raw, pos, v) > 0
}

// quickList opens the arguments of a received payload if they are a short list of CBOR
// or MessagePack. n is how many there are, 0 if they are not.
func (p *Payload) quickList() (f format, pos, n int) {
	if p.made || p.nargs == 0 {
		return nil, 0, 0
	}
	switch f := p.codec.format().(type) {
	case cborFormat:
		if c := p.raw[0]; c > cborArray && c < cborArray+24 {
			return f, 1, int(c - cborArray)
		}
	case msgpackFormat:
		if c := p.raw[0]; c > mpFixList && c < mpFixList+16 {
			return f, 1, int(c - mpFixList)
		}
	}
	return nil, 0, 0
}

// quickScan is Scan of what Quick can decode. Where it reports false some targets may
// have been set, but only if all are what they must be.
func (p *Payload) quickScan(targets []any) bool {
	f, pos, n := p.quickList()
	if n < len(targets) {
		return false
	}
	for _, target := range targets[1:] {
		if target == nil || checkTarget(target) != nil {
			return false
		}
	}
	for _, target := range targets {
		if pos = quickItem(f, p.args(), pos, target); pos == 0 {
			return false
		}
	}
	return true
}

// quickItem decodes the value at pos into a target of one of the commonest types and
// returns the offset behind it, 0 if it does not.
func quickItem(f format, raw []byte, pos int, target any) (end int) {
	it := f.item(raw, pos)
	switch v := target.(type) {
	case *int:
		if n, ok := it.int64(); ok && v != nil && n == int64(int(n)) {
			*v = int(n)
			return it.next
		}
	case *int64:
		if n, ok := it.int64(); ok && v != nil {
			*v = n
			return it.next
		}
	case *uint64:
		if n, ok := it.uint64(); ok && v != nil {
			*v = n
			return it.next
		}
	case *float64:
		if it.class == itemFloat && v != nil {
			*v = math.Float64frombits(it.bits)
			return it.next
		}
	case *bool:
		if it.class == itemBool && v != nil {
			*v = it.bits != 0
			return it.next
		}
	case *string:
		if it.class == itemText && v != nil {
			if b := raw[it.next : it.next+it.n]; utf8.Valid(b) {
				*v = string(b)
				return it.next + it.n
			}
		}
	}
	return 0
}
