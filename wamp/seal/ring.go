package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Scheme is the ppt_scheme of a Ring.
const Scheme = "x_connectanum"

// serializer is the ppt_serializer of a Ring.
const serializer = "cbor"

// Cipher is how a key seals: the ppt_cipher.
type Cipher string

// The ciphers.
const (
	// AES256GCM is AES with a key of 256 bits in Galois/Counter Mode, with a
	// random nonce of 12 bytes in front.
	AES256GCM Cipher = "aes256gcm"
	// SecretBox is NaCl's secretbox, XSalsa20 and Poly1305, with a random nonce of
	// 24 bytes in front.
	SecretBox Cipher = "xsalsa20poly1305"
)

// Why a payload was not opened.
var (
	// ErrNoKey: there is no key of that id for the URI.
	ErrNoKey = errors.New("seal: there is no such key for this URI")
	// ErrTampered: the key is wrong, or the bytes are not what was sealed for
	// this URI and kind of message.
	ErrTampered = errors.New("seal: wrong key, or tampered with")
	// ErrPlain: the payload came as it is, and there is a key for its URI.
	ErrPlain = errors.New("seal: it is not sealed, and must be")
	// ErrOnlyOpen: all keys for the URI are to open only, so that nothing can be
	// sealed, and must not go out as it is.
	ErrOnlyOpen = errors.New("seal: the keys for this URI only open")
	// ErrFormat: it is sealed in another way.
	ErrFormat = errors.New("seal: unknown scheme, serializer or cipher")
)

// Key is a key of a Ring.
type Key struct {
	// ID names the key on the wire (ppt_keyid). It must not be empty.
	ID string
	// Pattern and Match say for which topics and procedures it is. Default Exact.
	Pattern string
	Match   proto.MatchPolicy
	// Cipher is how it seals. Default AES256GCM.
	Cipher Cipher
	// Secret is the key itself: 32 random bytes.
	Secret []byte
	// OnlyOpen: it opens what it has sealed before, and seals nothing more. Where
	// all keys for a URI are so, what is to be sent there fails with ErrOnlyOpen.
	OnlyOpen bool
}

// Ring seals with keys that all who may read have. It is never changed, and may
// serve any number of sessions.
type Ring struct {
	keys       []Key
	allowPlain bool
}

var _ Codec = (*Ring)(nil)

// Option changes a Ring.
type Option func(*Ring)

// AllowPlain takes payloads that come as they are for URIs that have a key, as
// long as not everybody seals yet. Default: they are refused with ErrPlain, since
// a router could put them in the place of sealed ones.
func AllowPlain() Option { return func(r *Ring) { r.allowPlain = true } }

// NewRing returns a ring of keys. Of several that are for a URI the most
// specific seals: an exact one, then the longest prefix, then the wildcard with
// the most components given; among equals the first of the list. All open, by
// their id.
func NewRing(keys []Key, options ...Option) (*Ring, error) {
	r := &Ring{keys: slices.Clone(keys)}
	for i := range r.keys {
		k := &r.keys[i]
		if k.Match == "" {
			k.Match = proto.Exact
		}
		if k.Cipher == "" {
			k.Cipher = AES256GCM
		}
		switch {
		case k.ID == "":
			return nil, errors.New("seal: a key has no id")
		case !utf8.ValidString(k.ID):
			return nil, fmt.Errorf("seal: the id %q of a key is not valid UTF-8", k.ID)
		case len(k.Secret) != 32:
			return nil, fmt.Errorf("seal: key %q has %d bytes, want 32", k.ID, len(k.Secret))
		case k.Cipher != AES256GCM && k.Cipher != SecretBox:
			return nil, fmt.Errorf("seal: key %q has the unknown cipher %q", k.ID, k.Cipher)
		}
		if err := proto.CheckPattern(k.Pattern, k.Match); err != nil {
			return nil, fmt.Errorf("seal: key %q: %w", k.ID, err)
		}
		k.Secret = slices.Clone(k.Secret)
	}
	for _, o := range options {
		o(r)
	}
	return r, nil
}

// better reports whether k is more specific than other.
func (k *Key) better(other *Key) bool {
	rank := func(k *Key) int {
		switch k.Match {
		case proto.Exact:
			return 1 << 30
		case proto.Prefix:
			return 1<<20 + len(k.Pattern)
		case proto.Wildcard:
			n := 0
			for i := range len(k.Pattern) {
				if k.Pattern[i] != '.' && (i == 0 || k.Pattern[i-1] == '.') {
					n++
				}
			}
			return n
		}
		return 0
	}
	return rank(k) > rank(other)
}

// sealing returns the key that seals for a URI, nil if there is none.
func (r *Ring) sealing(uri string) (best *Key) {
	for i := range r.keys {
		k := &r.keys[i]
		if !k.OnlyOpen && proto.MatchURI(k.Pattern, k.Match, uri) && (best == nil || k.better(best)) {
			best = k
		}
	}
	return best
}

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

func gcm(key *[32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has a length that AES knows
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// Seal implements [Codec].
func (r *Ring) Seal(about About, p codec.Payload) (*Opaque, error) {
	k := r.sealing(about.URI)
	if k == nil {
		if r.covers(about.URI) {
			return nil, ErrOnlyOpen
		}
		return nil, nil
	}
	text, err := encode(p)
	if err != nil {
		return nil, err
	}
	o := &Opaque{Scheme: Scheme, Serializer: serializer, Cipher: string(k.Cipher), KeyID: k.ID}
	key := k.derive(about)
	if k.Cipher == SecretBox {
		var nonce [24]byte
		rand.Read(nonce[:])
		o.Data = secretbox.Seal(nonce[:], text, &nonce, key)
		return o, nil
	}
	aead := gcm(key)
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(text)+aead.Overhead())
	rand.Read(nonce)
	o.Data = aead.Seal(nonce, nonce, text, nil)
	return o, nil
}

// Open implements [Codec].
func (r *Ring) Open(about About, o *Opaque) (codec.Payload, error) {
	if o.Autobahn || o.Scheme != Scheme || o.Serializer != serializer {
		return codec.Payload{}, ErrFormat
	}
	err := ErrNoKey
	for i := range r.keys {
		k := &r.keys[i]
		if k.ID != o.KeyID || !proto.MatchURI(k.Pattern, k.Match, about.URI) {
			continue
		}
		if string(k.Cipher) != o.Cipher {
			err = ErrFormat
			continue
		}
		if text, ok := k.open(about, o.Data); ok {
			return decode(text)
		}
		err = ErrTampered
	}
	return codec.Payload{}, err
}

func (k *Key) open(about About, data []byte) (text []byte, ok bool) {
	key := k.derive(about)
	if k.Cipher == SecretBox {
		if len(data) < 24+secretbox.Overhead {
			return nil, false
		}
		return secretbox.Open(nil, data[24:], (*[24]byte)(data), key)
	}
	aead := gcm(key)
	if len(data) < aead.NonceSize()+aead.Overhead() {
		return nil, false
	}
	n := aead.NonceSize()
	text, err := aead.Open(nil, data[:n], data[n:], nil)
	return text, err == nil
}

// Plain implements [Codec].
func (r *Ring) Plain(about About) error {
	if r.allowPlain {
		return nil
	}
	if r.covers(about.URI) {
		return ErrPlain
	}
	return nil
}

// covers reports whether there is a key for a URI, to whatever use.
func (r *Ring) covers(uri string) bool {
	return slices.ContainsFunc(r.keys, func(k Key) bool { return proto.MatchURI(k.Pattern, k.Match, uri) })
}

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

func decode(text []byte) (codec.Payload, error) {
	v, err := codec.CBOR.Plain(text)
	if err != nil {
		return codec.Payload{}, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return codec.Payload{}, ErrFormat
	}
	return payload(m)
}

// payload makes a payload of the dict of args and kwargs.
func payload(m map[string]any) (codec.Payload, error) {
	args, ok := m["args"].([]any)
	if !ok && m["args"] != nil {
		return codec.Payload{}, ErrFormat
	}
	kwargs, ok := m["kwargs"].(map[string]any)
	if !ok && m["kwargs"] != nil {
		return codec.Payload{}, ErrFormat
	}
	p := codec.Args(args...)
	if len(kwargs) > 0 {
		p = p.WithKwargs(kwargs)
	}
	return p, nil
}
