package authn

import (
	"context"
	"reflect"
	"slices"

	"github.com/connectanum/connectanum-go/wamp/authn/internal/proof"
	"github.com/connectanum/connectanum-go/wamp/proto"
)

// Any offers several methods in one HELLO, the preferred one first. The router
// chooses; a method that was not offered is refused. Methods that cannot be
// used on a connection ([ErrUnusable]) are left out there. All methods must
// have the same authid, or none, and agree on channel binding: HELLO has room
// for one of each.
//
// A hostile router chooses the weakest method of the list. Some routers give up
// at the first name that they do not know; use [InTurn] for those.
func Any(methods ...Authenticator) Authenticator {
	return &anyAuth{quiet{"authn.Any(...)"}, slices.Clone(methods)}
}

type anyAuth struct {
	quiet
	members []Authenticator
}

func (a *anyAuth) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	if len(a.members) == 0 {
		return nil, &ConfigError{"any: there is no method"}
	}
	t := &anyAttempt{quiet: a.quiet}
	var left []error
	for _, m := range a.members {
		if m == nil {
			return nil, &ConfigError{"any: a method is nil"}
		}
		if _, ok := m.(Sequence); ok {
			return nil, &ConfigError{"any: InTurn takes Any, not the other way round"}
		}
		attempt, err := m.Begin(ctx, info)
		switch {
		case err == nil:
			t.members = append(t.members, member{attempt: attempt})
		case isUnusable(err):
			left = append(left, err)
		default:
			return nil, err
		}
	}
	if len(t.members) == 0 {
		return nil, &NoMethodError{left}
	}
	return t, nil
}

// NoMethodError reports that none of the methods of [Any] can be used on a
// connection.
type NoMethodError struct{ Reasons []error }

func (e *NoMethodError) Error() string {
	return "no method can be used on this connection: " + list(e.Reasons)
}

// Unwrap returns the reasons, one for each method.
func (e *NoMethodError) Unwrap() []error { return e.Reasons }

type member struct {
	attempt Attempt
	hello   Hello
}

type anyAttempt struct {
	quiet
	members []member
	offered []string
	chosen  Attempt // by the router's first CHALLENGE
}

func (t *anyAttempt) Hello(h *Hello) error {
	for i := range t.members {
		m := &t.members[i]
		if err := m.attempt.Hello(&m.hello); err != nil {
			return err
		}
		for _, method := range m.hello.Methods {
			if slices.Contains(h.Methods, method) {
				return &ConfigError{"any: the method " + method + " is there twice"}
			}
		}
		h.Methods = append(h.Methods, m.hello.Methods...)
		if !agree(&h.AuthID, m.hello.AuthID) {
			return &ConfigError{"any: the methods have different authids"}
		}
		if !agree(&h.AuthRole, m.hello.AuthRole) {
			return &ConfigError{"any: the methods ask for different roles"}
		}
		for k, v := range m.hello.Extra {
			if have, ok := h.Extra[k]; ok && !reflect.DeepEqual(have, v) {
				return &ConfigError{"any: the methods do not agree on authextra." + k}
			}
			h.put(k, v)
		}
	}
	t.offered = h.Methods
	return t.agreeOnBinding(h)
}

// agree sets what is not set yet and reports whether the two are the same.
func agree(have *string, s string) bool {
	if *have == "" {
		*have = s
	}
	return s == "" || s == *have
}

// agreeOnBinding: there is one channel_binding in authextra, and each method
// that reads it must mean it.
func (t *anyAttempt) agreeOnBinding(h *Hello) error {
	for _, m := range t.members {
		for _, method := range m.hello.Methods {
			if method != "wamp-scram" && method != proof.Cryptosign {
				continue
			}
			if m.hello.Extra["channel_binding"] != h.Extra["channel_binding"] {
				return &ConfigError{"any: the methods do not agree on channel binding"}
			}
		}
	}
	return nil
}

func (t *anyAttempt) find(method string) Attempt {
	for _, m := range t.members {
		if slices.Contains(m.hello.Methods, method) {
			return m.attempt
		}
	}
	return nil
}

func (t *anyAttempt) Challenge(ctx context.Context, c Challenge) (Response, error) {
	attempt := t.find(c.Method)
	switch {
	case attempt == nil:
		return Response{}, &MethodError{clip(c.Method), t.offered}
	case t.chosen != nil && t.chosen != attempt:
		return Response{}, &ChallengeError{Method: c.Method, Problem: "comes after one of another method"}
	}
	t.chosen = attempt
	return attempt.Challenge(ctx, c)
}

// Welcome asks the method that the router chose. Without a challenge that is
// the one it names; it may name any if a cookie stands for it.
func (t *anyAttempt) Welcome(w Welcome) error {
	if t.chosen != nil {
		return t.chosen.Welcome(w)
	}
	name := w.Details.Str(proto.KeyAuthMethod)
	attempt := t.find(name)
	if p, ok := attempt.(*plain); ok {
		return p.Welcome(w)
	}
	if cookie := t.find("cookie"); cookie != nil {
		return cookie.Welcome(w)
	}
	if attempt != nil {
		return attempt.Welcome(w) // which misses its challenge
	}
	if name != "" {
		return &MethodError{clip(name), t.offered}
	}
	for _, m := range t.members {
		if p, ok := m.attempt.(*plain); ok {
			return p.Welcome(w)
		}
	}
	return t.members[0].attempt.Welcome(w)
}
