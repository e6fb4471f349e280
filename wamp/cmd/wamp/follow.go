package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
)

// The values of entryLine.Change.
const (
	changeAdded   = "added"
	changeRemoved = "removed"
)

// follow prints what there is and then each change, until ctx ends or the session does.
func (t *tool) follow(ctx context.Context, s *wamp.Session, asked []string, pattern string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go t.tellStates(ctx, s)
	api := meta.Of(s)
	changes := make(chan meta.Change[entryLine])
	for _, kind := range asked {
		var first []entryLine
		var err error
		switch kind {
		case kindSession:
			first, err = followed(ctx, api.FollowSessions, sessionEntry, changes)
		case kindProcedure:
			first, err = followed(ctx, api.FollowRegistrations, registrationEntry, changes)
		default:
			first, err = followed(ctx, api.FollowSubscriptions, subscriptionEntry, changes)
		}
		if err != nil {
			return noMeta(err)
		}
		first = slices.DeleteFunc(first, func(l entryLine) bool { return !l.matches(pattern) })
		if err := list(t.show, first); err != nil {
			return err
		}
	}
	for {
		c := <-changes // each follower ends with an error
		switch {
		case ctx.Err() != nil:
			return endedBy(ctx, context.Cause(ctx))
		case c.Err != nil:
			return noMeta(c.Err)
		}
		c.Value.Change = changeAdded
		if c.Gone {
			c.Value.Change = changeRemoved
		}
		if !c.Value.matches(pattern) {
			continue
		}
		if err := t.change(c.Value); err != nil {
			return err
		}
	}
}

// change prints a line of a list that goes on: one line in each form.
func (t *tool) change(l entryLine) error {
	if !t.show.inTable() {
		return t.printOne(l)
	}
	return t.show.write(fmt.Appendf(nil, "%s %s: %s\n", l.Change, l.Kind, visible(strings.Join(l.row(), "  "))))
}

// followed follows one kind of things, and hands its changes on until ctx ends.
func followed[T any](ctx context.Context, follow func(context.Context) ([]T, <-chan meta.Change[T], error),
	entry func(T) entryLine, to chan<- meta.Change[entryLine],
) (first []entryLine, err error) {
	there, changes, err := follow(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range there {
		first = append(first, entry(v))
	}
	go func() { // ends with its stream, which ctx ends
		for c := range changes {
			select {
			case to <- meta.Change[entryLine]{Value: entry(c.Value), Gone: c.Gone, Err: c.Err}:
			case <-ctx.Done():
				if c.Err != nil {
					to <- meta.Change[entryLine]{Err: c.Err}
				}
			}
		}
	}()
	return first, nil
}

// lacks reports whether an error says that the router has not announced a feature.
func lacks(err error) bool {
	var feature *wamp.FeatureError
	return errors.As(err, &feature)
}

// noMeta adds to an error of a router what it most likely means.
func noMeta(err error) error {
	switch {
	case lacks(err):
		return fmt.Errorf("the router has no meta API for this: %w", err)
	case errors.Is(err, wamp.ErrNoSuchProcedure):
		return fmt.Errorf("the router has no meta API: %w", err)
	}
	return err
}
