package wamp_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/cookiejar"
	"strings"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// who says as whom a session has logged in, and closes it.
func who(ctx context.Context, session *wamp.Session, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	d := session.Details()
	fmt.Printf("%s is %s by %s\n", d.AuthID, d.AuthRole, d.AuthMethod)
	_ = session.Close(ctx)
}

func ExampleWithAuth_ticket() {
	ctx := context.Background()
	router := wamptest.Start(wamptest.WithLogins(wamptest.Ticket(func(authid, realm string) (ticket, role string, ok bool) {
		return "ticket of the hour", "user", authid == "joe"
	})))
	defer router.Close()

	// Asked at each join, so that a ticket may live for an hour and the session
	// for a month.
	ticket := func(ctx context.Context, r authn.Request) (string, error) {
		return "ticket of the hour", nil
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.Ticket("joe", ticket)))
	who(ctx, session, err)
	// Output: joe is user by ticket
}

func ExampleWithAuth_cra() {
	ctx := context.Background()
	// The router keeps a salted secret, and not the password.
	secret, err := accept.NewCRASecret("password", accept.CRAParams{Iterations: 100_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.CRA(func(authid, realm string) (accept.CRASecret, string, bool) {
		return secret, "user", authid == "joe"
	})))
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.CRA("joe", "password", authn.RequireSalt())))
	who(ctx, session, err)
	// Output: joe is user by wampcra
}

func ExampleWithAuth_scram() {
	ctx := context.Background()
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{}) // Argon2id, 64 MiB, 3 passes
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.SCRAM(func(authid, realm string) (accept.SCRAMRecord, string, bool) {
		return record, "user", authid == "joe"
	})))
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", "password", authn.WithKDF(authn.Argon2id13))))
	who(ctx, session, err)
	// Output: joe is user by wamp-scram
}

func ExampleWithAuth_crossbar() {
	ctx := context.Background()
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{}, accept.CrossbarDialect())
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start(wamptest.WithLogins(wamptest.SCRAM(func(authid, realm string) (accept.SCRAMRecord, string, bool) {
		return record, "user", authid == "joe"
	}, accept.CrossbarDialect())))
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", "password", authn.CrossbarDialect())))
	who(ctx, session, err)
	// Output: joe is user by scram
}

func ExampleWithAuth_cryptosign() {
	ctx := context.Background()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // or authn.CryptosignFile, authn.SSHSigner
	routerKey := ed25519.NewKeyFromSeed([]byte(strings.Repeat("r", ed25519.SeedSize)))
	router := wamptest.Start(wamptest.WithLogins(wamptest.Cryptosign(routerKey,
		func(authid string, public ed25519.PublicKey, realm string) (as, role string, ok bool) {
			return "joe", "user", public.Equal(key.Public())
		})))
	defer router.Close()

	// The authid may be left out: the router knows whose key it is. The router
	// has to prove that it has its own.
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.Cryptosign("", key, authn.RouterKey(routerKey.Public().(ed25519.PublicKey)))))
	who(ctx, session, err)
	// Output: joe is user by cryptosign
}

func ExampleWithAuth_channelBinding() {
	ctx := context.Background()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	router := wamptest.Start(wamptest.WithLogins(wamptest.Cryptosign(nil,
		func(authid string, public ed25519.PublicKey, realm string) (as, role string, ok bool) {
			return "joe", "user", public.Equal(key.Public())
		})))
	defer router.Close()
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		fmt.Println(err)
		return
	}
	address, err := router.ListenWebSocket("", wamptest.WithTLS(server))
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, address, "realm1", wamp.WithTLS(client),
		wamp.WithAuth(authn.Cryptosign("joe", key, authn.BindChannel(authn.TLSExporter, authn.TLSUnique))))
	who(ctx, session, err)
	// Output: joe is user by cryptosign
}

func ExampleWithAuth_clientCertificate() {
	ctx := context.Background()
	router := wamptest.Start(wamptest.WithLogins(wamptest.TLS(func(cert *x509.Certificate, realm string) (authid, role string, ok bool) {
		return cert.Subject.CommonName, "user", true
	})))
	defer router.Close()
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		fmt.Println(err)
		return
	}
	cert, err := wamptest.LocalIdentity("joe")
	if err != nil {
		fmt.Println(err)
		return
	}
	server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	server.ClientCAs.AddCert(cert.Leaf)
	address, err := router.ListenRawSocket("tcp", "", wamptest.WithTLS(server))
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, address, "realm1",
		wamp.WithTLS(&tls.Config{RootCAs: client.RootCAs, Certificates: []tls.Certificate{cert}}),
		wamp.WithAuth(authn.TLS()))
	who(ctx, session, err)
	// Output: joe is user by tls
}

func ExampleWithAuth_cookie() {
	ctx := context.Background()
	tickets := wamptest.Ticket(func(authid, realm string) (ticket, role string, ok bool) { return "t", "user", authid == "joe" })
	router := wamptest.Start(wamptest.WithLogins(wamptest.Cookie(), tickets))
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
	for range 2 { // the first time by the ticket, then by the cookie that came with it
		session, err := wamp.Connect(ctx, address, "realm1", wamp.WithCookieJar(jar),
			wamp.WithAuth(authn.Any(authn.Cookie(), authn.Ticket("joe", "t"))))
		if err == nil {
			fmt.Println(session.Details().AuthProvider)
		}
		who(ctx, session, err)
	}
	// Output:
	// static
	// joe is user by ticket
	// cookie
	// joe is user by ticket
}

func ExampleWithAuth_several() {
	ctx := context.Background()
	router := wamptest.Start(wamptest.WithLogins(wamptest.CRA(func(authid, realm string) (accept.CRASecret, string, bool) {
		return accept.CRASecret{Key: "secret"}, "user", authid == "joe"
	})))
	defer router.Close()

	// In one HELLO: the router chooses.
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.Any(authn.SCRAM("joe", "secret"), authn.CRA("joe", "secret"))))
	who(ctx, session, err)
	// One connection after the other, for routers that give up at a name that
	// they do not know.
	session, err = wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.InTurn(authn.SCRAM("joe", "secret"), authn.CRA("joe", "secret"))))
	who(ctx, session, err)
	// Output:
	// joe is user by wampcra
	// joe is user by wampcra
}

func ExampleWithAuth_custom() {
	ctx := context.Background()
	router := wamptest.Start(wamptest.WithLogins(wamptest.LoginFunc("riddle", func(req wamptest.LoginRequest) wamptest.LoginStep {
		return wamptest.LoginStep{
			Challenge: map[string]any{"riddle": "what has an eye and cannot see?"},
			Next: func(answer authn.Response) wamptest.LoginStep {
				if answer.Signature != "a needle" {
					return wamptest.LoginStep{Refuse: &wamptest.Refusal{Message: "try again"}}
				}
				return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: req.AuthID, AuthRole: "user"}}
			},
		}
	})))
	defer router.Close()

	answer := func(ctx context.Context, c authn.Challenge, r authn.Request) (authn.Response, error) {
		fmt.Println(c.Extra.Str("riddle"))
		return authn.Response{Signature: "a needle"}, nil
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.Custom("riddle", "joe", answer)))
	who(ctx, session, err)
	// Output:
	// what has an eye and cannot see?
	// joe is user by riddle
}

func ExampleWithAuth_refused() {
	ctx := context.Background()
	router := wamptest.Start(wamptest.WithLogins(wamptest.Ticket(func(authid, realm string) (ticket, role string, ok bool) {
		return "t", "user", authid == "joe"
	})))
	defer router.Close()

	for _, auth := range []authn.Authenticator{authn.Ticket("joe", "wrong"), authn.Ticket("jim", "t"), authn.CRA("joe", "t")} {
		_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithAuth(auth))
		var refusal *authn.Refusal
		if errors.As(err, &refusal) {
			fmt.Println(refusal.Kind)
		}
	}
	// Output:
	// wrong credentials
	// no such principal
	// no authentication method in common
}
