package arch_test

import (
	"go/ast"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// Every exported function and method of package wamp, an option too, is used or named
// by an example, so that its page shows how. What only the language or another library
// calls needs none.
func TestEverythingHasAnExample(t *testing.T) {
	unasked := map[string]bool{"Error": true, "Is": true, "Unwrap": true, "String": true}
	used, names := map[string]bool{}, map[string]string{}
	for room, f := range parsed(t, filepath.Join("..", "..")) {
		switch {
		case strings.HasPrefix(room, "example"):
			ast.Inspect(f, func(n ast.Node) bool {
				if s, is := n.(*ast.SelectorExpr); is {
					used[s.Sel.Name] = true
				}
				return true
			})
			for _, c := range f.Comments {
				for _, word := range strings.FieldsFunc(c.Text(), func(r rune) bool { return !unicode.IsLetter(r) }) {
					used[word] = true
				}
			}
		case !strings.HasSuffix(room, "_test.go"):
			for _, d := range f.Decls {
				fn, is := d.(*ast.FuncDecl)
				if !is || !fn.Name.IsExported() || unasked[fn.Name.Name] {
					continue
				}
				if fn.Recv != nil && !ast.IsExported(base(fn.Recv.List[0].Type)) {
					continue // a sink's, for the engine
				}
				names[fn.Name.Name] = room
			}
		}
	}
	for name, file := range names {
		if !used[name] {
			t.Errorf("%s: no example uses %s", file, name)
		}
	}
	if len(names) < 100 {
		t.Errorf("only %d names are looked at", len(names))
	}
}
