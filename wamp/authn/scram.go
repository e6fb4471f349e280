package authn

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// The key derivation functions of SCRAM. Crossbar writes the first one as
// "argon2id-13"; [CrossbarDialect] takes care of that.
const (
	Argon2id13 = "argon2id13"
	PBKDF2     = "pbkdf2"
)

// SCRAM logs in with WAMP-SCRAM (WAMP specification, section "Salted Challenge
// Response Authentication"): both sides prove that they know the password, and
// neither sends it. The router's proof is checked before the session begins.
// authid and password are prepared by SASLprep (RFC 4013).
func SCRAM[S Secret](authid string, password S, options ...SCRAMOption) Authenticator {
	a := &scramAuth{quiet: quiet{fmt.Sprintf("authn.SCRAM(%q)", authid)}, authid: authid, secret: sourceOf(password)}
	a.cfg = scramConfig(options)
	a.turns = make(turns, a.cfg.limits.Parallel)
	return a
}

func scramConfig(options []SCRAMOption) config {
	var c config
	for _, o := range options {
		o.scram(&c)
	}
	c.limits = c.limits.filled(4096)
	return c
}

// CrossbarDialect speaks SCRAM as Crossbar does. The method is called "scram",
// the signed text has no channel binding and no escapes, the router's proof is
// called scram_server_signature, and passwords are not prepared. With Argon2id
// the key is the base64 text of the hash without padding, as the tools around
// Crossbar make it; see [RawKeys] for records that were made otherwise.
func CrossbarDialect() SCRAMOption { return anyOption(func(c *config) { c.dialect.Crossbar = true }) }

// RawKeys makes [CrossbarDialect] use the hash itself as the key with Argon2id,
// as the WAMP specification says. Which one is right depends on who made the
// router's record.
func RawKeys() SCRAMOption { return anyOption(func(c *config) { c.dialect.RawKeys = true }) }

// WithKDF allows only these key derivation functions, [Argon2id13] or [PBKDF2].
// The router's choice is not covered by any signature, so somebody in the
// middle could change it. Without this option both are allowed, within the
// [Limits].
func WithKDF(kdfs ...string) SCRAMOption {
	kdfs = slices.Clone(kdfs)
	return anyOption(func(c *config) { c.kdfs = kdfs })
}

type scramAuth struct {
	quiet
	authid string
	secret source
	cfg    config
	turns  turns
}

func (a *scramAuth) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	method := a.cfg.dialect.Method()
	if a.authid == "" {
		return nil, &ConfigError{method + ": the authid is empty"}
	}
	name, ok := proof.SASLprep(a.authid)
	if !ok || name == "" {
		return nil, &ConfigError{method + ": the authid has characters that SASLprep does not allow"}
	}
	t := &scramAttempt{quiet: a.quiet, auth: a, request: request(method, a.authid, info), name: name}
	if len(a.cfg.bindings) > 0 {
		if a.cfg.dialect.Crossbar {
			return nil, &ConfigError{"scram: Crossbar's dialect has no channel binding"}
		}
		var err error
		t.binding, t.cbind, err = pick(method, a.cfg.bindings, func(b Binding) ([]byte, error) { return BindingData(info.TLS, b) })
		if err != nil {
			return nil, err
		}
	}
	// 18 bytes need no padding, so that what a router appends to them extends
	// the text, whether it appends before base64 or after.
	raw := make([]byte, 18)
	_, _ = rand.Read(raw) // never fails
	t.nonce = proof.Base64(raw)
	return t, ctx.Err()
}

// scramAttempt is one join. Of the password nothing is kept but the proof that
// the router has to give.
type scramAttempt struct {
	quiet
	once
	auth    *scramAuth
	request Request
	name    string // the authid after SASLprep
	nonce   string
	binding Binding
	cbind   []byte
	router  []byte // the proof that the router has to give
}

func (t *scramAttempt) Hello(h *Hello) error {
	c := &t.auth.cfg
	c.fill(h, t.name, c.dialect.Method())
	h.put("nonce", t.nonce)
	switch {
	case c.dialect.Crossbar:
	case t.binding == NoBinding:
		h.put("channel_binding", nil)
	default:
		h.put("channel_binding", string(t.binding))
	}
	return nil
}

func (t *scramAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	cfg := &t.auth.cfg
	method := cfg.dialect.Method()
	if err := t.challenged(method, c); err != nil {
		return Response{}, err
	}
	p, err := parseSCRAM(c.Extra, t.nonce, cfg)
	if err != nil {
		return Response{}, err
	}
	t.request.Challenge = c.Extra
	password, err := t.auth.secret.get(ctx, t.request)
	if err != nil {
		return Response{}, err
	}
	if err := t.auth.turns.take(ctx, method); err != nil {
		return Response{}, err
	}
	defer t.auth.turns.give()
	prepared, ok := cfg.dialect.Prepare(password)
	if !ok {
		return Response{}, &CredentialError{Method: method, Problem: "the password has characters that SASLprep does not allow"}
	}
	salted, err := cfg.dialect.Salted(prepared, p.hash)
	if err != nil {
		return Response{}, &CredentialError{Method: method, Problem: "PBKDF2 refuses", Err: err}
	}
	keys, message := proof.KeysOf(salted), t.exchange(p).Message()
	t.router = proof.MAC(keys.Server, message)
	r := Response{Signature: proof.Base64(keys.Proof(message))}
	if !cfg.dialect.Crossbar {
		r.Extra = map[string]any{"nonce": p.nonce, "channel_binding": nil, "cbind_data": nil}
		if t.binding != NoBinding {
			r.Extra["channel_binding"] = string(t.binding)
			r.Extra["cbind_data"] = proof.Base64(t.cbind)
		}
	}
	return r, nil
}

func (t *scramAttempt) exchange(p scramChallenge) proof.Exchange {
	return proof.Exchange{
		Dialect: t.auth.cfg.dialect, Name: t.name, ClientNonce: t.nonce,
		Nonce: p.nonce, Salt: p.salt, Iterations: p.hash.Iterations, Binding: string(t.binding), Data: t.cbind,
	}
}

// Welcome checks that the router knows the password, or what was made of it,
// too.
func (t *scramAttempt) Welcome(w Welcome) error {
	cfg := &t.auth.cfg
	method := cfg.dialect.Method()
	if err := t.welcomed(method); err != nil {
		return err
	}
	want := t.router
	t.router = nil
	if want == nil {
		return &RouterError{method, "let the client in after a challenge that it could not answer"}
	}
	key := cfg.dialect.Verifier()
	text, _ := w.Details.Dict(proto.KeyAuthExtra)[key].(string)
	if text == "" {
		return &RouterError{method, "did not prove that it knows the password: authextra." + key + " is missing"}
	}
	// The WAMP specification has the bare signature, its example the v= of
	// RFC 5802.
	got, ok := proof.FromBase64(strings.TrimPrefix(text, "v="))
	if !ok || !hmac.Equal(want, got) {
		return &RouterError{method, "does not know the password: authextra." + key + " is wrong"}
	}
	return nil
}

// scramChallenge is a challenge that has been checked.
type scramChallenge struct {
	nonce string
	salt  string // as it came: it is signed
	hash  proof.Hash
}

// parseSCRAM checks a challenge against the client's nonce and the limits.
func parseSCRAM(extra proto.Dict, clientNonce string, cfg *config) (p scramChallenge, err error) {
	l := &cfg.limits
	f := fields{method: cfg.dialect.Method(), extra: extra, most: l.MaxText}
	p.nonce = f.need("nonce")
	p.salt = f.need("salt")
	kdf := f.need("kdf")
	if f.err != nil {
		return p, f.err
	}
	if !proof.Printable(p.nonce) {
		f.fail("nonce", "has characters that it must not have")
	}
	if !extends(p.nonce, clientNonce, cfg.dialect.Crossbar) {
		f.fail("nonce", "does not extend the client's")
	}
	var ok bool
	if p.hash.Salt, ok = proof.FromBase64(p.salt); !ok || len(p.hash.Salt) == 0 {
		f.fail("salt", "is no base64")
	}
	switch kdf {
	case cfg.dialect.KDF(PBKDF2):
		p.hash.KDF = PBKDF2
		p.hash.Iterations = f.integer("iterations", 0, l.MinIterations, l.MaxIterations)
	case cfg.dialect.KDF(Argon2id13):
		p.hash.KDF = Argon2id13
		p.hash.Iterations = f.integer("iterations", 0, 1, l.MaxPasses)
		p.hash.Memory = f.integer("memory", 0, l.MinMemory, l.MaxMemory)
		if f.err == nil {
			f.err = within(f.method, "work", int64(p.hash.Iterations)*int64(p.hash.Memory), l.MinWork, l.MaxWork)
		}
	default:
		f.fail("kdf", "is not known: "+strconv.Quote(clip(kdf)))
	}
	if f.err == nil && len(cfg.kdfs) > 0 && !slices.Contains(cfg.kdfs, p.hash.KDF) {
		f.fail("kdf", "is not allowed: "+p.hash.KDF)
	}
	return p, f.err
}

// extends reports whether nonce begins with the client's and goes on. Crossbar
// appends to what the client's text stands for, so it is compared there.
func extends(nonce, client string, crossbar bool) bool {
	if !crossbar {
		return len(nonce) > len(client) && strings.HasPrefix(nonce, client)
	}
	n, ok1 := proof.FromBase64(nonce)
	c, ok2 := proof.FromBase64(client)
	return ok1 && ok2 && len(n) > len(c) && subtle.ConstantTimeCompare(n[:len(c)], c) == 1
}
