package authn

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Provider returns a secret when it is needed, such as a password from a vault
// or a ticket that is valid for minutes. It is asked at each join, so a secret
// need not outlive a reconnect. ctx ends with the join; a Provider that has not
// returned by then is no longer waited for.
type Provider = func(ctx context.Context, r Request) (string, error)

// Secret is the type of a secret: a string, or a [Provider] that is asked for
// one at each join.
type Secret interface {
	string | func(ctx context.Context, r Request) (string, error)
}

// Request tells a [Provider], a [KeyFunc] or an [Answer] which login it is asked
// for.
type Request struct {
	// Method is the name of the method in HELLO.
	Method string
	// AuthID logs in at Realm.
	AuthID, Realm string
	// Rejoin counts the joins of this session before this one.
	Rejoin int
	// Challenge is CHALLENGE.Extra, nil if the router has not asked yet. It comes
	// from the router and has not been checked.
	Challenge proto.Dict
}

// source is a secret behind a function: a constant too, so that no printer
// that walks through a struct can reach it.
type source func(ctx context.Context, r Request) (string, error)

func sourceOf[S Secret](secret S) source {
	switch s := any(secret).(type) {
	case string:
		return func(context.Context, Request) (string, error) { return s, nil }
	case Provider:
		if s == nil {
			return nil
		}
		return func(ctx context.Context, r Request) (string, error) {
			return bounded(ctx, func() (string, error) { return s(ctx, r) })
		}
	}
	return nil // cannot be reached: Secret has two types
}

// get asks for the secret; what goes wrong is a CredentialError.
func (s source) get(ctx context.Context, r Request) (string, error) {
	if ctx.Err() != nil {
		return "", &CredentialError{Method: r.Method, Problem: "the login was given up", Err: context.Cause(ctx)}
	}
	if s == nil {
		return "", &CredentialError{Method: r.Method, Problem: "the provider is nil"}
	}
	secret, err := s(ctx, r)
	switch {
	case err != nil:
		return "", &CredentialError{Method: r.Method, Problem: "the provider failed", Err: err}
	case secret == "":
		return "", &CredentialError{Method: r.Method, Problem: "the secret is empty"}
	}
	return secret, nil
}

// bounded runs f, which belongs to the user (a provider, an agent, a token that
// waits for a touch), and does not wait for it longer than ctx lives. The
// goroutine is f's own: it ends when f returns. A panic of f, and a
// runtime.Goexit, go on in the goroutine of the caller.
func bounded[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value    T
		err      error
		returned bool
		panicked any
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if !a.returned {
				if p := recover(); p != nil {
					a.panicked = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
				}
			}
			done <- a
		}()
		a.value, a.err = f()
		a.returned = true
	}()
	select {
	case a := <-done:
		switch {
		case a.panicked != nil:
			panic(a.panicked)
		case !a.returned:
			runtime.Goexit()
		}
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// quiet is what a value of this package shows of itself to every printer:
// fmt in all its verbs, slog and encoding/json.
type quiet struct{ text string }

// Format writes what the value is, without its secrets.
func (q quiet) Format(s fmt.State, _ rune) { fmt.Fprint(s, q.text) }

// MarshalText returns what the value is, without its secrets.
func (q quiet) MarshalText() ([]byte, error) { return []byte(q.text), nil }
