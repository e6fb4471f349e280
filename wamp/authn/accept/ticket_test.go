package accept_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/authn/internal/authtest"
)

func TestTicket(t *testing.T) {
	begin := func(authn.Hello) (acceptor, error) { return authtest.Ticket("t"), nil }
	inAndOut(t, begin, authn.Ticket("joe", "t"), authn.Ticket("joe", "u"))
	if accept.Ticket("", "") {
		t.Error("an empty ticket")
	}
}
