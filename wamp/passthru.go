package wamp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/session"
)

// PayloadCodec turns payloads into bytes that routers pass on without looking
// at them, and back: end-to-end encryption, or another format. Package seal has
// implementations; [WithPayloadCodec] installs one.
//
// The methods may be called from any number of goroutines at once. Open is
// called on the goroutine that first asks a received payload for its contents.
//
// See the WAMP specification, "Payload Passthru Mode".
type PayloadCodec interface {
	// Seal returns the opaque form of a payload to be sent, or nil to send it
	// as it is. An error fails the operation.
	Seal(about About, p Payload) (*Opaque, error)
	// Open returns the payload of an opaque form that was received. Its error
	// becomes that of Scan, Args and Kwargs, wrapped in a PayloadError.
	Open(about About, o *Opaque) (Payload, error)
	// Plain decides whether a payload that was received as it is may be
	// accepted: it returns nil, or why not. It is not asked about errors, which
	// may be those of the router.
	Plain(about About) error
}

// Kind is the part of the protocol that a payload belongs to.
type Kind uint8

// The kinds of payloads.
const (
	PublishPayload Kind = iota + 1 // of an event
	CallPayload                    // of a call, also of each chunk
	ResultPayload                  // of a result, also of a progressive one
	ErrorPayload                   // of a callee's error
)

// String returns the name of the message that carries such a payload, in lower
// case.
func (k Kind) String() string {
	switch k {
	case PublishPayload:
		return "publish"
	case CallPayload:
		return "call"
	case ResultPayload:
		return "yield"
	case ErrorPayload:
		return "error"
	}
	return "unknown"
}

// About says where a payload belongs, for a [PayloadCodec].
type About struct {
	// Kind is what the payload is part of.
	Kind Kind
	// URI is the topic or the procedure.
	URI string
	// Error is the URI of the error, for an ErrorPayload only.
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
	// Data are the bytes.
	Data []byte
}

// PayloadError is the error of a payload that could not be sealed or opened, or
// that came as it is where the [PayloadCodec] forbids that.
type PayloadError struct {
	// About says where the payload belongs.
	About About
	// Scheme and KeyID are those that the message named, "" if it named none.
	Scheme, KeyID string
	// Err is the error of the payload codec.
	Err error
}

func (e *PayloadError) Error() string {
	return fmt.Sprintf("payload of %s %s: %s", e.About.Kind, e.About.URI, errorText(e.Err))
}

// Unwrap returns the error of the payload codec.
func (e *PayloadError) Unwrap() error { return e.Err }

// WithPayloadCodec seals and opens the payloads of the session with a codec.
// Default: none.
//
// What the codec seals is sent only to a router that announced
// payload_passthru_mode, or payload_encryption_cryptobox for the form of
// Autobahn; otherwise the operation fails with a [FeatureError]. It is never
// sent as it is. Payloads of the protocol's own procedures and topics, wamp and
// those that begin with "wamp.", are not sealed.
func WithPayloadCodec(c PayloadCodec) Option {
	return optionFunc(func(cfg *config) error { cfg.payloads = c; return nil })
}

var (
	errCodecPanic = errors.New("the payload codec panicked")
	errNoBinary   = errors.New("it is not one binary value")
	errChunkForm  = errors.New("a progressive call cannot be sealed in the form of Autobahn")
	errWillForm   = errors.New("a testament cannot be sealed in the form of Autobahn")
	errKeys       = errors.New("the payload codec has named a scheme, cipher, serializer or key that cannot be sent")
	errNoScheme   = errors.New("a payload codec has given no scheme")
)

// ours reports whether a payload is none of the payload codec's business.
func (s *Session) ours(uri string) bool {
	return s.payloads == nil || uri == "wamp" || strings.HasPrefix(uri, "wamp.")
}

// seal encodes a payload into the body of an operation, sealed if the session's
// codec says so. keys are to be sent with it then, and feature is what the router
// needs for it.
func (s *Session) seal(b *session.Body, about About, p Payload) (keys Dict, feature proto.Feature, err error) {
	o, keys, feature, err := s.opaque(about, p)
	switch {
	case err != nil:
		return nil, 0, err
	case o == nil:
		err = s.encode(b, p)
	case o.Autobahn:
		b.Args, err = s.eng.Codec().AppendValue(b.Scratch[:0], o.Data)
	default:
		err = s.encode(b, Args(o.Data))
	}
	return keys, feature, err
}

// opaque asks the session's codec for the bytes of a payload and the keys that
// go with them: none, if it goes as it is.
func (s *Session) opaque(about About, p Payload) (o *Opaque, keys Dict, feature proto.Feature, err error) {
	if s.ours(about.URI) {
		return nil, nil, 0, nil
	}
	if !s.guarded("a payload codec", func() { o, err = s.payloads.Seal(about, p) }) {
		err = errCodecPanic
	}
	if err != nil {
		return nil, nil, 0, &PayloadError{About: about, Err: s.noted(err)}
	}
	if o == nil {
		return nil, nil, 0, nil
	}
	bad := false
	add := func(key, value string) {
		if bad = bad || !utf8.ValidString(value); value != "" {
			keys = append(keys, proto.Entry{Key: key, Value: value})
		}
	}
	switch feature = passthruNeed.Feature; {
	case o.Autobahn:
		add(proto.KeyEncAlgo, o.Cipher)
		add(proto.KeyEncSerializer, o.Serializer)
		add(proto.KeyEncKey, o.KeyID)
		feature = cryptoboxNeed.Feature
		bad = bad || proto.CheckOptions(proto.Publish, keys) != nil || o.Cipher == ""
	case o.Scheme == "":
		return nil, nil, 0, errNoScheme
	default:
		add(proto.KeyPPTScheme, o.Scheme)
		add(proto.KeyPPTSerializer, o.Serializer)
		add(proto.KeyPPTCipher, o.Cipher)
		add(proto.KeyPPTKeyID, o.KeyID)
	}
	if bad { // a router would cut the link
		return nil, nil, 0, &PayloadError{About: about, Scheme: o.Scheme, KeyID: o.KeyID, Err: errKeys}
	}
	return o, keys, feature, nil
}

// What the key table says of the keys of a sealed payload: the same in each message
// that is sent with one.
var (
	passthruNeed  = session.NeedFor(proto.Publish, proto.KeyPPTScheme, "WithPayloadCodec")
	cryptoboxNeed = session.NeedFor(proto.Publish, proto.KeyEncAlgo, "WithPayloadCodec")
)

// with returns options and needs with what a sealed payload adds to them.
func with(options Dict, needs []session.Need, role proto.Role, keys Dict, feature proto.Feature) (Dict, []session.Need) {
	if keys == nil {
		return options, needs
	}
	options = append(append(make(Dict, 0, len(options)+len(keys)), options...), keys...)
	needs = append(append(make([]session.Need, 0, len(needs)+1), needs...), session.Need{Role: role, Feature: feature, Option: "WithPayloadCodec"})
	return options, needs
}

// place is the URI that a payload which came belongs to: what the router says of
// it, as far as that can be. It must not choose the key, nor whether there has to
// be one, by naming something that was never asked for.
func place(pattern string, match MatchPolicy, said string) string {
	if proto.MatchURI(pattern, match, said) {
		return said
	}
	return pattern
}

// open returns the payload of a message that came, to be opened when it is asked
// for. details say how it was sealed.
func (s *Session) open(about About, m *proto.Message, details Dict) Payload {
	p := codec.Received(s.eng.Codec(), m)
	if m.Odd != nil && m.Odd.What&proto.OddPayload != 0 {
		return unreadable(about, m.Odd)
	}
	return s.opening(about, details, p)
}

// unreadable is a payload of which nobody knows whether it is encrypted.
func unreadable(about About, odd *proto.Oddity) Payload {
	err := &PayloadError{About: about, Err: errors.New(odd.Reason)}
	return codec.Sealed(func() (Payload, error) { return Payload{}, err })
}

// openError lets the payload of a peer's error be opened.
func (s *Session) openError(about About, peer *Error) {
	if odd := peer.Oddity(); odd != nil && odd.What&proto.OddPayload != 0 {
		peer.Payload = unreadable(about, odd)
		return
	}
	peer.Payload = s.opening(about, peer.Details, peer.Payload)
}

// opening is open for a payload that did not come by itself.
func (s *Session) opening(about About, details Dict, p Payload) Payload {
	if s.ours(about.URI) {
		return p
	}
	o := opaqueOf(details)
	if o == nil && about.Kind == ErrorPayload {
		return p
	}
	return codec.Sealed(func() (opened Payload, err error) {
		if !s.guarded("a payload codec", func() { opened, err = s.unseal(about, o, p) }) {
			err = &PayloadError{About: about, Err: errCodecPanic}
		}
		return opened, err
	})
}

// unseal asks the session's codec for what is in a payload. o is nil if it came
// as it is.
func (s *Session) unseal(about About, o *Opaque, p Payload) (opened Payload, err error) {
	if o == nil {
		if err := s.payloads.Plain(about); err != nil {
			return Payload{}, &PayloadError{About: about, Err: err}
		}
		return p, nil
	}
	data, err := o.data(p)
	if err == nil {
		opened, err = s.payloads.Open(about, &Opaque{Scheme: o.Scheme, Serializer: o.Serializer, Cipher: o.Cipher, KeyID: o.KeyID,
			Autobahn: o.Autobahn, Data: data})
	}
	if err != nil {
		return Payload{}, &PayloadError{About: about, Scheme: o.Scheme, KeyID: o.KeyID, Err: err}
	}
	return opened, nil
}

// opaqueOf reads what a message says of its payload, nil if that is as it is.
func opaqueOf(details Dict) *Opaque {
	if scheme := details.Str(proto.KeyPPTScheme); scheme != "" {
		return &Opaque{Scheme: scheme, Serializer: details.Str(proto.KeyPPTSerializer), Cipher: details.Str(proto.KeyPPTCipher),
			KeyID: details.Str(proto.KeyPPTKeyID)}
	}
	if algo := details.Str(proto.KeyEncAlgo); algo != "" {
		return &Opaque{Autobahn: true, Cipher: algo, Serializer: details.Str(proto.KeyEncSerializer), KeyID: details.Str(proto.KeyEncKey)}
	}
	return nil
}

// data takes the bytes out of the payload of a message.
func (o *Opaque) data(p Payload) (data []byte, err error) {
	if raw := p.RawArgs(); o.Autobahn && raw != nil {
		v, err := p.Codec().Plain(raw)
		if err != nil {
			return nil, errNoBinary
		}
		return binaryOf(v)
	}
	args, err := p.Args()
	if err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return nil, errNoBinary
	}
	return binaryOf(args[0])
}

// binaryOf returns the bytes of a binary value, also in the form that it has in
// JSON: some routers hand that on as text to peers with another serializer.
func binaryOf(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		if text, ok := strings.CutPrefix(v, "\x00"); ok {
			if data, err := base64.StdEncoding.DecodeString(text); err == nil {
				return data, nil
			}
		}
	}
	return nil, errNoBinary
}
