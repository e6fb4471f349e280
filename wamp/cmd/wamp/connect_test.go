package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// pemOf writes a certificate, and with key its key too.
func pemOf(t *testing.T, cert tls.Certificate, key bool) string {
	t.Helper()
	var b bytes.Buffer
	for _, der := range cert.Certificate {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	if key {
		der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	return file(t, "pem", b.String())
}

func TestTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server, _, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	if b.url, err = b.router.ListenRawSocket("tcp", "127.0.0.1:0", wamptest.WithTLS(server)); err != nil {
		t.Fatal(err)
	}
	b.expect(b.run("ping", "-o", "raw"), exitNetwork, "", "certificate")
	ca := pemOf(t, server.Certificates[0], false)
	for _, args := range [][]string{{"--ca", ca}, {"--insecure"}, {"-vv", "--ca", ca}} {
		if got := b.run(append([]string{"ping"}, args...)...); got.code != 0 {
			t.Errorf("%q: %+v", args, got)
		}
	}
	b.expect(b.run("ping", "--ca", filepath.Join(t.TempDir(), "none")), exitFault, "", "--ca")
	b.expect(b.run("ping", "--ca", file(t, "empty", "")), exitFault, "", "has no certificate")
	c := b.command("ping", "--format", "{{.Seq}}")
	c.Env = append(c.Env, "WAMP_INSECURE=1")
	b.expect(b.finish(c), 0, "1\n")
	c = b.command("ping", "--insecure=false")
	c.Env = append(c.Env, "WAMP_INSECURE=true")
	b.expect(b.finish(c), exitNetwork, "", "certificate")
	c = b.command("ping")
	c.Env = append(c.Env, "WAMP_INSECURE=maybe")
	b.expect(b.finish(c), exitUsage, "", "WAMP_INSECURE")
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	client, err := wamptest.LocalIdentity("joe")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, wamptest.WithLogins(wamptest.TLS(func(cert *x509.Certificate, _ string) (string, string, bool) {
		return cert.Subject.CommonName, "user", bytes.Equal(cert.Raw, client.Certificate[0])
	})))
	server, _, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	server.ClientAuth = tls.RequestClientCert
	if b.url, err = b.router.ListenWebSocket("127.0.0.1:0", wamptest.WithTLS(server)); err != nil {
		t.Fatal(err)
	}
	both := pemOf(t, client, true)
	cert := pemOf(t, client, false)
	other, err := wamptest.LocalIdentity("jim")
	if err != nil {
		t.Fatal(err)
	}
	b.loggedIn(0, `"joe"`, "--insecure", "--auth", "tls", "--cert", both)
	b.loggedIn(0, `"joe"`, "--insecure", "--auth", "tls", "--cert", cert, "--cert-key", both)
	b.loggedIn(exitRefused, "wamp.error", "--insecure", "--auth", "tls", "--cert", pemOf(t, other, true))
	b.loggedIn(exitFault, "--cert", "--insecure", "--auth", "tls", "--cert", cert) // without a key
}

func TestSerializers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.echo", echo)
	for _, name := range []string{"json", "cbor", "msgpack", "msgpack, json"} {
		b.expect(b.run("call", "com.example.echo", "1", "2.0", `{"$bytes":"AP8="}`, "--serializer", name), 0, `{"args":[1,2.0,{"$bytes":"AP8="}]}`+"\n")
	}
}

// Variables, contexts and flags, which win in this order.
func TestSettings(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithRealms("realm2"))
	good := b.command("ping", "--realm", "realm2", "--format", "{{.Seq}}")
	good.Env = append(good.Env, "WAMP_REALM=nowhere")
	b.expect(b.finish(good), 0, "1\n")
	bad := b.command("ping")
	bad.Env = append(bad.Env, "WAMP_REALM=nowhere")
	b.expect(b.finish(bad), exitRefused, "", "no_such_realm")
	b.expect(b.run("ping", "--context", "none"), exitUsage, "", `no context "none"`)
	b.expect(b.run("ping", "--context", "../x"), exitUsage, "", "letters")
	b.expect(b.run("ping", "--realm", "..", "--max-time", "10s"), exitUsage, "", "realm")
	b.expect(b.run("ping", "--nothing"), exitUsage, "", "wamp ping --help")
	b.expect(b.run("nothing"), exitUsage, "", "nothing")
	b.expect(b.run(), 0, b.run("--help").out)
}

// What -v and -vv tell.
func TestVerbose(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.echo", echo)
	once := b.run("call", "com.example.echo", "hi", "-v")
	if !strings.Contains(once.errs, "wamp: session joined") || strings.Contains(once.errs, "CALL") || once.out != `{"args":["hi"]}`+"\n" {
		t.Error(once)
	}
	twice := b.run("call", "com.example.echo", "hi", strings.Repeat("x", 5000), "-vv")
	for _, part := range []string{"session joined", `-> HELLO ["realm1",{`, "<- WELCOME [", `-> CALL [1,{},"com.example.echo",["hi","xxx`, "xxx...\n", `<- RESULT [1,{},["hi",`,
		`-> GOODBYE [{},"wamp.close.close_realm"]`, "<- GOODBYE ["} {
		if !strings.Contains(twice.errs, part) {
			t.Errorf("%q is missing in %s", part, twice.errs)
		}
	}
}

// An address may have a password, which is told nowhere.
func TestAddressWithAPassword(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	url := strings.Replace(b.url, "ws://", "ws://joe:s3cret@", 1)
	for _, url := range []string{url, strings.Replace(url, "/ws", "/nowhere", 1), "ws://joe:s3cret@127.0.0.1:1/ws", "xx://joe:s3cret@h", "ws://joe:s3cret@h:port/"} {
		if got := b.run("ping", "-vv", "--url", url); strings.Contains(got.errs, "s3cret") {
			t.Errorf("%s: %s", url, got.errs)
		}
	}
}
