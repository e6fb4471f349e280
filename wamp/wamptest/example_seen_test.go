package wamptest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/authn"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Who is there, and as whom.
func ExampleRouter_Sessions() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithLogins(wamptest.Ticket(func(authid, _ string) (ticket, role string, ok bool) {
		return "secret", "backend", authid == "shop"
	})))
	defer router.Close()
	shop := connect(ctx, router, wamp.WithAuth(authn.Ticket("shop", "secret")), wamp.WithSerializers(codec.JSON))
	defer shop.Close(ctx)

	for _, s := range router.Sessions() {
		fmt.Println(s.ID == shop.ID(), s.Realm, s.AuthID, s.AuthRole, s.AuthMethod, s.Protocol.Name)
	}
	// Output: true realm1 shop backend ticket wamp.2.json
}

// What a test wants to see at its end: how much was asked of the router, that nothing is
// left open, and that nobody broke the protocol.
func ExampleRouter_Stats() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := double(ctx, router)
	for n := range 3 {
		if _, err := wamp.Call[int](ctx, session, "com.example.double", wamp.Args(n)); err != nil {
			fmt.Println(err)
		}
	}
	session.Close(ctx)

	stats := router.Stats()
	fmt.Println("calls:", stats.Received[proto.Call], "errors:", stats.Sent[proto.Error])
	fmt.Println("idle:", stats.Idle(), "violations:", stats.Violations)
	// Output:
	// calls: 3 errors: 0
	// idle: true violations: []
}

// The service under test starts in the background; the test waits until it has registered.
// In a bubble of testing/synctest, synctest.Wait does.
func ExampleRouter_WaitFor() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	started := make(chan *wamp.Session, 1)
	go func() { started <- double(ctx, router) }()
	session := connect(ctx, router)
	defer session.Close(ctx)

	fmt.Println(router.WaitFor(ctx, func(s wamptest.Stats) bool { return s.Registrations == 1 }))
	fmt.Println(wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21)))
	service := <-started
	service.Close(ctx)
	// Output:
	// <nil>
	// 42 <nil>
}

// Why does my event not arrive? The log of the router says what a rule made it leave out.
// NewRouter writes it into the log of the test by itself. WithSeed makes the ids in it the
// same in each run.
func ExampleWithLog() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var lines []string
	router := wamptest.Start(wamptest.WithSeed(1), wamptest.WithLog(func(line string) { lines = append(lines, line) }))
	session := connect(ctx, router)
	if _, err := session.Subscribe(ctx, "com.example.news"); err != nil {
		fmt.Println(err)
	}
	if _, err := session.Publish(ctx, "com.example.news", wamp.Args("rain"), wamp.Acknowledge()).Wait(); err != nil {
		fmt.Println(err)
	}
	session.Close(ctx)
	router.Close() // it writes no more
	fmt.Println(lines)
	// Output: [wamptest: session 3065023613390777 does not get what it has published itself to com.example.news (PUBLISH.exclude_me)]
}
