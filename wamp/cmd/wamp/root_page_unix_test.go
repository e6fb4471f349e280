//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	consoleBlock = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
	manyDigits   = regexp.MustCompile(`[0-9]{7,}`)
	milliseconds = regexp.MustCompile(`[0-9]+\.[0-9]{2,3}|(rtt_ms":)[0-9.]+`) // in JSON 0.1 is 0.1, and 1.0 is 1
)

// alike takes out of a transcript what differs from run to run.
func alike(text string) string {
	return milliseconds.ReplaceAllString(manyDigits.ReplaceAllString(text, "ID"), "${1}T")
}

// The transcripts of docs/tool.md are what the program does.
func TestToolPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "tool.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := consoleBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 9 {
		t.Errorf("only %d transcripts are looked at", len(blocks))
	}
	for _, m := range blocks {
		first, _, _ := strings.Cut(m[1], "\n")
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.pageProcedures()
			play(b, m[1])
		})
	}
}

// pageProcedures serves what the page calls: what wamp router --demo does.
func (b *bench) pageProcedures() {
	for name, h := range demoProcedures {
		b.handle(name, h)
	}
}

// play runs the commands of a transcript, one after the other, and compares what they write
// to either stream. One that ends with & goes on beside those behind it, from what it says first.
func play(b *bench, transcript string) {
	var all syncBuffer
	// One pipe for all of them, which keeps the order in which they write.
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	copied := make(chan struct{})
	go func() { // ends when nobody has w any more
		defer close(copied)
		_, _ = io.Copy(&all, r)
	}()
	b.Cleanup(func() { // behind those that end the commands
		_ = w.Close()
		<-copied
		_ = r.Close()
	})
	want, ended := "", 0
	said := func() string { return strings.ReplaceAll(all.String(), "\x00", "") }
	for _, step := range strings.Split("\n"+transcript, "\n$ ")[1:] {
		line, says, _ := strings.Cut(step, "\n")
		if says != "" && !strings.HasSuffix(says, "\n") {
			says += "\n"
		}
		want += says
		line, beside := strings.CutSuffix(line, " &")
		c := b.command()
		sh := exec.CommandContext(b.Context(), "sh", "-c", line)
		sh.Env = append(c.Env, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
		sh.Stdout, sh.Stderr = w, w
		sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := sh.Start(); err != nil {
			b.Fatal(err)
		}
		over := make(chan struct{})
		go func() {
			_ = sh.Wait()
			close(over)
		}()
		b.Cleanup(func() {
			_ = syscall.Kill(-sh.Process.Pid, syscall.SIGTERM)
			<-over
		})
		if !beside {
			wait(b, over)
			_, _ = w.Write([]byte{0}) // behind all that it has written
			ended++
		}
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if strings.Count(all.String(), "\x00") == ended && strings.Count(said(), "\n") >= strings.Count(want, "\n") {
				break
			}
		}
		if got := said(); alike(got) != alike(want) {
			b.Fatalf("behind %s it is\n%s\nand not\n%s", line, got, want)
		}
	}
}

// A round trip may take 1 ms to the microsecond.
func TestTranscriptsAreAlike(t *testing.T) {
	want := alike(`{"seq":1,"rtt_ms":0.123}`)
	for _, got := range []string{`{"seq":1,"rtt_ms":1}`, `{"seq":1,"rtt_ms":0.1}`, `{"seq":1,"rtt_ms":12.25}`} {
		if alike(got) != want {
			t.Errorf("%s is %s, not %s", got, alike(got), want)
		}
	}
	if alike(`{"args":[5.0]}`) == alike(`{"args":[5]}`) {
		t.Error("a float is an integer")
	}
}
