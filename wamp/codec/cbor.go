package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"sync"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/fxamacker/cbor/v2"
)

// cborFormat is CBOR as a format; cborCodec is the same as a Codec.
type (
	cborFormat struct{}
	cborCodec  struct{}
)

func (cborCodec) Name() string              { return "cbor" }
func (cborCodec) NewParser(l Limits) Parser { return newParser(cborFormat{}, l) }
func (cborCodec) AppendMessage(dst []byte, m *proto.Message) ([]byte, error) {
	return appendMessage(cborFormat{}, dst, m)
}
func (cborCodec) AppendList(dst []byte, values []any) ([]byte, error) {
	return appendList(cborFormat{}, dst, values)
}
func (cborCodec) AppendValue(dst []byte, v any) ([]byte, error) {
	return appendOne(cborFormat{}, dst, v)
}
func (cborCodec) Unmarshal(raw []byte, v any) error { return unmarshalOne(cborFormat{}, raw, v) }
func (cborCodec) Plain(raw []byte) (any, error)     { return plainValue(cborFormat{}, raw) }
func (cborCodec) Elements(into [][]byte, raw []byte) ([][]byte, error) {
	return elements(cborFormat{}, into, raw)
}
func (cborCodec) format() format { return cborFormat{} }

func (cborFormat) name() string { return "cbor" }
func (cborFormat) text() bool   { return false }

// cborHead appends the head of an item, in its shortest form.
func cborHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return append(dst, major|25, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func (cborFormat) appendNil(dst []byte) []byte { return append(dst, cborMisc|22) }

func (cborFormat) appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, cborMisc|21)
	}
	return append(dst, cborMisc|20)
}

func (cborFormat) appendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return cborHead(dst, cborNint, uint64(^v))
	}
	return cborHead(dst, cborUint, uint64(v))
}

func (cborFormat) appendUint(dst []byte, v uint64) []byte { return cborHead(dst, cborUint, v) }

func (cborFormat) appendFloat(dst []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(append(dst, cborMisc|27), math.Float64bits(v)), nil
}

func (cborFormat) appendString(dst []byte, v string) ([]byte, error) {
	if !utf8.ValidString(v) {
		return dst, errUTF8
	}
	return append(cborHead(dst, cborText, uint64(len(v))), v...), nil
}

func (cborFormat) appendBytes(dst []byte, v []byte) []byte {
	return append(cborHead(dst, cborBytes, uint64(len(v))), v...)
}

func (cborFormat) appendList(dst []byte, n int) []byte { return cborHead(dst, cborArray, uint64(n)) }
func (cborFormat) appendDict(dst []byte, n int) []byte { return cborHead(dst, cborMap, uint64(n)) }

// The library's modes. Time is an RFC 3339 string without a tag, as in the
// other serializers; what comes in may have the tag.
var (
	cborEnc = must(cbor.EncOptions{
		Time: cbor.TimeRFC3339Nano, TimeTag: cbor.EncTagNone,
		TextMarshaler: cbor.TextMarshalerTextString, BinaryMarshaler: cbor.BinaryMarshalerNone,
	}.UserBufferEncMode())
	cborDec = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, TimeTag: cbor.DecTagOptional,
		MaxNestedLevels: valueDepth + 1, BigIntDec: cbor.BigIntDecodePointer, MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32,
		IntDec: cbor.IntDecConvertSignedOrFail, DefaultMapType: reflect.TypeFor[map[string]any](),
		FieldNameMatching:    cbor.FieldNameMatchingCaseSensitive,
		UnrecognizedTagToAny: cbor.UnrecognizedTagContentToAny, TimeTagToAny: cbor.TimeTagToRFC3339Nano,
		TextUnmarshaler: cbor.TextUnmarshalerTextString, BinaryUnmarshaler: cbor.BinaryUnmarshalerNone,
	}.DecMode())
)

// must is for options that are constants: they are right or they never are.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var cborBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// pooledSize is how big a buffer may have grown to go back to its pool.
const pooledSize = 1 << 20

func (f cborFormat) write(dst []byte, v any, traits typeTraits, depth int) ([]byte, error) {
	if err := cborGuard.check(v, traits, depth); err != nil {
		return dst, err
	}
	b := cborBuffers.Get().(*bytes.Buffer)
	b.Reset()
	err := cborEnc.MarshalToBuffer(v, b)
	start := len(dst)
	if err == nil {
		dst = append(dst, b.Bytes()...)
	}
	if b.Cap() <= pooledSize {
		cborBuffers.Put(b)
	}
	if err != nil {
		return dst, err
	}
	s := valueScan(dst[start:], valueDepth)
	end, bad := f.verify(&s, 0, depth)
	return verified(f, dst, start, depth, end, bad, s.ints)
}

func (cborFormat) unmarshal(s *scan, v any, traits typeTraits) error {
	return cborUnmarshal(s.data, v, traits)
}

// cborUnmarshal decodes by the library. That knows no integer above int64 in
// an any, so that a value it gives up for that goes by way of JSON.
func cborUnmarshal(raw []byte, v any, traits typeTraits) error {
	err := cborDec.Unmarshal(raw, v)
	var mismatch *cbor.UnmarshalTypeError
	if errors.As(err, &mismatch) && traits&hasAny != 0 {
		text, bad := transcode(jsonFormat{}, nil, CBOR, raw, "")
		if bad == nil && JSON.Unmarshal(text, v) == nil {
			return nil
		}
	}
	return err
}
