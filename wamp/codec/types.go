package codec

import (
	"encoding"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// typeTraits says of a Go type, and of all that it is made of, how its values may be
// written and read.
type typeTraits uint16

const (
	// hasAny: an interface, in which there may be anything.
	hasAny typeTraits = 1 << iota
	// hasLoop: a type that is part of itself, so that its values may be too.
	hasLoop
	// isEndless: a pointer to its own type, of which there is nothing to write.
	isEndless
	// notPlain: something that is left to the JSON library.
	notPlain
	// isWide: something that the JSON library does not see as we do, so that we look
	// at each value before it does.
	isWide
	// hasQuoted: a field with the option string.
	hasQuoted
	// hasJSON: a type that writes its own JSON.
	hasJSON
	// hasText: strings, or a type that writes text.
	hasText
	// hasInt: integers.
	hasInt
	// toScalar: a pointer to a scalar.
	toScalar
	// hasBig: a type that reads text into numbers of package big.
	hasBig
)

// isPlain reports whether values are read and written by hand.
func (t typeTraits) isPlain() bool { return t&(notPlain|hasLoop) == 0 }

// knownTypes remembers the traits of the types that were met.
var knownTypes sync.Map // reflect.Type -> typeTraits

var (
	bigTypes = []reflect.Type{bigType, reflect.TypeFor[big.Float](), reflect.TypeFor[big.Rat]()}

	// otherCode are methods that only libraries of CBOR and MessagePack would call, as far
	// as they can be named without importing one.
	otherCode = []reflect.Type{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](),
		reflect.TypeFor[interface{ MarshalCBOR() ([]byte, error) }](), reflect.TypeFor[interface{ UnmarshalCBOR([]byte) error }](),
		reflect.TypeFor[interface{ IsZero() bool }](), reflect.TypeFor[interface{ IsCodecEmpty() bool }]()}

	streams = []reflect.Type{reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[json.UnmarshalerFrom]()}

	timeType     = reflect.TypeFor[time.Time]()
	byteListType = reflect.TypeFor[[]byte]()
	floatType    = reflect.TypeFor[float64]()
)

// implements reports whether t or a pointer to it has one of the interfaces.
func implements(t reflect.Type, interfaces []reflect.Type) bool {
	return slices.ContainsFunc(interfaces, func(i reflect.Type) bool {
		return t.Implements(i) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(i)
	})
}

// traitsOf returns the traits of v's type and of all that it is made of, as far
// as the types say.
func traitsOf(v any) typeTraits { return traitsOfType(reflect.TypeOf(v)) }

func traitsOfType(t reflect.Type) typeTraits {
	if t == nil {
		return 0
	}
	if known, ok := knownTypes.Load(t); ok {
		return known.(typeTraits)
	}
	w := typeWalk{at: map[reflect.Type]int{}}
	w.visit(t)
	if t.Kind() == reflect.Pointer && isScalar(t.Elem()) {
		w.traits |= toScalar
	}
	knownTypes.Store(t, w.traits)
	return w.traits
}

// typeWalk goes through a type and all that it is made of.
type typeWalk struct {
	traits typeTraits
	path   []reflect.Type       // from the first type to the one at hand
	at     map[reflect.Type]int // where a type stands in path, -1 if it is done
}

func (w *typeWalk) visit(t reflect.Type) {
	if at, met := w.at[t]; met {
		if at >= 0 {
			w.loop(w.path[at:])
		}
		return
	}
	w.at[t] = len(w.path)
	w.path = append(w.path, t)
	w.enter(t)
	w.path = w.path[:len(w.path)-1]
	w.at[t] = -1
}

// loop notes a type that has been found inside of itself.
func (w *typeWalk) loop(path []reflect.Type) {
	w.traits |= hasLoop
	if !slices.ContainsFunc(path, func(t reflect.Type) bool { return t.Kind() != reflect.Pointer }) {
		w.traits |= isEndless
	}
}

func (w *typeWalk) enter(t reflect.Type) {
	if t == timeType {
		w.traits |= hasText
		return
	}
	if implements(t, otherCode) {
		w.traits |= notPlain
	}
	if t != jsonRawType && t != numberType && t != rawType && implements(t, streams) {
		w.traits |= isWide // what it gives to the library may be anything
	}
	r := rolesOf(t)
	if r.read == roleText || r.read == roleJSON {
		w.traits |= notPlain
		if r.read == roleJSON {
			w.traits |= hasJSON
		}
		if holdsBig(t, map[reflect.Type]bool{}) {
			w.traits |= hasBig
		}
	}
	w.role(t, r.write)
	if r.write == roleText || r.write == roleJSON {
		if r.read == r.write {
			return
		}
		w.role(t, kindRole(t))
	}
	switch t.Kind() {
	case reflect.Struct:
		w.fields(t)
	case reflect.Map:
		w.visit(t.Key())
		w.visit(t.Elem())
	case reflect.Slice, reflect.Array, reflect.Pointer:
		w.visit(t.Elem())
	}
}

// role notes what the way in which values are written says.
func (w *typeWalk) role(t reflect.Type, r role) {
	switch r {
	case roleInt, roleUint:
		w.traits |= hasInt
		if t.Kind() == reflect.Uintptr {
			w.traits |= notPlain
		}
	case roleFloat:
		if t != floatType {
			w.traits |= isWide
			if t.Kind() == reflect.Float32 {
				w.traits |= notPlain
			}
		}
	case roleString:
		w.traits |= hasText
	case roleText:
		w.traits |= notPlain | hasText
	case roleJSON, roleNumber, roleRaw:
		w.traits |= notPlain | hasText | hasJSON
	case roleBig, roleURL:
		w.traits |= notPlain | hasText
	case roleTag, roleInline, roleError, roleOdd:
		w.traits |= notPlain | isWide
	case roleBytes:
		if t != byteListType {
			w.traits |= notPlain | isWide
		}
	case roleList:
		if t.Kind() == reflect.Array || t.Elem().Kind() == reflect.Uint8 {
			w.traits |= notPlain
		}
	case roleMap:
		switch rolesOf(t.Key()) {
		case roles{roleString, roleString}:
			w.traits |= hasText
		case roles{roleInt, roleInt}, roles{roleUint, roleUint}:
			w.traits |= notPlain
		default:
			w.traits |= notPlain | isWide
		}
	case rolePointer:
		if t.Elem().Kind() == reflect.Pointer {
			w.traits |= notPlain
		}
	case roleAny, roleFace:
		w.traits |= hasAny
	}
}

// fields notes what the fields of a struct say.
func (w *typeWalk) fields(t reflect.Type) {
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		if !sameTags(&f, tag) {
			w.traits |= notPlain
		}
		if tag == "-" {
			continue
		}
		if !f.IsExported() && !f.Anonymous {
			if tagged {
				w.traits |= notPlain
			}
			continue
		}
		name, _ := plainName(&f)
		if f.Anonymous || names[name] || !isPlainName(name) {
			w.traits |= notPlain
		}
		names[name] = true
		for _, o := range fieldOptions(&f) {
			switch k := f.Type.Kind(); {
			case o == "string":
				w.traits |= notPlain | isWide | hasQuoted
			case o != "omitempty", k == reflect.Struct, k == reflect.Array, k == reflect.Float64:
				w.traits |= notPlain
			}
		}
		w.visit(f.Type)
	}
	if len(names) == 0 {
		w.traits |= notPlain
	}
}

// plainName returns the name of a field of a plain type, if it has one.
func plainName(f *reflect.StructField) (name string, ok bool) {
	tag := f.Tag.Get("json")
	if tag == "-" || !f.IsExported() {
		return "", false
	}
	if name, _, _ = strings.Cut(tag, ","); name == "" {
		name = f.Name
	}
	return name, true
}

// sameTags reports whether the tags that other libraries look at say what that of
// JSON says.
func sameTags(f *reflect.StructField, tag string) bool {
	for _, key := range []string{"cbor", "codec"} {
		if other, ok := f.Tag.Lookup(key); ok && other != tag {
			return false
		}
	}
	return true
}

// isPlainName reports whether all libraries read a name as it is written.
func isPlainName(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// isBasic reports whether values of the kind are neither pointers nor made of
// others.
func isBasic(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Complex128 || k == reflect.String
}

// holdsBig reports whether a type that reads text has numbers of package big in
// it: what that costs grows with the square of the digits.
func holdsBig(t reflect.Type, seen map[reflect.Type]bool) bool {
	if slices.Contains(bigTypes, t) {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsBig(t.Field(i).Type, seen) {
				return true
			}
		}
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return holdsBig(t.Elem(), seen)
	}
	return false
}
