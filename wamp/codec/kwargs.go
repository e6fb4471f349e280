package codec

import "slices"

// entry is a keyword argument that With has added to what is no map.
type entry struct {
	key   string
	value any
}

// eachEntry calls each with the entries of a dict, none for nothing and for null: the key, nil
// if that is no text, and where the entry lies, and its value. What is in a value is not looked at. ok is
// false where the entries cannot be told apart.
func eachEntry(f format, raw []byte, each func(key []byte, start, value, end int)) (ok bool) {
	if len(raw) == 0 || f.kind(raw) == kindNull {
		return true
	}
	if f.kind(raw) != kindDict {
		return false
	}
	pos, _ := f.open(raw)
	for i := 0; ; i += 2 {
		start, end, bad := f.next(raw, pos, i, true)
		if bad != "" || start < 0 {
			return bad == ""
		}
		key, isText := f.str(raw[start:end])
		if !isText {
			key = nil
		}
		value, end, bad := f.next(raw, end, i+1, true)
		if bad != "" || value < 0 {
			return false
		}
		each(key, start, value, end)
		pos = end
	}
}

// appendEntries appends a dict of the n entries of raw that are to be kept, as they are,
// and of one that is encoded already, nil for none.
func appendEntries(f format, dst, raw []byte, n int, keep func(key []byte) bool, more []byte) []byte {
	if more != nil {
		n++
	}
	dst = f.dictHead(dst, n)
	first := true
	put := func(entry []byte) {
		if !first && f.text() {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, entry...)
	}
	eachEntry(f, raw, func(key []byte, start, _, end int) {
		if keep(key) {
			put(raw[start:end])
		}
	})
	if more != nil {
		put(more)
	}
	if f.text() {
		dst = append(dst, '}')
	}
	return dst
}

// putEntry returns a dict with an entry added or replaced. raw is not changed; ok is
// false if it is no dict. The error is that the entry cannot be encoded.
func putEntry(f format, raw []byte, e entry) (out []byte, ok bool, err error) {
	raw = trim(f, raw)
	keep := func(key []byte) bool { return key == nil || string(key) != e.key }
	n := 0
	if !eachEntry(f, raw, func(key []byte, _, _, _ int) {
		if keep(key) {
			n++
		}
	}) {
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
	return appendEntries(f, make([]byte, 0, len(raw)+len(more)+8), raw, n, keep, more), true, nil
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
	if q, err = q.Encoded(); err != nil || q.codec == nil {
		return p, Payload{}
	}
	f := q.codec.format()
	raw := trim(f, q.kwargs())
	out := func(key []byte) bool { return key != nil && slices.Contains(keys, string(key)) }
	stay := func(key []byte) bool { return !out(key) }
	n, gone, bytes := 0, 0, 0
	if ok := eachEntry(f, raw, func(key []byte, start, _, end int) {
		if n++; out(key) {
			gone++
			bytes += end - start
		}
	}); !ok || gone == 0 {
		return p, Payload{}
	}
	var kwargs []byte
	if n > gone {
		kwargs = appendEntries(f, make([]byte, 0, len(raw)-bytes+8), raw, n-gone, stay, nil)
	}
	rest = Raw(q.codec, q.args(), kwargs)
	rest.last = p.last
	return rest, Raw(q.codec, nil, appendEntries(f, make([]byte, 0, bytes+gone+8), raw, gone, out, nil))
}
