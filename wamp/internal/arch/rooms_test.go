package arch_test

import (
	"io/fs"
	"path/filepath"
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

// Where the tests of a file are is to be seen from its name. A package that has
// nothing but tests has them under any name.
func TestTestFilesAreNamedAfterWhatTheyTest(t *testing.T) {
	files, tests := map[string][]string{}, map[string][]string{}
	top := filepath.Join(project, "wamp")
	if err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		dir, err := filepath.Rel(top, filepath.Dir(path))
		if dir = filepath.ToSlash(dir); strings.HasSuffix(path, "_test.go") {
			tests[dir] = append(tests[dir], d.Name())
		} else if d.Name() != "doc.go" {
			files[dir] = append(files[dir], d.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	looked := 0
	for dir := range files {
		for _, name := range tests[dir] {
			if looked++; !hasRoom(name, files[dir], slices.Concat(general, alsoGeneral[dir])) {
				t.Errorf("%s/%s: there is no file of that name which it could test", dir, name)
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
