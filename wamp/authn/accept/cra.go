package accept

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// CRASecret is what a router keeps of a user for WAMP-CRA (WAMP specification,
// section "Challenge Response Authentication"): a plain secret, or the key of a
// salted password and what the client needs to make it. fmt and log/slog do not
// print it.
type CRASecret struct {
	// Key is the key of the signature: the secret, or what [CRAKey] returns.
	Key string
	// Salt, Iterations and KeyLen are sent to the client if Salt is not empty.
	Salt               string
	Iterations, KeyLen int
}

// CRAParams configures [NewCRASecret]. Zero values are a random salt, 100,000
// iterations and 32 bytes.
type CRAParams struct {
	Salt               string
	Iterations, KeyLen int
}

func (p CRAParams) filled() CRAParams {
	if p.Salt == "" {
		p.Salt = rand.Text()
	}
	if p.Iterations == 0 {
		p.Iterations = 100_000
	}
	if p.KeyLen == 0 {
		p.KeyLen = proof.CRAKeyLen
	}
	return p
}

// NewCRASecret salts a password, so that the router need not keep it.
func NewCRASecret(password string, p CRAParams) (CRASecret, error) {
	p = p.filled()
	key, err := CRAKey(password, p.Salt, p.Iterations, p.KeyLen)
	if err != nil {
		return CRASecret{}, err
	}
	return CRASecret{key, p.Salt, p.Iterations, p.KeyLen}, nil
}

// CRAKey returns the key of a salted password: PBKDF2 with HMAC-SHA256, as
// base64 text.
func CRAKey(password, salt string, iterations, keyLen int) (string, error) {
	if iterations < 1 || keyLen < 1 {
		return "", &authn.ConfigError{Problem: proof.CRA + ": iterations and key length must be positive"}
	}
	key, err := proof.CRAKey(password, salt, iterations, keyLen)
	if err != nil {
		return "", &authn.CredentialError{Method: proof.CRA, Problem: "PBKDF2 refuses", Err: err}
	}
	return key, nil
}

// CRASignature returns the signature with which a client that has the key
// answers a challenge with this text.
func CRASignature(key, text string) string { return proof.CRASignature(key, text) }

// NewCRAChallenge returns the text of a challenge: a JSON object with a fresh
// nonce and what the router says of the session. timestamp is UTC in ISO 8601.
func NewCRAChallenge(authid, role, provider string, session proto.ID, timestamp string) string {
	text, _ := json.Marshal(map[string]any{ // strings and an integer always marshal
		proto.KeyAuthID: authid, proto.KeyAuthRole: role, proto.KeyAuthMethod: proof.CRA, proto.KeyAuthProvider: provider,
		"nonce": rand.Text(), "timestamp": timestamp, "session": session,
	})
	return string(text)
}

// Challenge returns the CHALLENGE with a text, which [NewCRAChallenge] makes.
func (s CRASecret) Challenge(text string) authn.Challenge {
	extra := proto.Dict{{Key: "challenge", Value: text}}
	if s.Salt != "" {
		extra = append(extra, proto.Entry{Key: "salt", Value: s.Salt},
			proto.Entry{Key: "iterations", Value: int64(s.Iterations)}, proto.Entry{Key: "keylen", Value: int64(s.KeyLen)})
	}
	return authn.Challenge{Method: proof.CRA, Extra: extra}
}

// Verify returns nil if r answers the challenge with this text, and [ErrProof]
// otherwise. It compares in constant time.
func (s CRASecret) Verify(text string, r authn.Response) error {
	if s.Key == "" || subtle.ConstantTimeCompare([]byte(CRASignature(s.Key, text)), []byte(r.Signature)) != 1 {
		return ErrProof
	}
	return nil
}

const shownCRASecret = "accept.CRASecret{...}"

// Format implements [fmt.Formatter]. It writes no key.
func (CRASecret) Format(f fmt.State, _ rune) { fmt.Fprint(f, shownCRASecret) }

// LogValue implements [slog.LogValuer]. It has no key.
func (CRASecret) LogValue() slog.Value { return slog.StringValue(shownCRASecret) }
