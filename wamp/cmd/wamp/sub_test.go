package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// publish publishes beside the program, and returns the publication.
func (b *bench) publish(topic string, payload wamp.Payload, options ...wamp.PublishOption) wamp.ID {
	b.Helper()
	id, err := b.session().Publish(b.Context(), topic, payload, append(options, wamp.Acknowledge())...).Wait()
	if err != nil {
		b.Fatal(err)
	}
	return id
}

func TestSub(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.start("sub", "com.example.news", "com.example.other")
	p.waitFor("subscribed to com.example.news")
	p.waitFor("subscribed to com.example.other")
	one := b.publish("com.example.news", wamp.Args(1, "two").With("k", []byte{0xff}))
	p.wants(fmt.Sprintf(`{"topic":"com.example.news","publication":%d,"args":[1,"two"],"kwargs":{"k":{"$bytes":"/w=="}}}`, one))
	two := b.publish("com.example.other", wamp.Args(), wamp.DiscloseMe())
	var got map[string]any
	if err := json.Unmarshal([]byte(p.next()), &got); err != nil || got["publication"] != float64(two) ||
		got["publisher"] != float64(b.session().ID()) || got["publisher_authrole"] != "anonymous" || got["publisher_authid"] == nil {
		t.Error(got, err)
	}
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)

	p = b.start("sub", "com.example", "--match", "prefix", "-n", "2", "--format", "{{.Topic}} {{index .Args 0}}")
	p.waitFor("subscribed")
	b.publish("com.example.a", wamp.Args(1))
	b.publish("com.example.b", wamp.Args(2))
	p.wants("com.example.a 1", "com.example.b 2")
	p.ends(0)
	p = b.start("sub", "com..b", "--match", "wildcard", "-n", "1", "-o", "raw", "-q")
	for { // -q says nothing of the subscription
		b.publish("com.x.b", wamp.Args("hi"))
		select {
		case line := <-p.lines:
			if line != "hi\n" {
				t.Error(line)
			}
		case <-time.After(20 * time.Millisecond):
			continue
		}
		break
	}
	p.ends(0)
	if p.said() != "" {
		t.Error(p.said())
	}
	b.expect(b.run("sub", "com.example.news", "--for", "50ms"), 0, "", "subscribed")
	b.expect(b.run("sub", "com.example.news", "--max-time", "300ms"), exitTimeout, "", "--max-time")
	b.expect(b.run("sub", "com..news", "--for", "1ms"), exitUsage, "", "com..news")
	b.expect(b.run("sub"), exitUsage, "", "wamp sub --help")
	for flags, what := range map[string]string{"--match=any": "exact, prefix, wildcard", "--count=-1": "negative", "--for=-1s": "negative",
		"--history=-1": "negative", "--queue=-1": "negative", "-Ox": "KEY=VALUE"} {
		b.expect(b.run("sub", "com.example.news", flags), exitUsage, "", what)
	}
}

func TestSubRetainedAndHistory(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithHistory(10))
	var ids []wamp.ID
	for n := range 4 {
		ids = append(ids, b.publish("com.example.state", wamp.Args(n), wamp.Retain()))
	}
	p := b.start("sub", "com.example.state", "--retained", "-n", "1")
	p.wants(fmt.Sprintf(`{"topic":"com.example.state","publication":%d,"retained":true,"args":[3]}`, ids[3]))
	p.ends(0)
	p = b.start("sub", "com.example.state", "--history", "2", "-n", "3", "--format", "{{.Historic}} {{.Publication}} {{json .Args}}")
	p.wants(fmt.Sprintf("true %d [2]", ids[2]), fmt.Sprintf("true %d [3]", ids[3]))
	id := b.publish("com.example.state", wamp.Args("now"))
	p.wants(fmt.Sprintf(`false %d ["now"]`, id))
	p.ends(0)
	b.expect(b.run("sub", "com.example.state", "--history", "1", "-n", "1", "--format", "{{.Time.Year}}"), 0, fmt.Sprintln(time.Now().UTC().Year()), "subscribed")
	plain := newBench(t)
	plain.expect(plain.run("sub", "com.example.state", "--history", "2"), exitAnswer, "", "wamp.error.no_such_procedure")
}

// What standard output does not take is dropped, and told.
func TestSubSlowReader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := b.command("sub", "com.example.flood", "--queue", "10", "--format", "{{.Lost}} {{len (index .Args 0)}}")
	c.Stdout = w
	var said syncBuffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	said.waitFor(t, "subscribed")
	text := strings.Repeat("x", 1000)
	for range 20_000 { // 8 bytes each printed: more than the pipe holds
		if _, err := b.session().Publish(t.Context(), "com.example.flood", wamp.Args(text)).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	b.publish("com.example.flood", wamp.Args(""))
	lines, lost := 0, 0
	for s := bufio.NewScanner(r); s.Scan(); {
		var n, size int
		if _, err := fmt.Sscan(s.Text(), &n, &size); err != nil {
			t.Fatal(err)
		}
		lines, lost = lines+1, lost+n
		if size == 0 {
			break
		}
	}
	if lines+lost != 20_001 || lost == 0 {
		t.Errorf("%d lines, %d lost", lines, lost)
	}
	said.waitFor(t, "events were dropped here")
	_ = c.Process.Signal(os.Interrupt)
	_ = c.Wait()
	said.waitFor(t, fmt.Sprintf("%d events of com.example.flood were dropped in all", lost))
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Error(code)
	}
}

// The connection is made again, and what may be missing is told.
func TestSubReconnects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.start("sub", "com.example.news", "--format", "{{.AfterGap}} {{index .Args 0}}")
	p.waitFor("subscribed")
	b.publish("com.example.news", wamp.Args(1))
	p.wants("false 1")
	for _, s := range b.router.Sessions() {
		if s.ID != b.session().ID() {
			b.router.Cut(s.ID)
		}
	}
	p.waitFor("connecting again")
	p.waitFor("connected again")
	for len(p.lines) == 0 { // it is joined first, and subscribed then
		b.publish("com.example.news", wamp.Args(2))
		time.Sleep(10 * time.Millisecond)
	}
	p.wants("true 2")
	p.waitFor("events may be missing here")
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)
}

func TestSubThatDoesNotReconnect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.start("sub", "com.example.news") // a kill is final
	p.waitFor("subscribed")
	for _, s := range b.router.Sessions() {
		b.router.Kill(s.ID, "wamp.close.killed")
	}
	p.ends(exitNetwork, "wamp.close.killed")
	p = b.start("sub", "com.example.news", "--no-reconnect")
	p.waitFor("subscribed")
	b.router.Close()
	p.ends(exitNetwork)
	b.expect(b.run("sub", "com.example.news"), exitNetwork, "", "connect") // the first connection is not tried again
}
