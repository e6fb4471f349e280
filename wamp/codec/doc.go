// Package codec turns bytes into proto messages and back, and Go values into
// payload and back, in JSON, MessagePack and CBOR. Headers are written and
// scanned by hand; payload stays raw until somebody asks for its values.
//
// Struct fields are named by `json` tags in all three serializers. Plain
// values are the same whatever the serializer: bool, int64 (uint64 above it,
// else *big.Int), float64, string, []byte, nil, []any, map[string]any.
// time.Time is an RFC 3339 string. It must not know connections, sessions or
// users' streams.
package codec
