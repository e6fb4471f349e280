// Package codec has the serializers of WAMP: [JSON], [MsgPack] and [CBOR]. They turn
// bytes into messages and back, and Go values into payload and back.
//
// Applications import it for the arguments of wamp.WithSerializers, wamp.WithLimits and
// wamp.Raw, and for [Tag]; for payloads package wamp has what they need. Its [Payload],
// [ScanError], [EncodeError] and [PanicError] also have names in package
// [github.com/connectanum/connectanum-go/wamp].
//
// # Values
//
// Struct fields are named by their json tags in all three serializers. What a Go
// value becomes is what encoding/json makes of it, with the exceptions that
// docs/values.md lists. Plain values are the same whatever the serializer: bool,
// int64 (above it uint64, then *big.Int), float64, string, []byte, nil, []any,
// map[string]any, and [Tag] for values that are marked as something unknown. A
// time.Time is a string in the form of RFC 3339.
//
// # Promises
//
// A payload that was received is not decoded before one of its methods asks for its
// values; a fault inside it is an error of that method. The time is linear in the size of
// the payload. No input makes a serializer panic; where a marshaler of the user's panics
// the error is a [PanicError].
//
// Until 1.0 names may change with any version; CHANGELOG.md lists those that did.
// After that they are kept, except for what only the engine calls: methods of
// [Codec], [Parser], [Received], [Sealed], [Items], [Entries], [Details],
// [AppendPacked], [Unpacked], [AppendRest], [AppendRequest], [AppendWith] and
// [CheckRaw].
//
// The package does not know connections, sessions or the streams of users.
package codec
