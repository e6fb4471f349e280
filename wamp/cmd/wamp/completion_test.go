package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// completes compares what a shell is told for a command line; directive is cobra's number.
func (b *bench) completes(line, directive string, want ...string) {
	b.Helper()
	words := strings.Split(line, " ")
	got := b.run(append([]string{"__complete"}, words...)...)
	list := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	for i := range list {
		list[i], _, _ = strings.Cut(list[i], "\t")
	}
	if text := strings.Join(list, " "); got.code != 0 || text != strings.Join(append(want, directive), " ") {
		b.Errorf("%q completes to %d, %q, and not %q", line, got.code, text, want)
	}
	if errs := strings.Split(strings.TrimSpace(got.errs), "\n"); len(errs) != 1 || !strings.HasPrefix(errs[0], "Completion ended with directive") {
		b.Errorf("%q says %q", line, got.errs)
	}
}

const (
	noFiles  = ":4"
	noSpace  = ":6" // and no files
	anyFiles = ":0"
)

func TestCompletion(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"com.example.sum", "com.example.count", "org.example.x"} {
		b.handle(name, echo)
	}
	b.handle("com.wild", echo, wamp.Match(wamp.Prefix))
	b.handle("com..any", echo, wamp.Match(wamp.Wildcard))
	b.subscribe("com.topic.a")
	b.subscribe("com.topic", wamp.Match(wamp.Prefix))
	b.completes("call com.example.", noFiles, "com.example.count", "com.example.sum")
	b.completes("call org", noFiles, "org.example.x")
	b.completes("call com.w", noSpace, "com.wild")
	b.completes("call com.example.sum ", noFiles)
	b.completes("call nothing", noFiles)
	b.completes("pub com.topic.", noFiles, "com.topic.a")
	b.completes("sub com.topic.a com.topic.", noFiles, "com.topic.a")
	b.completes("call -vv com.example.s", noFiles, "com.example.sum")
	b.completes("call --realm nowhere com.", noFiles)
	b.completes("call --url ws://127.0.0.1:1/ws com.", noFiles)
	b.completes("serve ", noFiles)
	b.completes("serve a.b -- ca", anyFiles)
	b.completes("call --mode ", noFiles, "kill", "killnowait", "skip")
	b.completes("call --mode killn", noFiles, "kill", "killnowait", "skip") // shells look at what is there themselves
	b.completes("call -o ", noFiles, "json", "raw", "pretty")
	b.completes("sub --match ", noFiles, "exact", "prefix", "wildcard")
	b.completes("serve --invoke ", noFiles, "single", "roundrobin", "random", "first", "last")
	b.completes("ping --auth ", noFiles, authMethods...)
	b.completes("ping --serializer ", noFiles, "cbor", "msgpack", "json")
	b.completes("ping --key s", anyFiles, "ssh-agent")
	b.completes("ping --ca ", anyFiles)
	b.completes("ping --realm ", noFiles)
	b.completes("completion ", noFiles, "bash", "zsh", "fish", "powershell")
	dir := filepath.Join(b.config, "wamp")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one.json", "other.json", "selected"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.completes("ping --context o", noFiles, "one", "other")
}

// Where a secret would have to be asked for nobody is, and a router that is silent is not
// waited for longer than two seconds.
func TestCompletionWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithLogins(tickets))
	b.completes("call --auth ticket --authid joe com.", noFiles)
	silent := newBench(t, wamptest.WithAccept(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	silent.completes("call com.", noFiles)
}

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := b.run("completion", shell); got.code != 0 || !strings.Contains(got.out, "__complete") || got.errs != "" {
			t.Errorf("%s: %d, %d bytes, %s", shell, got.code, len(got.out), got.errs)
		}
	}
	b.expect(b.run("completion", "csh"), exitUsage, "", "csh")
	b.expect(b.run("completion"), exitUsage, "", "completion --help")
}

// What a peer calls itself stands on a command line only where no shell can make anything of it.
func TestForShell(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"com.example.add", "com..any", "a-b_c:d/e@f+g,h", "größe.日本"} {
		if !forShell(name) {
			t.Errorf("%q is left out", name)
		}
	}
	for _, name := range []string{"", "-x", "--url=ws://evil", "a$(reboot)", "a`b`", "a;b", "a b", "a\tb", "a\nb", "a'b", `a"b`, `a\b`, "a|b", "a&b", "a>b", "a*", "~a", "a!b", "a\x1b[2J", "a\u202eb", "a\xff", "a=b", "%1"} {
		if forShell(name) {
			t.Errorf("%q may stand there", name)
		}
	}
}

func TestCompletionOfWhatThereIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, wamptest.WithLogins(anonymousAs("joe", "guest")))
	b.handle("com.example.sum", echo)
	b.handle("com.example.$(reboot)", echo)
	b.handle("com..any", echo, wamp.Match(wamp.Wildcard))
	b.subscribe("com.example.topic")
	b.completes("call com.example.", noFiles, "com.example.sum")
	b.completes("describe com.", noFiles, "com..any", "com.example.sum", "com.example.topic")
	b.completes("bench call --procedure com.", noFiles, "com.example.sum")
	b.completes("bench pub --topic com.", noFiles, "com.example.topic")
	b.completes("kill --by-authid ", noFiles, "joe")
	b.completes("kill --by-role ", noFiles, "guest")
	b.completes("ls s", noFiles, "sessions", "procedures", "topics")
	b.completes("context select ", noFiles)
	for _, line := range []string{"ping ", "keygen ", "router ", "bench call ", "trace ", "context add ", "context ls "} {
		b.completes(line, noFiles)
	}
	id := strings.Fields(b.run("ls", "sessions", "-o", "raw").out)[0]
	if got := b.run("__complete", "kill", ""); !strings.Contains(got.out, "\tjoe guest\n") {
		t.Errorf("%q", got.out)
	}
	if got := b.run("__complete", "kill", id, ""); strings.Contains(got.out, id) {
		t.Errorf("%q", got.out)
	}
}
