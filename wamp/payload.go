package wamp

import (
	"errors"
	"sync"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// Payload is the application's part of a message: positional and keyword
// arguments. [Args], [Kwargs] and [Raw] make one to send. A payload that was
// received is kept as it came, and decoded when one of its methods is called,
// on the goroutine that calls it. A Payload is never changed and may be used by
// several goroutines. The zero Payload is empty.
//
// To build one:
//
//   - [codec.Payload.With] adds one keyword argument.
//   - [codec.Payload.WithKwargs] sets all keyword arguments.
//   - [codec.Payload.Last] marks the last chunk of a progressive call.
//
// To read one:
//
//   - [codec.Payload.Scan] decodes the positional arguments into variables.
//   - [codec.Payload.ScanKw] decodes the keyword arguments into a struct or
//     map.
//   - [codec.Payload.Args] and [codec.Payload.Kwargs] return plain values.
//   - [codec.Payload.NArgs] returns the number of positional arguments.
//   - [codec.Payload.Text] returns the beginning of the first argument if that is
//     a string.
//   - [codec.Payload.Split] takes keyword arguments out, without decoding.
//   - [codec.Payload.Empty], [codec.Payload.Size], [codec.Payload.IsLast] and
//     [codec.Payload.Opaque] describe it.
//   - [codec.Payload.Open] opens a sealed payload (see [WithPayloadCodec]), and
//     [codec.Payload.Encoded] encodes one that is made of values.
//   - [codec.Payload.RawArgs], [codec.Payload.RawKwargs] and
//     [codec.Payload.Codec] give the encoded form, and [codec.Payload.Encode]
//     makes it.
//
// docs/values.md describes what Go values become in each serializer, and what
// fits into which target.
type Payload = codec.Payload

// Args returns a payload of positional arguments. The values must not be
// changed until the operation that the payload is given to has returned.
func Args(values ...any) Payload { return codec.Args(values...) }

// Kwargs returns a payload of keyword arguments: v is a map with string keys, a
// struct or a pointer to one. Struct fields are named by their json tags.
func Kwargs(v any) Payload { return codec.Kwargs(v) }

// Raw returns a payload that is already encoded, to pass it on unchanged: args
// is a list and kwargs a dict in the form of the serializer c. Nil means
// absent.
func Raw(c codec.Codec, args, kwargs []byte) Payload { return codec.Raw(c, args, kwargs) }

// ID is a WAMP id: of a session, a subscription, a registration or a
// publication. Zero means none. [proto.ID.Valid] reports whether it is a valid
// id, and [proto.ID.Next] returns the one after it.
type ID = proto.ID

// Dict is the options or details of a message: a list of [proto.Entry], each
// with a Key and a Value. A Dict that was received must not be changed.
//
//   - [proto.Dict.Get] and [proto.Dict.Has] look up a key.
//   - [proto.Dict.Bool], [proto.Dict.Int], [proto.Dict.Str], [proto.Dict.ID]
//     and [proto.Dict.Dict] return the value of a key as that type.
//   - [proto.Dict.Map] returns a copy as a map.
//   - [proto.Dict.With] returns a copy with one more key.
//   - [proto.Dict.Size] returns about how many bytes it takes in memory.
//   - [proto.Dict.String] lists the keys, without the values.
type Dict = proto.Dict

// Peer identifies the session that caused a message, as far as the router
// disclosed it. See [DiscloseMe] and [DiscloseCaller].
type Peer struct {
	// Session is the id of the session, 0 if it was not disclosed.
	Session ID
	// AuthID and AuthRole are those of the session, "" if they were not
	// disclosed.
	AuthID, AuthRole string
}

var errOpaque = errors.New("a payload in Autobahn's encrypted form, which was not opened, cannot be sent on")

// noted returns err. If a marshaler has panicked, that is logged and counted.
func (s *Session) noted(err error) error {
	if p, is := session.Find[*codec.PanicError](err); is {
		s.eng.Panicked("a marshaler", p.Value, p.Stack)
	}
	return err
}

// plain reports whether the payload of a message is nobody's business but its
// reader's.
func (s *Session) plain(m *proto.Message) bool { return s.payloads == nil && m.Odd == nil }

// buffer is room for a message that is handed over. A large one stands behind bytes that
// are free.
type buffer struct {
	data  []byte
	roomy bool
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// free gives the buffer back. A large one is the engine's.
func (b *buffer) free() {
	if cap(b.data) <= session.MostCopied {
		b.data, b.roomy = b.data[:0], false
		buffers.Put(b)
	}
}
