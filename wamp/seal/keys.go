package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"unicode/utf8"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

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
	// ErrTampered: the key is wrong, or the bytes are not what was sealed: for
	// this URI and kind of message, where the scheme binds them.
	ErrTampered = errors.New("seal: wrong key, or tampered with")
	// ErrPlain: the payload came as it is, and there is a key for its URI.
	ErrPlain = errors.New("seal: it is not sealed, and must be")
	// ErrOnlyOpen: all keys for the URI are to open only, so that nothing can be
	// sealed, and must not go out as it is.
	ErrOnlyOpen = errors.New("seal: the keys for this URI only open")
	// ErrFormat: it is sealed in another way, or what was sealed is no payload.
	ErrFormat = errors.New("seal: unknown scheme, serializer, cipher or form")
)

// formatError says in which way a payload is of another form.
func formatError(err error) error { return fmt.Errorf("%w: %w", ErrFormat, err) }

// Key is a key of a Ring or a Profile1.
type Key struct {
	// ID names the key on the wire (ppt_keyid). It must not be empty.
	ID string
	// Pattern and Match say for which topics and procedures it is. Default Exact.
	Pattern string
	Match   proto.MatchPolicy
	// Cipher is how it seals, and the only cipher that it opens. Default: AES256GCM
	// in a Ring. In a Profile1 a key without one opens both, and seals with what the
	// router has chosen, or else SecretBox.
	Cipher Cipher
	// Secret is the key itself: 32 random bytes.
	Secret []byte
	// OnlyOpen: it opens what it has sealed before, and seals nothing more. Where
	// all keys for a URI are so, what is to be sent there fails with ErrOnlyOpen.
	OnlyOpen bool
}

func (k *Key) shown() string { return "seal.Key(" + strconv.Quote(k.ID) + ")" }

// Format implements [fmt.Formatter]. It writes the id, and no secret.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.shown()) } //nolint:errcheck // fmt sees to it

// LogValue implements [slog.LogValuer]. It is the id, without the secret.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.shown()) }

// Option is an option of NewRing and NewProfile1: AllowPlain.
type Option func(*keyring)

func (o Option) profile1(p *Profile1) error { return o.set(&p.keyring) }

func (o Option) set(r *keyring) error {
	if o == nil {
		return errNilOption
	}
	o(r)
	return nil
}

// AllowPlain takes payloads that come as they are for URIs that have a key, as
// long as not everybody seals yet. Default: they are refused with ErrPlain, since
// a router could put them in the place of sealed ones.
func AllowPlain() Option { return func(r *keyring) { r.allowPlain = true } }

// keyring are keys that are chosen by URI pattern. It is never changed.
type keyring struct {
	keys       []Key
	allowPlain bool
}

// show writes the name of a type and the ids of its keys, whatever the verb.
func (r *keyring) show(f fmt.State, name string) {
	ids := make([]string, len(r.keys))
	for i := range r.keys {
		ids[i] = r.keys[i].ID
	}
	fmt.Fprintf(f, "%s(%q)", name, ids)
}

var errNilOption = errors.New("seal: an option is nil")

// newKeyring checks and copies keys. Those without a cipher get this one.
func newKeyring(keys []Key, cipher Cipher) (keyring, error) {
	r := keyring{keys: slices.Clone(keys)}
	for i := range r.keys {
		k := &r.keys[i]
		if k.Match == "" {
			k.Match = proto.Exact
		}
		if k.Cipher == "" {
			k.Cipher = cipher
		}
		switch {
		case k.ID == "":
			return keyring{}, errors.New("seal: a key has no id")
		case !utf8.ValidString(k.ID):
			return keyring{}, fmt.Errorf("seal: the id %q of a key is not valid UTF-8", k.ID)
		case len(k.Secret) != 32:
			return keyring{}, fmt.Errorf("seal: key %q has %d bytes, want 32", k.ID, len(k.Secret))
		case k.Cipher != cipher && k.Cipher != AES256GCM && k.Cipher != SecretBox:
			return keyring{}, fmt.Errorf("seal: key %q has the unknown cipher %q", k.ID, k.Cipher)
		}
		if err := proto.CheckPattern(k.Pattern, k.Match); err != nil {
			return keyring{}, fmt.Errorf("seal: key %q: %w", k.ID, err)
		}
		k.Secret = slices.Clone(k.Secret)
	}
	return r, nil
}

// fits reports whether k is for a URI.
func (k *Key) fits(uri string) bool { return proto.MatchURI(k.Pattern, k.Match, uri) }

// rank says how specific the pattern of k is.
func (k *Key) rank() int {
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

// sealing returns the index of the key that seals for a URI, -1 if there is none. Among
// equals the one that is preferred by its id wins, or else the first.
func (r *keyring) sealing(uri, preferred string) int {
	best, rank := -1, 0
	for i := range r.keys {
		k := &r.keys[i]
		if k.OnlyOpen || !k.fits(uri) {
			continue
		}
		n := k.rank()
		if best < 0 || n > rank || n == rank && k.ID == preferred && r.keys[best].ID != preferred {
			best, rank = i, n
		}
	}
	return best
}

// unsealed says what becomes of a payload for which no key seals.
func (r *keyring) unsealed(uri string) (*Opaque, error) {
	if r.covers(uri) {
		return nil, ErrOnlyOpen
	}
	return nil, nil
}

// covers reports whether there is a key for a URI, to whatever use.
func (r *keyring) covers(uri string) bool {
	return slices.ContainsFunc(r.keys, func(k Key) bool { return k.fits(uri) })
}

// plain decides about a payload that came as it is.
func (r *keyring) plain(about About) error {
	if !r.allowPlain && r.covers(about.URI) {
		return ErrPlain
	}
	return nil
}

// sealedBytes returns the bytes that were sealed. nexus makes base64 of bytes for clients
// in JSON, without the sign that WAMP has for it: whoever can tell whether bytes were
// sealed may take that too.
func sealedBytes(o *Opaque) (data []byte, ok bool) {
	switch v := o.Value.(type) {
	case nil:
		return o.Data, true
	case string:
		data, err := base64.StdEncoding.DecodeString(v)
		return data, err == nil && o.Data == nil
	}
	return nil, false
}

// gcm returns AES-256-GCM with a key.
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

// random fills a nonce. Tests put others in its place.
var random = func(nonce []byte) { rand.Read(nonce) }

// sealGCM returns a nonce and the sealed text behind it. room is free bytes for the nonce
// and the text behind them, whose memory is used.
func sealGCM(aead cipher.AEAD, room []byte) []byte {
	n := aead.NonceSize()
	random(room[:n])
	return aead.Seal(room[:n], room[:n], room[n:], nil)
}

func openGCM(aead cipher.AEAD, data []byte) (text []byte, ok bool) {
	n := aead.NonceSize()
	if len(data) < n+aead.Overhead() {
		return nil, false
	}
	text, err := aead.Open(nil, data[:n], data[n:], nil)
	return text, err == nil
}

// sealBox returns a nonce and the text in a secretbox behind it.
func sealBox(key *[32]byte, text []byte) []byte {
	var nonce [24]byte
	random(nonce[:])
	out := make([]byte, len(nonce), len(nonce)+secretbox.Overhead+len(text))
	copy(out, nonce[:])
	return secretbox.Seal(out, text, &nonce, key)
}

func openBox(key *[32]byte, data []byte) (text []byte, ok bool) {
	if len(data) < 24+secretbox.Overhead {
		return nil, false
	}
	return secretbox.Open(nil, data[24:], (*[24]byte)(data), key)
}
