package codec

import "slices"

// entry is a keyword argument that With has added to what is no map.
type entry struct {
	key   string
	value any
}

// pair is an entry of an encoded dict: its key, nil if that is no text, and where it
// lies.
type pair struct {
	key        []byte
	start, end int
}

// pairsOf returns the entries of a dict, none for nothing and for null. What is in their
// values is not looked at.
func pairsOf(f format, raw []byte) (pairs []pair, ok bool) {
	if f.kind(raw) == kindNull || len(raw) == 0 {
		return nil, true
	}
	if f.kind(raw) != kindDict {
		return nil, false
	}
	pos, n := f.open(raw)
	if n > 0 {
		pairs = make([]pair, 0, min(n, 16))
	}
	for i := 0; ; i += 2 {
		start, end, bad := f.next(raw, pos, i, true)
		if bad != "" || start < 0 {
			return pairs, bad == ""
		}
		key, isText := f.str(raw[start:end])
		if !isText {
			key = nil
		}
		from, end, bad := f.next(raw, end, i+1, true)
		if bad != "" || from < 0 {
			return nil, false
		}
		pairs, pos = append(pairs, pair{key, start, end}), end
	}
}

// appendPairs appends a dict of entries of raw, as they are, and of what is encoded in
// more already, nil for nothing.
func appendPairs(f format, dst, raw []byte, pairs []pair, more []byte) []byte {
	n := len(pairs)
	if more != nil {
		n++
	}
	dst = f.dictHead(dst, n)
	for i, p := range pairs {
		if i > 0 && f.text() {
			dst = append(dst, ',')
		}
		dst = append(dst, raw[p.start:p.end]...)
	}
	if more != nil && len(pairs) > 0 && f.text() {
		dst = append(dst, ',')
	}
	dst = append(dst, more...)
	if f.text() {
		dst = append(dst, '}')
	}
	return dst
}

// putEntry returns a dict with an entry added or replaced. raw is not changed; ok is
// false if it is no dict. The error is that the entry cannot be encoded.
func putEntry(f format, raw []byte, e entry) (out []byte, ok bool, err error) {
	raw = trim(f, raw)
	pairs, ok := pairsOf(f, raw)
	if !ok {
		return nil, false, nil
	}
	more, err := f.appendString(nil, e.key)
	if err == nil {
		if f.text() {
			more = append(more, ':')
		}
		more, err = appendValue(f, more, e.value, 1)
	}
	if err != nil {
		return nil, true, err
	}
	pairs = slices.DeleteFunc(pairs, func(p pair) bool { return string(p.key) == e.key })
	return appendPairs(f, make([]byte, 0, len(raw)+len(more)+8), raw, pairs, more), true, nil
}

// withEntry is With of an encoded payload. ok is false where that does not do.
func (p Payload) withEntry(e entry) (_ Payload, ok bool) {
	kwargs, ok, err := putEntry(p.codec.format(), p.kwargs(), e)
	if !ok || err != nil || p.Opaque() {
		return Payload{}, false
	}
	last := p.last
	p = Raw(p.codec, p.args(), kwargs)
	p.last = last
	return p, true
}

// Split returns p without the keyword arguments that have one of the keys, and a payload
// of these alone, which is empty if there are none: then rest is p as it is. A payload
// that was received is not decoded for that, nor is what stays copied to anything but
// the same form. Where a payload has no keyword arguments that can be told apart, there
// are none with the keys. A sealed payload is opened.
func (p Payload) Split(keys ...string) (rest, split Payload) {
	q, err := p.Open()
	if err != nil || q.made && q.kw == nil {
		return p, Payload{}
	}
	if q, err = q.encoded(); err != nil || q.codec == nil {
		return p, Payload{}
	}
	f := q.codec.format()
	raw := trim(f, q.kwargs())
	pairs, ok := pairsOf(f, raw)
	if !ok {
		return p, Payload{}
	}
	var out, stay []pair
	for _, e := range pairs {
		if e.key != nil && slices.Contains(keys, string(e.key)) {
			out = append(out, e)
		}
	}
	if out == nil {
		return p, Payload{}
	}
	for _, e := range pairs {
		if e.key == nil || !slices.Contains(keys, string(e.key)) {
			stay = append(stay, e)
		}
	}
	var kwargs []byte
	if stay != nil {
		kwargs = appendPairs(f, nil, raw, stay, nil)
	}
	rest = Raw(q.codec, q.args(), kwargs)
	rest.last = p.last
	return rest, Raw(q.codec, nil, appendPairs(f, nil, raw, out, nil))
}
