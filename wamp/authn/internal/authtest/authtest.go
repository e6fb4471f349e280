// Package authtest has what the tests of packages authn and accept share: small
// values, a whole login without a connection, and printers that look for
// secrets. Only tests import it.
package authtest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Joe joins over a private connection.
var Joe = authn.JoinInfo{Realm: "realm1", Private: true}

// CRAText is the text of a challenge of WAMP-CRA.
const CRAText = `{"nonce":"n","authid":"joe"}`

// Cheap are parameters of a SCRAM record that costs a test little.
var Cheap = accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096}

// Begin begins a join and returns its HELLO.
func Begin(t testing.TB, auth authn.Authenticator, info authn.JoinInfo) (authn.Attempt, authn.Hello) {
	t.Helper()
	a, err := auth.Begin(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	var h authn.Hello
	if err := a.Hello(&h); err != nil {
		t.Fatal(err)
	}
	return a, h
}

// Dict makes a dict of keys and values.
func Dict(kv ...any) proto.Dict {
	var d proto.Dict
	for i := 0; i < len(kv); i += 2 {
		d = append(d, proto.Entry{Key: kv[i].(string), Value: kv[i+1]})
	}
	return d
}

// Extra reads JSON as the extra of a message, with the plain types that a codec
// gives.
func Extra(data []byte) (proto.Dict, bool) {
	var m map[string]any
	if json.Unmarshal(data, &m) != nil {
		return nil, false
	}
	var d proto.Dict
	for k, v := range m {
		if f, ok := v.(float64); ok && f == float64(int64(f)) {
			v = int64(f)
		}
		d = append(d, proto.Entry{Key: k, Value: v})
	}
	return d, true
}

// Welcome returns a WELCOME with this authextra.
func Welcome(extra map[string]any) authn.Welcome {
	return authn.Welcome{Session: 1, Details: Dict(proto.KeyAuthExtra, extra)}
}

// Is reports whether a T is in the tree of err.
func Is[T error](err error) bool {
	var e T
	return errors.As(err, &e)
}

// Seed returns a key for each number.
func Seed(b byte) ed25519.PrivateKey {
	s := make([]byte, ed25519.SeedSize)
	s[0] = b
	return ed25519.NewKeyFromSeed(s)
}

// Public returns the public half of a key.
func Public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// Record makes a SCRAM record.
func Record(t testing.TB, password string, p accept.SCRAMParams, o ...accept.SCRAMOption) accept.SCRAMRecord {
	t.Helper()
	r, err := accept.NewSCRAMRecord(password, p, o...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Acceptor is the router's side of one login.
type Acceptor interface {
	Challenge() authn.Challenge
	Verify(r authn.Response) (map[string]any, error)
}

// CRA is the router's side of WAMP-CRA.
type CRA struct {
	Secret accept.CRASecret
	Text   string
}

// Challenge implements Acceptor.
func (s CRA) Challenge() authn.Challenge { return s.Secret.Challenge(s.Text) }

// Verify implements Acceptor.
func (s CRA) Verify(r authn.Response) (map[string]any, error) {
	return nil, s.Secret.Verify(s.Text, r)
}

// Ticket is the router's side of a ticket.
type Ticket string

// Challenge implements Acceptor.
func (s Ticket) Challenge() authn.Challenge { return authn.Challenge{Method: "ticket"} }

// Verify implements Acceptor.
func (s Ticket) Verify(r authn.Response) (map[string]any, error) {
	if !accept.Ticket(string(s), r.Signature) {
		return nil, accept.ErrProof
	}
	return nil, nil
}

// Cryptosign is the router's side of WAMP-Cryptosign.
type Cryptosign struct{ *accept.CryptosignLogin }

// Verify implements Acceptor.
func (s Cryptosign) Verify(r authn.Response) (map[string]any, error) {
	return nil, s.CryptosignLogin.Verify(r)
}

// Login plays a whole login of Joe.
func Login(t testing.TB, auth authn.Authenticator, router func(h authn.Hello) (Acceptor, error)) error {
	t.Helper()
	a, h := Begin(t, auth, Joe)
	s, err := router(h)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Challenge(t.Context(), s.Challenge())
	if err != nil {
		return err
	}
	extra, err := s.Verify(r)
	if err != nil {
		return err
	}
	return a.Welcome(Welcome(extra))
}

// MustNotShow fails if any printer shows one of the secrets in v, in whatever
// form.
func MustNotShow(t testing.TB, v any, secrets ...string) {
	t.Helper()
	text := shown(v)
	for _, s := range leaks(secrets...) {
		if strings.Contains(text, s) {
			t.Errorf("%T shows %q in\n%s", v, s, text)
		}
	}
}

// shown is what every printer makes of a value.
func shown(v any) string {
	var b strings.Builder
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%t", "%08b"}
	switch v.(type) {
	case authn.Authenticator, authn.Attempt:
		verbs = append(verbs, "%p") // fmt asks no method for it; in data with exported fields it shows them
	}
	for _, verb := range verbs {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	fmt.Fprintln(&b, v, []any{v}, map[string]any{"k": v}, struct{ V any }{v}, &struct{ V any }{v})
	fmt.Fprintf(&b, "%+v %#v\n", []any{v}, struct{ V any }{v})
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	return b.String() + text.String() + js.String()
}

// leaks are the forms in which a secret could turn up.
func leaks(secrets ...string) []string {
	var out []string
	for _, s := range secrets {
		out = append(out, s, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))), base64.StdEncoding.EncodeToString([]byte(s))[:len(s)],
			strings.Trim(fmt.Sprint([]byte(s)), "[]"), strings.Trim(fmt.Sprintf("%#v", []byte(s)), "[]byte{}"))
	}
	return out
}
