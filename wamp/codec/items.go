package codec

import "github.com/connectanum/connectanum-go/wamp/proto"

// Items returns the elements of a list that is in the form of c, each as it came:
// what is wrong inside of one is the error of whoever decodes that one. They share
// their memory with raw.
func Items(c Codec, raw []byte) ([][]byte, error) {
	f := c.format()
	raw = trim(f, raw)
	if f.kind(raw) != kindList {
		return nil, &SyntaxError{Codec: f.name(), Offset: -1, Reason: badNoList}
	}
	pos, n := f.open(raw)
	items := make([][]byte, 0, min(max(n, 0), len(raw)))
	for i := 0; ; i++ {
		start, end, bad := f.next(raw, pos, i, false)
		if bad != "" {
			return nil, &SyntaxError{Codec: f.name(), Offset: end, Reason: bad}
		}
		if start < 0 {
			return items, nil
		}
		items, pos = append(items, raw[start:end:end]), end
	}
}

// Entries returns the values of a dict that is in the form of c, each as it came,
// like Items. Null counts as absent.
func Entries(c Codec, raw []byte) (map[string][]byte, error) {
	f := c.format()
	raw = trim(f, raw)
	if f.kind(raw) != kindDict {
		return nil, &SyntaxError{Codec: f.name(), Offset: -1, Reason: badNoDict}
	}
	s := scan{data: raw, elems: len(raw), depth: valueDepth}
	pos, _ := f.open(raw)
	entries := map[string][]byte{}
	for i := 0; ; i += 2 {
		start, end, bad := f.next(raw, pos, i, true)
		if bad == "" && start < 0 {
			return entries, nil
		}
		var key []byte
		if bad == "" {
			key, bad = looseKey(f, &s, start, end)
		}
		if bad == "" {
			if start, end, bad = f.next(raw, end, i+1, true); bad == "" && start < 0 {
				bad = badTruncated
			}
		}
		if _, twice := entries[string(key)]; bad == "" && twice {
			bad = badDuplicate
		}
		if bad != "" {
			return nil, &SyntaxError{Codec: f.name(), Offset: end, Reason: bad}
		}
		pos = end
		if value := raw[start:end:end]; f.kind(value) != kindNull {
			entries[string(key)] = value
		}
	}
}

// Details reads a dict that is in the form of c as a parser reads the options of a
// message: a value that cannot be decoded is a proto.Unreadable, for
// proto.SiftOptions to take out.
func Details(c Codec, raw []byte) (proto.Dict, error) {
	f := c.format()
	raw = trim(f, raw)
	if f.kind(raw) != kindDict {
		return nil, &SyntaxError{Codec: f.name(), Offset: -1, Reason: badNoDict}
	}
	d, pos, bad := looseDict(f, raw, Limits{}.withDefaults().Elements)
	if bad != "" {
		return nil, &SyntaxError{Codec: f.name(), Offset: pos, Reason: bad}
	}
	return d, nil
}

// OnlyNull reports whether the only thing in an encoded payload is a null, which is what
// some languages make of a function that returns nothing.
func OnlyNull(p Payload) bool {
	if p.codec == nil || p.nargs == 0 {
		return false
	}
	items, err := Items(p.codec, p.args())
	if err != nil || len(items) != 1 || p.codec.format().kind(items[0]) != kindNull {
		return false
	}
	kw := p.kwargs()
	if kw == nil {
		return true
	}
	keywords, err := Entries(p.codec, kw)
	return err == nil && len(keywords) == 0
}
