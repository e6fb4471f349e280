package wamptest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// connect joins a session to a router.
func connect(ctx context.Context, router *wamptest.Router, options ...wamp.Option) *wamp.Session {
	session, err := wamp.Connect(ctx, "", "realm1", append(options, wamp.WithTransport(router.Dial))...)
	if err != nil {
		panic(err)
	}
	return session
}

// double serves com.example.double, by a session of its own.
func double(ctx context.Context, router *wamptest.Router, options ...wamp.Option) *wamp.Session {
	session := connect(ctx, router, options...)
	_, err := wamp.Serve(ctx, session, "com.example.double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	if err != nil {
		panic(err)
	}
	return session
}

// The first two calls of a procedure fail, and each publish is denied.
func ExampleRouter_Inject() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := double(ctx, router)
	defer session.Close(ctx)

	busy := router.Inject(wamptest.Fault{
		Operation: wamptest.Calls, URI: "com.example.double",
		Error: "wamp.error.unavailable", Payload: wamp.Args("too much to do"), Times: 2,
	})
	fmt.Println(wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21)))
	fmt.Println(wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21), wamp.Retry(wamp.RetryPolicy{Min: time.Millisecond})))
	fmt.Println(busy.Hits())

	denied := router.Inject(wamptest.Fault{Operation: wamptest.Publishes})
	_, err := session.Publish(ctx, "com.example.topic", wamp.Args("hi"), wamp.Acknowledge()).Wait()
	fmt.Println(errors.Is(err, wamp.ErrNotAuthorized))
	denied.Remove()
	_, err = session.Publish(ctx, "com.example.topic", wamp.Args("hi"), wamp.Acknowledge()).Wait()
	fmt.Println(err)
	// Output:
	// 0 wamp: call com.example.double: wamp.error.unavailable: too much to do
	// 42 <nil>
	// 2
	// true
	// <nil>
}

// The connection is cut when a call has been carried out: the caller cannot know.
func ExampleFault_lost() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := double(ctx, router)
	defer service.Close(ctx)
	session := connect(ctx, router, wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	defer session.Close(ctx)

	router.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.CutAfter, Times: 2})
	_, err := wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21))
	var unknown *wamp.OutcomeUnknown
	fmt.Println(errors.As(err, &unknown))
	fmt.Println(wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21), wamp.Idempotent())) // sent again
	// Output:
	// true
	// 42 <nil>
}

// A call that is late meets the time limit of its caller. Inside of synctest.Test that
// takes no time.
func ExampleFault_late() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := double(ctx, router)
	defer session.Close(ctx)

	router.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "com.example.double", Delay: time.Minute})
	_, err := wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21), wamp.Timeout(10*time.Millisecond))
	fmt.Println(errors.Is(err, wamp.ErrTimeout))
	// Output: true
}

// A callee that vanishes in the middle of a call.
func ExampleRouter_LoseCallee() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := connect(ctx, router)
	defer service.Close(ctx)
	_, err := wamp.Serve(ctx, service, "com.example.work", func(ctx context.Context, _ struct{}) (string, error) {
		router.LoseCallee("com.example.work")
		return "done", nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	session := connect(ctx, router)
	defer session.Close(ctx)
	_, err = wamp.Call[string](ctx, session, "com.example.work", wamp.Payload{})
	fmt.Println(err)
	fmt.Println(wamp.ErrorURI(err) == "wamp.error.canceled")
	// Output:
	// wamp: call com.example.work: wamp.error.canceled: the callee is gone
	// true
}

// A session that comes back when its connection is cut, and when the router restarts.
func ExampleRouter_Cut() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := double(ctx, router, wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	defer service.Close(ctx)
	registered := func() error {
		return router.WaitFor(ctx, func(s wamptest.Stats) bool { return s.Sessions == 1 && s.Registrations == 1 })
	}

	fmt.Println(router.Cut(service.ID()), registered())
	router.Restart()
	fmt.Println(registered())
	fmt.Println(wamp.Call[int](ctx, service, "com.example.double", wamp.Args(21)))
	// Output:
	// true <nil>
	// <nil>
	// 42 <nil>
}

// A router at an address.
func ExampleRouter_ListenWebSocket() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	address, err := router.ListenWebSocket("127.0.0.1:0") // a port that is free
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := wamp.Connect(ctx, address, "realm1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Realm)
	// Output: realm1
}

// Users with passwords and roles, and what one of the roles may not do.
func ExampleWithLogins() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	roles := map[string]string{"ann": "admin", "bob": "guest"}
	router := wamptest.Start(wamptest.WithLogins(wamptest.Ticket(func(authid, _ string) (ticket, role string, ok bool) {
		role, ok = roles[authid]
		return "secret", role, ok
	})))
	defer router.Close()
	router.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "wamp.session.", From: wamptest.SessionInfo{AuthRole: "guest"}})

	for _, name := range []string{"ann", "bob"} {
		session := connect(ctx, router, wamp.WithAuth(authn.Ticket(name, "secret")))
		_, err := wamp.Call[int](ctx, session, "wamp.session.count", wamp.Payload{})
		fmt.Println(name, session.Details().AuthRole, err)
		session.Close(ctx)
	}
	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithAuth(authn.Ticket("ann", "wrong")))
	fmt.Println(errors.Is(err, wamp.ErrAuthenticationFailed))
	// Output:
	// ann admin <nil>
	// bob guest wamp: call wamp.session.count: wamp.error.not_authorized: the test has injected this fault
	// true
}

// A router that has fewer features, and one like Crossbar.
func ExampleWithFeatures() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, option := range []wamptest.Option{
		wamptest.WithFeatures(wamptest.FeaturesWithout(proto.PatternBasedSubscription)),
		wamptest.CrossbarQuirks(),
	} {
		router := wamptest.Start(option)
		session := connect(ctx, router)
		_, err := session.Subscribe(ctx, "com.example", wamp.Match("prefix"))
		var lacks *wamp.FeatureError
		fmt.Println(err == nil, errors.As(err, &lacks))
		session.Close(ctx)
		router.Close()
	}
	// Output:
	// false true
	// true false
}

// For what Inject cannot do: every second event is lost on its way.
func ExampleRouter_SetHook() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := connect(ctx, router)
	defer session.Close(ctx)
	events, err := session.Subscribe(ctx, "com.example.topic")
	if err != nil {
		fmt.Println(err)
		return
	}
	n := 0
	router.SetHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == proto.Event {
			if n++; n%2 == 0 {
				return wamptest.Drop()
			}
		}
		return wamptest.Pass()
	})
	for i := range 4 {
		_, err := session.Publish(ctx, "com.example.topic", wamp.Args(i), wamp.ExcludeMe(false), wamp.Acknowledge()).Wait()
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	for range 2 {
		event := <-events.Events()
		args, err := event.Args()
		fmt.Println(args, err)
	}
	// Output:
	// [0] <nil>
	// [2] <nil>
}

// A router that answers a call with what no router would: a RESULT of another call. It
// is part of a test, whose t the script reports to.
func ExampleNewScript() {
	var _ = func(t *testing.T) {
		script := wamptest.NewScript(t,
			wamptest.Welcome(),
			wamptest.Expect(proto.Call),
			wamptest.Send(&proto.Message{Type: proto.Result, Request: 4711}, codec.Args("hello")),
			wamptest.Expect(proto.Abort),
		)
		session, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(script.Dial))
		if err != nil {
			t.Fatal(err)
		}
		_, err = wamp.Call[string](t.Context(), session, "com.example.hello", wamp.Payload{})
		var broken *wamp.ProtocolError
		if !errors.As(err, &broken) {
			t.Error(err)
		}
		script.Wait()
		session.Close(t.Context())
	}
}
