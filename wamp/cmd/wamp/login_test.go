package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// tickets lets joe in.
var tickets = wamptest.Ticket(func(authid, _ string) (string, string, bool) { return "t1cket", "user", authid == "joe" })

// file writes a file of the test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// loggedIn runs the program with a login, and compares how it ends.
func (b *bench) loggedIn(code int, says string, args ...string) {
	b.Helper()
	c := b.command(append([]string{"ping", "-o", "raw", "-vv"}, args...)...)
	c.Env = append(c.Env, "WAMP_SECRET=")
	got := b.finish(c)
	if got.code != code || !strings.Contains(got.errs, says) {
		b.Errorf("%q: %d, without %q: %s", args, got.code, says, got.errs)
	}
}

func TestLoginByPassword(t *testing.T) {
	t.Parallel()
	cra, err := accept.NewCRASecret("p4ssword", accept.CRAParams{Salt: "salt", Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	cheap := accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096}
	scram, err := accept.NewSCRAMRecord("p4ssword", cheap)
	if err != nil {
		t.Fatal(err)
	}
	crossbar, err := accept.NewSCRAMRecord("p4ssword", cheap, accept.CrossbarDialect())
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(r accept.SCRAMRecord) func(string, string) (accept.SCRAMRecord, string, bool) {
		return func(authid, _ string) (accept.SCRAMRecord, string, bool) { return r, "user", authid == "joe" }
	}
	b := newBench(t, wamptest.WithLogins(
		wamptest.Ticket(func(authid, _ string) (string, string, bool) { return "p4ssword", "user", authid == "joe" }),
		wamptest.CRA(func(authid, _ string) (accept.CRASecret, string, bool) { return cra, "user", authid == "joe" }),
		wamptest.SCRAM(lookup(scram)),
		wamptest.SCRAM(lookup(crossbar), accept.CrossbarDialect()),
	))
	right, wrong := file(t, "right", "p4ssword\n"), file(t, "wrong", "p4ssw0rd\n")
	for _, method := range []string{"ticket", "cra", "scram", "scram-crossbar"} {
		b.loggedIn(0, `"joe"`, "--auth", method, "--authid", "joe", "--secret-file", right)
		b.loggedIn(exitRefused, "wamp.error", "--auth", method, "--authid", "joe", "--secret-file", wrong)
		b.loggedIn(exitRefused, "wamp.error", "--auth", method, "--authid", "jim", "--secret-file", right)
		b.loggedIn(exitUsage, "--authid", "--auth", method)
		b.loggedIn(exitFault, "--secret-file", "--auth", method, "--authid", "joe", "--secret-file", right+"x")
		c := b.command("ping", "--auth", method, "--authid", "joe", "-vv")
		c.Env = append(c.Env, "WAMP_SECRET=p4ssword")
		if got := b.finish(c); got.code != 0 || strings.Contains(got.errs, "p4ssword") || !strings.Contains(got.errs, "AUTHENTICATE (hidden)") {
			t.Errorf("%s: %d, %s", method, got.code, got.errs)
		}
		c = b.command("ping", "--authid", "joe")
		c.Env = append(c.Env, "WAMP_AUTH="+method, "WAMP_SECRET_FILE="+right)
		if got := b.finish(c); got.code != 0 {
			t.Errorf("%s by variables: %s", method, got.errs)
		}
	}
	b.loggedIn(exitRefused, "wamp.error", "--auth", "anonymous")
	b.loggedIn(exitUsage, "none of anonymous, ticket", "--auth", "magic")
	b.loggedIn(exitUsage, "--auth", "--secret-file", right)
	b.loggedIn(exitUsage, "--auth", "--authid", "joe")
	b.loggedIn(exitUsage, "--cert", "--auth", "tls")
	b.loggedIn(exitUsage, "--key", "--auth", "cryptosign")
	b.loggedIn(exitUsage, "none of cbor, msgpack, json", "--serializer", "xml")
}

// key is joe's, and what accepts it.
func joesKey() (ed25519.PrivateKey, wamptest.Login) {
	key := ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	return key, wamptest.Cryptosign(nil, func(_ string, public ed25519.PublicKey, _ string) (string, string, bool) {
		return "joe", "user", public.Equal(key.Public())
	})
}

// openSSH is a key as a file of OpenSSH, encrypted where there is a passphrase.
func openSSH(t *testing.T, key ed25519.PrivateKey, passphrase string) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func TestLoginByKey(t *testing.T) {
	t.Parallel()
	key, login := joesKey()
	b := newBench(t, wamptest.WithLogins(login))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"hex":     hex.EncodeToString(key.Seed()) + "\n",
		"openssh": openSSH(t, key, ""),
		"pem":     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	} {
		b.loggedIn(0, `"joe"`, "--key", file(t, name, text))
		b.loggedIn(0, `"joe"`, "--auth", "cryptosign", "--authid", "joe", "--key", file(t, name, text))
	}
	sealed := file(t, "sealed", openSSH(t, key, "open sesame"))
	b.loggedIn(0, `"joe"`, "--key", sealed, "--secret-file", file(t, "passphrase", "open sesame\n"))
	b.loggedIn(exitRefused, "passphrase", "--key", sealed, "--secret-file", file(t, "passphrase", "close\n"))
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b.loggedIn(exitRefused, "wamp.error", "--key", file(t, "other", hex.EncodeToString(other.Seed())))
	b.loggedIn(exitFault, "--key", "--key", filepath.Join(t.TempDir(), "nothing"))
	b.loggedIn(exitFault, "key file", "--key", file(t, "broken", "0123"))
}

func TestLoginByAgent(t *testing.T) {
	t.Parallel()
	key, login := joesKey()
	b := newBench(t, wamptest.WithLogins(login))
	keys := agent.NewKeyring()
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, conn) }()
		}
	}()
	run := func(socket string) output {
		c := b.command("ping", "--key", "ssh-agent", "-vv")
		c.Env = append(c.Env, "SSH_AUTH_SOCK="+socket)
		return b.finish(c)
	}
	for _, want := range []struct {
		socket string
		code   int
		says   string
	}{{"", exitFault, "SSH_AUTH_SOCK"}, {socket + "x", exitFault, "ssh-agent"}, {socket, exitFault, "no Ed25519 key"}} {
		if got := run(want.socket); got.code != want.code || !strings.Contains(got.errs, want.says) {
			t.Errorf("%+v: %+v", want, got)
		}
	}
	if err := keys.Add(agent.AddedKey{PrivateKey: &key}); err != nil {
		t.Fatal(err)
	}
	if got := run(socket); got.code != 0 || !strings.Contains(got.errs, `"joe"`) {
		t.Error(got)
	}
}
