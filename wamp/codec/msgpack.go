package codec

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
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
func (msgpackFormat) place() int   { return 1 }
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

func (msgpackFormat) listHead(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, mpFixList|byte(n))
	}
	return mpContainer(dst, mpList16, n)
}

func (msgpackFormat) dictHead(dst []byte, n int) []byte {
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
