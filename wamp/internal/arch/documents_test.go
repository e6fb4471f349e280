package arch_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"

	// The go command runs these tests again when what the documents use has changed.
	_ "github.com/connectanum/connectanum-go/wamp/meta"
	_ "github.com/connectanum/connectanum-go/wamp/seal"
	_ "github.com/connectanum/connectanum-go/wamp/wamptest"
)

// project is where the project begins.
var project = filepath.Join("..", "..", "..")

// snippetImports are what the documents' Go may use.
var snippetImports = []string{"context", "errors", "expvar", "fmt", "iter", "log", "log/slog", "net/http", "os", "os/signal", "slices", "sync", "syscall", "time", module + "/wamp", module + "/wamp/authn",
	module + "/wamp/codec", module + "/wamp/meta", module + "/wamp/seal", module + "/wamp/transport", module + "/wamp/wamptest"}

// compiled returns an importer of what the go command has compiled.
func compiled(t *testing.T, fset *token.FileSet) types.Importer {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}, snippetImports...)...)
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[path] = file
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
}

// document is a file in Markdown.
type document struct {
	name, text string
	fenced     map[string][]string // by language
	inline     []string
}

var (
	fence    = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	foreign  = regexp.MustCompile("(?ms)^```golang\n.*?^```$") // Go against another library
	span     = regexp.MustCompile("`([^`\n]+)`")
	indented = regexp.MustCompile(`(?m)^    (\S.*)$`)
	link     = regexp.MustCompile(`\]\(([\w./-]+)\)`)
	exported = regexp.MustCompile(`\bwamp\.([A-Z]\w*)`)
)

func readDocument(t *testing.T, name string) *document {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(project, name))
	if err != nil {
		t.Fatal(err)
	}
	doc := &document{name: name, text: string(data), fenced: map[string][]string{}}
	for _, m := range fence.FindAllStringSubmatch(doc.text, -1) {
		doc.fenced[m[1]] = append(doc.fenced[m[1]], m[2])
	}
	rest := fence.ReplaceAllString(doc.text, "")
	for _, m := range indented.FindAllStringSubmatch(rest, -1) {
		doc.fenced["sh"] = append(doc.fenced["sh"], m[1]+"\n")
	}
	for _, m := range span.FindAllStringSubmatch(rest, -1) {
		doc.inline = append(doc.inline, m[1])
	}
	return doc
}

// statements are the Go of a document: its blocks, and what stands in a line of
// text and uses a ctx. A body that is left out is an empty one. What uses otelwamp is of
// another module, whose own test holds the page to it.
func (doc *document) statements() (out []string) {
	for _, block := range doc.fenced["go"] {
		if !strings.Contains(block, "otelwamp.") {
			out = append(out, block)
		}
	}
	for _, s := range doc.inline {
		switch {
		case !strings.Contains(s, "(ctx"), strings.Contains(s, "func("):
		case strings.HasPrefix(s, "for "):
			out = append(out, s+" {}")
		case strings.Contains(s, ":="):
			out = append(out, s)
		}
	}
	for i, s := range out {
		out[i] = strings.ReplaceAll(s, "{ ... }", "{}")
	}
	return out
}

// compile checks the statements of a snippet, which has a ctx and a session, and
// returns what is wrong with them. What is declared or imported and left unused is
// not; err is that they are no statements.
func compile(fset *token.FileSet, imports types.Importer, name, snippet string) (wrong []error, err error) {
	text := "package snippet\nimport (\n"
	for _, path := range snippetImports {
		text += fmt.Sprintf("\t%q\n", path)
	}
	text += ")\nfunc _(ctx context.Context, session *wamp.Session) (err error) {\n{\n" + snippet + "\n}\nreturn nil\n}\n"
	file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	cfg := types.Config{Importer: imports, Error: func(err error) {
		if e := (types.Error{}); !errors.As(err, &e) || !e.Soft {
			wrong = append(wrong, err)
		}
	}}
	_, _ = cfg.Check("snippet", fset, []*ast.File{file}, nil)
	return wrong, nil
}

// compiledDocuments are those whose Go is compiled.
var compiledDocuments = []string{
	"README.md",
	"docs/events.md",
	"docs/typed.md",
	"docs/meta.md",
	"docs/payload-encryption.md",
	"docs/login.md",
	"docs/reconnect.md",
	"docs/routers.md",
	"docs/interceptors.md",
	"docs/logs.md",
	"docs/cookbook.md",
	"docs/production.md",
	"docs/releasing.md",
	"docs/design.md",
	"docs/errors.md",
	"docs/wamp.md",
	"docs/moving.md",
}

// The Go in the documents compiles against the library as it is. What a snippet
// declares and leaves unused is no fault of it.
func TestDocumentsCompile(t *testing.T) {
	fset := token.NewFileSet()
	imports := compiled(t, fset)
	scope, err := imports.Import(module + "/wamp")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range compiledDocuments {
		doc := readDocument(t, name)
		snippets := doc.statements()
		for i, snippet := range snippets {
			wrong, err := compile(fset, imports, fmt.Sprintf("%s, snippet %d", name, i+1), snippet)
			if err != nil {
				t.Errorf("%v in\n%s", err, snippet)
			}
			for _, err := range wrong {
				t.Errorf("%v in\n%s", err, snippet)
			}
		}
		for _, m := range exported.FindAllStringSubmatch(foreign.ReplaceAllString(doc.text, ""), -1) {
			if scope.Scope().Lookup(m[1]) == nil {
				t.Errorf("%s names %s, which is not there", name, m[0])
			}
		}
		if name == "README.md" && len(snippets) < 5 {
			t.Errorf("%s: only %d snippets were found", name, len(snippets))
		}
	}
}

// The primer's table of features says what the key table says: which feature each
// key needs, and whether an operation fails without it.
func TestFeaturesAreInThePrimer(t *testing.T) {
	type row struct{ refused, goesOn bool }
	found := map[string]row{} // by role and feature
	for line := range strings.Lines(readDocument(t, "docs/wamp.md").text) {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			continue
		}
		fails := strings.HasPrefix(cells[2], "`FeatureError`")
		role := ""
		for _, m := range regexp.MustCompile("(broker|dealer|both):|`([a-z_]+)`").FindAllStringSubmatch(cells[1], -1) {
			if m[2] == "" {
				role = m[1]
				continue
			}
			if _, known := proto.ParseFeature(m[2]); !known {
				t.Errorf("%s is no feature", m[2])
			}
			for _, as := range []string{"broker", "dealer"} {
				if role == as || role == "both" {
					r := found[as+": "+m[2]]
					found[as+": "+m[2]] = row{r.refused || fails, r.goesOn || !fails}
				}
			}
		}
	}
	keys, _ := protoNames(t, filepath.Join("..", "..", "proto"))
	seen := 0
	for m := proto.Hello; m <= proto.Yield; m++ {
		for key, name := range keys {
			need, is := proto.NeedOf(m, key)
			if !is {
				continue
			}
			seen++
			feature := fmt.Sprintf("%v: %v", need.Role, need.Feature)
			if r := found[feature]; need.Lack == proto.Refuse && !r.refused || need.Lack != proto.Refuse && !r.goesOn {
				t.Errorf("%v.%s needs %s (proto.Lack %d), and the primer says %+v", m, name, feature, need.Lack, r)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d needs were found", seen)
	}
}

// The first stream is short, the commands are there and so is what is linked.
func TestReadme(t *testing.T) {
	doc := readDocument(t, "README.md")
	if n := strings.Count(doc.fenced["go"][0], "\n"); n >= 15 || !strings.Contains(doc.fenced["go"][0], "range session.Call(") {
		t.Errorf("the first stream has %d lines:\n%s", n, doc.fenced["go"][0])
	}
	mod, err := os.ReadFile(filepath.Join(project, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(mod))
	if version == nil || !strings.Contains(doc.text, "It needs Go "+version[1]+".") {
		t.Errorf("go.mod says %v", version)
	}
	var seen []string
	for _, text := range append(doc.inline, doc.fenced["sh"]...) {
		verb, what, ok := strings.Cut(strings.TrimSpace(text), " ")
		if !ok || verb != "go" {
			continue
		}
		seen = append(seen, what)
		fields := strings.Fields(what)
		switch target := fields[1]; fields[0] {
		case "get":
			if target != module {
				t.Errorf("go %s", what)
			}
		case "run":
			files, err := filepath.Glob(filepath.Join(project, target, "*.go"))
			if err != nil || len(files) == 0 {
				t.Errorf("go %s: there is no such program", what)
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), files[0], nil, parser.PackageClauseOnly)
			if err != nil || file.Name.Name != "main" {
				t.Errorf("go %s: %v", what, err)
			}
		case "test":
			if target != "./..." {
				t.Errorf("go %s", what)
			}
		default:
			t.Errorf("go %s", what)
		}
	}
	for _, want := range []string{"get " + module, "run ./docs/examples/quickstart", "test ./..."} {
		if !slices.Contains(seen, want) {
			t.Errorf("the command go %s is missing from %q", want, seen)
		}
	}
	for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(doc.text, ""), -1) {
		if _, err := os.Stat(filepath.Join(project, m[1])); err != nil {
			t.Errorf("a link: %v", err)
		}
	}
}

// What cannot be meant does not compile.
func TestWhatDoesNotCompile(t *testing.T) {
	fset := token.NewFileSet()
	imports := compiled(t, fset)
	for what, code := range map[string]string{
		"a window of one publish":            `session.Publish(ctx, "t", p, wamp.Window(3))`,
		"going on behind one publish":        `session.Publish(ctx, "t", p, wamp.GoOn())`,
		"a stream without acknowledgements":  `session.PublishStream(ctx, "t", nil, wamp.Acknowledge())`,
		"an acknowledged testament":          `session.AddTestament(ctx, wamp.Destroyed, "t", p, wamp.Acknowledge())`,
		"a testament that is sent again":     `session.AddTestament(ctx, wamp.Destroyed, "t", p, wamp.Idempotent())`,
		"a window of testaments":             `session.AddTestament(ctx, wamp.Destroyed, "t", p, wamp.Window(3))`,
		"results that are dropped":           `session.Call(ctx, "p", p, wamp.OverflowDropOldest())`,
		"invocations that are dropped":       `session.Register(ctx, "p", wamp.OverflowDropNewest())`,
		"reading from somebody's handler":    `h, _ := session.Handle(ctx, "p", nil); _ = h.Invocations()`,
		"a call that is retained":            `session.Call(ctx, "p", p, wamp.Retain())`,
		"a subscription that is progressive": `session.Subscribe(ctx, "t", wamp.Progressive())`,
	} {
		wrong, err := compile(fset, imports, what, "p := wamp.Args()\n"+code)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(wrong) != 1 {
			t.Errorf("%s: %v", what, wrong)
		}
	}
}
