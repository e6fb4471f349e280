package authn

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

const methodCryptosign = "cryptosign"

// KeyFunc gives the key of a cryptosign login; it is asked at each join, so
// keys can be rotated. ctx ends with the join.
type KeyFunc = func(ctx context.Context, r Request) (crypto.Signer, error)

// RouterKeyFunc decides whether a router with this public key is the right
// one; the router has proved that it has the private key.
type RouterKeyFunc = func(key ed25519.PublicKey) error

// Cryptosign logs in with an Ed25519 key: an ed25519.PrivateKey or any other
// crypto.Signer of that kind, an agent or a piece of hardware (SSHSigner). An
// empty authid leaves it to the router to know who has the key.
//
// The key signs any 32 octets that a router sends, so it should serve logins
// only.
func Cryptosign(authid string, key crypto.Signer, options ...CryptosignOption) Authenticator {
	return CryptosignFunc(authid, func(context.Context, Request) (crypto.Signer, error) { return key, nil }, options...)
}

// CryptosignFunc is Cryptosign with a key that is asked for at each join.
func CryptosignFunc(authid string, key KeyFunc, options ...CryptosignOption) Authenticator {
	a := &cryptosignAuth{quiet: quiet{fmt.Sprintf("authn.Cryptosign(%q)", authid)}, authid: authid}
	for _, o := range options {
		o.cryptosign(&a.cfg)
	}
	a.key = func(ctx context.Context, r Request) (crypto.Signer, error) {
		if key == nil {
			return nil, errors.New("the function is nil")
		}
		return bounded(ctx, func() (crypto.Signer, error) { return key(ctx, r) })
	}
	return a
}

// RouterKey lets only routers in that prove to have one of these keys: the
// client sends a challenge of its own.
func RouterKey(keys ...ed25519.PublicKey) CryptosignOption {
	keys = slices.Clone(keys)
	return VerifyRouter(func(key ed25519.PublicKey) error {
		if slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, key) }) {
			return nil
		}
		return errors.New("it is none of authn.RouterKey")
	})
}

// VerifyRouter is RouterKey with a function, to remember keys or look them up.
func VerifyRouter(trust RouterKeyFunc) CryptosignOption {
	return anyOption(func(c *config) { c.routerKey = trust })
}

type cryptosignAuth struct {
	quiet
	authid string
	key    KeyFunc
	cfg    config
}

func (a *cryptosignAuth) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	t := &cryptosignAttempt{quiet: a.quiet, auth: a}
	if len(a.cfg.bindings) > 0 {
		var err error
		t.binding, t.channel, err = pick(methodCryptosign, a.cfg.bindings, func(b Binding) ([]byte, error) { return ChannelID(info.TLS, b) })
		if err != nil {
			return nil, err
		}
	}
	key, err := a.key(ctx, request(methodCryptosign, a.authid, info))
	if err != nil {
		return nil, &CredentialError{Method: methodCryptosign, Problem: "there is no key", Err: err}
	}
	if t.public, err = publicKey(key); err != nil {
		return nil, err
	}
	// Behind a function no printer can reach the key.
	t.sign = func(message []byte) ([]byte, error) { return key.Sign(rand.Reader, message, crypto.Hash(0)) }
	if a.cfg.routerKey != nil {
		t.challenge = make([]byte, 32)
		_, _ = rand.Read(t.challenge) // never fails
	}
	return t, ctx.Err()
}

func publicKey(key crypto.Signer) (ed25519.PublicKey, error) {
	if key == nil {
		return nil, &CredentialError{Method: methodCryptosign, Problem: "the key is nil"}
	}
	if k, ok := key.(ed25519.PrivateKey); ok && len(k) != ed25519.PrivateKeySize {
		return nil, &CredentialError{Method: methodCryptosign, Problem: "the key has a wrong length"}
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize {
		return nil, &CredentialError{Method: methodCryptosign, Problem: "the key is no Ed25519 key"}
	}
	return public, nil
}

type cryptosignAttempt struct {
	quiet
	once
	auth      *cryptosignAuth
	public    ed25519.PublicKey
	sign      func(message []byte) ([]byte, error)
	binding   Binding
	channel   []byte // 32 octets, nil without a binding
	challenge []byte // ours to the router, nil if it need not prove itself
}

func (t *cryptosignAttempt) Hello(h *Hello) error {
	t.auth.cfg.fill(h, t.auth.authid, methodCryptosign)
	h.put("pubkey", hex.EncodeToString(t.public))
	if t.binding != NoBinding {
		h.put("channel_binding", string(t.binding))
	}
	if t.challenge != nil {
		h.put("challenge", hex.EncodeToString(t.challenge))
	}
	return nil
}

func (t *cryptosignAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	if err := t.challenged(methodCryptosign, c); err != nil {
		return Response{}, err
	}
	f := fields{method: methodCryptosign, extra: c.Extra, most: 1024}
	challenge := f.octets("challenge", 32)
	bound := Binding(f.text("channel_binding"))
	if f.err != nil {
		return Response{}, f.err
	}
	channel, err := t.bound(bound)
	if err != nil {
		return Response{}, err
	}
	if t.challenge != nil {
		if bytes.Equal(challenge, t.challenge) {
			f.fail("challenge", "is the client's own")
			return Response{}, f.err
		}
		if err := t.verifyRouter(&f, channel); err != nil {
			return Response{}, err
		}
	}
	message := xor(challenge, channel)
	sign := t.sign
	t.sign = nil
	signature, err := bounded(ctx, func() ([]byte, error) { return sign(message) })
	if err != nil {
		return Response{}, &CredentialError{Method: methodCryptosign, Problem: "the key does not sign", Err: err}
	}
	if len(signature) != ed25519.SignatureSize || !ed25519.Verify(t.public, message, signature) {
		return Response{}, &CredentialError{Method: methodCryptosign, Problem: "the key's signature is wrong"}
	}
	return Response{Signature: hex.EncodeToString(slices.Concat(signature, message))}, nil
}

// bound returns the channel id that the router signs with, nil for none. It
// must be what was asked for; none is fine only if NoBinding is in the list.
func (t *cryptosignAttempt) bound(router Binding) ([]byte, error) {
	switch {
	case router == t.binding:
		return t.channel, nil
	case router == NoBinding && slices.Contains(t.auth.cfg.bindings, NoBinding):
		return nil, nil
	case router == NoBinding:
		return nil, &BindingError{methodCryptosign, t.binding, "the router dropped it", true}
	}
	return nil, &BindingError{methodCryptosign, t.binding, fmt.Sprintf("the router uses %q instead", clip(string(router))), true}
}

func (t *cryptosignAttempt) verifyRouter(f *fields, channel []byte) error {
	if f.text("pubkey") == "" || f.text("signature") == "" {
		return &RouterError{methodCryptosign, "did not prove who it is"}
	}
	public := ed25519.PublicKey(f.octets("pubkey", ed25519.PublicKeySize))
	signature := f.text("signature")
	if f.err != nil {
		return f.err
	}
	if err := CryptosignVerify(public, t.challenge, channel, signature); err != nil {
		return &RouterError{methodCryptosign, "gave a wrong signature of the client's challenge"}
	}
	if err := t.auth.cfg.routerKey(public); err != nil {
		return &RouterError{methodCryptosign, "has a key that is not trusted: " + err.Error()}
	}
	return nil
}

func (t *cryptosignAttempt) Welcome(Welcome) error { return t.welcomed(methodCryptosign) }

// xor returns the message to sign: the challenge, tied to the channel if there
// is an id of it.
func xor(challenge, channel []byte) []byte {
	message := slices.Clone(challenge)
	for i := range channel {
		message[i] ^= channel[i]
	}
	return message
}

// CryptosignSign signs a challenge of 32 octets: hex of the signature and of
// the message, which is the challenge XOR channel. channel is a ChannelID or
// nil. A router proves itself this way too.
func CryptosignSign(key crypto.Signer, challenge, channel []byte) (string, error) {
	if _, err := publicKey(key); err != nil {
		return "", err
	}
	if len(challenge) != 32 || channel != nil && len(channel) != 32 {
		return "", &ConfigError{"cryptosign: challenge and channel id have 32 octets"}
	}
	message := xor(challenge, channel)
	signature, err := key.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		return "", &CredentialError{Method: methodCryptosign, Problem: "the key does not sign", Err: err}
	}
	return hex.EncodeToString(slices.Concat(signature, message)), nil
}

// CryptosignVerify returns nil if signature is that of key for the challenge
// and channel, ErrProof if not.
func CryptosignVerify(key ed25519.PublicKey, challenge, channel []byte, signature string) error {
	const size = ed25519.SignatureSize
	if len(signature) != 2*(size+32) || len(key) != ed25519.PublicKeySize || len(challenge) != 32 || channel != nil && len(channel) != 32 {
		return ErrProof
	}
	b, err := hex.DecodeString(signature)
	if err != nil || !bytes.Equal(b[size:], xor(challenge, channel)) || !ed25519.Verify(key, b[size:], b[:size]) {
		return ErrProof
	}
	return nil
}

// CryptosignServer is the accepting side of one cryptosign login.
type CryptosignServer struct {
	quiet
	// Key is the client's, nil if it sent none: then the accepting side must
	// know it by the authid, and set it before Verify.
	Key       ed25519.PublicKey
	binding   Binding
	channel   []byte
	challenge []byte
	extra     proto.Dict
}

// NewCryptosignServer begins a login with what HELLO said. router is the
// router's own key, to prove itself if the client asks; nil if it has none.
// channel gives the id of the client's connection for a binding (ChannelID);
// with nil, or an error from it, a client that asks for one is refused.
func NewCryptosignServer(h Hello, router crypto.Signer, channel func(Binding) ([]byte, error)) (*CryptosignServer, error) {
	s := &CryptosignServer{quiet: quiet{"authn.CryptosignServer"}, challenge: make([]byte, 32)}
	_, _ = rand.Read(s.challenge) // never fails
	extra := make(proto.Dict, 0, len(h.Extra))
	for k, v := range h.Extra {
		extra = append(extra, proto.Entry{Key: k, Value: v})
	}
	f := fields{method: methodCryptosign, extra: extra, most: 1024}
	if f.text("pubkey") != "" {
		s.Key = f.octets("pubkey", ed25519.PublicKeySize)
	}
	s.binding = Binding(f.text("channel_binding"))
	var asked []byte
	if f.text("challenge") != "" {
		asked = f.octets("challenge", 32)
	}
	if f.err != nil {
		return nil, f.err
	}
	s.extra = proto.Dict{{Key: "challenge", Value: hex.EncodeToString(s.challenge)}}
	if s.binding != NoBinding {
		if channel == nil {
			return nil, &BindingError{Method: methodCryptosign, Binding: Binding(clip(string(s.binding))), Problem: "not known here"}
		}
		var err error
		if s.channel, err = channel(s.binding); err != nil {
			return nil, err
		}
		s.extra = append(s.extra, proto.Entry{Key: "channel_binding", Value: string(s.binding)})
	}
	if asked != nil && router != nil {
		signature, err := CryptosignSign(router, asked, s.channel)
		if err != nil {
			return nil, err
		}
		public, _ := publicKey(router) // CryptosignSign has checked it
		s.extra = append(s.extra, proto.Entry{Key: "pubkey", Value: hex.EncodeToString(public)}, proto.Entry{Key: "signature", Value: signature})
	}
	return s, nil
}

// Challenge returns the CHALLENGE.
func (s *CryptosignServer) Challenge() Challenge {
	return Challenge{Method: methodCryptosign, Extra: s.extra}
}

// Verify returns nil if r is signed with Key, ErrProof if not.
func (s *CryptosignServer) Verify(r Response) error {
	return CryptosignVerify(s.Key, s.challenge, s.channel, r.Signature)
}
