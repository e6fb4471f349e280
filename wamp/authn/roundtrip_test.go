package authn_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
)

// acceptor is the accepting side of one login.
type acceptor interface {
	Challenge() authn.Challenge
	Verify(r authn.Response) (map[string]any, error)
}

type craServer struct {
	secret authn.CRASecret
	text   string
}

func (s craServer) Challenge() authn.Challenge { return s.secret.Challenge(s.text) }
func (s craServer) Verify(r authn.Response) (map[string]any, error) {
	return nil, s.secret.Verify(s.text, r)
}

type ticketServer struct{ ticket string }

func (s ticketServer) Challenge() authn.Challenge { return authn.Challenge{Method: "ticket"} }
func (s ticketServer) Verify(r authn.Response) (map[string]any, error) {
	if !authn.TicketVerify(s.ticket, r.Signature) {
		return nil, authn.ErrProof
	}
	return nil, nil
}

type signServer struct{ *authn.CryptosignServer }

func (s signServer) Verify(r authn.Response) (map[string]any, error) {
	return nil, s.CryptosignServer.Verify(r)
}

// login plays a whole login.
func login(t testing.TB, auth authn.Authenticator, accept func(h authn.Hello) (acceptor, error)) error {
	t.Helper()
	a, h := begin(t, auth, joe)
	s, err := accept(h)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Challenge(context.Background(), s.Challenge())
	if err != nil {
		return err
	}
	extra, err := s.Verify(r)
	if err != nil {
		return err
	}
	return a.Welcome(welcome(extra))
}

// One table for each method and its accepting side: the right secret, and a
// wrong one.
func TestLogins(t *testing.T) {
	cra := func(s authn.CRASecret) func(authn.Hello) (acceptor, error) {
		return func(h authn.Hello) (acceptor, error) {
			return craServer{s, authn.NewCRAChallenge(h.AuthID, "user", "test", 7, "2026-01-02T03:04:05.678Z")}, nil
		}
	}
	scram := func(r authn.SCRAMRecord, o ...authn.SCRAMOption) func(authn.Hello) (acceptor, error) {
		return func(h authn.Hello) (acceptor, error) { return authn.NewSCRAMServer(r, h, nil, o...) }
	}
	sign := func(h authn.Hello) (acceptor, error) {
		s, err := authn.NewCryptosignServer(h, seed(9), nil)
		if err == nil && h.AuthID == "joe" && !s.Key.Equal(public(seed(1))) {
			return signServer{s}, nil // the wrong key: the proof is right, the key is not joe's
		}
		return signServer{s}, err
	}
	salted, err := authn.NewCRASecret("password", authn.CRAParams{Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	dialect := authn.CrossbarDialect()
	argon := authn.SCRAMParams{Memory: 1 << 10, Iterations: 8}
	for _, tt := range []struct {
		name         string
		right, wrong authn.Authenticator
		accept       func(authn.Hello) (acceptor, error)
	}{
		{"ticket", authn.Ticket("joe", "t"), authn.Ticket("joe", "u"), func(authn.Hello) (acceptor, error) { return ticketServer{"t"}, nil }},
		{"cra plain", authn.CRA("joe", "secret"), authn.CRA("joe", "Secret"), cra(authn.CRASecret{Key: "secret"})},
		{"cra salted", authn.CRA("joe", "password", authn.RequireSalt()), authn.CRA("joe", "passwort"), cra(salted)},
		{"scram pbkdf2", authn.SCRAM("joe", "password"), authn.SCRAM("joe", "passwort"), scram(record(t, "password", cheap))},
		{"scram argon2", authn.SCRAM("joe", "password"), authn.SCRAM("joe", "passwort"), scram(record(t, "password", argon))},
		{"scram, name and password prepared", authn.SCRAM("jo\u00ade,=", "I\u00adX"), authn.SCRAM("joe,=", "ix"), scram(record(t, "\u2168", cheap))},
		{"scram pbkdf2, Crossbar", authn.SCRAM("joe", "password", dialect), authn.SCRAM("joe", "passwort", dialect), scram(record(t, "password", cheap, dialect), dialect)},
		{"scram argon2, Crossbar", authn.SCRAM("joe", "password", dialect), authn.SCRAM("joe", "password", dialect, authn.RawKeys()), scram(record(t, "password", argon, dialect), dialect)},
		{"scram argon2, Crossbar with raw keys", authn.SCRAM("joe", "password", dialect, authn.RawKeys()), authn.SCRAM("joe", "password", dialect), scram(record(t, "password", argon), dialect)},
		{"cryptosign", authn.Cryptosign("", seed(1)), nil, sign},
		{"cryptosign, router proves itself", authn.Cryptosign("joe", seed(1), authn.RouterKey(public(seed(8)), public(seed(9)))), nil, sign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := login(t, tt.right, tt.accept); err != nil {
				t.Error(err)
			}
			if tt.wrong == nil {
				return
			}
			if err := login(t, tt.wrong, tt.accept); !errors.Is(err, authn.ErrProof) {
				t.Errorf("wrong secret: %v", err)
			}
		})
	}
}

// What a broken or hostile client sends does not get in.
func TestAcceptingSideRefuses(t *testing.T) {
	r := record(t, "password", cheap)
	hello := func(kv ...any) authn.Hello {
		h := authn.Hello{AuthID: "joe", Extra: map[string]any{"nonce": "abc"}}
		for i := 0; i < len(kv); i += 2 {
			h.Extra[kv[i].(string)] = kv[i+1]
		}
		return h
	}
	for name, h := range map[string]authn.Hello{
		"no authid": {Extra: map[string]any{"nonce": "abc"}}, "no nonce": {AuthID: "joe"}, "nonce of another type": hello("nonce", 5),
		"nonce with a comma": hello("nonce", "a,b"), "nonce too long": hello("nonce", strings.Repeat("a", 9000)), "binding not known here": hello("channel_binding", "tls-unique"),
	} {
		if _, err := authn.NewSCRAMServer(r, h, nil); err == nil {
			t.Error(name)
		}
	}
	if _, err := authn.NewSCRAMServer(r, hello("nonce", "=="), nil, authn.CrossbarDialect()); err == nil {
		t.Error("nonce that is no base64")
	}
	s, err := authn.NewSCRAMServer(r, hello(), nil)
	if err != nil {
		t.Fatal(err)
	}
	nonce := s.Challenge().Extra.Str("nonce")
	for name, r := range map[string]authn.Response{
		"nothing": {}, "no nonce": {Signature: strings.Repeat("A", 43) + "="}, "no base64": {Signature: "%", Extra: map[string]any{"nonce": nonce}},
		"all zero": {Signature: strings.Repeat("A", 43) + "=", Extra: map[string]any{"nonce": nonce}},
		"binding":  {Signature: "", Extra: map[string]any{"nonce": nonce, "channel_binding": "tls-unique"}},
	} {
		if _, err := s.Verify(r); !errors.Is(err, authn.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, extra := range map[string]map[string]any{
		"short key": {"pubkey": "00"}, "key of another type": {"pubkey": 1}, "binding not known": {"channel_binding": "tls-unique"}, "short challenge": {"challenge": "00"},
	} {
		if _, err := authn.NewCryptosignServer(authn.Hello{Extra: extra}, seed(9), nil); err == nil {
			t.Error(name)
		}
	}
	c, err := authn.NewCryptosignServer(authn.Hello{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Verify(authn.Response{}); !errors.Is(err, authn.ErrProof) {
		t.Errorf("no key: %v", err)
	}
	if err := (authn.CRASecret{}).Verify("{}", authn.Response{Signature: authn.CRASign("", "{}")}); !errors.Is(err, authn.ErrProof) {
		t.Errorf("empty secret: %v", err)
	}
	if authn.TicketVerify("", "") {
		t.Error("empty ticket")
	}
}

// A principal that does not exist looks like one that does.
func TestMockSCRAMRecord(t *testing.T) {
	secret := []byte("of the router")
	a, err := authn.MockSCRAMRecord("nobody", secret, cheap)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := authn.MockSCRAMRecord("nobody", secret, cheap)
	c, _ := authn.MockSCRAMRecord("nobody else", secret, cheap)
	if string(a.Salt) != string(b.Salt) || string(a.Salt) == string(c.Salt) || len(a.Salt) != 16 || a.Iterations != 4096 {
		t.Errorf("salts %x %x %x", a.Salt, b.Salt, c.Salt)
	}
	err = login(t, authn.SCRAM("nobody", "x"), func(h authn.Hello) (acceptor, error) { return authn.NewSCRAMServer(a, h, nil) })
	if !errors.Is(err, authn.ErrProof) {
		t.Error(err)
	}
}

// RFC 7677 section 3, the exchange of SCRAM-SHA-256, without a file.
func TestSCRAMOfRFC7677(t *testing.T) {
	a, _ := begin(t, authn.SCRAM("user", "pencil"), joe)
	authn.SetSCRAM(a, "rOprNGfwEbeRWgbNEkqO", authn.NoBinding, nil)
	r, err := a.Challenge(t.Context(), authn.Challenge{Method: "wamp-scram", Extra: dict(
		"nonce", "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "salt", "W22ZaJ0SNY7soEsUEjb6gQ==", "kdf", "pbkdf2", "iterations", int64(4096))})
	if err != nil || r.Signature != "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" {
		t.Fatalf("%s, %v", r.Signature, err)
	}
	if err := a.Welcome(welcome(map[string]any{"verifier": "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="})); err != nil {
		t.Error(err)
	}
}

// RFC 8032 section 7.1, test 1: seed and public key.
func TestCryptosignHexOfRFC8032(t *testing.T) {
	const seed, public = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	for _, key := range []string{seed, seed + public, "\n" + strings.ToUpper(seed) + "\n"} {
		auth, err := authn.CryptosignHex("", key)
		if err != nil {
			t.Fatal(err)
		}
		if _, h := begin(t, auth, joe); h.Extra["pubkey"] != public {
			t.Errorf("public key %v", h.Extra["pubkey"])
		}
	}
	for _, key := range []string{"", "00", seed[1:], seed + seed, strings.Repeat("x", 64)} {
		if _, err := authn.CryptosignHex("", key); !is[*authn.CredentialError](err) || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("%d digits: %v", len(key), err)
		}
	}
}
