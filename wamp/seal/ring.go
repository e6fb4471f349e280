package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// Scheme is the ppt_scheme of a Ring.
const Scheme = "x_connectanum"

// serializer is the ppt_serializer of a Ring and a Profile1.
const serializer = "cbor"

// Ring seals with keys that all who may read have. It is never changed, and may
// serve any number of sessions.
type Ring struct{ keyring }

var _ Codec = (*Ring)(nil)

// NewRing returns a ring of keys. Of several that are for a URI the most
// specific seals: an exact one, then the longest prefix, then the wildcard with
// the most components given; among equals the first of the list. All open, by
// their id.
func NewRing(keys []Key, options ...Option) (*Ring, error) {
	all, err := newKeyring(keys, AES256GCM)
	if err != nil {
		return nil, err
	}
	r := &Ring{all}
	for _, o := range options {
		if err := o.set(&r.keyring); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Format implements [fmt.Formatter]. It writes the ids of the keys, and no secrets.
func (r Ring) Format(f fmt.State, _ rune) { r.show(f, "seal.Ring") }

// derive returns the key for one kind of message of one URI, so that what was
// sealed for one cannot be passed off as another.
func (k *Key) derive(about About) *[32]byte {
	h := hmac.New(sha256.New, k.Secret)
	for _, part := range []string{"connectanum payload 1", string(k.Cipher), about.Kind.String(), about.URI, about.Error} {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part)))
		h.Write(n[:])
		io.WriteString(h, part) //nolint:errcheck // a hash never fails
	}
	var key [32]byte
	h.Sum(key[:0])
	return &key
}

// Seal implements [Codec].
func (r *Ring) Seal(about About, p codec.Payload) (*Opaque, error) {
	i := r.sealing(about.URI, "")
	if i < 0 {
		return r.unsealed(about.URI)
	}
	k := &r.keys[i]
	text, err := encode(p)
	if err != nil {
		return nil, err
	}
	o := &Opaque{Scheme: Scheme, Serializer: serializer, Cipher: string(k.Cipher), KeyID: k.ID}
	key := k.derive(about)
	if k.Cipher == SecretBox {
		o.Data = sealBox(key, text)
		return o, nil
	}
	aead := gcm(key)
	room := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	o.Data = sealGCM(aead, append(room, text...))
	return o, nil
}

// Open implements [Codec].
func (r *Ring) Open(about About, o *Opaque) (codec.Payload, error) {
	data, ok := sealedBytes(o)
	if !ok || o.Autobahn || o.Scheme != Scheme || o.Serializer != serializer {
		return codec.Payload{}, ErrFormat
	}
	err := ErrNoKey
	for i := range r.keys {
		k := &r.keys[i]
		if k.ID != o.KeyID || !k.fits(about.URI) {
			continue
		}
		if string(k.Cipher) != o.Cipher {
			err = ErrFormat
			continue
		}
		if text, ok := k.open(about, data); ok {
			return decode(text)
		}
		err = ErrTampered
	}
	return codec.Payload{}, err
}

func (k *Key) open(about About, data []byte) (text []byte, ok bool) {
	key := k.derive(about)
	if k.Cipher == SecretBox {
		return openBox(key, data)
	}
	return openGCM(gcm(key), data)
}

// Plain implements [Codec].
func (r *Ring) Plain(about About) error { return r.plain(about) }

// values are what a payload holds.
func values(p codec.Payload) (args []any, kwargs map[string]any, err error) {
	if args, err = p.Args(); err == nil {
		kwargs, err = p.Kwargs()
	}
	return args, kwargs, err
}

// encode writes a payload as the WAMP specification says of payload passthru: a
// dict of args and kwargs.
func encode(p codec.Payload) ([]byte, error) {
	args, kwargs, err := values(p)
	if err != nil {
		return nil, err
	}
	if args == nil {
		args = []any{}
	}
	m := map[string]any{"args": args}
	if len(kwargs) > 0 {
		m["kwargs"] = kwargs
	}
	return codec.CBOR.AppendValue(nil, m)
}

// decode returns the payload in a text that encode, or another one, has made.
func decode(text []byte) (codec.Payload, error) {
	p, err := codec.Unpacked(codec.CBOR, text)
	if err != nil {
		return codec.Payload{}, formatError(err)
	}
	return p, nil
}
