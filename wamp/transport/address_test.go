package transport_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// An environment variable that is not set is no odd scheme.
func TestNoAddress(t *testing.T) {
	for _, raw := range []string{"", " ", "\n"} {
		if _, err := transport.ParseAddress(raw); err == nil || err.Error() != "no address" {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct{ raw, network, host, text string }{
		{"ws://h:8080/ws?q#f", "tcp", "h:8080", "ws://h:8080/ws"},
		{"WSS://u:p@h", "tcp", "h", "wss://h"},
		{"tcp://h:1", "tcp", "h:1", "tcp://h:1"},
		{"rs://u:p@h:1", "tcp", "h:1", "tcp://h:1"},
		{"tcps://[::1]:1", "tcp", "[::1]:1", "tcps://[::1]:1"},
		{"rss://h:1", "tcp", "h:1", "tcps://h:1"},
		{"unix:///run/a%20b?q", "unix", "/run/a b", "unix:///run/a b"},
		{"unix://name", "unix", "name", "unix://name"},
		{"unix://dir/name", "unix", "dir/name", "unix://dir/name"},
		{"unix://@name", "unix", "@name", "unix://@name"},
		{"unix://@a:b/c", "unix", "@a:b/c", "unix://@a:b/c"},
		{"unix:///run/a@b", "unix", "/run/a@b", "unix:///run/a@b"},
		{"unix://user@name", "unix", "name", "unix://name"},
		{"ws+unix:///run/s", "unix", "/run/s", "ws+unix:///run/s:/"},
		{"ws+unix:///run/s:/ws?q", "unix", "/run/s", "ws+unix:///run/s:/ws"},
		{"ws+unix:///run/s%3a1:ws", "unix", "/run/s:1", "ws+unix:///run/s:1:/ws"},
		{"ws+unix://@name:/ws", "unix", "@name", "ws+unix://@name:/ws"},
		{"", "", "", ""}, {"h:1", "", "", ""}, {"http://h", "", "", ""}, {"ws://", "", "", ""}, {"tcp:///p", "", "", ""},
		{"unix://", "", "", ""}, {"ws+unix://", "", "", ""}, {"ws+unix://h/p:/ws", "", "", ""}, {"unix://%zz", "", "", ""},
		{"ws+unix:///%zz:/ws", "", "", ""}, {"ws+unix:///run/s:/%zz", "", "", ""},
	} {
		a, err := transport.ParseAddress(tt.raw)
		switch {
		case tt.network == "":
			if err == nil {
				t.Errorf("%q is %v", tt.raw, a)
			}
		case err != nil:
			t.Errorf("%q: %v", tt.raw, err)
		case a.Network != tt.network || a.Host != tt.host || a.String() != tt.text ||
			a.WebSocket() != strings.HasPrefix(tt.text, "ws") || a.TLS() != (a.Scheme == "wss" || a.Scheme == "tcps"):
			t.Errorf("%q is %+v, %v", tt.raw, a, a)
		}
	}
}

// What is said about schemes is what the table has.
func TestSchemesAreDescribed(t *testing.T) {
	all := transport.Schemes()
	_, err := transport.ParseAddress("gopher://h")
	_, want, _ := strings.Cut(err.Error(), ": want ")
	listed := strings.FieldsFunc(strings.Replace(want, " or ", ", ", 1), func(r rune) bool { return r == ',' || r == ' ' })
	for i, s := range all {
		if i >= len(listed) || listed[i] != s[0] {
			t.Errorf("%s is not what the error says: %v", s[0], err)
		}
	}
	var known []string
	for _, s := range all {
		for _, name := range s {
			if slices.Contains(known, name) {
				t.Errorf("%s stands twice", name)
			}
			known = append(known, name)
		}
	}
	word := regexp.MustCompile(`[\w+]+`)
	for file, function := range map[string]string{"address.go": "ParseAddress", "../connect.go": "Connect"} {
		doc := docOf(t, file, function)
		said := word.FindAllString(doc, -1)
		for _, name := range known {
			if !slices.Contains(said, name) {
				t.Errorf("%s does not tell of %s", function, name)
			}
		}
		for _, m := range regexp.MustCompile(`([\w+]+)://`).FindAllStringSubmatch(doc, -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s tells of %s, which is none", function, m[1])
			}
		}
	}
}

func docOf(t *testing.T, file, function string) string {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == function {
			return fn.Doc.Text()
		}
	}
	t.Fatalf("%s has no %s", file, function)
	return ""
}

// Each scheme, by each of its names, is understood.
func TestSchemesAreParsed(t *testing.T) {
	for _, s := range transport.Schemes() {
		for _, name := range s {
			a, err := transport.ParseAddress(strings.ToUpper(name) + ":///run/s:/ws")
			if err != nil {
				a, err = transport.ParseAddress(strings.ToUpper(name) + "://host:1/ws")
			}
			if err != nil || a.Scheme != s[0] || !strings.HasPrefix(a.String(), s[0]+"://") {
				t.Errorf("%s: %v, %v", name, a, err)
			}
		}
	}
}
