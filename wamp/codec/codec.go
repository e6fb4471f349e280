package codec

import (
	"slices"
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
	// AppendList appends a list of values (Arguments) to dst. What a router or
	// a peer could not take is an *EncodeError, and then nothing is appended:
	// strings that are no UTF-8, keys of maps that are neither strings nor
	// integers, which become text, values that contain themselves or nest too
	// deeply, errors, functions, channels, NaN in JSON, and what a marshaler says
	// or panics with.
	AppendList(dst []byte, values []any) ([]byte, error)
	// AppendValue appends one value to dst, like AppendList. A struct or map
	// makes a dict, so it writes ArgumentsKw too.
	AppendValue(dst []byte, v any) ([]byte, error)
	// Unmarshal decodes one raw value into the value that v points to. Struct
	// fields are matched by their json tags, case and all; keys without a
	// field are ignored. Null makes any type zero, and so is what v points to
	// before it is decoded into. An unmarshaler that panics makes a *PanicError.
	Unmarshal(raw []byte, v any) error
	// Plain decodes one raw value into plain Go values: int64 (uint64 above
	// its range, else *big.Int), float64, string, []byte, bool, nil, []any,
	// map[string]any, and Tag for what is marked as something unknown. Values may nest 128 levels deep, here and in all that
	// decodes and encodes. The error is a *SyntaxError.
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

// all are the serializers, the most compact first. Each format knows its place here.
var all = [...]Codec{CBOR, MsgPack, JSON}

// All returns the serializers, the most compact first. wamp.WithSerializers has them
// by default.
func All() []Codec { return slices.Clone(all[:]) }

// ByName returns the serializer with that Name.
func ByName(name string) (Codec, bool) {
	for _, c := range all {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}

// Parser parses the messages of one connection. It is not safe for concurrent
// use: it remembers the last dicts it saw, so that equal ones cost nothing.
type Parser interface {
	// Parse parses one message. All of m is overwritten. m.Args and m.Kwargs
	// alias data; m.Options and m.Odd are shared and must not be changed. The
	// error is a *SyntaxError that names what was wrong.
	Parse(data []byte, m *proto.Message) error
}

// Limits bound what a parser accepts. They are checked before memory is taken.
// A zero field means its default.
//
// A parser looks at a payload only as far as its end has to be found. What is
// wrong inside of it, however deep or odd, is the error of whoever decodes it.
// Options that do not fit are left out and make the message Odd. A parser that is
// Strict refuses a message for either.
type Limits struct {
	// Strict: a known option with a value of the wrong type or range is a fault,
	// and the payload is looked at too: it must be well-formed and keep Depth
	// and Elements.
	Strict bool
	// Depth is how deep the lists and dicts of a message may nest where Strict.
	// Default 129: the message itself, and 128 for what is in it, which is what
	// can be encoded and decoded.
	Depth int
	// Elements is how many values all lists and dicts of one message may
	// hold together where Strict, and its options in any case. Default 16 Mi.
	Elements int
	// Size is how many bytes a message may have. Default 16 MiB.
	Size int
}

// mostDepth bounds Limits.Depth: to check it takes stack.
const mostDepth = 10_000

func (l Limits) withDefaults() Limits {
	l.Depth = min(l.Depth, mostDepth)
	if l.Depth <= 0 {
		l.Depth = valueDepth + 1
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
