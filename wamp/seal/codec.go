package seal

import (
	"fmt"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Codec turns payloads into bytes that routers pass on without looking at them,
// and back: end-to-end encryption, or another format. [Ring], [Profile1],
// [Cryptobox] and what [PassThru] returns are codecs; wamp.WithPayloadCodec
// installs one. A [Negotiator] is one that agrees with the router at each join.
//
// The methods may be called from any number of goroutines at once. Open is
// called on the goroutine that first asks a received payload for its contents.
//
// See the WAMP specification, "Payload Passthru Mode".
type Codec interface {
	// Seal returns the opaque form of a payload to be sent, or nil to send it
	// as it is. An error fails the operation.
	Seal(about About, p codec.Payload) (*Opaque, error)
	// Open returns the payload of an opaque form that was received. Its error
	// becomes that of Scan, Args and Kwargs, wrapped in a PayloadError.
	Open(about About, o *Opaque) (codec.Payload, error)
	// Plain decides whether a payload that was received as it is may be
	// accepted: it returns nil, or why not. It is not asked about errors, which
	// may be those of the router.
	Plain(about About) error
}

// Kind is the part of the protocol that a payload belongs to.
type Kind uint8

// The kinds of payloads.
const (
	KindPublish Kind = iota + 1 // of an event
	KindCall                    // of a call, also of each chunk
	KindResult                  // of a result, also of a progressive one
	KindError                   // of a callee's error
)

// String returns the name of the message that carries such a payload, in lower
// case.
func (k Kind) String() string {
	switch k {
	case KindPublish:
		return "publish"
	case KindCall:
		return "call"
	case KindResult:
		return "yield"
	case KindError:
		return "error"
	}
	return "unknown"
}

// About says where a payload belongs, for a [Codec].
type About struct {
	// Kind is what the payload is part of.
	Kind Kind
	// URI is the topic or the procedure.
	URI string
	// Error is the URI of the error, for a payload of KindError only.
	Error string
}

// Opaque is a payload in the form in which it travels, and its description.
type Opaque struct {
	// Scheme, Serializer, Cipher and KeyID are sent as ppt_scheme,
	// ppt_serializer, ppt_cipher and ppt_keyid. An empty one is not sent;
	// Scheme must not be empty.
	Scheme, Serializer, Cipher, KeyID string
	// Autobahn selects the older form of Autobahn and Crossbar, in which the
	// bytes take the place of the arguments. Cipher is then enc_algo, KeyID
	// enc_key and Serializer enc_serializer; there is no scheme.
	Autobahn bool
	// Data are the bytes, nil where Value holds something.
	Data []byte
	// Value is what travels as a value of the session's own serializer in the
	// place of bytes, as "native" payloads do, nil where Data travels. In what was
	// received it is a dict (map[string]any) or text that stood where the bytes
	// should be: Open must look at it, and refuse what it does not know. With
	// Autobahn there is none.
	Value any
	// Received are the arguments that Value was decoded from, as they came, for a
	// Codec that has them read by their types. Nil where Data came, and in what is
	// to be sent.
	Received *codec.Payload
}

// PayloadError is the error of a payload that could not be sealed or opened, or
// that came as it is where the [Codec] forbids that. Without a codec it is the
// error of a payload that came with a description that cannot be read, so that
// nobody knows whether it is sealed.
type PayloadError struct {
	// About says where the payload belongs.
	About About
	// Scheme and KeyID are those that the message named, "" if it named none.
	Scheme, KeyID string
	// Err is the reason, such as the error of the codec. It is wrapped.
	Err error
}

// prefix is how the errors of the package begin.
const prefix = "seal: "

func (e *PayloadError) Error() string {
	reason := strings.TrimPrefix(fmt.Sprint(e.Err), prefix) // Sprint, since an error of a user's codec may panic
	return fmt.Sprintf("%spayload of %s %s: %s", prefix, e.About.Kind, proto.Short(e.About.URI), reason)
}

// Unwrap returns the reason.
func (e *PayloadError) Unwrap() error { return e.Err }
