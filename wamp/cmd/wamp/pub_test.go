package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// subscribe subscribes beside the program.
func (b *bench) subscribe(topic string, options ...wamp.SubscribeOption) <-chan wamp.Event {
	b.Helper()
	sub, err := b.session().Subscribe(b.Context(), topic, options...)
	if err != nil {
		b.Fatal(err)
	}
	return sub.Events()
}

// said is an event as the program prints its payload.
func said(t *testing.T, ev wamp.Event) string {
	t.Helper()
	c, err := contents(ev.Payload)
	if err != nil {
		t.Error(err)
	}
	return compact(c)
}

func TestPub(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	events := b.subscribe("com.example.news")
	b.expect(b.run("pub", "com.example.news", "5", "five", "-k", "a=1.0"), 0, "")
	if got := said(t, wait(t, events)); got != `{"args":[5,"five"],"kwargs":{"a":1.0}}` {
		t.Error(got)
	}
	got := b.run("pub", "com.example.news", "--ack")
	ev := wait(t, events)
	b.expect(got, 0, fmt.Sprintf(`{"publication":%d}`+"\n", ev.Publication))
	got = b.run("pub", "com.example.news", "--ack", "-o", "raw")
	b.expect(got, 0, fmt.Sprintf("%d\n", wait(t, events).Publication))
	b.expect(b.run("pub", "com.example.news", "x", "--disclose"), 0, "")
	if ev := wait(t, events); ev.Publisher().Session == 0 {
		t.Error("nobody knows who has published")
	}
	b.expect(b.run("pub", "com.example.news", "x", "--retain"), 0, "")
	if ev := wait(t, b.subscribe("com.example.news", wamp.GetRetained())); !ev.Retained {
		t.Error("it was not retained")
	}
	b.expect(b.run("pub", "com..example"), exitUsage, "", "com..example")
	for flags, what := range map[string]string{
		"--count=0": "less than 1", "--every=1s": "--every without --count", "--window=3": "--window without",
		"--stdin --count=2": "exclude each other", "--stdin x": "come from there", "--stdin --template": "exclude each other",
		"--exclude=x": "none of ID, authid=NAME, role=NAME", "--eligible=role=": "none of ID", "--exclude=0": "none of ID",
		"--count=2 --every=-1s": "negative", "--template {{": "--template", "--template {{.M}}": "--template", "-O x": "KEY=VALUE",
	} {
		b.expect(b.run(append([]string{"pub", "com.example.news"}, strings.Fields(flags)...)...), exitUsage, "", what)
	}
}

// What filters say goes out as it was meant.
func TestPubFilters(t *testing.T) {
	t.Parallel()
	options := make(chan proto.Dict, 1)
	b := newBench(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
		if m.Type == proto.Publish {
			options <- m.Options
		}
		return wamptest.Pass()
	}))
	for flags, want := range map[string]string{
		"":                   `{}`,
		"--exclude-me=false": `{"exclude_me":false}`,
		"--exclude 12 --exclude authid=a --exclude role=b --exclude 13": `{"exclude":[12,13],"exclude_authid":["a"],"exclude_authrole":["b"]}`,
		"--eligible 12 --eligible authid=a=b --eligible role=c":         `{"eligible":[12],"eligible_authid":["a=b"],"eligible_authrole":["c"]}`,
		"-O x_a=5 -O x_b={} --ack":                                      `{"acknowledge":true,"x_a":5,"x_b":{}}`,
		"--rkey k":                                                      `{"rkey":"k"}`,
	} {
		if got := b.run(append([]string{"pub", "com.example.news"}, strings.Fields(flags)...)...); got.code != 0 {
			t.Errorf("%s: %s", flags, got.errs)
		}
		if got := compact(printable(wait(t, options).Map())); got != want {
			t.Errorf("%s sends %s", flags, got)
		}
	}
}

func TestPubMany(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	events := b.subscribe("com.example.news")
	b.expect(b.run("pub", "com.example.news", "--count", "3", "--every", "1ms", "--template", "{{.N}}", "no {{.N}}", "-k", "n={{.N}}"), 0, "", "published 3 events")
	for n := range 3 {
		if got, want := said(t, wait(t, events)), fmt.Sprintf(`{"args":[%d,"no %d"],"kwargs":{"n":%d}}`, n+1, n+1, n+1); got != want {
			t.Errorf("%s, and not %s", got, want)
		}
	}
	b.expect(b.run("pub", "com.example.news", "{{.N}}", "--count", "1", "-q"), 0, "")
	if got := said(t, wait(t, events)); got != `{"args":["{{.N}}"]}` {
		t.Error(got)
	}
	const many = 20_000
	var in strings.Builder
	for n := range many {
		fmt.Fprintln(&in, n)
	}
	c := b.command("pub", "com.example.news", "--stdin", "--window", "500")
	c.Stdin = strings.NewReader(in.String())
	got := make(chan output, 1)
	go func() { got <- b.finish(c) }()
	for n := range many {
		var v int
		if ev := wait(t, events); ev.Scan(&v) != nil || v != n || ev.Lost > 0 {
			t.Fatalf("event %d is %d, %d lost", n, v, ev.Lost)
		}
	}
	b.expect(wait(t, got), 0, "", "published 20000 events")
	c = b.command("pub", "com.example.news", "--stdin", "--ack", "-o", "raw", "-q")
	c.Stdin = strings.NewReader("a\nb")
	out := b.finish(c)
	b.expect(out, 0, fmt.Sprintf("%d\n%d\n", wait(t, events).Publication, wait(t, events).Publication))
	c = b.command("pub", "com.example.news", "--stdin")
	c.Stdin = strings.NewReader("a\n" + `{"kwargs":5}` + "\nb\n")
	b.expect(b.finish(c), exitFault, "", "published 1 events", "line 2")
	wait(t, events)
}

// A publish that the router refuses, and one whose outcome nobody knows.
func TestPubRefused(t *testing.T) {
	t.Parallel()
	dropped := make(chan bool, 3)
	b := newBench(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
		if m.Type != proto.Publish {
			return wamptest.Pass()
		}
		switch m.URI {
		case "com.example.forbidden":
			return wamptest.Replace(&proto.Message{Type: proto.Publish, Request: m.Request, Options: m.Options, URI: "wamp.forbidden"})
		case "com.example.hole":
			dropped <- true
			return wamptest.Drop()
		}
		return wamptest.Pass()
	}))
	b.expect(b.run("pub", "com.example.forbidden", "--ack"), exitAnswer, "", "wamp.error.")
	c := b.command("pub", "com.example.forbidden", "--stdin")
	c.Stdin = strings.NewReader("a\nb\n")
	b.expect(b.finish(c), exitAnswer, "", "published 0 events", "wamp.error.")
	b.expect(b.run("pub", "com.example.forbidden"), 0, "")

	p := b.start("pub", "com.example.hole", "--stdin")
	_, _ = io.WriteString(p.in, "a\nb\nc\n")
	for range 3 {
		wait(t, dropped)
	}
	p.signal(os.Interrupt)
	p.ends(exitInterrupted, "published 0 events", "of 3 more nobody knows")

	p = b.start("pub", "com.example.news", "x", "--count", "1000", "--every", "1m", "--ack")
	p.next()
	p.signal(os.Interrupt)
	p.ends(exitInterrupted, "published 1 events")
}
