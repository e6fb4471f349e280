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

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
)

// KeyFunc returns the key of a login with [CryptosignFunc]. It is asked at each
// join, so keys can be rotated. ctx ends with the join.
type KeyFunc = func(ctx context.Context, r Request) (crypto.Signer, error)

// RouterKeyFunc decides whether a router with this public key is the right one:
// an error refuses it. The router has proved that it has the private key.
type RouterKeyFunc = func(key ed25519.PublicKey) error

// Cryptosign logs in with WAMP-Cryptosign (WAMP specification, section
// "Cryptosign-based Authentication"). key is an [ed25519.PrivateKey] or any
// other [crypto.Signer] with an Ed25519 key, such as an agent or a piece of
// hardware; [SSHSigner] makes one from an SSH signer. With an empty authid the
// router has to know whose key it is.
//
// The key signs any 32 bytes that a router sends, so it should serve logins
// only.
func Cryptosign(authid string, key crypto.Signer, options ...CryptosignOption) Authenticator {
	return CryptosignFunc(authid, func(context.Context, Request) (crypto.Signer, error) { return key, nil }, options...)
}

// CryptosignFunc is like [Cryptosign], with a key that is asked for at each
// join.
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

// RouterKey accepts only routers that prove to have one of these keys. The
// client sends a challenge of its own for the router to sign.
func RouterKey(keys ...ed25519.PublicKey) CryptosignOption {
	keys = slices.Clone(keys)
	return VerifyRouter(func(key ed25519.PublicKey) error {
		if slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return bytes.Equal(k, key) }) {
			return nil
		}
		return errors.New("it is none of those of authn.RouterKey")
	})
}

// VerifyRouter is like [RouterKey], with a function that remembers keys or
// looks them up.
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
		t.binding, t.channel, err = pick(proof.Cryptosign, a.cfg.bindings, func(b Binding) ([]byte, error) { return ChannelID(info.TLS, b) })
		if err != nil {
			return nil, err
		}
	}
	key, err := a.key(ctx, request(proof.Cryptosign, a.authid, info))
	if own, is := err.(*CredentialError); is && own.Method == proof.Cryptosign { //nolint:errorlint // it says all there is to say
		return nil, own
	}
	if err != nil {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: "there is no key", Err: err}
	}
	public, problem := proof.PublicKey(key)
	if problem != "" {
		return nil, &CredentialError{Method: proof.Cryptosign, Problem: problem}
	}
	t.public = public
	// Behind a function no printer can reach the key.
	t.sign = func(message []byte) ([]byte, error) { return key.Sign(rand.Reader, message, crypto.Hash(0)) }
	if a.cfg.routerKey != nil {
		t.challenge = make([]byte, 32)
		_, _ = rand.Read(t.challenge) // never fails
	}
	return t, ctx.Err()
}

type cryptosignAttempt struct {
	quiet
	once
	auth      *cryptosignAuth
	public    ed25519.PublicKey
	sign      func(message []byte) ([]byte, error)
	binding   Binding
	channel   []byte // 32 bytes, nil without a binding
	challenge []byte // ours to the router, nil if it need not prove itself
}

func (t *cryptosignAttempt) Hello(h *Hello) error {
	t.auth.cfg.fill(h, t.auth.authid, proof.Cryptosign)
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
	if err := t.challenged(proof.Cryptosign, c); err != nil {
		return Response{}, err
	}
	f := fields{method: proof.Cryptosign, extra: c.Extra, most: 1024}
	challenge := f.bytes("challenge", 32)
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
	message := proof.CryptosignMessage(challenge, channel)
	sign := t.sign
	t.sign = nil
	signature, err := bounded(ctx, func() ([]byte, error) { return sign(message) })
	if err != nil {
		return Response{}, &CredentialError{Method: proof.Cryptosign, Problem: "the key does not sign", Err: err}
	}
	if len(signature) != ed25519.SignatureSize || !ed25519.Verify(t.public, message, signature) {
		return Response{}, &CredentialError{Method: proof.Cryptosign, Problem: "the key's signature is wrong"}
	}
	return Response{Signature: proof.CryptosignText(signature, message)}, nil
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
		return nil, &BindingError{proof.Cryptosign, t.binding, "the router dropped it", true}
	}
	return nil, &BindingError{proof.Cryptosign, t.binding, fmt.Sprintf("the router uses %q instead", clip(string(router))), true}
}

func (t *cryptosignAttempt) verifyRouter(f *fields, channel []byte) error {
	if f.text("pubkey") == "" || f.text("signature") == "" {
		return &RouterError{proof.Cryptosign, "did not prove who it is"}
	}
	public := ed25519.PublicKey(f.bytes("pubkey", ed25519.PublicKeySize))
	signature := f.text("signature")
	if f.err != nil {
		return f.err
	}
	if !proof.CryptosignVerify(public, t.challenge, channel, signature) {
		return &RouterError{proof.Cryptosign, "gave a wrong signature of the client's challenge"}
	}
	if err := t.auth.cfg.routerKey(public); err != nil {
		return &RouterError{proof.Cryptosign, "has a key that is not trusted: " + err.Error()}
	}
	return nil
}

func (t *cryptosignAttempt) Welcome(Welcome) error { return t.welcomed(proof.Cryptosign) }
