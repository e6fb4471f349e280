package accept_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

// What goes into a Crossbar configuration, against records that another
// implementation made: testdata/interop/tools/mkprincipals.py, with which a real
// node runs.
func TestCrossbarRecords(t *testing.T) {
	text, err := os.ReadFile("../../../testdata/interop/principals.json")
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		SCRAM map[string]struct {
			KDF, Password, Salt string
			Iterations, Memory  int
			Hex                 string `json:"salt_hex"`
			Form                string `json:"salted_form"`
			Stored              string `json:"stored-key"`
			Server              string `json:"server-key"`
		} `json:"scram"`
		CRA map[string]struct {
			Secret, Salt       string
			Iterations, KeyLen int
			Derived            string `json:"derived_b64"`
		} `json:"wampcra"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.SCRAM) < 3 || len(p.CRA) < 2 {
		t.Fatalf("%d and %d records", len(p.SCRAM), len(p.CRA))
	}
	for name, want := range p.SCRAM {
		salt, err := hex.DecodeString(want.Hex)
		if err != nil {
			t.Fatal(err)
		}
		params := accept.SCRAMParams{KDF: authn.PBKDF2, Salt: salt, Iterations: want.Iterations, Memory: want.Memory}
		if want.KDF == "argon2id-13" {
			params.KDF = authn.Argon2id13
		}
		options := []accept.SCRAMOption{accept.CrossbarDialect()}
		if want.Form == "raw" {
			options = append(options, accept.RawKeys())
		}
		got := record(t, want.Password, params, options...).Crossbar("app")
		for key, v := range map[string]any{
			"kdf": want.KDF, "iterations": want.Iterations, "memory": want.Memory, "salt": want.Hex,
			"stored-key": want.Stored, "server-key": want.Server, "role": "app",
		} {
			if got[key] != v {
				t.Errorf("%s: %s is %v, want %v", name, key, got[key], v)
			}
		}
	}
	for name, want := range p.CRA {
		if want.Salt == "" {
			continue
		}
		got, err := accept.NewCRASecret(want.Secret, accept.CRAParams{Salt: want.Salt, Iterations: want.Iterations, KeyLen: want.KeyLen})
		if err != nil || got.Key != want.Derived {
			t.Errorf("%s: the key is wrong, %v", name, err)
		}
		entry := accept.CrossbarCRA(want.Secret, "app", accept.CRAParams{Salt: want.Salt, Iterations: want.Iterations, KeyLen: want.KeyLen})
		if entry["secret"] != want.Secret || entry["salt"] != want.Salt || entry["iterations"] != want.Iterations || entry["keylen"] != want.KeyLen {
			t.Errorf("%s: %v", name, entry)
		}
	}
}
