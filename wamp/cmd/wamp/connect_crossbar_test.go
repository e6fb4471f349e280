//go:build interop && unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCallAndServeAtCrossbar(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ws", "raw"} {
		b := atCrossbar(t, kind)
		name := "com.tool." + kind
		p := b.start("serve", name, "--", "cat")
		p.waitFor("serving")
		b.expect(b.run("call", name, "5", "2.0", `{"$bytes":"AP8="}`, "-k", "a=x"), 0, `{"args":[5,2.0,{"$bytes":"AP8="}],"kwargs":{"a":"x"}}`+"\n")
		p.signal(os.Interrupt)
		p.ends(exitInterrupted)
		b.expect(b.run("call", name), exitAnswer, "", "wamp.error.no_such_procedure")

		p = b.start("serve", name, "--each", "--", "sh", "-c", "for i in 1 2 3; do echo $i; done")
		p.waitFor("serving")
		b.expect(b.run("call", name, "-p", "-o", "raw"), 0, "1\n2\n3\n")
		p.signal(os.Interrupt)
		p.ends(exitInterrupted)

		pids := filepath.Join(t.TempDir(), "pids")
		p = b.start("serve", name, "--", "sh", "-c", "echo $$ >"+pids+"; echo 1; echo 2; sleep 300")
		p.waitFor("serving")
		call := b.start("call", name, "-p", "-o", "raw")
		call.wants("1")
		call.signal(os.Interrupt)
		call.ends(exitInterrupted)
		dead(t, pids)
		p.signal(os.Interrupt)
		p.ends(exitInterrupted)

		p = b.start("serve", name, "--", "sh", "-c", "echo why >&2; exit 7")
		p.waitFor("serving")
		b.expect(b.run("call", name), exitAnswer, "", `{"error":"wamp.error.runtime_error","args":["why"],"kwargs":{"ended":"exit status 7","exit_code":7}}`)
	}
}

func TestPubAndSubAtCrossbar(t *testing.T) {
	t.Parallel()
	b := atCrossbar(t, "ws")
	p := b.start("sub", "com.tool.news", "-n", "2", "--format", "{{.Topic}} {{json .Args}}")
	p.waitFor("subscribed")
	b.expect(b.run("pub", "com.tool.news", "1"), 0, "")
	if got := b.run("pub", "com.tool.news", "2", "--ack", "-o", "raw"); got.code != 0 || len(got.out) < 5 {
		t.Error(got)
	}
	p.wants("com.tool.news [1]", "com.tool.news [2]")
	p.ends(0)

	b.expect(b.run("pub", "com.tool.state", "on", "--retain"), 0, "")
	b.expect(b.run("sub", "com.tool.state", "--retained", "-n", "1", "-q", "--format", "{{.Retained}} {{index .Args 0}}"), 0, "true on\n")

	p = b.start("sub", "com.tool.many", "-n", "2000", "-o", "raw")
	p.waitFor("subscribed")
	c := b.command("pub", "com.tool.many", "--stdin")
	var in strings.Builder
	for n := range 2000 {
		fmt.Fprintln(&in, n)
	}
	c.Stdin = strings.NewReader(in.String())
	b.expect(b.finish(c), 0, "", "published 2000 events")
	for n := range 2000 {
		p.wants(fmt.Sprint(n))
	}
	p.ends(0)
}

// Crossbar keeps an event for those who have got it.
func TestHistoryAtCrossbar(t *testing.T) {
	t.Parallel()
	b := atCrossbar(t, "ws")
	topic := fmt.Sprintf("com.history.tree.tool%d", time.Now().UnixNano())
	p := b.start("sub", "com.history.tree.", "--match", "prefix", "--realm", "realm-store", "-n", "3", "-o", "raw")
	p.waitFor("subscribed")
	for n := range 3 {
		b.expect(b.run("pub", topic, fmt.Sprint(n), "--ack", "--realm", "realm-store", "--format", "ok"), 0, "ok\n")
	}
	p.wants("0", "1", "2")
	p.ends(0)
	got := b.run("sub", "com.history.tree.", "--match", "prefix", "--realm", "realm-store", "--history", "2", "-n", "2", "-q", "--format", "{{.Historic}} {{.Topic}} {{index .Args 0}}")
	b.expect(got, 0, "true "+topic+" 1\ntrue "+topic+" 2\n")
}

func TestLoginAtCrossbar(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "interop", "principals.json"))
	if err != nil {
		t.Fatal(err)
	}
	var known struct {
		Ticket     map[string]string
		WAMPCRA    map[string]struct{ Secret string }
		SCRAM      map[string]struct{ Password string }
		Cryptosign map[string]struct {
			Seed string `json:"private_seed_hex"`
		}
	}
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	b := atCrossbar(t, "ws")
	secret := func(text string) []string { return []string{"--secret-file", file(t, "secret", text)} }
	for _, login := range []struct {
		method, authid string
		args           []string
		code           int
	}{
		{"ticket", "tick-app", secret(known.Ticket["tick-app"]), 0},
		{"ticket", "tick-app", secret("wrong"), exitRefused},
		{"ticket", "tick-limited", secret(known.Ticket["tick-limited"]), 0},
		{"cra", "cra-plain", secret(known.WAMPCRA["cra-plain"].Secret), 0},
		{"cra", "cra-salted", secret(known.WAMPCRA["cra-salted"].Secret), 0},
		{"cra", "cra-salted", secret("wrong"), exitRefused},
		{"scram-crossbar", "scram-argon-ab", secret(known.SCRAM["scram-argon-ab"].Password), 0},
		{"scram-crossbar", "scram-argon-ab", secret("wrong"), exitRefused},
		{"cryptosign", "sign-a", []string{"--key", file(t, "key", known.Cryptosign["sign-a"].Seed)}, 0},
		{"cryptosign", "sign-unknown", []string{"--key", file(t, "key", known.Cryptosign["sign-unknown"].Seed)}, exitRefused},
	} {
		args := append([]string{"pub", "com.public.x", "-vv", "--auth", login.method, "--authid", login.authid}, login.args...)
		if got := b.run(args...); got.code != login.code || login.code == 0 && !strings.Contains(got.errs, `"`+login.authid+`"`) {
			t.Errorf("%+v: %d: %s", login, got.code, got.errs)
		}
	}
	// what a login is not allowed
	b.expect(b.run(append([]string{"pub", "com.other", "--ack", "--auth", "ticket", "--authid", "tick-limited"}, secret(known.Ticket["tick-limited"])...)...),
		exitAnswer, "", "wamp.error.not_authorized")
	tls := atCrossbar(t, "wss")
	if got := tls.run("ping", "--ca", tls.ca); got.code != 0 {
		t.Error(got)
	}
	if got := tls.run("ping"); got.code != exitNetwork {
		t.Error(got)
	}
}
