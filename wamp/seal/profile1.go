package seal

import (
	"crypto/cipher"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// schemeProfile1 is the ppt_scheme of a Profile1, the one that the WAMP
// specification has for end-to-end encryption.
const schemeProfile1 = "wamp"

// Profile1 is the end-to-end encryption of the connectanum family, version 1 of
// its profile of ppt_scheme "wamp": a CBOR dict {"args", "kwargs"}, sealed with a
// key itself. It is for peers that use it; a [Ring] is the safer choice where all
// are of this library, since a Profile1 does not bind what it seals to a URI or
// a kind of message. Whoever carries a payload can repeat it, as with a Ring,
// and can also pass it off as another message: as an event of another topic, a
// result of another call, a call in the place of a result, as far as the pattern
// of its key reaches. Give topics that must not be mistaken keys of their own.
//
// It is a [Negotiator]. It is never changed, and may serve any number of
// sessions. docs/payload-encryption.md has its format.
type Profile1 struct {
	keyring
	aeads    []cipher.AEAD // of the keys, nil where one has another cipher
	required bool
}

var _ Negotiator = (*Profile1)(nil)

// Profile1Option is an option of [NewProfile1]: an [Option] or [Required].
type Profile1Option interface{ profile1(*Profile1) error }

type profile1Option func(*Profile1)

func (o profile1Option) profile1(p *Profile1) error { o(p); return nil }

// Required makes a join fail with a [NegotiationError] unless the router has
// agreed, and tells the router so. Default: keys and ciphers are what this side
// has configured where a router agrees on nothing.
func Required() Profile1Option { return profile1Option(func(p *Profile1) { p.required = true }) }

// NewProfile1 returns a Profile1 with these keys. The most specific of those for
// a URI seals, as [NewRing] says; among equals the one that the router has
// chosen, or else the first of the list. A key opens what names it by its id, if
// its pattern matches the URI: a key that everybody has does not open what
// arrives for a topic of a few. Patterns are all that binds a payload to a URI,
// so name several narrow ones rather than one for all. Where peers look for keys
// by id alone, as in Dart, a key with the empty pattern and match policy prefix
// does the same.
//
// A key is used as it is for all that it seals, with random nonces. Those of
// [AES256GCM] are good for 2^32 messages of one key, all its URIs and senders
// together; [SecretBox], the default, has no such bound.
func NewProfile1(keys []Key, options ...Profile1Option) (*Profile1, error) {
	all, err := newKeyring(keys, "")
	if err != nil {
		return nil, err
	}
	p := &Profile1{keyring: all, aeads: make([]cipher.AEAD, len(keys))}
	for i := range p.keys {
		if k := &p.keys[i]; k.Cipher != SecretBox {
			p.aeads[i] = gcm((*[32]byte)(k.Secret))
		}
	}
	for _, o := range options {
		if o == nil {
			return nil, errNilOption
		}
		if err := o.profile1(p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Format implements [fmt.Formatter]. It writes the ids of the keys, and no secrets.
func (p Profile1) Format(f fmt.State, _ rune) { p.show(f, "seal.Profile1") }

// Seal implements [Codec].
func (p *Profile1) Seal(about About, payload codec.Payload) (*Opaque, error) {
	return p.seal(about, payload, SecretBox, "")
}

// seal seals with this cipher where the key has none of its own, and with the
// preferred key where that is as specific as others.
func (p *Profile1) seal(about About, payload codec.Payload, usual Cipher, preferred string) (*Opaque, error) {
	i := p.sealing(about.URI, preferred)
	if i < 0 {
		return p.unsealed(about.URI)
	}
	k := &p.keys[i]
	o := &Opaque{Scheme: schemeProfile1, Serializer: serializer, Cipher: string(k.Cipher), KeyID: k.ID}
	if o.Cipher == "" {
		o.Cipher = string(usual)
	}
	const more = 32 // bytes: the keys of the dict, and nulls
	size := codec.Bulk(codec.CBOR, &payload) + more
	if o.Cipher == string(SecretBox) {
		text, err := codec.AppendPacked(codec.CBOR, make([]byte, 0, size), payload)
		if err != nil {
			return nil, err
		}
		o.Data = sealBox((*[32]byte)(k.Secret), text)
		return o, nil
	}
	aead := p.aeads[i]
	room, err := codec.AppendPacked(codec.CBOR, make([]byte, aead.NonceSize(), aead.NonceSize()+size+aead.Overhead()), payload)
	if err != nil {
		return nil, err
	}
	o.Data = sealGCM(aead, room)
	return o, nil
}

// Open implements [Codec].
func (p *Profile1) Open(about About, o *Opaque) (codec.Payload, error) { return p.open(about, o, "") }

// open opens with the key that the message names, or with this one where it names none.
func (p *Profile1) open(about About, o *Opaque, unnamed string) (codec.Payload, error) {
	data, ok := sealedBytes(o)
	if !ok || o.Autobahn || o.Scheme != schemeProfile1 || o.Serializer != serializer ||
		o.Cipher != string(SecretBox) && o.Cipher != string(AES256GCM) {
		return codec.Payload{}, ErrFormat
	}
	id := o.KeyID
	if id == "" {
		id = unnamed
	}
	err := ErrNoKey
	for i := range p.keys {
		k := &p.keys[i]
		switch {
		case k.ID != id || !k.fits(about.URI):
			continue
		case k.Cipher != "" && string(k.Cipher) != o.Cipher:
			err = ErrFormat
			continue
		}
		var text []byte
		var ok bool
		if o.Cipher == string(SecretBox) {
			text, ok = openBox((*[32]byte)(k.Secret), data)
		} else {
			text, ok = openGCM(p.aeads[i], data)
		}
		if !ok {
			err = ErrTampered
			continue
		}
		return decode(text)
	}
	return codec.Payload{}, err
}

// Plain implements [Codec].
func (p *Profile1) Plain(about About) error { return p.plain(about) }
