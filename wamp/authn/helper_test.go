package authn_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// joe joins over a private connection.
var joe = authn.JoinInfo{Realm: "realm1", Private: true}

func begin(t testing.TB, auth authn.Authenticator, info authn.JoinInfo) (authn.Attempt, authn.Hello) {
	t.Helper()
	a, err := auth.Begin(context.Background(), info)
	if err != nil {
		t.Fatal(err)
	}
	var h authn.Hello
	if err := a.Hello(&h); err != nil {
		t.Fatal(err)
	}
	return a, h
}

func dict(kv ...any) proto.Dict {
	var d proto.Dict
	for i := 0; i < len(kv); i += 2 {
		d = append(d, proto.Entry{Key: kv[i].(string), Value: kv[i+1]})
	}
	return d
}

func welcome(extra map[string]any) authn.Welcome {
	return authn.Welcome{Session: 1, Details: dict("authextra", extra)}
}

func is[T error](err error) bool {
	var e T
	return errors.As(err, &e)
}

func seed(b byte) ed25519.PrivateKey {
	s := make([]byte, ed25519.SeedSize)
	s[0] = b
	return ed25519.NewKeyFromSeed(s)
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// cheap is a SCRAM record that costs a test little.
var cheap = authn.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096}

func record(t testing.TB, password string, p authn.SCRAMParams, o ...authn.SCRAMOption) authn.SCRAMRecord {
	t.Helper()
	r, err := authn.NewSCRAMRecord(password, p, o...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
