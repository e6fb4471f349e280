package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
)

// subFlags are what a subscription can be told.
type subFlags struct {
	match       string
	count       int
	duration    time.Duration
	history     int
	retained    bool
	queue       int
	nodeKey     string
	options     []string
	noReconnect bool
}

// eventLine is an event as it is printed.
type eventLine struct {
	Topic             string     `json:"topic"`
	Publication       wamp.ID    `json:"publication"`
	Publisher         wamp.ID    `json:"publisher,omitempty"`
	PublisherAuthID   string     `json:"publisher_authid,omitempty"`
	PublisherAuthRole string     `json:"publisher_authrole,omitempty"`
	Retained          bool       `json:"retained,omitempty"`
	Historic          bool       `json:"historic,omitempty"`
	Time              *time.Time `json:"time,omitempty"`
	AfterGap          bool       `json:"after_gap,omitempty"`
	Lost              uint64     `json:"lost,omitempty"`
	content
}

func (t *tool) subCommand() *cobra.Command {
	var f subFlags
	c := &cobra.Command{
		Use:   "sub TOPIC...",
		Short: "Subscribe to topics and print their events",
		Long: `sub subscribes to topics, or with --match to patterns, and prints the events until Ctrl-C.

When the connection is lost it is made again, unless --no-reconnect was given. Standard error
tells of that, and of events that may be missing, or were dropped because standard output was not
read: up to --queue of them wait for it, or 64 MiB of each topic. Such an event has "after_gap" or
"lost".`,
		Example: `  wamp sub com.example.news
  wamp sub com.example --match prefix --count 10 -o raw
  wamp sub com.example.state --retained --count 1 --max-time 2s
  wamp sub com.example.news --history 20
  wamp sub com.example.a com.example.b --format '{{.Topic}} {{index .Args 0}}'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			options, err := f.list()
			if err != nil {
				return err
			}
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				go t.tellStates(ctx, s)
				return t.events(ctx, s, args, options, &f)
			}, lasting(f.noReconnect, f.history > 0)...)
		},
		ValidArgsFunction: t.completeURIs(subscribed),
	}
	fs := c.Flags()
	fs.StringVar(&f.match, "match", "", "what TOPIC is: `policy` exact (default), prefix or wildcard")
	fs.IntVarP(&f.count, "count", "n", 0, "end after so many events, 0 for as many as come")
	fs.DurationVar(&f.duration, "for", 0, "end after so long, 0 for as long as it likes")
	fs.IntVar(&f.history, "history", 0, "begin with so many events of the router's history")
	fs.BoolVar(&f.retained, "retained", false, "begin with the retained event of the topic")
	fs.IntVar(&f.queue, "queue", 0, "how many events may wait for standard output; more drop the oldest")
	fs.StringVar(&f.nodeKey, "node-key", "", "the `key` of one part of a sharded subscription")
	fs.StringArrayVarP(&f.options, "option", "O", nil, "an option of the SUBSCRIBE message, `KEY=VALUE`")
	fs.BoolVar(&f.noReconnect, "no-reconnect", false, "end when the connection is lost")
	return c
}

// lasting are the options of a session that outlives its connection. What routers have
// without saying so may be used: they refuse it themselves if they do not have it.
func lasting(not, history bool) (options []wamp.Option) {
	if !not {
		options = append(options, wamp.WithReconnect(wamp.Backoff{}))
	}
	if history {
		options = append(options, wamp.Assume("event_history"))
	}
	return options
}

// list returns the options of the library.
func (f *subFlags) list() (options []wamp.SubscribeOption, err error) {
	switch {
	case f.count < 0:
		return nil, usage("--count %d is negative", f.count)
	case f.duration < 0:
		return nil, usage("--for %v is negative", f.duration)
	case f.history < 0:
		return nil, usage("--history %d is negative", f.history)
	case f.queue < 0:
		return nil, usage("--queue %d is negative", f.queue)
	}
	match, err := matchPolicy(f.match)
	if err != nil {
		return nil, err
	}
	options = append(options, wamp.Match(match))
	if f.history > 0 {
		options = append(options, wamp.FromHistory(wamp.HistoryQuery{Last: f.history}))
	}
	if f.retained {
		options = append(options, wamp.GetRetained())
	}
	if f.queue > 0 {
		options = append(options, wamp.Buffer(f.queue, 0))
	}
	if f.nodeKey != "" {
		options = append(options, wamp.NodeKey(f.nodeKey))
	}
	set, err := pairs("--option", f.options)
	for k, v := range set {
		options = append(options, wamp.Set(k, v))
	}
	return options, err
}

// matchPolicy reads --match.
func matchPolicy(name string) (wamp.MatchPolicy, error) {
	switch p := wamp.MatchPolicy(name); p {
	case "":
		return wamp.Exact, nil
	case wamp.Exact, wamp.Prefix, wamp.Wildcard:
		return p, nil
	}
	return wamp.Exact, usage("--match %q is none of exact, prefix, wildcard", name)
}

// received is what a subscription gives: an event, or why there are no more.
type received struct {
	event wamp.Event
	err   error
}

// events subscribes and prints what comes.
func (t *tool) events(ctx context.Context, s *wamp.Session, topics []string, options []wamp.SubscribeOption, f *subFlags) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var over <-chan time.Time
	if f.duration > 0 {
		timer := time.NewTimer(f.duration)
		defer timer.Stop()
		over = timer.C
	}
	came := make(chan received)
	for _, topic := range topics {
		sub, err := s.Subscribe(ctx, topic, options...)
		if err != nil {
			return err
		}
		defer func() {
			if n := sub.Dropped(); n > 0 {
				t.note("wamp: %d events of %s were dropped in all", n, topic)
			}
		}()
		t.note("wamp: subscribed to %s", topic)
		go forward(ctx, sub, came)
	}
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return endedBy(ctx, context.Cause(ctx))
		case <-over:
			return nil
		case r := <-came:
			if r.err != nil {
				return endedBy(ctx, r.err)
			}
			if err := t.event(r.event); err != nil {
				return endedBy(ctx, err)
			}
			if n++; n == f.count {
				return nil
			}
		}
	}
}

// forward hands over what a subscription gives, until it or ctx ends.
func forward(ctx context.Context, sub *wamp.Subscription, to chan<- received) {
	for ev, err := range sub.All() {
		select {
		case to <- received{ev, err}:
		case <-ctx.Done():
			return
		}
	}
}

// event prints an event.
func (t *tool) event(ev wamp.Event) error {
	p, err := contents(ev.Payload)
	if err != nil {
		t.note("wamp: publication %d of %s: %v", ev.Publication, ev.Topic, err)
		return nil
	}
	if ev.Lost > 0 {
		t.note("wamp: %d events were dropped here: standard output is not read fast enough", ev.Lost)
	}
	if ev.AfterGap {
		t.note("wamp: events may be missing here: the connection was lost")
	}
	by := ev.Publisher()
	l := eventLine{
		Topic: ev.Topic, Publication: ev.Publication,
		Publisher: by.Session, PublisherAuthID: by.AuthID, PublisherAuthRole: by.AuthRole,
		Retained: ev.Retained, Historic: ev.Historic, AfterGap: ev.AfterGap, Lost: ev.Lost, content: p,
	}
	if !ev.Time.IsZero() {
		l.Time = &ev.Time
	}
	return t.printOne(l)
}

// endedBy is the error of a command that goes on until it is interrupted: that is no error.
func endedBy(ctx context.Context, err error) error {
	if context.Cause(ctx) == errInterrupted {
		return nil
	}
	return err
}

// tellStates tells of lost connections and of new ones, until ctx ends: also of one that is
// back before the loss could be told.
func (t *tool) tellStates(ctx context.Context, s *wamp.Session) {
	var lost time.Time
	id := s.ID()
	for state := range s.States(ctx) {
		switch state.Phase {
		case wamp.Reconnecting:
			if lost.IsZero() {
				lost = time.Now()
				t.note("wamp: %s; connecting again", bare(state.Cause))
			}
		case wamp.Joined:
			switch {
			case !lost.IsZero():
				t.note("wamp: connected again after %v", time.Since(lost).Round(time.Millisecond))
			case state.Details.Session != id:
				t.note("wamp: connection lost; connecting again")
				t.note("wamp: connected again at once")
			}
			lost, id = time.Time{}, state.Details.Session
		}
	}
}
