package arch_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mapped is what the file map of docs/design.md calls a file.
var mapped = regexp.MustCompile("`([a-z0-9_/]+\\.go)`")

// The file map of docs/design.md has every file of the packages that it names in
// its headings, and no other.
func TestFileMapIsComplete(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## File map\n")
	text, _, _ = strings.Cut(text, "\n## ")
	listed, there := map[string]bool{}, map[string]bool{}
	for _, section := range strings.Split(text, "\n### ")[1:] {
		title, rows, _ := strings.Cut(section, "\n")
		var folders []string
		for _, name := range strings.Split(title, ", ") {
			if name = strings.Trim(name, "`"); !strings.Contains(name, ":") {
				folders = append(folders, name)
			}
		}
		for _, folder := range folders {
			files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
			if err != nil || len(files) == 0 {
				t.Errorf("%s has no files (%v)", folder, err)
			}
			for _, name := range files {
				if !strings.HasSuffix(name, "_test.go") {
					there[path.Join(folder, filepath.Base(name))] = true
				}
			}
		}
		for _, m := range mapped.FindAllStringSubmatch(rows, -1) {
			name := path.Join(folders[0], m[1])
			if dir, file := path.Split(m[1]); dir != "" { // the heading names several packages
				for _, folder := range folders {
					if path.Base(folder) == path.Clean(dir) {
						name = path.Join(folder, file)
					}
				}
			}
			if listed[name] {
				t.Errorf("%s stands there twice", name)
			}
			listed[name] = true
		}
	}
	for name := range there {
		if !listed[name] {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range listed {
		if !there[name] {
			t.Errorf("%s is not there", name)
		}
	}
	if len(there) < 100 {
		t.Errorf("only %d files are looked at", len(there))
	}
}
