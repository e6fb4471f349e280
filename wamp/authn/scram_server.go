package authn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// SCRAMRecord is what an accepting side keeps of a password for WAMP-SCRAM.
// Who has it cannot log in with it, but can pose as the router, and guess. It
// prints without its keys.
type SCRAMRecord struct {
	// KDF is Argon2id13 or PBKDF2.
	KDF string
	// Salt are its octets.
	Salt []byte
	// Iterations are the iterations of PBKDF2 or the passes of Argon2id.
	Iterations int
	// Memory is in KiB, for Argon2id.
	Memory int
	// StoredKey checks the client, ServerKey convinces it.
	StoredKey, ServerKey []byte
}

// Format writes the record without its keys.
func (r SCRAMRecord) Format(f fmt.State, v rune) { quiet{"authn.SCRAMRecord{...}"}.Format(f, v) }

// LogValue is the record without its keys.
func (r SCRAMRecord) LogValue() slog.Value { return slog.StringValue("authn.SCRAMRecord{...}") }

// LogValue is the secret without its key.
func (s CRASecret) LogValue() slog.Value { return slog.StringValue("authn.CRASecret{...}") }

// SCRAMParams say how a record is made. Zero values are Argon2id13 with 64 MiB
// and 3 passes (RFC 9106), 600,000 iterations for PBKDF2, and a random salt of
// 16 octets.
type SCRAMParams struct {
	KDF                string
	Salt               []byte
	Iterations, Memory int
}

func (p SCRAMParams) filled() (SCRAMParams, error) {
	if p.KDF == "" {
		p.KDF = Argon2id13
	}
	if len(p.Salt) == 0 {
		p.Salt = make([]byte, 16)
		_, _ = rand.Read(p.Salt) // never fails
	}
	switch p.KDF {
	case Argon2id13:
		if p.Memory == 0 {
			p.Memory = 64 << 10
		}
		if p.Iterations == 0 {
			p.Iterations = 3
		}
	case PBKDF2:
		p.Memory = 0
		if p.Iterations == 0 {
			p.Iterations = 600_000
		}
	default:
		return p, &ConfigError{fmt.Sprintf("scram: unknown key derivation function %q", p.KDF)}
	}
	if p.Iterations < 1 || p.Memory < 0 {
		return p, &ConfigError{"scram: iterations and memory must be positive"}
	}
	return p, nil
}

// NewSCRAMRecord makes a record of a password. Of the options the dialect
// counts: a record made for CrossbarDialect is of no use without it.
func NewSCRAMRecord(password string, params SCRAMParams, options ...SCRAMOption) (SCRAMRecord, error) {
	p, err := params.filled()
	if err != nil {
		return SCRAMRecord{}, err
	}
	c := scramConfig(options)
	if password == "" {
		return SCRAMRecord{}, &CredentialError{Method: c.scramMethod(), Problem: "the secret is empty"}
	}
	salted, err := saltPassword(password, scramChallenge{kdf: p.KDF, saltOctets: p.Salt, iterations: p.Iterations, memory: p.Memory}, &c)
	if err != nil {
		return SCRAMRecord{}, err
	}
	k := keysOf(salted)
	return SCRAMRecord{p.KDF, slices.Clone(p.Salt), p.Iterations, p.Memory, k.stored, k.server}, nil
}

// MockSCRAMRecord makes a record that no password fits, for an authid that
// does not exist, so that the challenge does not tell. Its salt is the same
// each time: it is made of the authid and a secret of the accepting side.
func MockSCRAMRecord(authid string, secret []byte, params SCRAMParams) (SCRAMRecord, error) {
	params.Salt = mac(secret, "salt:"+authid)[:16]
	p, err := params.filled()
	if err != nil {
		return SCRAMRecord{}, err
	}
	keys := make([]byte, 2*sha256.Size)
	_, _ = rand.Read(keys) // never fails
	return SCRAMRecord{p.KDF, p.Salt, p.Iterations, p.Memory, keys[:sha256.Size], keys[sha256.Size:]}, nil
}

// SCRAMServer is the accepting side of one SCRAM login.
type SCRAMServer struct {
	quiet
	cfg         config
	record      SCRAMRecord
	name        string
	clientNonce string
	challenge   scramChallenge
	binding     Binding
	cbind       []byte
}

// NewSCRAMServer begins a login with what HELLO said. data gives the data of a
// channel binding; with nil, or an error from it, a client that asks for one
// is refused.
func NewSCRAMServer(record SCRAMRecord, h Hello, data func(Binding) ([]byte, error), options ...SCRAMOption) (*SCRAMServer, error) {
	s := &SCRAMServer{quiet: quiet{fmt.Sprintf("authn.SCRAMServer(%q)", clip(h.AuthID))}, cfg: scramConfig(options), record: record}
	method := s.cfg.scramMethod()
	var ok bool
	if s.name, ok = saslprep(h.AuthID); !ok || s.name == "" {
		return nil, &ConfigError{method + ": the authid is missing or not allowed"}
	}
	s.clientNonce, _ = h.Extra["nonce"].(string)
	if s.clientNonce == "" || len(s.clientNonce) > s.cfg.limits.MaxText || !printable(s.clientNonce) {
		return nil, &ConfigError{method + ": authextra.nonce is missing or malformed"}
	}
	own := make([]byte, 18)
	_, _ = rand.Read(own) // never fails
	nonce := s.clientNonce + tobase64(own)
	if s.cfg.crossbar {
		c, ok := unbase64(s.clientNonce)
		if !ok {
			return nil, &ConfigError{method + ": authextra.nonce is no base64"}
		}
		nonce = tobase64(append(c, own...))
	} else if b, _ := h.Extra["channel_binding"].(string); b != "" {
		s.binding = Binding(b)
		if data == nil {
			return nil, &BindingError{Method: method, Binding: Binding(clip(b)), Problem: "not known here"}
		}
		var err error
		if s.cbind, err = data(s.binding); err != nil {
			return nil, err
		}
	}
	s.challenge = scramChallenge{nonce: nonce, salt: tobase64(record.Salt), iterations: record.Iterations}
	return s, nil
}

// Challenge returns the CHALLENGE.
func (s *SCRAMServer) Challenge() Challenge {
	kdf := s.record.KDF
	if s.cfg.crossbar && kdf == Argon2id13 {
		kdf = "argon2id-13"
	}
	var memory any
	if s.record.Memory > 0 || s.cfg.crossbar { // whose clients want a number
		memory = int64(s.record.Memory)
	}
	return Challenge{Method: s.cfg.scramMethod(), Extra: proto.Dict{
		{Key: "nonce", Value: s.challenge.nonce}, {Key: "salt", Value: s.challenge.salt}, {Key: "kdf", Value: kdf},
		{Key: "iterations", Value: int64(s.record.Iterations)}, {Key: "memory", Value: memory},
	}}
}

// Verify checks the AUTHENTICATE and returns what WELCOME.Details.authextra
// has to say, so that the client knows the router. ErrProof is the wrong
// password; ABORT.Details.scram is then "invalid-proof".
func (s *SCRAMServer) Verify(r Response) (map[string]any, error) {
	if !s.cfg.crossbar {
		if nonce, _ := r.Extra["nonce"].(string); nonce != s.challenge.nonce {
			return nil, ErrProof
		}
		b, _ := r.Extra["channel_binding"].(string)
		text, _ := r.Extra["cbind_data"].(string)
		if Binding(b) != s.binding || s.binding != NoBinding && text != tobase64(s.cbind) {
			return nil, ErrProof
		}
	}
	proof, ok := unbase64(r.Signature)
	if !ok || len(proof) != sha256.Size {
		return nil, ErrProof
	}
	message := authMessage(s.name, s.clientNonce, s.challenge, s.binding, s.cbind, s.cfg.crossbar)
	key := mac(s.record.StoredKey, message)
	subtle.XORBytes(key, key, proof)
	if sum := sha256.Sum256(key); !hmac.Equal(sum[:], s.record.StoredKey) {
		return nil, ErrProof
	}
	verifier := tobase64(mac(s.record.ServerKey, message))
	if s.cfg.crossbar {
		return map[string]any{"scram_server_signature": verifier}, nil
	}
	return map[string]any{"verifier": verifier}, nil
}

// Crossbar returns the record as an entry of auth.scram.principals in a
// Crossbar configuration. It has to be made with CrossbarDialect.
func (r SCRAMRecord) Crossbar(role string) map[string]any {
	kdf := r.KDF
	if kdf == Argon2id13 {
		kdf = "argon2id-13"
	}
	return map[string]any{
		"kdf": kdf, "iterations": r.Iterations, "memory": r.Memory, "role": role,
		"salt": hex.EncodeToString(r.Salt), "stored-key": hex.EncodeToString(r.StoredKey), "server-key": hex.EncodeToString(r.ServerKey),
	}
}
