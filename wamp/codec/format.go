package codec

import "reflect"

// format is what the three serializers differ in, at the level of single
// values. Everything that reads takes the offset of a value and gives the one
// behind it, with the fault as a string, "" for none: no error is allocated
// until somebody outside has to see it.
type format interface {
	name() string
	place() int // in all
	text() bool // elements are separated by commas, lists have an end

	// split finds the elements of a message, at most len(spans), and checks
	// that they are well-formed and that nothing follows. pos is the fault's
	// offset.
	split(s *scan, spans *[maxElements]span) (n, pos int, bad string)
	// skip returns the offset behind the value at pos. It checks the value's
	// form and the limits in s, and takes no memory.
	skip(s *scan, pos, depth int) (end int, bad string)
	// end returns the offset behind the value at pos, whatever is in it.
	end(data []byte, pos int, st *stack) (end int, bad string)
	// kind says what raw is, by its first byte. raw may be empty.
	kind(raw []byte) kind
	// uint reads an unsigned integer.
	uint(raw []byte) (n uint64, ok bool)
	// whole reads a float that is an unsigned integer. One beyond uint64 is the
	// largest there is.
	whole(raw []byte) (n uint64, ok bool)
	// str returns the bytes of a string that is valid UTF-8, aliasing raw
	// where that can be; ok is false for any other value.
	str(raw []byte) (s []byte, ok bool)
	// head returns the beginning of the string at the beginning of raw, which is
	// not empty: a few bytes more than limit where it is longer.
	head(raw []byte, limit int) ([]byte, bool)
	// token reads a value that is one scalar and nothing more.
	token(raw []byte) token
	// plain decodes the well-formed value at pos.
	plain(raw []byte, pos int) (v any, end int, bad string)
	// open opens the list or dict that raw is: n is the number of elements
	// or entries, -1 if that is not known yet.
	open(raw []byte) (pos, n int)
	// next returns the next element of an opened list, or the next key or
	// value of a dict, with start < 0 at the end. i counts from 0. What is in
	// the element is not looked at.
	next(raw []byte, pos, i int, dict bool) (start, end int, bad string)

	appendNil(dst []byte) []byte
	appendBool(dst []byte, v bool) []byte
	appendInt(dst []byte, v int64) []byte
	appendUint(dst []byte, v uint64) []byte
	appendFloat(dst []byte, v float64) ([]byte, error)
	appendString(dst []byte, v string) ([]byte, error)
	appendBytes(dst []byte, v []byte) []byte
	listHead(dst []byte, n int) []byte
	dictHead(dst []byte, n int) []byte
	// verify returns the offset behind the value at pos, which is to be sent, if
	// it is well-formed and its strings and keys are text. Keys that are
	// integers are told of in s.
	verify(s *scan, pos, depth int) (end int, bad string)
	// longDigits finds a string that isDigits in well-formed data, -1 if there is
	// none.
	longDigits(raw []byte) int
	// item reads a scalar, or the head of what is longer. There are none in JSON.
	item(raw []byte, pos int) item
	// toText appends the well-formed value at pos to a doc.
	toText(d *doc, raw []byte, pos int) (end int, bad string)
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

// scan is one walk over a message: its data, what is left of its limits, and
// what was met.
type scan struct {
	data  []byte
	elems int  // how many values may still come
	depth int  // how deep they may nest
	whole bool // JSON: a number with a fraction or an exponent was met that may be an integer
	ints  bool // keys that are integers were met
	keys  bool // JSON: keys in WAMP's form of binary are a fault
	// values and dicts are how many of them were met.
	values int
	dicts  int
	long   int // CBOR: the bytes of the longest big number that was met

	// of a parser
	lenient bool
	broken  uint8 // JSON: a bit for each element that is a malformed string
	stack   stack
}

// take counts n values that a header announces.
func (s *scan) take(n uint64) bool {
	if n > uint64(s.elems) {
		return false
	}
	s.elems -= int(n)
	s.values += int(n)
	return true
}

// MaxPlain bounds how much memory plain values may take, as far as that can be said
// before: a dict of one entry, of four bytes, takes about four hundred in a Go map. What
// would take more is an error of Args, Kwargs and Plain, and so it is in a target that
// has an any in it.
const MaxPlain = 512 << 20

// What plain values take: each its place in a list or its share of a map, and a dict
// the first group of its map besides.
const (
	plainValueSize = 24
	plainDictSize  = 320
)

// checkMemory refuses what would take more than MaxPlain.
func checkMemory(f format, s *scan) error {
	if int64(s.values)*plainValueSize+int64(s.dicts)*plainDictSize > MaxPlain {
		return &SyntaxError{Codec: f.name(), Offset: -1, Reason: badMemory}
	}
	return nil
}

// The faults that all formats share.
const (
	badTruncated = "truncated"
	badTrailing  = "trailing bytes"
	badDepth     = "nested too deeply"
	badElements  = "too many elements"
	badUTF8      = "string is not valid UTF-8"
	badKey       = "dict key is not a string"
	badDuplicate = "duplicate key"
	badTag       = "unknown tag or extension"
	badNoList    = "not a list"
	badNoDict    = "not a dict"
	badMemory    = "too many values"
	badLong      = "too many elements for any message"
)

// valueDepth is how deep a value may nest, in both directions: the list of
// arguments, the dict of keyword arguments, the options of a message.
const valueDepth = 128

// valueScan is a scan of a value of its own, outside a message, which may nest so
// deep.
func valueScan(raw []byte, depth int) scan {
	return scan{data: raw, elems: 2*len(raw) + 1, depth: depth}
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
func plainValue(f format, raw []byte) (any, error) { return plainTo(f, raw, valueDepth) }

func plainTo(f format, raw []byte, depth int) (any, error) {
	s := valueScan(raw, depth)
	if err := check(f, &s); err != nil {
		return nil, err
	}
	if err := checkMemory(f, &s); err != nil {
		return nil, err
	}
	if f.text() {
		raw = mendSurrogates(raw)
	}
	v, pos, bad := f.plain(raw, 0)
	if bad != "" {
		return nil, &SyntaxError{Codec: f.name(), Offset: pos, Reason: bad}
	}
	return v, nil
}

// checkTarget returns an error unless v points to something.
func checkTarget(v any) error {
	switch r := reflect.ValueOf(v); {
	case r.Kind() != reflect.Pointer:
		return errNoPointer
	case r.IsNil():
		return errNilPointer
	}
	return nil
}

// unmarshalOne is Codec.Unmarshal.
func unmarshalOne(f format, raw []byte, v any) error {
	if err := checkTarget(v); err != nil {
		return err
	}
	return unmarshalValue(f, raw, v, valueDepth)
}

// unmarshalValue decodes into a target that was checked. The plain
// types are decoded by hand, so that they are the same in all serializers.
func unmarshalValue(f format, raw []byte, v any, depth int) error {
	switch v.(type) {
	case *any, *[]any, *map[string]any:
		return unmarshalPlain(f, raw, v, depth)
	}
	if done, err := scanScalar(f, raw, v); done {
		return err
	}
	s := valueScan(raw, depth)
	return unmarshalType(f, &s, v, false)
}

// unmarshalType decodes what s has by the target's type. checked says that s has been
// through it, and that readElement did not do.
func unmarshalType(f format, s *scan, v any, checked bool) error {
	traits := traitsOf(v)
	if traits&isEndless != 0 {
		return errEndlessTarget
	}
	target := reflect.ValueOf(v).Elem()
	scalar := traits&toScalar != 0
	if scalar { // it stays as it was where this fails
		target = reflect.New(target.Type()).Elem()
	} else {
		target.SetZero()
	}
	if byHand := traits.isPlain() && (scalar || !checked); !byHand || readPlain(f, s.data, 0, target, s.depth) != len(s.data) {
		if byHand {
			target.SetZero()
		}
		if !checked {
			if err := check(f, s); err != nil {
				return err
			}
		}
		if err := checkLibrary(f, s, traits); err != nil {
			return err
		}
		if err := read(f, s, target.Addr().Interface(), traits); err != nil {
			return decodeError(err)
		}
	}
	if scalar {
		reflect.ValueOf(v).Elem().Set(target)
	}
	return nil
}

// isScalar reports whether values of a type are one thing each, or a pointer.
func isScalar(t reflect.Type) bool {
	switch rolesOf(t).read {
	case roleBool, roleInt, roleUint, roleFloat, roleString, roleBytes, roleText, roleNumber, roleRaw, roleBig, roleURL, roleTag, rolePointer:
		return true
	default:
		return isBasic(t.Kind())
	}
}

// read decodes by the reference, which may call code of the user's.
func read(f format, s *scan, v any, traits typeTraits) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = NewPanicError(r)
		}
	}()
	return refRead(f, s, v, traits)
}

func unmarshalPlain(f format, raw []byte, v any, depth int) error {
	got, err := plainTo(f, raw, depth)
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
		return newMismatch(f, raw, v)
	}
	return nil
}

// elements is Codec.Elements.
func elements(f format, into [][]byte, raw []byte) ([][]byte, error) {
	if len(raw) == 0 || f.kind(raw) != kindList {
		return into, &SyntaxError{Codec: f.name(), Reason: badNoList}
	}
	s := valueScan(raw, valueDepth)
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
