package proof

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
)

// CRA is the name of WAMP-CRA in authmethods.
const CRA = "wampcra"

// What a salted challenge of WAMP-CRA means if it does not say so.
const (
	CRAIterations = 1000
	CRAKeyLen     = 32
)

// CRAKey returns the key that a salted challenge asks for: PBKDF2 with
// HMAC-SHA256, as base64 text.
func CRAKey(password, salt string, iterations, keyLen int) (string, error) {
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, keyLen)
	if err != nil {
		return "", err
	}
	return Base64(key), nil
}

// CRASignature returns the signature of a challenge with a key: the secret, or
// what CRAKey made of a password.
func CRASignature(key, challenge string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(challenge))
	return Base64(m.Sum(nil))
}
