package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
)

// TestThirdSide compiles the example of a third side as docs/benchmarks.md says
// it is built, but with a stub of the other client, and the small one that stands on
// that page.
func TestThirdSide(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(here, "..", "..", "..")
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	page, err := documents.Read(root, "docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(page.In("go")) != 1 {
		t.Fatalf("the page has %d files", len(page.In("go")))
	}
	nexus, err := os.ReadFile(filepath.Join(here, "testdata", "peer", "nexus.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ file, text, needs, version, stub string }{
		{"peer_nexus.go", string(nexus), "github.com/gammazero/nexus/v3", "v3.2.2", filepath.Join(here, "testdata", "peer", "stub")},
		{"peer_page.go", page.In("go")[0], "example.com/otherclient", "v0.0.0", filepath.Join(here, "testdata", "peer", "page")},
	} {
		t.Run(test.file, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) string {
				at := filepath.Join(dir, name)
				if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return at
			}
			mod := write("peer.mod", fmt.Sprintf("%s\nrequire %s %s\nreplace %[2]s => %[4]s\n", read("go.mod"), test.needs, test.version, test.stub))
			write("peer.sum", read("go.sum"))
			// the documented way copies the file; a test must not
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, test.file): write(test.file, test.text)}})
			if err != nil {
				t.Fatal(err)
			}
			build := exec.Command("go", "vet", "-modfile="+mod, "-overlay="+write("overlay.json", string(overlay)), "-tags=peer", ".")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// onlyCalls is a third side that can make calls and nothing else.
type onlyCalls struct {
	unable
	c client
}

func (c onlyCalls) call(ctx context.Context) error { return c.c.call(ctx) }
func (c onlyCalls) acked(context.Context) error    { return errors.New("no luck") }
func (c onlyCalls) close() error                   { return c.c.close() }

// TestThirdSideIsCompared puts one beside the floor and this library.
func TestThirdSideIsCompared(t *testing.T) {
	t.Cleanup(func() { thirdSides = nil })
	register(side{name: "third", wires: []string{"json"},
		dial: func(ctx context.Context, transport, address string, w wire) (client, error) {
			c, err := dialOurs(ctx, transport, address, w)
			return onlyCalls{c: c}, err
		}})
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	o := &options{transports: []string{transportWeb}, repeat: 2, duration: time.Millisecond, sessions: 20, serializers: []string{"cbor"},
		only: map[string]bool{"one": true, "one256": true, "results": true, "acked": true, "idle": true}}
	c, err := compare(t.Context(), o, &process{addresses: s.addresses}, chosenSides([]string{"floor", "wamp", "third"}, o.serializers))
	if err != nil {
		t.Fatal(err)
	}
	third := c.first("third")
	for _, w := range c.works {
		runs := len(c.samples[cell{transportWeb, "third", "json", w.name}])
		if want := map[string]int{"one": 2, "one256": 2, "results": 0, "acked": 0, "idle": 1}[w.name]; runs != want {
			t.Errorf("%s: %d runs, want %d", w.name, runs, want)
		}
	}
	idle := c.samples[cell{transportWeb, third.side, third.wire, "idle"}][0]
	if idle.ops != 20 || idle.goroutines < 20 || idle.live < 20<<10 {
		t.Errorf("idle sessions: %+v", idle)
	}
	var report, figures strings.Builder
	c.report(&report, o)
	raw := newRaw(&figures, "here")
	c.raw(raw)
	if err := raw.flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| third |", "| progressive results received | results/s |", "rate of that of third", "an idle session: memory |",
		"Not measured in this run: 256 callers: Call as a stream", "(>= 6.00)", "Goroutines of an idle session: floor ", "Failed: acked, third, ws, json: no luck."} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("the report has no %q:\n%s", want, report.String())
		}
	}
	lines := csv.NewReader(strings.NewReader(figures.String()))
	lines.Comment = '#'
	rows, err := lines.ReadAll() // all of one length
	if want := 1 + 2*3*2 + 2*2*2 + 3; err != nil || len(rows) != want || !strings.HasPrefix(figures.String(), "# here\n") {
		t.Errorf("%v, %d rows, want %d:\n%s", err, len(rows), want, figures.String())
	}
}
