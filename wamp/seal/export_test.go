package seal

import "testing"

// WithNonce makes all that is sealed until the end of the test use this nonce.
func WithNonce(t *testing.T, nonce []byte) {
	was := random
	t.Cleanup(func() { random = was })
	random = func(room []byte) {
		if n := copy(room, nonce); n != len(nonce) || n != len(room) {
			t.Errorf("a nonce of %d bytes, want %d", len(room), len(nonce))
		}
	}
}

// SealRaw seals any bytes with a key, in the form of a Profile1.
func SealRaw(c Cipher, key, text []byte) []byte {
	if c == SecretBox {
		return sealBox((*[32]byte)(key), text)
	}
	aead := gcm((*[32]byte)(key))
	return sealGCM(aead, append(make([]byte, aead.NonceSize()), text...))
}
