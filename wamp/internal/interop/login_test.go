//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// principals are the logins of the router: testdata/interop/principals.json.
type principals struct {
	Ticket map[string]string `json:"ticket"`
	CRA    map[string]struct {
		Secret string `json:"secret"`
	} `json:"wampcra"`
	SCRAM map[string]struct {
		Password string `json:"password"`
	} `json:"scram"`
	Sign map[string]struct {
		Seed string `json:"private_seed_hex"`
	} `json:"cryptosign"`
}

func readPrincipals(t *testing.T) (p principals) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(rig.source, "principals.json"))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// logins is the table of methods and transports, for the end of the run.
var logins = &loginTable{cells: map[string]map[string]string{}}

type loginTable struct {
	rows, columns []string
	cells         map[string]map[string]string
}

func (l *loginTable) note(row, column, verdict string) {
	if !slices.Contains(l.columns, column) {
		l.columns = append(l.columns, column)
	}
	if l.cells[row] == nil {
		l.rows = append(l.rows, row)
		l.cells[row] = map[string]string{}
	}
	l.cells[row][column] = verdict
}

func (l *loginTable) log(t *testing.T) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "\n| Crossbar, method | %s |\n|---|%s\n", strings.Join(l.columns, " | "), strings.Repeat("---|", len(l.columns)))
	for _, row := range l.rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, c := range l.columns {
			v := l.cells[row][c]
			if v == "" {
				v = "-"
			}
			fmt.Fprintf(&b, " %s |", v)
		}
		b.WriteByte('\n')
	}
	t.Log(b.String())
}

// attempt logs in; the session closes with the test.
func attempt(t *testing.T, url string, auth authn.Authenticator, options ...wamp.Option) (*wamp.Details, error) {
	t.Helper()
	s, err := wamp.Connect(limit(t), url, realm, append(options, wamp.WithAuth(auth))...)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { leave(t, s) })
	return s.Details(), nil
}

// TestLoginMatrix: every method over every transport, right and wrong. What
// Crossbar cannot do it says with an ABORT, which is checked too.
func TestLoginMatrix(t *testing.T) {
	p := readPrincipals(t)
	dialect := authn.CrossbarDialect()
	sign := func(name, authid string, options ...authn.CryptosignOption) authn.Authenticator {
		a, err := authn.CryptosignHex(authid, p.Sign[name].Seed, options...)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	var routerKey ed25519.PublicKey
	learn := authn.VerifyRouter(func(key ed25519.PublicKey) error { routerKey = slices.Clone(key); return nil })
	if _, err := attempt(t, rig.URLs["ws"], sign("sign-a", "sign-a", learn)); err != nil {
		t.Fatal(err)
	}
	trust := authn.RouterKey(routerKey)
	strange := authn.RouterKey(make(ed25519.PublicKey, ed25519.PublicKeySize))
	exporter := authn.BindChannel(authn.TLSExporter)
	const wrong, nobody, noMethod, other = authn.WrongCredentials, authn.NoSuchPrincipal, authn.NoCommonMethod, authn.NotAuthorized
	secure := []string{"wss", "rawtls"}
	for _, m := range []struct {
		name   string
		right  authn.Authenticator
		authid string
		method string
		wrong  authn.Authenticator
		why    authn.RefusalKind
		kinds  []string // nil: all
	}{
		{"anonymous", authn.Anonymous(), "", "anonymous", nil, 0, nil},
		{"ticket", authn.Ticket("tick-app", p.Ticket["tick-app"]), "tick-app", "ticket", authn.Ticket("tick-app", "wrong"), wrong, nil},
		{"ticket, nobody", authn.Ticket("tick-limited", p.Ticket["tick-limited"]), "tick-limited", "ticket", authn.Ticket("tick-none", "wrong"), nobody, nil},
		{"wampcra plain", authn.CRA("cra-plain", p.CRA["cra-plain"].Secret), "cra-plain", "wampcra", authn.CRA("cra-plain", "wrong"), wrong, nil},
		{"wampcra salted", authn.CRA("cra-salted", p.CRA["cra-salted"].Secret, authn.RequireSalt()), "cra-salted", "wampcra", authn.CRA("cra-salted", "wrong"), wrong, nil},
		{"wampcra, nobody", authn.CRA("cra-salted", p.CRA["cra-salted"].Secret), "cra-salted", "wampcra", authn.CRA("cra-none", "wrong"), nobody, nil},
		{"scram pbkdf2", authn.SCRAM("scram-pbkdf2", p.SCRAM["scram-pbkdf2"].Password, dialect), "scram-pbkdf2", "scram", authn.SCRAM("scram-pbkdf2", "wrong", dialect), wrong, nil},
		{"scram argon2id, text key", authn.SCRAM("scram-argon-ab", p.SCRAM["scram-argon-ab"].Password, dialect), "scram-argon-ab", "scram", authn.SCRAM("scram-argon-ab", "wrong", dialect), wrong, nil},
		{"scram argon2id, raw key", authn.SCRAM("scram-argon", p.SCRAM["scram-argon"].Password, dialect, authn.RawKeys()), "scram-argon", "scram", authn.SCRAM("scram-argon", p.SCRAM["scram-argon"].Password, dialect), wrong, nil},
		{"scram, nobody", authn.SCRAM("scram-pbkdf2", p.SCRAM["scram-pbkdf2"].Password, dialect), "scram-pbkdf2", "scram", authn.SCRAM("scram-none", "wrong", dialect), nobody, nil},
		{"wamp-scram", nil, "", "", authn.SCRAM("scram-pbkdf2", p.SCRAM["scram-pbkdf2"].Password), noMethod, nil},
		{"cryptosign", sign("sign-a", "sign-a"), "sign-a", "cryptosign", sign("sign-b", "sign-a"), wrong, nil},
		{"cryptosign, no authid", sign("sign-b", ""), "sign-b", "cryptosign", sign("sign-unknown", ""), nobody, nil},
		{"cryptosign both ways", sign("sign-a", "sign-a", trust), "sign-a", "cryptosign", nil, 0, nil},
		// Crossbar binds with tls-unique only, and speaks TLS 1.3 only, which has none.
		{"cryptosign tls-exporter", nil, "", "", sign("sign-a", "sign-a", exporter), other, secure},
	} {
		where := m.kinds
		if where == nil {
			where = kinds
		}
		for i, kind := range where {
			t.Run(m.name+"/"+kind, func(t *testing.T) {
				logins.note(m.name, kind, "FAIL")
				options := cell{kind, codecs[i%len(codecs)]}.options()
				verdict := "ok"
				if m.right == nil {
					verdict = "refused"
				} else {
					d, err := attempt(t, rig.URLs[kind], m.right, options...)
					if err != nil {
						t.Fatal(err)
					}
					if d.AuthMethod != m.method || m.authid != "" && d.AuthID != m.authid || d.Realm != realm {
						t.Errorf("%+v", d)
					}
				}
				if m.wrong != nil {
					_, err := attempt(t, rig.URLs[kind], m.wrong, options...)
					var refusal *authn.Refusal
					if !errors.As(err, &refusal) || refusal.Kind != m.why || refusal.Message == "" {
						t.Errorf("wrong credentials: %v", err)
					}
				}
				if !t.Failed() {
					logins.note(m.name, kind, verdict)
				}
			})
		}
	}
	t.Run("tls-unique", func(t *testing.T) {
		for _, kind := range secure {
			var binding *authn.BindingError
			auth := sign("sign-a", "sign-a", authn.BindChannel(authn.TLSUnique))
			if _, err := attempt(t, rig.URLs[kind], auth, cell{kind, codecs[0]}.options()...); !errors.As(err, &binding) || binding.Router {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
	t.Run("a router with another key", func(t *testing.T) {
		var router *authn.RouterError
		if _, err := attempt(t, rig.URLs["ws"], sign("sign-a", "sign-a", strange)); !errors.As(err, &router) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no such realm", func(t *testing.T) {
		_, err := wamp.Connect(limit(t), rig.URLs["ws"], "realm-none", wamp.WithAuth(authn.Ticket("tick-app", p.Ticket["tick-app"])))
		var refusal *authn.Refusal
		if !errors.As(err, &refusal) || refusal.Kind != authn.NoSuchRealm || !errors.Is(err, wamp.ErrNoSuchRealm) {
			t.Errorf("%v", err)
		}
	})
	t.Run("forbidden by policy", func(t *testing.T) {
		s, err := wamp.Connect(limit(t), rig.URLs["ws"], realm, wamp.WithAuth(authn.Ticket("tick-limited", p.Ticket["tick-limited"])))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { leave(t, s) })
		if _, err := s.Call(limit(t), "com.private.proc", wamp.Args()).Final(); !errors.Is(err, wamp.ErrNotAuthorized) {
			t.Errorf("%v", err)
		}
	})
	logins.log(t)
}

// TestLoginCertificate: TLS client certificates, on their port.
func TestLoginCertificate(t *testing.T) {
	certs := filepath.Dir(rig.CA)
	config := func(name string) wamp.Option {
		cert, err := tls.LoadX509KeyPair(filepath.Join(certs, name+".pem"), filepath.Join(certs, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return wamp.WithTLS(&tls.Config{RootCAs: rig.roots, Certificates: []tls.Certificate{cert}})
	}
	for _, c := range codecs {
		d, err := attempt(t, rig.URLs["mtls"], authn.TLS(), config("client"), wamp.WithSerializers(c))
		if err != nil {
			t.Fatal(err)
		}
		if d.AuthMethod != "tls" || d.AuthID != "tls-app" || d.AuthRole != "app" {
			t.Errorf("%+v", d)
		}
	}
	_, err := attempt(t, rig.URLs["mtls"], authn.TLS(), config("stranger"))
	var refusal *authn.Refusal
	if !errors.As(err, &refusal) || refusal.Kind != authn.NoSuchPrincipal {
		t.Errorf("a certificate of nobody: %v", err)
	}
	// Without any the handshake does not even end.
	if _, err := attempt(t, rig.URLs["mtls"], authn.TLS(), wamp.WithTLS(&tls.Config{RootCAs: rig.roots})); err == nil {
		t.Error("let in without a certificate")
	}
}

// TestLoginCookie: the cookie of a ticket stands for it on the next connections
// of a session, and the ticket is not asked for again.
func TestLoginCookie(t *testing.T) {
	p := readPrincipals(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	var cut transport.Conn
	ticket := authn.Ticket("tick-app", func(context.Context, authn.Request) (string, error) { asked++; return p.Ticket["tick-app"], nil })
	s, err := wamp.Connect(limit(t), "", realm, wamp.WithAuth(authn.Any(authn.Cookie(), ticket)),
		wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}),
		wamp.WithTransport(func(ctx context.Context, protocols []transport.Protocol) (transport.Conn, error) {
			c, err := transport.DialWebSocket(ctx, rig.URLs["ws-cookie"], protocols, transport.WebSocketOptions{Jar: jar})
			cut = c
			return c, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(t, s) })
	if d := s.Details(); d.AuthMethod != "ticket" || d.AuthProvider != "static" {
		t.Errorf("%+v", d)
	}
	for range 2 {
		was := s.ID()
		states := s.States(limit(t))
		<-states
		_ = cut.CloseNow()
		for st := range states {
			if st.Phase == wamp.Joined && st.Details.Session != was {
				break
			}
		}
		if d := s.Details(); d.AuthProvider != "cookie" || d.AuthID != "tick-app" || d.AuthRole != "app" || d.AuthMethod != "ticket" {
			t.Errorf("%+v", d)
		}
	}
	if asked != 1 {
		t.Errorf("the ticket was asked for %d times", asked)
	}
}

// TestLoginInTurn: Crossbar gives up at a name that it does not know, so methods
// go on connections of their own.
func TestLoginInTurn(t *testing.T) {
	p := readPrincipals(t)
	scram, ticket := authn.SCRAM("scram-pbkdf2", "x"), authn.Ticket("tick-app", p.Ticket["tick-app"])
	if _, err := attempt(t, rig.URLs["ws"], authn.Any(scram, authn.Cryptosign("scram-pbkdf2", ed25519.NewKeyFromSeed(make([]byte, 32))))); err == nil {
		t.Error("Crossbar takes a name that it does not know")
	}
	d, err := attempt(t, rig.URLs["ws"], authn.InTurn(scram, ticket))
	if err != nil || d.AuthMethod != "ticket" {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = attempt(t, rig.URLs["ws"], authn.Any(authn.SCRAM("cra-plain", "x", authn.CrossbarDialect()), authn.CRA("cra-plain", p.CRA["cra-plain"].Secret)))
	if err == nil { // it asks by the first one, of which it knows no such principal
		t.Errorf("%+v", d)
	}
}

// job is one login of testdata/interop/login.py, and what is to come of it.
type job struct {
	URL            string                    `json:"url"`
	Codec          string                    `json:"codec"`
	Authentication map[string]map[string]any `json:"authentication"`

	name, authid string
	ok           bool
	says         string // in the error
}

// TestLoginOfAutobahn: autobahn-python logs in at the accepting side of
// wamptest, and finds a router there.
func TestLoginOfAutobahn(t *testing.T) {
	p := readPrincipals(t)
	salted, err := accept.NewCRASecret("cra-password", accept.CRAParams{Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	record, err := accept.NewSCRAMRecord("scram-password", accept.SCRAMParams{Memory: 4096, Iterations: 3}, accept.CrossbarDialect())
	if err != nil {
		t.Fatal(err)
	}
	forged := record
	forged.ServerKey = make([]byte, 32)
	sign, err := hex.DecodeString(p.Sign["sign-a"].Seed)
	if err != nil {
		t.Fatal(err)
	}
	signKey := ed25519.NewKeyFromSeed(sign).Public().(ed25519.PublicKey)
	router := wamptest.NewRouter(t, wamptest.WithLogins(
		wamptest.Anonymous(),
		wamptest.Ticket(func(authid, _ string) (string, string, bool) { return "ticket-secret", "app", authid == "tick" }),
		wamptest.CRA(func(authid, _ string) (accept.CRASecret, string, bool) {
			if authid == "plain" {
				return accept.CRASecret{Key: "cra-secret"}, "app", true
			}
			return salted, "app", authid == "salted"
		}),
		wamptest.SCRAM(func(authid, _ string) (accept.SCRAMRecord, string, bool) {
			if authid == "forged" {
				return forged, "app", true
			}
			return record, "app", authid == "argon"
		}, accept.CrossbarDialect()),
		wamptest.Cryptosign(nil, func(_ string, key ed25519.PublicKey, _ string) (string, string, bool) {
			return "sign-a", "app", key.Equal(signKey)
		})))
	server, _, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	url := func(url string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	ws, raw := url(router.ListenWebSocket("")), url(router.ListenRawSocket("tcp", ""))
	wss, rawtls := url(router.ListenWebSocket("", wamptest.WithTLS(server))), url(router.ListenRawSocket("tcp", "", wamptest.WithTLS(server)))
	old := server.Clone() // the last version that has tls-unique
	old.MaxVersion = tls.VersionTLS12
	wss12, rawtls12 := url(router.ListenWebSocket("", wamptest.WithTLS(old))), url(router.ListenRawSocket("tcp", "", wamptest.WithTLS(old)))
	auth := func(method string, kv ...string) map[string]map[string]any {
		m := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return map[string]map[string]any{method: m}
	}
	var jobs []job
	codec := 0
	each := func(name, authid string, ok bool, says string, a map[string]map[string]any) {
		for _, where := range []string{ws, raw, wss, rawtls} {
			jobs = append(jobs, job{where, codecs[codec%len(codecs)].Name(), a, name, authid, ok, says})
			codec++
		}
	}
	one := func(name, authid string, ok bool, says string, a map[string]map[string]any) {
		jobs = append(jobs, job{ws, "json", a, name, authid, ok, says})
	}
	each("anonymous", "", true, "", auth("anonymous"))
	each("ticket", "tick", true, "", auth("ticket", "authid", "tick", "ticket", "ticket-secret"))
	one("ticket, wrong", "", false, "authentication_failed", auth("ticket", "authid", "tick", "ticket", "x"))
	each("wampcra plain", "plain", true, "", auth("wampcra", "authid", "plain", "secret", "cra-secret"))
	each("wampcra salted", "salted", true, "", auth("wampcra", "authid", "salted", "secret", "cra-password"))
	one("wampcra, wrong", "", false, "authentication_failed", auth("wampcra", "authid", "salted", "secret", "x"))
	one("wampcra, nobody", "", false, "no_such_principal", auth("wampcra", "authid", "nobody", "secret", "x"))
	each("scram argon2id", "argon", true, "", auth("scram", "authid", "argon", "password", "scram-password"))
	one("scram, wrong", "", false, "authentication_failed", auth("scram", "authid", "argon", "password", "x"))
	one("scram, a router that does not know the password", "", false, "", auth("scram", "authid", "forged", "password", "scram-password"))
	each("cryptosign", "sign-a", true, "", auth("cryptosign", "authid", "sign-a", "privkey", p.Sign["sign-a"].Seed))
	one("cryptosign, nobody", "", false, "no_such_principal", auth("cryptosign", "authid", "sign-b", "privkey", p.Sign["sign-b"].Seed))

	bound := auth("cryptosign", "authid", "sign-a", "privkey", p.Sign["sign-a"].Seed)
	bound["cryptosign"]["authextra"] = map[string]any{"channel_binding": "tls-unique"}
	for _, where := range []string{wss12, rawtls12} {
		jobs = append(jobs, job{where, "cbor", bound, "cryptosign tls-unique", "sign-a", true, ""})
	}

	crossbar := os.Getenv("CROSSBAR")
	if crossbar == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		crossbar = filepath.Join(cache, "wamp-interop", "venv", "bin", "crossbar")
	}
	input, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var stderr tail
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(crossbar), "python"), filepath.Join(rig.source, "login.py"), ca)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("login.py: %v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(jobs) {
		t.Fatalf("login.py: %d answers to %d jobs\n%s", len(lines), len(jobs), stderr.String())
	}
	for i, j := range jobs {
		var r struct {
			OK         bool
			Error      string
			AuthID     string
			AuthMethod string
			Echo       int
		}
		if err := json.Unmarshal([]byte(lines[i]), &r); err != nil {
			t.Fatal(err)
		}
		scheme, _, _ := strings.Cut(j.URL, "://")
		switch {
		case r.OK != j.ok, !j.ok && !strings.Contains(r.Error, j.says), j.ok && (r.Echo != 7 || j.authid != "" && r.AuthID != j.authid):
			t.Errorf("%s, %s, %s: %s", j.name, scheme, j.Codec, lines[i])
		default:
			t.Logf("%s, %s, %s: %s", j.name, scheme, j.Codec, lines[i])
		}
	}
}
