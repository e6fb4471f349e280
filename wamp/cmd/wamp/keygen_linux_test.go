package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The passphrase is asked for on the terminal, and never shown.
func TestKeygenPassphrase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir := t.TempDir()
	file, logins := filepath.Join(dir, "key"), filepath.Join(dir, "logins.json")
	c := b.console(nil, "keygen", "--ssh", "--out", file, "-o", "raw")
	c.answers("Passphrase, empty for none: ", "open sesame\n")
	c.answers("The same again: ", "open sesame\n")
	if code := c.code(); code != 0 {
		t.Fatalf("code %d: %s", code, c.screen.String())
	}
	words := strings.Fields(c.screen.String())
	public := words[len(words)-1]
	if err := os.WriteFile(logins, fmt.Appendf(nil, `[{"method":"cryptosign","authid":"alice","keys":[%q]}]`, public), 0o600); err != nil {
		t.Fatal(err)
	}
	url := b.routerAt("--login", logins, "--demo")
	use := b.console(nil, "call", "--url", url, "--key", file, "com.example.add", "2", "3")
	use.answers("Passphrase of "+file+": ", "open sesame\n")
	if code := use.code(); code != 0 {
		t.Errorf("code %d", code)
	}
	has(t, use.screen.String(), `{"args":[5]}`)
	// a command with several sessions asks once
	several := b.console(nil, "bench", "call", "--url", url, "--key", file, "--duration", "50ms")
	several.answers("Passphrase of "+file+": ", "open sesame\n")
	if code, text := several.code(), several.screen.String(); code != 0 || strings.Count(text, "Passphrase of") != 1 || !strings.Contains(text, " floor ") {
		t.Errorf("code %d: %s", code, text)
	}
	if strings.Contains(use.screen.String()+c.screen.String(), "sesame") {
		t.Error("the terminal shows the passphrase")
	}
	b.expect(b.run("call", "--url", url, "--key", file, "com.example.add", "2", "3"), exitUsage, "", "a secret is needed")
}

func TestKeygenPassphrasesDiffer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "key")
	c := b.console(nil, "keygen", "--ssh", "--out", file)
	c.answers("Passphrase, empty for none: ", "open sesame\n")
	c.answers("The same again: ", "open simsim\n")
	if code := c.code(); code != exitFault {
		t.Errorf("code %d", code)
	}
	has(t, c.screen.String(), "the passphrases differ")
	if _, err := os.Lstat(file); err == nil {
		t.Error("there is a key")
	}
}

func TestKeygenInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "key")
	c := b.console(nil, "keygen", "--ssh", "--out", file)
	c.answers("Passphrase, empty for none: ", "\x03")
	if code := c.code(); code != exitInterrupted {
		t.Errorf("code %d: %s", code, c.screen.String())
	}
}
