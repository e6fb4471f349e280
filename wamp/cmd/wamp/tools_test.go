package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what the program does.
const patience = 20 * time.Second

// started is the program while it runs.
type started struct {
	*bench
	cmd   *exec.Cmd
	lines chan string // of standard output, closed at its end
	errs  *saying
	over  bool
}

// saying is what is said on standard error.
type saying struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *saying) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *saying) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// start runs the program and does not wait for its end.
func (b *bench) start(args ...string) *started {
	b.Helper()
	s := &started{bench: b, cmd: b.command(args...), lines: make(chan string, 10_000), errs: new(saying)}
	s.cmd.Stderr = s.errs
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() { // ends with the program
		defer close(s.lines)
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			s.lines <- in.Text()
		}
	}()
	b.Cleanup(func() {
		if !s.over {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	return s
}

// line is the next line of standard output.
func (s *started) line() string {
	s.Helper()
	select {
	case l, ok := <-s.lines:
		if !ok {
			s.Fatalf("the program has ended: %s", s.errs)
		}
		return l
	case <-time.After(patience):
		s.Fatalf("there is no line; standard error: %s", s.errs)
	}
	return ""
}

// lineWith is the next line that has all the parts. Those before it are left out.
func (s *started) lineWith(parts ...string) string {
	s.Helper()
	var others []string
	deadline := time.After(patience)
	for {
		select {
		case l, ok := <-s.lines:
			if !ok {
				s.Fatalf("the program has ended without %q: %q, %s", parts, others, s.errs)
			}
			if hasAll(l, parts) {
				return l
			}
			others = append(others, l)
		case <-deadline:
			s.Fatalf("there is no line with %q: %q; standard error: %s", parts, others, s.errs)
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

// says waits until standard error has a text.
func (s *started) says(text string) {
	s.Helper()
	for end := time.Now().Add(patience); !strings.Contains(s.errs.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("nothing is said of %q: %s", text, s.errs)
		}
	}
}

// interrupt is Ctrl-C.
func (s *started) interrupt() {
	s.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.Fatal(err)
	}
}

// end waits for the end of the program, and returns what it printed since the last line
// that was taken.
func (s *started) end() output {
	s.Helper()
	var out strings.Builder
	for l := range s.lines {
		out.WriteString(l + "\n")
	}
	err := s.cmd.Wait()
	s.over = true
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return output{out.String(), s.errs.String(), s.cmd.ProcessState.ExitCode()}
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
