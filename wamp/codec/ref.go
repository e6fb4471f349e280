package codec

import (
	"encoding"
	stdjson "encoding/json"
	"errors"
	"math/big"
	"net/url"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// What a Go value becomes is what the JSON library makes of it, in all three
// serializers. What JSON has no form for stands beside the text, as marks: in the
// place of each there is something in the text that is well-formed.
//
// To send: the library writes text and marks (refwrite.go), and for CBOR and
// MessagePack they are transcoded (transcode.go). What is received is made text and
// marks (totext.go), and the library reads them (refread.go).

// mark is a value that the text alone does not tell.
type mark struct {
	start int // where in the text it stands
	// v is the value: []byte, a float that is no number, a *big.Int, a decimalText, a
	// Tag, a nulText, a rawText.
	v any
}

// nulText marks a string that begins with U+0000 and is not binary.
type nulText struct{}

// jsonForm is how the library is set up: nil is null, durations are numbers, and
// omitempty means what it does in encoding/json.
var jsonForm = json.JoinOptions(json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true),
	jsonv1.OmitEmptyWithLegacySemantics(true), jsonv1.FormatDurationAsNano(true))

// role says what stands in front of the library for a type.
type role uint8

const (
	roleNone role = iota
	roleBool
	roleInt
	roleUint
	roleFloat
	roleString
	roleBytes // a slice or an array of bytes
	roleAny   // an interface without methods
	roleFace  // one with methods
	rolePointer
	roleList
	roleMap
	roleStruct
	roleText // what has a text method, and no JSON method
	roleJSON // what has a JSON method
	roleNumber
	roleRaw
	roleBig
	roleURL
	roleTag
	roleInline // a struct with a tag that means nothing
	roleError  // what is an error and does not say how it is written
	roleOdd    // func, chan, complex
)

var (
	jsonWriters = []reflect.Type{reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[json.Marshaler]()}
	textWriters = []reflect.Type{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextAppender]()}
	jsonReaders = []reflect.Type{reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[json.Unmarshaler]()}
	textReaders = []reflect.Type{reflect.TypeFor[encoding.TextUnmarshaler]()}
	errorTypes  = []reflect.Type{reflect.TypeFor[error]()}

	numberType  = reflect.TypeFor[stdjson.Number]()
	rawType     = reflect.TypeFor[stdjson.RawMessage]()
	jsonRawType = reflect.TypeFor[jsontext.Value]()
	bigType     = reflect.TypeFor[big.Int]()
	urlType     = reflect.TypeFor[url.URL]()
	tagType     = reflect.TypeFor[Tag]()
	byteType    = reflect.TypeFor[byte]()
)

type roles struct{ write, read role }

// knownRoles remembers the roles of types.
var knownRoles sync.Map // reflect.Type -> roles

func rolesOf(t reflect.Type) roles {
	if known, ok := knownRoles.Load(t); ok {
		return known.(roles)
	}
	r := roles{ownRole(t), ownRole(t)}
	if r.read == roleNone {
		k := kindRole(t)
		r = roles{k, k}
		if t.Kind() != reflect.Interface && t.Kind() != reflect.Pointer {
			switch {
			case implements(t, jsonWriters):
				r.write = roleJSON
			case implements(t, textWriters):
				r.write = roleText
			case implements(t, errorTypes):
				r.write = roleError
			}
			switch {
			case t == timeType: // it reads nothing but text
				r.read = roleText
			case implements(t, jsonReaders):
				r.read = roleJSON
			case implements(t, textReaders):
				r.read = roleText
			}
		}
	}
	knownRoles.Store(t, r)
	return r
}

// ownRole returns the role of a type that is known by its name.
func ownRole(t reflect.Type) role {
	switch t {
	case numberType:
		return roleNumber
	case rawType, jsonRawType:
		return roleRaw
	case bigType:
		return roleBig
	case urlType:
		return roleURL
	case tagType:
		return roleTag
	}
	return roleNone
}

func kindRole(t reflect.Type) role {
	switch k := t.Kind(); k {
	case reflect.Bool:
		return roleBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return roleInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return roleUint
	case reflect.Float32, reflect.Float64:
		return roleFloat
	case reflect.String:
		return roleString
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return roleAny
		}
		return roleFace
	case reflect.Pointer:
		return rolePointer
	case reflect.Map:
		return roleMap
	case reflect.Slice, reflect.Array:
		if t.Elem() == byteType {
			return roleBytes
		}
		return roleList
	case reflect.Struct:
		if hasInline(t) {
			return roleInline
		}
		return roleStruct
	}
	return roleOdd
}

// fieldOptions returns the options of a field's json tag, without the name.
func fieldOptions(f *reflect.StructField) []string {
	tag := f.Tag.Get("json")
	var out []string
	for i, quoted := 0, false; i < len(tag); i++ {
		switch {
		case tag[i] == '\'':
			quoted = !quoted
		case tag[i] == '\\' && quoted:
			i++
		case tag[i] == ',' && !quoted:
			out = append(out, tag[i+1:])
		}
	}
	for i, s := range out {
		for j := range len(s) {
			if s[j] == ',' {
				out[i] = s[:j]
				break
			}
		}
	}
	return out
}

// hasInline reports whether a field has the option that other libraries know for
// embedding. Here it would be ignored.
func hasInline(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		for _, o := range fieldOptions(&f) {
			if o == "inline" && f.Tag.Get("json") != "-" {
				return true
			}
		}
	}
	return false
}

var errInline = errors.New("the option inline of a struct tag is not known, embed is")
