//go:build interop

package interop_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/internal/documents"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// What the README's table says of Crossbar is what it announces.
func TestAnnounced(t *testing.T) {
	readme, err := documents.Read(filepath.Join("..", "..", ".."), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readme.Table("routers")
	if err != nil {
		t.Fatal(err)
	}
	roles := cell{"raw", codec.CBOR}.join(t).Details().Roles
	for _, row := range rows {
		f, ok := proto.ParseFeature(strings.Trim(row[1], "`"))
		if !ok || len(row) != 6 {
			t.Errorf("%q is no row of a feature", row)
			continue
		}
		has := roles.Features(proto.Broker).Has(f) || roles.Features(proto.Dealer).Has(f)
		if want := map[bool]string{true: "yes", false: "no"}[has]; row[2] != want {
			t.Errorf("%v: the README says %q of Crossbar, want %q", f, row[2], want)
		}
	}
	if len(rows) < 15 {
		t.Errorf("only %d features were found", len(rows))
	}
}
