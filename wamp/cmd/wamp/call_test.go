package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestCall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.add", func(_ context.Context, inv *wamp.Invocation) error {
		var x, y int
		if err := inv.Scan(&x, &y); err != nil {
			return wamp.Errorf(wamp.ErrInvalidArgument, "%v", err)
		}
		return inv.Return(wamp.Args(x + y))
	})
	b.handle("com.example.echo", echo)
	b.handle("com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
		for i := range 3 {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				return err
			}
		}
		return inv.Return(wamp.Args("end"))
	})
	b.expect(b.run("call", "com.example.add", "2", "3"), 0, `{"args":[5]}`+"\n")
	b.expect(b.run("call", "com.example.add", "2", "3", "-o", "raw"), 0, "5\n")
	b.expect(b.run("call", "com.example.add", "2", "3", "--format", "sum {{index .Args 0}}"), 0, "sum 5\n")
	b.expect(b.run("call", "com.example.count", "--progress"), 0,
		`{"progress":true,"args":[0]}`+"\n"+`{"progress":true,"args":[1]}`+"\n"+`{"progress":true,"args":[2]}`+"\n"+`{"args":["end"]}`+"\n")
	b.expect(b.run("call", "com.example.echo", "five", `"5"`, "9007199254740993", `{"$bytes":"AP8="}`, "[1.5,null]", "-k", "deep={\"a\":1}"), 0,
		`{"args":["five","5",9007199254740993,{"$bytes":"AP8="},[1.5,null]],"kwargs":{"deep":{"a":1}}}`+"\n")
	b.expect(b.run("call", "com.example.add", "2", "five"), exitAnswer, "", "wamp.error.invalid_argument", `{"error":"wamp.error.invalid_argument","args":[`)
	b.expect(b.run("call", "com.example.nobody"), exitAnswer, "", "wamp.error.no_such_procedure")
	b.expect(b.run("call"), exitUsage, "", "wamp call --help")
	b.expect(b.run("call", "com..example"), exitUsage, "", "com..example")
	b.expect(b.run("call", "com.example.add", "--mode", "gently"), exitUsage, "", "kill, killnowait, skip")
	b.expect(b.run("call", "com.example.add", "--timeout", "-1s"), exitUsage, "", "negative")
	b.expect(b.run("call", "com.example.add", "--realm", "realm2"), exitRefused, "", "no_such_realm")
}

// echo returns what it gets.
func echo(_ context.Context, inv *wamp.Invocation) error { return inv.Return(inv.Payload) }

func TestCallOptions(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithForwardedOptions("x_mine"))
	b.handle("com.example.who", func(_ context.Context, inv *wamp.Invocation) error {
		mine, _ := inv.Details.Get("x_mine")
		return inv.Return(wamp.Args(inv.Caller().Session != 0, mine))
	})
	b.expect(b.run("call", "com.example.who"), 0, `{"args":[false,null]}`+"\n")
	b.expect(b.run("call", "com.example.who", "--disclose", "-O", `x_mine=5`), 0, `{"args":[true,5]}`+"\n")
}

// Chunks go up while results come down.
func TestCallStdin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.upper", demoUpper)
	p := b.start("call", "com.example.upper", "--stdin", "-p", "-o", "raw")
	for _, word := range []string{"one", `"two"`, `{"args":["three"]}`, "{broken"} {
		if _, err := io.WriteString(p.in, word+"\n"); err != nil {
			t.Fatal(err)
		}
		if got, want := p.next(), strings.ToUpper(strings.Trim(strings.TrimSuffix(strings.TrimPrefix(word, `{"args":[`), `]}`), `"`))+"\n"; got != want {
			t.Errorf("%q, and not %q", got, want)
		}
	}
	_, _ = io.WriteString(p.in, "last") // without an end
	_ = p.in.Close()
	p.wants("LAST", "5")
	p.ends(0)

	empty := b.command("call", "com.example.upper", "--stdin")
	empty.Stdin = strings.NewReader("")
	b.expect(b.finish(empty), 0, `{"args":[0]}`+"\n")
	first := b.command("call", "com.example.upper", "first", "--stdin", "-p", "-o", "raw")
	first.Stdin = strings.NewReader("second\r\n")
	b.expect(b.finish(first), 0, "FIRST\nSECOND\n2\n")
	wrong := b.command("call", "com.example.upper", "--stdin")
	wrong.Stdin = strings.NewReader("one\n" + `{"args":1}` + "\n")
	b.expect(b.finish(wrong), exitFault, "", "line 2", "args is not a list")
}

// A call that is answered ends, whatever comes from standard input.
func TestCallStdinThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.first", func(_ context.Context, inv *wamp.Invocation) error {
		var text string
		if err := (<-inv.Chunks()).Scan(&text); err != nil {
			return err
		}
		return inv.Return(wamp.Args(text))
	})
	p := b.start("call", "com.example.first", "--stdin")
	_, _ = io.WriteString(p.in, "one\n")
	p.wants(`{"args":["one"]}`)
	p.ends(0)

	interrupted := make(chan error, 1)
	b.handle("com.example.wait", func(ctx context.Context, inv *wamp.Invocation) error {
		_ = inv.Progress(wamp.Args("here"))
		<-ctx.Done()
		interrupted <- context.Cause(ctx)
		return context.Cause(ctx)
	})
	p = b.start("call", "com.example.wait", "--stdin", "-p", "-o", "raw")
	_, _ = io.WriteString(p.in, "one\n")
	p.wants("here")
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)
	wait(t, interrupted)
}

// A line may be as long as a router takes messages, and a longer one is an error.
func TestCallLongLine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.size", func(ctx context.Context, inv *wamp.Invocation) error {
		size := 0
		for p := range inv.Chunks() {
			if !p.Empty() {
				var text string
				if err := p.Scan(&text); err != nil {
					return err
				}
				size += len(text)
			}
		}
		return inv.Return(wamp.Args(size))
	}, wamp.Buffer(0, 64<<20))
	run := func(size int) output {
		c := b.command("call", "com.example.size", "--stdin")
		c.Stdin = strings.NewReader(strings.Repeat("x", size) + "\n")
		return b.finish(c)
	}
	b.expect(run(15<<20), 0, `{"args":[15728640]}`+"\n")
	b.expect(run(mostLine+1), exitFault, "", "line 1", "too long")
	if got := run(17 << 20); got.code == 0 || got.out != "" || len(got.errs) > 1000 {
		t.Errorf("%d, %q, %.1000s", got.code, got.out, got.errs)
	}
}

// Each signal cancels the call in the mode that was asked for, and a second one ends the program.
func TestCallInterrupted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	interrupted := make(chan error, 1)
	b.handle("com.example.wait", func(ctx context.Context, inv *wamp.Invocation) error {
		_ = inv.Progress(wamp.Args("here"))
		<-ctx.Done()
		interrupted <- context.Cause(ctx)
		return inv.Return(wamp.Args("so far"))
	})
	modes := func(args ...string) *started {
		p := b.start(append([]string{"call", "com.example.wait", "-p", "-o", "raw"}, args...)...)
		p.wants("here")
		return p
	}
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		p := modes()
		p.signal(s)
		p.ends(exitInterrupted, "interrupted")
		var i *wamp.Interrupt
		if err := wait(t, interrupted); !errors.As(err, &i) || i.Mode != "killnowait" {
			t.Errorf("%v: %v", s, err)
		}
	}
	p := modes("--mode", "kill")
	p.signal(os.Interrupt)
	p.wants("so far")
	p.ends(exitInterrupted)
	var i *wamp.Interrupt
	if err := wait(t, interrupted); !errors.As(err, &i) || i.Mode != "kill" {
		t.Error(err)
	}
	stuck, leave := make(chan bool, 1), make(chan bool)
	defer close(leave)
	b.handle("com.example.stuck", func(ctx context.Context, inv *wamp.Invocation) error {
		_ = inv.Progress(wamp.Args("here"))
		<-ctx.Done()
		stuck <- true
		<-leave
		return nil
	})
	p = b.start("call", "com.example.stuck", "-p", "--mode", "kill", "-o", "raw")
	p.wants("here")
	p.signal(os.Interrupt)
	wait(t, stuck) // and now it waits for the callee
	select {
	case <-p.over:
		t.Error("the callee was not waited for")
	case <-time.After(100 * time.Millisecond):
	}
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)
}

// A call whose output nobody reads is cancelled.
func TestCallIntoAClosedPipe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	interrupted := make(chan error, 1)
	b.handle("com.example.forever", func(ctx context.Context, inv *wamp.Invocation) error {
		for i := 0; ; i++ {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				interrupted <- err
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := b.command("call", "com.example.forever", "-p", "-o", "raw")
	c.Stdout = w
	var errs strings.Builder
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	first := make([]byte, 2)
	if _, err := io.ReadFull(r, first); err != nil || string(first) != "0\n" {
		t.Errorf("%q, %v", first, err)
	}
	_ = r.Close()
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitUnread || errs.Len() > 0 {
		t.Errorf("code %d, standard error %q", code, errs.String())
	}
	wait(t, interrupted)
}

// A call ends in time though nobody reads what it prints.
func TestCallWithoutAReader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.flood", func(_ context.Context, inv *wamp.Invocation) error {
		text := strings.Repeat("x", 1<<20)
		if err := inv.Progress(wamp.Args(text)); err != nil {
			return err
		}
		return inv.Return(wamp.Args(text))
	})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := b.command("call", "com.example.flood", "-p", "--max-time", "200ms")
	c.Stdout = w
	err = c.Run()
	_ = w.Close()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitTimeout {
		t.Error(err)
	}
}

func TestCallTimes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.wait", func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		return context.Cause(ctx)
	})
	b.expect(b.run("call", "com.example.wait", "--timeout", "50ms"), exitTimeout, "", "com.example.wait")
	b.expect(b.run("call", "com.example.wait", "--max-time", "2s"), exitTimeout, "", "com.example.wait") // here or at the router, whoever is first
	b.expect(b.run("call", "com.example.wait", "--max-time", "-1s"), exitUsage, "", "negative")
}

// A router that goes away in the middle of a call, and one that is not there.
func TestCallWithoutARouter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	began := make(chan bool, 1)
	b.handle("com.example.wait", func(ctx context.Context, _ *wamp.Invocation) error {
		began <- true
		<-ctx.Done()
		return context.Cause(ctx)
	})
	p := b.start("call", "com.example.wait")
	wait(t, began)
	b.router.Close()
	p.ends(exitNetwork)
	b.expect(b.run("call", "com.example.wait"), exitNetwork, "", "connect")
	b.expect(b.run("call", "com.example.wait", "--url", "http://127.0.0.1"), exitUsage, "", "--url")
	b.expect(b.run("call", "com.example.wait", "--max-time", "1ns"), exitTimeout, "", "--max-time")
}

// A router that cannot do what was asked for.
func TestCallFeatures(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.ProgressiveCallInvocations)))
	c := b.command("call", "com.example.wait", "--stdin")
	c.Stdin = strings.NewReader("x\n")
	b.expect(b.finish(c), exitAnswer, "", "progressive_call_invocations")
}

func TestPing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.run("ping", "-n", "3", "--every", "1ms", "--format", "{{.Seq}}")
	b.expect(got, 0, "1\n2\n3\n")
}
