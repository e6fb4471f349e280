package main

import (
	"bytes"
	"strings"
	"text/tabwriter"
	"unicode"
)

// listed is a line of a list, which -o pretty prints as a row of a table.
type listed interface {
	line
	// head are the titles of the columns, row what stands in them.
	head() []string
	row() []string
}

// inTable reports whether lists are printed as tables.
func (p *printer) inTable() bool { return p.output == outputPretty && p.format == nil }

// list prints lines of one kind: as a table, by one Write, or each as a result.
func list[L listed](p *printer, lines []L) error {
	if !p.inTable() {
		for _, l := range lines {
			if err := p.print(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(lines) == 0 {
		return nil
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	write := func(cells []string) {
		for i, c := range cells {
			if cells[i] = visible(c); cells[i] == "" {
				cells[i] = "-"
			}
		}
		_, _ = w.Write([]byte(strings.Join(cells, "\t") + "\n"))
	}
	write(lines[0].head())
	for _, l := range lines {
		write(l.row())
	}
	_ = w.Flush() // into memory
	return p.write(b.Bytes())
}

// visible is text that a peer chose, without what would move the cursor or break a table.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
