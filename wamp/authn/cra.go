package authn

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// CRA logs in with WAMP-CRA (WAMP specification, section "Challenge Response
// Authentication"): it signs the router's challenge with the secret. If the
// router keeps a salted hash of a password, the challenge says how to make the
// key from the password.
//
// The challenge must be a JSON object, as the specification says, so that a
// router cannot have anything else signed.
func CRA[S Secret](authid string, secret S, options ...CRAOption) Authenticator {
	a := &craAuth{quiet: quiet{fmt.Sprintf("authn.CRA(%q)", authid)}, authid: authid, secret: sourceOf(secret)}
	for _, o := range options {
		o.cra(&a.cfg)
	}
	a.cfg.limits = a.cfg.limits.filled(proof.CRAIterations)
	a.turns = make(turns, a.cfg.limits.Parallel)
	return a
}

// RequireSalt refuses challenges that want the password itself as the key. A
// password that a person chose is easier to guess from such an answer.
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
	return &craAttempt{quiet: a.quiet, auth: a, request: request(proof.CRA, a.authid, info)}, ctx.Err()
}

type craAttempt struct {
	quiet
	once
	auth    *craAuth
	request Request
}

func (t *craAttempt) Hello(h *Hello) error {
	t.auth.cfg.fill(h, t.auth.authid, proof.CRA)
	return nil
}

func (t *craAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	if err := t.challenged(proof.CRA, c); err != nil {
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
		if err := t.auth.turns.take(ctx, proof.CRA); err != nil {
			return Response{}, err
		}
		defer t.auth.turns.give()
		if key, err = proof.CRAKey(key, p.salt, p.iterations, p.keyLen); err != nil {
			return Response{}, &CredentialError{Method: proof.CRA, Problem: "PBKDF2 refuses", Err: err}
		}
	}
	return Response{Signature: proof.CRASignature(key, p.challenge)}, nil
}

func (t *craAttempt) Welcome(Welcome) error { return t.welcomed(proof.CRA) }

type craChallenge struct {
	challenge, salt    string
	iterations, keyLen int
}

func parseCRA(extra proto.Dict, cfg *config) (p craChallenge, err error) {
	f := fields{method: proof.CRA, extra: extra, most: cfg.limits.MaxText}
	p.challenge = f.need("challenge")
	p.salt = f.text("salt")
	if f.err == nil && !jsonObject(p.challenge) {
		f.fail("challenge", "is no JSON object")
	}
	switch l := &cfg.limits; {
	case p.salt != "":
		p.iterations = f.integer("iterations", proof.CRAIterations, l.MinIterations, l.MaxIterations)
		p.keyLen = f.integer("keylen", proof.CRAKeyLen, l.MinKeyLen, l.MaxKeyLen)
	case cfg.salted:
		f.fail("salt", "is missing")
	}
	return p, f.err
}

func jsonObject(s string) bool {
	return strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "{") && json.Valid([]byte(s))
}
