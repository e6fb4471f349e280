package accept_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A router accepts a login with WAMP-SCRAM. HELLO, CHALLENGE, AUTHENTICATE and
// WELCOME go over a connection; here the client stands beside the router.
func Example() {
	// What the router keeps of joe. Left out, the parameters are Argon2id with
	// 64 MiB.
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	client, err := authn.SCRAM("joe", "password").Begin(ctx, authn.JoinInfo{Realm: "realm1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var hello authn.Hello
	if err := client.Hello(&hello); err != nil {
		fmt.Println(err)
		return
	}

	login, err := accept.SCRAM(record, hello, nil) // HELLO
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Challenge(ctx, login.Challenge()) // CHALLENGE
	if err != nil {
		fmt.Println(err)
		return
	}
	extra, err := login.Verify(answer) // AUTHENTICATE
	if errors.Is(err, accept.ErrProof) {
		fmt.Println("ABORT")
		return
	}
	// The client checks that the router knows the password, too.
	err = client.Welcome(authn.Welcome{Session: 7, Details: proto.Dict{{Key: "authextra", Value: extra}}})
	fmt.Println(hello.AuthID, "is in:", err == nil)
	// Output: joe is in: true
}

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
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{Salt: []byte("0123456789abcdef"), Iterations: 3, Memory: 4096},
		accept.CrossbarDialect())
	if err != nil {
		fmt.Println(err)
		return
	}
	entry(record.Crossbar("user"))
	// Output: {"iterations":3,"kdf":"argon2id-13","memory":4096,"role":"user","salt":"30313233343536373839616263646566","server-key":"cf2bcfc940d13f2e2e78958d8a9b77f35b2abd5a1b995baf230d069b8dd5f5d5","stored-key":"aa8baf2ab22abdff11c9e6eb02f42a2df029caede1d1c90b5130498de6089ebc"}
}

// An entry of auth.wampcra.users.
func ExampleCrossbarCRA() {
	entry(accept.CrossbarCRA("password", "user", accept.CRAParams{Salt: "a random text"}))
	// Output: {"iterations":100000,"keylen":32,"role":"user","salt":"a random text","secret":"password"}
}

// A router keeps a salted key in place of the password.
func ExampleNewCRASecret() {
	secret, err := accept.NewCRASecret("password", accept.CRAParams{Salt: "a random text"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret) // never its key
	text := accept.NewCRAChallenge("joe", "user", "static", 7, "2026-01-02T03:04:05.678Z")
	fmt.Println(secret.Verify(text, authn.Response{Signature: accept.CRASignature(secret.Key, text)}))
	// Output:
	// accept.CRASecret{...}
	// <nil>
}

// An entry of auth.cryptosign.principals.
func ExampleCrossbarCryptosign() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	entry(accept.CrossbarCryptosign("realm1", "user", key.Public().(ed25519.PublicKey)))
	// Output: {"authorized_keys":["3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"],"realm":"realm1","role":"user"}
}

// An entry of auth.ticket.principals.
func ExampleCrossbarTicket() {
	entry(accept.CrossbarTicket("ticket", "user"))
	// Output: {"role":"user","ticket":"ticket"}
}

// A router accepts a login with a key, which is its user's or not.
func ExampleCryptosign() {
	ctx := context.Background()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := authn.Cryptosign("joe", private).Begin(ctx, authn.JoinInfo{Realm: "realm1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var hello authn.Hello
	if err := client.Hello(&hello); err != nil {
		fmt.Println(err)
		return
	}

	login, err := accept.Cryptosign(hello, nil, nil) // HELLO, of a router without a key of its own
	if err != nil {
		fmt.Println(err)
		return
	}
	known := login.Key.Equal(private.Public())
	answer, err := client.Challenge(ctx, login.Challenge()) // CHALLENGE
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(known, login.Verify(answer)) // AUTHENTICATE
	// Output: true <nil>
}

// The ticket of an AUTHENTICATE is compared in constant time.
func ExampleTicket() {
	fmt.Println(accept.Ticket("7c1f-44a0", "7c1f-44a0"), accept.Ticket("7c1f-44a0", "7c1f-44a1"), accept.Ticket("", ""))
	// Output: true false false
}

// Somebody who is unknown gets a challenge as well, the same each time, so that it does
// not tell who is known.
func ExampleMockSCRAMRecord() {
	params := accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096}
	first, err := accept.MockSCRAMRecord("nobody", []byte("a secret of the router"), params)
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := accept.MockSCRAMRecord("nobody", []byte("a secret of the router"), params)
	fmt.Println(bytes.Equal(first.Salt, second.Salt), err)
	// Output: true <nil>
}
