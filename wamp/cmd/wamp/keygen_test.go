package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// keygen makes a key in a file.
func (b *bench) keygen(file string, args ...string) keyLine {
	b.Helper()
	got := b.run(append([]string{"keygen", "--out", file}, args...)...)
	var l keyLine
	if err := json.Unmarshal([]byte(got.out), &l); err != nil || got.code != 0 {
		b.Fatalf("keygen: code %d, %q, %s", got.code, got.out, got.errs)
	}
	return l
}

// A key that keygen makes logs in at a router that keygen's line was given to.
func TestKeygenLogsIn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := t.TempDir()
	plain, ssh := filepath.Join(dir, "plain.key"), filepath.Join(dir, "ssh.key")
	first, second := b.keygen(plain), b.keygen(ssh, "--ssh")
	if key, err := hex.DecodeString(first.PublicKey); err != nil || len(key) != 32 || first.SSH != "" || first.File != plain {
		t.Errorf("%+v", first)
	}
	if !strings.HasPrefix(second.SSH, "ssh-ed25519 AAAA") {
		t.Errorf("%+v", second)
	}
	logins := filepath.Join(dir, "logins.json")
	text := fmt.Sprintf(`[{"method":"cryptosign","authid":"alice","keys":[%q]},{"method":"cryptosign","authid":"bob","keys":[%q],"role":"admin"}]`,
		first.PublicKey, second.SSH)
	if err := os.WriteFile(logins, []byte(text), 0o644); err != nil { // of public keys
		t.Fatal(err)
	}
	url := b.routerAt("--login", logins, "--demo")
	b.expect(b.run("call", "--url", url, "--key", plain, "--authid", "alice", "com.example.add", "2", "3"), 0, `{"args":[5]}`+"\n")
	b.expect(b.run("call", "--url", url, "--key", ssh, "com.example.add", "2", "3"), 0, `{"args":[5]}`+"\n")
	b.expect(b.run("call", "--url", url, "--key", ssh, "--authid", "alice", "com.example.add", "2", "3"), exitRefused, "", "no_such_principal")
	b.expect(b.run("call", "--url", url, "com.example.add", "2", "3"), exitRefused, "", "wamp.error.")
	got := b.run("ls", "sessions", "bob", "--url", url, "--key", ssh, "--format", "{{.AuthID}} {{.AuthRole}} {{.AuthMethod}}")
	b.expect(got, 0, "bob admin cryptosign\n")
}

func TestKeygenFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	b.keygen(file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	b.expect(b.run("keygen", "--out", file), exitFault, "", "--force")
	if again, err := os.ReadFile(file); err != nil || string(again) != string(text) {
		t.Error("the key was replaced")
	}
	b.keygen(file, "--force")
	if again, err := os.ReadFile(file); err != nil || string(again) == string(text) {
		t.Error("the key was not replaced")
	}
	if got := b.run("keygen", "--out", file, "--force", "-o", "raw"); len(got.out) != 65 || got.code != 0 {
		t.Errorf("%+v", got)
	}
	b.expect(b.run("keygen", "--out", filepath.Join(dir, "nowhere", "key")), exitFault, "", "nowhere")
	b.expect(b.run("keygen", "--out", ""), exitUsage, "", "--out")
	b.expect(b.run("keygen", "alice"), exitUsage, "", "wamp keygen --help")
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("there are %q, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) != 0 {
		t.Errorf("there are %q, %v", left, err)
	}
}

// A file that has come since somebody looked is not replaced.
func TestWriteSecretReplacesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := writeSecret(file, []byte("first"), false); err != nil {
		t.Fatal(err)
	}
	if err := writeSecret(file, []byte("second"), false); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "first" {
		t.Errorf("%q, %v", text, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}
