package authn_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// extraOf reads JSON as the extra of a challenge, with the plain types that a
// codec gives.
func extraOf(data []byte) (proto.Dict, bool) {
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
		t.Errorf("the error has %d octets", len(err.Error()))
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

// The accepting side: nobody gets in who does not have the secret.
func FuzzAcceptingSide(f *testing.F) {
	r, err := authn.NewSCRAMRecord("password", cheap)
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
		for _, o := range [][]authn.SCRAMOption{nil, {authn.CrossbarDialect()}} {
			s, err := authn.NewSCRAMServer(r, in, nil, o...)
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
		if s, err := authn.NewCryptosignServer(in, seed(9), nil); err == nil {
			if err := s.Verify(authn.Response{Signature: signature}); err == nil {
				t.Error("cryptosign: let in")
			}
		}
		if err := (authn.CRASecret{Key: "password"}).Verify(craText, authn.Response{Signature: signature}); err == nil && signature != authn.CRASign("password", craText) {
			t.Error("CRA: let in")
		}
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

func FuzzSASLprep(f *testing.F) {
	for _, s := range []string{"", "user", "I\u00adX", "\u2168", "\u0627\u0031", "a\xff", "\U0001f600", "Straße"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, ok := authn.SASLprep(s)
		if !ok {
			return
		}
		if twice, ok := authn.SASLprep(once); !ok || twice != once {
			t.Errorf("%q becomes %q becomes %q (%v)", s, once, twice, ok)
		}
	})
}
