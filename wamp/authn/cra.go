package authn

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

const methodCRA = "wampcra"

// What a salted challenge means if it does not say so.
const (
	craIterations = 1000
	craKeyLen     = 32
)

// CRA logs in with WAMP-CRA: the router's challenge is signed with the secret.
// If the router holds the secret as a salted hash, the challenge says how to
// get there from the password. The challenge must be a JSON object, as WAMP
// says, so that the secret cannot be made to sign anything else.
func CRA[S Secret](authid string, secret S, options ...CRAOption) Authenticator {
	a := &craAuth{quiet: quiet{fmt.Sprintf("authn.CRA(%q)", authid)}, authid: authid, secret: sourceOf(secret)}
	for _, o := range options {
		o.cra(&a.cfg)
	}
	a.cfg.limits = a.cfg.limits.filled(craIterations)
	a.turns = make(turns, a.cfg.limits.Parallel)
	return a
}

// RequireSalt refuses challenges that want the password itself as the key: for
// a password that people chose, those are easier to guess from the answer.
func RequireSalt() CRAOption { return anyOption(func(c *config) { c.salted = true }) }

type craAuth struct {
	quiet
	authid string
	secret source
	cfg    config
	turns  turns
}

func (a *craAuth) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	if a.authid == "" {
		return nil, &ConfigError{"wampcra: the authid is empty"}
	}
	return &craAttempt{quiet: a.quiet, auth: a, request: request(methodCRA, a.authid, info)}, ctx.Err()
}

type craAttempt struct {
	quiet
	once
	auth    *craAuth
	request Request
}

func (t *craAttempt) Hello(h *Hello) error {
	t.auth.cfg.fill(h, t.auth.authid, methodCRA)
	return nil
}

func (t *craAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	if err := t.challenged(methodCRA, c); err != nil {
		return Response{}, err
	}
	p, err := parseCRA(c.Extra, &t.auth.cfg)
	if err != nil {
		return Response{}, err
	}
	t.request.Challenge = c.Extra
	key, err := t.auth.secret.get(ctx, t.request)
	if err != nil {
		return Response{}, err
	}
	if p.salt != "" {
		if err := t.auth.turns.take(ctx, methodCRA); err != nil {
			return Response{}, err
		}
		defer t.auth.turns.give()
		if key, err = CRAKey(key, p.salt, p.iterations, p.keyLen); err != nil {
			return Response{}, err
		}
	}
	return Response{Signature: CRASign(key, p.challenge)}, nil
}

func (t *craAttempt) Welcome(Welcome) error { return t.welcomed(methodCRA) }

type craChallenge struct {
	challenge, salt    string
	iterations, keyLen int
}

func parseCRA(extra proto.Dict, cfg *config) (p craChallenge, err error) {
	f := fields{method: methodCRA, extra: extra, most: cfg.limits.MaxText}
	p.challenge = f.need("challenge")
	p.salt = f.text("salt")
	if f.err == nil && !jsonObject(p.challenge) {
		f.fail("challenge", "is no JSON object")
	}
	switch l := &cfg.limits; {
	case p.salt != "":
		p.iterations = f.integer("iterations", craIterations, l.MinIterations, l.MaxIterations)
		p.keyLen = f.integer("keylen", craKeyLen, l.MinKeyLen, l.MaxKeyLen)
	case cfg.salted:
		f.fail("salt", "is missing")
	}
	return p, f.err
}

func jsonObject(s string) bool {
	return strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "{") && json.Valid([]byte(s))
}

// CRASign returns the signature of a challenge with a key: the secret, or what
// CRAKey made of a password.
func CRASign(key, challenge string) string {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(challenge))
	return tobase64(m.Sum(nil))
}

// CRAVerify reports in constant time whether signature is the one of challenge
// with key.
func CRAVerify(key, challenge, signature string) bool {
	return subtle.ConstantTimeCompare([]byte(CRASign(key, challenge)), []byte(signature)) == 1
}

// CRAKey returns the key that a salted challenge asks for: PBKDF2 with
// HMAC-SHA256, as base64 text.
func CRAKey(password, salt string, iterations, keyLen int) (string, error) {
	if iterations < 1 || keyLen < 1 {
		return "", &ConfigError{"wampcra: iterations and key length must be positive"}
	}
	key, err := pbkdf2.Key(sha256.New, password, []byte(salt), iterations, keyLen)
	if err != nil {
		return "", &CredentialError{Method: methodCRA, Problem: "PBKDF2 refuses", Err: err}
	}
	return tobase64(key), nil
}

// CRASecret is what an accepting side keeps of a WAMP-CRA login: a plain
// secret, or the key of a salted password with what the client needs to get to
// it. It prints without the key.
type CRASecret struct {
	// Key is the key of the signature.
	Key string
	// Salt, Iterations and KeyLen are sent to the client if Salt is not empty.
	Salt               string
	Iterations, KeyLen int
}

// CRAParams say how a password is salted. Zero values are a random salt,
// 100,000 iterations and 32 octets.
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
		p.KeyLen = craKeyLen
	}
	return p
}

// NewCRASecret salts a password, so that the accepting side need not keep it.
func NewCRASecret(password string, p CRAParams) (CRASecret, error) {
	p = p.filled()
	key, err := CRAKey(password, p.Salt, p.Iterations, p.KeyLen)
	if err != nil {
		return CRASecret{}, err
	}
	return CRASecret{key, p.Salt, p.Iterations, p.KeyLen}, nil
}

// Challenge returns the CHALLENGE for a text, which NewCRAChallenge makes.
func (s CRASecret) Challenge(text string) Challenge {
	extra := proto.Dict{{Key: "challenge", Value: text}}
	if s.Salt != "" {
		extra = append(extra, proto.Entry{Key: "salt", Value: s.Salt},
			proto.Entry{Key: "iterations", Value: int64(s.Iterations)}, proto.Entry{Key: "keylen", Value: int64(s.KeyLen)})
	}
	return Challenge{Method: methodCRA, Extra: extra}
}

// Verify returns nil if r answers the challenge with that text, ErrProof if
// not.
func (s CRASecret) Verify(text string, r Response) error {
	if s.Key == "" || !CRAVerify(s.Key, text, r.Signature) {
		return ErrProof
	}
	return nil
}

// Format writes the secret without its key.
func (s CRASecret) Format(f fmt.State, v rune) { quiet{"authn.CRASecret{...}"}.Format(f, v) }

// NewCRAChallenge returns the text of a challenge: a JSON object with a fresh
// nonce and what the accepting side says of the session. timestamp is UTC in
// ISO 8601.
func NewCRAChallenge(authid, role, provider string, session proto.ID, timestamp string) string {
	text, _ := json.Marshal(map[string]any{ // strings and an integer always marshal
		"authid": authid, "authrole": role, "authmethod": methodCRA, "authprovider": provider,
		"nonce": rand.Text(), "timestamp": timestamp, "session": session,
	})
	return string(text)
}
