package documents

import (
	"context"
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
	"slices"
	"strconv"
	"strings"
)

const library = "github.com/connectanum/connectanum-go/wamp"

// usual are what a snippet that is no complete file may use without an import.
var usual = []string{"context", "errors", "expvar", "fmt", "iter", "log", "log/slog", "net/http", "os", "os/signal", "slices", "sync", "syscall", "time",
	library, library + "/authn", library + "/codec", library + "/meta", library + "/seal", library + "/transport", library + "/wamptest"}

// A Compiler checks Go against what the go command has compiled.
type Compiler struct {
	types.Importer
	fset    *token.FileSet
	imports []string
}

// NewCompiler returns a Compiler for snippets that may use the packages extra beside
// the usual ones, and for programs among them that import others. The go command runs in
// dir, in a module that has all of them, and ends with ctx.
func NewCompiler(ctx context.Context, dir string, snippets []Snippet, extra ...string) (*Compiler, error) {
	c := &Compiler{fset: token.NewFileSet(), imports: append(slices.Clone(usual), extra...)}
	paths := slices.Clone(c.imports)
	for _, s := range snippets {
		if !s.Program {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), s.Name, s.Text, parser.ImportsOnly)
		if err != nil {
			continue // Check says so
		}
		for _, spec := range file.Imports {
			if p, err := strconv.Unquote(spec.Path.Value); err == nil {
				paths = append(paths, p)
			}
		}
	}
	slices.Sort(paths)
	list := exec.CommandContext(ctx, "go", append([]string{"list", "-e", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}, slices.Compact(paths)...)...)
	list.Dir = dir
	out, err := list.Output()
	if err != nil {
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		files[path] = file
	}
	c.Importer = importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("there is no package %s", path)
		}
		return os.Open(files[path])
	})
	return c, nil
}

// Check returns what is wrong with a snippet: err that it is not even Go.
//
// A complete file is held to what the compiler holds it to. Anything else is taken for the
// statements of a function that has a ctx and a session; what such a snippet declares and
// leaves unused is no fault of it.
func (c *Compiler) Check(s Snippet) (wrong []error, err error) {
	text := s.Text
	if !s.Program {
		var b strings.Builder
		b.WriteString("package snippet\nimport (\n")
		for _, path := range c.imports {
			fmt.Fprintf(&b, "\t%q\n", path)
		}
		b.WriteString(")\nfunc _(ctx context.Context, session *wamp.Session) (err error) {\n{\n" + text + "\n}\nreturn nil\n}\n")
		text = b.String()
	}
	file, err := parser.ParseFile(c.fset, s.Name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	cfg := types.Config{Importer: c, Error: func(err error) {
		if e := (types.Error{}); s.Program || !errors.As(err, &e) || !e.Soft {
			wrong = append(wrong, err)
		}
	}}
	pkg, _ := cfg.Check("snippet", c.fset, []*ast.File{file}, nil)
	if s.Program && pkg.Name() == "main" && pkg.Scope().Lookup("main") == nil {
		wrong = append(wrong, fmt.Errorf("%s: there is no func main", s.Name))
	}
	return wrong, nil
}
