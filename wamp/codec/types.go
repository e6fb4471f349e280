package codec

import (
	"encoding"
	"math/big"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/ugorji/go/codec"
)

// typeTraits says what a Go type holds that the libraries treat differently, or
// that is not safe to give to them.
type typeTraits uint16

const (
	// hasText: a type with MarshalText or UnmarshalText, which is a string in JSON
	// and CBOR.
	hasText typeTraits = 1 << iota
	// hasBytes: bytes of a named type or in an array.
	hasBytes
	// hasOdd: a channel, function or complex number, which has no encoding.
	hasOdd
	// hasTime: a time.Time.
	hasTime
	// hasAny: an interface, in which there may be all of that.
	hasAny
	// hasLoop: a type that is part of itself, so that its values may be too.
	hasLoop
	// hasTight: what the MessagePack library cannot bear. It overflows the stack
	// where a type is part of itself and no struct is in between, and reads foreign
	// memory in an array of one pointer.
	hasTight
	// hasCode: a method that only the MessagePack library would call.
	hasCode
	// hasJSON: a type that writes its own JSON.
	hasJSON
	// hasMap: a map, the keys of which may be anything.
	hasMap
	// hasBig: a number of package big.
	hasBig
	// isEndless: a pointer to its own type, of which there is nothing to write.
	isEndless
)

// knownTypes remembers the traits of the types that were met.
var knownTypes sync.Map // reflect.Type -> typeTraits

type (
	zeroer  interface{ IsZero() bool }
	emptier interface{ IsCodecEmpty() bool }
)

var (
	textMarshaler  = []reflect.Type{reflect.TypeFor[encoding.TextMarshaler]()}
	textReader     = []reflect.Type{reflect.TypeFor[encoding.TextUnmarshaler]()}
	jsonMarshalers = []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.MarshalerTo]()}
	codeMethods    = []reflect.Type{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](),
		reflect.TypeFor[codec.Selfer](), reflect.TypeFor[codec.MissingFielder](), reflect.TypeFor[zeroer](), reflect.TypeFor[emptier]()}
	bigTypes = []reflect.Type{reflect.TypeFor[big.Int](), reflect.TypeFor[big.Float](), reflect.TypeFor[big.Rat]()}

	timeType     = reflect.TypeFor[time.Time]()
	jsonRawType  = reflect.TypeFor[jsontext.Value]()
	byteListType = reflect.TypeFor[[]byte]()
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
	if t == timeType {
		w.traits |= hasTime
		return
	}
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
	kindIs := func(k reflect.Kind) func(reflect.Type) bool {
		return func(t reflect.Type) bool { return t.Kind() == k }
	}
	if !slices.ContainsFunc(path, kindIs(reflect.Struct)) {
		w.traits |= hasTight
	}
	if !slices.ContainsFunc(path, func(t reflect.Type) bool { return t.Kind() != reflect.Pointer }) {
		w.traits |= isEndless
	}
}

func (w *typeWalk) enter(t reflect.Type) {
	k := t.Kind()
	if k != reflect.Interface && (k != reflect.Pointer || t.Elem() != timeType) {
		if implements(t, jsonMarshalers) || t == jsonRawType {
			w.traits |= hasJSON
		}
		if implements(t, codeMethods) {
			w.traits |= hasCode
		}
		if implements(t, textReader) {
			w.traits |= hasText
			if holdsBig(t, map[reflect.Type]bool{}) {
				w.traits |= hasBig
			}
		}
		if implements(t, textMarshaler) {
			w.traits |= hasText
			return
		}
	}
	switch k {
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); isWritten(&f) {
				w.visit(f.Type)
			}
		}
	case reflect.Map:
		w.traits |= hasMap
		w.visit(t.Key())
		w.visit(t.Elem())
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t != byteListType {
			w.traits |= hasBytes
			return
		}
		if k == reflect.Array && !isBasic(t.Elem().Kind()) {
			w.traits |= hasTight
		}
		w.visit(t.Elem())
	case reflect.Pointer:
		w.visit(t.Elem())
	case reflect.Interface:
		w.traits |= hasAny
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		w.traits |= hasOdd
	}
}

// isWritten reports whether one of the libraries writes a field.
func isWritten(f *reflect.StructField) bool {
	other := f.Tag.Get("cbor")
	return (f.IsExported() || f.Anonymous) && (f.Tag.Get("json") != "-" || other != "" && other != "-")
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
