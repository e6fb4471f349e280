package authn

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// scramChallenge is a challenge that has been checked.
type scramChallenge struct {
	nonce      string
	salt       string // as it came: it is signed
	saltOctets []byte
	kdf        string // Argon2id13 or PBKDF2
	iterations int
	memory     int // KiB, Argon2id13 only
}

// parseSCRAM checks a challenge against the client's nonce and the limits.
func parseSCRAM(extra proto.Dict, clientNonce string, cfg *config) (p scramChallenge, err error) {
	l := &cfg.limits
	f := fields{method: cfg.scramMethod(), extra: extra, most: l.MaxText}
	p.nonce = f.need("nonce")
	p.salt = f.need("salt")
	kdf := f.need("kdf")
	if f.err != nil {
		return p, f.err
	}
	if !printable(p.nonce) {
		f.fail("nonce", "has characters that it must not have")
	}
	if !extends(p.nonce, clientNonce, cfg.crossbar) {
		f.fail("nonce", "does not extend the client's")
	}
	var ok bool
	if p.saltOctets, ok = unbase64(p.salt); !ok || len(p.saltOctets) == 0 {
		f.fail("salt", "is no base64")
	}
	switch {
	case kdf == PBKDF2:
		p.kdf = PBKDF2
		p.iterations = f.integer("iterations", 0, l.MinIterations, l.MaxIterations)
	case kdf == Argon2id13 && !cfg.crossbar, kdf == "argon2id-13" && cfg.crossbar:
		p.kdf = Argon2id13
		p.iterations = f.integer("iterations", 0, 1, l.MaxPasses)
		p.memory = f.integer("memory", 0, l.MinMemory, l.MaxMemory)
		if f.err == nil {
			f.err = within(f.method, "work", int64(p.iterations)*int64(p.memory), l.MinWork, l.MaxWork)
		}
	default:
		f.fail("kdf", "is not known: "+strconv.Quote(clip(kdf)))
	}
	if f.err == nil && len(cfg.kdfs) > 0 && !slices.Contains(cfg.kdfs, p.kdf) {
		f.fail("kdf", "is not allowed: "+p.kdf)
	}
	return p, f.err
}

// printable: what RFC 5802 allows in a nonce. A comma would end it in the
// signed text.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ',' {
			return false
		}
	}
	return true
}

// extends reports whether nonce begins with the client's and goes on. Crossbar
// appends to what the client's text stands for, so it is compared there.
func extends(nonce, client string, crossbar bool) bool {
	if !crossbar {
		return len(nonce) > len(client) && strings.HasPrefix(nonce, client)
	}
	n, ok1 := unbase64(nonce)
	c, ok2 := unbase64(client)
	return ok1 && ok2 && len(n) > len(c) && subtle.ConstantTimeCompare(n[:len(c)], c) == 1
}

// saltPassword hashes a password as the challenge asks, within its limits.
func saltPassword(password string, p scramChallenge, cfg *config) ([]byte, error) {
	method := cfg.scramMethod()
	if !cfg.crossbar {
		prepared, ok := saslprep(password)
		if !ok || prepared == "" {
			return nil, &CredentialError{Method: method, Problem: "the password has characters that SASLprep does not allow"}
		}
		password = prepared
	}
	if p.kdf == PBKDF2 {
		key, err := pbkdf2.Key(sha256.New, password, p.saltOctets, p.iterations, 32)
		if err != nil {
			return nil, &CredentialError{Method: method, Problem: "PBKDF2 refuses", Err: err}
		}
		return key, nil
	}
	key := argon2.IDKey([]byte(password), p.saltOctets, uint32(p.iterations), uint32(p.memory), 1, 32)
	if cfg.crossbar && !cfg.rawKeys {
		key = []byte(strings.TrimRight(tobase64(key), "="))
	}
	return key, nil
}

// scramKeys are the keys of RFC 5802 section 3.
type scramKeys struct{ client, stored, server []byte }

func keysOf(salted []byte) scramKeys {
	k := scramKeys{client: mac(salted, "Client Key"), server: mac(salted, "Server Key")}
	stored := sha256.Sum256(k.client)
	k.stored = stored[:]
	return k
}

// proof returns the client's proof for the signed text.
func (k scramKeys) proof(message string) []byte {
	p := mac(k.stored, message)
	subtle.XORBytes(p, p, k.client)
	return p
}

func mac(key []byte, message string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// authMessage returns the text that both sides sign. name is after SASLprep.
func authMessage(name, clientNonce string, p scramChallenge, b Binding, cbind []byte, crossbar bool) string {
	header := ""
	if !crossbar {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "=", "=3D"), ",", "=2C")
		flag := "n,,"
		if b != NoBinding {
			flag = "p=" + string(b) + ",,"
		}
		header = tobase64(append([]byte(flag), cbind...))
	}
	return "n=" + name + ",r=" + clientNonce +
		",r=" + p.nonce + ",s=" + p.salt + ",i=" + strconv.Itoa(p.iterations) +
		",c=" + header + ",r=" + p.nonce
}
