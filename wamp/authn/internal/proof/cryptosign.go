package proof

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"slices"
)

// Cryptosign is the name of WAMP-Cryptosign in authmethods.
const Cryptosign = "cryptosign"

// PublicKey returns the public key of an Ed25519 key. If it is none, problem
// says why.
func PublicKey(key crypto.Signer) (public ed25519.PublicKey, problem string) {
	if key == nil {
		return nil, "the key is nil"
	}
	if k, ok := key.(ed25519.PrivateKey); ok && len(k) != ed25519.PrivateKeySize {
		return nil, "the key has a wrong length"
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize {
		return nil, "the key is no Ed25519 key"
	}
	return public, ""
}

// CryptosignMessage returns the message to sign: the challenge, XOR the id of
// the channel if there is one.
func CryptosignMessage(challenge, channel []byte) []byte {
	message := slices.Clone(challenge)
	for i := range channel {
		message[i] ^= channel[i]
	}
	return message
}

// CryptosignText returns what AUTHENTICATE carries: hex of the signature and
// of the message.
func CryptosignText(signature, message []byte) string {
	return hex.EncodeToString(slices.Concat(signature, message))
}

// CryptosignFits reports whether a challenge, and the id of a channel or nil,
// have the lengths that they must have.
func CryptosignFits(challenge, channel []byte) bool {
	return len(challenge) == 32 && (channel == nil || len(channel) == 32)
}

// CryptosignVerify reports whether text is the signature of a challenge, bound
// to a channel or nil, with the private half of key.
func CryptosignVerify(key ed25519.PublicKey, challenge, channel []byte, text string) bool {
	const size = ed25519.SignatureSize
	if len(text) != 2*(size+32) || len(key) != ed25519.PublicKeySize || !CryptosignFits(challenge, channel) {
		return false
	}
	b, err := hex.DecodeString(text)
	return err == nil && bytes.Equal(b[size:], CryptosignMessage(challenge, channel)) && ed25519.Verify(key, b[size:], b[:size])
}
