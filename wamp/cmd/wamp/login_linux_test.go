package main

import (
	"os"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A secret that nothing else gives is asked for at the terminal, where it is not shown.
func TestPrompt(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithLogins(tickets))
	at := func(args ...string) (*started, *terminal) {
		tty := newTerminal(t)
		c := b.command(append([]string{"ping", "--format", "{{.Seq}}", "--auth", "ticket", "--authid", "joe"}, args...)...)
		c.Stdin, c.Stderr = tty.stream, tty.stream
		tty.owns(c)
		p := b.begin(c)
		tty.screen.waitFor(t, "Secret of joe: ")
		return p, tty
	}
	p, tty := at()
	tty.types(t, "t1cket\n")
	p.wants("1")
	p.ends(0)
	if strings.Contains(tty.screen.String(), "t1cket") {
		t.Errorf("it is on the screen: %q", tty.screen.String())
	}
	p, tty = at()
	tty.types(t, "wrong\n")
	p.ends(exitRefused)
	tty.screen.waitFor(t, "authentication_failed")
	p, tty = at()
	tty.types(t, "t1c\x03") // Ctrl-C
	p.ends(exitInterrupted)
	tty.types(t, "shown") // the terminal echoes again
	tty.screen.waitFor(t, "shown")
	p, _ = at("--max-time", "2s")
	p.ends(exitTimeout)

	// standard input is something else: the terminal is asked all the same
	tty = newTerminal(t)
	c := b.command("pub", "com.example.news", "--stdin", "--auth", "ticket", "--authid", "joe")
	c.Stdin = strings.NewReader("a\nb\n")
	tty.owns(c)
	p = b.begin(c)
	tty.screen.waitFor(t, "Secret of joe: ") // and standard error has nothing of it
	tty.types(t, "t1cket\n")
	p.ends(0, "published 2 events")

	c = b.command("ping", "--auth", "ticket", "--authid", "joe") // there is no terminal
	homeless(c)
	b.expect(b.finish(c), exitUsage, "", "--secret-file, $WAMP_SECRET")
}

// The passphrase of a key is asked for, once, also where the connection is made again.
func TestPromptForAPassphrase(t *testing.T) {
	t.Parallel()
	key, login := joesKey()
	b := newBench(t, wamptest.WithLogins(login))
	tty := newTerminal(t)
	c := b.command("sub", "com.example.news", "--key", file(t, "sealed", openSSH(t, key, "open sesame")))
	c.Stdin, c.Stderr = tty.stream, tty.stream
	tty.owns(c)
	p := b.begin(c)
	tty.screen.waitFor(t, "Passphrase of ")
	tty.types(t, "open sesame\n")
	tty.screen.waitFor(t, "subscribed")
	b.router.CutAll()
	tty.screen.waitFor(t, "connected again")
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)
	if text := tty.screen.String(); strings.Count(text, "Passphrase of") != 1 || strings.Contains(text, "sesame") {
		t.Errorf("%q", text)
	}
}

// Completion asks nobody, also where there is a terminal.
func TestCompletionDoesNotPrompt(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithLogins(tickets))
	tty := newTerminal(t)
	c := b.command("__complete", "call", "--auth", "ticket", "--authid", "joe", "com.")
	c.Stdin = tty.stream
	tty.owns(c)
	p := b.begin(c)
	p.wants(noFiles)
	p.ends(0)
	if text := tty.screen.String(); text != "" {
		t.Errorf("the screen has %q", text)
	}
}
