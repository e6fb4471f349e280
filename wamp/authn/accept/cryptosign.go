package accept

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// CryptosignLogin is the router's side of one login with WAMP-Cryptosign.
// [Cryptosign] begins it. No printer shows what is in it.
type CryptosignLogin struct {
	// Key is the public key that the client sent. It is nil if the client sent
	// none: the router must then know it by the authid, and set it before Verify.
	Key       ed25519.PublicKey
	challenge []byte
	channel   []byte
	extra     proto.Dict
}

// Cryptosign begins a login with WAMP-Cryptosign (WAMP specification, section
// "Cryptosign-based Authentication") that a HELLO asked for. The caller decides
// whether Key of the result is the one of a user.
//
// router is the router's own key, with which it proves itself if the client
// asks, nil if it has none. channel returns the id of the client's connection
// for a channel binding, as [authn.ChannelID] does. A client that asks for a
// binding is refused if channel is nil or returns an error.
func Cryptosign(h authn.Hello, router crypto.Signer, channel func(authn.Binding) ([]byte, error)) (*CryptosignLogin, error) {
	l := &CryptosignLogin{challenge: make([]byte, 32)}
	_, _ = rand.Read(l.challenge) // never fails
	f := hello{method: proof.Cryptosign, extra: h.Extra}
	l.Key = f.bytes("pubkey", ed25519.PublicKeySize)
	binding := authn.Binding(f.text("channel_binding", mostField))
	asked := f.bytes("challenge", 32)
	if f.err != nil {
		return nil, f.err
	}
	l.extra = proto.Dict{{Key: "challenge", Value: hex.EncodeToString(l.challenge)}}
	if binding != authn.NoBinding {
		var err error
		if l.channel, err = bind(proof.Cryptosign, binding, channel); err != nil {
			return nil, err
		}
		l.extra = append(l.extra, proto.Entry{Key: "channel_binding", Value: string(binding)})
	}
	if asked != nil && router != nil {
		signature, err := CryptosignSignature(router, asked, l.channel)
		if err != nil {
			return nil, err
		}
		public, _ := proof.PublicKey(router) // CryptosignSignature has checked it
		l.extra = append(l.extra, proto.Entry{Key: "pubkey", Value: hex.EncodeToString(public)}, proto.Entry{Key: "signature", Value: signature})
	}
	return l, nil
}

// Challenge returns the CHALLENGE.
func (l *CryptosignLogin) Challenge() authn.Challenge {
	return authn.Challenge{Method: proof.Cryptosign, Extra: l.extra}
}

// Verify returns nil if r is signed with the private half of Key, and
// [ErrProof] otherwise.
func (l *CryptosignLogin) Verify(r authn.Response) error {
	return CryptosignVerify(l.Key, l.challenge, l.channel, r.Signature)
}

// Format implements [fmt.Formatter]. It writes that there is a login, not what
// is in it.
func (CryptosignLogin) Format(f fmt.State, _ rune) { fmt.Fprint(f, "accept.CryptosignLogin") }

// MarshalText implements [encoding.TextMarshaler]. It returns what Format
// writes.
func (CryptosignLogin) MarshalText() ([]byte, error) { return []byte("accept.CryptosignLogin"), nil }

// CryptosignSignature signs a challenge of 32 bytes: hex of the signature and of
// the signed message, which is the challenge XOR channel. channel is the id of a
// connection, or nil for a login without channel binding. Clients answer with
// it, and routers prove themselves with it.
func CryptosignSignature(key crypto.Signer, challenge, channel []byte) (string, error) {
	if _, problem := proof.PublicKey(key); problem != "" {
		return "", &authn.CredentialError{Method: proof.Cryptosign, Problem: problem}
	}
	if !proof.CryptosignFits(challenge, channel) {
		return "", &authn.ConfigError{Problem: proof.Cryptosign + ": challenge and channel id have 32 bytes"}
	}
	message := proof.CryptosignMessage(challenge, channel)
	signature, err := key.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		return "", &authn.CredentialError{Method: proof.Cryptosign, Problem: "the key does not sign", Err: err}
	}
	return proof.CryptosignText(signature, message), nil
}

// CryptosignVerify returns nil if signature is that of key for a challenge and
// the id of a connection, or nil, and [ErrProof] otherwise.
func CryptosignVerify(key ed25519.PublicKey, challenge, channel []byte, signature string) error {
	if !proof.CryptosignVerify(key, challenge, channel, signature) {
		return ErrProof
	}
	return nil
}
