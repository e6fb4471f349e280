package main

import (
	"context"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/floor"
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
		for name, w := range floor.Wires {
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
