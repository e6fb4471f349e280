package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
)

// serveFlags are what a registration and its commands can be told.
type serveFlags struct {
	match       string
	invoke      string
	concurrency int
	grace       time.Duration
	once        bool
	each        bool
	disclose    bool
	options     []string
	noReconnect bool
}

func (t *tool) serveCommand() *cobra.Command {
	f := serveFlags{concurrency: 16, grace: 5 * time.Second}
	c := &cobra.Command{
		Use:   "serve PROCEDURE -- COMMAND [ARG...]",
		Short: "Serve a procedure with a command",
		Long: `serve registers a procedure, and runs the command for each invocation.

On its standard input the command gets the payload as a line of JSON, {"args":[...],"kwargs":{...}}, or
with -o raw each argument as a line of text; of a progressive call each chunk, as it comes. Each line
of its standard output is a progressive result, where the caller asked for them, and the last one the
result. A line is JSON, or else a string, which with -o raw it always is; a JSON object of "args" and
"kwargs" is a whole payload. Since a line is known to be the last one at the end only, it is sent when
the next one comes, but at once if it has "progress":true too, or with --each, where the result is
empty. Without a line the result is empty.

A command that fails is answered for with wamp.error.runtime_error, and what it said on standard error
last; if that is JSON, {"error":"com.example.oops","args":[...]}, with this error. So does
wamp call end, and one can stand behind serve. Standard error is passed on.

An invocation that is cancelled interrupts the command (SIGINT to its process group), and --grace later
kills it. It has $WAMP_PROCEDURE, $WAMP_PROGRESS=1 where the caller asked for progressive results, and
$WAMP_CALLER, $WAMP_CALLER_AUTHID and $WAMP_CALLER_AUTHROLE where the router says who calls, see
--disclose-caller. It does not have $WAMP_SECRET.

Ctrl-C takes no more invocations, lets the commands end for as long as --grace, and then interrupts
them. A second one kills them.`,
		Example: `  wamp serve com.example.upper -o raw -- tr a-z A-Z
  wamp serve com.example.keys -- jq -c --unbuffered '.args[0] | keys'
  wamp serve com.example.job --match prefix --concurrency 2 -- ./job.sh
  wamp serve com.example.logs --each -o raw -- journalctl --follow
  wamp serve com.example.forward -- wamp call --realm realm2 com.example.add 1 2`,
		Args: func(c *cobra.Command, args []string) error {
			switch n := c.ArgsLenAtDash(); {
			case n < 0:
				return fmt.Errorf("-- has to stand between the procedure and the command")
			case n != 1:
				return fmt.Errorf("one procedure has to stand before --, and not %d", n)
			case len(args) < 2:
				return fmt.Errorf("a command has to stand behind --")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			options, err := f.list()
			if err != nil {
				return err
			}
			if _, err := exec.LookPath(args[1]); err != nil {
				return usage("%w", err)
			}
			s, err := t.connect(c.Context(), c, lasting(f.noReconnect, false)...)
			if err != nil {
				return err
			}
			return t.serve(c.Context(), s, args[0], args[1:], options, &f)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.match, "match", "", "what PROCEDURE is: `policy` exact (default), prefix or wildcard")
	fs.StringVar(&f.invoke, "invoke", "", "share the procedure with other callees: `policy` single (default), roundrobin, random, first or last")
	fs.IntVar(&f.concurrency, "concurrency", f.concurrency, "how many commands run at once; other invocations wait")
	fs.DurationVar(&f.grace, "grace", f.grace, "how long a command may go on when it was interrupted")
	fs.BoolVar(&f.once, "once", false, "end after the first invocation")
	fs.BoolVar(&f.each, "each", false, "every line is a progressive result at once, the result is empty")
	fs.BoolVar(&f.disclose, "disclose-caller", false, "ask the router to say who calls")
	fs.StringArrayVarP(&f.options, "option", "O", nil, "an option of the REGISTER message, `KEY=VALUE`")
	fs.BoolVar(&f.noReconnect, "no-reconnect", false, "end when the connection is lost")
	return c
}

// invokePolicies are the values of --invoke.
var invokePolicies = []string{"single", "roundrobin", "random", "first", "last"}

// list returns the options of the library.
func (f *serveFlags) list() (options []wamp.RegisterOption, err error) {
	switch {
	case f.concurrency < 1:
		return nil, usage("--concurrency %d is less than 1", f.concurrency)
	case f.grace < 0:
		return nil, usage("--grace %v is negative", f.grace)
	}
	match, err := matchPolicy(f.match)
	if err != nil {
		return nil, err
	}
	options = append(options, wamp.Match(match), wamp.Concurrency(f.concurrency))
	if f.invoke != "" {
		if !slices.Contains(invokePolicies, f.invoke) {
			return nil, usage("--invoke %q is none of %s", f.invoke, strings.Join(invokePolicies, ", "))
		}
		options = append(options, wamp.Invoke(wamp.InvokePolicy(f.invoke)))
	}
	if f.disclose {
		options = append(options, wamp.DiscloseCaller())
	}
	set, err := pairs("--option", f.options)
	for k, v := range set {
		options = append(options, wamp.Set(k, v))
	}
	return options, err
}

// serve registers the procedure, and closes the session in the end: first nothing more is
// taken, then what runs is interrupted.
func (t *tool) serve(ctx context.Context, s *wamp.Session, procedure string, command []string, options []wamp.RegisterOption, f *serveFlags) error {
	var begun atomic.Bool
	done := make(chan struct{})
	service, err := s.Handle(context.WithoutCancel(ctx), procedure, func(ctx context.Context, inv *wamp.Invocation) error {
		if f.once {
			if begun.Swap(true) {
				return inv.Decline()
			}
			defer close(done)
		}
		return t.runFor(ctx, inv, command, f)
	}, options...)
	if err != nil {
		t.close(ctx, s)
		return err
	}
	t.note("wamp: serving %s", procedure)
	go t.tellStates(ctx, s)
	select {
	case <-ctx.Done():
		err = endedBy(ctx, context.Cause(ctx))
	case <-service.Done():
		err = service.Err()
	case <-done:
	}
	if n := t.children.count(); n > 0 && ctx.Err() != nil {
		t.note("wamp: %d commands still run; they have %v", n, f.grace)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.grace+time.Second)
	defer cancel()
	_ = s.Drain(end) // its error names the handlers that are left, which are waited for now
	t.close(ctx, s)
	t.children.all.Wait()
	return err
}

// runFor runs the command for an invocation.
func (t *tool) runFor(ctx context.Context, inv *wamp.Invocation, command []string, f *serveFlags) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	ofOwn(cmd)
	if cmd.WaitDelay = f.grace; f.grace > 0 {
		cmd.Cancel = func() error { return interruptGroup(cmd.Process) }
	}
	cmd.Env = childEnviron(inv)
	c := &child{t: t, inv: inv, cmd: cmd, raw: t.output == outputRaw, each: f.each}
	return c.run(ctx)
}

// childEnviron is the environment of a command.
func childEnviron(inv *wamp.Invocation) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, secretVariable+"=") {
			env = append(env, v)
		}
	}
	env = append(env, "WAMP_PROCEDURE="+inv.Procedure())
	if inv.Progressive() {
		env = append(env, "WAMP_PROGRESS=1")
	}
	if by := inv.Caller(); by.Session != 0 {
		env = append(env, "WAMP_CALLER="+strconv.FormatUint(uint64(by.Session), 10),
			"WAMP_CALLER_AUTHID="+by.AuthID, "WAMP_CALLER_AUTHROLE="+by.AuthRole)
	}
	return env
}
