package main

import (
	"context"
	"strings"
	"testing"
)

// forEach runs a test for every transport and serializer, each against a
// server in this process.
func forEach(t *testing.T, test func(t *testing.T, transport, address string, w wire)) {
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	for _, transport := range []string{transportTCP, transportUnix, transportWeb} {
		for name, w := range wires {
			t.Run(transport+"/"+name, func(t *testing.T) { test(t, transport, s.addresses[transport], w) })
		}
	}
}

// use does every kind of work once and checks what came of it.
func use(t *testing.T, c client) {
	t.Helper()
	ctx := t.Context()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for range 300 {
		check("call", c.call(ctx))
		check("one", one(c, ctx))
	}
	for _, size := range []int{0, 1, 125, 126, 65_535, 65_536, 1 << 20} {
		check("echo", c.echo(ctx, strings.Repeat("y", size)))
	}
	check("results", c.results(ctx, 20_000, true))
	check("no results", c.results(ctx, 0, false))
	check("subscribe", c.subscribe(ctx, 3))
	check("events", c.events(ctx, 20_000, true))
	check("register", c.register(ctx))
	check("invocations", c.invocations(ctx, 20_000))
	for range 10_000 {
		check("publish", c.publish(ctx))
	}
	check("acked", c.acked(ctx))
	check("stream", c.stream(ctx, 20_000))
	check("empty stream", c.stream(ctx, 0))
	if n, err := c.published(ctx); err != nil || n != 10_000 {
		t.Fatalf("published %d events, %v", n, err)
	}
}

func TestFloor(t *testing.T) {
	forEach(t, func(t *testing.T, transport, address string, w wire) {
		c, err := dialFloor(t.Context(), transport, address, w)
		if err != nil {
			t.Fatal(err)
		}
		use(t, c)
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		if c.call(context.Background()) == nil {
			t.Fatal("a call went through after close")
		}
	})
}

// TestForms compares canned messages with what the specifications of the
// serializers say of them.
func TestForms(t *testing.T) {
	for name, want := range map[string]string{
		"cbor":    "\x85\x18\x30\x19\x01\x2c\xa1\x68progress\xf5\x61a\x82\x18\x2a\xf4",
		"msgpack": "\x95\x30\xcd\x01\x2c\x81\xa8progress\xc3\xa1a\x92\x2a\xc2",
		"json":    `[48,300,{"progress":true},"a",[42,false]]`,
	} {
		w := wires[name]
		got := w.appendTail(w.appendHead(nil, 5, typeCall, 300), dict{{"progress", true}}, "a", []any{42, false})
		if string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		h, ok := parse(w.newReader(), got)
		if !ok || h.typ != typeCall || h.id != 300 || !h.flag || string(h.uri) != "a" {
			t.Errorf("%s: parsed as %+v, %v", name, h, ok)
		}
		for n := range len(got) {
			r := w.newReader()
			if h, ok := parse(r, got[:n]); ok && len(h.rest) > len(got) {
				t.Errorf("%s: %d bytes parsed as %+v", name, n, h)
			}
		}
	}
}

// TestOurs does the same work with the library, so that the server is one that
// it can talk to.
func TestOurs(t *testing.T) {
	forEach(t, func(t *testing.T, transport, address string, w wire) {
		c, err := dialOurs(t.Context(), transport, address, w)
		if err != nil {
			t.Fatal(err)
		}
		use(t, c)
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFragments takes a WebSocket message in parts, with a ping between them.
func TestFragments(t *testing.T) {
	from := &webFraming{opcode: 2, client: true}
	frame := func(first byte, text string) []byte {
		b := from.end(append(from.begin(nil), text...), 0)
		b[0] = first
		return b
	}
	to := &webFraming{opcode: 2}
	for _, step := range []struct {
		first byte
		text  string
		kind  int
		want  string
		err   error
	}{
		{2, "ab", framePart, "", nil}, {0, "cd", framePart, "", nil}, {0x89, "p", framePing, "p", nil}, {0x80, "ef", frameMessage, "abcdef", nil},
		{0x82, "gh", frameMessage, "gh", nil}, {0, "ij", 0, "", errFrame}, {2, "kl", framePart, "", nil}, {2, "mn", 0, "", errFrame},
	} {
		b := frame(step.first, step.text)
		kind, payload, used, err := to.next(b)
		if kind != step.kind || string(payload) != step.want || err != step.err || err == nil && used != len(b) {
			t.Fatalf("%x %s: %d %q %d %v", step.first, step.text, kind, payload, used, err)
		}
	}
}
