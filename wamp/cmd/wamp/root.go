package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// tool is one run of the program.
type tool struct {
	in   io.Reader
	out  io.Writer
	errs *screen

	flags   settings // what the command line says
	name    string   // of the context
	output  string
	format  string
	quiet   bool
	verbose int
	maxTime time.Duration

	asked   sync.Mutex // guards answers, and is held while somebody is asked
	answers map[string]string

	lent        atomic.Bool  // a program of the user's has the terminal: signals are its business
	connections atomic.Int64 // that -vv has shown
	toTheEnd    bool         // an interrupt is how it ends in order
	show        *printer     // what prints results, once the command line has been read
	children    children     // commands that run for invocations
	interrupt   func()       // as the first signal does
	alone       bool         // nobody is there to be asked for a secret
}

// root makes the command of the program.
func (t *tool) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "wamp",
		Short: "A WAMP client for the terminal",
		Long: `wamp calls procedures, publishes, subscribes and serves, over any WAMP router.

Results go to standard output, a JSON object on each line; everything else goes to standard
error. Arguments are JSON where they can be, and strings where they cannot: 5 is a number, "5"
and five are strings.

Each option of the connection can be given by a variable too, WAMP_URL for --url and so on, or
be kept in a context, see wamp help context. An option wins over the variable, and that over the
context.

Exit codes: 0 done, 1 a fault here, 2 wrong usage, 3 an error, or nothing, was the answer, 4 the login or the
realm was refused, 5 no connection, 124 out of time, 130 interrupted, 141 standard output closed.`,
		Example: `  wamp router --demo
  wamp call com.example.add 2 3
  wamp sub com.example.topic`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) (err error) {
			if t.maxTime < 0 {
				return usage("--max-time %v is negative", t.maxTime)
			}
			ctx, _ := t.within(c.Context()) // ends with the program
			c.SetContext(ctx)
			t.show, err = newPrinter(ctx, t.out, t.output, t.format)
			return err
		},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		hint := ""
		if strings.HasPrefix(err.Error(), "unknown shorthand flag") {
			hint = " (an argument that begins with - stands behind --)"
		}
		return &usageError{fmt.Errorf("%w%s; see %s --help", err, hint, c.CommandPath())}
	})
	f := c.PersistentFlags()
	t.flags.addTo(f)
	f.StringVar(&t.name, "context", "", "`name` of the context to use ($WAMP_CONTEXT, or the one that was selected)")
	f.StringVarP(&t.output, "output", "o", outputJSON, "how results are printed: json, raw or pretty")
	f.StringVar(&t.format, "format", "", "a Go `template` for each result, such as '{{index .Args 0}}'; it is given the fields that -o json prints")
	f.BoolVarP(&t.quiet, "quiet", "q", false, "nothing on standard error but errors")
	f.CountVarP(&t.verbose, "verbose", "v", "log what happens to standard error; twice: each message")
	f.DurationVar(&t.maxTime, "max-time", 0, "how long the command may take, 0 for as long as it likes")
	c.CompletionOptions.DisableDefaultCmd = true // ours says how to install it
	c.AddCommand(
		t.benchCommand(),
		t.callCommand(),
		t.completionCommand(),
		t.contextCommand(),
		t.describeCommand(),
		t.keygenCommand(),
		t.killCommand(),
		t.lsCommand(),
		t.pingCommand(),
		t.pubCommand(),
		t.routerCommand(),
		t.serveCommand(),
		t.subCommand(),
		t.traceCommand(),
	)
	checkUsage(c)
	completeFlags(c)
	return c
}

// checkUsage makes the errors of a command's arguments errors of usage.
func checkUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return &usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		checkUsage(sub)
	}
}

// within returns the context of a command, which ends after --max-time.
func (t *tool) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if t.maxTime <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, t.maxTime, errMaxTime)
}

// note tells something on standard error that is no result.
func (t *tool) note(format string, args ...any) {
	if !t.quiet {
		fmt.Fprintln(t.errs, plainly(fmt.Sprintf(format, args...)))
	}
}

// bare is the text of an error without the prefix that all of the library's have.
func bare(err error) string { return strings.TrimPrefix(err.Error(), "wamp: ") }

// plainly is a text for standard error, in which peers may have their say, as one line: with one
// prefix, without what a terminal would obey, and without what the cause of an end says better.
func plainly(text string) string {
	text = strings.NewReplacer("\nwamp: ", "; ", "\n", "; ", "\t", " ", ": wamp: ", ": ",
		"context canceled: interrupted", "interrupted", "context deadline exceeded: --max-time", "--max-time").Replace(text)
	return visible(text)
}

var (
	errInterrupted = errors.New("interrupted")
	errMaxTime     = errors.New("--max-time is over")
)
