package session

import (
	"context"

	"github.com/connectanum/connectanum-go/wamp/authn"
)

// noAuth offers anonymous.
type noAuth struct{}

func (noAuth) Begin(context.Context, authn.JoinInfo) (authn.Attempt, error) { return noAuth{}, nil }
func (noAuth) Hello(h *authn.Hello) error                                   { h.Methods = []string{"anonymous"}; return nil }
func (noAuth) Challenge(context.Context, authn.Challenge) (authn.Response, error) {
	return authn.Response{}, nil
}
func (noAuth) Welcome(authn.Welcome) error { return nil }
