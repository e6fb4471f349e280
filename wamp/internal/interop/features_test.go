//go:build interop

package interop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What the README's table says of Crossbar is what it announces.
func TestAnnounced(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	roles := cell{"raw", codec.CBOR}.join(t).Details().Roles
	_, table, _ := strings.Cut(string(readme), "<!-- routers:")
	table, _, _ = strings.Cut(table, "\n\n")
	seen := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		if len(cells) != 6 {
			continue
		}
		f, ok := proto.ParseFeature(strings.Trim(cells[1], "`"))
		if !ok {
			continue // the head
		}
		seen++
		has := roles.Features(proto.Broker).Has(f) || roles.Features(proto.Dealer).Has(f)
		if want := map[bool]string{true: "yes", false: "no"}[has]; cells[2] != want {
			t.Errorf("%v: the README says %q of Crossbar, want %q", f, cells[2], want)
		}
	}
	if seen < 15 {
		t.Errorf("only %d features were found", seen)
	}
}
