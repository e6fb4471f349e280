package arch_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
)

// Each snippet of the cookbook can be pasted into the program at the top of the page: that
// has its imports, and nothing that the snippet declares is left unused.
func TestCookbookSnippetsCanBePasted(t *testing.T) {
	const page, place = "docs/cookbook.md", "\t// a snippet goes here\n"
	doc := readDocument(t, page)
	program := ""
	for _, block := range doc.In("golang") {
		if strings.Contains(block, place) {
			program = block
		}
	}
	if program == "" {
		t.Fatal("there is no program to paste into")
	}
	c, _ := compiler(t, nil)
	var snippets []string
	for _, s := range doc.Snippets() {
		if !s.Program && !elsewhere.MatchString(s.Text) {
			snippets = append(snippets, s.Text)
		}
	}
	check := func(text string) []error {
		wrong, err := c.Check(documents.Snippet{Name: page, Text: text, Program: true})
		if err != nil {
			return []error{err}
		}
		return slices.DeleteFunc(wrong, func(err error) bool { return strings.HasSuffix(err.Error(), "imported and not used") })
	}
	used := program
	for _, snippet := range snippets {
		used += snippet
		for _, err := range check(strings.Replace(program, place, snippet, 1)) {
			t.Errorf("%v in\n%s", err, snippet)
		}
	}
	if n := len(snippets); n < 9 {
		t.Errorf("only %d snippets were found", n)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t"(?:.*/)?(\w+)"$`).FindAllStringSubmatch(program, -1) {
		if !strings.Contains(used, m[1]+".") {
			t.Errorf("no snippet uses package %s", m[1])
		}
	}
	if wrong := check(strings.Replace(program, place, "\tunused := 1\n", 1)); len(wrong) != 1 {
		t.Errorf("a variable that is not used: %v", wrong)
	}
}

// Each program among the examples has its recipe, and each recipe names its program before
// it shows anything, and the command behind it.
func TestCookbookHasEveryExample(t *testing.T) {
	text := readDocument(t, "docs/cookbook.md").Text
	var folders []string
	for _, parent := range []string{"docs/examples", "wamp/otelwamp/examples"} {
		entries, err := os.ReadDir(filepath.Join(project, parent))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			folders = append(folders, parent+"/"+e.Name())
		}
	}
	if len(folders) < 11 {
		t.Errorf("there are only %q", folders)
	}
	recipes := strings.Split(text, "\n## ")[2:] // behind what comes before the first
	for _, folder := range folders {
		name := filepath.Base(folder)
		if name == "quickstart" || name == "testing" {
			continue // the README shows it; docs/testing.md does
		}
		found := 0
		for _, recipe := range recipes {
			head, _, _ := strings.Cut(recipe, "```")
			named := regexp.MustCompile(`The program is\s\[` + name + `\]\(`).MatchString(head)
			if named && regexp.MustCompile(`(?m)^    .*go run \./.*examples/`+name+`( -once)?$`).MatchString(recipe) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s has %d recipes", folder, found)
		}
	}
}
