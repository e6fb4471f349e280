package authn_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/authn/accept"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// router starts a router that lets joe in.
func router() *wamptest.Router {
	record, err := accept.NewSCRAMRecord("password", accept.SCRAMParams{KDF: authn.PBKDF2, Iterations: 4096})
	if err != nil {
		panic(err)
	}
	return wamptest.Start(wamptest.WithLogins(wamptest.SCRAM(func(authid, realm string) (accept.SCRAMRecord, string, bool) {
		return record, "user", authid == "joe"
	})))
}

func Example() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", "password")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthID, "is", session.Details().AuthRole)
	// Output: joe is user
}

// A secret that is asked for at each join, so that it may change while the
// session lives.
func ExampleProvider() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	vault := func(ctx context.Context, r authn.Request) (string, error) {
		fmt.Println("the password of", r.AuthID, "at", r.Realm)
		return "password", nil
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", vault)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	// Output: the password of joe at realm1
}

func ExampleRefusal() {
	ctx := context.Background()
	router := router()
	defer router.Close()

	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithAuth(authn.SCRAM("joe", "a guess")))
	var refusal *authn.Refusal
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Kind)
	}
	// Output: wrong credentials
}
