package accept_test

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/authtest"
)

func TestSCRAM(t *testing.T) {
	dialect, ours := authn.CrossbarDialect(), accept.CrossbarDialect()
	argon := accept.SCRAMParams{Memory: 1 << 10, Iterations: 8}
	for _, tt := range []struct {
		name         string
		right, wrong authn.Authenticator
		record       accept.SCRAMRecord
		options      []accept.SCRAMOption
	}{
		{"pbkdf2", authn.SCRAM("joe", "password"), authn.SCRAM("joe", "passwort"), record(t, "password", cheap), nil},
		{"argon2", authn.SCRAM("joe", "password"), authn.SCRAM("joe", "passwort"), record(t, "password", argon), nil},
		{"name and password prepared", authn.SCRAM("jo\u00ade,=", "I\u00adX"), authn.SCRAM("joe,=", "ix"), record(t, "\u2168", cheap), nil},
		{"pbkdf2, Crossbar", authn.SCRAM("joe", "password", dialect), authn.SCRAM("joe", "passwort", dialect),
			record(t, "password", cheap, ours), []accept.SCRAMOption{ours}},
		{"argon2, Crossbar", authn.SCRAM("joe", "password", dialect), authn.SCRAM("joe", "password", dialect, authn.RawKeys()),
			record(t, "password", argon, ours), []accept.SCRAMOption{ours}},
		{"argon2, Crossbar with raw keys", authn.SCRAM("joe", "password", dialect, authn.RawKeys()), authn.SCRAM("joe", "password", dialect),
			record(t, "password", argon, ours, accept.RawKeys()), []accept.SCRAMOption{ours}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inAndOut(t, func(h authn.Hello) (acceptor, error) {
				if method := accept.SCRAMMethod(tt.options...); h.Methods[0] != method {
					t.Errorf("the method is %s, the client's %s", method, h.Methods[0])
				}
				return accept.SCRAM(tt.record, h, nil, tt.options...)
			}, tt.right, tt.wrong)
		})
	}
}

// What a broken or hostile client sends does not get in.
func TestSCRAMRefuses(t *testing.T) {
	r := record(t, "password", cheap)
	hello := func(kv ...any) authn.Hello {
		h := authn.Hello{AuthID: "joe", Extra: map[string]any{"nonce": "abc"}}
		for i := 0; i < len(kv); i += 2 {
			h.Extra[kv[i].(string)] = kv[i+1]
		}
		return h
	}
	odd := is[*accept.HelloError]
	for name, tt := range map[string]struct {
		h       authn.Hello
		want    func(error) bool
		options []accept.SCRAMOption
	}{
		"no authid":                {authn.Hello{Extra: map[string]any{"nonce": "abc"}}, odd, nil},
		"authid not prepared":      {authn.Hello{AuthID: "a\u0007", Extra: map[string]any{"nonce": "abc"}}, odd, nil},
		"no nonce":                 {authn.Hello{AuthID: "joe"}, odd, nil},
		"nonce of another type":    {hello("nonce", 5), odd, nil},
		"nonce with a comma":       {hello("nonce", "a,b"), odd, nil},
		"nonce too long":           {hello("nonce", strings.Repeat("a", 9000)), odd, nil},
		"nonce that is no base64":  {hello("nonce", "=="), odd, []accept.SCRAMOption{accept.CrossbarDialect()}},
		"binding not known here":   {hello("channel_binding", "tls-unique"), is[*authn.BindingError], nil},
		"binding without an end":   {hello("channel_binding", strings.Repeat("x", 1<<20)), is[*authn.BindingError], nil},
		"authid too long to print": {authn.Hello{AuthID: strings.Repeat("x", 1<<20)}, odd, nil},
	} {
		l, err := accept.SCRAM(r, tt.h, nil, tt.options...)
		if !tt.want(err) || l != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
	l, err := accept.SCRAM(r, hello(), nil)
	if err != nil {
		t.Fatal(err)
	}
	nonce := l.Challenge().Extra.Str("nonce")
	for name, r := range map[string]authn.Response{
		"nothing": {}, "no nonce": {Signature: strings.Repeat("A", 43) + "="}, "no base64": {Signature: "%", Extra: map[string]any{"nonce": nonce}},
		"all zero": {Signature: strings.Repeat("A", 43) + "=", Extra: map[string]any{"nonce": nonce}},
		"binding":  {Signature: "", Extra: map[string]any{"nonce": nonce, "channel_binding": "tls-unique"}},
	} {
		if _, err := l.Verify(r); !errors.Is(err, accept.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, p := range []accept.SCRAMParams{{KDF: "bcrypt"}, {KDF: authn.PBKDF2, Iterations: -1}, {Memory: -1}} {
		if _, err := accept.NewSCRAMRecord("p", p); !is[*authn.ConfigError](err) {
			t.Errorf("%v", err)
		}
	}
	if _, err := accept.NewSCRAMRecord("\u0007", cheap); !is[*authn.CredentialError](err) {
		t.Errorf("password not prepared: %v", err)
	}
	if _, err := accept.NewSCRAMRecord("", cheap, accept.CrossbarDialect()); !is[*authn.CredentialError](err) {
		t.Errorf("no password: %v", err)
	}
}

// A right proof is refused where what is said beside it is wrong.
func TestSCRAMRefusesBesideTheProof(t *testing.T) {
	r := record(t, "password", cheap)
	cs := &tls.ConnectionState{TLSUnique: []byte("data")}
	a, h := authtest.Begin(t, authn.SCRAM("joe", "password", authn.BindChannel(authn.TLSUnique)), authn.JoinInfo{TLS: cs})
	l, err := accept.SCRAM(r, h, func(b authn.Binding) ([]byte, error) { return authn.BindingData(cs, b) })
	if err != nil {
		t.Fatal(err)
	}
	good, err := a.Challenge(t.Context(), l.Challenge())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Verify(good); err != nil {
		t.Fatalf("the right answer: %v", err)
	}
	for key, v := range map[string]any{"nonce": "another", "channel_binding": nil, "cbind_data": "b3RoZXI="} {
		bad := authn.Response{Signature: good.Signature, Extra: maps.Clone(good.Extra)}
		bad.Extra[key] = v
		if _, err := l.Verify(bad); !errors.Is(err, accept.ErrProof) {
			t.Errorf("%s %v: %v", key, v, err)
		}
	}
	proof, err := base64.StdEncoding.DecodeString(good.Signature)
	if err != nil {
		t.Fatal(err)
	}
	good.Signature = base64.StdEncoding.EncodeToString(append(proof, 0))
	if _, err := l.Verify(good); !errors.Is(err, accept.ErrProof) {
		t.Errorf("a proof that goes on: %v", err)
	}
}

// A principal that does not exist looks like one that does.
func TestMockSCRAMRecord(t *testing.T) {
	secret := []byte("of the router")
	a, err := accept.MockSCRAMRecord("nobody", secret, cheap)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := accept.MockSCRAMRecord("nobody", secret, cheap)
	c, _ := accept.MockSCRAMRecord("nobody else", secret, cheap)
	if string(a.Salt) != string(b.Salt) || string(a.Salt) == string(c.Salt) || len(a.Salt) != 16 || a.Iterations != 4096 {
		t.Errorf("salts %x %x %x", a.Salt, b.Salt, c.Salt)
	}
	err = login(t, authn.SCRAM("nobody", "x"), func(h authn.Hello) (acceptor, error) { return accept.SCRAM(a, h, nil) })
	if !errors.Is(err, accept.ErrProof) {
		t.Error(err)
	}
}
