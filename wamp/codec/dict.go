package codec

import (
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// dict decodes the options of a message, which are well-formed, to a Dict.
func dict(f format, raw []byte) (d proto.Dict, pos int, bad string) {
	pos, n := f.open(raw)
	if n > 0 {
		d = make(proto.Dict, 0, n)
	}
	var seen keyIndex
	for i := 0; ; i += 2 {
		start, end, bad := f.next(raw, pos, i, true)
		if bad != "" || start < 0 {
			return d, end, bad
		}
		key, ok := f.str(raw[start:end])
		if !ok {
			return nil, start, badKey
		}
		if seen.find(d, key) >= 0 {
			return nil, start, badDuplicate
		}
		start, end, bad = f.next(raw, end, i+1, true)
		if bad != "" || start < 0 {
			return nil, end, badTruncated
		}
		v, at, bad := f.plain(raw, start)
		if bad != "" {
			return nil, at, bad
		}
		if holdsTag(v) {
			return nil, start, badTag
		}
		pos = end
		d = append(d, proto.Entry{Key: intern(key), Value: v})
		seen.add(d)
	}
}

// looseDict decodes options of which only the end is known. What cannot be
// decoded is Unreadable; a fault is only that entries cannot be told apart.
func looseDict(f format, raw []byte, elems int) (d proto.Dict, pos int, bad string) {
	pos, n := f.open(raw)
	if n > 0 {
		d = make(proto.Dict, 0, n)
	}
	s := scan{data: raw, elems: elems, depth: valueDepth}
	var seen keyIndex
	lost := ""
	for i := 0; ; i += 2 {
		start, end, bad := f.next(raw, pos, i, true)
		if bad == "" && start < 0 {
			if lost != "" {
				d = append(d, proto.Entry{Value: proto.Unreadable(lost)})
			}
			return d, end, ""
		}
		if bad != "" {
			return nil, end, bad
		}
		key, why := looseKey(f, &s, start, end)
		start, end, bad = f.next(raw, end, i+1, true)
		if bad != "" {
			return nil, end, bad
		}
		if start < 0 {
			return nil, end, badTruncated
		}
		pos = end
		if why != "" {
			if lost == "" { // one entry for all of them
				lost = why
			}
			continue
		}
		if at := seen.find(d, key); at >= 0 {
			d[at].Value = proto.Unreadable(badDuplicate)
			continue
		}
		d = append(d, proto.Entry{Key: intern(key), Value: looseValue(f, &s, start, end)})
		seen.add(d)
	}
}

func looseKey(f format, s *scan, start, end int) (key []byte, why string) {
	if f.kind(s.data[start:end]) != kindString {
		return nil, badKey
	}
	if at, bad := f.skip(s, start, 1); bad != "" || at != end {
		return nil, badKey
	}
	key, ok := f.str(s.data[start:end])
	if !ok {
		return nil, badUTF8
	}
	return key, ""
}

// looseValue decodes a value. A tag that nobody knows, or that is of something else than it
// says, makes it another value than the one that was meant.
func looseValue(f format, s *scan, start, end int) any {
	at, bad := f.skip(s, start, 1)
	switch {
	case !s.take(2):
		bad = badElements
	case bad != "":
	case at != end:
		bad = badChar
	}
	if bad != "" {
		return proto.Unreadable(bad)
	}
	v, _, bad := f.plain(s.data, start)
	if bad == "" && holdsTag(v) {
		bad = badTag
	}
	if bad != "" {
		return proto.Unreadable(bad)
	}
	return v
}

// holdsTag reports whether a value has a Tag in it, which options have no use for and
// which cannot be sent on.
func holdsTag(v any) bool {
	switch v := v.(type) {
	case Tag:
		return true
	case []any:
		return slices.ContainsFunc(v, holdsTag)
	case map[string]any:
		for _, v := range v {
			if holdsTag(v) {
				return true
			}
		}
	}
	return false
}

// keyIndex finds the key of a dict that comes twice: by looking at each while
// they are few, as they are, and by a map where somebody sends very many.
type keyIndex struct{ at map[string]int }

const fewKeys = 32

// find returns where key stands in d, -1 if it does not.
func (x *keyIndex) find(d proto.Dict, key []byte) int {
	if x.at == nil {
		if len(d) < fewKeys {
			for i := range d {
				if d[i].Key == string(key) {
					return i
				}
			}
			return -1
		}
		x.at = make(map[string]int, 2*fewKeys)
		for i := range d {
			x.at[d[i].Key] = i
		}
	}
	if i, ok := x.at[string(key)]; ok {
		return i
	}
	return -1
}

// add notes the last entry of d.
func (x *keyIndex) add(d proto.Dict) {
	if x.at != nil {
		x.at[d[len(d)-1].Key] = len(d) - 1
	}
}
