package wamp_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// keyOf is a key made of one byte.
func keyOf(b byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = b
	return ed25519.NewKeyFromSeed(seed)
}

func publicOf(b byte) ed25519.PublicKey { return keyOf(b).Public().(ed25519.PublicKey) }

// cheapKDF and argonKDF make records that cost a test little.
var (
	cheapKDF = accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096}
	argonKDF = accept.SCRAMParams{Memory: 1 << 10, Iterations: 8}
)

// scramLogin accepts joe with that password.
func scramLogin(t *testing.T, password string, p accept.SCRAMParams, options ...accept.SCRAMOption) wamptest.Login {
	t.Helper()
	record, err := accept.NewSCRAMRecord(password, p, options...)
	if err != nil {
		t.Fatal(err)
	}
	return wamptest.SCRAM(func(authid, _ string) (accept.SCRAMRecord, string, bool) {
		if authid != "joe" {
			return accept.SCRAMRecord{}, "", false
		}
		return record, "user", true
	}, options...)
}

func craLogin(secret accept.CRASecret) wamptest.Login {
	return wamptest.CRA(func(authid, _ string) (accept.CRASecret, string, bool) { return secret, "user", authid == "joe" })
}

// signLogin knows joe's key, and proves itself with a key of its own.
func signLogin() wamptest.Login {
	return wamptest.Cryptosign(keyOf(9), func(authid string, key ed25519.PublicKey, _ string) (string, string, bool) {
		return "joe", "user", key.Equal(publicOf(1)) && (authid == "joe" || authid == "")
	})
}

// must is an authenticator that may fail to be made.
func must(t *testing.T) func(a authn.Authenticator, err error) authn.Authenticator {
	return func(a authn.Authenticator, err error) authn.Authenticator {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}

// everywhere are the transports of the login table.
const everywhere = "memory ws wss tcp tcps unix ws+unix"

// loginCase is a method with its accepting side: who is let in, and who is not.
type loginCase struct {
	name           string
	accept         wamptest.Login
	right          authn.Authenticator
	method, authid string // of WELCOME
	wrong          authn.Authenticator
	why            authn.RefusalKind // for wrong
	where          string            // transports
	max            uint16            // TLS version, 0 for the newest
}

func loginCases(t *testing.T) []loginCase {
	salted, err := accept.NewCRASecret("password", accept.CRAParams{Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	const refused, unknown, secure = authn.WrongCredentials, authn.NoSuchPrincipal, "wss tcps"
	dialect, ours := authn.CrossbarDialect(), accept.CrossbarDialect()
	exporter, unique, endPoint := authn.BindChannel(authn.TLSExporter), authn.BindChannel(authn.TLSUnique), authn.BindChannel(authn.TLSServerEndPoint)
	either := authn.BindChannel(authn.TLSExporter, authn.TLSUnique)
	hex := must(t)(authn.CryptosignHex("", "01"+strings.Repeat("00", 31)))
	file := must(t)(authn.CryptosignFile("joe", writeKey(t, 1)))
	return []loginCase{
		{"anonymous", wamptest.Anonymous(), authn.Anonymous(), "anonymous", "", authn.Ticket("joe", "t"), authn.NoCommonMethod, everywhere, 0},
		{"ticket", ticketLogin("t"), authn.Ticket("joe", "t"), "ticket", "joe", authn.Ticket("joe", "u"), refused, everywhere, 0},
		{"ticket, nobody", ticketLogin("t"), authn.Ticket("joe", "t"), "ticket", "joe", authn.Ticket("jim", "t"), unknown, "memory", 0},
		{"cra plain", craLogin(accept.CRASecret{Key: "secret"}), authn.CRA("joe", "secret"), "wampcra", "joe", authn.CRA("joe", "Secret"), refused, everywhere, 0},
		{"cra salted", craLogin(salted), authn.CRA("joe", "password", authn.RequireSalt()), "wampcra", "joe", authn.CRA("joe", "passwort"), refused, everywhere, 0},
		{"cra, nobody", craLogin(salted), authn.CRA("joe", "password"), "wampcra", "joe", authn.CRA("jim", "password"), unknown, "memory", 0},
		{"scram pbkdf2", scramLogin(t, "password", cheapKDF), authn.SCRAM("joe", "password"), "wamp-scram", "joe", authn.SCRAM("joe", "passwort"), refused, everywhere, 0},
		{"scram argon2id", scramLogin(t, "password", argonKDF), authn.SCRAM("joe", "password"), "wamp-scram", "joe", authn.SCRAM("joe", "passwort"), refused, everywhere, 0},
		{"scram, nobody", scramLogin(t, "password", cheapKDF), authn.SCRAM("joe", "password"), "wamp-scram", "joe", authn.SCRAM("jim", "password"), unknown, "memory", 0},
		{"scram pbkdf2, Crossbar", scramLogin(t, "password", cheapKDF, ours), authn.SCRAM("joe", "password", dialect), "scram", "joe", authn.SCRAM("joe", "passwort", dialect), refused, everywhere, 0},
		{"scram argon2id, Crossbar", scramLogin(t, "password", argonKDF, ours), authn.SCRAM("joe", "password", dialect), "scram", "joe", authn.SCRAM("joe", "passwort", dialect), refused, everywhere, 0},
		{"scram, tls-exporter", scramLogin(t, "password", cheapKDF), authn.SCRAM("joe", "password", exporter), "wamp-scram", "joe", authn.SCRAM("joe", "passwort", exporter), refused, secure, 0},
		{"scram, tls-unique", scramLogin(t, "password", cheapKDF), authn.SCRAM("joe", "password", unique), "wamp-scram", "joe", authn.SCRAM("joe", "passwort", unique), refused, secure, tls.VersionTLS12},
		{"scram, tls-server-end-point", scramLogin(t, "password", cheapKDF), authn.SCRAM("joe", "password", endPoint), "wamp-scram", "joe", authn.SCRAM("joe", "passwort", endPoint), refused, secure, 0},
		{"cryptosign", signLogin(), authn.Cryptosign("joe", keyOf(1)), "cryptosign", "joe", authn.Cryptosign("joe", keyOf(2)), unknown, everywhere, 0},
		{"cryptosign, hex, no authid", signLogin(), hex, "cryptosign", "joe", authn.Cryptosign("", keyOf(2)), unknown, everywhere, 0},
		{"cryptosign, file", signLogin(), file, "cryptosign", "joe", authn.Cryptosign("jim", keyOf(1)), unknown, everywhere, 0},
		{"cryptosign, router proves itself", signLogin(), authn.Cryptosign("joe", keyOf(1), authn.RouterKey(publicOf(9))), "cryptosign", "joe", authn.Cryptosign("jim", keyOf(1)), unknown, everywhere, 0},
		{"cryptosign, tls-exporter", signLogin(), authn.Cryptosign("joe", keyOf(1), exporter, authn.RouterKey(publicOf(9))), "cryptosign", "joe", authn.Cryptosign("joe", keyOf(2), exporter), unknown, secure, 0},
		{"cryptosign, tls-unique", signLogin(), authn.Cryptosign("joe", keyOf(1), unique, authn.RouterKey(publicOf(9))), "cryptosign", "joe", authn.Cryptosign("joe", keyOf(2), unique), unknown, secure, tls.VersionTLS12},
		{"cryptosign, what there is, TLS 1.2", signLogin(), authn.Cryptosign("joe", keyOf(1), either), "cryptosign", "joe", authn.Cryptosign("joe", keyOf(2), either), unknown, secure, tls.VersionTLS12},
		{"tls", wamptest.TLS(knownCertificate), authn.TLS(), "tls", "joe", nil, 0, secure, 0},
		{"tls, TLS 1.2", wamptest.TLS(knownCertificate), authn.TLS(), "tls", "joe", nil, 0, secure, tls.VersionTLS12},
	}
}

func knownCertificate(cert *x509.Certificate, _ string) (authid, role string, ok bool) {
	return cert.Subject.CommonName, "user", cert.Subject.CommonName == "joe"
}

// Every method against its accepting side, over every transport, in one or
// another serializer.
func TestLogins(t *testing.T) {
	joe, err := wamptest.LocalIdentity("joe")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range loginCases(t) {
		for k, where := range strings.Fields(c.where) {
			t.Run(c.name+"/"+where, func(t *testing.T) {
				t.Parallel()
				r := wamptest.NewRouter(t, wamptest.WithLogins(c.accept))
				address, options := place(t, r, where, joe, c.max)
				options = append(options, wamp.WithSerializers([]codec.Codec{codec.JSON, codec.MsgPack, codec.CBOR}[(i+k)%3]))
				s := connect(t, address, append(options, wamp.WithAuth(c.right))...)
				d := s.Details()
				if d.AuthMethod != c.method || c.authid != "" && (d.AuthID != c.authid || d.AuthRole != "user") {
					t.Errorf("%+v", d)
				}
				if c.wrong == nil {
					return
				}
				err := fails(t, address, append(options, wamp.WithAuth(c.wrong))...)
				var refusal *authn.Refusal
				if !errors.As(err, &refusal) || refusal.Kind != c.why || !as[*wamp.AbortError](err) || !strings.Contains(err.Error(), c.why.String()) {
					t.Errorf("wrong credentials: %v", err)
				}
			})
		}
	}
}

// place listens at a transport, and says how a client gets there. The client
// has a certificate, which the listener asks for.
func place(t *testing.T, r *wamptest.Router, where string, identity tls.Certificate, version uint16) (address string, options []wamp.Option) {
	t.Helper()
	if where == "memory" {
		return "", []wamp.Option{wamp.WithTransport(r.Dial)}
	}
	for _, s := range schemes {
		if s.name != where {
			continue
		}
		var listen []wamptest.ListenOption
		if s.secure {
			server, client, err := wamptest.LocalTLS()
			if err != nil {
				t.Fatal(err)
			}
			if identity.Leaf != nil {
				server.ClientAuth, server.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
				server.ClientCAs.AddCert(identity.Leaf)
				client.Certificates = []tls.Certificate{identity}
			}
			server.MaxVersion = version
			listen, options = append(listen, wamptest.WithTLS(server)), append(options, wamp.WithTLS(client))
		}
		address, err := s.listen(r, filepath.Join(t.TempDir(), "r.sock"), listen...)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(address, "://")
		return s.name + "://" + rest, options
	}
	t.Fatalf("no transport %q", where)
	return "", nil
}

// A certificate that nobody knows, or none, does not get in; nor does the login
// begin without TLS.
func TestLoginTLSRefused(t *testing.T) {
	joe, err := wamptest.LocalIdentity("joe")
	if err != nil {
		t.Fatal(err)
	}
	jim, err := wamptest.LocalIdentity("jim")
	if err != nil {
		t.Fatal(err)
	}
	r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.TLS(knownCertificate)))
	kind := func(err error) authn.RefusalKind {
		var refusal *authn.Refusal
		if !errors.As(err, &refusal) {
			t.Fatalf("%v", err)
		}
		return refusal.Kind
	}
	for _, where := range []string{"wss", "tcps"} {
		address, options := place(t, r, where, jim, 0)
		if err := fails(t, address, append(options, wamp.WithAuth(authn.TLS()))...); kind(err) != authn.NoSuchPrincipal {
			t.Errorf("%s: not known: %v", where, err)
		}
		address, options = place(t, r, where, noIdentity, 0)
		if err := fails(t, address, append(options, wamp.WithAuth(authn.TLS()))...); kind(err) != authn.NoCommonMethod {
			t.Errorf("%s: none: %v", where, err)
		}
	}
	for _, where := range []string{"memory", "ws", "tcp", "unix"} {
		address, options := place(t, r, where, joe, 0)
		err := fails(t, address, append(options, wamp.WithAuth(authn.TLS()))...)
		if !as[*authn.TransportError](err) || !errors.Is(err, authn.ErrUnusable) {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// The cookie of a login stands for it on later connections, over reconnects
// too. Where there are no cookies the other method is used.
func TestLoginCookie(t *testing.T) {
	asked := 0
	tickets := wamptest.Ticket(func(authid, _ string) (string, string, bool) { asked++; return "t", "user", authid == "joe" })
	r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.Cookie(), tickets))
	jar := newJar(t)
	auth := wamp.WithAuth(authn.Any(authn.Cookie(), authn.Ticket("joe", "t")))
	address, err := r.ListenWebSocket("", wamptest.WithCookies())
	if err != nil {
		t.Fatal(err)
	}
	s := connect(t, address, auth, wamp.WithCookieJar(jar), wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	if d := s.Details(); d.AuthMethod != "ticket" || d.AuthProvider != "static" || asked != 1 {
		t.Fatalf("the first login: %+v, asked %d times", d, asked)
	}
	for range 2 {
		rejoined := nextJoin(t, s)
		r.Cut(s.Details().Session)
		if d := <-rejoined; d.AuthMethod != "ticket" || d.AuthProvider != "cookie" || d.AuthID != "joe" || d.AuthRole != "user" {
			t.Errorf("a reconnect: %+v", d)
		}
	}
	// a new session with the same jar, and only the cookie
	if d := connect(t, address, wamp.WithAuth(authn.Cookie()), wamp.WithCookieJar(jar)).Details(); d.AuthProvider != "cookie" {
		t.Errorf("a new session: %+v", d)
	}
	if asked != 1 {
		t.Errorf("the ticket was asked for %d times", asked)
	}
	// no jar, another jar, no HTTP
	for _, options := range [][]wamp.Option{{}, {wamp.WithCookieJar(newJar(t))}, {wamp.WithTransport(r.Dial)}} {
		if d := connect(t, address, append(options, auth)...).Details(); d.AuthProvider != "static" {
			t.Errorf("without the cookie: %+v", d)
		}
	}
	var refusal *authn.Refusal
	if err := fails(t, address, wamp.WithAuth(authn.Cookie())); !errors.As(err, &refusal) || refusal.Kind != authn.NoCommonMethod {
		t.Errorf("only a cookie that is not there: %v", err)
	}
}

func newJar(t *testing.T) *cookiejar.Jar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return jar
}

// nextJoin gives the details of the next join of a session that has joined.
func nextJoin(t *testing.T, s *wamp.Session) <-chan *wamp.Details {
	t.Helper()
	states := s.States(within(t, 10*time.Second))
	first := <-states
	if first.Phase != wamp.Joined {
		t.Fatalf("the session is %v", first.Phase)
	}
	out := make(chan *wamp.Details, 1)
	go func() { // ends with states
		for st := range states {
			if st.Phase == wamp.Joined && st.Details.Session != first.Details.Session {
				out <- st.Details
				return
			}
		}
		out <- &wamp.Details{}
	}()
	return out
}

func TestLoginTicket(t *testing.T) {
	lookup := func(authid, realm string) (ticket, role string, ok bool) {
		return "secret!!", "member", authid == "joe" && realm == "realm1"
	}
	vault := errors.New("the vault is shut")
	asked := 0
	provider := func(ticket string, err error) authn.Provider {
		return func(_ context.Context, r authn.Request) (string, error) {
			asked++
			if r.Method != "ticket" || r.AuthID != "joe" || r.Realm != "realm1" || r.Rejoin != 0 {
				return "", errors.New("asked for something else")
			}
			return ticket, err
		}
	}
	for _, tt := range []struct {
		name   string
		auth   authn.Authenticator
		logins []wamptest.Login
		check  func(err error) bool // nil: it succeeds
	}{
		{"right", authn.Ticket("joe", "secret!!"), nil, nil},
		{"from a provider", authn.Ticket("joe", provider("secret!!", nil)), nil, nil},
		{"wrong", authn.Ticket("joe", "guess!!!"), nil, func(err error) bool { return errors.Is(err, wamp.ErrAuthenticationFailed) }},
		{"nobody", authn.Ticket("jane", "secret!!"), nil, func(err error) bool { return errors.Is(err, wamp.ErrNoSuchPrincipal) }},
		{"the provider fails", authn.Ticket("joe", provider("", vault)), nil, func(err error) bool {
			var login *wamp.LoginError
			return errors.As(err, &login) && errors.Is(err, vault)
		}},
		{"not accepted", authn.Ticket("joe", "secret!!"), []wamptest.Login{wamptest.Anonymous()}, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
		{"anonymous, not accepted", authn.Anonymous(), nil, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
		{"anonymous by default, not accepted", nil, nil, func(err error) bool { return errors.Is(err, wamp.ErrNoMatchingAuthMethod) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logins := tt.logins
				if logins == nil {
					logins = []wamptest.Login{wamptest.Ticket(lookup)}
				}
				var log strings.Builder
				r := wamptest.NewRouter(t, wamptest.WithLogins(logins...))
				options := []wamp.Option{wamp.WithTransport(r.Dial), wamp.WithAuth(tt.auth),
					wamp.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))}
				s, err := wamp.Connect(t.Context(), "", "realm1", options...)
				if tt.check == nil {
					if err != nil {
						t.Fatal(err)
					}
					if d := s.Details(); d.AuthID != "joe" || d.AuthRole != "member" || d.AuthMethod != "ticket" {
						t.Errorf("%+v", d)
					}
					closeIt(t, s)
				} else if err == nil || !tt.check(err) {
					t.Errorf("%v", err)
				}
				for _, secret := range []string{"secret!!", "guess!!!"} {
					if strings.Contains(log.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
						t.Errorf("the ticket is told: %v, %s", err, log.String())
					}
				}
				synctest.Wait()
				if links := r.Stats().Links; links != 0 {
					t.Errorf("%d links are left", links)
				}
			})
		})
	}
	if asked != 2 {
		t.Errorf("providers were asked %d times", asked)
	}
	t.Run("over sockets", func(t *testing.T) {
		r := wamptest.NewRouter(t, wamptest.WithLogins(wamptest.Ticket(lookup)))
		overSockets(t, r, func(t *testing.T, _ scheme, address string, options []wamp.Option) {
			s := connect(t, address, append(options, wamp.WithAuth(authn.Ticket("joe", "secret!!")))...)
			if d := s.Details(); d.AuthID != "joe" || d.AuthMethod != "ticket" {
				t.Errorf("%+v", d)
			}
			if err := fails(t, address, append(options, wamp.WithAuth(authn.Ticket("joe", "guess!!!")))...); !errors.Is(err, wamp.ErrAuthenticationFailed) {
				t.Errorf("wrong: %v", err)
			}
		})
	})
}
