//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// serve starts wamp serve with a command of the shell, and waits until it serves.
func (b *bench) serve(script string, flags ...string) *started {
	b.Helper()
	p := b.start(append(append([]string{"serve", "com.example.job"}, flags...), "--", "sh", "-c", script)...)
	p.waitFor("serving com.example.job")
	return p
}

// answers calls what is served, and compares what comes: the results, and the error.
func (b *bench) answers(payload wamp.Payload, want string, options ...wamp.CallOption) {
	b.Helper()
	if got := b.answer(payload, options...); got != want {
		b.Errorf("the answer is %s, and not %s", got, want)
	}
}

func (b *bench) answer(payload wamp.Payload, options ...wamp.CallOption) string {
	var got []string
	for r := range b.session().Call(b.Context(), "com.example.job", payload, options...) {
		var e *wamp.Error
		p := r.Payload
		if errors.As(r.Err, &e) {
			got, p = append(got, e.URI), e.Payload
		} else if r.Err != nil {
			got = append(got, r.Err.Error())
		}
		c, err := contents(p)
		if err != nil {
			b.Error(err)
		}
		got = append(got, compact(c))
	}
	return strings.Join(got, " ")
}

// dead waits until no process has an id that a file holds.
func dead(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(patience)
		for alive(pid) {
			if time.Now().After(end) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				t.Fatalf("process %d lives", pid)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// alive reports whether a process runs, which a zombie does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// there waits for a file that is not empty.
func there(t *testing.T, file string) {
	t.Helper()
	end := time.Now().Add(patience)
	for {
		if text, err := os.ReadFile(file); err == nil && strings.HasSuffix(string(text), "\n") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is not there", file)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.serve("cat")
	b.answers(wamp.Args(5, "x").With("k", 1.0), `{"args":[5,"x"],"kwargs":{"k":1.0}}`)
	b.answers(wamp.Args(), `{"args":[]}`)
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)

	p = b.serve("tr a-z A-Z", "-o", "raw")
	b.answers(wamp.Args("one", "two", 5), `{"args":["ONE"]} {"args":["TWO"]} {"args":["5"]}`, wamp.Progressive())
	b.answers(wamp.Args("one", "two"), `{"args":["TWO"]}`)
	p.signal(syscall.SIGTERM)
	p.ends(exitInterrupted)

	p = b.serve(`echo 5; echo '"5"'; echo five; echo '{"args":[1],"kwargs":{"a":2}}'; echo '{"a":1}'; printf '[]'`)
	b.answers(wamp.Args(), `{"args":[5]} {"args":["5"]} {"args":["five"]} {"args":[1],"kwargs":{"a":2}} {"args":[{"a":1}]} {"args":[[]]}`, wamp.Progressive())
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)

	p = b.serve(`env | grep ^WAMP_ | sort`, "-o", "raw", "--disclose-caller")
	got := b.answer(wamp.Args(), wamp.Progressive(), wamp.DiscloseMe())
	for _, want := range []string{"WAMP_PROCEDURE=com.example.job", "WAMP_PROGRESS=1", "WAMP_CALLER_AUTHROLE=anonymous", "WAMP_CALLER=" + strconv.FormatUint(uint64(b.session().ID()), 10)} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)

	b.expect(b.run("serve", "com.example.job", "cat"), exitUsage, "", "-- has to stand")
	b.expect(b.run("serve", "--", "cat"), exitUsage, "", "one procedure")
	b.expect(b.run("serve", "a.b", "c.d", "--", "cat"), exitUsage, "", "one procedure")
	b.expect(b.run("serve", "a.b", "--"), exitUsage, "", "a command has to stand")
	b.expect(b.run("serve", "a.b", "--", "/nowhere/cat"), exitUsage, "", "/nowhere/cat")
	for flags, what := range map[string]string{"--invoke=any": "single, roundrobin", "--match=any": "exact, prefix", "--concurrency=0": "less than 1",
		"--grace=-1s": "negative", "-Ox": "KEY=VALUE"} {
		b.expect(b.run("serve", "a.b", flags, "--", "cat"), exitUsage, "", what)
	}
}

// A secret of the tool is none of the command's.
func TestServeKeepsTheSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.command("serve", "com.example.job", "--", "sh", "-c", "env")
	c.Env = append(c.Env, "WAMP_SECRET=s3cret")
	p := b.begin(c)
	p.waitFor("serving")
	if got := b.answer(wamp.Args(), wamp.Progressive()); strings.Contains(got, "s3cret") || !strings.Contains(got, "WAMP_URL") {
		t.Error(got)
	}
}

// The sharing of a procedure, and patterns.
func TestServeShared(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.serve("echo one", "--invoke", "roundrobin")
	q := b.serve("echo two", "--invoke", "roundrobin")
	b.answers(wamp.Args(), `{"args":["one"]}`)
	b.answers(wamp.Args(), `{"args":["two"]}`)
	if got := b.run("serve", "com.example.job", "--", "cat"); got.code != exitAnswer || !strings.Contains(got.errs, "procedure_exists_with_different_invocation_policy") {
		t.Error(got)
	}
	for _, p := range []*started{p, q} {
		p.signal(os.Interrupt)
		p.ends(exitInterrupted)
	}
	p = b.start("serve", "com.example", "--match", "prefix", "-o", "raw", "--", "sh", "-c", "echo $WAMP_PROCEDURE")
	p.waitFor("serving com.example")
	b.answers(wamp.Args(), `{"args":["com.example.job"]}`)
}

// A line is sent when the next one comes, or at once where that was said.
func TestServeProgress(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	folder := t.TempDir()
	for flags, script := range map[string]string{"": `echo '{"progress":true,"args":[1]}'`, "--each": "echo 1"} {
		go_ := filepath.Join(folder, "go"+flags)
		flags := strings.Fields(flags)
		p := b.serve(script+`; while [ ! -e `+go_+` ]; do sleep 0.01; done; echo 2`, flags...)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		results := b.session().Call(ctx, "com.example.job", wamp.Args(), wamp.Progressive())
		first := wait(t, results) // while the command waits
		if v, err := first.Args(); err != nil || !first.Progress || len(v) != 1 || v[0] != int64(1) {
			t.Error(v, err)
		}
		if err := os.WriteFile(go_, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		second := wait(t, results)
		if (len(flags) == 0) == second.Progress {
			t.Errorf("%v: %+v", flags, second)
		}
		if last, err := results.Final(); len(flags) > 0 && (err != nil || !last.Empty()) {
			t.Errorf("%v: %+v, %v", flags, last, err)
		}
		p.signal(os.Interrupt)
		p.ends(exitInterrupted)
	}
}

// The chunks of a progressive call are lines.
func TestServeChunks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.serve(`while read line; do echo "{\"progress\":true,\"args\":[$line]}"; done; echo end`)
	chunks := make(chan wamp.Payload)
	results := b.session().CallStream(t.Context(), "com.example.job", chunks, wamp.Progressive())
	for i := range 3 {
		chunks <- wamp.Args(i)
		if c, err := contents(wait(t, results).Payload); err != nil || compact(c) != `{"args":[{"args":[`+strconv.Itoa(i)+`]}]}` {
			t.Error(compact(c), err)
		}
	}
	close(chunks)
	if r, err := results.Final(); err != nil {
		t.Error(r, err)
	}
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)

	// one that does not read, and one that has closed its input
	b.serve("exec <&-; sleep 0.1; echo done")
	results = b.session().CallFunc(t.Context(), "com.example.job", func(_ context.Context, send func(wamp.Payload) error) error {
		for range 100 {
			if err := send(wamp.Args(strings.Repeat("x", 100_000))); err != nil {
				return err
			}
		}
		return nil
	})
	if r, err := results.Final(); err != nil || r.NArgs() != 1 {
		t.Error(r, err)
	}
}

// Commands that fail, in every way.
func TestServeFails(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"exit 3":                       `wamp.error.runtime_error {"args":["exit status 3"],"kwargs":{"ended":"exit status 3","exit_code":3}}`,
		"echo no >&2; exit 3":          `wamp.error.runtime_error {"args":["no"],"kwargs":{"ended":"exit status 3","exit_code":3}}`,
		"echo 5; exit 3":               `wamp.error.runtime_error {"args":["exit status 3"],"kwargs":{"ended":"exit status 3","exit_code":3}}`,
		"kill -9 $$":                   `wamp.error.runtime_error {"args":["signal: killed"],"kwargs":{"ended":"signal: killed","exit_code":-1}}`,
		`echo '{"args":5}'; sleep 60`:  `wamp.error.runtime_error {"args":["line 1 of the command's output: args is not a list: \"5\""]}`,
		"head -c 17000000 /dev/zero":   `wamp.error.payload_size_exceeded {"args":["line 1 of the command's output: it is too long: more than 16777216 bytes"]}`,
		"yes | tr -d '\\n'; echo here": `wamp.error.payload_size_exceeded {"args":["line 1 of the command's output: it is too long: more than 16777216 bytes"]}`,
		`echo '{"error":"com.example.oops","args":[1.0],"kwargs":{"a":{"$bytes":"AA=="}}}' >&2; exit 1`: `com.example.oops {"args":[1.0],"kwargs":{"a":{"$bytes":"AA=="}}}`,
		`echo '{"error":"com.example.oops"}' >&2`:                                                       `{"args":[]}`,
		"exec >&- 2>&-; exit 0":                                           `{"args":[]}`,
		"printf '\\377\\n'":                                               "",
		"(setsid sleep 300 & echo $! >PIDS); echo 5":                      `{"args":[5]}`,
		"(sleep 300 & echo $! >PIDS); sleep 300 & echo $! >>PIDS; echo 6": `{"args":[6]}`,
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			pids := filepath.Join(t.TempDir(), "pids")
			p := b.serve(strings.ReplaceAll(script, "PIDS", "'"+pids+"'"))
			got := b.answer(wamp.Args())
			if want == "" {
				if !strings.HasPrefix(got, "wamp.error.") {
					t.Error(got)
				}
			} else if got != want {
				t.Errorf("the answer is %s, and not %s", got, want)
			}
			if strings.Contains(script, "setsid") { // what leaves the group is not ours
				text, err := os.ReadFile(pids)
				if pid, _ := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 0 {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			if strings.Contains(script, "PIDS") {
				dead(t, pids)
			}
			p.signal(os.Interrupt)
			p.ends(exitInterrupted)
		})
	}
}

// Standard error of a command is passed on.
func TestServeStandardError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.serve(`echo one >&2; head -c 200000 /dev/zero | tr '\0' x >&2; echo two >&2; echo done`)
	b.answers(wamp.Args(), `{"args":["done"]}`)
	p.waitFor("one\n")
	p.waitFor("two\n")
}

// INTERRUPT is SIGINT, and --grace later SIGKILL, to all that the command has started.
func TestServeInterrupt(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct{ script, flags, answer string }{
		"ends":     {"sleep 300 & echo $! >>PIDS; echo $$ >>PIDS; wait", "", ""},
		"answers":  {"trap 'echo so far; exit 0' INT; echo $$ >PIDS; while :; do sleep 0.01; done", "", "so far"},
		"ignores":  {"trap '' INT; sleep 300 & echo $! >>PIDS; echo $$ >>PIDS; wait", "--grace=100ms", ""},
		"no grace": {"trap '' INT; echo $$ >PIDS; sleep 300", "--grace=0s", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			pids := filepath.Join(t.TempDir(), "pids")
			b.serve(strings.ReplaceAll(run.script, "PIDS", "'"+pids+"'"), strings.Fields(run.flags)...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			results := b.session().Call(ctx, "com.example.job", wamp.Args(), wamp.CancelMode(wamp.Kill), wamp.KillGrace(patience))
			there(t, pids)
			cancel()
			r, err := results.Final()
			if run.answer == "" && !errors.Is(err, wamp.ErrCanceled) {
				t.Error(r, err)
			}
			if run.answer != "" {
				if c, err := contents(r.Payload); err != nil || compact(c) != `{"args":["`+run.answer+`"]}` {
					t.Error(compact(c), err)
				}
			}
			dead(t, pids)
		})
	}
}

// What runs when the tool is to end may end too, for a while; a second signal kills it.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct {
		script, flags, answer string
		signals               int
		during                func(b *bench, p *started)
	}{
		"finishes":    {script: "echo $$ >PIDS; sleep 0.3; echo done", answer: `{"args":["done"]}`, signals: 1},
		"interrupted": {script: "trap '' INT; sleep 300 & echo $$ $! >PIDS; wait", flags: "--grace=200ms", signals: 1},
		"killed":      {script: "trap '' INT; sleep 300 & echo $$ $! >PIDS; wait", signals: 2},
		"lost":        {script: "echo $$ >PIDS; sleep 300", flags: "--no-reconnect", during: func(b *bench, _ *started) { b.router.CutAll() }},
		"max time":    {script: "echo $$ >PIDS; sleep 300", flags: "--max-time=4s --grace=100ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			pids := filepath.Join(t.TempDir(), "pids")
			p := b.serve(strings.ReplaceAll(run.script, "PIDS", "'"+pids+"'"), strings.Fields(run.flags)...)
			answer := make(chan string, 1)
			go func() { answer <- b.answer(wamp.Args()) }()
			there(t, pids)
			for n := range run.signals {
				if n > 0 {
					p.waitFor("still run")
				}
				p.signal(os.Interrupt)
			}
			if run.during != nil {
				run.during(b, p)
			}
			want := exitInterrupted
			switch name {
			case "lost":
				want = exitNetwork
			case "max time":
				want = exitTimeout
			}
			p.ends(want)
			dead(t, pids)
			if got := wait(t, answer); run.answer != "" && got != run.answer {
				t.Error(got)
			}
		})
	}
}

// Not more commands run at once than was said, and with --once only one.
func TestServeConcurrency(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	lock := filepath.Join(t.TempDir(), "lock")
	p := b.serve("mkdir "+lock+" && sleep 0.05 && rmdir "+lock+" && echo ok", "--concurrency", "1")
	answers := make(chan string, 5)
	for range 5 {
		go func() { answers <- b.answer(wamp.Args()) }()
	}
	for range 5 {
		if got := wait(t, answers); got != `{"args":["ok"]}` {
			t.Error(got)
		}
	}
	p.signal(os.Interrupt)
	p.ends(exitInterrupted)
	p = b.serve("echo once", "--once")
	b.answers(wamp.Args(), `{"args":["once"]}`)
	p.ends(0)
}

// It goes on when the connection is lost, and ends when the router revokes the registration.
func TestServeReconnects(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.serve("echo ok")
	for _, s := range b.router.Sessions() {
		if s.ID != b.session().ID() {
			b.router.Cut(s.ID)
		}
	}
	p.waitFor("connected again")
	end := time.Now().Add(patience)
	for b.answer(wamp.Args()) != `{"args":["ok"]}` {
		if time.Now().After(end) {
			t.Fatal("it does not serve again")
		}
		time.Sleep(5 * time.Millisecond)
	}
	ids, err := wamp.Call[map[string]any](t.Context(), b.session(), "wamp.registration.list", wamp.Args())
	if err != nil {
		t.Fatal(err)
	}
	id, _ := ids["exact"].([]any)[0].(int64)
	if b.router.RevokeRegistration(proto.ID(id), "com.example.gone") != 1 {
		t.Error("nothing was revoked", ids)
	}
	p.ends(exitAnswer, "com.example.gone")
}

// A command forwards the errors of a call that it makes.
func TestServeForwards(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.handle("com.example.inner", func(context.Context, *wamp.Invocation) error {
		return wamp.NewError("com.example.oops", wamp.Args("why", 5))
	})
	p := b.start("serve", "com.example.job", "--", program, "call", "com.example.inner")
	p.waitFor("serving")
	b.answers(wamp.Args(), `com.example.oops {"args":["why",5]}`)
}
