package arch_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutation is the change of a row of docs/mutations.md.
var mutation = regexp.MustCompile("^`([^`]+)` (removed|becomes `[^`]+`)$")

// Each change of docs/mutations.md names a piece of code that is there, once:
// otherwise the code has changed since, and the row has to be seen failing again.
func TestMutationsNameCodeThatIsThere(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	page, err := os.ReadFile(filepath.Join(root, "docs", "mutations.md"))
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{
		"## In the step simulation":         "wamp/session",
		"## In the simulation in fake time": "wamp",
	}
	rows := map[string]int{}
	folder := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## ") {
			folder = folders[line]
		}
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if folder == "" || len(cells) != 7 || !strings.HasPrefix(strings.TrimSpace(cells[2]), "`") {
			continue
		}
		rows[folder]++
		file := strings.Trim(strings.TrimSpace(cells[2]), "`")
		change := mutation.FindStringSubmatch(strings.TrimSpace(strings.ReplaceAll(cells[3], "\x00", "|")))
		if change == nil {
			t.Errorf("%s: a change is written `code` becomes `code`, or `code` removed", line)
			continue
		}
		code, err := os.ReadFile(filepath.Join(root, folder, file))
		if err != nil {
			t.Error(err)
			continue
		}
		if n := strings.Count(spaced(string(code)), spaced(change[1])); n != 1 {
			t.Errorf("%s/%s has %d times what the row changes: %s", folder, file, n, change[1])
		}
	}
	for _, folder := range folders {
		if rows[folder] == 0 {
			t.Errorf("the page has no row about %s", folder)
		}
	}
}

// spaced has one space wherever there is some.
func spaced(code string) string { return strings.Join(strings.Fields(code), " ") }
