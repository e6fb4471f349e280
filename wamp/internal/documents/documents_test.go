package documents_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
)

const page = "# Page: `x`, of 2\n\nText with `code` and <!-- `hidden`\n[no](link) --> more.\n\n" +
	"    go run ./here\n\n" +
	"```go\npackage main\n\n# no heading\n```\n\n" +
	"* in a list\n\n  ```go\n  session.Close(ctx)\n    two\n  ```\n\n" +
	"~~~sh title\n$ ls\n```\n~~~\n\n## Second ##\n" +
	"It is `err := session.Close(ctx)`, or `for range session.Call(ctx) { ... }`.\n"

func TestParse(t *testing.T) {
	doc, err := documents.Parse("page.md", page)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Page: `x`, of 2", "Second"}; !slices.Equal(doc.Headings, want) {
		t.Errorf("headings: %q", doc.Headings)
	}
	want := []documents.Fence{
		{Language: "go", Text: "package main\n\n# no heading\n", Line: 9},
		{Language: "go", Text: "session.Close(ctx)\n  two\n", Line: 17},
		{Language: "sh", Text: "$ ls\n```\n", Line: 22},
	}
	if !slices.Equal(doc.Fences, want) {
		t.Errorf("fences: %+v", doc.Fences)
	}
	if want := []string{"ls", "```", "go run ./here"}; !slices.Equal(doc.Commands(), want) {
		t.Errorf("commands: %q", doc.Commands())
	}
	if strings.Contains(doc.Prose, "hidden") || strings.Contains(doc.Prose, "two") {
		t.Errorf("prose: %s", doc.Prose)
	}
	snippets := doc.Snippets()
	if len(snippets) != 4 || !snippets[0].Program || snippets[1].Program || snippets[3].Text != "for range session.Call(ctx) {} {}" {
		t.Errorf("snippets: %+v", snippets)
	}
	if _, err := documents.Parse("page.md", "text\n\n```go\nleft open\n"); err == nil || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("a block without an end: %v", err)
	}
}

// A complete file is held to more than statements are.
func TestCheck(t *testing.T) {
	of := func(text string) documents.Snippet {
		doc, err := documents.Parse("page.md", "```go\n"+text+"\n```\n")
		if err != nil {
			t.Fatal(err)
		}
		return doc.Snippets()[0]
	}
	const long = "// Hello says so.\npackage main\n\nimport (\n\t\"fmt\"\n\t\"text/tabwriter\"\n)\n\n"
	good := of(long + "func main() { fmt.Println(tabwriter.Debug) }")
	c, err := documents.NewCompiler(t.Context(), ".", []documents.Snippet{good})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		snippet documents.Snippet
		wrong   int
		isGo    bool
	}{
		{good, 0, true},
		{of(long + "func main() { fmt.Println() }"), 1, true},                              // an import
		{of(long + "func main() { x := 1; fmt.Println(tabwriter.Debug) }"), 1, true},       // a variable
		{of(long + "func start() { fmt.Println(tabwriter.Debug) }"), 1, true},              // no main
		{of("package lib\n\nimport \"fmt\"\n\nfunc F() { fmt.Println() }"), 0, true},       // which needs none
		{of("package main\n\nimport \"example.com/x\"\n\nfunc main() { x.F() }"), 1, true}, // not there
		{of("package main\n\nfunc main() { session.Close(ctx) }"), 2, true},                // has neither
		{of("package main\n\nfunc main() {"), 0, false},                                    // no Go
		{of("x := 1"), 0, true}, // unused
		{of("if err := session.Close(ctx); err != nil {\n\treturn err\n}"), 0, true}, // has both
		{of("session.Shut(ctx)"), 1, true},                                           // no such method
		{of("wamp.Connect(ctx, 5, \"realm\")"), 1, true},                             // wrong type
		{of("if {"), 0, false},                                                       // no Go
	} {
		wrong, err := c.Check(test.snippet)
		if len(wrong) != test.wrong || (err == nil) != test.isGo {
			t.Errorf("%s\n%v, %v", test.snippet.Text, wrong, err)
		}
	}
}

func TestTable(t *testing.T) {
	const head = "# Title\n\n<!-- prices: held by a test -->\n| what | cents |\n|---|--:|\n"
	read := func(text string) ([][]string, error) {
		doc, err := documents.Parse("page.md", text)
		if err != nil {
			t.Fatal(err)
		}
		return doc.Table("prices")
	}
	rows, err := read(head + "| tea |  250 |\n| `a` or b | 3 |\n\n| other | 1 |\n")
	if want := [][]string{{"tea", "250"}, {"`a` or b", "3"}}; err != nil || !reflect.DeepEqual(rows, want) {
		t.Errorf("%q, %v", rows, err)
	}
	for _, text := range []string{head + "| tea | 250 |\n", "# Title\n\n| what |\n|---|\n| tea |\n| milk |\n"} {
		if rows, err := read(text); err == nil {
			t.Errorf("%q in\n%s", rows, text)
		}
	}
}
