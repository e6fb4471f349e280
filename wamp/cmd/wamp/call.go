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

Ctrl-C cancels the call, which interrupts the callee, and ends with code 130; a second one ends
the program at once.`,
		Example: `  wamp call com.example.add 2 3
  wamp call com.example.search '{"word":"storm"}' -k limit=5 --progress
  wamp call com.example.slow --timeout 5s --mode kill`,
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
				return t.results(s.Call(ctx, args[0], p, options...))
			})
		},
	}
	fs := c.Flags()
	fs.StringArrayVarP(&f.kwargs, "kwarg", "k", nil, "a keyword argument `KEY=VALUE`, as often as there are")
	fs.BoolVarP(&f.progress, "progress", "p", false, "ask for progressive results")
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

// results prints the results of a call as they come.
func (t *tool) results(results wamp.Results) error {
	var first error
	for r := range results {
		if r.Err != nil {
			return r.Err
		}
		if first != nil {
			continue
		}
		p, err := contents(r.Payload)
		if err == nil {
			err = t.show.print(resultLine{r.Progress, p})
		}
		first = err
	}
	return first
}
