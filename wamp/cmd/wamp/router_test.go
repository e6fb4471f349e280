package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// routerAt runs wamp router at a free port until the test ends, and returns its address.
func (b *bench) routerAt(args ...string) (url string) {
	b.Helper()
	s := b.start(append([]string{"router", "--listen", "127.0.0.1:0"}, args...)...)
	var l addressLine
	if err := json.Unmarshal([]byte(s.line()), &l); err != nil {
		b.Fatal(err)
	}
	return l.URL
}

func TestRouter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.start("router", "--listen", "127.0.0.1:0", "--rawsocket", "127.0.0.1:0", "--realm", "one", "--realm", "two", "--demo", "-o", "raw")
	web, raw := r.line(), r.line()
	if !strings.HasPrefix(web, "ws://127.0.0.1:") || !strings.HasSuffix(web, "/ws") || !strings.HasPrefix(raw, "tcp://127.0.0.1:") {
		t.Fatalf("%q and %q", web, raw)
	}
	r.waitFor("for development")
	for _, url := range []string{web, raw} {
		for _, realm := range []string{"one", "two"} {
			b.expect(b.run("call", "--url", url, "--realm", realm, "com.example.add", "2", "3"), 0, `{"args":[5]}`+"\n")
		}
	}
	b.expect(b.run("call", "--url", web, "--realm", "one", "com.example.add", "2", "0.5"), 0, `{"args":[2.5]}`+"\n")
	b.expect(b.run("call", "--url", web, "--realm", "one", "com.example.add", "two"), exitAnswer, "", "wamp.error.invalid_argument")
	b.expect(b.run("call", "--url", web, "--realm", "one", "com.example.count", "3", "-p", "-o", "raw"), 0, "1\n2\n3\n")
	b.expect(b.run("call", "--url", web, "--realm", "three", "com.example.add", "2", "3"), exitRefused, "", "no_such_realm")

	s, err := wamp.Connect(t.Context(), web, "one")
	if err != nil {
		t.Fatal(err)
	}
	r.interrupt()
	select {
	case <-s.Done():
		has(t, s.Err().Error(), proto.CloseURISystemShutdown)
	case <-time.After(patience):
		t.Error("the session goes on")
	}
	if got := r.end(); got.code != 0 || got.out != "" {
		t.Errorf("%+v", got)
	}
	b.expect(b.run("call", "--url", web, "com.example.add"), exitNetwork, "", "refused")
}

// wamp call finds wamp router without a flag of either.
func TestRouterDefaults(t *testing.T) {
	t.Parallel()
	url := allSettings[0].initial
	c := new(tool).routerCommand()
	if listen := c.Flag("listen").DefValue; url != "ws://"+listen+"/ws" {
		t.Errorf("the router listens at %s, and calls go to %s", listen, url)
	}
	var f routerFlags
	if err := f.check(func(string) bool { return false }); err == nil || f.realms[0] != allSettings[1].initial {
		t.Errorf("realms %q, calls go to %q, %v", f.realms, allSettings[1].initial, err)
	}
}

func TestRouterSlips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	b.expect(b.run("router", "--listen", taken.Addr().String()), exitFault, "", "--listen", "in use")
	b.expect(b.run("router", "--listen", "127.0.0.1:0", "--rawsocket", taken.Addr().String()), exitFault, "", "--rawsocket", "in use")
	b.expect(b.run("router", "--listen", "nothing"), exitFault, "", "--listen")
	b.expect(b.run("router", "--listen", ""), exitUsage, "", "listens nowhere")
	b.expect(b.run("router", "--realm", ""), exitUsage, "", "--realm")
	b.expect(b.run("router", "--realm", "a b"), exitUsage, "", "--realm")
	b.expect(b.run("router", "--tls-key", "k.pem"), exitUsage, "", "--tls-cert")
	b.expect(b.run("router", "--tls-cert", "nowhere.pem"), exitFault, "", "nowhere.pem")
	b.expect(b.run("router", "--login", "nowhere.json"), exitFault, "", "nowhere.json")
	b.expect(b.run("router", "realm1"), exitUsage, "", "wamp router --help")
	b.expect(b.run("router", "--listen", "0.0.0.0:1x"), exitFault, "", "can be reached from the network")
	got := b.run("router", "--listen", "127.0.0.1:0", "--max-time", "50ms", "-q")
	if got.code != exitTimeout || !strings.Contains(got.out, "ws://127.0.0.1:") || !strings.Contains(got.errs, "--max-time") {
		t.Errorf("%+v", got)
	}
}

func TestRouterOverUnixSocket(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	b := newBench(t)
	dir, err := os.MkdirTemp("", "w") //nolint:usetesting // the name of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := b.start("router", "--listen", "", "--rawsocket", "unix:"+filepath.Join(dir, "s"), "--demo", "-o", "raw")
	b.expect(b.run("call", "--url", r.line(), "com.example.echo", "hello", "-o", "raw"), 0, "hello\n")
}

func TestRouterTLS(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cert, key := certificate(t)
	url := b.routerAt("--tls-cert", cert, "--tls-key", key, "--demo")
	if !strings.HasPrefix(url, "wss://") {
		t.Errorf("%s", url)
	}
	b.expect(b.run("call", "--url", url, "--ca", cert, "com.example.add", "2", "3"), 0, `{"args":[5]}`+"\n")
	b.expect(b.run("call", "--url", url, "com.example.add", "2", "3"), exitNetwork, "", "certificate")
}

// A router like Crossbar refuses by names of its own.
func TestRouterLikeCrossbar(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	logins := filepath.Join(t.TempDir(), "logins.json")
	if err := os.WriteFile(logins, []byte(`[{"method":"ticket","authid":"alice","secret":"sesame"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.expect(b.run("ping", "--url", b.routerAt("--login", logins, "--crossbar")), exitRefused, "", "wamp.error.no_auth_method")
}

// Messages are printed behind the addresses, without secrets and long payloads.
func TestRouterLog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := t.TempDir()
	logins, secret := filepath.Join(dir, "logins.json"), filepath.Join(dir, "alice")
	for file, text := range map[string]string{logins: `[{"method":"ticket","authid":"alice","secret_file":"alice"}]`, secret: "open sesame\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := b.start("router", "--listen", "127.0.0.1:0", "--login", logins, "--log", "--demo")
	var at addressLine
	if err := json.Unmarshal([]byte(r.line()), &at); err != nil {
		t.Fatal(err)
	}
	login := []string{"--url", at.URL, "--auth", "ticket", "--authid", "alice", "--secret-file", secret}
	b.expect(b.run(append(login, "call", "com.example.add", "2", "3")...), 0, `{"args":[5]}`+"\n")
	long := strings.Repeat("x", 2000)
	if got := b.run(append(login, "call", "com.example.echo", long)...); got.code != 0 {
		t.Errorf("%+v", got)
	}
	r.interrupt()
	got := r.end()
	has(t, got.out, `"sent":false,"type":"AUTHENTICATE"}`, `"type":"CHALLENGE","uri":"ticket"}`,
		`"type":"CALL","request":1,"uri":"com.example.add","args":[2,3]}`, `"sent":true,"type":"RESULT","request":1,"args":[5]}`,
		`"uri":"com.example.echo","bytes":200`, `"type":"GOODBYE"`)
	if strings.Contains(got.out, "sesame") || strings.Contains(got.out, "xxxxx") || got.code != 0 {
		t.Errorf("%+v", got)
	}
}

// A log that nobody reads holds up neither clients nor the end, and a reader that goes away
// ends the router.
func TestRouterLogIsNotRead(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *exec.Cmd, out io.Closer) error{
		"interrupted": func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(os.Interrupt) },
		"reader gone": func(_ *exec.Cmd, out io.Closer) error { return out.Close() },
		"out of time": func(*exec.Cmd, io.Closer) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := b.command("router", "--listen", "127.0.0.1:0", "--log", "-o", "raw")
			if name == "out of time" {
				c.Args = append(c.Args, "--max-time", "10s")
			}
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			url := make([]byte, 200)
			n, err := out.Read(url)
			if err != nil {
				t.Fatal(err)
			}
			at := strings.TrimSpace(string(url[:n]))
			if got := b.run("bench", "pub", "--url", at, "--duration", "300ms", "--parallel", "64", "--no-floor"); got.code != 0 {
				t.Errorf("%+v", got)
			}
			if err := end(c, out); err != nil {
				t.Fatal(err)
			}
			if name == "reader gone" {
				_ = b.run("ping", "--url", at)
			}
			ended := make(chan struct{})
			go func() {
				_, _ = c.Process.Wait()
				close(ended)
			}()
			select {
			case <-ended:
			case <-time.After(patience):
				t.Error("the router goes on")
				_ = c.Process.Kill()
				<-ended
			}
		})
	}
}

// certificate makes files of a certificate for the loopback interface, and of its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	server, _, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	made := server.Certificates[0]
	text, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for file, block := range map[*string]*pem.Block{
		&cert: {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, &key: {Type: "PRIVATE KEY", Bytes: text},
	} {
		*file = filepath.Join(dir, strings.ReplaceAll(block.Type, " ", "")+".pem")
		if err := os.WriteFile(*file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
