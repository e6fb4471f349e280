package wamptest

import (
	"math"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Clients whose language has one kind of number send ids as integral floats,
// where the serializer writes large numbers so (JavaScript in MessagePack and
// CBOR). They mean the integer.

// whole returns an integral float as the integer that it stands for, and any
// other value as it is.
func whole(v any) any {
	if f, ok := v.(float64); ok && f >= 0 && f <= float64(proto.MaxID) && f == math.Trunc(f) {
		return int64(f)
	}
	return v
}

// idOf returns a value as an id, 0 if it is none.
func idOf(v any) proto.ID { return proto.IDOf(whole(v)) }

// idKeys are the options and details that hold ids or counts.
var idKeys = proto.IntegerKeys()

// eachID returns d with f of each id and count in it.
func eachID(d proto.Dict, f func(any) any) proto.Dict {
	for _, key := range idKeys {
		v, ok := d.Get(key)
		if !ok {
			continue
		}
		if list, ok := v.([]any); ok {
			ids := make([]any, len(list))
			for i := range list {
				ids[i] = f(list[i])
			}
			v = ids
		}
		d = d.With(key, f(v))
	}
	return d
}

// float returns an id that stands in a message as the float of its value.
func float(v any) any {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case proto.ID:
		return float64(n)
	}
	return v
}

// floats returns what the meta API tells with each id as a float.
func floats(v any) any {
	switch v := v.(type) {
	case proto.ID:
		return float64(v)
	case []proto.ID:
		out := []any{}
		for _, id := range v {
			out = append(out, float64(id))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = floats(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = floats(v[key])
		}
		return out
	case map[string][]proto.ID:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = floats(v[key])
		}
		return out
	}
	return v
}

// wholeIDs returns a message that could not be parsed with integers in the place
// of the integral floats among its ids. ok is false if it is no message.
func wholeIDs(c codec.Codec, data []byte) (out []byte, ok bool) {
	return rewriteIDs(c, data, whole)
}

// rewriteIDs returns a message with f of each of its ids. ok is false if it is
// no message.
func rewriteIDs(c codec.Codec, data []byte, f func(any) any) (out []byte, ok bool) {
	elements, err := c.Elements(nil, data)
	if err != nil || len(elements) == 0 || len(elements) > 8 {
		return nil, false
	}
	code, err := c.Plain(elements[0])
	n, _ := whole(code).(int64)
	tr := proto.MessageType(uint16(n)).Traits()
	if err != nil || tr == nil || n != int64(tr.Type) {
		return nil, false
	}
	if elements[0], err = c.AppendValue(nil, n); err != nil {
		return nil, false
	}
	for i, field := range tr.Fields {
		if i+1 >= len(elements) || field == proto.FieldURI || field == proto.FieldText {
			continue
		}
		v, err := c.Plain(elements[i+1])
		if err != nil {
			return nil, false
		}
		switch d, dict := v.(map[string]any); {
		case dict:
			v = eachID(dictOf(d), f).Map()
		case field == proto.FieldRequestType:
			v = whole(v)
		default:
			v = f(v)
		}
		if elements[i+1], err = c.AppendValue(nil, v); err != nil {
			return nil, false
		}
	}
	return joinList(c, elements), true
}

// joinList returns the list of a few raw elements.
func joinList(c codec.Codec, elements [][]byte) []byte {
	var out []byte
	switch c {
	case codec.CBOR:
		out = append(out, 0x80|byte(len(elements)))
	case codec.MsgPack:
		out = append(out, 0x90|byte(len(elements)))
	default:
		out = append(out, '[')
	}
	for i, e := range elements {
		if c == codec.JSON && i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	if c == codec.JSON {
		out = append(out, ']')
	}
	return out
}
