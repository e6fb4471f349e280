package arch_test

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// names are what a page shows of a package: its names, and "T.f" for fields and
// methods.
type names map[string]bool

func namesOf(files []*ast.File) names {
	n := names{}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = base(d.Recv.List[0].Type) + "." + name
				}
				n[name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					n.add(s)
				}
			}
		}
	}
	return n
}

func (n names) add(spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range s.Names {
			n[id.Name] = true
		}
	case *ast.TypeSpec:
		n[s.Name.Name] = true
		var fields *ast.FieldList
		switch t := s.Type.(type) {
		case *ast.StructType:
			fields = t.Fields
		case *ast.InterfaceType:
			fields = t.Methods
		default:
			return
		}
		for _, f := range fields.List {
			for _, id := range f.Names {
				n[s.Name.Name+"."+id.Name] = true
			}
			if f.Names == nil {
				n[s.Name.Name+"."+base(f.Type)] = true
			}
		}
	}
}

// base is the name of a type without its package, pointers and parameters.
func base(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return base(e.X)
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.IndexListExpr:
		return base(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// page is a package as its page shows it.
type page struct {
	names
	path string
	doc  *doc.Package
}

// pages reads the packages that users may import.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	all := map[string]*page{}
	fset := token.NewFileSet()
	for path, p := range list(t) {
		short, is := inside(path)
		if !is || isProgram(short) || strings.Contains(short, "internal") {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		n := namesOf(files)
		d, err := doc.NewFromFiles(fset, files, path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = &page{n, path, d}
	}
	if len(all) < 8 {
		t.Fatalf("only %d packages were found", len(all))
	}
	return all
}

// comments calls f with every comment that the page shows as text.
func (p *page) comments(f func(name, text string)) {
	values := func(list []*doc.Value) {
		for _, v := range list {
			f(v.Names[0], v.Doc)
		}
	}
	funcs := func(list []*doc.Func) {
		for _, fn := range list {
			f(fn.Recv+" "+fn.Name, fn.Doc)
		}
	}
	f("package", p.doc.Doc)
	values(p.doc.Consts)
	values(p.doc.Vars)
	funcs(p.doc.Funcs)
	for _, ty := range p.doc.Types {
		f(ty.Name, ty.Doc)
		values(ty.Consts)
		values(ty.Vars)
		funcs(ty.Funcs)
		funcs(ty.Methods)
	}
}

// bracketed is what looks like a link and was not taken for one.
var bracketed = regexp.MustCompile(`\[\*?[\w./]*\b[A-Z]\w*\]`)

// walk calls link and plain for what a comment is made of.
func walk(blocks []comment.Block, link func(*comment.DocLink), plain func(string)) {
	text := func(list []comment.Text) {
		for _, x := range list {
			switch x := x.(type) {
			case *comment.DocLink:
				link(x)
			case comment.Plain:
				plain(string(x))
			}
		}
	}
	for _, b := range blocks {
		switch b := b.(type) {
		case *comment.Paragraph:
			text(b.Text)
		case *comment.List:
			for _, item := range b.Items {
				walk(item.Content, link, plain)
			}
		case *comment.Heading:
			text(b.Text)
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	links := 0
	for _, p := range all {
		reader := p.doc.Parser()
		p.comments(func(name, text string) {
			walk(reader.Parse(text).Content, func(l *comment.DocLink) {
				links++
				to := p
				if l.ImportPath != "" {
					if _, is := inside(l.ImportPath); !is {
						return
					}
					if to = all[l.ImportPath]; to == nil {
						t.Errorf("%s, %s: no package %s", p.path, name, l.ImportPath)
						return
					}
				}
				want := l.Name
				if l.Recv != "" {
					want = l.Recv + "." + l.Name
				}
				if want != "" && !to.names[want] {
					t.Errorf("%s, %s: %s has no %s", p.path, name, to.path, want)
				}
			}, func(s string) {
				if dead := bracketed.FindString(s); dead != "" {
					t.Errorf("%s, %s: %s leads nowhere", p.path, name, dead)
				}
			})
		})
	}
	if links < 200 {
		t.Errorf("only %d links were found", links)
	}
}

// usual are the methods that an error has in any case, and that need no mention.
var usual = []string{"Error", "Unwrap", "Is"}

// A page shows nothing of the type behind an alias but the comment: that lists
// its fields and methods.
func TestAliasesListWhatIsBehindThem(t *testing.T) {
	all := pages(t)
	p := all[module+"/wamp"]
	reader := p.doc.Parser()
	aliases := 0
	for _, ty := range p.doc.Types {
		for _, spec := range ty.Decl.Specs {
			s := spec.(*ast.TypeSpec)
			of, is := s.Type.(*ast.SelectorExpr)
			if !s.Assign.IsValid() || !is {
				continue
			}
			from := all[module+"/wamp/"+base(of.X)]
			if from == nil {
				continue
			}
			aliases++
			told := names{}
			walk(reader.Parse(ty.Doc).Content, func(l *comment.DocLink) {
				if l.ImportPath == from.path {
					told[l.Recv+"."+l.Name] = true
				}
			}, func(string) {})
			prefix := of.Sel.Name + "."
			for name := range from.names {
				member, has := strings.CutPrefix(name, prefix)
				if has && ast.IsExported(member) && !slices.Contains(usual, member) && !told[name] {
					t.Errorf("the comment of wamp.%s does not link [%s.%s]", s.Name.Name, base(of.X), name)
				}
			}
		}
	}
	if aliases < 20 {
		t.Errorf("only %d aliases were found", aliases)
	}
}
