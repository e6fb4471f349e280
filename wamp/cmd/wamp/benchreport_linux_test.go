package main

import "testing"

// On a terminal there is a table, and a bar while it runs.
func TestBenchOnTerminal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.console(nil, "bench", "call", "--duration", "400ms")
	c.waits("measuring floor")
	c.waits("measuring wamp")
	if code := c.code(); code != 0 {
		t.Errorf("code %d", code)
	}
	has(t, c.screen.String(), "call of 16 bytes", "ratio", "<= ", "###")
	quiet := b.console(nil, "bench", "pub", "--duration", "100ms", "-o", "json", "-q")
	if code := quiet.code(); code != 0 {
		t.Errorf("code %d", code)
	}
	if text := quiet.screen.String(); text[:8] != `{"side":` {
		t.Errorf("%q", text)
	}
}
