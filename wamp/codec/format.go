package codec

import (
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// format is what the three serializers differ in, at the level of single
// values. Everything that reads takes the offset of a value and gives the one
// behind it, with the fault as a string, "" for none: no error is allocated
// until somebody outside has to see it.
type format interface {
	name() string
	text() bool // elements are separated by commas, lists have an end

	// split finds the elements of a message, at most len(spans), and checks
	// that they are well-formed and that nothing follows. pos is the fault's
	// offset.
	split(s *scan, spans *[maxElements]span) (n, pos int, bad string)
	// skip returns the offset behind the value at pos. It checks the value's
	// form and the limits in s, and takes no memory.
	skip(s *scan, pos, depth int) (end int, bad string)
	// kind says what raw is, by its first octet. raw may be empty.
	kind(raw []byte) kind
	// uint reads an unsigned integer.
	uint(raw []byte) (n uint64, ok bool)
	// str returns the octets of a string that is valid UTF-8, aliasing raw
	// where that can be; ok is false for any other value.
	str(raw []byte) (s []byte, ok bool)
	// token reads a value that is one scalar and nothing more.
	token(raw []byte) token
	// plain decodes the well-formed value at pos.
	plain(raw []byte, pos int) (v any, end int, bad string)
	// open opens the list or dict that raw is: n is the number of elements
	// or entries, -1 if that is not known yet.
	open(raw []byte) (pos, n int)
	// next returns the next element of an opened list, or the next key or
	// value of a dict, with start < 0 at the end. i counts from 0.
	next(raw []byte, pos, i int, dict bool) (start, end int, bad string)

	appendNil(dst []byte) []byte
	appendBool(dst []byte, v bool) []byte
	appendInt(dst []byte, v int64) []byte
	appendUint(dst []byte, v uint64) []byte
	appendFloat(dst []byte, v float64) ([]byte, error)
	appendString(dst []byte, v string) ([]byte, error)
	appendBytes(dst []byte, v []byte) []byte
	appendList(dst []byte, n int) []byte
	appendDict(dst []byte, n int) []byte
	// appendAny appends a value of any other Go type by the library.
	appendAny(dst []byte, v any) ([]byte, error)
	// unmarshal decodes by the library what s has found to be well-formed.
	unmarshal(s *scan, v any) error
}

// kind is the kind of a raw value.
type kind uint8

const (
	kindOther kind = iota // int, float, bool, extension
	kindNull
	kindString
	kindBinary
	kindList
	kindDict
)

// maxElements is one more than the longest message has: ERROR with payload.
const maxElements = 8

// span is where an element lies in the message.
type span struct{ start, end int }

// scan is one walk over a message: its data and what is left of its limits.
type scan struct {
	data  []byte
	elems int  // how many values may still come
	depth int  // how deep they may nest
	big   bool // MessagePack: an integer above int64 was met
}

// take counts n values that a header announces.
func (s *scan) take(n uint64) bool {
	if n > uint64(s.elems) {
		return false
	}
	s.elems -= int(n)
	return true
}

// The faults that all formats share.
const (
	badTruncated = "truncated"
	badTrailing  = "trailing octets"
	badDepth     = "nested too deeply"
	badElements  = "too many elements"
	badUTF8      = "string is not valid UTF-8"
	badKey       = "dict key is not a string"
	badDuplicate = "duplicate key"
	badNoList    = "not a list"
	badLong      = "too many elements for any message"
)

// valueDepth bounds the nesting of values, in both directions, where no parser
// has set a limit.
const valueDepth = 512

// valueScan is a scan of a value of its own, outside a message.
func valueScan(raw []byte) scan {
	return scan{data: raw, elems: 2*len(raw) + 1, depth: valueDepth}
}

// check returns an error unless raw is exactly one well-formed value.
func check(f format, s *scan) error {
	end, bad := f.skip(s, 0, 0)
	if bad == "" && end != len(s.data) {
		bad = badTrailing
	}
	if bad != "" {
		return &SyntaxError{Codec: f.name(), Offset: end, Reason: bad}
	}
	return nil
}

// plainValue is Codec.Plain.
func plainValue(f format, raw []byte) (any, error) {
	s := valueScan(raw)
	if err := check(f, &s); err != nil {
		return nil, err
	}
	v, pos, bad := f.plain(raw, 0)
	if bad != "" {
		return nil, &SyntaxError{Codec: f.name(), Offset: pos, Reason: bad}
	}
	return v, nil
}

// unmarshalValue is Codec.Unmarshal. The plain types are decoded by hand, so
// that they are the same in all serializers.
func unmarshalValue(f format, raw []byte, v any) error {
	switch v.(type) {
	case *any, *[]any, *map[string]any:
		return unmarshalPlain(f, raw, v)
	}
	if done, err := scanScalar(f, raw, v); done {
		return err
	}
	s := valueScan(raw)
	if err := check(f, &s); err != nil {
		return err
	}
	return f.unmarshal(&s, v)
}

func unmarshalPlain(f format, raw []byte, v any) error {
	got, err := plainValue(f, raw)
	if err != nil {
		return err
	}
	ok := true
	switch v := v.(type) {
	case *any:
		*v = got
	case *[]any:
		*v, ok = got.([]any)
	case *map[string]any:
		*v, ok = got.(map[string]any)
	}
	if !ok && got != nil {
		return &mismatch{f.name(), f.kind(raw), v}
	}
	return nil
}

// elements is Codec.Elements.
func elements(f format, into [][]byte, raw []byte) ([][]byte, error) {
	if len(raw) == 0 || f.kind(raw) != kindList {
		return into, &SyntaxError{Codec: f.name(), Reason: badNoList}
	}
	s := valueScan(raw)
	if err := check(f, &s); err != nil {
		return into, err
	}
	pos, _ := f.open(raw)
	for i := 0; ; i++ {
		start, end, bad := f.next(raw, pos, i, false)
		if bad != "" {
			return into, &SyntaxError{Codec: f.name(), Offset: end, Reason: bad}
		}
		if start < 0 {
			return into, nil
		}
		into = append(into, raw[start:end:end])
		pos = end
	}
}

// dict decodes a raw dict, which is well-formed, to a Dict.
func dict(f format, raw []byte) (d proto.Dict, pos int, bad string) {
	pos, n := f.open(raw)
	if n > 0 {
		d = make(proto.Dict, 0, n)
	}
	var seen keySet
	for i := 0; ; i += 2 {
		start, end, bad := f.next(raw, pos, i, true)
		if bad != "" || start < 0 {
			return d, end, bad
		}
		key, ok := f.str(raw[start:end])
		if !ok {
			return nil, start, badKey
		}
		if seen = seen.add(d, key); seen.dup {
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
		d = append(d, proto.Entry{Key: intern(key), Value: v})
		pos = end
	}
}

// keySet finds the key of a dict that comes twice: by looking at each while
// they are few, as they are, and by a map where somebody sends very many.
type keySet struct {
	keys map[string]struct{}
	dup  bool
}

const fewKeys = 32

func (s keySet) add(d proto.Dict, key []byte) keySet {
	if len(d) < fewKeys {
		for i := range d {
			s.dup = s.dup || d[i].Key == string(key)
		}
		return s
	}
	if s.keys == nil {
		s.keys = make(map[string]struct{}, 2*fewKeys)
		for i := range d {
			s.keys[d[i].Key] = struct{}{}
		}
	}
	_, s.dup = s.keys[string(key)]
	s.keys[string(key)] = struct{}{}
	return s
}
