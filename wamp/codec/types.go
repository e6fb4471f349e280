package codec

import (
	"encoding"
	"reflect"
	"sync"
	"time"
)

// typeTraits says what a Go type holds that the libraries treat differently.
type typeTraits uint8

const (
	// hasText: a type with MarshalText, which is a string in JSON and CBOR.
	hasText typeTraits = 1 << iota
	// hasBytes: octets of a named type or in an array.
	hasBytes
	// hasOdd: a channel, function or complex number, which has no encoding.
	hasOdd
	// hasTime: a time.Time.
	hasTime
	// hasAny: an interface, in which there may be all of that.
	hasAny
)

// knownTypes remembers the traits of the types that were met.
var knownTypes sync.Map // reflect.Type -> typeTraits

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

// traitsOf returns the traits of v's type and of all that it is made of, as far
// as the types say.
func traitsOf(v any) typeTraits {
	t := reflect.TypeOf(v)
	if t == nil {
		return 0
	}
	if known, ok := knownTypes.Load(t); ok {
		return known.(typeTraits)
	}
	traits := walkType(t, map[reflect.Type]bool{})
	knownTypes.Store(t, traits)
	return traits
}

func walkType(t reflect.Type, seen map[reflect.Type]bool) (traits typeTraits) {
	if t == reflect.TypeFor[time.Time]() {
		return hasTime
	}
	if seen[t] {
		return 0
	}
	seen[t] = true
	if t.Kind() != reflect.Interface && (t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler)) {
		if t.Kind() != reflect.Pointer || t.Elem() != reflect.TypeFor[time.Time]() {
			return hasText
		}
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" {
				traits |= walkType(f.Type, seen)
			}
		}
	case reflect.Map:
		traits = walkType(t.Key(), seen) | walkType(t.Elem(), seen)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t != reflect.TypeFor[[]byte]() {
			return hasBytes
		}
		traits = walkType(t.Elem(), seen)
	case reflect.Pointer:
		traits = walkType(t.Elem(), seen)
	case reflect.Interface:
		traits = hasAny
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		traits = hasOdd
	}
	return traits
}
