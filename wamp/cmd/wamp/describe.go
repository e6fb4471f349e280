package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// descriptionLine is one thing with all that the router tells of it.
type descriptionLine struct {
	entryLine
	// Callees and Subscribers are the sessions behind it.
	Callees     []entryLine `json:"callees,omitempty"`
	Subscribers []entryLine `json:"subscribers,omitempty"`
	// Details are those of a session, as the router has them.
	Details map[string]any `json:"details,omitempty"`
}

func (l descriptionLine) raw() []any { return []any{visible(l.name())} }

// notFoundError is the answer that there is nothing of what was asked for.
type notFoundError struct{ error }

func (t *tool) describeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "describe URI|SESSION",
		Short: "Tell what is behind a URI, or a session",
		Long: `describe tells, by the meta API, of the registration that a call of the URI would go to, of the
subscriptions that its events would go to, and of those that have just this URI as their pattern:
how they match, how callees are chosen, and which sessions are the callees and subscribers. A
number is the id of a session, which is described with all that the router knows of it.

With nothing found the exit code is 3.`,
		Example: `  wamp describe com.example.add -o pretty
  wamp describe 1234567890123456
  wamp describe com.example.add --format '{{range .Callees}}{{.ID}} {{end}}'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: t.completeURIs(registered, subscribed),
		RunE: func(c *cobra.Command, args []string) error {
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				return noMeta(t.describe(ctx, meta.Of(s), args[0]))
			})
		},
	}
	return c
}

func (t *tool) describe(ctx context.Context, api meta.API, name string) error {
	if id, err := strconv.ParseUint(name, 10, 64); err == nil {
		info, err := api.GetSession(ctx, wamp.ID(id))
		if err != nil {
			return err
		}
		l := descriptionLine{entryLine: sessionEntry(info)}
		if len(info.Details) > 0 {
			l.Details = printable(info.Details).(map[string]any)
		}
		return t.show.description(l)
	}
	lines, err := t.registrations(ctx, api, name)
	if err != nil {
		return err
	}
	topics, err := t.subscriptions(ctx, api, name)
	if err != nil {
		return err
	}
	lines = append(lines, topics...)
	if len(lines) == 0 {
		return notFoundError{fmt.Errorf("nobody has registered or subscribed to %q", name)}
	}
	for i, l := range lines {
		if i > 0 && t.show.inTable() {
			if err := t.show.write([]byte("\n")); err != nil {
				return err
			}
		}
		if err := t.show.description(l); err != nil {
			return err
		}
	}
	return nil
}

// policies are all match policies.
var policies = []wamp.MatchPolicy{wamp.Exact, wamp.Prefix, wamp.Wildcard}

// registrations describes those that a URI is of.
func (t *tool) registrations(ctx context.Context, api meta.API, uri string) (lines []descriptionLine, err error) {
	id, err := api.MatchRegistration(ctx, uri)
	if err != nil && !wrongURI(err) { // a pattern is none that could be called
		return nil, err
	}
	ids, err := named(ctx, []wamp.ID{id}, uri, api.LookupRegistration)
	if err != nil {
		return nil, err
	}
	return describeAll(ids, func(id wamp.ID) (l descriptionLine, err error) {
		if l.entryLine, err = entryAt(ctx, api, kindProcedure, id); err != nil {
			return l, err
		}
		l.Callees, err = t.sessions(ctx, api, id, api.ListCallees)
		return l, err
	})
}

// subscriptions describes those that a URI is of.
func (t *tool) subscriptions(ctx context.Context, api meta.API, uri string) (lines []descriptionLine, err error) {
	ids, err := api.MatchSubscriptions(ctx, uri)
	if err != nil && !wrongURI(err) {
		return nil, err
	}
	if ids, err = named(ctx, ids, uri, api.LookupSubscription); err != nil {
		return nil, err
	}
	return describeAll(ids, func(id wamp.ID) (l descriptionLine, err error) {
		if l.entryLine, err = entryAt(ctx, api, kindTopic, id); err != nil {
			return l, err
		}
		l.Subscribers, err = t.sessions(ctx, api, id, api.ListSubscribers)
		return l, err
	})
}

// named appends the ids of those whose URI or pattern is this one, by each policy.
func named(ctx context.Context, ids []wamp.ID, uri string, look func(context.Context, string, wamp.MatchPolicy) (wamp.ID, error)) ([]wamp.ID, error) {
	for _, policy := range policies {
		id, err := look(ctx, uri, policy)
		if err != nil && !wrongURI(err) {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// describeAll describes each id once, but for those that have gone meanwhile.
func describeAll(ids []wamp.ID, describe func(wamp.ID) (descriptionLine, error)) (lines []descriptionLine, err error) {
	var done []wamp.ID
	for _, id := range ids {
		if id == 0 || slices.Contains(done, id) {
			continue
		}
		done = append(done, id)
		l, err := describe(id)
		if hasGone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// wrongURI reports whether a router takes a name for no URI in this place.
func wrongURI(err error) bool {
	return errors.Is(err, wamp.ErrInvalidURI) || errors.Is(err, wamp.ErrInvalidArgument)
}

// sessions looks at the sessions of a registration or subscription, in the order in which the
// router lists them.
func (t *tool) sessions(ctx context.Context, api meta.API, of wamp.ID, list func(context.Context, wamp.ID) ([]wamp.ID, error)) ([]entryLine, error) {
	ids, err := list(ctx, of)
	if err != nil {
		return nil, err
	}
	lines, err := t.lookAt(ctx, ids, func(ctx context.Context, id wamp.ID) (entryLine, error) {
		l, err := entryAt(ctx, api, kindSession, id)
		if errors.Is(err, wamp.ErrNotAuthorized) || errors.Is(err, wamp.ErrNoSuchProcedure) {
			return entryLine{Kind: kindSession, ID: uint64(id)}, nil // its id is something
		}
		return l, err
	})
	slices.SortFunc(lines, func(a, b entryLine) int {
		return slices.Index(ids, wamp.ID(a.ID)) - slices.Index(ids, wamp.ID(b.ID))
	})
	return lines, err
}

// description prints a description: as a list of its fields where lists are tables.
func (p *printer) description(l descriptionLine) error {
	if !p.inTable() {
		return p.print(l)
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i, head := range l.head() {
		if cell := visible(l.row()[i]); cell != "" {
			fmt.Fprintf(w, "%s\t%s\n", strings.ToLower(head), cell)
		}
	}
	for _, key := range sortedKeys(l.Details) {
		fmt.Fprintf(w, "  %s\t%s\n", visible(key), visible(compact(l.Details[key])))
	}
	for i, s := range l.Callees {
		fmt.Fprintf(w, "%s\t%s\n", first(i, "callees"), visible(s.name()+" "+s.AuthRole))
	}
	for i, s := range l.Subscribers {
		fmt.Fprintf(w, "%s\t%s\n", first(i, "subscribers"), visible(s.name()+" "+s.AuthRole))
	}
	_ = w.Flush() // into memory
	return p.write(b.Bytes())
}

// first is the title of the first line of several.
func first(i int, title string) string {
	if i > 0 {
		return ""
	}
	return title
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
