package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// line is the next line of standard output, without its end.
func (p *started) line() string {
	p.Helper()
	return strings.TrimSuffix(p.next(), "\n")
}

// lineWith is the next line that has all the parts. Those before it are left out.
func (p *started) lineWith(parts ...string) string {
	p.Helper()
	var others []string
	deadline := time.After(patience)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				p.Fatalf("the program has ended without %q: %q, %s", parts, others, p.said())
			}
			l = strings.TrimSuffix(l, "\n")
			if hasAll(l, parts) {
				return l
			}
			others = append(others, l)
		case <-deadline:
			p.Fatalf("there is no line with %q: %q; standard error: %s", parts, others, p.said())
		}
	}
}

func hasAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// interrupt is Ctrl-C.
func (p *started) interrupt() {
	p.Helper()
	p.signal(os.Interrupt)
}

// end waits for the end of the program, and returns what it printed since the last line
// that was taken.
func (p *started) end() output {
	p.Helper()
	var out strings.Builder
	for l := range p.lines {
		out.WriteString(l)
	}
	wait(p, p.over)
	return output{out.String(), p.said(), p.cmd.ProcessState.ExitCode()}
}

// has fails unless text has all the parts.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in %q", p, text)
		}
	}
}
