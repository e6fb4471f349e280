package meta_test

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func joined(ctx context.Context, router *wamptest.Router) *wamp.Session {
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		panic(err)
	}
	return session
}

// Who is there, and who comes and goes from then on.
func ExampleAPI_FollowSessions() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	there, changes, err := meta.Of(session).FollowSessions(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(there), "there")
	guest := joined(ctx, router)
	change := <-changes
	fmt.Println("came:", change.Value.Session == guest.ID(), change.Value.AuthRole)
	if err := guest.Close(ctx); err != nil {
		fmt.Println(err)
		return
	}
	change = <-changes
	fmt.Println("went:", change.Gone)
	// Output:
	// 1 there
	// came: true anonymous
	// went: true
}
