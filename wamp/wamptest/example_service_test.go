package wamptest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// serveGreetings is the service under test: it greets users by the names that another
// service has.
func serveGreetings(ctx context.Context, address string, options ...wamp.Option) (*wamp.Session, error) {
	session, err := wamp.Connect(ctx, address, "realm1", options...)
	if err != nil {
		return nil, err
	}
	_, err = wamp.Serve(ctx, session, "com.example.greet", func(ctx context.Context, user int) (string, error) {
		name, err := wamp.Call[string](ctx, session, "com.example.users.name", wamp.Args(user))
		if errors.Is(err, wamp.ErrNotAuthorized) {
			name, err = "stranger", nil
		}
		return "hello " + name, err
	})
	return session, err
}

// A test of a service: a router, a fake of what the service calls, and a caller. In a test
// of yours the router is wamptest.NewRouter(t), which ends with it, and all of it runs in
// fake time inside of synctest.Test.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	// The service takes the options that connect it to the router of the test.
	service, err := serveGreetings(ctx, "", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer service.Close(ctx)

	// A fake callee.
	fake, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close(ctx)
	_, err = wamp.Serve(ctx, fake, "com.example.users.name", func(context.Context, int) (string, error) { return "Ann", nil })
	if err != nil {
		fmt.Println(err)
		return
	}

	greet := func() {
		fmt.Println(wamp.Call[string](ctx, fake, "com.example.greet", wamp.Args(7)))
	}
	greet()
	denied := router.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "com.example.users."})
	greet()
	denied.Remove()
	greet()
	// Output:
	// hello Ann <nil>
	// hello stranger <nil>
	// hello Ann <nil>
}
