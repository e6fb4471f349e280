package wamptest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The router takes a procedure away from a service that stays connected.
func ExampleRouter_RevokeRegistration() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := connect(ctx, router)
	defer session.Close(ctx)
	service, err := wamp.Serve(ctx, session, "com.example.double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(router.RevokeRegistration(service.ID(), "com.example.no_longer_allowed"))
	<-service.Done()
	var revoked *wamp.RevokedError
	if errors.As(service.Err(), &revoked) {
		fmt.Println(revoked.Reason)
	}
	_, err = wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21))
	fmt.Println(errors.Is(err, wamp.ErrNoSuchProcedure))
	// Output:
	// 1
	// com.example.no_longer_allowed
	// true
}

// The router takes a subscription away from one of two who have it. The channel of its
// events is closed, and Err says why.
func ExampleRouter_RevokeSubscription() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	ann, bob := connect(ctx, router), connect(ctx, router)
	defer ann.Close(ctx)
	defer bob.Close(ctx)
	news, err := ann.Subscribe(ctx, "com.example.news")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := bob.Subscribe(ctx, "com.example.news"); err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(router.RevokeSubscription(news.ID(), "com.example.not_paid", ann.ID()))
	for range news.Events() {
		fmt.Println("an event")
	}
	var revoked *wamp.RevokedError
	if errors.As(news.Err(), &revoked) {
		fmt.Println(revoked.Reason)
	}
	fmt.Println(router.Stats().Subscribers)
	// Output:
	// 1
	// com.example.not_paid
	// 1
}
