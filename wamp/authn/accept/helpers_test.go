package accept_test

import (
	"errors"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/authtest"
)

const craText = authtest.CRAText

var (
	cheap       = authtest.Cheap
	extraOf     = authtest.Extra
	seed        = authtest.Seed
	public      = authtest.Public
	record      = authtest.Record
	login       = authtest.Login
	mustNotShow = authtest.MustNotShow
)

type acceptor = authtest.Acceptor

func is[T error](err error) bool { return authtest.Is[T](err) }

// inAndOut plays two logins: the right secret gets in, the wrong one, if there
// is one, does not.
func inAndOut(t *testing.T, begin func(authn.Hello) (acceptor, error), right, wrong authn.Authenticator) {
	t.Helper()
	if err := login(t, right, begin); err != nil {
		t.Error(err)
	}
	if wrong == nil {
		return
	}
	if err := login(t, wrong, begin); !errors.Is(err, accept.ErrProof) {
		t.Errorf("wrong secret: %v", err)
	}
}
