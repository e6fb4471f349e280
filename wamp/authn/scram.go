package authn

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
)

// The key derivation functions of SCRAM. Crossbar writes the first one as
// "argon2id-13"; CrossbarDialect takes care of that.
const (
	Argon2id13 = "argon2id13"
	PBKDF2     = "pbkdf2"
)

// SCRAM logs in with WAMP-SCRAM: both sides prove that they know the password,
// and neither sends it. The router's proof is checked before the session is
// handed out. authid and password are prepared by SASLprep.
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

// CrossbarDialect speaks SCRAM as Crossbar does: the method is called "scram",
// the signed text has no channel binding and no escapes, the router's proof is
// called scram_server_signature, passwords are not prepared, and with Argon2id
// the key is the base64 text of the hash without padding, as the tools around
// Crossbar make it (RawKeys for records that were made otherwise).
func CrossbarDialect() SCRAMOption { return anyOption(func(c *config) { c.crossbar = true }) }

// RawKeys makes CrossbarDialect use the hash itself as the key with Argon2id,
// as the WAMP text says. It depends on who made the router's record.
func RawKeys() SCRAMOption { return anyOption(func(c *config) { c.rawKeys = true }) }

// WithKDF allows only these key derivation functions, Argon2id13 or PBKDF2.
// The router's choice is not covered by any signature, so somebody in the
// middle could change it; without this option both are fine within the Limits.
func WithKDF(kdfs ...string) SCRAMOption {
	kdfs = slices.Clone(kdfs)
	return anyOption(func(c *config) { c.kdfs = kdfs })
}

// SCRAMMethod returns the name of the method under these options, as it stands
// in authmethods.
func SCRAMMethod(options ...SCRAMOption) string {
	c := scramConfig(options)
	return c.scramMethod()
}

func (c *config) scramMethod() string {
	if c.crossbar {
		return "scram"
	}
	return "wamp-scram"
}

type scramAuth struct {
	quiet
	authid string
	secret source
	cfg    config
	turns  turns
}

func (a *scramAuth) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	method := a.cfg.scramMethod()
	if a.authid == "" {
		return nil, &ConfigError{method + ": the authid is empty"}
	}
	name, ok := saslprep(a.authid)
	if !ok || name == "" {
		return nil, &ConfigError{method + ": the authid has characters that SASLprep does not allow"}
	}
	t := &scramAttempt{quiet: a.quiet, auth: a, request: request(method, a.authid, info), name: name}
	if len(a.cfg.bindings) > 0 {
		if a.cfg.crossbar {
			return nil, &ConfigError{"scram: Crossbar's dialect has no channel binding"}
		}
		var err error
		t.binding, t.cbind, err = pick(method, a.cfg.bindings, func(b Binding) ([]byte, error) { return BindingData(info.TLS, b) })
		if err != nil {
			return nil, err
		}
	}
	// 18 octets need no padding, so that what a router appends to them extends
	// the text, whether it appends before base64 or after.
	raw := make([]byte, 18)
	_, _ = rand.Read(raw) // never fails
	t.nonce = tobase64(raw)
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
	proof   []byte // the router's
}

func (t *scramAttempt) Hello(h *Hello) error {
	c := &t.auth.cfg
	c.fill(h, t.name, c.scramMethod())
	h.put("nonce", t.nonce)
	switch {
	case c.crossbar:
	case t.binding == NoBinding:
		h.put("channel_binding", nil)
	default:
		h.put("channel_binding", string(t.binding))
	}
	return nil
}

func (t *scramAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	cfg := &t.auth.cfg
	method := cfg.scramMethod()
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
	salted, err := saltPassword(password, p, cfg)
	if err != nil {
		return Response{}, err
	}
	keys := keysOf(salted)
	message := authMessage(t.name, t.nonce, p, t.binding, t.cbind, cfg.crossbar)
	t.proof = mac(keys.server, message)
	r := Response{Signature: tobase64(keys.proof(message))}
	if !cfg.crossbar {
		r.Extra = map[string]any{"nonce": p.nonce, "channel_binding": nil, "cbind_data": nil}
		if t.binding != NoBinding {
			r.Extra["channel_binding"] = string(t.binding)
			r.Extra["cbind_data"] = tobase64(t.cbind)
		}
	}
	return r, nil
}

// Welcome checks that the router knows the password, or what was made of it,
// too.
func (t *scramAttempt) Welcome(w Welcome) error {
	cfg := &t.auth.cfg
	method := cfg.scramMethod()
	if err := t.welcomed(method); err != nil {
		return err
	}
	want := t.proof
	t.proof = nil
	if want == nil {
		return &RouterError{method, "let the client in after a challenge that it could not answer"}
	}
	key := "verifier"
	if cfg.crossbar {
		key = "scram_server_signature"
	}
	text, _ := w.Details.Dict("authextra")[key].(string)
	if text == "" {
		return &RouterError{method, "did not prove that it knows the password: authextra." + key + " is missing"}
	}
	// The text of WAMP has the bare signature, its example the v= of RFC 5802.
	got, ok := unbase64(strings.TrimPrefix(text, "v="))
	if !ok || !hmac.Equal(want, got) {
		return &RouterError{method, "does not know the password: authextra." + key + " is wrong"}
	}
	return nil
}
