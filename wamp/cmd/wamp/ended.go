package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp"
)

// The exit codes.
const (
	exitDone        = 0
	exitFault       = 1
	exitUsage       = 2
	exitAnswer      = 3
	exitRefused     = 4
	exitNetwork     = 5
	exitTimeout     = 124
	exitInterrupted = 130
	exitUnread      = 141
)

// usageError is a command line that is wrong.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// usage makes a usageError.
func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// ended tells of the error of a command, and returns the exit code.
func (t *tool) ended(ctx context.Context, err error) int {
	switch {
	case err == nil && context.Cause(ctx) == errInterrupted && !t.toTheEnd:
		return exitInterrupted // whatever came of it: what was to come behind it is not wanted
	case err == nil:
		return exitDone
	case errors.Is(err, errNobodyReads):
		return exitUnread
	}
	fmt.Fprintln(t.errs, plainly("wamp: "+bare(err)))
	var answer *wamp.Error
	if t.output == outputJSON && errors.As(err, &answer) {
		t.tellError(answer)
	}
	return exitCode(ctx, err)
}

// tellError writes what a peer said as JSON, to standard error.
func (t *tool) tellError(e *wamp.Error) {
	line := struct {
		Error  string         `json:"error"`
		Args   []any          `json:"args,omitempty"`
		Kwargs map[string]any `json:"kwargs,omitempty"`
	}{Error: e.URI}
	p, err := contents(e.Payload)
	if err != nil {
		t.note("wamp: the payload of the error: %v", err)
	}
	line.Args, line.Kwargs = p.Args, p.Kwargs
	if text, err := json.Marshal(line); err == nil {
		fmt.Fprintf(t.errs, "%s\n", escaped(text))
	}
}

// exitCode says how the program ends with an error. ctx is that of the program.
func exitCode(ctx context.Context, err error) int {
	var wrong *usageError
	var uri *wamp.URIError
	var answer *wamp.Error
	var feature *wamp.FeatureError
	var revoked *wamp.RevokedError
	var abort *wamp.AbortError
	var login *wamp.LoginError
	var none notFoundError
	switch {
	case errors.As(err, &wrong), errors.As(err, &uri):
		return exitUsage
	case errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.Is(err, errMaxTime):
		return exitTimeout
	case errors.As(err, &abort), errors.As(err, &login):
		return exitRefused
	case ofNetwork(err): // a dial that takes too long too
		return exitNetwork
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case errors.As(err, &answer), errors.As(err, &feature), errors.As(err, &revoked), errors.As(err, &none):
		return exitAnswer
	}
	return exitFault
}

// ofNetwork reports whether an error is one of the connection, or of its end.
func ofNetwork(err error) bool {
	var dial *wamp.DialError
	var link *wamp.LinkError
	var broken *wamp.ProtocolError
	var goodbye *wamp.GoodbyeError
	var gaveUp *wamp.GaveUpError
	var unknown *wamp.OutcomeUnknown
	return errors.As(err, &dial) || errors.As(err, &link) || errors.As(err, &broken) || errors.As(err, &goodbye) ||
		errors.As(err, &gaveUp) || errors.As(err, &unknown) || errors.Is(err, wamp.ErrSessionClosed)
}
