package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
)

// files writes files into a folder of the test, and returns what finds them.
func (b *bench) files(texts map[string]string) func(name string) string {
	b.Helper()
	dir := b.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range texts {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return at
}

// replace changes a file.
func (b *bench) replace(file, old, with string) {
	b.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.ReplaceAll(string(text), old, with)), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// Each method lets in who is in the file, in the realm that it says, with the role.
func TestRouterLogins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	record, err := accept.NewSCRAMRecord("from a record", accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096})
	if err != nil {
		t.Fatal(err)
	}
	scram, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	salted, err := accept.NewCRASecret("salted", accept.CRAParams{})
	if err != nil {
		t.Fatal(err)
	}
	cra, err := json.Marshal(salted)
	if err != nil {
		t.Fatal(err)
	}
	at := b.files(map[string]string{
		"a": "open sesame\n", "r": "from a record", "s": "salted", "wrong": "x",
		"logins.json": `[
			{"method":"ticket","authid":"alice","secret_file":"s","role":"of two","realm":"two"},
			{"method":"ticket","authid":"alice","secret_file":"a","role":"first"},
			{"method":"cra","authid":"alice","secret":"open sesame","role":"second"},
			{"method":"cra","authid":"alice","secret":"salted","role":"second of two","realm":"two"},
			{"method":"cra","authid":"bob","record":` + string(cra) + `},
			{"method":"scram","authid":"alice","secret":"open sesame","role":"third"},
			{"method":"scram","authid":"bob","record":` + string(scram) + `},
			{"method":"anonymous","role":"guest","realm":"two"}]`,
	})
	url := b.routerAt("--login", at("logins.json"), "--realm", "one", "--realm", "two")
	role := []string{"ls", "sessions", "--format", "{{.AuthRole}}", "--url", url}
	for _, c := range []struct {
		args, role string
		code       int
	}{
		{"--realm one --auth ticket --authid alice --secret-file a", "first", 0},
		{"--realm two --auth ticket --authid alice --secret-file s", "of two", 0},
		{"--realm two --auth ticket --authid alice --secret-file a", "", exitRefused},
		{"--realm one --auth cra --authid alice --secret-file a", "second", 0},
		{"--realm two --auth cra --authid alice --secret-file s", "second of two", 0},
		{"--realm one --auth cra --authid bob --secret-file s", "user", 0},
		{"--realm one --auth scram --authid alice --secret-file a", "third", 0},
		{"--realm one --auth scram --authid bob --secret-file r", "user", 0},
		{"--realm one --auth scram --authid bob --secret-file wrong", "", exitRefused},
		{"--realm one --auth cra --authid carol --secret-file a", "", exitRefused},
		{"--realm two", "guest", 0},
		{"--realm one", "", exitRefused},
	} {
		args := append([]string{}, role...)
		for i, a := range strings.Fields(c.args) {
			if i > 0 && strings.Fields(c.args)[i-1] == "--secret-file" {
				a = at(a)
			}
			args = append(args, a)
		}
		got := b.run(args...)
		if got.code != c.code || strings.TrimSpace(got.out) != c.role {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
}

func TestRouterLoginFileSlips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for text, want := range map[string]string{
		``:                                      "EOF",
		`[]`:                                    "lets nobody in",
		`{}`:                                    "cannot unmarshal",
		`[null]`:                                "entry 1: it is null",
		`[{"method":"anonymous"}] []`:           "more behind the list",
		`[{"method":"magic","authid":"a"}]`:     `"magic" is none of`,
		`[{"method":"ticket","secret":"s"}]`:    "needs an authid",
		`[{"method":"anonymous","authid":"a"}]`: "anonymous has no authid",
		`[{"method":"ticket","authid":"a"}]`:    "needs a secret",
		`[{"method":"ticket","authid":"a","secret":""}]`:                                                "needs a secret",
		`[{"method":"ticket","authid":"a","sekret":"s"}]`:                                               `unknown field "sekret"`,
		`[{"method":"ticket","authid":"a","keys":["00"]}]`:                                              `ticket has no "keys"`,
		`[{"method":"ticket","authid":"a","secret_file":"gone"}]`:                                       "gone",
		`[{"method":"ticket","authid":"a","secret_file":"empty"}]`:                                      "is empty",
		`[{"method":"cra","authid":"a","secret":"s","record":{}}]`:                                      "needs a secret",
		`[{"method":"scram","authid":"a","record":{"Salz":1}}]`:                                         `unknown field "Salz"`,
		`[{"method":"scram","authid":"a","record":{}}]`:                                                 "the record lacks",
		`[{"method":"cra","authid":"a","record":{"Salt":"x"}}]`:                                         "the record has no Key",
		`[{"method":"cryptosign","authid":"a"}]`:                                                        "needs keys",
		`[{"method":"cryptosign","authid":"a","keys":["00ff"]}]`:                                        "neither hex",
		`[{"method":"ticket","authid":"a","secret":"s"},{"method":"ticket","authid":"a","secret":"t"}]`: `"a" is there twice`,
	} {
		at := b.files(map[string]string{"logins.json": text, "empty": "\n"})
		b.expect(b.run("router", "--listen", "127.0.0.1:0", "--login", at("logins.json")), exitFault, "", "--login: ", want)
	}
}

// A file of secrets that others may read is told of.
func TestRouterLoginFileMode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	b := newBench(t)
	at := b.files(map[string]string{"logins.json": `[{"method":"ticket","authid":"a","secret":"s"}]`})
	if err := os.Chmod(at("logins.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.start("router", "--listen", "127.0.0.1:0", "--login", at("logins.json")).waitFor("others than its owner may read it")
}
