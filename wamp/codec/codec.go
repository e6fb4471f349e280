package codec

import (
	"strconv"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Codec is one serializer: it writes and reads whole messages, with the
// payload left raw, and converts between raw payload and Go values. A Codec is
// stateless and may be used by any number of goroutines.
type Codec interface {
	// Name is the serializer's name: "json", "msgpack" or "cbor".
	Name() string
	// AppendMessage appends the encoding of m to dst. m.Args and m.Kwargs
	// must already be in this serializer's form; nil means absent, and where
	// only Kwargs is there an empty list goes before it. On error dst comes
	// back unchanged in length.
	AppendMessage(dst []byte, m *proto.Message) ([]byte, error)
	// NewParser returns a parser for one connection.
	NewParser(Limits) Parser
	// AppendList appends a list of values (Arguments) to dst.
	AppendList(dst []byte, values []any) ([]byte, error)
	// AppendValue appends one value to dst. A struct or map makes a dict, so
	// it writes ArgumentsKw too.
	AppendValue(dst []byte, v any) ([]byte, error)
	// Unmarshal decodes one raw value into the value that v points to. Struct
	// fields are matched by their json tags, case and all; keys without a
	// field are ignored. Null makes the common scalar types zero.
	Unmarshal(raw []byte, v any) error
	// Plain decodes one raw value into plain Go values: int64 (uint64 above
	// its range), float64, string, []byte, bool, nil, []any, map[string]any.
	Plain(raw []byte) (any, error)
	// Elements appends to into the raw elements of a raw list. They alias raw.
	Elements(into [][]byte, raw []byte) ([][]byte, error)

	format() format
}

// The serializers. They are never changed.
var (
	// JSON is RFC 8259 with WAMP's form of binary: a string of U+0000
	// followed by base64.
	JSON Codec = jsonCodec{}
	// MsgPack is MessagePack v5, with str and bin told apart.
	MsgPack Codec = msgpackCodec{}
	// CBOR is RFC 8949.
	CBOR Codec = cborCodec{}
)

// ByName returns the codec that is called "json", "msgpack" or "cbor".
func ByName(name string) (Codec, bool) {
	switch name {
	case "json":
		return JSON, true
	case "msgpack":
		return MsgPack, true
	case "cbor":
		return CBOR, true
	}
	return nil, false
}

// Parser parses the messages of one connection. It is not safe for concurrent
// use: it remembers the last dicts it saw, so that equal ones cost nothing.
type Parser interface {
	// Parse parses one message. All of m is overwritten. m.Args and m.Kwargs
	// alias data; m.Options is shared and must not be changed. The error is a
	// *SyntaxError that names what was wrong.
	Parse(data []byte, m *proto.Message) error
}

// Limits bound what a parser accepts. They are checked before memory is taken.
// A zero field means its default.
type Limits struct {
	// Depth is how deep lists and dicts may nest. Default 64.
	Depth int
	// Elements is how many values all lists and dicts of one message may
	// hold together. Default 16 Mi.
	Elements int
	// Size is how many octets a message may have. Default 16 MiB.
	Size int
}

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = 64
	}
	if l.Elements <= 0 {
		l.Elements = 16 << 20
	}
	if l.Size <= 0 {
		l.Size = 16 << 20
	}
	return l
}

// SyntaxError says why a message could not be parsed. Such a message is a
// protocol violation.
type SyntaxError struct {
	// Codec is the serializer's name.
	Codec string
	// Type is the message's type, 0 if it was not reached.
	Type proto.MessageType
	// Offset is where in the message the fault was found, -1 if unknown.
	Offset int
	// Reason says what was wrong.
	Reason string
}

// Error names the message, the place and the reason.
func (e *SyntaxError) Error() string {
	s := e.Codec + ": "
	if e.Type != 0 {
		s += e.Type.String() + ": "
	}
	s += e.Reason
	if e.Offset >= 0 {
		s += " at offset " + strconv.Itoa(e.Offset)
	}
	return s
}
