package arch_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/connectanum/connectanum-go"

// floors says for each package of the library which others of the project it
// may need, with all that those may need. Tests are not held to it: they may
// play the other side with wamptest.
var floors = map[string][]string{
	"wamp/proto":                {},
	"wamp/transport":            {},
	"wamp/internal/flow":        {},
	"wamp/internal/ring":        {},
	"wamp/authn/internal/proof": {},
	"wamp/authn":                {"wamp/proto", "wamp/authn/internal/proof"},
	"wamp/authn/accept":         {"wamp/authn"},
	"wamp/codec":                {"wamp/proto"},
	"wamp/session":              {"wamp/authn", "wamp/codec", "wamp/internal/flow", "wamp/internal/ring", "wamp/transport"},
	"wamp/seal":                 {"wamp/codec"},
	"wamp/internal/passthru":    {"wamp/seal"},
	"wamp":                      {"wamp/session", "wamp/internal/passthru"},
	"wamp/meta":                 {"wamp"},
	"wamp/wamptest":             {"wamp/authn/accept", "wamp/codec", "wamp/transport"},
	// of tests only; they may be of any package
	"wamp/internal/sim":            {"wamp/proto"},
	"wamp/internal/sessiontest":    {"wamp", "wamp/wamptest"},
	"wamp/authn/internal/authtest": {"wamp/authn/accept"},
}

// programs, and packages of tests only, are not part of the library and may use all
// of it. Nothing of the library may need them.
var programs = []string{"docs/examples", "wamp/internal/autobahn", "wamp/internal/bench", "wamp/internal/browser", "wamp/internal/documents", "wamp/internal/floor", "wamp/internal/arch",
	"wamp/internal/interop",
	"wamp/internal/faults", "wamp/internal/simtest", "wamp/internal/proxytest", "wamp/internal/hostile"}

// standardOnly are the packages that need nothing but the standard library.
var standardOnly = []string{"wamp/proto", "wamp/internal/ring", "wamp/internal/floor"}

// locks are the files of the engine in which a lock may stand: hand-over locks,
// each in a file of its own. All other state of a session belongs to its actor.
var locks = map[string][]string{
	"wamp":               {},
	"wamp/session":       {"inbox.go", "logs.go", "mailbox.go"},
	"wamp/internal/flow": {"stream.go"},
}

type pkg struct {
	Dir        string
	ImportPath string
	Name       string
	Standard   bool
	GoFiles    []string
	Deps       []string
}

// list asks the go command for every package of the module and all that they
// need.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,ImportPath,Name,Standard,GoFiles,Deps", "./...")
	cmd.Dir = filepath.Join("..", "..", "..")
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("go list: %v\n%s", err, failed.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all[p.ImportPath] = p
	}
}

// inside is the path of a package within the module.
func inside(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"/")
}

func isProgram(path string) bool {
	return slices.ContainsFunc(programs, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
}

// below are the floors of a package, however many steps down.
func below(path string) (all []string) {
	for _, p := range floors[path] {
		all = append(append(all, p), below(p)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestImportsGoOneWayDown(t *testing.T) {
	all := list(t)
	for path := range floors {
		if _, ok := all[module+"/"+path]; !ok {
			t.Errorf("package %s is in the table and not in the project", path)
		}
	}
	for _, p := range all {
		path, ours := inside(p.ImportPath)
		if !ours || isProgram(path) {
			continue
		}
		_, known := floors[path]
		allowed := below(path)
		if !known {
			t.Errorf("package %s has no floor: say in the table what it may need", path)
			continue
		}
		for _, dep := range p.Deps {
			if d, ours := inside(dep); ours {
				if !slices.Contains(allowed, d) {
					t.Errorf("%s needs %s; it may need %v", path, d, allowed)
				}
			} else if slices.Contains(standardOnly, path) && !all[dep].Standard {
				t.Errorf("%s needs %s; it may need the standard library only", path, dep)
			}
		}
	}
}

func TestEngineHasNoOtherLocks(t *testing.T) {
	all := list(t)
	for path, files := range locks {
		p, ok := all[module+"/"+path]
		if !ok {
			t.Errorf("package %s is in the table and not in the project", path)
			continue
		}
		for _, name := range files {
			if !slices.Contains(p.GoFiles, name) {
				t.Errorf("%s/%s is in the table and not in the project", path, name)
			}
		}
		for _, name := range p.GoFiles {
			if slices.Contains(files, name) {
				continue
			}
			for _, use := range uses(t, filepath.Join(p.Dir, name), "sync", "Mutex", "RWMutex", "Map", "Cond") {
				t.Errorf("%s/%s: the state of a session belongs to its actor", path, use)
			}
		}
	}
}

// users are the types whose values users get from channels.
var users = []string{"Result", "Event", "Invocation", "Ack", "Payload", "State", "Change", "SessionInfo", "RegistrationInfo",
	"SubscriptionInfo", "Membership"}

// between are the files with a channel of such a type between goroutines of the
// library's own.
var between = map[string]string{"publishstream.go": "Ack"}

// Channels of users are made in internal/flow, which gives them away for receiving
// only: nobody else can send to one or close it.
func TestOnlyFlowMakesUsersChannels(t *testing.T) {
	all := list(t)
	for _, path := range []string{"wamp", "wamp/session", "wamp/meta"} {
		p := all[module+"/"+path]
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, is := n.(*ast.CallExpr)
				if !is || len(call.Args) == 0 {
					return true
				}
				fn, is := call.Fun.(*ast.Ident)
				made, isChan := call.Args[0].(*ast.ChanType)
				if !is || fn.Name != "make" || !isChan {
					return true
				}
				of := made.Value
				if star, is := of.(*ast.StarExpr); is {
					of = star.X
				}
				if ix, is := of.(*ast.IndexExpr); is {
					of = ix.X
				}
				if id, is := of.(*ast.Ident); is && slices.Contains(users, id.Name) && between[name] != id.Name {
					t.Errorf("%s: a channel of %s, which users get", fset.Position(call.Pos()), id.Name)
				}
				return true
			})
		}
	}
}

// TestNoClockWaits finds waits that no context ends and that fake time cannot
// see the reason of.
func TestNoClockWaits(t *testing.T) {
	for _, p := range list(t) {
		if path, ours := inside(p.ImportPath); !ours || isProgram(path) {
			continue
		}
		for _, name := range p.GoFiles {
			for _, use := range uses(t, filepath.Join(p.Dir, name), "time", "Sleep", "After", "Tick") {
				t.Errorf("%s: wait with a timer that is stopped, in a select that a context ends", use)
			}
		}
	}
}

// uses finds where a file uses one of the names of a package of the standard
// library, under whatever name it was imported.
func uses(t *testing.T, file, path string, names ...string) []string {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	local := ""
	for _, imp := range f.Imports {
		if imp.Path.Value == `"`+path+`"` {
			local = path
			if imp.Name != nil {
				local = imp.Name.Name
			}
		}
	}
	if local == "" {
		return nil
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(names, sel.Sel.Name) {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
			pos := set.Position(sel.Pos())
			pos.Filename = filepath.Base(pos.Filename)
			found = append(found, pos.String()+": "+path+"."+sel.Sel.Name)
		}
		return true
	})
	return found
}
