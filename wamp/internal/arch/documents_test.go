package arch_test

import (
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
	"github.com/connectanum/connectanum-go/wamp/proto"

	// The go command runs these tests again when what the documents use has changed.
	_ "github.com/connectanum/connectanum-go/wamp/meta"
	_ "github.com/connectanum/connectanum-go/wamp/seal"
	_ "github.com/connectanum/connectanum-go/wamp/wamptest"
)

// project is where the project begins.
var project = filepath.Join("..", "..", "..")

func readDocument(t *testing.T, name string) *documents.Document {
	t.Helper()
	doc, err := documents.Read(project, name)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// allDocuments are those of the project.
func allDocuments(t *testing.T) []*documents.Document {
	t.Helper()
	all, err := documents.All(project)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Fatalf("only %d documents were found", len(all))
	}
	return all
}

// elsewhere is what other tests compile, TestDocumentsCompile of wamp/otelwamp and
// TestThirdSide of wamp/internal/bench: what uses a module inside of this one, and a
// file for a package that is there.
var elsewhere = regexp.MustCompile(`\botelwamp\.|\A//go:build peer\n`)

// compiler returns one for the Go of all documents but what tells of the past, and
// docs/testing.md, whose Go is in the tests of docs/examples/testing.
func compiler(t *testing.T, all []*documents.Document) (*documents.Compiler, []documents.Snippet) {
	t.Helper()
	var snippets []documents.Snippet
	for _, doc := range all {
		for _, s := range doc.Snippets() {
			if !elsewhere.MatchString(s.Text) && doc.Name != "CHANGELOG.md" && doc.Name != "docs/testing.md" {
				snippets = append(snippets, s)
			}
		}
	}
	c, err := documents.NewCompiler(t.Context(), ".", snippets)
	if err != nil {
		t.Fatal(err)
	}
	return c, snippets
}

// The Go in the documents compiles against the library as it is.
func TestDocumentsCompile(t *testing.T) {
	c, snippets := compiler(t, allDocuments(t))
	for _, s := range snippets {
		wrong, err := c.Check(s)
		if err != nil {
			t.Errorf("%v in\n%s", err, s.Text)
		}
		for _, err := range wrong {
			t.Errorf("%v in\n%s", err, s.Text)
		}
	}
	if len(snippets) < 50 {
		t.Errorf("only %d snippets were found", len(snippets))
	}
}

// Blocks of Go are as gofmt writes them.
func TestDocumentsAreFormatted(t *testing.T) {
	seen := 0
	for _, doc := range allDocuments(t) {
		for _, f := range doc.Fences {
			if f.Language != "go" {
				continue
			}
			if strings.Contains(f.Text, "{ ... }") || doc.Name == "docs/testing.md" {
				continue // a body that is left out is no Go; pieces of a file that is formatted
			}
			seen++
			if got, err := format.Source([]byte(f.Text)); err != nil || string(got) != f.Text {
				t.Errorf("%s:%d is not formatted (%v):\n%s", doc.Name, f.Line, err, got)
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d blocks were found", seen)
	}
}

// qualified is a name of a package of the library, and what may stand behind it: a field or
// method. session is a variable in documents, and so no name of a package.
var qualified = regexp.MustCompile(`(?m)(?:^|[^\w.])(wamp|accept|authn|codec|meta|proto|seal|transport|wamptest)\.([A-Z]\w*)(?:\.([A-Z]\w*))?`)

// folders are the packages that a document may name without their folder.
var folders = map[string]string{"wamp": "wamp", "accept": "wamp/authn/accept", "authn": "wamp/authn", "codec": "wamp/codec", "meta": "wamp/meta",
	"proto": "wamp/proto", "seal": "wamp/seal", "transport": "wamp/transport", "wamptest": "wamp/wamptest"}

// What the documents call a name of a package is one, also in text: wamp.Session,
// wamp.Session.Call, wamp.State.Router.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	all := allDocuments(t)
	c, _ := compiler(t, nil)
	seen := 0
	for _, doc := range all {
		if doc.Name == "CHANGELOG.md" {
			continue
		}
		text := strings.Join(append(doc.Spans(), doc.In("go")...), "\n")
		for _, m := range qualified.FindAllStringSubmatch(text, -1) {
			seen++
			p, err := c.Import(module + "/" + folders[m[1]])
			if err != nil {
				t.Fatal(err)
			}
			obj := p.Scope().Lookup(m[2])
			if obj == nil {
				t.Errorf("%s names %s.%s, which is not there", doc.Name, m[1], m[2])
			} else if _, is := obj.(*types.TypeName); is && m[3] != "" {
				if member, _, _ := types.LookupFieldOrMethod(obj.Type(), true, p, m[3]); member == nil {
					t.Errorf("%s names %s.%s, which has no %s", doc.Name, m[1], m[2], m[3])
				}
			}
		}
	}
	if seen < 500 {
		t.Errorf("only %d names were found", seen)
	}
}

// The Go of docs/testing.md stands in the files of docs/examples/testing, whose tests run,
// but for how deep it is indented; and what it names of the library and of the tests is there.
func TestTestingPageIsTested(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(project, "docs", "examples", "testing", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	flat := func(text string) string {
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = strings.TrimLeft(lines[i], "\t")
		}
		return "\n" + strings.Join(lines, "\n")
	}
	var code []string
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, flat(string(data)))
	}
	doc := readDocument(t, "docs/testing.md")
	for _, block := range doc.In("go") {
		if !slices.ContainsFunc(code, func(file string) bool { return strings.Contains(file, flat(block)) }) {
			t.Errorf("no file of docs/examples/testing has\n%s", block)
		}
	}
	if n := len(doc.In("go")); n < 10 {
		t.Errorf("only %d blocks were found", n)
	}
	for _, m := range regexp.MustCompile("`(Test[A-Z]\\w*)`").FindAllStringSubmatch(doc.Text, -1) {
		if !strings.Contains(strings.Join(code, ""), "\nfunc "+m[1]+"(") {
			t.Errorf("docs/testing.md names %s, which is not there", m[1])
		}
	}
	c, _ := compiler(t, nil)
	room, err := c.Import(module + "/wamp/wamptest")
	if err != nil {
		t.Fatal(err)
	}
	router := types.NewMethodSet(types.NewPointer(room.Scope().Lookup("Router").Type()))
	for _, m := range regexp.MustCompile(`\brouter\.([A-Z]\w*)`).FindAllStringSubmatch(doc.Text, -1) {
		if router.Lookup(room, m[1]) == nil {
			t.Errorf("docs/testing.md names %s, which is not there", m[0])
		}
	}
}

// The primer's table of features says what the key table says: which feature each
// key needs, and whether an operation fails without it.
func TestFeaturesAreInThePrimer(t *testing.T) {
	type row struct{ refused, goesOn bool }
	found := map[string]row{} // by role and feature
	for line := range strings.Lines(readDocument(t, "docs/wamp.md").Text) {
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
	first := ""
	for _, s := range doc.Snippets() {
		if !s.Program && first == "" {
			first = s.Text
		}
	}
	if n := strings.Count(first, "\n"); n >= 15 || !strings.Contains(first, "range session.Call(") {
		t.Errorf("the first stream has %d lines:\n%s", n, first)
	}
	mod, err := os.ReadFile(filepath.Join(project, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(mod))
	if version == nil || !strings.Contains(doc.Text, "It needs Go "+version[1]+".") {
		t.Errorf("go.mod says %v", version)
	}
	var seen []string
	for _, text := range append(doc.Spans(), doc.Commands()...) {
		verb, what, ok := strings.Cut(strings.TrimSpace(text), " ")
		if !ok || verb != "go" {
			continue
		}
		seen = append(seen, what)
		fields := strings.Fields(what)
		switch target := fields[1]; fields[0] {
		case "get":
			if target != module+"/wamp@latest" {
				t.Errorf("go %s", what)
			}
		case "mod": // the reader's own module, whose programs stand in the README; .ci/readme.sh runs them
		case "run":
			if name := strings.TrimLeft(target, "./"); target[0] == '.' && (name == "" || strings.Contains(doc.Text, "`"+name+"/main.go` ")) {
				continue
			}
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
	for _, want := range []string{"get " + module + "/wamp@latest", "run ./docs/examples/quickstart", "test ./..."} {
		if !slices.Contains(seen, want) {
			t.Errorf("the command go %s is missing from %q", want, seen)
		}
	}
}

// What cannot be meant does not compile.
func TestWhatDoesNotCompile(t *testing.T) {
	c, _ := compiler(t, nil)
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
		wrong, err := c.Check(documents.Snippet{Name: what, Text: "p := wamp.Args()\n" + code})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(wrong) != 1 {
			t.Errorf("%s: %v", what, wrong)
		}
	}
}
