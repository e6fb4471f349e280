package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// markers stand around what this program writes into a page.
func markers(name string) (begin, end string) {
	return fmt.Sprintf("<!-- %s: written by wamp/internal/bench -->\n", name), fmt.Sprintf("<!-- end of %s -->\n", name)
}

// section is one part of a page that has other text around it.
type section struct{ before, after string }

// findSection looks for the markers of a part in a file. A file that is not
// there is all markers; one that is there and has none stays as it is, with an
// error.
func findSection(path, name string) (*section, error) {
	begin, end := markers(name)
	page, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &section{begin, end}, nil
	}
	if err != nil {
		return nil, err
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return nil, fmt.Errorf("bench: %s has no place for this: it wants the lines\n%s%s", path, begin, end)
	}
	return &section{before + begin, end + after}, nil
}

// write puts a text between the markers.
func (s *section) write(path, text string) error {
	return os.WriteFile(path, []byte(s.before+strings.TrimSpace(text)+"\n"+s.after), 0o644)
}
