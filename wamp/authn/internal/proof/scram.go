package proof

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The key derivation functions of SCRAM, as WAMP and as Crossbar write them.
const (
	Argon2id         = "argon2id13"
	CrossbarArgon2id = "argon2id-13"
	PBKDF2           = "pbkdf2"
)

// Dialect says how SCRAM is spoken: as the WAMP specification has it, or as
// Crossbar does.
type Dialect struct {
	// Crossbar is the dialect of Crossbar.
	Crossbar bool
	// RawKeys makes the hash itself the key where Crossbar's tools make it the
	// base64 text of the hash. It counts with Crossbar and Argon2id only.
	RawKeys bool
}

// Method returns the name of the method in authmethods.
func (d Dialect) Method() string {
	if d.Crossbar {
		return "scram"
	}
	return "wamp-scram"
}

// KDF returns the name of a key derivation function in a CHALLENGE.
func (d Dialect) KDF(kdf string) string {
	if d.Crossbar && kdf == Argon2id {
		return CrossbarArgon2id
	}
	return kdf
}

// Verifier returns the key of WELCOME.Details.authextra that has the proof of
// the router.
func (d Dialect) Verifier() string {
	if d.Crossbar {
		return "scram_server_signature"
	}
	return "verifier"
}

// Hash says how a password is hashed.
type Hash struct {
	// KDF is Argon2id or PBKDF2.
	KDF  string
	Salt []byte
	// Iterations are the iterations of PBKDF2 or the passes of Argon2id.
	Iterations int
	// Memory is in KiB, for Argon2id.
	Memory int
}

// Prepare returns the password to be hashed. ok is false if it has characters
// that SASLprep does not allow, or nothing else.
func (d Dialect) Prepare(password string) (prepared string, ok bool) {
	if d.Crossbar {
		return password, true
	}
	prepared, ok = SASLprep(password)
	return prepared, ok && prepared != ""
}

// Salted hashes a password that was prepared. Only PBKDF2 can fail, where its
// parameters are not allowed.
func (d Dialect) Salted(password string, h Hash) ([]byte, error) {
	if h.KDF == PBKDF2 {
		return pbkdf2.Key(sha256.New, password, h.Salt, h.Iterations, 32)
	}
	key := argon2.IDKey([]byte(password), h.Salt, uint32(h.Iterations), uint32(h.Memory), 1, 32)
	if d.Crossbar && !d.RawKeys {
		key = []byte(strings.TrimRight(Base64(key), "="))
	}
	return key, nil
}

// Keys are the keys of RFC 5802 section 3.
type Keys struct{ Client, Stored, Server []byte }

// KeysOf returns the keys of a salted password.
func KeysOf(salted []byte) Keys {
	k := Keys{Client: MAC(salted, "Client Key"), Server: MAC(salted, "Server Key")}
	stored := sha256.Sum256(k.Client)
	k.Stored = stored[:]
	return k
}

// Proof returns the client's proof for the signed text.
func (k Keys) Proof(message string) []byte {
	p := MAC(k.Stored, message)
	subtle.XORBytes(p, p, k.Client)
	return p
}

// MAC returns HMAC-SHA256 of a text.
func MAC(key []byte, message string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// Exchange is what both sides of a login with SCRAM have said.
type Exchange struct {
	Dialect
	// Name is the authid after SASLprep.
	Name string
	// ClientNonce is the client's, Nonce the one of both.
	ClientNonce, Nonce string
	// Salt is the text of the CHALLENGE.
	Salt       string
	Iterations int
	// Binding is the kind of channel binding, "" for none, and Data its data.
	Binding string
	Data    []byte
}

// Message returns the text that both sides sign: AuthMessage of RFC 5802
// section 3.
func (e Exchange) Message() string {
	name, header := e.Name, ""
	if !e.Crossbar {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "=", "=3D"), ",", "=2C")
		flag := "n,,"
		if e.Binding != "" {
			flag = "p=" + e.Binding + ",,"
		}
		header = Base64(append([]byte(flag), e.Data...))
	}
	return "n=" + name + ",r=" + e.ClientNonce +
		",r=" + e.Nonce + ",s=" + e.Salt + ",i=" + strconv.Itoa(e.Iterations) +
		",c=" + header + ",r=" + e.Nonce
}

// Printable reports whether a nonce has only characters that RFC 5802 allows.
// A comma would end it in the signed text.
func Printable(nonce string) bool {
	for i := range len(nonce) {
		if nonce[i] <= ' ' || nonce[i] > '~' || nonce[i] == ',' {
			return false
		}
	}
	return true
}
