package authn

import (
	"context"
	"fmt"
)

// Answer answers a CHALLENGE of a [Custom] method. ctx ends with the join. An
// error ends the join with ABORT.
type Answer = func(ctx context.Context, c Challenge, r Request) (Response, error)

// Custom logs in with a method of the application's own. The router may ask
// once, or as often as [Rounds] says. The answer may be a secret, so it is sent
// over private connections only, or with [AllowPlaintext].
//
// A method that keeps state between its challenges, or fills in HELLO anew at
// each join, is better an implementation of [Authenticator].
func Custom(method, authid string, answer Answer, options ...CustomOption) Authenticator {
	a := &customAuth{quiet: quiet{fmt.Sprintf("authn.Custom(%q, %q)", method, authid)}, method: method, authid: authid, answer: answer}
	for _, o := range options {
		o.custom(&a.cfg)
	}
	a.cfg.rounds = max(a.cfg.rounds, 1)
	return a
}

// Rounds allows a router to ask up to n times in one join.
func Rounds(n int) CustomOption { return anyOption(func(c *config) { c.rounds = n }) }

// CheckWelcome calls check with the WELCOME, to see what the router says for
// itself. An error refuses the session.
func CheckWelcome(check func(Welcome) error) CustomOption {
	return anyOption(func(c *config) { c.welcome = check })
}

type customAuth struct {
	quiet
	method, authid string
	answer         Answer
	cfg            config
}

func (a *customAuth) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	switch {
	case a.method == "":
		return nil, &ConfigError{"custom: the method has no name"}
	case a.answer == nil:
		return nil, &ConfigError{a.method + ": there is no function to answer"}
	case !info.Private && !a.cfg.plaintext:
		return nil, &PlaintextError{a.method}
	}
	return &customAttempt{quiet: a.quiet, auth: a, request: request(a.method, a.authid, info)}, ctx.Err()
}

type customAttempt struct {
	quiet
	auth    *customAuth
	request Request
	rounds  int
}

func (t *customAttempt) Hello(h *Hello) error {
	t.auth.cfg.fill(h, t.auth.authid, t.auth.method)
	return nil
}

func (t *customAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	a := t.auth
	if c.Method != a.method {
		return Response{}, &MethodError{clip(c.Method), []string{a.method}}
	}
	if t.rounds++; t.rounds > a.cfg.rounds {
		return Response{}, &ChallengeError{Method: a.method, Problem: fmt.Sprintf("is number %d of at most %d", t.rounds, a.cfg.rounds)}
	}
	r := t.request
	r.Challenge = c.Extra
	return bounded(ctx, func() (Response, error) { return a.answer(ctx, c, r) })
}

func (t *customAttempt) Welcome(w Welcome) error {
	if t.rounds == 0 {
		return &RouterError{t.auth.method, "let the client in without a challenge"}
	}
	if t.auth.cfg.welcome != nil {
		return t.auth.cfg.welcome(w)
	}
	return nil
}
