package arch_test

import (
	"errors"
	"fmt"
	"go/ast"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/connectanum/connectanum-go/wamp/internal/documents"
)

var (
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	linkTo     = regexp.MustCompile(`\]\(\s*<?([^)\s>]*)>?(?:\s+"[^"]*")?\s*\)`)
	defined    = regexp.MustCompile(`(?m)^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$`)
	inHTML     = regexp.MustCompile(`<(?:a|img)\b[^>]*\b(?:href|src)="([^"]*)"`)
	bareURL    = regexp.MustCompile(`https?://[^\s<>()"'|\x60]+`)
	textOfLink = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// linksOf are what a document links: outside of fences and of code in text.
func linksOf(doc *documents.Document) (out []string) {
	prose := inlineCode.ReplaceAllString(doc.Prose, "`code`")
	for _, re := range []*regexp.Regexp{linkTo, defined, inHTML} {
		for _, m := range re.FindAllStringSubmatch(prose, -1) {
			out = append(out, m[1])
		}
		prose = re.ReplaceAllString(prose, "](")
	}
	for _, m := range bareURL.FindAllString(prose, -1) {
		out = append(out, strings.TrimRight(m, ".,:;!?"))
	}
	return out
}

// anchors are the names by which GitHub links the headings of a document.
func anchors(headings []string) map[string]bool {
	all := map[string]bool{}
	for _, h := range headings {
		h = textOfLink.ReplaceAllString(h, "$1")
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, h)
		name := slug
		for n := 1; all[name]; n++ {
			name = fmt.Sprintf("%s-%d", slug, n)
		}
		all[name] = true
	}
	return all
}

// linker says whether links lead somewhere, without asking a network.
type linker struct {
	root     string
	anchors  map[string]map[string]bool // of each document
	packages map[string]names           // exported names of packages of the project, as they are asked for
}

func newLinker(root string, all []*documents.Document) *linker {
	l := &linker{root, map[string]map[string]bool{}, map[string]names{}}
	for _, doc := range all {
		l.anchors[doc.Name] = anchors(doc.Headings)
	}
	return l
}

// follow says what is wrong with a link of the document from.
func (l *linker) follow(t *testing.T, from, link string) error {
	u, err := url.Parse(link)
	switch {
	case err != nil:
		return err
	case link == "":
		return errors.New("it is empty")
	case u.Scheme != "" || u.Host != "":
		return l.outside(t, u)
	case u.Path == "":
		return l.anchor(from, u.Fragment)
	case strings.HasPrefix(u.Path, "/"):
		return errors.New("it begins with a slash")
	}
	name := path.Join(path.Dir(from), u.Path)
	if err := l.file(name); err != nil {
		return err
	}
	if u.Fragment != "" {
		return l.anchor(name, u.Fragment)
	}
	return nil
}

// file says whether a file or folder of the project is there, by exactly that name.
func (l *linker) file(name string) error {
	if name == ".." || strings.HasPrefix(name, "../") {
		return errors.New("it leaves the project")
	}
	dir := l.root
	for part := range strings.SplitSeq(name, "/") {
		entries, err := os.ReadDir(dir)
		if err != nil || part != "." && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == part }) {
			return fmt.Errorf("there is no %s", name)
		}
		dir = filepath.Join(dir, part)
	}
	return nil
}

func (l *linker) anchor(name, fragment string) error {
	if l.anchors[name] == nil {
		return fmt.Errorf("%s is no document with headings", name)
	}
	if !l.anchors[name][fragment] {
		return fmt.Errorf("%s has no heading #%s", name, fragment)
	}
	return nil
}

// outside judges what has a scheme. What leads to the project's own pages is looked up.
func (l *linker) outside(t *testing.T, u *url.URL) error {
	if u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost") {
		return nil // what the reader has started
	}
	if u.Scheme != "https" {
		return errors.New("it is not https")
	}
	if u.User != nil || !strings.Contains(u.Host, ".") || strings.ContainsAny(u.Host, "_:") {
		return fmt.Errorf("%q is no host", u.Host)
	}
	here := strings.TrimSuffix(u.Host+u.Path, "/")
	if name, is := strings.CutPrefix(here, "pkg.go.dev/"+module); is && (name == "" || name[0] == '/') {
		name = strings.TrimPrefix(name, "/")
		return l.exported(t, name, u.Fragment)
	}
	if name, is := strings.CutPrefix(here, module+"/"); is {
		parts := strings.SplitN(name, "/", 3)
		if (parts[0] == "blob" || parts[0] == "tree") && len(parts) == 3 {
			if err := l.file(parts[2]); err != nil || u.Fragment == "" {
				return err
			}
			return l.anchor(parts[2], u.Fragment)
		}
	}
	return nil
}

// exported says whether pkg.go.dev has what a link names of a package of the project.
func (l *linker) exported(t *testing.T, name, fragment string) error {
	have, known := l.packages[name]
	if !known {
		files, err := filepath.Glob(filepath.Join(l.root, filepath.FromSlash(name), "*.go"))
		if err != nil || len(files) == 0 || name == "" {
			return fmt.Errorf("there is no package %s", name)
		}
		var list []*ast.File
		for file, f := range parsed(t, filepath.Join(l.root, filepath.FromSlash(name))) {
			if !strings.HasSuffix(file, "_test.go") {
				list = append(list, f)
			}
		}
		have = namesOf(list)
		l.packages[name] = have
	}
	for _, general := range []string{"", "pkg-", "section-", "hdr-", "example-"} {
		if fragment == general || general != "" && strings.HasPrefix(fragment, general) {
			return nil
		}
	}
	if last := fragment[strings.LastIndex(fragment, ".")+1:]; !have[fragment] || !ast.IsExported(fragment) || !ast.IsExported(last) {
		return fmt.Errorf("package %s exports no %s", name, fragment)
	}
	return nil
}

// Every link of every document leads somewhere.
func TestDocumentsLink(t *testing.T) {
	all := allDocuments(t)
	l := newLinker(project, all)
	seen := 0
	for _, doc := range all {
		for _, link := range linksOf(doc) {
			seen++
			if err := l.follow(t, doc.Name, link); err != nil {
				t.Errorf("%s links %s: %v", doc.Name, link, err)
			}
		}
	}
	if seen < 80 {
		t.Errorf("only %d links were found", seen)
	}
}

// named is the path of a document in source, scripts and settings.
var named = regexp.MustCompile(`(?:\.\./)*\b(?:docs|testdata)/[\w./-]*\w\.md\b(#[\w-]+)?`)

// A document that source, scripts or settings name is there.
func TestSourceNamesDocuments(t *testing.T) {
	l := newLinker(project, allDocuments(t))
	seen := 0
	err := fs.WalkDir(os.DirFS(project), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == ".git" || name == "shared" {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(name); !slices.Contains([]string{".go", ".sh", ".yml", ".yaml", ".html", ".py", ".mod"}, ext) || path.Base(name) == "links_test.go" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(project, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		for _, m := range named.FindAllString(string(text), -1) {
			seen++
			doc, anchor, has := strings.Cut(strings.TrimLeft(m, "./"), "#")
			err := l.file(doc)
			if err == nil && has {
				err = l.anchor(doc, anchor)
			}
			if err != nil {
				t.Errorf("%s names %s: %v", name, m, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 30 {
		t.Errorf("only %d names were found", seen)
	}
}

// What leads nowhere is found, and what leads somewhere is not.
func TestLinksAreFollowed(t *testing.T) {
	parse := func(name, text string) *documents.Document {
		doc, err := documents.Parse(name, text)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	heads := parse("docs/logs.md", "# Logs\n\n## What `X` is: a_b, [c](d.md)!\n\n## Twice\n\n## Twice\n\n```\n# not one\n```\n")
	l := newLinker(project, []*documents.Document{heads})
	for link, good := range map[string]bool{
		"#logs": true, "#Logs": false, "#not-one": false, "#what-x-is-a_b-c": true, "#twice": true, "#twice-1": true, "#twice-2": false,
		"logs.md": true, "logs.md#twice": true, "logs.md#thrice": false, "Logs.md": false, "../README.md": true, "../../x.md": false,
		"examples": true, "examples/": true, "/docs/logs.md": false, "nothing.md": false, "": false, "../go.mod": true, "../go.mod#x": false,
		"https://example.com/x#y": true, "http://example.com": false, "http://localhost:8080/x": true, "https://localhost": false, "mailto:a@b.c": false, "ftp://example.com": false,
		"https://pkg.go.dev/" + module + "/wamp#Session.Call":  true,
		"https://pkg.go.dev/" + module + "/wamp#Session.Cal":   false,
		"https://pkg.go.dev/" + module + "/wamp#Connect":       true,
		"https://pkg.go.dev/" + module + "/wamp#pkg-overview":  true,
		"https://pkg.go.dev/" + module + "/wamp#callStream":    false,
		"https://pkg.go.dev/" + module + "/wamp":               true,
		"https://pkg.go.dev/" + module + "/wamp/nothing":       false,
		"https://pkg.go.dev/" + module + "/wamp/otelwamp#New":  true,
		"https://" + module + "/blob/main/docs/logs.md":        true,
		"https://" + module + "/blob/main/docs/logs.md#twice":  true,
		"https://" + module + "/blob/main/docs/logs.md#thrice": false,
		"https://" + module + "/tree/main/nothing":             false,
		"https://" + module + "/issues":                        true,
	} {
		if err := l.follow(t, "docs/logs.md", link); (err == nil) != good {
			t.Errorf("%s: %v", link, err)
		}
	}
	const text = "[a](one.md) and `[b](two.md)`, ![c](<three.png> \"title\"), <https://four.example>, https://five.example/x.\n\n" +
		"[d]: six.md\n\n```\n[e](seven.md)\n```\n\n<img src=\"eight.png\"> <!-- [f](nine.md) --> [`code`](ten.md)\n"
	got := linksOf(parse("docs/logs.md", text))
	slices.Sort(got)
	want := []string{"eight.png", "https://five.example/x", "https://four.example", "one.md", "six.md", "ten.md", "three.png"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
