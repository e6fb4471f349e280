package authn_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/authn"
)

// entry prints what goes into a Crossbar configuration; JSON is YAML, too.
func entry(m map[string]any) {
	text, err := json.Marshal(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(text))
}

// An entry of auth.scram.principals. The salt is given only so that the example
// has the same output each time: left out, it is a random one.
func ExampleSCRAMRecord_Crossbar() {
	record, err := authn.NewSCRAMRecord("password", authn.SCRAMParams{Salt: []byte("0123456789abcdef"), Iterations: 3, Memory: 4096},
		authn.CrossbarDialect())
	if err != nil {
		fmt.Println(err)
		return
	}
	entry(record.Crossbar("user"))
	// Output: {"iterations":3,"kdf":"argon2id-13","memory":4096,"role":"user","salt":"30313233343536373839616263646566","server-key":"cf2bcfc940d13f2e2e78958d8a9b77f35b2abd5a1b995baf230d069b8dd5f5d5","stored-key":"aa8baf2ab22abdff11c9e6eb02f42a2df029caede1d1c90b5130498de6089ebc"}
}

// An entry of auth.wampcra.users.
func ExampleCrossbarCRA() {
	entry(authn.CrossbarCRA("password", "user", authn.CRAParams{Salt: "a random text"}))
	// Output: {"iterations":100000,"keylen":32,"role":"user","salt":"a random text","secret":"password"}
}

// What a router of one's own keeps in place of the password.
func ExampleNewCRASecret() {
	secret, err := authn.NewCRASecret("password", authn.CRAParams{Salt: "a random text"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret) // never its key
	text := authn.NewCRAChallenge("joe", "user", "static", 7, "2026-01-02T03:04:05.678Z")
	fmt.Println(secret.Verify(text, authn.Response{Signature: authn.CRASign(secret.Key, text)}))
	// Output:
	// authn.CRASecret{...}
	// <nil>
}

// An entry of auth.cryptosign.principals.
func ExampleCrossbarCryptosign() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	entry(authn.CrossbarCryptosign("realm1", "user", key.Public().(ed25519.PublicKey)))
	// Output: {"authorized_keys":["3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"],"realm":"realm1","role":"user"}
}

// An entry of auth.ticket.principals.
func ExampleCrossbarTicket() {
	entry(authn.CrossbarTicket("ticket", "user"))
	// Output: {"role":"user","ticket":"ticket"}
}
