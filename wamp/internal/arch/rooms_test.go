package arch_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// general are the test files that every package may have: what tests share, and what
// has a form of its own.
var general = []string{"main", "helpers", "tools", "export", "race", "example", "bench", "fuzz", "vectors"}

// alsoGeneral are those of single packages.
var alsoGeneral = map[string][]string{
	"session": {"sim"}, // the simulation of the step function
}

// hasRoom reports whether a test file, such as call_slow_test.go, is named after one
// of the files of its package, such as call.go, or is one that every package may have.
func hasRoom(name string, files, general []string) bool {
	words := strings.Split(strings.TrimSuffix(name, "_test.go"), "_")
	for i := range words {
		if slices.Contains(files, strings.Join(words[:i+1], "_")+".go") {
			return true
		}
	}
	return slices.Contains(general, words[0])
}

// packages are the Go files of the folders below wamp, but for doc.go.
type packages struct{ files, tests map[string][]string }

func goFiles(t *testing.T) packages {
	t.Helper()
	p := packages{map[string][]string{}, map[string][]string{}}
	top := filepath.Join(project, "wamp")
	if err := filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".go" {
			return err
		}
		dir, err := filepath.Rel(top, filepath.Dir(file))
		if dir = filepath.ToSlash(dir); strings.HasSuffix(file, "_test.go") {
			p.tests[dir] = append(p.tests[dir], d.Name())
		} else if d.Name() != "doc.go" {
			p.files[dir] = append(p.files[dir], d.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return p
}

// Where the tests of a file are is to be seen from its name. A package that has
// nothing but tests has them under any name.
func TestTestFilesAreNamedAfterWhatTheyTest(t *testing.T) {
	p, looked := goFiles(t), 0
	for dir, files := range p.files {
		for _, name := range p.tests[dir] {
			if looked++; !hasRoom(name, files, slices.Concat(general, alsoGeneral[dir])) {
				t.Errorf("%s: there is no file of that name which it could test", path.Join("wamp", dir, name))
			}
		}
	}
	if looked < 150 {
		t.Errorf("only %d files of tests are looked at", looked)
	}
}

func TestHasRoom(t *testing.T) {
	files := []string{"call.go", "raw_unix.go"}
	for name, want := range map[string]bool{
		"call_test.go": true, "call_slow_test.go": true, "raw_unix_test.go": true, "raw_unix_far_test.go": true,
		"main_test.go": true, "example_call_test.go": true,
		"calls_test.go": false, "slow_call_test.go": false, "raw_test.go": false, "doc_test.go": false,
	} {
		if got := hasRoom(name, files, general); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// testFile is a name of a test file in a document.
var testFile = regexp.MustCompile("`([a-z0-9_/]*_test\\.go)`")

// The test files that the documents name are there; "x" is any file.
func TestDocumentsNameTestFiles(t *testing.T) {
	var there []string
	for dir, names := range goFiles(t).tests {
		for _, name := range names {
			there = append(there, path.Join("/wamp", dir, name))
		}
	}
	pages, err := filepath.Glob(filepath.Join(project, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, name := range append(pages, filepath.Join(project, "CONTRIBUTING.md"), filepath.Join(project, "README.md")) {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testFile.FindAllStringSubmatch(string(page), -1) {
			named++
			if !strings.HasPrefix(m[1], "x_") && !slices.ContainsFunc(there, func(file string) bool { return strings.HasSuffix(file, "/"+m[1]) }) {
				t.Errorf("%s: there is no %s", filepath.Base(name), m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d names are looked at", named)
	}
}
