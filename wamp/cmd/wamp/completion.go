package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

func (t *tool) completionCommand() *cobra.Command {
	shells := map[string]func(root *cobra.Command) error{
		"bash":       func(root *cobra.Command) error { return root.GenBashCompletionV2(t.show, true) },
		"zsh":        func(root *cobra.Command) error { return root.GenZshCompletion(t.show) },
		"fish":       func(root *cobra.Command) error { return root.GenFishCompletion(t.show, true) },
		"powershell": func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(t.show) },
	}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes command lines",
		Long: `completion prints a script by which a shell completes commands, flags and their values, contexts, and
the procedures, topics and sessions that the router knows. For those it is asked, within two seconds, by the
options of the connection that stand on the line, in the environment or in the context; where a
secret would have to be asked for, nothing is completed.`,
		Example: `  source <(wamp completion bash)
  wamp completion bash >~/.local/share/bash-completion/completions/wamp
  wamp completion zsh >"${fpath[1]}/_wamp"
  wamp completion fish >~/.config/fish/completions/wamp.fish
  wamp completion powershell | Out-String | Invoke-Expression`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE:      func(c *cobra.Command, args []string) error { return shells[args[0]](c.Root()) },
	}
}

// flagValues are the values of flags that have few.
var flagValues = map[string][]string{
	"output":     {outputJSON, outputRaw, outputPretty},
	"auth":       authMethods,
	"serializer": {"cbor", "msgpack", "json"},
	"mode":       {"kill", "killnowait", "skip"},
	"match":      {"exact", "prefix", "wildcard"},
	"invoke":     invokePolicies,
	"key":        {agentKey},
}

// completeFlags completes the values of flags, of a command and those below it. Values that are
// not known are not completed with files, but for those that name one.
func completeFlags(c *cobra.Command) {
	for _, fs := range []*pflag.FlagSet{c.LocalNonPersistentFlags(), c.PersistentFlags()} {
		fs.VisitAll(func(f *pflag.Flag) {
			if _, there := c.GetFlagCompletionFunc(f.Name); there {
				return
			}
			kind, _ := pflag.UnquoteUsage(f)
			values, known := flagValues[f.Name]
			var complete cobra.CompletionFunc
			switch {
			case f.Name == "context":
				complete = completeContexts
			case kind == "file" && known:
				complete = cobra.FixedCompletions(values, cobra.ShellCompDirectiveDefault)
			case kind == "file":
				return
			default:
				complete = cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
			}
			_ = c.RegisterFlagCompletionFunc(f.Name, complete)
		})
	}
	if c.ValidArgsFunction == nil && c.ValidArgs == nil && !c.HasSubCommands() {
		c.ValidArgsFunction = cobra.NoFileCompletions // no argument is a file, unless a command says so
	}
	for _, sub := range c.Commands() {
		completeFlags(sub)
	}
}

// Bounds of asking the router for URIs.
const (
	completionTime = 2 * time.Second
	mostURIs       = 500
	urisAtOnce     = 16
)

// uris asks a router for URIs, and calls found with each, until ctx ends.
type uris func(ctx context.Context, api meta.API, found func(uri string, match wamp.MatchPolicy))

// completeURIs completes the first argument with URIs that the router knows. It says nothing
// of errors, asks nobody for a secret, and gives what it has when the time is over.
func (t *tool) completeURIs(ask ...uris) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && c.Name() != "sub" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return t.askURIs(c, begun, c.Name() == "sub" || c.Name() == "describe", ask...)
	}
}

// completeFlagURIs completes the value of a flag.
func (t *tool) completeFlagURIs(ask uris) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return t.askURIs(c, begun, false, ask)
	}
}

// askURIs asks the router for URIs that begin so, and for wildcards where patterns are of use.
func (t *tool) askURIs(c *cobra.Command, begun string, patterns bool, ask ...uris) ([]string, cobra.ShellCompDirective) {
	var mu sync.Mutex
	var list []string
	directive := cobra.ShellCompDirectiveNoFileComp
	t.askRouter(c, func(ctx context.Context, api meta.API) {
		for _, a := range ask {
			a(ctx, api, func(uri string, match wamp.MatchPolicy) {
				mu.Lock()
				defer mu.Unlock()
				if !strings.HasPrefix(uri, begun) || !forShell(uri) || match == wamp.Wildcard && !patterns {
					return
				}
				if match == wamp.Prefix {
					directive |= cobra.ShellCompDirectiveNoSpace // it goes on
				}
				list = append(list, uri)
			})
		}
	})
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(list)
	return slices.Compact(list), directive
}

// askRouter runs f with a router, if there is one that lets in without a question.
func (t *tool) askRouter(c *cobra.Command, f func(ctx context.Context, api meta.API)) {
	t.alone, t.verbose = true, 0
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	s, err := t.connect(ctx, c)
	if err != nil {
		return
	}
	defer t.close(ctx, s)
	f(ctx, meta.Of(s))
}

// forShell reports whether a name that a peer has chosen may stand on a command line: nothing in
// it means anything to a shell, and nothing to a terminal.
func forShell(name string) bool {
	return name != "" && name[0] != '-' && strings.IndexFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-:/@+,", r)
	}) < 0
}

// completeSessions completes ids of sessions, each with who it is.
func (t *tool) completeSessions(c *cobra.Command, given []string, _ string) (list []string, _ cobra.ShellCompDirective) {
	t.eachSession(c, func(s meta.SessionInfo) {
		if id := strconv.FormatUint(uint64(s.Session), 10); !slices.Contains(given, id) {
			list = append(list, cobra.CompletionWithDesc(id, visible(s.AuthID+" "+s.AuthRole)))
		}
	})
	slices.Sort(list)
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeNames completes what sessions are called.
func (t *tool) completeNames(of func(meta.SessionInfo) string) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) (list []string, _ cobra.ShellCompDirective) {
		t.eachSession(c, func(s meta.SessionInfo) {
			if name := of(s); forShell(name) {
				list = append(list, name)
			}
		})
		slices.Sort(list)
		return slices.Compact(list), cobra.ShellCompDirectiveNoFileComp
	}
}

// eachSession calls f with the sessions of the realm, one by one.
func (t *tool) eachSession(c *cobra.Command, f func(meta.SessionInfo)) {
	t.askRouter(c, func(ctx context.Context, api meta.API) {
		ids, err := api.ListSessions(ctx)
		if err != nil {
			return
		}
		var mu sync.Mutex
		each(ids, func(id wamp.ID) {
			if s, err := api.GetSession(ctx, id); err == nil {
				mu.Lock()
				defer mu.Unlock()
				f(s)
			}
		})
	})
}

// registered asks for procedures.
func registered(ctx context.Context, api meta.API, found func(uri string, match wamp.MatchPolicy)) {
	ids, err := api.ListRegistrations(ctx)
	if err != nil {
		return
	}
	each(ids.All(), func(id wamp.ID) {
		if r, err := api.GetRegistration(ctx, id); err == nil {
			found(r.URI, r.Match)
		}
	})
}

// subscribed asks for topics.
func subscribed(ctx context.Context, api meta.API, found func(uri string, match wamp.MatchPolicy)) {
	ids, err := api.ListSubscriptions(ctx)
	if err != nil {
		return
	}
	each(ids.All(), func(id wamp.ID) {
		if s, err := api.GetSubscription(ctx, id); err == nil {
			found(s.URI, s.Match)
		}
	})
}

// each calls f with each id, some at a time, and not with more than a bound.
func each(ids []wamp.ID, f func(wamp.ID)) {
	var group sync.WaitGroup
	places := make(chan struct{}, urisAtOnce)
	for _, id := range ids[:min(len(ids), mostURIs)] {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			f(id)
		})
	}
	group.Wait()
}
