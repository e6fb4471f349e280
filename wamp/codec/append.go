package codec

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// appendMessage is Codec.AppendMessage.
func appendMessage(f format, dst []byte, m *proto.Message) ([]byte, error) {
	dst, err := appendHead(f, dst, m)
	if err != nil {
		return dst, err
	}
	return appendEnd(f, appendParts(dst, m, f.text())), nil
}

func appendEnd(f format, dst []byte) []byte {
	if f.text() {
		dst = append(dst, ']')
	}
	return dst
}

// appendHead appends what of a message stands in front of its payload.
func appendHead(f format, dst []byte, m *proto.Message) ([]byte, error) {
	tr := m.Type.Traits()
	if tr == nil {
		return dst, &EncodeError{Codec: f.name(), Reason: "unknown " + m.Type.String()}
	}
	start := len(dst)
	fields := tr.Fields
	if tr.Optional > 0 && len(m.Options) == 0 {
		fields = fields[:len(fields)-tr.Optional] // it is Options in all of them
	}
	n := 1 + len(fields)
	switch {
	case m.Args == nil && m.Kwargs == nil:
	case !tr.Payload:
		return dst, &EncodeError{Codec: f.name(), Path: m.Type.String(), Reason: "the message has no payload"}
	case m.Kwargs != nil:
		n += 2
	default:
		n++
	}
	text := f.text()
	dst = f.listHead(dst, n)
	dst = f.appendUint(dst, uint64(m.Type))
	dst, err := appendFields(f, dst, m, fields, text)
	if err != nil {
		return dst[:start], err
	}
	return openPayload(f, dst, m, text), nil
}

// appendFields appends fields of a message behind an element.
func appendFields(f format, dst []byte, m *proto.Message, fields []proto.Field, text bool) ([]byte, error) {
	for _, field := range fields {
		if text {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendField(f, dst, m, field); err != nil {
			return dst, encodeError(f, err, m.Type.String())
		}
	}
	return dst, nil
}

// openPayload appends what stands between the fields and the payload.
func openPayload(f format, dst []byte, m *proto.Message, text bool) []byte {
	if text && (m.Args != nil || m.Kwargs != nil) {
		dst = append(dst, ',')
	}
	if m.Args == nil && m.Kwargs != nil {
		if dst = f.listHead(dst, 0); text {
			dst = append(dst, ']', ',')
		}
	}
	return dst
}

// appendParts appends the payload itself.
func appendParts(dst []byte, m *proto.Message, text bool) []byte {
	dst = append(dst, m.Args...)
	if text && m.Args != nil && m.Kwargs != nil {
		dst = append(dst, ',')
	}
	return append(dst, m.Kwargs...)
}

func appendField(f format, dst []byte, m *proto.Message, field proto.Field) ([]byte, error) {
	var id proto.ID
	switch field {
	case proto.FieldOptions:
		return appendDict(f, dst, m.Options, 0)
	case proto.FieldURI:
		return f.appendString(dst, m.URI)
	case proto.FieldText:
		return f.appendString(dst, m.Text)
	case proto.FieldRequestType:
		id = proto.ID(m.RequestType)
	case proto.FieldRequest:
		id = m.Request
	case proto.FieldID:
		id = m.ID
	case proto.FieldPublication:
		id = m.Publication
	}
	if id > proto.MaxID {
		return dst, fmt.Errorf("id %d is out of range", id)
	}
	return f.appendUint(dst, uint64(id)), nil
}

// appendDict appends d in its order.
func appendDict(f format, dst []byte, d proto.Dict, depth int) ([]byte, error) {
	text := f.text()
	dst = f.dictHead(dst, len(d))
	var err error
	for i := range d {
		if dst, err = appendKey(f, dst, d[i].Key, i, text); err == nil {
			dst, err = appendValue(f, dst, d[i].Value, depth+1)
		}
		if err != nil {
			return dst, encodeError(f, err, pathKey(d[i].Key))
		}
	}
	if text {
		dst = append(dst, '}')
	}
	return dst, nil
}

// pathKey and pathIndex are parts of EncodeError.Path.
func pathKey(key string) string {
	if len(key) > 40 {
		key = key[:40] + "..."
	}
	return "." + strings.ToValidUTF8(key, "\ufffd")
}

func pathIndex(i int) string { return "[" + strconv.Itoa(i) + "]" }

// appendKey appends the key of entry i of a dict.
func appendKey(f format, dst []byte, key string, i int, text bool) ([]byte, error) {
	if text && i > 0 {
		dst = append(dst, ',')
	}
	dst, err := f.appendString(dst, key)
	if text {
		dst = append(dst, ':')
	}
	return dst, err
}

// appendSlice appends a list, each element by one.
func appendSlice[T any](f format, dst []byte, list []T, one func(dst []byte, v T) ([]byte, error)) ([]byte, error) {
	if list == nil {
		return f.appendNil(dst), nil
	}
	text := f.text()
	dst = f.listHead(dst, len(list))
	var err error
	for i, v := range list {
		if text && i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = one(dst, v); err != nil {
			return dst, encodeError(f, err, pathIndex(i))
		}
	}
	if text {
		dst = append(dst, ']')
	}
	return dst, nil
}

// appendMap appends a dict, each value by one.
func appendMap[T any](f format, dst []byte, m map[string]T, one func(dst []byte, v T) ([]byte, error)) ([]byte, error) {
	if m == nil {
		return f.appendNil(dst), nil
	}
	text := f.text()
	dst = f.dictHead(dst, len(m))
	var err error
	i := 0
	for k, v := range m {
		if dst, err = appendKey(f, dst, k, i, text); err == nil {
			dst, err = one(dst, v)
		}
		if err != nil {
			return dst, encodeError(f, err, pathKey(k))
		}
		i++
	}
	if text {
		dst = append(dst, '}')
	}
	return dst, nil
}

// appendValue appends the commonest types by hand, the others by the library.
func appendValue(f format, dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return f.appendNil(dst), nil
	case bool:
		return f.appendBool(dst, v), nil
	case int:
		return f.appendInt(dst, int64(v)), nil
	case int64:
		return f.appendInt(dst, v), nil
	case int32:
		return f.appendInt(dst, int64(v)), nil
	case int16:
		return f.appendInt(dst, int64(v)), nil
	case int8:
		return f.appendInt(dst, int64(v)), nil
	case uint64:
		return f.appendUint(dst, v), nil
	case uint32:
		return f.appendUint(dst, uint64(v)), nil
	case uint:
		return f.appendUint(dst, uint64(v)), nil
	case uint16:
		return f.appendUint(dst, uint64(v)), nil
	case uint8:
		return f.appendUint(dst, uint64(v)), nil
	case proto.ID:
		return f.appendUint(dst, uint64(v)), nil
	case float64:
		return f.appendFloat(dst, v)
	case float32:
		return f.appendFloat(dst, float32Value(v))
	case string:
		return f.appendString(dst, v)
	case []byte:
		if v == nil {
			return f.appendNil(dst), nil
		}
		return f.appendBytes(dst, v), nil
	case time.Time:
		return appendTime(f, dst, v)
	case *big.Int:
		if v == nil {
			return f.appendNil(dst), nil
		}
		return appendBig(f, dst, v)
	}
	if depth >= valueDepth { // a scalar of another type may still come
		return appendAny(f, dst, v, depth)
	}
	switch v := v.(type) {
	case []string:
		return appendSlice(f, dst, v, f.appendString)
	case []int:
		return appendSlice(f, dst, v, func(dst []byte, v int) ([]byte, error) { return f.appendInt(dst, int64(v)), nil })
	case []int64:
		return appendSlice(f, dst, v, func(dst []byte, v int64) ([]byte, error) { return f.appendInt(dst, v), nil })
	case []float64:
		return appendSlice(f, dst, v, f.appendFloat)
	case []proto.ID:
		return appendSlice(f, dst, v, func(dst []byte, v proto.ID) ([]byte, error) { return f.appendUint(dst, uint64(v)), nil })
	case map[string]string:
		return appendMap(f, dst, v, f.appendString)
	case []any:
		return appendSlice(f, dst, v, func(dst []byte, v any) ([]byte, error) { return appendValue(f, dst, v, depth+1) })
	case []map[string]any:
		return appendSlice(f, dst, v, func(dst []byte, v map[string]any) ([]byte, error) { return appendValue(f, dst, v, depth+1) })
	case map[string]any:
		return appendMap(f, dst, v, func(dst []byte, v any) ([]byte, error) { return appendValue(f, dst, v, depth+1) })
	case proto.Dict:
		return appendDict(f, dst, v, depth)
	}
	return appendAny(f, dst, v, depth)
}

// appendTime appends a time as an RFC 3339 string.
func appendTime(f format, dst []byte, t time.Time) ([]byte, error) {
	b, err := t.MarshalText()
	if err != nil {
		return dst, err
	}
	return f.appendString(dst, string(b))
}

// appendList is Codec.AppendList.
func appendList(f format, dst []byte, values []any) ([]byte, error) {
	start := len(dst)
	text := f.text()
	dst = f.listHead(dst, len(values))
	var err error
	for i, v := range values {
		if text && i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(f, dst, v, 1); err != nil {
			return dst[:start], encodeError(f, err, pathArgs+pathIndex(i))
		}
	}
	if text {
		dst = append(dst, ']')
	}
	return dst, nil
}

// appendOne is Codec.AppendValue.
func appendOne(f format, dst []byte, v any) ([]byte, error) {
	start := len(dst)
	dst, err := appendValue(f, dst, v, 0)
	if err != nil {
		e := encodeError(f, err, "")
		e.Path = strings.TrimPrefix(e.Path, ".")
		return dst[:start], e
	}
	return dst, nil
}
