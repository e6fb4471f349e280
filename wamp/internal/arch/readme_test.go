package arch_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// rowsOf are those of a table of the README.
func rowsOf(t *testing.T, marker string) [][]string {
	t.Helper()
	rows, err := readDocument(t, "README.md").Table(marker)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// What the README says of the features of wamptest is what that router announces;
// each feature that an option needs has its row.
func TestRouterTable(t *testing.T) {
	has := func(f proto.Feature, options ...wamptest.Option) bool {
		router := wamptest.NewRouter(t, options...)
		session, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(router.Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close(t.Context())
		roles := session.Details().Roles
		return roles.Features(proto.Broker).Has(f) || roles.Features(proto.Dealer).Has(f)
	}
	seen := map[string]bool{}
	for _, row := range rowsOf(t, "routers") {
		name := strings.Trim(row[1], "`")
		f, ok := proto.ParseFeature(name)
		if !ok || f.String() != name || seen[name] {
			t.Errorf("%q is no feature, or there twice", name)
		}
		seen[name] = true
		want := "no"
		switch {
		case has(f):
			want = "yes"
		case has(f, wamptest.WithHistory(1)):
			want = "with `WithHistory`"
		}
		if len(row) != 6 || row[5] != want {
			t.Errorf("%s: the last cell of %q is not %q", name, row, want)
		}
	}
	keys, _ := protoNames(t, filepath.Join("..", "..", "proto"))
	for m := proto.Hello; m <= proto.Yield; m++ {
		for key := range keys {
			if need, is := proto.NeedOf(m, key); is && need.Lack == proto.Refuse && !seen[need.Feature.String()] {
				t.Errorf("%v.%s needs %v, which has no row", m, key, need.Feature)
			}
		}
	}
}

// The README's figures are those of docs/benchmarks.md, over WebSocket.
func TestPerformanceTable(t *testing.T) {
	_, table, ok := strings.Cut(readDocument(t, "docs/benchmarks.md").Text, "\n### WebSocket\n")
	if !ok {
		t.Fatal("docs/benchmarks.md has no table for WebSocket")
	}
	table, _, _ = strings.Cut(table, "\n### ")
	for _, row := range rowsOf(t, "performance") {
		line := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(row[0]) + ` \| .*$`).FindString(table)
		cells := strings.Split(line, " | ")
		if len(cells) < 10 {
			t.Errorf("docs/benchmarks.md has no row %q", row[0])
			continue
		}
		got := []string{cells[3], cells[4], strings.Trim(cells[9], " |")}
		if strings.Join(got, ", ") != strings.Join(row[2:], ", ") {
			t.Errorf("%s: %q, docs/benchmarks.md has %q", row[0], row[2:], got)
		}
	}
}
