package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func ExampleWithReconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	sub, err := session.Subscribe(ctx, "com.example.tide")
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, height := range []float64{3.5, 3.25} {
		// The publish waits for a connection, and leaves behind the SUBSCRIBE.
		if _, err := session.Publish(ctx, "com.example.tide", wamp.Args(height), wamp.Acknowledge(), wamp.ExcludeMe(false)).Wait(); err != nil {
			fmt.Println(err)
			return
		}
		event := <-sub.Events()
		var h float64
		fmt.Println(event.Scan(&h), h, "may have missed some:", event.AfterGap)

		states := session.States(ctx)
		<-states // joined
		router.Cut(session.ID())
		for state := range states {
			if state.Phase == wamp.Joined {
				break
			}
		}
	}
	// Output:
	// <nil> 3.5 may have missed some: false
	// <nil> 3.25 may have missed some: true
}

func ExampleOutcomeUnknown() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	reconnect := wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond})
	caller, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), reconnect)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer caller.Close(ctx)
	callee, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer callee.Close(ctx)
	runs := 0
	_, err = callee.Handle(ctx, "com.example.transfer", func(context.Context, *wamp.Invocation) error {
		if runs++; runs < 3 {
			router.Cut(caller.ID()) // while the call is under way
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = caller.Call(ctx, "com.example.transfer", wamp.Args()).Final()
	var unknown *wamp.OutcomeUnknown
	fmt.Println(errors.As(err, &unknown))

	_, err = caller.Call(ctx, "com.example.transfer", wamp.Args(), wamp.Idempotent()).Final()
	fmt.Println(err, "after", runs, "runs")
	// Output:
	// true
	// <nil> after 3 runs
}

func ExampleSession_Drain() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	caller, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer caller.Close(ctx)
	callee, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	began := make(chan struct{})
	_, err = callee.Handle(ctx, "com.example.slow", func(_ context.Context, inv *wamp.Invocation) error {
		close(began)
		<-time.After(10 * time.Millisecond) // work
		return inv.Return()
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	results := caller.Call(ctx, "com.example.slow", wamp.Args())
	<-began
	fmt.Println(callee.Drain(ctx)) // no new invocations; the running one ends first
	_, err = results.Final()
	fmt.Println(err)
	_, err = caller.Call(ctx, "com.example.slow", wamp.Args()).Final()
	fmt.Println(errors.Is(err, wamp.ErrNoSuchProcedure))
	// Output:
	// <nil>
	// <nil>
	// true
}
