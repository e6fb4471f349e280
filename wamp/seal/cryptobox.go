package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/nacl/box"

	"github.com/connectanum/connectanum-go/wamp/codec"
)

// BoxKey is a pair of keys of a Cryptobox: one's own private key and the other
// side's public one, both Curve25519 and of 32 bytes. Who originates a message
// and who responds does not matter: the box is the same from both sides.
type BoxKey struct {
	// Prefix says for which topics and procedures it is: those that begin with
	// it. The longest counts.
	Prefix string
	// Private is one's own key, Public the peer's.
	Private, Public []byte
}

func (k *BoxKey) shown() string { return "seal.BoxKey(" + strconv.Quote(k.Prefix) + ")" }

// Format implements [fmt.Formatter]. It writes the prefix, and no keys.
func (k BoxKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.shown()) } //nolint:errcheck // fmt sees to it

// LogValue implements [slog.LogValuer]. It is the prefix, without the keys.
func (k BoxKey) LogValue() slog.Value { return slog.StringValue(k.shown()) }

// Cryptobox is the end-to-end encryption of Autobahn: JSON in a NaCl box, sent as
// enc_algo "cryptobox". Crossbar passes it on. Autobahn puts the URI into the
// box, which is checked; it does not say whether an event, a call or a result was
// meant.
type Cryptobox struct {
	keys       []boxKey
	allowPlain bool
}

var _ Codec = (*Cryptobox)(nil)

// Format implements [fmt.Formatter]. It writes no keys.
func (Cryptobox) Format(f fmt.State, _ rune) { io.WriteString(f, "seal.Cryptobox{...}") } //nolint:errcheck // fmt sees to it

type boxKey struct {
	prefix string
	shared [32]byte
}

// NewCryptobox returns a cryptobox with these keys. allowPlain takes payloads
// that come as they are for URIs that have a key.
func NewCryptobox(keys []BoxKey, allowPlain bool) (*Cryptobox, error) {
	c := &Cryptobox{allowPlain: allowPlain}
	for _, k := range keys {
		if len(k.Private) != 32 || len(k.Public) != 32 {
			return nil, fmt.Errorf("seal: the keys for %q have %d and %d bytes, want 32", k.Prefix, len(k.Private), len(k.Public))
		}
		b := boxKey{prefix: k.Prefix}
		box.Precompute(&b.shared, (*[32]byte)(k.Public), (*[32]byte)(k.Private))
		c.keys = append(c.keys, b)
	}
	slices.SortStableFunc(c.keys, func(a, b boxKey) int { return len(b.prefix) - len(a.prefix) })
	return c, nil
}

func (c *Cryptobox) key(uri string) *boxKey {
	for i := range c.keys {
		if strings.HasPrefix(uri, c.keys[i].prefix) {
			return &c.keys[i]
		}
	}
	return nil
}

// about returns the key for a payload. Autobahn looks for that of an error by the
// error's URI; where there is none the procedure's must do, since what is sealed
// on its way there shall not come back as it is.
func (c *Cryptobox) about(a About) *boxKey {
	if k := c.key(uri(a)); k != nil {
		return k
	}
	return c.key(a.URI)
}

// uri is the one that Autobahn seals: of an error its own.
func uri(about About) string {
	if about.Kind == KindError {
		return about.Error
	}
	return about.URI
}

// Seal implements [Codec].
func (c *Cryptobox) Seal(about About, p codec.Payload) (*Opaque, error) {
	k := c.about(about)
	if k == nil {
		return nil, nil
	}
	args, kwargs, err := values(p)
	if err != nil {
		return nil, err
	}
	m := map[string]any{"uri": uri(about), "args": args, "kwargs": kwargs}
	text, err := codec.JSON.AppendValue(nil, m)
	if err != nil {
		return nil, err
	}
	var nonce [24]byte
	rand.Read(nonce[:])
	return &Opaque{Autobahn: true, Cipher: "cryptobox", Serializer: "json",
		Data: box.SealAfterPrecomputation(nonce[:], text, &nonce, &k.shared)}, nil
}

var errOtherURI = errors.New("seal: it was sealed for another URI")

// Open implements [Codec].
func (c *Cryptobox) Open(about About, o *Opaque) (codec.Payload, error) {
	if !o.Autobahn || o.Value != nil || o.Cipher != "cryptobox" || o.Serializer != "json" && o.Serializer != "" {
		return codec.Payload{}, ErrFormat
	}
	k := c.about(about)
	if k == nil {
		return codec.Payload{}, ErrNoKey
	}
	if len(o.Data) < 24+box.Overhead {
		return codec.Payload{}, ErrTampered
	}
	text, ok := box.OpenAfterPrecomputation(nil, o.Data[24:], (*[24]byte)(o.Data), &k.shared)
	if !ok {
		return codec.Payload{}, ErrTampered
	}
	v, err := codec.JSON.Plain(text)
	if err != nil {
		return codec.Payload{}, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return codec.Payload{}, ErrFormat
	}
	if m["uri"] != uri(about) {
		return codec.Payload{}, errOtherURI
	}
	return payload(m)
}

// Plain implements [Codec].
func (c *Cryptobox) Plain(about About) error {
	if c.allowPlain || c.key(about.URI) == nil {
		return nil
	}
	return ErrPlain
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
