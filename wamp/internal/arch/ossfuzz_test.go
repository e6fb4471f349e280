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

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

// fuzzTargets are "package function" for all that the project has, nested modules too.
func fuzzTargets(t *testing.T) (all []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(project), "wamp", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") {
			return err
		}
		text, err := os.ReadFile(filepath.Join(project, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		for _, m := range fuzzTarget.FindAllSubmatch(text, -1) {
			all = append(all, path.Dir(name)+" "+string(m[1]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d fuzz targets were found", len(all))
	}
	return all
}

// The list of targets for OSS-Fuzz is that of the source. Its scripts find a function by
// a search for its name, so that in one package none may begin with another's.
func TestOSSFuzzHasEveryTarget(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(project, "docs", "oss-fuzz", "targets.sh"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\ntargets='\n")
	list, _, _ = strings.Cut(list, "\n'\n")
	var listed []string
	for line := range strings.Lines(list) {
		listed = append(listed, strings.Join(strings.Fields(line), " "))
	}
	there := fuzzTargets(t)
	for _, target := range there {
		if !slices.Contains(listed, target) {
			t.Errorf("docs/oss-fuzz/targets.sh does not have %s", target)
		}
		for _, other := range there {
			if other != target && strings.HasPrefix(other, target) {
				t.Errorf("%s begins as %s does", other, target)
			}
		}
	}
	for i, target := range listed {
		if !slices.Contains(there, target) {
			t.Errorf("docs/oss-fuzz/targets.sh has %s, which is not there", target)
		}
		if slices.Contains(listed[:i], target) {
			t.Errorf("docs/oss-fuzz/targets.sh has %s twice", target)
		}
	}
}
