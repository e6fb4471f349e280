package arch_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	usesLine = regexp.MustCompile(`^\s*(?:-\s+)?["']?uses["']?\s*:\s*(.*)$`)
	pinned   = regexp.MustCompile(`^([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$`)
)

// unpinned says what is wrong with the actions of a workflow. seen has what earlier
// ones use of each action.
func unpinned(text string, seen map[string]string) (wrong []string) {
	for line := range strings.Lines(text) {
		m := usesLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		p := pinned.FindStringSubmatch(m[1])
		if p == nil {
			wrong = append(wrong, m[1]+": want OWNER/NAME@COMMIT # vX.Y.Z")
			continue
		}
		what := p[2] + " " + p[3]
		if before, is := seen[p[1]]; is && before != what {
			wrong = append(wrong, p[1]+" is "+before+" in one place and "+what+" in another")
		}
		seen[p[1]] = what
	}
	return wrong
}

// Each action of the workflows is pinned by its commit, with its version behind it,
// and is the same one everywhere.
func TestActionsArePinned(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(project, ".github", "workflows", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	seen := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range unpinned(string(text), seen) {
			t.Errorf("%s: %s", filepath.Base(name), wrong)
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %v were found", seen)
	}
}

func TestUnpinnedActionsAreFound(t *testing.T) {
	a, b := strings.Repeat("a", 40), strings.Repeat("b", 40)
	for text, want := range map[string]int{
		"      - uses: actions/checkout@" + a + " # v1.2.3\n":                                               0,
		"        uses: actions/checkout@" + a + " # v1.2.3\n":                                               0,
		"      - uses: actions/checkout@v4\n":                                                               1,
		"      - uses: actions/checkout@" + a + "\n":                                                        1,
		"      - uses: actions/checkout@" + a + " # v1\n":                                                   1,
		"      - 'uses': actions/checkout@main\n":                                                           1,
		"      - uses: docker://alpine:3\n":                                                                 1,
		"- uses: a/b@" + a + " # v1.2.3\n- uses: a/b@" + b + " # v1.2.3\n":                                  1,
		"- uses: a/b@" + a + " # v1.2.3\n- uses: a/b@" + a + " # v1.2.4\n":                                  1,
		"- uses: a/b@" + a + " # v1.2.3\r\n- uses: a/c/deep@" + b + " # v0.1.0\r\n- run: echo uses: x@v1\n": 0,
	} {
		if wrong := unpinned(text, map[string]string{}); len(wrong) != want {
			t.Errorf("%q: %q", text, wrong)
		}
	}
}

// The checks of .ci/run are scripts, have their row in CONTRIBUTING.md, and run in the
// hosted workflow.
func TestChecksAreDescribed(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(project, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	steps := regexp.MustCompile(`(?m)^steps=\(([a-z0-9 ]+)\)$`).FindStringSubmatch(read(".ci/run"))
	if steps == nil {
		t.Fatal(".ci/run has no steps")
	}
	hosted := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)run: \.ci/run (.+)$`).FindAllStringSubmatch(read(".github/workflows/ci.yml"), -1) {
		for step := range strings.FieldsSeq(m[1]) {
			hosted[step] = true
		}
	}
	page, seen := read("CONTRIBUTING.md"), 0
	for step := range strings.FieldsSeq(steps[1]) {
		seen++
		if _, err := os.Stat(filepath.Join(project, ".ci", step+".sh")); err != nil {
			t.Error(err)
		}
		if !strings.Contains(page, "\n| `"+step+"` | ") {
			t.Errorf("CONTRIBUTING.md has no row for the check %s", step)
		}
		if !hosted[step] {
			t.Errorf("the hosted workflow does not run %s", step)
		}
	}
	if seen < 10 || len(hosted) != seen {
		t.Errorf("%d checks, of which the hosted workflow runs %d", seen, len(hosted))
	}
}

// Dependabot looks at each module.
func TestEveryModuleIsUpdated(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(project, ".github", "dependabot.yml"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = fs.WalkDir(os.DirFS(project), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || path.Base(name) == "testdata"):
			return fs.SkipDir
		case path.Base(name) == "go.mod":
			seen++
			if dir := path.Join("/", path.Dir(name)); !strings.Contains(string(text), `"`+dir+`"`) {
				t.Errorf("dependabot does not look at %s", dir)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 3 {
		t.Errorf("only %d modules were found", seen)
	}
}
