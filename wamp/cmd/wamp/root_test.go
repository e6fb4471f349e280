package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// each calls f with each command of the program, but for those of cobra's own.
func eachCommand(f func(c *cobra.Command)) {
	u := &tool{errs: &screen{}}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() != "help" {
			f(c)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(u.root())
}

// Each command says what it does, and has an example of which each line that calls this
// program can be parsed.
func TestHelp(t *testing.T) {
	t.Parallel()
	commands, calls := 0, 0
	eachCommand(func(c *cobra.Command) {
		commands++
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s: there is no text or no example", c.CommandPath())
		}
		if strings.HasSuffix(c.Short, ".") || len(c.Short) > 70 {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		for n, line := range strings.Split(c.Long, "\n") {
			if len(line) > 112 {
				t.Errorf("%s: line %d of the text has %d characters", c.CommandPath(), n+1, len(line))
			}
		}
		for line := range strings.SplitSeq(c.Example, "\n") {
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: the example %q does not stand two spaces in", c.CommandPath(), line)
			}
			for _, words := range invocations(line) {
				calls++
				if err := parses(words); err != nil {
					t.Errorf("%s: %s: %v", c.CommandPath(), line, err)
				}
			}
		}
	})
	if commands < 7 || calls < 20 {
		t.Errorf("only %d commands and %d lines are looked at", commands, calls)
	}
}

// invocations are the words of those commands of a line of the shell that are this program.
func invocations(line string) (calls [][]string) {
	for _, words := range shellCommands(line) {
		if words[0] == "wamp" {
			calls = append(calls, words[1:])
		}
	}
	return calls
}

// shellCommands cuts a line at what stands between commands, and each into words.
func shellCommands(line string) (commands [][]string) {
	var words []string
	var word strings.Builder
	quote, begun := rune(0), false
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	cut := func() {
		if end(); len(words) > 0 {
			commands = append(commands, words)
		}
		words = nil
	}
	for _, r := range line {
		switch {
		case r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ':
			end()
		case strings.ContainsRune("|&;<>()", r):
			cut()
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	cut()
	return commands
}

// parses reports what is wrong with a command line, without running it.
func parses(words []string) error {
	u := &tool{errs: &screen{}}
	c, rest, err := u.root().Find(words)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if err := c.ValidateRequiredFlags(); err != nil || c.Args == nil {
		return err
	}
	return c.Args(c, c.Flags().Args())
}

func TestShellCommands(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{
		`a 'b c' "d"`: 3, `a | b`: 1, `a ''`: 2, `a <(b c)`: 1, `a '|' b`: 3,
	} {
		if got := shellCommands(line); len(got[0]) != want {
			t.Errorf("%s: %q", line, got)
		}
	}
	for _, line := range []string{"call", "call a --nothing", "serve a b", "nothing", "pub"} {
		if parses(strings.Fields(line)) == nil {
			t.Errorf("%s has passed", line)
		}
	}
}
