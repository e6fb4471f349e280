package arch_test

import (
	"go/ast"
	"go/constant"
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
)

// speaking are the packages whose texts a user can meet.
var speaking = []string{"wamp", "wamp/authn", "wamp/authn/accept", "wamp/authn/internal/proof", "wamp/codec", "wamp/internal/flow", "wamp/internal/passthru",
	"wamp/internal/ring", "wamp/meta", "wamp/proto", "wamp/seal", "wamp/session", "wamp/transport"}

// hole stands in a text for what is not known before the program runs.
const hole = "…"

// utterance is a text that stands in the source, with a hole for each part that does not.
type utterance struct {
	text, file string
	line       int
	in         string // the package and the name of the declaration in which it stands
}

// speech collects the texts of a package.
type speech struct {
	folder string
	fset   *token.FileSet
	info   *types.Info
	path   []ast.Node // from the file to the node in hand
	said   []utterance
	// operations are what OpError.Op can be.
	operations map[string]bool
}

// speeches are the texts and the operations of all packages of the list, and these by their names
// there.
func speeches(t *testing.T) (said []utterance, operations map[string]bool, packages map[string]*types.Package) {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}
	for _, name := range speaking {
		args = append(args, module+"/"+name)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	all := list(t)
	operations, packages = map[string]bool{}, map[string]*types.Package{}
	for _, name := range speaking {
		p := all[module+"/"+name]
		s := &speech{folder: name, fset: fset, operations: operations, info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}}
		var files []*ast.File
		for _, file := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		checked, err := (&types.Config{Importer: imports}).Check(p.ImportPath, fset, files, s.info)
		if err != nil {
			t.Fatal(err)
		}
		packages[name] = checked
		for _, f := range files {
			s.walk(f)
		}
		said = append(said, s.said...)
	}
	return said, operations, packages
}

// walk takes the texts below n, from the largest expressions to the smallest.
func (s *speech) walk(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		if n == nil {
			s.path = s.path[:len(s.path)-1]
			return true
		}
		s.path = append(s.path, n)
		e, is := n.(ast.Expr)
		if !is || !s.isText(e) || s.inText() || s.unsaid(e) {
			return true
		}
		if s.isOperation(e) {
			s.operations[s.pattern(e, false)] = true
			return true
		}
		if text := s.pattern(e, s.isFormat(e)); s.counts(text) {
			at := s.fset.Position(n.Pos())
			s.said = append(s.said, utterance{text, s.folder + "/" + filepath.Base(at.Filename), at.Line, s.folder + "." + s.declared()})
		}
		return true
	})
}

// declared is the name of the outermost function, variable, constant or type around the
// node in hand.
func (s *speech) declared() string {
	for _, n := range s.path {
		switch d := n.(type) {
		case *ast.FuncDecl:
			return d.Name.Name
		case *ast.ValueSpec:
			return d.Names[0].Name
		case *ast.TypeSpec:
			return d.Name.Name
		}
	}
	return ""
}

// isText reports whether e is a string.
func (s *speech) isText(e ast.Expr) bool {
	tv, known := s.info.Types[e]
	if !known || tv.IsType() || tv.Type == nil {
		return false
	}
	b, is := tv.Type.Underlying().(*types.Basic)
	return is && b.Info()&types.IsString != 0
}

// inText reports whether the node in hand is part of a text that has been taken.
func (s *speech) inText() bool {
	n := len(s.path)
	if n < 2 {
		return false
	}
	switch p := s.path[n-2].(type) {
	case *ast.ParenExpr:
		return s.isText(p)
	case *ast.BinaryExpr:
		return s.isText(p)
	case *ast.CallExpr:
		return s.isText(p) && (s.info.Types[p.Fun].IsType() || last(p.Fun) == "Sprintf" && s.path[n-1] == ast.Node(p.Args[0]))
	}
	return false
}

// logged are the functions whose first argument says in the log whose code it was.
var logged = []string{"guard", "guarded", "Panicked"}

// unsaid reports whether e, the node in hand, is no text for anybody: it is compared with, or
// looked for, or goes into the log.
func (s *speech) unsaid(e ast.Expr) bool {
	switch p := s.path[max(0, len(s.path)-2)].(type) {
	case *ast.BinaryExpr, *ast.CaseClause:
		return true
	case *ast.CallExpr:
		if sel, is := p.Fun.(*ast.SelectorExpr); is && (last(sel.X) == "strings" || last(sel.X) == "bytes") {
			return p.Args[0] != e
		}
		return slices.Contains(logged, last(p.Fun)) && p.Args[0] == e
	}
	return false
}

// operating are the functions whose first argument is the operation of an OpError; of leave it
// is the second.
var operating = []string{"opError", "WrapOp", "leave", "cut", "loop", "noLoop", "over"}

// isOperation reports whether e, the node in hand, is the name of an operation.
func (s *speech) isOperation(e ast.Expr) bool {
	call, is := s.path[max(0, len(s.path)-2)].(*ast.CallExpr)
	if !is || !slices.Contains(operating, last(call.Fun)) || s.info.Types[e].Value == nil {
		return false
	}
	return call.Args[0] == e || last(call.Fun) == "leave" && call.Args[1] == e
}

// isFormat reports whether e is the format of the call around it.
func (s *speech) isFormat(e ast.Expr) bool {
	call, is := s.path[max(0, len(s.path)-2)].(*ast.CallExpr)
	if !is || !strings.HasSuffix(last(call.Fun), "f") {
		return false
	}
	sig, is := s.info.Types[call.Fun].Type.(*types.Signature)
	if !is || !sig.Variadic() {
		return false
	}
	at := sig.Params().Len() - 2
	return at >= 0 && at < len(call.Args) && call.Args[at] == e
}

// verb is one of package fmt's.
var verb = regexp.MustCompile(`%(%|[-+# 0]*(\[\d+\])?[0-9.]*[a-zA-Z])`)

// pattern is the text that e makes.
func (s *speech) pattern(e ast.Expr, format bool) string {
	if v := s.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		text := constant.StringVal(v)
		if format {
			text = verb.ReplaceAllStringFunc(text, func(v string) string {
				if v == "%%" {
					return "%"
				}
				return hole
			})
		}
		return text
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return s.pattern(e.X, format)
	case *ast.BinaryExpr:
		return s.pattern(e.X, format) + s.pattern(e.Y, format)
	case *ast.CallExpr:
		if s.info.Types[e.Fun].IsType() && s.isText(e.Args[0]) {
			return s.pattern(e.Args[0], format)
		}
		if last(e.Fun) == "Sprintf" {
			return s.pattern(e.Args[0], true)
		}
	}
	return hole
}

// word is what a text has, and a separator or a list of characters has not.
var word = regexp.MustCompile(`[A-Za-z]{2,}`)

// reason is how what says why something fails is called.
var reason = regexp.MustCompile(`^(err|Err|bad|why)([A-Z]|$)`)

// counts reports whether the node in hand, a text of the program's, is one that reads
// like what somebody is told: of several words, or of one that makes an error.
func (s *speech) counts(text string) bool {
	return word.MatchString(text) && (strings.Contains(strings.TrimSpace(text), " ") || s.inError())
}

// inError reports whether the node in hand makes an error by itself: in a function that
// is one's text, in the call that makes one, or in a value of its type.
func (s *speech) inError() bool {
	for i := len(s.path) - 2; i >= 0; i-- {
		switch p := s.path[i].(type) {
		case *ast.CallExpr:
			switch last(p.Fun) {
			case "New", "Errorf", "failure":
				return true
			}
			tv := s.info.Types[p.Fun]
			return tv.IsType() && isError(tv.Type)
		case *ast.CompositeLit:
			return isError(s.info.Types[p].Type)
		case *ast.ValueSpec:
			return reason.MatchString(p.Names[0].Name)
		case *ast.FuncDecl:
			return p.Name.Name == "Error" && p.Recv != nil
		}
	}
	return false
}

// isError reports whether a value of the type, or a pointer to one, is an error.
func isError(t types.Type) bool {
	e := types.Universe.Lookup("error").Type().Underlying().(*types.Interface)
	return t != nil && (types.Implements(t, e) || types.Implements(types.NewPointer(t), e))
}
