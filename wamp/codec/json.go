package codec

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// jsonFormat is JSON as a format; jsonCodec is the same as a Codec.
type (
	jsonFormat struct{}
	jsonCodec  struct{}
)

func (jsonCodec) Name() string              { return "json" }
func (jsonCodec) NewParser(l Limits) Parser { return newParser(jsonFormat{}, l) }
func (jsonCodec) AppendMessage(dst []byte, m *proto.Message) ([]byte, error) {
	return appendMessage(jsonFormat{}, dst, m)
}
func (jsonCodec) AppendList(dst []byte, values []any) ([]byte, error) {
	return appendList(jsonFormat{}, dst, values)
}
func (jsonCodec) AppendValue(dst []byte, v any) ([]byte, error) {
	return appendOne(jsonFormat{}, dst, v)
}
func (jsonCodec) Unmarshal(raw []byte, v any) error {
	return unmarshalOne(jsonFormat{}, jsonTrim(raw), v)
}
func (jsonCodec) Plain(raw []byte) (any, error) { return plainValue(jsonFormat{}, jsonTrim(raw)) }
func (jsonCodec) Elements(into [][]byte, raw []byte) ([][]byte, error) {
	return elements(jsonFormat{}, into, jsonTrim(raw))
}
func (jsonCodec) format() format { return jsonFormat{} }

// jsonTrim takes away the white space around a value.
func jsonTrim(raw []byte) []byte { return bytes.Trim(raw, " \t\r\n") }

func (jsonFormat) name() string { return "json" }
func (jsonFormat) place() int   { return 2 }
func (jsonFormat) text() bool   { return true }

func (jsonFormat) appendNil(dst []byte) []byte            { return append(dst, "null"...) }
func (jsonFormat) appendBool(dst []byte, v bool) []byte   { return strconv.AppendBool(dst, v) }
func (jsonFormat) appendInt(dst []byte, v int64) []byte   { return strconv.AppendInt(dst, v, 10) }
func (jsonFormat) appendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// listHead and dictHead write the opening bracket; who calls them writes
// the closing one.
func (jsonFormat) listHead(dst []byte, n int) []byte { return append(dst, '[') }
func (jsonFormat) dictHead(dst []byte, n int) []byte { return append(dst, '{') }

const (
	errNumber = fault("JSON has no NaN and no infinity")
	errNUL    = fault("a JSON string that begins with U+0000 would be binary")
)

// appendFloat writes a float so that it comes back as one: 1 is "1.0".
func (jsonFormat) appendFloat(dst []byte, v float64) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, errNumber
	}
	return appendJSONFloat(dst, v, 64), nil
}

func (jsonFormat) appendString(dst []byte, v string) ([]byte, error) {
	if v != "" && v[0] == 0 {
		return dst, errNUL
	}
	if !utf8.ValidString(v) {
		return dst, errUTF8
	}
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(v); i++ {
		c := v[i]
		if plainChar[c] {
			for len(v)-i > 8 && allPlain(load8(v, i+1)) {
				i += 8
			}
			continue
		}
		dst = append(dst, v[done:i]...)
		done = i + 1
		dst = appendEscape(dst, c)
	}
	return append(append(dst, v[done:]...), '"'), nil
}

// load8 returns eight bytes of a string.
func load8(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (jsonFormat) appendBytes(dst []byte, v []byte) []byte {
	dst = append(dst, `"\u0000`...)
	dst = base64.StdEncoding.AppendEncode(dst, v)
	return append(dst, '"')
}
