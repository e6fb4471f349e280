package accept_test

import (
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/authtest"
)

func TestCRA(t *testing.T) {
	salted, err := accept.NewCRASecret("password", accept.CRAParams{Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name         string
		right, wrong authn.Authenticator
		secret       accept.CRASecret
	}{
		{"plain", authn.CRA("joe", "secret"), authn.CRA("joe", "Secret"), accept.CRASecret{Key: "secret"}},
		{"salted", authn.CRA("joe", "password", authn.RequireSalt()), authn.CRA("joe", "passwort"), salted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inAndOut(t, func(h authn.Hello) (acceptor, error) {
				return authtest.CRA{Secret: tt.secret, Text: accept.NewCRAChallenge(h.AuthID, "user", "test", 7, "2026-01-02T03:04:05.678Z")}, nil
			}, tt.right, tt.wrong)
		})
	}
	if err := (accept.CRASecret{}).Verify("{}", authn.Response{Signature: accept.CRASignature("", "{}")}); !errors.Is(err, accept.ErrProof) {
		t.Errorf("empty secret: %v", err)
	}
	if _, err := accept.NewCRASecret("p", accept.CRAParams{Iterations: -1}); !is[*authn.ConfigError](err) {
		t.Errorf("%v", err)
	}
}
