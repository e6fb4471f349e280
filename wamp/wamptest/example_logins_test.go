package wamptest_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// login joins with a login, and says as whom or why not.
func login(ctx context.Context, router *wamptest.Router, method authn.Authenticator) {
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithAuth(method))
	var abort *wamp.AbortError
	if errors.As(err, &abort) {
		fmt.Println("refused:", abort.Reason)
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	d := session.Details()
	fmt.Println(d.AuthID, "is", d.AuthRole, "by", d.AuthMethod)
}

// Secrets that are signed with. A salted one is made by accept.NewCRASecret.
func ExampleCRA() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithLogins(wamptest.CRA(func(authid, _ string) (secret accept.CRASecret, role string, ok bool) {
		return accept.CRASecret{Key: "secret"}, "user", authid == "joe"
	})))
	defer router.Close()

	login(ctx, router, authn.CRA("joe", "secret"))
	login(ctx, router, authn.CRA("joe", "a guess"))
	login(ctx, router, authn.CRA("jim", "secret"))
	// Output:
	// joe is user by wampcra
	// refused: wamp.error.authentication_failed
	// refused: wamp.error.no_such_principal
}

// A password of which the router has a record only. Few iterations keep the test fast.
func ExampleSCRAM() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096})
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.SCRAM(func(authid, _ string) (accept.SCRAMRecord, string, bool) {
		return record, "user", authid == "joe"
	})))
	defer router.Close()

	login(ctx, router, authn.SCRAM("joe", "password"))
	login(ctx, router, authn.SCRAM("joe", "a guess"))
	// Output:
	// joe is user by wamp-scram
	// refused: wamp.error.authentication_failed
}

// Keys, and who has them.
func ExampleCryptosign() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.Cryptosign(nil, func(_ string, key ed25519.PublicKey, _ string) (as, role string, ok bool) {
		return "joe", "device", key.Equal(public)
	})))
	defer router.Close()

	login(ctx, router, authn.Cryptosign("", private))
	login(ctx, router, authn.Cryptosign("", other))
	// Output:
	// joe is device by cryptosign
	// refused: wamp.error.no_such_principal
}

// A method of the application's own: the router says a word, and wants it backwards.
func ExampleLoginFunc() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithLogins(wamptest.LoginFunc("x-backwards", func(req wamptest.LoginRequest) wamptest.LoginStep {
		return wamptest.LoginStep{
			Challenge: map[string]any{"word": "live"},
			Next: func(answer authn.Response) wamptest.LoginStep {
				if answer.Signature != "evil" {
					return wamptest.LoginStep{Refuse: &wamptest.Refusal{Message: "that is not it"}}
				}
				return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: req.AuthID, AuthRole: "user"}}
			},
		}
	})))
	defer router.Close()

	login(ctx, router, authn.Custom("x-backwards", "joe", func(_ context.Context, c authn.Challenge, _ authn.Request) (authn.Response, error) {
		word := strings.Split(c.Extra.Str("word"), "")
		return authn.Response{Signature: word[3] + word[2] + word[1] + word[0]}, nil
	}))
	login(ctx, router, authn.Custom("x-backwards", "joe", func(_ context.Context, c authn.Challenge, _ authn.Request) (authn.Response, error) {
		return authn.Response{Signature: c.Extra.Str("word")}, nil
	}))
	// Output:
	// joe is user by x-backwards
	// refused: wamp.error.authentication_failed
}

// Those who have no ticket are let in too, and may do less.
func ExampleAnonymous() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	users := wamptest.Ticket(func(authid, _ string) (ticket, role string, ok bool) {
		return "secret", "user", authid == "ann"
	})
	router := wamptest.Start(wamptest.WithLogins(users, wamptest.Anonymous()))
	defer router.Close()
	router.Inject(wamptest.Fault{Operation: wamptest.Registers, From: wamptest.SessionInfo{AuthRole: "anonymous"}})
	register := func(session *wamp.Session) error {
		defer session.Close(ctx)
		_, err := session.Register(ctx, "com.example.work")
		return err
	}

	fmt.Println(register(connect(ctx, router, wamp.WithAuth(authn.Ticket("ann", "secret")))))
	fmt.Println(errors.Is(register(connect(ctx, router)), wamp.ErrNotAuthorized))
	// Output:
	// <nil>
	// true
}

// Clients with certificates. LocalIdentity makes one that vouches for itself.
func ExampleTLS() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithLogins(wamptest.TLS(func(cert *x509.Certificate, _ string) (authid, role string, ok bool) {
		return cert.Subject.CommonName, "device", true
	})))
	defer router.Close()
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		fmt.Println(err)
		return
	}
	cert, err := wamptest.LocalIdentity("thermometer")
	if err != nil {
		fmt.Println(err)
		return
	}
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	server.ClientCAs.AddCert(cert.Leaf)
	client.Certificates = []tls.Certificate{cert}
	address, err := router.ListenWebSocket("", wamptest.WithTLS(server))
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, address, "realm1", wamp.WithTLS(client), wamp.WithAuth(authn.TLS()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthID, "is", session.Details().AuthRole)
	// Output: thermometer is device
}

// Clients that have logged in before are known by their cookies.
func ExampleCookie() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	users := wamptest.Ticket(func(authid, _ string) (ticket, role string, ok bool) {
		return "secret", "user", authid == "ann"
	})
	router := wamptest.Start(wamptest.WithLogins(wamptest.Cookie(), users))
	defer router.Close()
	address, err := router.ListenWebSocket("", wamptest.WithCookies())
	if err != nil {
		fmt.Println(err)
		return
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, method := range []authn.Authenticator{authn.Ticket("ann", "secret"), authn.Cookie()} {
		session, err := wamp.Connect(ctx, address, "realm1", wamp.WithCookieJar(jar), wamp.WithAuth(method))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(session.Details().AuthID, session.Details().AuthProvider)
		session.Close(ctx)
	}
	// Output:
	// ann static
	// ann cookie
}
