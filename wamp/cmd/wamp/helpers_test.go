package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// patience is how long tests wait for what has to come.
const patience = 30 * time.Second

// syncBuffer keeps what is written, for others to wait for.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed with the next Write
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more != nil {
		close(s.more)
		s.more = nil
	}
	return s.text.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// waitFor waits until something was written.
func (s *syncBuffer) waitFor(t testing.TB, text string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		s.mu.Lock()
		if s.more == nil {
			s.more = make(chan struct{})
		}
		more, said := s.more, s.text.String()
		s.mu.Unlock()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-more:
		case <-timer.C:
			t.Fatalf("%q was not said, but %q", text, said)
		}
	}
}

// started is the program while it runs.
type started struct {
	*bench
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string   // of standard output
	over  chan struct{} // closed when it has ended
	errs  syncBuffer
}

// start starts the program, and ends it with its test.
func (b *bench) start(args ...string) *started {
	b.Helper()
	return b.begin(b.command(args...))
}

// begin starts a command.
func (b *bench) begin(cmd *exec.Cmd) *started {
	b.Helper()
	p := &started{bench: b, cmd: cmd, lines: make(chan string, 1<<16), over: make(chan struct{})}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if cmd.Stdin == nil {
		if p.in, err = cmd.StdinPipe(); err != nil {
			b.Fatal(err)
		}
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.errs
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go func() {
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				p.lines <- line
			}
			if err != nil {
				break
			}
		}
		close(p.lines)
		_ = cmd.Wait()
		close(p.over)
	}()
	b.Cleanup(func() {
		select {
		case <-p.over:
			return
		default:
		}
		_ = cmd.Process.Kill()
		<-p.over
	})
	return p
}

// said is what the program has said on standard error so far.
func (p *started) said() string { return p.errs.String() }

// waitFor waits until the program has said something on standard error.
func (p *started) waitFor(text string) {
	p.Helper()
	p.errs.waitFor(p, text)
}

// next is the next line of standard output.
func (p *started) next() string {
	p.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.Fatalf("there is no further line; standard error: %s", p.said())
		}
		return line
	case <-time.After(patience):
		p.Fatalf("no line comes; standard error: %s", p.said())
	}
	return ""
}

// wants compares the next lines of standard output.
func (p *started) wants(lines ...string) {
	p.Helper()
	for _, want := range lines {
		if got := p.next(); got != want+"\n" {
			p.Errorf("the line %q, and not %q", got, want)
		}
	}
}

// probed has by subscribe to a topic and unsubscribe, again and again, until a line tells of
// it: one that has all of these parts.
func (p *started) probed(by *wamp.Session, topic string, parts ...string) {
	p.Helper()
	for {
		probe, err := by.Subscribe(p.Context(), topic)
		if err != nil {
			p.Fatal(err)
		}
		_ = probe.Unsubscribe(p.Context())
		select {
		case l, more := <-p.lines:
			if !more {
				p.Fatal("it has ended")
			}
			if hasAll(l, parts) {
				return
			}
		case <-p.Context().Done():
			p.Fatal("nothing is told")
		case <-time.After(5 * time.Millisecond): // no more than it can keep up with
		}
	}
}

// signal sends a signal.
func (p *started) signal(s os.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Error(err)
	}
}

// ends waits for the end, and compares the exit code. errs are parts of what was said.
func (p *started) ends(code int, errs ...string) {
	p.Helper()
	select {
	case <-p.over:
	case <-time.After(patience):
		p.Fatalf("it does not end; standard error: %s", p.said())
	}
	said := p.said()
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.Errorf("code %d, and not %d; standard error: %s", got, code, said)
	}
	for _, part := range errs {
		if !strings.Contains(said, part) {
			p.Errorf("standard error says nothing of %q: %s", part, said)
		}
	}
}

// wait waits for what another goroutine of the test tells.
func wait[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return v
}

// anonymousAs lets everybody in under one name.
func anonymousAs(authid, role string) wamptest.Login {
	return wamptest.LoginFunc("anonymous", func(wamptest.LoginRequest) wamptest.LoginStep {
		return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: authid, AuthRole: role}}
	})
}
