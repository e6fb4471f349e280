package codec

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
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
func (cborFormat) place() int   { return 0 }
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

func (cborFormat) listHead(dst []byte, n int) []byte { return cborHead(dst, cborArray, uint64(n)) }
func (cborFormat) dictHead(dst []byte, n int) []byte { return cborHead(dst, cborMap, uint64(n)) }
