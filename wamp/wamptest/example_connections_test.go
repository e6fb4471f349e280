package wamptest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A router that restarts has forgotten what was registered, and is not reached at first. A
// service that reconnects registers again. CutAll breaks all connections too, and forgets
// nothing but the sessions.
func ExampleRouter_Restart() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := double(ctx, router, wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	defer service.Close(ctx)

	router.RefuseDials(-1, nil) // it is down for a while
	router.Restart()
	fmt.Println(router.Stats().Registrations)
	router.RefuseDials(0, nil)
	fmt.Println(router.WaitFor(ctx, func(s wamptest.Stats) bool { return s.Registrations == 1 }))
	fmt.Println(wamp.Call[int](ctx, service, "com.example.double", wamp.Args(21)))
	// Output:
	// 0
	// <nil>
	// 42 <nil>
}

// The network breaks for everybody, and the router stays: an event that it has retained is
// still there when a session is back.
func ExampleRouter_CutAll() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := connect(ctx, router, wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	defer session.Close(ctx)
	_, err := session.Publish(ctx, "com.example.price", wamp.Args(250), wamp.Retain(), wamp.Acknowledge()).Wait()
	if err != nil {
		fmt.Println(err)
		return
	}

	router.CutAll()
	if err := router.WaitFor(ctx, func(s wamptest.Stats) bool { return s.Accepted == 2 }); err != nil {
		fmt.Println(err)
		return
	}
	prices, err := session.Subscribe(ctx, "com.example.price", wamp.GetRetained())
	if err != nil {
		fmt.Println(err)
		return
	}
	price := <-prices.Events()
	args, err := price.Args()
	fmt.Println(args, err, price.Retained)
	// Output: [250] <nil> true
}

// An administrator sends a client away: the session ends, and says why.
func ExampleRouter_Kill() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := double(ctx, router)

	fmt.Println(router.Kill(service.ID(), "com.example.no_longer_wanted"))
	<-service.Done()
	var goodbye *wamp.GoodbyeError
	if errors.As(service.Err(), &goodbye) {
		fmt.Println(goodbye.Reason)
	}
	// Output:
	// true
	// com.example.no_longer_wanted
}

// The router shuts down in order, and is there again. A plain session ends; one that
// reconnects is back, and its service with it.
func ExampleRouter_GoodbyeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	plain := connect(ctx, router)
	service := double(ctx, router, wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	defer service.Close(ctx)

	router.GoodbyeAll("wamp.close.system_shutdown")
	<-plain.Done()
	fmt.Println(plain.Err())
	fmt.Println(wamp.Call[int](ctx, service, "com.example.double", wamp.Args(21), wamp.Idempotent()))
	// Output:
	// wamp: session closed: the router said goodbye: wamp.close.system_shutdown
	// 42 <nil>
}

// The network hangs, and nobody is told: what bounds the wait is the time limit of the
// call. Unstall ends it. A session with wamp.WithKeepalive notices by itself.
func ExampleRouter_Stall() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := double(ctx, router)
	defer service.Close(ctx)
	session := connect(ctx, router)
	defer session.Close(ctx)

	router.Stall(session.ID())
	_, err := wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21), wamp.Timeout(5*time.Millisecond))
	fmt.Println(errors.Is(err, wamp.ErrTimeout), errors.Is(err, context.DeadlineExceeded))

	router.Unstall(session.ID())
	fmt.Println(wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21)))
	// Output:
	// true true
	// 42 <nil>
}

// A router that no longer reads what a client sends: its calls hang, and still it gets
// events. ResumeReading ends it.
func ExampleRouter_StopReading() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := double(ctx, router)
	defer service.Close(ctx)
	session := connect(ctx, router)
	defer session.Close(ctx)
	news, err := session.Subscribe(ctx, "com.example.news")
	if err != nil {
		fmt.Println(err)
		return
	}

	router.StopReading(session.ID())
	_, err = wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21), wamp.Timeout(5*time.Millisecond))
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	service.Publish(ctx, "com.example.news", wamp.Args("rain"))
	event := <-news.Events()
	fmt.Println(event.Args())

	router.ResumeReading(session.ID())
	fmt.Println(wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21)))
	// Output:
	// true
	// [rain] <nil>
	// 42 <nil>
}

// A router that is slow with everything.
func ExampleRouter_Delay() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := double(ctx, router)
	defer session.Close(ctx)

	router.Delay(2 * time.Millisecond)
	start := time.Now()
	fmt.Println(wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21)))
	fmt.Println(time.Since(start) >= 4*time.Millisecond) // for the INVOCATION and the RESULT
	router.Delay(0)
	// Output:
	// 42 <nil>
	// true
}

// The host of a service dies, and the router has not noticed: whoever takes its place
// cannot register yet, and has to try again.
func ExampleWithHalfOpen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithHalfOpen(time.Hour))
	defer router.Close()
	service := double(ctx, router)
	standby := connect(ctx, router)
	defer standby.Close(ctx)
	register := func() error {
		_, err := wamp.Serve(ctx, standby, "com.example.double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		return err
	}

	router.Cut(service.ID())
	<-service.Done()
	fmt.Println(len(router.Sessions()))
	fmt.Println(errors.Is(register(), wamp.ErrProcedureAlreadyExists))
	// Output:
	// 2
	// true
}
