package authn_test

import (
	"context"
	"encoding/hex"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
)

// small limits keep what is accepted cheap.
var small = authn.WithLimits(authn.Limits{MaxIterations: 5000, MaxMemory: 1 << 10, MaxPasses: 16, MaxWork: 16 << 10, MaxText: 1 << 10})

// fuzzChallenge: an answer comes without an error, or an error without an
// answer; it never panics; and without a proof of the router SCRAM lets nobody
// in.
func fuzzChallenge(t *testing.T, auth authn.Authenticator, method string, data []byte, fix func(authn.Attempt)) {
	extra, ok := extraOf(data)
	if !ok {
		return
	}
	a, _ := begin(t, auth, joe)
	if fix != nil {
		fix(a)
	}
	r, err := a.Challenge(context.Background(), authn.Challenge{Method: method, Extra: extra})
	if (err == nil) != (r.Signature != "") {
		t.Errorf("%q, %v", r.Signature, err)
	}
	if err != nil && len(err.Error()) > 1000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	if method == "wamp-scram" || method == "scram" {
		if a.Welcome(welcome(nil)) == nil {
			t.Error("let in")
		}
	}
}

func FuzzCRAChallenge(f *testing.F) {
	auth, salted := authn.CRA("joe", "password", small), authn.CRA("joe", "password", small, authn.RequireSalt())
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzChallenge(t, auth, "wampcra", data, nil)
		fuzzChallenge(t, salted, "wampcra", data, nil)
	})
}

func FuzzSCRAMChallenge(f *testing.F) {
	auth, crossbar := authn.SCRAM("joe", "password", small), authn.SCRAM("joe", "password", small, authn.CrossbarDialect())
	fix := func(a authn.Attempt) { authn.SetSCRAM(a, "AAECAwQFBgcICQoLDA0ODxAR", authn.NoBinding, nil) }
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzChallenge(t, auth, "wamp-scram", data, fix)
		fuzzChallenge(t, crossbar, "scram", data, fix)
	})
}

func FuzzCryptosignChallenge(f *testing.F) {
	auth, router := authn.Cryptosign("joe", seed(1)), authn.Cryptosign("joe", seed(1), authn.RouterKey(public(seed(9))))
	fix := func(a authn.Attempt) { authn.SetCryptosign(a, authn.NoBinding, nil, make([]byte, 32)) }
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzChallenge(t, auth, "cryptosign", data, nil)
		fuzzChallenge(t, router, "cryptosign", data, fix)
	})
}

func FuzzCryptosignHex(f *testing.F) {
	for _, s := range []string{"", "00", hex.EncodeToString(seed(1).Seed()), hex.EncodeToString(seed(1)), " \n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		auth, err := authn.CryptosignHex("", s)
		if (err == nil) == (auth == nil) {
			t.Errorf("%v, %v", auth, err)
		}
	})
}
