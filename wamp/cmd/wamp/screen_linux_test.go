package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// Long work shows progress where standard error is a terminal and standard output is none.
func TestProgressBar(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	events := b.subscribe("com.example.news")
	b.handle("com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
		for i := range 5 {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				return err
			}
			time.Sleep(60 * time.Millisecond)
		}
		return nil
	})
	go func() {
		for range events {
		}
	}()
	stdin := func() *strings.Reader {
		var in strings.Builder
		for n := range 2_000 {
			fmt.Fprintln(&in, n)
		}
		return strings.NewReader(in.String())
	}
	for name, run := range map[string]struct {
		args  []string
		in    bool
		shows string
	}{
		"stdin":    {[]string{"pub", "com.example.news", "--stdin", "--window", "500"}, true, "published"},
		"count":    {[]string{"pub", "com.example.news", "--count", "20", "--every", "20ms"}, false, "published"},
		"progress": {[]string{"call", "com.example.count", "-p"}, false, "results"},
	} {
		tty := newTerminal(t)
		c := b.command(run.args...)
		if run.in {
			c.Stdin = stdin()
		}
		c.Stderr = tty.stream
		p := b.begin(c)
		tty.screen.waitFor(t, run.shows)
		tty.screen.waitFor(t, "\r") // and over again
		p.ends(0)
		if t.Failed() {
			t.Fatalf("%s: %q", name, tty.screen.String())
		}
		if name == "stdin" {
			tty.screen.waitFor(t, "wamp: published 2000 events")
		}
		if name == "count" {
			tty.screen.waitFor(t, "/20")
		}

		quiet := newTerminal(t) // not with -q
		c = b.command(append(run.args, "-q")...)
		c.Stderr = quiet.stream
		b.begin(c).in.Close()
		both := newTerminal(t) // nor where the results are on the screen too
		c = b.command(run.args...)
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader("1\n"), both.stream, both.stream
		if err := c.Run(); err != nil {
			t.Errorf("%s: %v: %s", name, err, both.screen.String())
		}
		for _, s := range []*terminal{quiet, both} {
			if strings.Contains(s.screen.String(), "it/s") || strings.Contains(s.screen.String(), "\x1b[") {
				t.Errorf("%s: a bar: %q", name, s.screen.String())
			}
		}
	}
}

// What is said while there is a bar stands above it.
func TestScreenAboveTheBar(t *testing.T) {
	t.Parallel()
	tty := newTerminal(t)
	u := &tool{out: &strings.Builder{}, errs: &screen{to: tty.stream}}
	bar := u.bar(10, "work")
	bar.add(3)
	u.note("something")
	bar.tell("more work")
	bar.add(1)
	bar.done()
	u.note("the end")
	tty.screen.waitFor(t, "the end")
	text := tty.screen.String()
	for _, part := range []string{"work", "\rsomething\r\n", "\rthe end\r\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in %q", part, text)
		}
	}
}
