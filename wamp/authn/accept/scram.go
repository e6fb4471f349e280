package accept

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// SCRAMRecord is what a router keeps of a password for WAMP-SCRAM (WAMP
// specification, section "Salted Challenge Response Authentication"). Nobody can
// log in with it, but its holder can pose as the router, and guess the password.
// fmt and log/slog do not print its keys.
type SCRAMRecord struct {
	// KDF is [authn.Argon2id13] or [authn.PBKDF2].
	KDF string
	// Salt is the salt itself, not its base64 text.
	Salt []byte
	// Iterations are the iterations of PBKDF2 or the passes of Argon2id.
	Iterations int
	// Memory is in KiB, for Argon2id.
	Memory int
	// StoredKey checks the proof of the client, ServerKey makes the router's.
	StoredKey, ServerKey []byte
}

const shownSCRAMRecord = "accept.SCRAMRecord{...}"

// Format implements [fmt.Formatter]. It writes no keys.
func (SCRAMRecord) Format(f fmt.State, _ rune) { fmt.Fprint(f, shownSCRAMRecord) }

// LogValue implements [slog.LogValuer]. It has no keys.
func (SCRAMRecord) LogValue() slog.Value { return slog.StringValue(shownSCRAMRecord) }

// SCRAMParams configures [NewSCRAMRecord]. Zero values are [authn.Argon2id13]
// with 64 MiB and 3 passes (RFC 9106) or, for [authn.PBKDF2], 600,000
// iterations, and a random salt of 16 bytes.
type SCRAMParams struct {
	KDF                string
	Salt               []byte
	Iterations, Memory int
}

func (p SCRAMParams) filled() (SCRAMParams, error) {
	if p.KDF == "" {
		p.KDF = authn.Argon2id13
	}
	if len(p.Salt) == 0 {
		p.Salt = make([]byte, 16)
		_, _ = rand.Read(p.Salt) // never fails
	}
	switch p.KDF {
	case authn.Argon2id13:
		if p.Memory == 0 {
			p.Memory = 64 << 10
		}
		if p.Iterations == 0 {
			p.Iterations = 3
		}
	case authn.PBKDF2:
		p.Memory = 0
		if p.Iterations == 0 {
			p.Iterations = 600_000
		}
	default:
		return p, &authn.ConfigError{Problem: fmt.Sprintf("scram: unknown key derivation function %q", p.KDF)}
	}
	if p.Iterations < 1 || p.Memory < 0 {
		return p, &authn.ConfigError{Problem: "scram: iterations and memory must be positive"}
	}
	return p, nil
}

// SCRAMOption is an option of [SCRAM], [SCRAMMethod] and [NewSCRAMRecord].
type SCRAMOption interface{ set(d *proof.Dialect) }

type scramOption func(*proof.Dialect)

func (o scramOption) set(d *proof.Dialect) { o(d) }

// CrossbarDialect speaks SCRAM as Crossbar does, for clients that log in with
// [authn.CrossbarDialect], and makes records for Crossbar. A record that was
// made with it is of no use without it.
func CrossbarDialect() SCRAMOption { return scramOption(func(d *proof.Dialect) { d.Crossbar = true }) }

// RawKeys makes [NewSCRAMRecord] use the hash itself as the key with
// [CrossbarDialect] and Argon2id, as the WAMP specification says, where the
// tools around Crossbar use the base64 text of the hash. Clients need
// [authn.RawKeys] then.
func RawKeys() SCRAMOption { return scramOption(func(d *proof.Dialect) { d.RawKeys = true }) }

func dialect(options []SCRAMOption) (d proof.Dialect) {
	for _, o := range options {
		o.set(&d)
	}
	return d
}

// SCRAMMethod returns the name of the method under these options, as it stands
// in HELLO.Details.authmethods.
func SCRAMMethod(options ...SCRAMOption) string { return dialect(options).Method() }

// NewSCRAMRecord makes the record of a password.
func NewSCRAMRecord(password string, params SCRAMParams, options ...SCRAMOption) (SCRAMRecord, error) {
	p, err := params.filled()
	if err != nil {
		return SCRAMRecord{}, err
	}
	d := dialect(options)
	if password == "" {
		return SCRAMRecord{}, &authn.CredentialError{Method: d.Method(), Problem: "the secret is empty"}
	}
	prepared, ok := d.Prepare(password)
	if !ok {
		return SCRAMRecord{}, &authn.CredentialError{Method: d.Method(), Problem: "the password has characters that SASLprep does not allow"}
	}
	salted, err := d.Salted(prepared, proof.Hash{KDF: p.KDF, Salt: p.Salt, Iterations: p.Iterations, Memory: p.Memory})
	if err != nil {
		return SCRAMRecord{}, &authn.CredentialError{Method: d.Method(), Problem: "PBKDF2 refuses", Err: err}
	}
	k := proof.KeysOf(salted)
	return SCRAMRecord{p.KDF, slices.Clone(p.Salt), p.Iterations, p.Memory, k.Stored, k.Server}, nil
}

// MockSCRAMRecord makes a record that no password fits, for an authid that does
// not exist, so that the challenge does not tell. Its salt is the same each
// time: it is made from the authid and a secret of the router.
func MockSCRAMRecord(authid string, secret []byte, params SCRAMParams) (SCRAMRecord, error) {
	params.Salt = proof.MAC(secret, "salt:"+authid)[:16]
	p, err := params.filled()
	if err != nil {
		return SCRAMRecord{}, err
	}
	keys := make([]byte, 2*sha256.Size)
	_, _ = rand.Read(keys) // never fails
	return SCRAMRecord{p.KDF, p.Salt, p.Iterations, p.Memory, keys[:sha256.Size], keys[sha256.Size:]}, nil
}

// SCRAMLogin is the router's side of one login with WAMP-SCRAM. [SCRAM] begins
// it. No printer shows what is in it.
type SCRAMLogin struct {
	record   SCRAMRecord
	exchange proof.Exchange
}

// SCRAM begins a login with WAMP-SCRAM that a HELLO asked for. A HELLO that the
// method cannot be used with is a [HelloError].
//
// binding returns the data of a channel binding for the client's connection, as
// [authn.BindingData] and [EndPoint] do. A client that asks for a binding is
// refused if binding is nil or returns an error.
func SCRAM(record SCRAMRecord, h authn.Hello, binding func(authn.Binding) ([]byte, error), options ...SCRAMOption) (*SCRAMLogin, error) {
	d := dialect(options)
	l := &SCRAMLogin{record, proof.Exchange{Dialect: d, Salt: proof.Base64(record.Salt), Iterations: record.Iterations}}
	e, method := &l.exchange, d.Method()
	var ok bool
	if e.Name, ok = proof.SASLprep(h.AuthID); !ok || e.Name == "" {
		return nil, &HelloError{method, "authid", "is missing or has characters that SASLprep does not allow"}
	}
	f := hello{method: method, extra: h.Extra}
	if e.ClientNonce = f.text("nonce", mostNonce); e.ClientNonce == "" || !proof.Printable(e.ClientNonce) {
		f.fail("nonce", "is missing or malformed")
	}
	own := make([]byte, 18)
	_, _ = rand.Read(own) // never fails
	e.Nonce = e.ClientNonce + proof.Base64(own)
	if d.Crossbar {
		c, ok := proof.FromBase64(e.ClientNonce)
		if !ok {
			f.fail("nonce", "is no base64")
		}
		e.Nonce = proof.Base64(append(c, own...))
	}
	if f.err != nil {
		return nil, f.err
	}
	if b, _ := h.Extra["channel_binding"].(string); b != "" && !d.Crossbar {
		e.Binding = b
		var err error
		if e.Data, err = bind(method, authn.Binding(b), binding); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Challenge returns the CHALLENGE.
func (l *SCRAMLogin) Challenge() authn.Challenge {
	e := &l.exchange
	var memory any
	if l.record.Memory > 0 || e.Crossbar { // whose clients want a number
		memory = int64(l.record.Memory)
	}
	return authn.Challenge{Method: e.Method(), Extra: proto.Dict{
		{Key: "nonce", Value: e.Nonce}, {Key: "salt", Value: e.Salt}, {Key: "kdf", Value: e.KDF(l.record.KDF)},
		{Key: "iterations", Value: int64(l.record.Iterations)}, {Key: "memory", Value: memory},
	}}
}

// Verify checks the AUTHENTICATE. It returns WELCOME.Details.authextra, by which
// the client knows the router, or [ErrProof]; ABORT.Details.scram is then
// "invalid-proof".
func (l *SCRAMLogin) Verify(r authn.Response) (map[string]any, error) {
	e := &l.exchange
	if !e.Crossbar {
		if nonce, _ := r.Extra["nonce"].(string); nonce != e.Nonce {
			return nil, ErrProof
		}
		b, _ := r.Extra["channel_binding"].(string)
		text, _ := r.Extra["cbind_data"].(string)
		if b != e.Binding || e.Binding != "" && text != proof.Base64(e.Data) {
			return nil, ErrProof
		}
	}
	client, ok := proof.FromBase64(r.Signature)
	if !ok || len(client) != sha256.Size {
		return nil, ErrProof
	}
	message := e.Message()
	key := proof.MAC(l.record.StoredKey, message)
	subtle.XORBytes(key, key, client)
	if sum := sha256.Sum256(key); !hmac.Equal(sum[:], l.record.StoredKey) {
		return nil, ErrProof
	}
	return map[string]any{e.Verifier(): proof.Base64(proof.MAC(l.record.ServerKey, message))}, nil
}

func (l SCRAMLogin) shown() string {
	return fmt.Sprintf("accept.SCRAMLogin(%q)", proto.Short(l.exchange.Name))
}

// Format implements [fmt.Formatter]. It writes who logs in.
func (l SCRAMLogin) Format(f fmt.State, _ rune) { fmt.Fprint(f, l.shown()) }

// MarshalText implements [encoding.TextMarshaler]. It returns what Format
// writes.
func (l SCRAMLogin) MarshalText() ([]byte, error) { return []byte(l.shown()), nil }

// Crossbar returns the record as an entry of auth.scram.principals in a Crossbar
// configuration. It has to be made with [CrossbarDialect].
func (r SCRAMRecord) Crossbar(role string) map[string]any {
	return map[string]any{
		"kdf": proof.Dialect{Crossbar: true}.KDF(r.KDF), "iterations": r.Iterations, "memory": r.Memory, "role": role,
		"salt": hex.EncodeToString(r.Salt), "stored-key": hex.EncodeToString(r.StoredKey), "server-key": hex.EncodeToString(r.ServerKey),
	}
}
