package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
)

// callFlags are what a call can be told.
type callFlags struct {
	kwargs   []string
	progress bool
	stdin    bool
	mode     string
	timeout  time.Duration
	rkey     string
	options  []string
	disclose bool
}

// resultLine is a result as it is printed.
type resultLine struct {
	Progress bool `json:"progress,omitempty"`
	content
}

func (t *tool) callCommand() *cobra.Command {
	var f callFlags
	c := &cobra.Command{
		Use:   "call PROCEDURE [ARG...]",
		Short: "Call a procedure",
		Long: `call calls a procedure and prints its results: with --progress the progressive ones as they come.

With --stdin it is a progressive call: each line of standard input is a chunk, as soon as it is
there, and what stands on the command line is the first one. A line is JSON, or else a string; a
JSON object of "args" and "kwargs" is a whole payload. Results are printed meanwhile. The call
ends with the answer of the callee, whether standard input has ended or not.

Ctrl-C cancels the call, which interrupts the callee, and ends with code 130; a second one ends
the program at once. With --mode kill the callee's answer is waited for, and printed. Code 141
says that nobody reads standard output any more, which cancels the call too.`,
		Example: `  wamp call com.example.add 2 3
  wamp call com.example.search '{"word":"storm"}' -k limit=5 --progress
  wamp call com.example.slow --timeout 5s --mode kill
  tail -f log | wamp call com.example.count --stdin --progress -o raw`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := arguments(args[1:], f.kwargs)
			if err != nil {
				return err
			}
			options, err := f.list()
			if err != nil {
				return err
			}
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				ctx, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				if !f.stdin {
					return t.results(s.Call(ctx, args[0], p, options...), cancel)
				}
				return t.results(s.CallFunc(ctx, args[0], t.chunks(p), options...), cancel)
			})
		},
		ValidArgsFunction: t.completeURIs(registered),
	}
	fs := c.Flags()
	fs.StringArrayVarP(&f.kwargs, "kwarg", "k", nil, "a keyword argument `KEY=VALUE`, as often as there are")
	fs.BoolVarP(&f.progress, "progress", "p", false, "ask for progressive results")
	fs.BoolVar(&f.stdin, "stdin", false, "each line of standard input is a chunk of a progressive call")
	fs.StringVar(&f.mode, "mode", "", "how Ctrl-C cancels: `mode` kill, killnowait (default) or skip")
	fs.DurationVar(&f.timeout, "timeout", 0, "longest time between results")
	fs.StringVar(&f.rkey, "rkey", "", "routing `key` for sharded registrations")
	fs.StringArrayVarP(&f.options, "option", "O", nil, "an option of the CALL message, `KEY=VALUE`")
	fs.BoolVar(&f.disclose, "disclose", false, "tell the callee who calls")
	return c
}

// list returns the options of the library.
func (f *callFlags) list() (options []wamp.CallOption, err error) {
	if f.progress {
		options = append(options, wamp.Progressive())
	}
	switch f.mode {
	case "":
	case "kill":
		options = append(options, wamp.CancelMode(wamp.Kill))
	case "killnowait":
		options = append(options, wamp.CancelMode(wamp.KillNoWait))
	case "skip":
		options = append(options, wamp.CancelMode(wamp.Skip))
	default:
		return nil, usage("--mode %q is none of kill, killnowait, skip", f.mode)
	}
	if f.timeout < 0 {
		return nil, usage("--timeout %v is negative", f.timeout)
	}
	if f.timeout > 0 {
		options = append(options, wamp.Timeout(f.timeout))
	}
	if f.rkey != "" {
		options = append(options, wamp.RoutingKey(f.rkey))
	}
	if f.disclose {
		options = append(options, wamp.DiscloseMe())
	}
	set, err := pairs("--option", f.options)
	for k, v := range set {
		options = append(options, wamp.Set(k, v))
	}
	return options, err
}

// chunks produces the chunks of a progressive call: first, unless it is empty, and then the
// lines of standard input.
func (t *tool) chunks(first wamp.Payload) func(ctx context.Context, send func(wamp.Payload) error) error {
	return func(ctx context.Context, send func(wamp.Payload) error) error {
		if !first.Empty() {
			if err := send(first); err != nil {
				return err
			}
		}
		return t.eachLine(ctx, send)
	}
}

// eachLine calls f with the payload of each line of standard input.
func (t *tool) eachLine(ctx context.Context, f func(wamp.Payload) error) error {
	in := lines(ctx, t.in)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l, ok := <-in:
			if !ok {
				return nil
			}
			p, err := l.payload()
			if err != nil {
				return err
			}
			if err := f(p); err != nil {
				return err
			}
		}
	}
}

// results prints the results of a call as they come. What cannot be printed cancels the call.
func (t *tool) results(results wamp.Results, cancel context.CancelCauseFunc) error {
	bar := t.bar(-1, "results")
	defer bar.done()
	var first error
	for r := range results {
		bar.add(1)
		if first != nil {
			continue
		}
		if r.Err != nil {
			return r.Err
		}
		p, err := contents(r.Payload)
		if err == nil {
			err = t.show.print(resultLine{r.Progress, p})
		}
		if err != nil {
			first = err
			cancel(err)
		}
	}
	return first
}
