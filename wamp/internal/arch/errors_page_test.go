package arch_test

import (
	"go/constant"
	"go/types"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// untold are texts in the source that no error has, and no panic: files, declarations, or
// the texts themselves, and why.
var untold = map[string]string{
	"wamp/session/records.go":          "records of the log: docs/logs.md",
	"wamp/authn.refusalTexts":          "what routers say",
	"the handler of …":                 "whose code it was, in the log",
	"the handler of events of …":       "whose code it was, in the log",
	"Backoff.Redial or Backoff.Random": "whose code it was, in the log",
	"a … that is … cannot be …":        "a mistake of the library's, in the log",
	"Client Key":                       "a constant of SCRAM",
	"Server Key":                       "a constant of SCRAM",
	"connectanum payload 1":            "a constant of package seal",
	"dial":                             "a phase of an attempt, which the page tells above its tables",
	"state set":                        "how a set of states is printed",
	"….… needs nothing":                "a mistake of the library's, which a test finds",
	"the challenge was refused":        "what the router is told",
	"the router's welcome was refused": "what the router is told",
}

// prints is how values of package authn look when they are printed.
var prints = regexp.MustCompile(`^(authn|accept)\.\w+[({]`)

// dotted is what a URI looks like.
var dotted = regexp.MustCompile(`^\w+(\.\w+){2,}$`)

// parts are the pieces of a text between its holes that have words.
func parts(text string) (out []string) {
	text = strings.TrimPrefix(text, "wamp: ")
	for _, part := range strings.Split(text, hole) {
		if part = strings.Trim(part, " :;,()?\""); word.MatchString(part) {
			out = append(out, part)
		}
	}
	return out
}

// find returns where part stands in text, from a position on, as whole words, or -1.
func find(text, part string, from int) int {
	for from <= len(text) {
		i := strings.Index(text[from:], part)
		if i < 0 {
			return -1
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(part):])
		if !unicode.IsLetter(before) && !unicode.IsLetter(after) {
			return i
		}
		from = i + 1
	}
	return -1
}

// has reports whether a text of the page has the parts of one of the source, in their order.
func has(page string, parts []string) bool {
	at := 0
	for _, part := range parts {
		i := find(page, part, at)
		if i < 0 {
			return false
		}
		at = i + len(part)
	}
	return true
}

// made reports whether a part of a text of the page is made of parts of the source.
func made(part string, source map[string]bool) bool {
	part = strings.Trim(part, " :;,()?\"")
	if part == "" || source[part] {
		return true
	}
	for i := len(part) - 1; i > 0; i-- {
		if part[i] == ' ' && source[strings.Trim(part[:i], " :;,()?\"")] && made(part[i:], source) {
			return true
		}
	}
	return false
}

// row is a row of a table.
type row struct {
	header string // the first cell of the table's first row
	cells  []string
}

var code = regexp.MustCompile("`` ?(.+?) ?``|`([^`]+)`")

// rows are those of all tables of a document.
func rows(text string) (out []row) {
	header := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			header = ""
			continue
		}
		cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "\x00"), "|"), "|")
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|")
		}
		switch {
		case strings.HasPrefix(cells[0], "---"):
		case header == "":
			header = cells[0]
		default:
			out = append(out, row{header, cells})
		}
	}
	return out
}

// spans are what stands as code in a cell.
func spans(cell string) (out []string) {
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}

// Every text that the library can say to a user is in docs/errors.md, and every text there
// is one that it can say.
func TestErrorsPage(t *testing.T) {
	doc := readDocument(t, "docs/errors.md")
	var page []string
	listed := map[string]bool{}
	for _, r := range rows(doc.Text) {
		switch r.header {
		case "Text":
			page = append(page, spans(r.cells[0])...)
		case "Operation":
			for _, op := range spans(r.cells[0]) {
				listed[op] = true
			}
		}
	}
	said, operations, _ := speeches(t)
	source, used := map[string]bool{}, map[string]bool{}
	missing := map[string]bool{}
	for _, u := range said {
		told := !prints.MatchString(u.text) && !dotted.MatchString(u.text)
		for _, key := range []string{u.file, u.in, u.text} {
			if untold[key] != "" {
				used[key], told = true, false
			}
		}
		if !told {
			continue
		}
		pieces := parts(u.text)
		for _, part := range pieces {
			source[part] = true
		}
		if !missing[u.text] && !slices.ContainsFunc(page, func(text string) bool { return has(text, pieces) }) {
			missing[u.text] = true
			t.Errorf("%s:%d: the page does not have `%s`", u.file, u.line, u.text)
		}
	}
	for _, text := range page {
		for _, part := range parts(text) {
			if !made(part, source) {
				t.Errorf("the page has `%s`, and no error has %q", text, part)
			}
		}
	}
	for op := range operations {
		if !listed[op] {
			t.Errorf("the page does not have the operation %q", op)
		}
	}
	for op := range listed {
		if !operations[op] {
			t.Errorf("the page has the operation %q, which no error has", op)
		}
	}
	for key := range untold {
		if !used[key] {
			t.Errorf("%q is not in the source", key)
		}
	}
	if len(said) < 500 || len(page) < 200 {
		t.Errorf("only %d texts were found, and %d on the page", len(said), len(page))
	}
}

// Every error that can be matched is on the page: types, values, and the constants with
// the URI that they have.
func TestErrorsPageNames(t *testing.T) {
	doc := readDocument(t, "docs/errors.md")
	_, _, packages := speeches(t)
	uris := map[string]string{}
	for _, r := range rows(doc.Text) {
		if r.header == "Constant" {
			uris[spans(r.cells[0])[0]] = spans(r.cells[1])[0]
		}
	}
	for _, name := range speaking {
		if strings.Contains(name, "internal") {
			continue
		}
		p := packages[name]
		short := p.Name() + "."
		for _, id := range p.Scope().Names() {
			o := p.Scope().Lookup(id)
			if _, is := o.(*types.Func); is || !o.Exported() || !isError(o.Type()) || name != "wamp" && same(packages["wamp"].Scope().Lookup(id), o) {
				continue
			}
			if find(doc.Text, short+id, 0) < 0 {
				t.Errorf("%s%s is missing", short, id)
			}
			if c, is := o.(*types.Const); is {
				if got, want := uris[short+id], constant.StringVal(c.Val()); got != want {
					t.Errorf("%s%s: the page has the URI %q, it is %q", short, id, got, want)
				}
				delete(uris, short+id)
			}
		}
		for _, m := range regexp.MustCompile(`\b`+p.Name()+`\.([A-Z]\w*)`).FindAllStringSubmatch(doc.Text, -1) {
			method, _, _ := types.LookupFieldOrMethod(packages["wamp"].Scope().Lookup("Session").Type(), true, p, m[1])
			if p.Scope().Lookup(m[1]) == nil && (name != "wamp/session" || method == nil) { // session is what examples call a Session
				t.Errorf("the page names %s, which is not there", m[0])
			}
		}
	}
	for id := range uris {
		t.Errorf("the page has the constant %s, which is not there", id)
	}
}

// same reports whether package wamp has o under the same name.
func same(alias, o types.Object) bool {
	return alias != nil && types.TypeString(types.Unalias(alias.Type()), nil) == types.TypeString(o.Type(), nil)
}
