package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A program that starts before the service that it calls.
func ExampleRetry() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	service := joined(ctx, router)
	defer service.Close(ctx)
	time.AfterFunc(50*time.Millisecond, func() {
		_, err := wamp.Serve(ctx, service, "com.example.double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		if err != nil {
			fmt.Println(err)
		}
	})

	double, err := wamp.Call[int](ctx, session, "com.example.double", wamp.Args(21),
		wamp.Retry(wamp.RetryPolicy{Min: 10 * time.Millisecond, Max: time.Second}))
	fmt.Println(double, err)

	_, err = wamp.Call[int](ctx, session, "com.example.nobody", wamp.Payload{},
		wamp.Retry(wamp.RetryPolicy{Min: time.Millisecond, Attempts: 3}))
	var e *wamp.RetryError
	fmt.Println(errors.As(err, &e), errors.Is(err, wamp.ErrNoSuchProcedure))
	fmt.Println(err)
	// Output:
	// 42 <nil>
	// true true
	// wamp: call com.example.nobody: wamp.error.no_such_procedure: nobody has registered com.example.nobody, after 3 attempts
}

// A stream of numbers that goes on when its connection is lost.
func ExampleResume() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	service := joined(ctx, router)
	defer service.Close(ctx)
	// It sends the numbers behind the one it is given.
	_, err := wamp.ServeStream(ctx, service, "com.example.numbers", func(_ context.Context, after int, send func(int) error) (int, error) {
		for n := after + 1; n < 6; n++ {
			if err := send(n); err != nil {
				return 0, err
			}
			time.Sleep(time.Millisecond)
		}
		return 6, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	resume := wamp.Resume(func(d wamp.Delivered) (wamp.Payload, bool) {
		return wamp.Args(d.Count), true // the numbers begin with 1
	})
	for n, err := range wamp.Stream[int](ctx, session, "com.example.numbers", wamp.Args(0), resume) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n)
		if n == 3 {
			router.Cut(session.ID()) // an accident
		}
	}
	// Output:
	// 1
	// 2
	// 3
	// 4
	// 5
	// 6
}
