package arch_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
)

// source is what the project's own Go declares and uses, tests and nested modules too.
type source struct {
	paths    map[string]bool            // files and folders
	declared map[string]map[string]bool // by file: names, and "T.m" for fields, methods and embedded types
	packages map[string]map[string]bool // by name of a package: what its files declare
	members  map[string]bool            // "T.m" of any package
	words    map[string]bool            // every identifier
	foreign  map[string]bool            // "net.Conn": what is used of other packages
	strings  map[string]bool            // every string
	embedded map[string][]string        // by type: those that it embeds
	abstract map[string]bool            // interfaces
}

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]bool{}, map[string]bool{}, map[string]bool{},
		map[string]bool{}, map[string]bool{}, map[string][]string{}, map[string]bool{}}
	err := fs.WalkDir(os.DirFS(project), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (name == ".git" || name == "shared") {
			return fs.SkipDir
		}
		s.paths[name] = true
		if path.Ext(name) != ".go" || strings.Contains(name, "testdata/") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(project, filepath.FromSlash(name)), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.add(name, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.declared) < 400 {
		t.Fatalf("only %d files were found", len(s.declared))
	}
	return s
}

func (s *source) add(name string, file *ast.File) {
	here := namesOf([]*ast.File{file})
	s.declared[name] = here
	pkg := strings.TrimSuffix(file.Name.Name, "_test")
	if s.packages[pkg] == nil {
		s.packages[pkg] = map[string]bool{}
	}
	imported := map[string]bool{}
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil && !strings.HasPrefix(p, module) {
			imported[path.Base(p)] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			s.words[n.Name] = true
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && !strings.HasPrefix(name, "wamp/internal/arch/") {
				s.strings[text] = true
			}
		case *ast.SelectorExpr:
			if x, is := n.X.(*ast.Ident); is && imported[x.Name] {
				s.foreign[x.Name+"."+n.Sel.Name] = true
			}
		case *ast.TypeSpec:
			switch of := n.Type.(type) {
			case *ast.StructType:
				for _, f := range of.Fields.List {
					if f.Names == nil {
						s.embedded[n.Name.Name] = append(s.embedded[n.Name.Name], base(f.Type))
					}
				}
			case *ast.InterfaceType:
				s.abstract[n.Name.Name] = true
			}
		}
		return true
	})
	for n := range here {
		s.packages[pkg][n] = true
		if strings.Contains(n, ".") {
			s.members[n] = true
		}
	}
}

// has says whether a type has a field or method, of its own or of what it embeds.
func (s *source) has(typ, member string) bool {
	return s.members[typ+"."+member] || slices.ContainsFunc(s.embedded[typ], func(e string) bool { return e != typ && s.has(e, member) })
}

// ends says whether a file or folder ends in that path.
func (s *source) ends(name string) bool {
	for p := range s.paths {
		if p == name || strings.HasSuffix(p, "/"+name) {
			return true
		}
	}
	return false
}

var (
	goFile     = regexp.MustCompile(`^[\w./-]+\.go$`)
	example    = regexp.MustCompile(`(^|/)x[_.]|(KIND|NAME|VERSION)\b|(KIND|NAME)_|\.\.\.|X\b`) // x_test.go, KIND.go, TestX: a form
	identifier = regexp.MustCompile(`^\*?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*){0,2})(?:\[\w+\])?(?:\(\))?$`)
	slashed    = regexp.MustCompile(`^(\.?[\w-][\w.-]*)(/[\w.-]+)+/?$`)
	pathIn     = regexp.MustCompile(`(?:^|\s)(\./[\w./-]+|\.ci/[\w.-]+|(?:wamp|docs|testdata)/[\w./-]+)`)
	// `Type.method` (`file.go`), and (`Type.method`, `file.go`)
	placed = regexp.MustCompile("`([A-Za-z_][\\w.]*)` \\(`([\\w./]+\\.go)`|`([A-Za-z_][\\w.]*)`, `([\\w./]+\\.go)`\\)")
)

// misses says what a span of code names that is not there.
func (s *source) misses(span string) string {
	switch {
	case example.MatchString(span):
		return ""
	case goFile.MatchString(span):
		if !s.ends(span) {
			return "there is no such file"
		}
		return ""
	case slashed.MatchString(span):
		first, _, _ := strings.Cut(span, "/")
		if name := strings.TrimSuffix(span, "/"); !s.ends(name) && (!strings.Contains(first, ".") || s.paths[first]) {
			return "there is no such file or folder"
		}
		return ""
	}
	if m := identifier.FindStringSubmatch(span); m != nil {
		return s.missesName(m[1])
	}
	for _, m := range pathIn.FindAllStringSubmatch(span, -1) {
		name := path.Clean(strings.TrimSuffix(strings.TrimRight(m[1], "."), "/"))
		if !s.paths[name] {
			return "there is no " + name
		}
	}
	return ""
}

func (s *source) missesName(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) == 1 {
		if s.words[name] || s.strings[name] || s.ends(name) || s.paths[".ci/"+name+".sh"] {
			return ""
		}
		for word := range s.words {
			if strings.HasPrefix(name, "Test") && strings.HasPrefix(word, name) {
				return ""
			}
		}
		return "no source has this word"
	}
	if s.ends(name) || s.strings[name] || s.foreign[parts[0]+"."+parts[1]] {
		return ""
	}
	if pkg := s.packages[parts[0]]; pkg != nil && pkg[parts[1]] {
		if len(parts) == 2 || pkg[parts[1]+"."+parts[2]] || s.has(parts[1], parts[2]) {
			return ""
		}
		return fmt.Sprintf("%s has no %s", parts[1], parts[2])
	}
	if s.has(parts[0], parts[1]) && (len(parts) == 2 || s.words[parts[2]]) {
		return ""
	}
	return fmt.Sprintf("%s has no %s", parts[0], parts[1])
}

// misplaced says that no file of that name declares name.
func (s *source) misplaced(name, file string) bool {
	seen := false
	for at, here := range s.declared {
		if at != file && !strings.HasSuffix(at, "/"+file) {
			continue
		}
		seen = true
		last := name[strings.LastIndex(name, ".")+1:]
		typ := strings.TrimSuffix(name, "."+last)
		for n := range here {
			if n == name || strings.HasSuffix(name, "."+n) || (typ == name || s.abstract[typ]) && strings.HasSuffix(n, "."+last) {
				return false
			}
		}
	}
	return seen
}

// forContributors are the pages that tell of the code.
var forContributors = []string{"CONTRIBUTING.md", "docs/design.md", "docs/releasing.md", ".github/SECURITY.md"}

// notCode are spans of these pages that are no names of the project.
var notCode = []string{"go", "require", "retract", "GOWORK"}

// What the pages for contributors name is there: files, folders, scripts, types, functions,
// fields. Where a name has its file behind it, in parentheses, it is declared there.
func TestProseNamesWhatIsThere(t *testing.T) {
	s := readSource(t)
	seen, located := 0, 0
	for _, name := range forContributors {
		doc, err := documents.Read(project, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range doc.Spans() {
			seen++
			if why := s.misses(span); why != "" && !slices.Contains(notCode, span) {
				t.Errorf("%s, `%s`: %s", name, span, why)
			}
		}
		for _, m := range placed.FindAllStringSubmatch(strings.ReplaceAll(doc.Prose, "\n", " "), -1) {
			what, file := m[1]+m[3], m[2]+m[4]
			if goFile.MatchString(what) || example.MatchString(what) {
				continue
			}
			located++
			if s.misplaced(what, file) {
				t.Errorf("%s: `%s` is not declared in `%s`", name, what, file)
			}
		}
	}
	if seen < 600 || located < 30 {
		t.Errorf("only %d names were found, %d of them with their file", seen, located)
	}
}

// Every module that this one and those inside of it require has its row in docs/design.md.
func TestDependenciesAreExplained(t *testing.T) {
	_, page, found := strings.Cut(readDocument(t, "docs/design.md").Text, "\n## Dependencies\n")
	if !found {
		t.Fatal("docs/design.md has no section Dependencies")
	}
	seen := 0
	for _, dir := range []string{"", "wamp/otelwamp", "wamp/cmd/wamp"} {
		mod, err := os.ReadFile(filepath.Join(project, filepath.FromSlash(dir), "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
			if seen++; m[1] != module && !strings.Contains(page, m[1]) && !strings.Contains(page, "`"+strings.TrimPrefix(m[1], "go.opentelemetry.io/otel")+"`") {
				t.Errorf("docs/design.md does not say why %s requires %s", path.Join(dir, "go.mod"), m[1])
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d requirements were found", seen)
	}
}

// Scripts and packages that any document has in a command are there.
func TestCommandsAreThere(t *testing.T) {
	s := readSource(t)
	seen := 0
	for _, doc := range allDocuments(t) {
		if doc.Name == "CHANGELOG.md" {
			continue
		}
		for _, command := range append(doc.Commands(), doc.Spans()...) {
			for _, m := range regexp.MustCompile(`(?:^|\s)(\./(?:wamp|docs|testdata)/[\w./-]+|\.ci/[\w.-]+)`).FindAllStringSubmatch(command, -1) {
				seen++
				if name := path.Clean(strings.TrimSuffix(m[1], "...")); !s.paths[name] && !example.MatchString(name) {
					t.Errorf("%s, %s: there is no %s", doc.Name, command, name)
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d were found", seen)
	}
}

func TestMissingNamesAreFound(t *testing.T) {
	s := readSource(t)
	for span, there := range map[string]bool{
		"core.receive": true, "core.receives": false, "Session.Call": true, "wamp.Session.Call": true, "wamp.Session.Cal": false, "wamp.Sesion": false,
		"actor.go": true, "session/actor.go": true, "wamp/actor.go": false, "actors.go": false, "x_test.go": true,
		".ci/run": true, ".ci/runs": false, "wamp/session": true, "internal/flow": true, "internal/flows": false,
		"go test ./wamp/internal/arch": true, "go test ./wamp/internal/arc": false, "github.com/x/y": true,
		"context.AfterFunc": true, "context.BeforeFunc": false, "MostCopied": true, "MostCopiedd": false, "race": true,
	} {
		if why := s.misses(span); (why == "") != there {
			t.Errorf("`%s`: %q", span, why)
		}
	}
	if s.misplaced("core.receive", "session/core.go") || !s.misplaced("core.receive", "actor.go") || s.misplaced("transport.Rotation", "rotation.go") {
		t.Error("what is declared where is not known")
	}
}
