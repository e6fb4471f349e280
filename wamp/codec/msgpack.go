package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"sync"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/ugorji/go/codec"
)

// msgpackFormat is MessagePack as a format; msgpackCodec is the same as a Codec.
type (
	msgpackFormat struct{}
	msgpackCodec  struct{}
)

func (msgpackCodec) Name() string              { return "msgpack" }
func (msgpackCodec) NewParser(l Limits) Parser { return newParser(msgpackFormat{}, l) }
func (msgpackCodec) AppendMessage(dst []byte, m *proto.Message) ([]byte, error) {
	return appendMessage(msgpackFormat{}, dst, m)
}
func (msgpackCodec) AppendList(dst []byte, values []any) ([]byte, error) {
	return appendList(msgpackFormat{}, dst, values)
}
func (msgpackCodec) AppendValue(dst []byte, v any) ([]byte, error) {
	return appendOne(msgpackFormat{}, dst, v)
}
func (msgpackCodec) Unmarshal(raw []byte, v any) error {
	return unmarshalOne(msgpackFormat{}, raw, v)
}
func (msgpackCodec) Plain(raw []byte) (any, error) { return plainValue(msgpackFormat{}, raw) }
func (msgpackCodec) Elements(into [][]byte, raw []byte) ([][]byte, error) {
	return elements(msgpackFormat{}, into, raw)
}
func (msgpackCodec) format() format { return msgpackFormat{} }

func (msgpackFormat) name() string { return "msgpack" }
func (msgpackFormat) text() bool   { return false }

func (msgpackFormat) appendNil(dst []byte) []byte { return append(dst, mpNil) }

func (msgpackFormat) appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, mpTrue)
	}
	return append(dst, mpFalse)
}

func (f msgpackFormat) appendInt(dst []byte, v int64) []byte {
	switch {
	case v >= 0:
		return f.appendUint(dst, uint64(v))
	case v >= -32:
		return append(dst, byte(v))
	case v >= math.MinInt8:
		return append(dst, mpInt8, byte(v))
	case v >= math.MinInt16:
		return append(dst, mpInt8+1, byte(v>>8), byte(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, mpInt8+2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, mpInt64), uint64(v))
}

func (msgpackFormat) appendUint(dst []byte, v uint64) []byte {
	if v < mpFixMap {
		return append(dst, byte(v))
	}
	return mpLength(dst, mpUint8, v)
}

// mpLength appends n in the least of 1, 2, 4 or 8 bytes, behind the first
// byte that says so: first for one byte, first+1 for two, and so on.
func mpLength(dst []byte, first byte, n uint64) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, first, byte(n))
	case n <= math.MaxUint16:
		return append(dst, first+1, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, first+2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, first+3), n)
}

func (msgpackFormat) appendFloat(dst []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(append(dst, mpFloat64), math.Float64bits(v)), nil
}

func (msgpackFormat) appendString(dst []byte, v string) ([]byte, error) {
	if !utf8.ValidString(v) {
		return dst, errUTF8
	}
	if len(v) < 32 {
		return append(append(dst, mpFixStr|byte(len(v))), v...), nil
	}
	return append(mpLength(dst, mpStr8, uint64(len(v))), v...), nil
}

func (msgpackFormat) appendBytes(dst []byte, v []byte) []byte {
	return append(mpLength(dst, mpBin8, uint64(len(v))), v...)
}

func (msgpackFormat) appendList(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, mpFixList|byte(n))
	}
	return mpContainer(dst, mpList16, n)
}

func (msgpackFormat) appendDict(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, mpFixMap|byte(n))
	}
	return mpContainer(dst, mpMap16, n)
}

func mpContainer(dst []byte, first byte, n int) []byte {
	if n <= math.MaxUint16 {
		return append(dst, first, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, first+1), uint32(n))
}

// mpHandle is how the library is set up.
var mpHandle = func() *codec.MsgpackHandle {
	h := new(codec.MsgpackHandle)
	h.WriteExt = true
	h.MapType = reflect.TypeFor[map[string]any]()
	h.SignedInteger = true
	h.ValidateUnicode = true
	h.MaxDepth = valueDepth + 1
	h.CheckCircularRef = true
	h.TypeInfos = codec.NewTypeInfos([]string{"json"})
	return h
}()

type mpEncoder struct {
	buf []byte
	enc *codec.Encoder
}

var (
	mpEncoders = sync.Pool{New: func() any {
		e := new(mpEncoder)
		e.enc = codec.NewEncoderBytes(&e.buf, mpHandle)
		return e
	}}
	mpDecoders = sync.Pool{New: func() any { return codec.NewDecoderBytes(nil, mpHandle) }}
)

// mpForeign are types that the library has its own mind about: it prefers
// MarshalBinary, empties channels, writes times as an extension and takes them
// from nothing else; and some it cannot bear. They go by way of CBOR, and so does
// what may hold them, so that they are the same in all serializers.
const mpForeign = hasText | hasTime | hasOdd | hasAny | hasCode | hasTight | isEndless

func (f msgpackFormat) write(dst []byte, v any, traits typeTraits, depth int) ([]byte, error) {
	if traits&mpForeign != 0 {
		raw, err := cborFormat{}.write(nil, v, traits, depth)
		if err != nil {
			return dst, err
		}
		plain, bad := plainValue(cborFormat{}, raw)
		if bad != nil {
			return dst, bad
		}
		return appendValue(f, dst, plain, depth)
	}
	if err := mpGuard.check(v, traits, depth); err != nil {
		return dst, err
	}
	e := mpEncoders.Get().(*mpEncoder)
	e.buf = e.buf[:0]
	e.enc.ResetBytes(&e.buf)
	err := e.enc.Encode(v)
	start := len(dst)
	if err == nil {
		dst = append(dst, e.buf...)
	}
	if cap(e.buf) <= pooledSize {
		mpEncoders.Put(e)
	}
	if err != nil {
		return dst, err
	}
	s := valueScan(dst[start:], valueDepth)
	end, bad := f.verify(&s, 0, depth)
	return verified(f, dst, start, depth, end, bad, s.ints)
}

// mpShape reports whether raw may go into what v points to. The library would
// put a list into a struct, and a dict into a slice.
func mpShape(raw []byte, v any) bool {
	t := reflect.TypeOf(v)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return true // the library says that it is no pointer
	}
	switch (msgpackFormat{}).kind(raw) {
	case kindList:
		return t.Kind() != reflect.Struct && t.Kind() != reflect.Map
	case kindDict:
		return t.Kind() != reflect.Slice && t.Kind() != reflect.Array
	}
	return true
}

// unmarshal goes by way of CBOR also where there are integers above int64: the
// library would wrap them around to negative ones.
func (f msgpackFormat) unmarshal(s *scan, v any, traits typeTraits) error {
	if !mpShape(s.data, v) {
		return newMismatch(f, s.data, v)
	}
	if s.big || traits&mpForeign != 0 {
		plain, err := plainValue(f, s.data)
		if err != nil {
			return err
		}
		raw, err := appendOne(cborFormat{}, nil, plain)
		if err != nil {
			return err
		}
		return cborUnmarshal(raw, v, traits)
	}
	d := mpDecoders.Get().(*codec.Decoder)
	d.ResetBytes(s.data)
	err := d.Decode(v)
	d.ResetBytes(nil)
	mpDecoders.Put(d)
	return err
}
