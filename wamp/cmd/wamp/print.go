package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"
	"unicode"
)

// The values of --output.
const (
	outputJSON   = "json"
	outputRaw    = "raw"
	outputPretty = "pretty"
)

// printer writes results. Its methods may be called from any goroutine.
type printer struct {
	output string
	format *template.Template // nil without --format
	writes chan write         // to the goroutine that writes
	over   <-chan struct{}    // closed when nobody waits for it any longer
	ctx    context.Context    // of the command
}

// write is one result on its way out.
type write struct {
	text []byte
	done chan error
}

// printGrace is how long the last results may take to be written when the command is over:
// who reads may have stopped.
const printGrace = time.Second

// newPrinter checks what the command line says of results. ctx is that of the command.
func newPrinter(ctx context.Context, out io.Writer, output, format string) (*printer, error) {
	p := &printer{output: output, writes: make(chan write), ctx: ctx}
	switch output {
	case outputJSON, outputRaw, outputPretty:
	default:
		return nil, usage("--output %q is none of json, raw, pretty", output)
	}
	if format != "" {
		t, err := template.New("--format").Funcs(template.FuncMap{"json": compact}).Parse(format)
		if err != nil {
			return nil, usage("%w", err)
		}
		p.format = t
	}
	over := make(chan struct{})
	p.over = over
	context.AfterFunc(ctx, func() { time.AfterFunc(printGrace, func() { close(over) }) })
	go func() { // ends with the program
		for w := range p.writes {
			_, err := out.Write(w.text)
			w.done <- err
		}
	}()
	return p, nil
}

// line is a result as it is printed. raw are the lines of it that -o raw prints.
type line interface{ raw() []any }

// raw returns the arguments.
func (c content) raw() []any { return c.Args }

// errNobodyReads ends a command whose output nobody reads.
var errNobodyReads = errors.New("nobody reads standard output")

// print writes one result, by one Write. It waits for who reads while the command goes on,
// and a moment longer.
func (p *printer) print(l line) error {
	text, err := p.text(l)
	if err != nil {
		return err
	}
	return p.write(text)
}

// write writes text that is printed already, as print does.
func (p *printer) write(text []byte) error {
	w := write{text, make(chan error, 1)}
	select {
	case p.writes <- w:
	case <-p.over:
		return context.Cause(p.ctx)
	}
	select {
	case err := <-w.done:
		if isBrokenPipe(err) {
			return errNobodyReads
		}
		return err
	case <-p.over:
		return context.Cause(p.ctx)
	}
}

// Write is write, for those who write text to an [io.Writer].
func (p *printer) Write(text []byte) (int, error) {
	if err := p.write(text); err != nil {
		return 0, err
	}
	return len(text), nil
}

// printOne prints one line of many that come. One that --format has no use for, which its
// sender decides, is left out: the others have no part in it.
func (t *tool) printOne(l line) error {
	text, err := t.show.text(l)
	if err != nil {
		t.note("wamp: a line is left out: %v", err)
		return nil
	}
	return t.show.write(text)
}

// text is a result as it is written.
func (p *printer) text(l line) ([]byte, error) {
	var b bytes.Buffer
	switch {
	case p.format != nil:
		if err := p.format.Execute(&b, l); err != nil {
			return nil, usage("%w", err)
		}
		if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
			b.WriteByte('\n')
		}
	case p.output == outputRaw:
		for _, v := range l.raw() {
			b.Write(text(v))
			b.WriteByte('\n')
		}
	default:
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if p.output == outputPretty {
			e.SetIndent("", "  ")
		}
		if err := e.Encode(l); err != nil {
			return nil, err
		}
		return escaped(b.Bytes()), nil
	}
	return b.Bytes(), nil
}

// text is a value as -o raw writes it: a string as it is, binary as it is, the rest as JSON.
func text(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case map[string]any:
		if b, ok, err := binary(v); ok && err == nil {
			return b
		}
	}
	return []byte(compact(v))
}

// compact is a value as JSON on one line.
func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(string(escaped(b.Bytes())), "\n")
}

// escaped is JSON in which nothing is left that a terminal obeys: encoding/json leaves control
// characters above ASCII, and those that turn the direction of text. They mean the same.
func escaped(text []byte) []byte {
	obeyed := func(r rune) bool { return r >= 0x7f && r <= 0x9f || unicode.Is(unicode.Bidi_Control, r) }
	if !bytes.ContainsFunc(text, obeyed) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if obeyed(r) { // only in strings
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}
