package wamptest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A realm that is not there yet when the program starts.
func ExampleRouter_Refuse() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	router.Refuse(1, "wamp.error.no_such_realm")
	for range 2 {
		session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
		fmt.Println(err == nil, errors.Is(err, wamp.ErrNoSuchRealm))
		if err == nil {
			session.Close(ctx)
		}
	}
	// Output:
	// false true
	// true false
}

// The router cannot check logins for a while, here until the test says so. A service that
// reconnects goes on trying.
func ExampleRouter_RefuseFor() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := double(ctx, router, wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond, Max: 2 * time.Millisecond}))
	defer service.Close(ctx)

	router.RefuseFor(time.Hour, "wamp.error.authentication_failed")
	router.Cut(service.ID())
	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	fmt.Println(errors.Is(err, wamp.ErrAuthenticationFailed))

	router.RefuseFor(0, "")
	fmt.Println(wamp.Call[int](ctx, service, "com.example.double", wamp.Args(21), wamp.Idempotent()))
	// Output:
	// true
	// 42 <nil>
}

// Nobody listens at first. With Initial a session waits for its router.
func ExampleRouter_RefuseDials() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	router.RefuseDials(3, errors.New("connection refused"))
	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	fmt.Println(err)
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithReconnect(wamp.Backoff{Initial: true, Min: time.Millisecond}))
	fmt.Println(err)
	if err == nil {
		session.Close(ctx)
	}
	// Output:
	// wamp: connect: connection refused
	// <nil>
}

// A proxy that takes connections and hands none of them on: the attempt ends by the time
// limit of the dial.
func ExampleWithAccept() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithAccept(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}))
	defer router.Close()

	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.DialTimeout(5*time.Millisecond))
	fmt.Println(errors.Is(err, wamp.ErrDialTimeout))
	// Output: true
}

// A router that has two realms.
func ExampleWithRealms() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithRealms("com.example.shop", "com.example.bank"))
	defer router.Close()

	for _, realm := range []string{"com.example.shop", "com.example.bank", "com.example.ship"} {
		session, err := wamp.Connect(ctx, "", realm, wamp.WithTransport(router.Dial))
		if err != nil {
			fmt.Println(realm, errors.Is(err, wamp.ErrNoSuchRealm))
			continue
		}
		fmt.Println(session.Details().Realm, "joined")
		session.Close(ctx)
	}
	// Output:
	// com.example.shop joined
	// com.example.bank joined
	// com.example.ship true
}

// A message that is too large ends the connection, whatever else goes on there.
func ExampleWithMaxMessage() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithMaxMessage(64 << 10))
	defer router.Close()
	session := connect(ctx, router)

	_, err := session.Publish(ctx, "com.example.picture", wamp.Args(strings.Repeat("x", 100_000)), wamp.Acknowledge()).Wait()
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		fmt.Println(closed.Code)
	}
	// Output: 1009
}
