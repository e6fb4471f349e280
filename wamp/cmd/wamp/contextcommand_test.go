package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// withoutURL is the program with arguments, in an environment without WAMP_URL.
func (b *bench) withoutURL(args ...string) output {
	b.Helper()
	c := b.command(args...)
	unset(c, "WAMP_URL")
	return b.finish(c)
}

// unset takes a variable out of the environment of a command.
func unset(c *exec.Cmd, name string) {
	var env []string
	for _, v := range c.Env {
		if !strings.HasPrefix(v, name+"=") {
			env = append(env, v)
		}
	}
	c.Env = env
}

func TestContext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.expect(b.run("context", "ls"), 0, "")
	b.expect(b.run("context", "show"), exitUsage, "", "no context is selected")
	b.expect(b.withoutURL("context", "add", "here", "--url", b.url, "--serializer", "json"), 0, "")
	b.expect(b.withoutURL("context", "add", "lab", "--url", b.url, "--realm", "lab", "--key", "k", "--authid", "alice", "--select"), 0, "")
	key, err := filepath.Abs("k")
	if err != nil {
		t.Fatal(err)
	}
	b.expect(b.run("context", "ls", "--format", "{{.Name}} {{.Selected}} {{.Key}}"), 0, "here false \nlab true "+key+"\n")
	b.expect(b.run("context", "ls", "-o", "raw"), 0, "here\nlab\n")
	has(t, b.run("context", "ls", "-o", "pretty").out, "*  lab ", "   here")
	b.expect(b.run("context", "show", "here"), 0, `{"name":"here","url":"`+b.url+`","serializer":"json"}`+"\n")
	has(t, b.run("context", "show").out, `"name":"lab"`, `"selected":true`, `"realm":"lab"`, `"authid":"alice"`)
	if info, err := os.Stat(filepath.Join(b.config, "wamp", "lab.json")); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	has(t, b.run("__complete", "context", "select", "").out, "here\nlab\n:4\n")
	has(t, b.run("__complete", "context", "rm", "lab", "").out, ":4\n")
	has(t, b.run("__complete", "ls", "").out, "sessions\nprocedures\ntopics\n:4\n")
	// what is used
	b.expect(b.withoutURL("ping", "--format", "x", "--context", "here"), 0, "x\n")
	b.expect(b.withoutURL("ping"), exitFault, "", key) // of the selected one
	b.expect(b.run("context", "select", "here"), 0, "")
	b.expect(b.withoutURL("ping", "--format", "x"), 0, "x\n")
	b.expect(b.withoutURL("ping", "--realm", "lab"), exitRefused, "", "no_such_realm")
	b.expect(b.withoutURL("ping", "--context", "nowhere"), exitUsage, "", `there is no context "nowhere"`)
	b.expect(b.run("context", "select", "--none"), 0, "")
	b.expect(b.run("context", "select", "--none"), 0, "")
	b.expect(b.run("context", "ls", "--format", "{{.Selected}}"), 0, "false\nfalse\n")
	// what goes
	b.expect(b.run("context", "select", "lab"), 0, "")
	b.expect(b.run("context", "rm", "lab"), 0, "")
	b.expect(b.run("context", "rm", "lab"), exitUsage, "", `there is no context "lab"`)
	b.expect(b.run("context", "ls", "--format", "{{.Name}} {{.Selected}}"), 0, "here false\n")
	b.expect(b.run("ping", "--format", "x"), 0, "x\n") // the selection went with it
}

func TestContextSlips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.expect(b.run("context", "add", "here", "--url", b.url), 0, "")
	b.expect(b.run("context", "add", "here", "--url", "ws://127.0.0.1:1/ws"), exitFault, "", "--force")
	has(t, b.run("context", "show", "here").out, b.url)
	b.expect(b.run("context", "add", "here", "--url", "ws://127.0.0.1:1/ws", "--force"), 0, "")
	has(t, b.run("context", "show", "here").out, "127.0.0.1:1")
	for _, name := range []string{"../here", ".here", "", "a b", "-here", "a/b", `a\b`} {
		b.expect(b.run("context", "add", "--url", b.url, "--", name), exitUsage, "", "letters, digits")
	}
	b.expect(b.run("context", "add", "other", "--url", "http://127.0.0.1"), exitUsage, "", "http")
	b.expect(b.run("context", "add", "other", "--serializer", "yaml"), exitUsage, "", "yaml")
	b.expect(b.run("context", "add", "other", "--auth", "magic"), exitUsage, "", "magic")
	b.expect(b.run("context", "add"), exitUsage, "", "wamp context add --help")
	b.expect(b.run("context", "select"), exitUsage, "", "--none")
	b.expect(b.run("context", "select", "here", "--none"), exitUsage, "", "--none")
	b.expect(b.run("context", "select", "nowhere"), exitUsage, "", "nowhere")
	b.expect(b.run("context", "edit", "nowhere"), exitUsage, "", "nowhere")
	b.expect(b.run("context", "lost"), exitUsage, "", "wamp context --help")
	// a file that is none, and one with a secret in it
	for name, text := range map[string]string{"broken": "{", "secret": `{"secret":"sesame"}`} {
		if err := os.WriteFile(filepath.Join(b.config, "wamp", name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b.expect(b.run("ping", "--context", name), exitFault, "", "context "+name)
	}
	has(t, b.run("context", "ls").out, `"name":"broken","fault":"context broken: `, `unknown field \"secret\"`)
}

// A machine without a folder for settings, and one whose folder cannot be written.
func TestContextWithoutFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bare := func(args ...string) *exec.Cmd {
		c := b.command(args...)
		for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData", "home"} {
			unset(c, name)
		}
		return c
	}
	if runtime.GOOS != "windows" {
		b.expect(b.finish(bare("context", "ls")), exitFault, "", "HOME")
		b.expect(b.finish(bare("context", "add", "here", "--url", b.url)), exitFault, "", "HOME")
	}
	b.expect(b.finish(bare("ping", "--format", "x")), 0, "x\n")
	file := filepath.Join(t.TempDir(), "file") // root may write into any folder, but not into a file
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := b.command("context", "add", "here", "--url", b.url)
	c.Env = append(c.Env, "XDG_CONFIG_HOME="+file)
	b.expect(b.finish(c), exitFault, "", file)
}

// editor is a script that does something with the file it is given.
func editor(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestContextEdit(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return
	}
	b := newBench(t)
	b.expect(b.run("context", "add", "here", "--url", b.url), 0, "")
	edit := func(with string) output {
		c := b.command("context", "edit", "here")
		unset(c, "VISUAL")
		unset(c, "EDITOR")
		c.Env = append(c.Env, "EDITOR="+with)
		return b.finish(c)
	}
	realm := func() string { return b.run("context", "show", "here", "--format", "{{.Realm}}").out }
	// what is not set is there to be filled in; an editor may have arguments
	b.expect(edit(editor(t, `sed -i "s/\"realm\": \"\"/\"realm\": \"$1\"/" "$2"`)+" lab"), 0, "")
	if got := realm(); got != "lab\n" {
		t.Errorf("realm %q", got)
	}
	b.expect(edit(editor(t, `sed -i s/lab/other/ "$1"; exit 3`)), exitFault, "", "as it was")
	got := edit(editor(t, `sed -i s/realm/world/ "$1"`))
	b.expect(got, exitFault, "", `unknown field "world"`, "as it was", "your text is in ")
	_, draft, _ := strings.Cut(got.errs, "your text is in ")
	draft, _, _ = strings.Cut(draft, ":")
	if text, err := os.ReadFile(draft); err != nil || !strings.Contains(string(text), `"world": "lab"`) {
		t.Errorf("the draft: %q, %v", text, err)
	}
	b.expect(edit(editor(t, `sed -i s/ws:/http:/ "$1"`)), exitUsage, "", "as it was", "http")
	b.expect(edit(""), exitFault, "", "$EDITOR")
	b.expect(b.run("context", "ls", "-o", "raw"), 0, "here\n") // drafts are none
	if got := realm(); got != "lab\n" {
		t.Errorf("realm %q", got)
	}
}
