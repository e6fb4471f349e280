//go:build vectors

package authn_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

type vectors struct {
	CRA []struct {
		Name, Challenge, Secret, Signature, Salt string
		Iterations, KeyLen                       int
		Derived                                  string `json:"derived_key"`
		Verified                                 bool
	} `json:"wampcra"`
	SCRAM []struct {
		Name, KDF, Password, AuthID, Nonce, Salt string
		Iterations                               int64
		Memory                                   *int64
		ClientNonce                              string `json:"client_nonce"`
		AuthMessage                              string `json:"auth_message"`
		Salted                                   string `json:"salted_password"`
		ClientKey                                string `json:"client_key"`
		StoredKey                                string `json:"stored_key"`
		ServerKey                                string `json:"server_key"`
		Proof                                    string `json:"client_proof"`
		Verifier                                 string `json:"server_signature"`
		Binding                                  string `json:"channel_binding"`
		Data                                     string `json:"cbind_data"`
		Quirk                                    string `json:"crossbar_quirk"`
	} `json:"wamp_scram"`
	Sign, Verify []struct {
		Name, Challenge, Signature, Who string
		Channel                         string `json:"channel_id"`
		Private                         string `json:"private_key"`
		Public                          string `json:"public_key"`
		Verified                        bool
	}
}

func load(t *testing.T) vectors {
	t.Helper()
	dir := os.Getenv("WAMP_VECTORS")
	if dir == "" {
		t.Fatal("WAMP_VECTORS is not set")
	}
	data, err := os.ReadFile(filepath.Join(dir, "spec-examples.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	var sign struct {
		Sign   json.RawMessage `json:"cryptosign_sign"`
		Verify json.RawMessage `json:"cryptosign_verify"`
	}
	for _, err := range []error{
		json.Unmarshal(data, &v), json.Unmarshal(data, &sign),
		json.Unmarshal(sign.Sign, &v.Sign), json.Unmarshal(sign.Verify, &v.Verify),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectorCRA(t *testing.T) {
	n := 0
	for _, v := range load(t).CRA {
		if !v.Verified { // the text gives a signature without its secret
			continue
		}
		n++
		t.Run(v.Name, func(t *testing.T) {
			extra := dict("challenge", v.Challenge)
			if v.Salt != "" {
				extra = append(extra, dict("salt", v.Salt, "iterations", int64(v.Iterations), "keylen", int64(v.KeyLen))...)
				if key, err := accept.CRAKey(v.Secret, v.Salt, v.Iterations, v.KeyLen); key != v.Derived || err != nil {
					t.Errorf("key %s, %v", key, err)
				}
			}
			a, _ := begin(t, authn.CRA("peter", v.Secret, authn.WithLimits(authn.Limits{MinIterations: 1})), joe)
			r, err := a.Challenge(t.Context(), authn.Challenge{Method: "wampcra", Extra: extra})
			if err != nil || r.Signature != v.Signature {
				t.Errorf("signature %s, %v", r.Signature, err)
			}
		})
	}
	if n != 3 {
		t.Errorf("%d vectors", n)
	}
}

func TestVectorSCRAM(t *testing.T) {
	all := load(t).SCRAM
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			var options []authn.SCRAMOption
			method, key := "wamp-scram", "verifier"
			if v.Quirk != "" {
				options = append(options, authn.CrossbarDialect())
				method, key = "scram", "scram_server_signature"
			}
			var memory any
			if v.Memory != nil {
				memory = *v.Memory
			}
			data, err := base64.StdEncoding.DecodeString(v.Data)
			if err != nil {
				t.Fatal(err)
			}
			c := authn.Challenge{Method: method, Extra: dict("nonce", v.Nonce, "salt", v.Salt, "kdf", v.KDF, "iterations", v.Iterations, "memory", memory)}
			message, salted, client, stored, server, err := authn.SCRAMSteps(v.AuthID, v.Password, v.ClientNonce, c, authn.Binding(v.Binding), data, options...)
			if err != nil {
				t.Fatal(err)
			}
			if message != v.AuthMessage {
				t.Errorf("message\n%s\n%s", message, v.AuthMessage)
			}
			for i, b := range [][]byte{salted, client, stored, server} {
				if want := []string{v.Salted, v.ClientKey, v.StoredKey, v.ServerKey}[i]; hex.EncodeToString(b) != want {
					t.Errorf("step %d: %x, want %s", i, b, want)
				}
			}
			a, _ := begin(t, authn.SCRAM(v.AuthID, v.Password, options...), joe)
			authn.SetSCRAM(a, v.ClientNonce, authn.Binding(v.Binding), data)
			r, err := a.Challenge(t.Context(), c)
			if err != nil || r.Signature != v.Proof {
				t.Errorf("proof %s, %v", r.Signature, err)
			}
			if err := a.Welcome(welcome(map[string]any{key: v.Verifier})); err != nil {
				t.Errorf("verifier: %v", err)
			}
		})
	}
	if len(all) != 10 {
		t.Errorf("%d vectors", len(all))
	}
}

func TestVectorCryptosign(t *testing.T) {
	v := load(t)
	for _, s := range v.Sign {
		auth, err := authn.CryptosignHex("", s.Private)
		if err != nil {
			t.Fatal(err)
		}
		a, h := begin(t, auth, joe)
		if h.Extra["pubkey"] != s.Public {
			t.Errorf("public key %v", h.Extra["pubkey"])
		}
		extra := dict("challenge", s.Challenge)
		if s.Channel != "" {
			authn.SetCryptosign(a, authn.TLSUnique, unhex(t, s.Channel), nil)
			extra = append(extra, dict("channel_binding", "tls-unique")...)
		}
		r, err := a.Challenge(t.Context(), authn.Challenge{Method: "cryptosign", Extra: extra})
		if err != nil || r.Signature != s.Signature {
			t.Errorf("signature %s, %v", r.Signature, err)
		}
		if err := accept.CryptosignVerify(unhex(t, s.Public), unhex(t, s.Challenge), unhex(t, s.Channel), s.Signature); err != nil {
			t.Error(err)
		}
	}
	for _, s := range v.Verify {
		if err := accept.CryptosignVerify(unhex(t, s.Public), unhex(t, s.Challenge), unhex(t, s.Channel), s.Signature); err != nil {
			t.Errorf("%s, %s: %v", s.Name, s.Who, err)
		}
		if s.Who != "router" {
			continue
		}
		// the same through a client that asked this router
		a, _ := begin(t, authn.Cryptosign("", seed(1), authn.RouterKey(unhex(t, s.Public))), joe)
		extra := dict("challenge", hex.EncodeToString(make([]byte, 32)), "pubkey", s.Public, "signature", s.Signature)
		authn.SetCryptosign(a, authn.TLSUnique, unhex(t, s.Channel), unhex(t, s.Challenge))
		if s.Channel != "" {
			extra = append(extra, dict("channel_binding", "tls-unique")...)
		}
		if _, err := a.Challenge(t.Context(), authn.Challenge{Method: "cryptosign", Extra: extra}); err != nil {
			t.Errorf("%s, router: %v", s.Name, err)
		}
	}
	if len(v.Sign) != 6 || len(v.Verify) != 7 {
		t.Errorf("%d and %d vectors", len(v.Sign), len(v.Verify))
	}
}
