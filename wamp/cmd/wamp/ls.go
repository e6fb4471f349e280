package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// The kinds of things that a router has.
const (
	kindSession   = "session"
	kindProcedure = "procedure"
	kindTopic     = "topic"
)

// kinds are what ls can be asked for.
var kinds = map[string]string{"sessions": kindSession, "procedures": kindProcedure, "topics": kindTopic}

// entryLine is a session, a registration or a subscription as it is printed. Change is
// "added" or "removed" where it tells of a change.
type entryLine struct {
	Change string `json:"change,omitempty"`
	Kind   string `json:"kind"`
	ID     uint64 `json:"id"`

	AuthID       string `json:"authid,omitempty"` // of sessions, and so on
	AuthRole     string `json:"authrole,omitempty"`
	AuthMethod   string `json:"authmethod,omitempty"`
	AuthProvider string `json:"authprovider,omitempty"`

	URI     string     `json:"uri,omitempty"` // of the others
	Match   string     `json:"match,omitempty"`
	Invoke  string     `json:"invoke,omitempty"`
	Created *time.Time `json:"created,omitempty"`
}

func (l entryLine) raw() []any {
	text := l.name()
	if l.Change != "" {
		text = l.Change + " " + text
	}
	return []any{visible(text)}
}

// name is what a line is about, and what it is found by.
func (l entryLine) name() string {
	if l.Kind == kindSession {
		return strings.TrimSpace(strconv.FormatUint(l.ID, 10) + " " + l.AuthID)
	}
	return l.URI
}

func (l entryLine) head() []string {
	switch l.Kind {
	case kindSession:
		return []string{"SESSION", "AUTHID", "AUTHROLE", "AUTHMETHOD"}
	case kindProcedure:
		return []string{"PROCEDURE", "MATCH", "INVOKE", "CREATED", "ID"}
	}
	return []string{"TOPIC", "MATCH", "CREATED", "ID"}
}

func (l entryLine) row() []string {
	id, created := strconv.FormatUint(l.ID, 10), ""
	if l.Created != nil {
		created = l.Created.Local().Format(time.DateTime)
	}
	switch l.Kind {
	case kindSession:
		return []string{id, l.AuthID, l.AuthRole, l.AuthMethod}
	case kindProcedure:
		return []string{l.URI, l.Match, l.Invoke, created, id}
	}
	return []string{l.URI, l.Match, created, id}
}

// matches reports whether a line is of what the user asked for.
func (l entryLine) matches(pattern string) bool {
	if l.Kind != kindSession {
		return like(pattern, l.URI)
	}
	return like(pattern, l.AuthID) || like(pattern, l.AuthRole) || like(pattern, strconv.FormatUint(l.ID, 10))
}

// like reports whether text is as a pattern says, in which each * stands for any text. The
// empty pattern is that of everything.
func like(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == "" || pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

func (t *tool) lsCommand() *cobra.Command {
	follow := false
	c := &cobra.Command{
		Use:   "ls [sessions|procedures|topics] [PATTERN]",
		Short: "List the sessions, procedures and topics of the realm",
		Long: `ls asks the router, by the meta API, for the sessions of the realm, the procedures that are
registered and the topics that are subscribed to, or for one kind of them; the session of ls itself
is among them. A PATTERN chooses by URI, or by authid, authrole or id of sessions; * in it is any
text. -o pretty prints tables.

With --follow it goes on with what comes and goes, until Ctrl-C, and over a loss of the connection:
what changed meanwhile is told when it is there again.`,
		Example: `  wamp ls -o pretty
  wamp ls procedures 'com.example.*' -o raw
  wamp ls sessions --follow --format '{{.Change}} {{.ID}} {{.AuthID}}'`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: completeKinds,
		RunE: func(c *cobra.Command, args []string) error {
			asked, pattern := []string{kindSession, kindProcedure, kindTopic}, ""
			if len(args) > 0 {
				kind := kinds[args[0]]
				if kind == "" {
					return usage("%q is none of sessions, procedures, topics", args[0])
				}
				asked = []string{kind}
			}
			if len(args) > 1 {
				pattern = args[1]
			}
			if !follow {
				return t.with(c, func(ctx context.Context, s *wamp.Session) error { return t.ls(ctx, s, asked, pattern) })
			}
			return t.with(c, func(ctx context.Context, s *wamp.Session) error {
				return t.follow(ctx, s, asked, pattern)
			}, wamp.WithReconnect(wamp.Backoff{}))
		},
	}
	c.Flags().BoolVar(&follow, "follow", false, "go on with what comes and goes")
	return c
}

func completeKinds(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"sessions", "procedures", "topics"}, cobra.ShellCompDirectiveNoFileComp
}

// ls prints what there is.
func (t *tool) ls(ctx context.Context, s *wamp.Session, asked []string, pattern string) error {
	api := meta.Of(s)
	for i, kind := range asked {
		lines, err := t.entries(ctx, api, kind)
		if err != nil {
			return noMeta(err)
		}
		lines = slices.DeleteFunc(lines, func(l entryLine) bool { return !l.matches(pattern) })
		if i > 0 && t.show.inTable() && len(lines) > 0 {
			if err := t.show.write([]byte("\n")); err != nil {
				return err
			}
		}
		if err := list(t.show, lines); err != nil {
			return err
		}
	}
	return nil
}

// entries are all of a kind, in the order of their names.
func (t *tool) entries(ctx context.Context, api meta.API, kind string) ([]entryLine, error) {
	ids, err := idsOf(ctx, api, kind)
	if err != nil {
		return nil, err
	}
	lines, err := t.lookAt(ctx, ids, func(ctx context.Context, id wamp.ID) (entryLine, error) { return entryAt(ctx, api, kind, id) })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(lines, func(a, b entryLine) int {
		return cmp.Or(cmp.Compare(a.URI, b.URI), cmp.Compare(a.Match, b.Match), cmp.Compare(a.AuthID, b.AuthID), cmp.Compare(a.ID, b.ID))
	})
	return lines, nil
}

// idsOf are the ids of all of a kind.
func idsOf(ctx context.Context, api meta.API, kind string) ([]wamp.ID, error) {
	switch kind {
	case kindSession:
		return api.ListSessions(ctx)
	case kindProcedure:
		ids, err := api.ListRegistrations(ctx)
		return ids.All(), err
	default:
		ids, err := api.ListSubscriptions(ctx)
		return ids.All(), err
	}
}

// entryAt is what has an id.
func entryAt(ctx context.Context, api meta.API, kind string, id wamp.ID) (entryLine, error) {
	switch kind {
	case kindSession:
		info, err := api.GetSession(ctx, id)
		return sessionEntry(info), err
	case kindProcedure:
		info, err := api.GetRegistration(ctx, id)
		return registrationEntry(info), err
	default:
		info, err := api.GetSubscription(ctx, id)
		return subscriptionEntry(info), err
	}
}

func sessionEntry(s meta.SessionInfo) entryLine {
	return entryLine{Kind: kindSession, ID: uint64(s.Session), AuthID: s.AuthID, AuthRole: s.AuthRole,
		AuthMethod: s.AuthMethod, AuthProvider: s.AuthProvider}
}

func registrationEntry(r meta.RegistrationInfo) entryLine {
	return entryLine{Kind: kindProcedure, ID: uint64(r.ID), URI: r.URI, Match: string(r.Match), Invoke: string(r.Invoke), Created: moment(r.Created)}
}

func subscriptionEntry(s meta.SubscriptionInfo) entryLine {
	return entryLine{Kind: kindTopic, ID: uint64(s.ID), URI: s.URI, Match: string(s.Match), Created: moment(s.Created)}
}

// moment is nil for a time that is not known.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// lookups is how many questions are under way at once: their answers fit the queue of 64
// that routers have for a client.
const lookups = 16

// lookAt asks for what has each id. What has gone since it was listed is left out, and
// so is what the router lists and lets nobody look at, of which it tells.
func (t *tool) lookAt(ctx context.Context, ids []wamp.ID, get func(context.Context, wamp.ID) (entryLine, error)) ([]entryLine, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex // guards the rest
		found  []entryLine
		hidden int
	)
	todo := make(chan wamp.ID)
	for range min(lookups, len(ids)) {
		wg.Go(func() { // ends with todo
			for id := range todo {
				v, err := get(ctx, id)
				mu.Lock()
				switch {
				case err == nil:
					found = append(found, v)
				case hasGone(err):
				case errors.Is(err, wamp.ErrNotAuthorized):
					hidden++
				default:
					cancel(err)
				}
				mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		select {
		case todo <- id:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(todo)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if hidden > 0 {
		t.note("wamp: %d of %d cannot be looked at: %s", hidden, len(ids), wamp.ErrNotAuthorized)
	}
	return found, nil
}

// hasGone tells the error of what is no longer there from others.
func hasGone(err error) bool {
	return errors.Is(err, wamp.ErrNoSuchSession) || errors.Is(err, wamp.ErrNoSuchRegistration) || errors.Is(err, wamp.ErrNoSuchSubscription)
}
