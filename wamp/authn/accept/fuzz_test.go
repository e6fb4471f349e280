package accept_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

// Nobody gets in who does not have the secret.
func FuzzAccept(f *testing.F) {
	r, err := accept.NewSCRAMRecord("password", cheap)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, authid, hello, signature, auth string) {
		h, ok := extraOf([]byte(hello))
		if !ok {
			return
		}
		answer, _ := extraOf([]byte(auth))
		in := authn.Hello{AuthID: authid, Extra: h.Map()}
		for _, o := range [][]accept.SCRAMOption{nil, {accept.CrossbarDialect()}} {
			s, err := accept.SCRAM(r, in, nil, o...)
			if err != nil {
				continue
			}
			out := answer.Map()
			if len(o) == 0 {
				out["nonce"] = s.Challenge().Extra.Str("nonce")
			}
			if _, err := s.Verify(authn.Response{Signature: signature, Extra: out}); err == nil {
				t.Error("SCRAM: let in")
			}
		}
		if s, err := accept.Cryptosign(in, seed(9), nil); err == nil {
			if err := s.Verify(authn.Response{Signature: signature}); err == nil {
				t.Error("cryptosign: let in")
			}
		}
		if err := (accept.CRASecret{Key: "password"}).Verify(craText, authn.Response{Signature: signature}); err == nil && signature != accept.CRASignature("password", craText) {
			t.Error("CRA: let in")
		}
	})
}
