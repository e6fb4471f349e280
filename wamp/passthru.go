package wamp

import (
	"errors"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/passthru"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/session"
)

var (
	errCodecPanic = errors.New("the payload codec panicked")
	errWillForm   = errors.New("a testament cannot be sealed in the form of Autobahn")
	errChunkForm  = errors.New("a progressive call cannot be sealed in the form of Autobahn")
)

// ours reports whether a payload is none of the payload codec's business.
func (s *Session) ours(uri string) bool {
	return s.payloads == nil || uri == "wamp" || strings.HasPrefix(uri, "wamp.")
}

// sealer returns the codec of payloads: what was agreed on at the last join, if
// anything was.
func (s *Session) sealer() seal.Codec {
	if s.negotiates {
		if agreed, is := s.eng.Agreed().(seal.Codec); is {
			return agreed
		}
	}
	return s.payloads
}

// keyE2EE is where authextra has what a [seal.Negotiator] and the router say.
const keyE2EE = "e2ee"

// negotiation has a codec agree with the router at each join.
type negotiation struct{ payloads seal.Negotiator }

// Extra implements session.Handshake.
func (n negotiation) Extra() map[string]any {
	if offer := n.payloads.Offer(); offer != nil {
		return map[string]any{keyE2EE: offer}
	}
	return nil
}

// Welcome implements session.Handshake.
func (n negotiation) Welcome(extra map[string]any) (any, error) {
	return n.payloads.Agree(extra[keyE2EE])
}

// seal encodes a payload into the body of an operation, sealed if the codec
// (sealer) says so. keys are to be sent with it then, and feature is what the router
// needs for it.
func (s *Session) seal(payloads seal.Codec, b *session.Body, about seal.About, p Payload) (keys Dict, feature proto.Feature, err error) {
	o, keys, feature, err := s.opaque(payloads, about, p)
	if err != nil {
		return nil, 0, err
	}
	raw, p, err := s.form(p, o)
	switch {
	case err != nil:
	case raw != nil:
		b.Args = raw
	default:
		err = s.noted(b.Encode(s.eng.Codec(), p))
	}
	return keys, feature, err
}

// opaque asks a codec of the session's for the bytes of a payload and the keys that
// go with them: none, if it goes as it is.
func (s *Session) opaque(payloads seal.Codec, about seal.About, p Payload) (o *seal.Opaque, keys Dict, feature proto.Feature, err error) {
	if s.ours(about.URI) {
		return nil, nil, 0, nil
	}
	if !s.guarded("a payload codec", func() { o, err = payloads.Seal(about, p) }) {
		err = errCodecPanic
	}
	if err != nil {
		return nil, nil, 0, &seal.PayloadError{About: about, Err: s.noted(err)}
	}
	if o == nil {
		return nil, nil, 0, nil
	}
	if keys, err = passthru.Keys(o); err != nil {
		return nil, nil, 0, &seal.PayloadError{About: about, Scheme: o.Scheme, KeyID: o.KeyID, Err: err}
	}
	if o.Autobahn {
		return o, keys, cryptoboxNeed.Feature, nil
	}
	return o, keys, passthruNeed.Feature, nil
}

// form returns the payload in which a message carries o, or p where that is nil. In the
// form of Autobahn it is what stands in the place of the arguments, encoded.
func (s *Session) form(p Payload, o *seal.Opaque) (args []byte, _ Payload, err error) {
	switch {
	case o == nil && p.Opaque():
		return nil, p, errOpaque
	case o == nil:
		return nil, p, nil
	case o.Autobahn:
		args, err = s.eng.Codec().AppendValue(nil, o.Data)
		return args, Payload{}, err
	}
	return nil, Args(passthru.Argument(o)), nil
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

// open returns the payload of a message that came, to be opened when it is asked
// for. details say how it was sealed.
func (s *Session) open(about seal.About, m *proto.Message, details Dict) Payload {
	if m.Odd.Has(proto.OddPayload) {
		return passthru.Unreadable(about, m.Odd)
	}
	return s.opening(about, details, codec.Received(s.eng.Codec(), m))
}

// openError lets the payload of a peer's error be opened.
func (s *Session) openError(about seal.About, peer *Error) {
	if odd := peer.Oddity(); odd.Has(proto.OddPayload) {
		peer.Payload = passthru.Unreadable(about, odd)
		return
	}
	peer.Payload = s.opening(about, peer.Details, peer.Payload)
}

// opening is open for a payload that did not come by itself.
func (s *Session) opening(about seal.About, details Dict, p Payload) Payload {
	if s.ours(about.URI) {
		return p
	}
	o := passthru.Described(details)
	if o == nil && about.Kind == seal.KindError {
		return p
	}
	payloads := s.sealer() // of this join, whenever it is opened
	return codec.Sealed(func() (opened Payload, err error) {
		if !s.guarded("a payload codec", func() { opened, err = unseal(payloads, about, o, p) }) {
			err = &seal.PayloadError{About: about, Err: errCodecPanic}
		}
		return opened, err
	})
}

// unseal asks a codec for what is in a payload. o is nil if it came as it is.
func unseal(payloads seal.Codec, about seal.About, o *seal.Opaque, p Payload) (opened Payload, err error) {
	if o == nil {
		if err := payloads.Plain(about); err != nil {
			return Payload{}, &seal.PayloadError{About: about, Err: err}
		}
		return p, nil
	}
	full, err := passthru.With(o, p)
	if err == nil {
		opened, err = payloads.Open(about, full)
	}
	if err != nil {
		return Payload{}, &seal.PayloadError{About: about, Scheme: o.Scheme, KeyID: o.KeyID, Err: err}
	}
	return opened, nil
}
