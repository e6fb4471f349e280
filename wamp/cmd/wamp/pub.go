package main

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
)

// pubFlags are what a publish can be told.
type pubFlags struct {
	kwargs    []string
	ack       bool
	stdin     bool
	template  bool
	count     int
	every     time.Duration
	window    int
	retain    bool
	exclude   []string
	eligible  []string
	excludeMe bool
	rkey      string
	options   []string
	disclose  bool
}

// publicationLine is a publication as it is printed.
type publicationLine struct {
	Publication wamp.ID `json:"publication"`
}

func (l publicationLine) raw() []any { return []any{uint64(l.Publication)} }

func (t *tool) pubCommand() *cobra.Command {
	f := pubFlags{count: 1, excludeMe: true}
	c := &cobra.Command{
		Use:   "pub TOPIC [ARG...]",
		Short: "Publish events",
		Long: `pub publishes an event. With --ack it waits until the router has taken it, and prints the id of the
publication; without, nobody learns whether the router has refused it.

With --stdin each line of standard input is an event, as soon as it is there: JSON, or else a
string; a JSON object of "args" and "kwargs" is a whole payload. With --count the event is
published as often, and with --template its arguments are Go templates before that, in which .N
is the number of the event, from 1. In both cases every event is acknowledged, a few at a time
are on their way (--window), and the first that is refused ends the command.`,
		Example: `  wamp pub com.example.news '{"title":"storm"}' --ack
  wamp pub com.example.tick --count 10 --every 1s --template 'tick {{.N}}'
  wamp pub com.example.state on --retain --exclude-me=false
  wamp pub com.example.news hi --eligible authid=joe --eligible role=admin --exclude 4711
  zcat events.jsonl.gz | wamp pub com.example.events --stdin`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			many := f.stdin || c.Flags().Changed("count")
			if err := f.check(c, args, many); err != nil {
				return err
			}
			options, err := f.list()
			if err != nil {
				return err
			}
			payload, err := f.payloads(args[1:])
			if err != nil {
				return err
			}
			first, err := payload(1) // what is wrong is found before anything is sent
			if err != nil {
				return err
			}
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				switch {
				case f.stdin:
					return t.publishAll(ctx, s, args[0], t.eachLine, &f, options)
				case many:
					return t.publishAll(ctx, s, args[0], f.repeated(payload), &f, options)
				}
				return t.publish(ctx, s, args[0], first, f.ack, options)
			})
		},
		ValidArgsFunction: t.completeURIs(subscribed),
	}
	fs := c.Flags()
	fs.StringArrayVarP(&f.kwargs, "kwarg", "k", nil, "a keyword argument `KEY=VALUE`, as often as there are")
	fs.BoolVar(&f.ack, "ack", false, "wait for the router, and print the id of the publication")
	fs.BoolVar(&f.stdin, "stdin", false, "each line of standard input is an event")
	fs.IntVarP(&f.count, "count", "n", f.count, "how often to publish")
	fs.DurationVar(&f.every, "every", 0, "pause between two with --count")
	fs.BoolVar(&f.template, "template", false, "arguments are Go templates, with .N for the number of the event")
	fs.IntVar(&f.window, "window", 0, "how many events may wait for their acknowledgement, with --stdin and --count (default 24)")
	fs.BoolVar(&f.retain, "retain", false, "keep the event for those who subscribe later")
	fs.StringArrayVar(&f.exclude, "exclude", nil, "`who` does not get it: a session's ID, authid=NAME or role=NAME")
	fs.StringArrayVar(&f.eligible, "eligible", nil, "`who` gets it, and nobody else: a session's ID, authid=NAME or role=NAME")
	fs.BoolVar(&f.excludeMe, "exclude-me", f.excludeMe, "the publisher does not get it")
	fs.StringVar(&f.rkey, "rkey", "", "routing `key` for sharded subscriptions")
	fs.StringArrayVarP(&f.options, "option", "O", nil, "an option of the PUBLISH message, `KEY=VALUE`")
	fs.BoolVar(&f.disclose, "disclose", false, "tell the subscribers who publishes")
	return c
}

// check finds flags that do not go together.
func (f *pubFlags) check(c *cobra.Command, args []string, many bool) error {
	switch {
	case f.count < 1:
		return usage("--count %d is less than 1", f.count)
	case f.every < 0:
		return usage("--every %v is negative", f.every)
	case f.window < 0:
		return usage("--window %d is negative", f.window)
	case f.stdin && c.Flags().Changed("count"):
		return usage("--stdin and --count exclude each other")
	case f.stdin && (len(args) > 1 || len(f.kwargs) > 0):
		return usage("with --stdin the arguments come from there")
	case f.stdin && f.template:
		return usage("--stdin and --template exclude each other")
	case f.every > 0 && !c.Flags().Changed("count"):
		return usage("--every without --count")
	case f.window > 0 && !many:
		return usage("--window without --stdin or --count")
	}
	return nil
}

// list returns the options of the library.
func (f *pubFlags) list() (options []wamp.EventOption, err error) {
	if f.retain {
		options = append(options, wamp.Retain())
	}
	if !f.excludeMe {
		options = append(options, wamp.ExcludeMe(false))
	}
	if f.rkey != "" {
		options = append(options, wamp.RoutingKey(f.rkey))
	}
	if f.disclose {
		options = append(options, wamp.DiscloseMe())
	}
	for _, who := range []struct {
		flag                 string
		names                []string
		sessions             func(...wamp.ID) wamp.EventOption
		byAuthID, byAuthRole func(...string) wamp.EventOption
	}{
		{"--exclude", f.exclude, wamp.Exclude, wamp.ExcludeAuthID, wamp.ExcludeAuthRole},
		{"--eligible", f.eligible, wamp.Eligible, wamp.EligibleAuthID, wamp.EligibleAuthRole},
	} {
		sessions, authids, roles, err := parties(who.flag, who.names)
		if err != nil {
			return nil, err
		}
		if sessions != nil {
			options = append(options, who.sessions(sessions...))
		}
		if authids != nil {
			options = append(options, who.byAuthID(authids...))
		}
		if roles != nil {
			options = append(options, who.byAuthRole(roles...))
		}
	}
	set, err := pairs("--option", f.options)
	for k, v := range set {
		options = append(options, wamp.Set(k, v))
	}
	return options, err
}

// parties reads who is meant: ids of sessions, authids, roles.
func parties(flag string, names []string) (sessions []wamp.ID, authids, roles []string, err error) {
	for _, name := range names {
		kind, value, ok := strings.Cut(name, "=")
		id, wrong := strconv.ParseUint(name, 10, 53)
		switch {
		case wrong == nil && id > 0:
			sessions = append(sessions, wamp.ID(id))
		case ok && kind == "authid" && value != "":
			authids = append(authids, value)
		case ok && kind == "role" && value != "":
			roles = append(roles, value)
		default:
			return nil, nil, nil, usage("%s %q is none of ID, authid=NAME, role=NAME", flag, name)
		}
	}
	return sessions, authids, roles, nil
}

// payloads returns what makes the payload of each event, which are numbered from 1.
func (f *pubFlags) payloads(args []string) (func(n int) (wamp.Payload, error), error) {
	if !f.template {
		p, err := arguments(args, f.kwargs)
		return func(int) (wamp.Payload, error) { return p, err }, err
	}
	texts := append(append([]string{}, args...), f.kwargs...)
	templates := make([]*template.Template, len(texts))
	for i, text := range texts {
		var err error
		if templates[i], err = template.New(text).Parse(text); err != nil {
			return nil, usage("--template: %w", err)
		}
	}
	return func(n int) (wamp.Payload, error) {
		made := make([]string, len(templates))
		for i, t := range templates {
			var b strings.Builder
			if err := t.Execute(&b, struct{ N int }{n}); err != nil {
				return wamp.Payload{}, usage("--template: %w", err)
			}
			made[i] = b.String()
		}
		return arguments(made[:len(args)], made[len(args):])
	}, nil
}

// producer gives events to f, one by one.
type producer func(ctx context.Context, f func(wamp.Payload) error) error

// repeated produces the events of --count.
func (f *pubFlags) repeated(payload func(n int) (wamp.Payload, error)) producer {
	return func(ctx context.Context, send func(wamp.Payload) error) error {
		for n := 1; n <= f.count; n++ {
			if n > 1 && f.every > 0 {
				if err := rest(ctx, f.every); err != nil {
					return err
				}
			}
			p, err := payload(n)
			if err != nil {
				return err
			}
			if err := send(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// publish publishes one event.
func (t *tool) publish(ctx context.Context, s *wamp.Session, topic string, p wamp.Payload, ack bool, options []wamp.EventOption) error {
	var list []wamp.PublishOption
	for _, o := range options {
		list = append(list, o)
	}
	if !ack {
		_, err := s.Publish(ctx, topic, p, list...).Wait()
		return err
	}
	id, err := s.Publish(ctx, topic, p, append(list, wamp.Acknowledge())...).Wait()
	if err != nil {
		return err
	}
	return t.show.print(publicationLine{id})
}

// publishAll publishes what produce gives, and tells how much of it was acknowledged.
func (t *tool) publishAll(ctx context.Context, s *wamp.Session, topic string, produce producer, f *pubFlags, options []wamp.EventOption) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total := int64(-1)
	if !f.stdin {
		total = int64(f.count)
	}
	progress := t.bar(total, "published")
	defer progress.done()
	var list []wamp.PublishStreamOption
	for _, o := range options {
		list = append(list, o)
	}
	if f.window > 0 {
		list = append(list, wamp.Window(f.window))
	}
	var sent atomic.Int64
	acks := s.PublishFunc(ctx, topic, func(ctx context.Context, send func(wamp.Payload) error) error {
		return produce(ctx, func(p wamp.Payload) error {
			err := send(p)
			if err == nil {
				sent.Add(1)
			}
			return err
		})
	}, list...)
	var acknowledged, refused int64
	var first error
	for ack := range acks {
		err := ack.Err
		switch {
		case err == nil:
			acknowledged++
			progress.add(1)
			if f.ack && first == nil {
				err = t.show.print(publicationLine{ack.ID})
			}
		case wamp.ErrorURI(err) != "":
			refused++
		}
		if err != nil && first == nil {
			first = err
			cancel(err)
		}
	}
	progress.done()
	t.note("wamp: published %d events", acknowledged)
	if left := sent.Load() - acknowledged - refused; left > 0 {
		t.note("wamp: of %d more nobody knows whether they were published", left)
	}
	return first
}
