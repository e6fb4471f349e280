package authn_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
)

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
