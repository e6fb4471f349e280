package otelwamp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
	"github.com/connectanum/connectanum-go/wamp/otelwamp"
)

// The trace on the page is what the example prints, the Go is that of the package's
// comment, and the names on the page are there.
func TestPageShowsWhatIsThere(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page, example := read("../../docs/interceptors.md"), read("example_test.go")
	_, page, _ = strings.Cut(page, "\n## Tracing\n")
	_, shown, _ := strings.Cut(page, "```text\n")
	shown, _, _ = strings.Cut(shown, "```")
	if strings.Count(shown, "\n") < 8 || !strings.Contains(example, "// "+strings.ReplaceAll(strings.TrimSpace(shown), "\n", "\n\t// ")) {
		t.Errorf("the page shows another trace:\n%s", shown)
	}
	snippets := strings.Split(page, "```go\n")[1:]
	for _, s := range snippets {
		s, _, _ = strings.Cut(s, "```")
		if !strings.Contains(read("otelwamp.go"), strings.TrimSpace(s)) {
			t.Errorf("the page has\n%s", s)
		}
	}
	if len(snippets) != 1 {
		t.Errorf("the page has %d snippets", len(snippets))
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text := read(name)
		if of := "otel/semconv/v"; strings.Count(text, of) != strings.Count(text, of+otelwamp.SemconvVersion) && name != "example_page_test.go" {
			t.Errorf("%s has another version of the semantic conventions than %s", name, otelwamp.SemconvVersion)
		}
	}
	if !strings.Contains(page, "conventions "+otelwamp.SemconvVersion) {
		t.Error("the page names another version of the semantic conventions")
	}
	keys := read("keys.go")
	for _, line := range strings.Split(keys, "\n") {
		_, name, _ := strings.Cut(line, `"wamp.`)
		name, _, quoted := strings.Cut(name, `"`)
		if short := name[strings.LastIndex(name, ".")+1:]; quoted && !strings.Contains(page, short) {
			t.Errorf("the page has no wamp.%s", name)
		}
	}
}

// The Go in the documents that uses this package compiles. The tests of the library do
// not reach it. That of the cookbook is in a program, see below.
func TestDocumentsCompile(t *testing.T) {
	all, err := documents.All(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	var ours []documents.Snippet
	for _, doc := range all {
		for _, s := range doc.Snippets() {
			if strings.Contains(s.Text, "otelwamp.") && doc.Name != "CHANGELOG.md" && doc.Name != "docs/cookbook.md" {
				ours = append(ours, s)
			}
		}
	}
	const variables = "url, realm := \"ws://localhost:8080/ws\", \"realm1\"\n"
	c, err := documents.NewCompiler(t.Context(), ".", ours, "github.com/connectanum/connectanum-go/wamp/otelwamp")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range ours {
		if !s.Program {
			s.Text = variables + s.Text
		}
		wrong, err := c.Check(s)
		if err != nil || len(wrong) > 0 {
			t.Errorf("%v %v in\n%s", err, wrong, s.Text)
		}
	}
	if len(ours) == 0 {
		t.Error("no snippet was found")
	}
}

// The snippet of the cookbook is in the program that it links to.
func TestCookbookShowsTheProgram(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, recipe, _ := strings.Cut(read("../../docs/cookbook.md"), "\n## Tracing\n")
	_, snippet, _ := strings.Cut(recipe, "```go\n")
	snippet, _, _ = strings.Cut(snippet, "```")
	indented := "\t" + strings.ReplaceAll(strings.TrimSpace(snippet), "\n", "\n\t")
	if strings.Count(snippet, "\n") < 5 || !strings.Contains(read("examples/tracing/main.go"), indented) {
		t.Errorf("the program does not have\n%s", snippet)
	}
}
