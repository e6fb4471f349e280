package authn

import (
	"context"
	"errors"
	"slices"
)

// Sequence is an [Authenticator] whose parts are tried one after the other, each
// on a connection of its own. A session takes the parts from Turns and goes on
// to the next one, on a new connection, while [TryNext] reports true for the
// error. It may begin a later join with the part that succeeded.
type Sequence interface {
	Authenticator
	// Turns returns the parts in order of preference. The slice must not be
	// changed.
	Turns() []Authenticator
}

// InTurn offers one method on each connection, the preferred one first, and goes
// on to the next one if the router refuses the login. It is for routers that
// give up at the first method that they do not know, as Crossbar does, and for
// methods that do not fit into one HELLO because their authids differ. A method
// may be an [Any]. Each refusal costs a connection.
func InTurn(methods ...Authenticator) Sequence {
	s := &sequence{quiet: quiet{"authn.InTurn(...)"}}
	for _, m := range methods {
		if inner, ok := m.(Sequence); ok {
			s.turns = append(s.turns, inner.Turns()...)
			continue
		}
		s.turns = append(s.turns, m)
	}
	s.turns = slices.Clip(s.turns)
	return s
}

type sequence struct {
	quiet
	turns []Authenticator
}

func (s *sequence) Turns() []Authenticator { return s.turns }

// Begin begins the first part, for who does not know of Sequence.
func (s *sequence) Begin(ctx context.Context, info JoinInfo) (Attempt, error) {
	if len(s.turns) == 0 || s.turns[0] == nil {
		return nil, &ConfigError{"in turn: there is no method"}
	}
	return s.turns[0].Begin(ctx, info)
}

// TurnsError reports that no part of a [Sequence] was let in. Errs has their
// errors in the order in which they were tried.
type TurnsError struct{ Errs []error }

func (e *TurnsError) Error() string {
	return "no login was accepted: " + list(e.Errs)
}

// Unwrap returns Errs.
func (e *TurnsError) Unwrap() []error { return e.Errs }

// TryNext reports whether a join that failed with err may go on with the next
// part of a [Sequence]: the router refused this login, or the method cannot be
// used on the connection. A hostile router, a realm that does not exist, a
// failing provider and a lost connection end the join.
func TryNext(err error) bool {
	var r *Refusal
	if errors.As(err, &r) {
		switch r.Kind {
		case NoCommonMethod, NoSuchPrincipal, WrongCredentials, NotAuthorized:
			return true
		case NoSuchRealm, NoSuchRole, Forbidden:
		}
		return false
	}
	return isUnusable(err)
}

func isUnusable(err error) bool { return errors.Is(err, ErrUnusable) }
