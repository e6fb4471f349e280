package arch_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
)

// docs/README.md leads to every document, package, example, check, and folder of test data.
// A document is called by its title there. That what it links is there is TestDocumentsLink's.
func TestIndexHasEverything(t *testing.T) {
	const index = "docs/README.md"
	page, err := documents.Read(project, index)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, link := range linksOf(page) {
		link, _, _ = strings.Cut(link, "#")
		listed[path.Join("docs", link)] = true
	}
	seen := 0
	want := func(name string) {
		if seen++; !listed[name] {
			t.Errorf("%s does not have %s", index, name)
		}
	}
	titles := map[string]string{}
	for _, doc := range allDocuments(t) {
		if dir := path.Dir(doc.Name); doc.Name != index && doc.Name != ".github/pull_request_template.md" {
			want(doc.Name)
			if strings.HasPrefix(dir, "docs") {
				titles[doc.Name] = doc.Headings[0]
			}
		}
	}
	err = fs.WalkDir(os.DirFS(project), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			if path.Dir(name) == ".ci" || path.Dir(name) == ".github/workflows" {
				want(name)
			}
			return nil
		case name == ".git" || name == "shared":
			return fs.SkipDir
		case path.Base(name) == "testdata" && name != "testdata":
			want(name)
			return fs.SkipDir
		case path.Dir(name) == "testdata":
			if listed[name+"/README.md"] {
				seen++
			} else {
				want(name)
			}
			return fs.SkipDir
		}
		if files, err := filepath.Glob(filepath.Join(project, filepath.FromSlash(name), "*.go")); err != nil || len(files) > 0 {
			want(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 90 {
		t.Errorf("only %d were looked for", seen)
	}
	for _, m := range regexp.MustCompile(`(?s)\[([^\]]+)\]\(([\w./-]+\.md)(?:#[\w-]+)?\)`).FindAllStringSubmatch(page.Prose, -1) {
		if title := titles[path.Join("docs", m[2])]; title != "" && title != strings.Join(strings.Fields(m[1]), " ") {
			t.Errorf("%s calls %s %q; its title is %q", index, m[2], m[1], title)
		}
	}
	// each is said what it is
	for line := range strings.Lines(page.Prose) {
		if first := regexp.MustCompile(`^[*|] \[[^\]]+\]\([^)]+\)`).FindString(line); first != "" && len(strings.Trim(line[len(first):], " :|\n")) < 8 {
			t.Errorf("%s does not say what this is: %s", index, line)
		}
	}
}
