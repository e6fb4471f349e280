package arch_test

import (
	"go/ast"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	limitRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\|")
	spaces   = regexp.MustCompile(`(//|\s)+`)
)

// The defaults that docs/production.md gives are those of the doc comments.
func TestLimitsOfProduction(t *testing.T) {
	comments := map[string]string{}
	for _, folder := range []string{filepath.Join(project, "wamp"), filepath.Join(project, "wamp", "codec")} {
		for name, f := range parsed(t, folder) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil {
						comments[d.Name.Name] += d.Doc.Text()
					}
				case *ast.GenDecl:
					for _, s := range d.Specs {
						if s, is := s.(*ast.TypeSpec); is {
							ast.Inspect(s, func(n ast.Node) bool { // the comments of its fields
								if c, is := n.(*ast.CommentGroup); is {
									comments[s.Name.Name] += c.Text()
								}
								return true
							})
						}
					}
				}
			}
		}
	}
	comments["WithLimits"] += comments["Limits"]
	_, text, _ := strings.Cut(readDocument(t, "docs/production.md").Text, "\n## Limits\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := limitRow.FindAllStringSubmatch(text, -1)
	if len(rows) < 10 {
		t.Errorf("only %d limits were found", len(rows))
	}
	for _, row := range rows {
		said := spaces.ReplaceAllString(comments[row[1]], " ")
		for _, value := range strings.Split(row[2], " and ") {
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(value) + `\b`).MatchString(said) {
				t.Errorf("%s: the page says %s, and the doc comment %q", row[1], value, said)
			}
		}
	}
}
