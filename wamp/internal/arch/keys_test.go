package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// reservedURI is a URI of WAMP's own: of an error, an end, or the meta API.
var reservedURI = regexp.MustCompile(`^wamp\.(error|close|session|registration|subscription)\.[a-z_.]*[a-z]$`)

// takesKey are the functions whose first argument is a key of options or details.
var takesKey = []string{"Get", "Has", "Bool", "Str", "Int", "ID", "Dict", "With", "NeedOf", "NeedFor", "set", "add", "put", "str", "list", "disclosure"}

// protoNames are the constants of package proto that are keys and URIs, by value.
func protoNames(t *testing.T, dir string) (keys, uris map[string]string) {
	t.Helper()
	keys, uris = map[string]string{}, map[string]string{}
	for _, f := range parsed(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, is := n.(*ast.ValueSpec)
			if !is || len(spec.Names) != 1 || len(spec.Values) != 1 {
				return true
			}
			value, is := text(spec.Values[0])
			id := spec.Names[0].Name
			switch {
			case !is:
			case strings.HasPrefix(id, "Key"):
				keys[value] = id
			case strings.HasPrefix(id, "Meta"), strings.HasPrefix(id, "ErrURI"), strings.HasPrefix(id, "CloseURI"):
				uris[value] = id
			}
			return true
		})
	}
	return keys, uris
}

// text returns the value of a string literal.
func text(n ast.Node) (string, bool) {
	lit, is := n.(*ast.BasicLit)
	if !is || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// last is the name of an identifier, a field or a method.
func last(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		return n.Name
	case *ast.SelectorExpr:
		return n.Sel.Name
	case *ast.IndexExpr: // a generic function
		return last(n.X)
	}
	return ""
}

// isKey reports whether the literal at the end of a path of nodes stands where a key
// does, and whether it stands there in options or details for certain.
func isKey(path []ast.Node) (key, certain bool) {
	lit, parent := path[len(path)-1], path[len(path)-2]
	switch p := parent.(type) {
	case *ast.KeyValueExpr:
		if p.Value == lit {
			entry := last(p.Key) == "Key"
			return entry, entry
		}
		m, is := path[len(path)-3].(*ast.CompositeLit)
		if !is {
			return false, false
		}
		of, is := m.Type.(*ast.MapType)
		return is && last(of.Value) == "any", false
	case *ast.IndexExpr:
		return p.Index == lit, false
	case *ast.CallExpr:
		if len(p.Args) == 0 || !slices.Contains(p.Args, ast.Expr(lit.(*ast.BasicLit))) || !slices.Contains(takesKey, last(p.Fun)) {
			return false, false
		}
		sel, is := p.Fun.(*ast.SelectorExpr)
		if !is {
			return true, false
		}
		on := last(sel.X)
		if call, is := sel.X.(*ast.CallExpr); is {
			on = last(call.Fun)
		}
		return !strings.Contains(strings.ToLower(on), "log"), on == "Options" || on == "Details"
	case *ast.BinaryExpr:
		return strings.EqualFold(last(p.X), "key") || strings.EqualFold(last(p.Y), "key"), false
	case *ast.CaseClause:
		for i := len(path) - 3; i >= 0; i-- {
			if s, is := path[i].(*ast.SwitchStmt); is {
				return s.Tag != nil && strings.EqualFold(last(s.Tag), "key"), false
			}
		}
	case *ast.CompositeLit: // of a list of strings, or of lists of them
		for i := len(path) - 2; i >= 0; i-- {
			c, is := path[i].(*ast.CompositeLit)
			if !is {
				return false, false
			}
			if c.Type == nil {
				continue
			}
			of, is := c.Type.(*ast.ArrayType)
			for is {
				if last(of.Elt) == "string" {
					return true, false
				}
				of, is = of.Elt.(*ast.ArrayType)
			}
			return false, false
		}
	}
	return false, false
}

// literals returns what of a file belongs into package proto: keys, URIs of WAMP's
// own, and literals in the place of a key that has no constant yet. extras: they
// may be of a login method, whose keys are its own.
func literals(set *token.FileSet, f *ast.File, keys, uris map[string]string, extras bool) (found []string) {
	var path []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			path = path[:len(path)-1]
			return true
		}
		path = append(path, n)
		s, is := text(n)
		if !is {
			return true
		}
		at := set.Position(n.Pos())
		where := filepath.Base(at.Filename) + ":" + strconv.Itoa(at.Line) + ": " + strconv.Quote(s)
		key, certain := isKey(path)
		switch {
		case uris[s] != "":
			found = append(found, where+" is proto."+uris[s])
		case reservedURI.MatchString(s):
			found = append(found, where+" is a URI of WAMP's own, and belongs into package proto")
		case keys[s] != "" && (key || strings.Contains(s, "_")): // what has a "_" is no word of a text
			found = append(found, where+" is proto."+keys[s])
		case certain && !extras:
			found = append(found, where+" is a key, and belongs into the key table of package proto")
		}
		return true
	})
	return found
}

// Keys of options and details, and URIs of WAMP's own, stand in package proto only:
// a misspelled one would be a key that nobody knows, and no test would see it.
func TestKeysStandInProto(t *testing.T) {
	all := list(t)
	keys, uris := protoNames(t, all[module+"/wamp/proto"].Dir)
	if len(keys) < 60 || len(uris) < 70 {
		t.Fatalf("only %d keys and %d URIs were found in package proto", len(keys), len(uris))
	}
	for key, name := range keys {
		if _, known := proto.OptionKey([]byte(key)); !known {
			t.Errorf("proto.%s has no row in the key table", name)
		}
	}
	for path := range floors {
		p := all[module+"/"+path]
		if path == "wamp/proto" {
			continue
		}
		for _, name := range p.GoFiles {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			extras := path == "wamp/authn" || strings.HasPrefix(path, "wamp/authn/") || path+"/"+name == "wamp/wamptest/logins.go"
			for _, what := range literals(set, f, keys, uris, extras) {
				t.Errorf("%s/%s", path, what)
			}
		}
	}
}

// What the test above sees, and what it takes for a word.
func TestKeyLiterals(t *testing.T) {
	keys, uris := protoNames(t, list(t)[module+"/wamp/proto"].Dir)
	for code, want := range map[string]bool{
		`d.With("retain", true)`:                                  true,
		`m.Options.Bool("progress")`:                              true,
		`m.Options.Str("_mine")`:                                  true, // a key without a constant
		`ev.Details.ID("publisher")`:                              true,
		`c.set("topic", 1, "Topic")`:                              true,
		`_ = Dict{{Key: "mode", Value: 1}}`:                       true,
		`_ = proto.Entry{Key: "whatever", Value: 1}`:              true,
		`_ = map[string]any{"realm": 1}`:                          true,
		`_ = kw["reason"]`:                                        true,
		`_ = []string{"limit", "topic"}`:                          true,
		`_ = [][]string{{"topic"}, {"id"}}`:                       true,
		`_ = e.Key == "match"`:                                    true,
		`switch key { case "limit", "topic": }`:                   true,
		`note("disclose_me")`:                                     true,
		`list[ID]("exclude")`:                                     true,
		`call(ctx, "wamp.session.count")`:                         true,
		`_ = uri == "wamp.error.nobody_knows"`:                    true,
		"_ = `wamp.subscription.on_create`":                       true,
		`log.Warn("lost", "reason", err, "topic", uri)`:           false,
		`log.With("topic", uri)`:                                  false,
		`s.Log().With("procedure", uri)`:                          false,
		`opError("subscription", uri, err)`:                       false,
		`fmt.Errorf("wamp.error.canceled: %w", err)`:              false,
		`_ = strings.HasPrefix(uri, "wamp.session.")`:             false,
		`_ = kind{"registration", 1}`:                             false,
		`_ = map[string]Outcome{"timeout": 1}`:                    false,
		`_ = state == "error"`:                                    false,
		`d.With(proto.KeyRetain, true)`:                           false,
		`_ = map[string]any{"limit": 1}`:                          false,
		`_ = Option{Key: proto.KeyRetain, Name: "exclude lists"}`: false,
	} {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, "code.go", "package p\nfunc f() {\n"+code+"\n}\n", parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		if found := literals(set, f, keys, uris, false); (len(found) > 0) != want {
			t.Errorf("%s: %v", code, found)
		}
	}
}

// The prefix of errors and of records in the log stands in one place, in front of
// what others say: see prefix in package session.
func TestPrefixStandsInOnePlace(t *testing.T) {
	root, found := filepath.Join("..", ".."), 0
	for _, dir := range []string{".", "session", "meta", "internal/flow", "proto", "codec", "authn", "authn/accept", "transport"} {
		for name, f := range parsed(t, filepath.Join(root, dir)) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, is := text(n); is && strings.HasPrefix(s, "wamp: ") {
					if found++; dir != "session" || name != "errors.go" {
						t.Errorf("%s/%s: %q", dir, name, s)
					}
				}
				return true
			})
		}
	}
	if found == 0 {
		t.Error("the prefix was not found anywhere")
	}
}
