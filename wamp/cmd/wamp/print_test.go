package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// evil is what a peer says to a terminal: it clears the screen, in two ways, overwrites the line,
// begins one of its own, and turns the direction of text.
const evil = "a\x1b[2Jb\u009b2Jc\rd\x7fe\nwamp: all is well\u202ef"

// obeyed is the first thing in a text that a terminal would obey, "" for none.
func obeyed(text string) string {
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return text
		}
	}
	return ""
}

func TestEscaped(t *testing.T) {
	t.Parallel()
	for _, text := range []string{evil, "", "plain", "öß€😀", "\u2028\u2066\u061c\u0080\u009f"} {
		got := compact(map[string]any{text: []any{text}})
		var back map[string][]string
		if err := json.Unmarshal([]byte(got), &back); err != nil || back[text][0] != text {
			t.Errorf("%q becomes %s, which is %q, %v", text, got, back, err)
		}
		if obeyed(got) != "" || strings.Contains(got, "\n") {
			t.Errorf("%q is printed as %q", text, got)
		}
	}
	if got := compact("öß€😀"); got != `"öß€😀"` {
		t.Errorf("%s", got)
	}
}

func TestPlainly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"wamp: a: wamp: b":                                  "wamp: a: b",
		"wamp: a\nwamp: b\nc":                               "wamp: a; b; c",
		"wamp: call x: context canceled: interrupted":       "wamp: call x: interrupted",
		"wamp: context deadline exceeded: --max-time is up": "wamp: --max-time is up",
		"a\x1bb\u009bc\td":                                  "a\ufffdb\ufffdc d",
		"broken \xff":                                       "broken \ufffd",
	} {
		if got := plainly(text); got != want {
			t.Errorf("%q becomes %q, and not %q", text, got, want)
		}
	}
}

// Nothing that a peer or a router says moves the cursor, but for -o raw and templates, which
// write payload as it is.
func TestNothingMovesTheCursor(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithLogins(anonymousAs(evil, evil)))
	b.handle("com.example.evil", func(_ context.Context, inv *wamp.Invocation) error {
		_ = inv.Progress(wamp.Args(evil).With(evil, evil))
		return wamp.NewError("com.example.oops", wamp.Args(evil).With(evil, evil))
	})
	b.handle("com.example.good", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args(evil, map[string]any{evil: evil}).With(evil, evil))
	})
	b.subscribe("com.example.topic")
	clean := func(got output) {
		t.Helper()
		for _, text := range []string{got.out, got.errs} {
			if o := obeyed(text); o != "" {
				t.Errorf("a terminal would obey %q", o)
			}
		}
		if strings.Contains(got.errs, "\nwamp: all is well") {
			t.Errorf("a peer has written a line: %s", got.errs)
		}
	}
	for _, line := range []string{
		"call com.example.evil -p", "call com.example.evil -p -o pretty", "call com.example.evil -vv",
		"call com.example.good", "call com.example.good -o pretty", "call com.example.good -vv", "call com.example.good -o raw -q --format {{json.Kwargs}}",
		"ls", "ls -o pretty", "ls -o raw", "ls sessions --follow --max-time 300ms", "ls sessions --follow --max-time 300ms -o pretty",
		"describe com.example.good", "describe com.example.good -o pretty", "describe com.example.good -o raw",
		"__complete call com.", "__complete kill ", "__complete kill --by-authid ",
	} {
		line = strings.Replace(line, "json.", "json .", 1)
		words := strings.Split(line, " ")
		if i := strings.Index(line, "{{"); i >= 0 {
			words = append(strings.Fields(line[:i]), line[i:])
		}
		got := b.run(words...)
		if words[0] == "__complete" {
			got.out = strings.ReplaceAll(got.out, "\t", " ") // between a value and what it is
		}
		clean(got)
		if got.code == exitUsage {
			t.Errorf("%s: %s", line, got.errs)
		}
	}
	s := b.start("sub", "com.example.news", "--count", "1", "--no-reconnect")
	s.waitFor("subscribed")
	if _, err := b.session().Publish(t.Context(), "com.example.news", wamp.Args(evil), wamp.Acknowledge(), wamp.DiscloseMe()).Wait(); err != nil {
		t.Fatal(err)
	}
	got := s.end()
	clean(got)
	var ev eventLine
	if err := json.Unmarshal([]byte(got.out), &ev); err != nil || ev.Args[0] != evil || ev.PublisherAuthID != evil {
		t.Errorf("%q, %v", got.out, err)
	}
}

// Standard output that nobody reads is the same end for every command.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.echo", echo)
	for _, line := range []string{
		"call com.example.echo 1", "ls", "ls -o pretty", "ls --follow", "describe com.example.echo -o pretty", "ping",
		"pub a.b --ack", "pub a.b --count 2 --ack", "kill --by-authid nobody", "keygen --out " + t.TempDir() + "/key",
		"completion bash", "completion zsh", "completion fish", "completion powershell", "router --listen 127.0.0.1:0",
		"bench pub --duration 20ms", "bench pub --duration 20ms -o pretty",
	} {
		c := b.command(strings.Fields(line)...)
		var errs bytes.Buffer
		out, err := c.StdoutPipe()
		c.Stderr = &errs
		if err != nil {
			t.Fatal(err)
		}
		_ = out.Close()
		_ = c.Run()
		if code := c.ProcessState.ExitCode(); code != exitUnread || strings.Contains(errs.String(), "pipe") {
			t.Errorf("%s: code %d, %q", line, code, &errs)
		}
	}
}

// An event that a template has no use for, which is its publisher's doing, does not end those
// that subscribe.
func TestFormatOfOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.start("sub", "com.example.news", "--count", "2", "--format", "{{index .Args 0}}")
	s.waitFor("subscribed")
	for _, p := range []wamp.Payload{wamp.Args(), wamp.Args("here")} {
		if _, err := b.session().Publish(t.Context(), "com.example.news", p, wamp.Acknowledge()).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	s.wants("here")
	s.ends(0, "a line is left out: template")
	b.handle("com.example.echo", echo)
	b.expect(b.run("call", "com.example.echo", "--format", "{{index .Args 0}}"), exitUsage, "", "index out of range")
}

var _ io.Writer = (*printer)(nil)

// Of several connections -vv tells which one a message is of.
func TestMessagesOfSeveralConnections(t *testing.T) {
	t.Parallel()
	got := newBench(t).run("bench", "call", "--no-floor", "--duration", "1ms", "-vv", "-o", "raw")
	has(t, got.errs, "\n-> CALL", "\n->2 YIELD", "\n<-2 INVOCATION")
}
