package authn_test

import "github.com/connectanum/connectanum-go/wamp/authn/internal/authtest"

const craText = authtest.CRAText

var (
	joe         = authtest.Joe
	cheap       = authtest.Cheap
	begin       = authtest.Begin
	dict        = authtest.Dict
	extraOf     = authtest.Extra
	welcome     = authtest.Welcome
	seed        = authtest.Seed
	public      = authtest.Public
	record      = authtest.Record
	login       = authtest.Login
	mustNotShow = authtest.MustNotShow
)

type (
	acceptor     = authtest.Acceptor
	craServer    = authtest.CRA
	ticketServer = authtest.Ticket
	signServer   = authtest.Cryptosign
)

func is[T error](err error) bool { return authtest.Is[T](err) }
