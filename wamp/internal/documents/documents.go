// Package documents reads the project's documents and compiles their Go, for the tests
// that hold them to the code.
package documents

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Document is a file in Markdown.
type Document struct {
	Name     string // from the top of the project, with slashes
	Text     string
	Prose    string // Text without what is fenced and without comments
	Fences   []Fence
	Headings []string // outside of fences, as they stand
}

// A Fence is a block of code in a document.
type Fence struct {
	Language string // the first word behind the fence
	Text     string
	Line     int // of its first line in the document
}

var (
	opening  = regexp.MustCompile("^( *)(`{3,}|~{3,}) *([^` ]*)[^`]*$")
	heading  = regexp.MustCompile(`^#{1,6} +(.*?)(?: +#+)?$`)
	comment  = regexp.MustCompile(`(?s)<!--.*?-->`)
	span     = regexp.MustCompile("`([^`\n]+)`")
	indented = regexp.MustCompile(`(?m)^    (\S.*)$`)
)

// Parse takes a document apart. A fence that does not end is an error.
func Parse(name, text string) (*Document, error) {
	doc := &Document{Name: name, Text: text}
	var prose, inside strings.Builder
	var mark, indent string
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if mark != "" {
			if end := strings.TrimSpace(line); strings.Trim(end, mark[:1]) == "" && len(end) >= len(mark) {
				doc.Fences[len(doc.Fences)-1].Text = inside.String()
				mark = ""
				continue
			}
			inside.WriteString(strings.TrimPrefix(line, indent) + "\n")
			continue
		}
		if m := opening.FindStringSubmatch(line); m != nil {
			indent, mark = m[1], m[2]
			inside.Reset()
			doc.Fences = append(doc.Fences, Fence{Language: m[3], Line: i + 2})
			continue
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			doc.Headings = append(doc.Headings, m[1])
		}
		prose.WriteString(line + "\n")
	}
	if mark != "" {
		return nil, fmt.Errorf("%s: the block that begins in line %d does not end", name, doc.Fences[len(doc.Fences)-1].Line)
	}
	doc.Prose = comment.ReplaceAllString(prose.String(), "")
	return doc, nil
}

// All are the documents of the project at root: every file in Markdown in its top folder,
// .github, docs and testdata.
func All(root string) ([]*Document, error) {
	var names []string
	for _, dir := range []string{".", ".github", "docs", "testdata"} {
		err := fs.WalkDir(os.DirFS(root), dir, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir():
				if dir == "." && name != "." {
					return fs.SkipDir
				}
			case path.Ext(name) == ".md":
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	var all []*Document
	for _, name := range names {
		doc, err := Read(root, name)
		if err != nil {
			return nil, err
		}
		all = append(all, doc)
	}
	return all, nil
}

// Read reads one document of the project at root.
func Read(root, name string) (*Document, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	return Parse(name, string(text))
}

// Table returns the rows of the table behind a comment that begins with marker and a
// colon, but for its head, as cells without the spaces around them.
func (d *Document) Table(marker string) (rows [][]string, err error) {
	_, text, ok := strings.Cut(d.Text, "\n<!-- "+marker+":")
	if !ok {
		return nil, fmt.Errorf("%s has no marker %q", d.Name, marker)
	}
	_, text, _ = strings.Cut(text, "-->\n")
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 4 {
		return nil, fmt.Errorf("%s: only %d rows behind %q", d.Name, len(rows), marker)
	}
	return rows[2:], nil
}

// In are the blocks of a language.
func (d *Document) In(language string) (out []string) {
	for _, f := range d.Fences {
		if f.Language == language {
			out = append(out, f.Text)
		}
	}
	return out
}

// Spans are what the prose has between backticks.
func (d *Document) Spans() (out []string) {
	for _, m := range span.FindAllStringSubmatch(d.Prose, -1) {
		out = append(out, m[1])
	}
	return out
}

// Commands are what the reader is to give to a shell: the lines of its blocks, and the
// lines that are indented by four spaces.
func (d *Document) Commands() (out []string) {
	for _, block := range append(d.In("sh"), d.In("console")...) {
		for line := range strings.Lines(block) {
			out = append(out, strings.TrimPrefix(strings.TrimSpace(line), "$ "))
		}
	}
	for _, m := range indented.FindAllStringSubmatch(d.Prose, -1) {
		out = append(out, m[1])
	}
	return out
}

// A Snippet is Go in a document.
type Snippet struct {
	Name    string // where it stands
	Text    string
	Program bool // a complete file
}

var packageClause = regexp.MustCompile(`(?m)\A(?:\s*//.*\n|\s*\n)*package \w+`)

// Snippets are the Go of a document: its blocks, and what stands in a line of text and
// uses a ctx. A body that is left out is an empty one.
func (d *Document) Snippets() (out []Snippet) {
	for _, f := range d.Fences {
		if f.Language == "go" {
			out = append(out, Snippet{fmt.Sprintf("%s:%d", d.Name, f.Line), f.Text, packageClause.MatchString(f.Text)})
		}
	}
	for i, s := range d.Spans() {
		name := fmt.Sprintf("%s, code in text %d", d.Name, i+1)
		switch {
		case !strings.Contains(s, "(ctx"), strings.Contains(s, "func("):
		case strings.HasPrefix(s, "for "):
			out = append(out, Snippet{Name: name, Text: s + " {}"})
		case strings.Contains(s, ":="):
			out = append(out, Snippet{Name: name, Text: s})
		}
	}
	for i := range out {
		if !out[i].Program {
			out[i].Text = strings.ReplaceAll(out[i].Text, "{ ... }", "{}")
		}
	}
	return out
}
