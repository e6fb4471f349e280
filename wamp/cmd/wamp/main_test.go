package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// program is the built one.
var program string

// buildFlags are those that it is built with.
var buildFlags []string

func TestMain(m *testing.M) {
	// What whoever runs the tests ignores, as nohup and shells in the background do, the program
	// would too.
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	dir, err := os.MkdirTemp("", "wamp-tool")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "wamp")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", program, ".")...)
	if text, err := build.CombinedOutput(); err != nil {
		panic(string(text))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// bench is a router, the session of a callee at it, and the program beside them.
type bench struct {
	*testing.T
	router *wamptest.Router
	url    string
	ca     string // of the rig of Crossbar
	mu     sync.Mutex
	peer   *wamp.Session
	config string // $XDG_CONFIG_HOME
}

// newBench starts a router that the program can reach.
func newBench(t *testing.T, options ...wamptest.Option) *bench {
	t.Helper()
	router := wamptest.NewRouter(t, append([]wamptest.Option{wamptest.WithRealms("realm1")}, options...)...)
	url, err := router.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, router: router, url: url, config: t.TempDir()}
	return b
}

// session joins the realm beside the program.
func (b *bench) session() *wamp.Session {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.peer == nil {
		s, err := wamp.Connect(b.Context(), b.url, "realm1")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close(context.WithoutCancel(b.Context())) })
		b.peer = s
	}
	return b.peer
}

// handle serves a procedure beside the program.
func (b *bench) handle(procedure string, h wamp.Handler, options ...wamp.RegisterOption) {
	b.Helper()
	if _, err := b.session().Handle(b.Context(), procedure, h, options...); err != nil {
		b.Fatal(err)
	}
}

// output is what a run of the program came to.
type output struct {
	out, errs string
	code      int
}

// command is the program with arguments, in an environment that knows of the router and of
// no context.
func (b *bench) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.Context()), time.Minute)
	b.Cleanup(cancel)
	c := exec.CommandContext(ctx, program, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "WAMP_") && !strings.HasPrefix(v, "XDG_") {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, "WAMP_URL="+b.url, "XDG_CONFIG_HOME="+b.config)
	return c
}

// run runs the program to its end.
func (b *bench) run(args ...string) output {
	b.Helper()
	return b.finish(b.command(args...))
}

// finish runs a command to its end.
func (b *bench) finish(c *exec.Cmd) output {
	b.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.Fatal(err)
	}
	return output{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// expect compares what a run came to. errs are parts of what it said on standard error.
func (b *bench) expect(got output, code int, out string, errs ...string) {
	b.Helper()
	if got.code != code || got.out != out {
		b.Errorf("code %d, standard output %q; want %d and %q\nstandard error: %s", got.code, got.out, code, out, got.errs)
	}
	for _, part := range errs {
		if !strings.Contains(got.errs, part) {
			b.Errorf("standard error %q says nothing of %q", got.errs, part)
		}
	}
	if len(errs) == 0 && got.errs != "" {
		b.Errorf("standard error is not empty: %q", got.errs)
	}
}
