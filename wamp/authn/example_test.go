package authn_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// router starts a router that lets joe in.
func router() *wamptest.Router {
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096})
	if err != nil {
		panic(err)
	}
	return wamptest.Start(wamptest.WithLogins(wamptest.SCRAM(func(authid, realm string) (accept.SCRAMRecord, string, bool) {
		return record, "user", authid == "joe"
	})))
}

// A session logs in with a password, which never leaves this side.
func Example() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", "password")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthID, "is", session.Details().AuthRole)
	// Output: joe is user
}

// A secret that is asked for at each join, so that it may change while the
// session lives.
func ExampleProvider() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	vault := func(ctx context.Context, r authn.Request) (string, error) {
		fmt.Println("the password of", r.AuthID, "at", r.Realm)
		return "password", nil
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", vault)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	// Output: the password of joe at realm1
}

// The router's answer to a login that it refuses, in one word whatever the router.
func ExampleRefusal() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", "a guess")))
	var refusal *authn.Refusal
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Kind)
	}
	// Output: wrong credentials
}

// A challenge answered by hand, with a method of the application's own: the token that
// signs what the router asks for is in a device, and the router does not see it. Rounds
// allows more than one challenge, and CheckWelcome looks at the WELCOME.
func ExampleCustom() {
	ctx := context.Background()
	token := func(question string) string { // the device
		mac := hmac.New(sha256.New, []byte("key 17"))
		mac.Write([]byte(question))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil)[:6])
	}
	login := authn.Custom("x-token", "joe", func(ctx context.Context, c authn.Challenge, r authn.Request) (authn.Response, error) {
		fmt.Println("asked at", r.Realm, "to sign", c.Extra.Str("nonce"))
		return authn.Response{Signature: token(c.Extra.Str("nonce"))}, nil
	})

	// What a session does with it at each join: HELLO, CHALLENGE, AUTHENTICATE.
	attempt, err := login.Begin(ctx, authn.JoinInfo{Realm: "realm1", Private: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	var hello authn.Hello
	if err := attempt.Hello(&hello); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("HELLO of", hello.AuthID, "with", hello.Methods)
	response, err := attempt.Challenge(ctx, authn.Challenge{Method: "x-token", Extra: proto.Dict{{Key: "nonce", Value: "4711"}}})
	fmt.Println("AUTHENTICATE with", response.Signature, err)
	// Output:
	// HELLO of joe with [x-token]
	// asked at realm1 to sign 4711
	// AUTHENTICATE with 7f4B9uRb <nil>
}

// A key from a file, as OpenSSL and the terminal tool write it. The file is read at each
// join, so that the key can be changed while the session lives.
func ExampleCryptosignFile() {
	ctx := context.Background()
	// The file is there in general; here it is written first.
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		fmt.Println(err)
		return
	}
	path := filepath.Join(dir, "joe.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.Cryptosign(nil, func(authid string, key ed25519.PublicKey, _ string) (as, role string, ok bool) {
		return authid, "user", key.Equal(public)
	})))
	defer router.Close()

	login, err := authn.CryptosignFile("joe", path)
	if err != nil {
		fmt.Println(err) // the file cannot be read, or has no such key
		return
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithAuth(login))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthID, session.Details().AuthMethod)
	// Output: joe cryptosign
}

// A file with a passphrase is opened with WithPassphrase, a key in an SSH agent signs by
// SSHSigner. Here the key is asked for at each join, so that it may change, and the router
// has to prove that it has one of its own; VerifyRouter takes a function instead of keys.
func ExampleCryptosignFunc() {
	ctx := context.Background()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	routerPublic, routerPrivate, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.Cryptosign(routerPrivate, func(authid string, key ed25519.PublicKey, _ string) (as, role string, ok bool) {
		return authid, "user", key.Equal(public)
	})))
	defer router.Close()

	vault := func(_ context.Context, r authn.Request) (crypto.Signer, error) {
		fmt.Println("the key of", r.AuthID)
		return private, nil
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.CryptosignFunc("joe", vault, authn.RouterKey(routerPublic))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthRole)
	// Output:
	// the key of joe
	// user
}

// A key written as 64 hexadecimal digits, as Crossbar and Autobahn keep it.
func ExampleCryptosignHex() {
	_, err := authn.CryptosignHex("joe", "4ffddd896a530ce5ee8c86b83b0d31835490a97a9cd718cb2f09c9fd31c4a7d7")
	fmt.Println(err)
	_, err = authn.CryptosignHex("joe", "4ffddd89")
	fmt.Println(err != nil)
	// Output:
	// <nil>
	// true
}

// Several methods in one HELLO, of which the router chooses.
func ExampleAny() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.Any(authn.CRA("joe", "password"), authn.SCRAM("joe", "password"))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthMethod)
	// Output: wamp-scram
}

// A login that sends no secret, and says more of itself: a role, and what the router reads
// in authextra. Cookie and TLS take the same options.
func ExampleAnonymous() {
	ctx := context.Background()
	attempt, err := authn.Anonymous(authn.WithRole("guest"), authn.WithExtra(map[string]any{"kiosk": 7})).
		Begin(ctx, authn.JoinInfo{Realm: "realm1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	var hello authn.Hello
	fmt.Println(attempt.Hello(&hello), hello.Methods, hello.AuthRole, hello.Extra)
	// Output: <nil> [anonymous] guest map[kiosk:7]
}

// A login with a salted secret only: a router that asks for the password itself as the key
// is refused.
func ExampleCRA() {
	ctx := context.Background()
	secret, err := accept.NewCRASecret("password", accept.CRAParams{})
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.CRA(func(authid, _ string) (accept.CRASecret, string, bool) {
		return secret, "user", authid == "joe"
	})))
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.CRA("joe", "password", authn.RequireSalt())))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthMethod)
	// Output: wampcra
}

// SCRAM with one key derivation function allowed, so that nobody in the middle can choose
// a cheaper one. BindChannel binds it to the TLS connection besides, which needs one;
// CrossbarDialect, and RawKeys with it, are for Crossbar.
func ExampleSCRAM() {
	ctx := context.Background()
	router := router() // its records are made with PBKDF2
	defer router.Close()

	for _, kdf := range []string{authn.PBKDF2, authn.Argon2id13} {
		session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
			wamp.WithAuth(authn.SCRAM("joe", "password", authn.WithKDF(kdf))))
		if err != nil {
			fmt.Println(kdf, "refused")
			continue
		}
		fmt.Println(kdf, session.Details().AuthRole)
		_ = session.Close(ctx)
	}
	// Output:
	// pbkdf2 user
	// argon2id13 refused
}

// One login after the other, each on a connection of its own.
func ExampleInTurn() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.InTurn(authn.SCRAM("joe", "the new password"), authn.SCRAM("joe", "password"))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthID)

	_, err = wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.InTurn(authn.SCRAM("joe", "a guess"), authn.SCRAM("sue", "password"))))
	var all *authn.TurnsError
	if errors.As(err, &all) {
		fmt.Println("refused", len(all.Errs), "times")
	}
	// Output:
	// joe
	// refused 2 times
}

// A password or token goes as it is, and so over private connections only, unless
// AllowPlaintext says otherwise.
func ExampleTicket() {
	ctx := context.Background()
	login := authn.Ticket("joe", "7c1f-44a0")
	_, err := login.Begin(ctx, authn.JoinInfo{Realm: "realm1"}) // of a connection without TLS
	fmt.Println(errors.Is(err, authn.ErrUnusable))
	_, err = login.Begin(ctx, authn.JoinInfo{Realm: "realm1", Private: true})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A router that asks for more work than the limits allow is refused before any is done.
func ExampleWithLimits() {
	ctx := context.Background()
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 50_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.SCRAM(func(string, string) (accept.SCRAMRecord, string, bool) {
		return record, "user", true
	})))
	defer router.Close()

	_, err = wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", "password", authn.WithLimits(authn.Limits{MaxIterations: 10_000}))))
	var tooMuch *authn.LimitError
	fmt.Println(errors.As(err, &tooMuch))
	// Output: true
}
