package main

import (
	"strings"
	"testing"
	"time"
)

// A broken edit is offered back, and Ctrl-C belongs to the editor.
func TestContextEditAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.expect(b.run("context", "add", "here", "--url", b.url, "--realm", "lab"), 0, "")
	with := editor(t, `trap 'echo taken' INT
echo "the editor has $(grep realm "$1")"
while ! read with; do :; done
sed -i "s/$with/" "$1"`)
	c := b.console([]string{"VISUAL=" + with}, "context", "edit", "here")
	c.waits(`the editor has   "realm": "lab"`)
	for n := 1; n < 4; n++ {
		c.types("\x03")
		for end := time.Now().Add(patience); strings.Count(c.screen.String(), "taken") < n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not taken: %s", c.screen.String())
			}
		}
	}
	c.types("realm/world\n")
	c.waits(`unknown field "world"`)
	c.waits("Edit again? [Y/n] ")
	c.types("\n")
	c.waits("the editor has \r\n") // what was broken is there
	c.types("world.*/realm\": \"lab2\",\n")
	if code := c.code(); code != 0 {
		t.Fatalf("code %d: %s", code, c.screen.String())
	}
	b.expect(b.run("context", "show", "here", "--format", "{{.Realm}}"), 0, "lab2\n")
}

// Who has enough keeps the context, and the draft.
func TestContextEditEnough(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.expect(b.run("context", "add", "here", "--url", b.url), 0, "")
	c := b.console([]string{"VISUAL=" + editor(t, `echo { > "$1"`)}, "context", "edit", "here")
	c.waits("Edit again? [Y/n] ")
	c.types("n\n")
	if code := c.code(); code != exitFault {
		t.Errorf("code %d", code)
	}
	has(t, c.screen.String(), "your text is in ")
	has(t, b.run("context", "show", "here").out, b.url)
}
