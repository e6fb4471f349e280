package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// The values of --output.
const (
	outputJSON   = "json"
	outputRaw    = "raw"
	outputPretty = "pretty"
)

// printer writes results.
type printer struct {
	out    io.Writer
	output string
	format *template.Template // nil without --format
}

// newPrinter checks what the command line says of results.
func newPrinter(out io.Writer, output, format string) (*printer, error) {
	p := &printer{out: out, output: output}
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
	return p, nil
}

// line is a result as it is printed. raw are the lines of it that -o raw prints.
type line interface{ raw() []any }

// raw returns the arguments.
func (c content) raw() []any { return c.Args }

// print writes one result, by one Write.
func (p *printer) print(l line) error {
	var b bytes.Buffer
	switch {
	case p.format != nil:
		if err := p.format.Execute(&b, l); err != nil {
			return err
		}
		if !strings.HasSuffix(b.String(), "\n") {
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
			return err
		}
	}
	_, err := p.out.Write(b.Bytes())
	return err
}

// text is a value as -o raw writes it: a string as it is, binary as it is, the rest as JSON.
func text(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case map[string]any:
		if encoded, ok := v[bytesKey].(string); ok && len(v) == 1 {
			if b, err := plain(map[string]any{bytesKey: encoded}); err == nil {
				return b.([]byte)
			}
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
	return strings.TrimSuffix(b.String(), "\n")
}
