package wamp_test

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"strconv"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// An audit log of a callee: who has called what, and how it ended.
func ExampleWithInterceptors_audit() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	audit := wamp.InterceptorFuncs{EndFunc: func(_ context.Context, op *wamp.Op, err error) {
		if op.Kind == wamp.OpInvocation {
			fmt.Printf("%s: %d bytes in, %d bytes out in %d parts: %v\n", op.URI, op.ReceivedBytes, op.SentBytes, op.Sent, err)
		}
	}}
	callee, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithInterceptors(audit))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer callee.Close(ctx)
	_, err = wamp.Serve(ctx, callee, "com.example.half", func(_ context.Context, n int) (int, error) {
		if n%2 != 0 {
			return 0, wamp.Errorf(wamp.ErrInvalidArgument, "%d is odd", n)
		}
		return n / 2, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	session := joined(ctx, router)
	defer session.Close(ctx)
	for _, n := range []int{8, 7} {
		half, err := wamp.Call[int](ctx, session, "com.example.half", wamp.Args(n))
		fmt.Println(half, err)
	}
	_ = callee.Drain(ctx) // the last invocation has ended
	// Unordered output:
	// com.example.half: 2 bytes in, 2 bytes out in 1 parts: <nil>
	// 4 <nil>
	// com.example.half: 2 bytes in, 0 bytes out in 0 parts: wamp: wamp.error.invalid_argument: 7 is odd
	// 0 wamp: call com.example.half: wamp.error.invalid_argument: 7 is odd
}

// A callee that decides by itself who may call. The router has to disclose callers.
func ExampleWithInterceptors_authorization() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	admins := map[wamp.ID]bool{session.ID(): true}
	guard := wamp.InterceptorFuncs{BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
		if op.Kind == wamp.OpInvocation && !admins[op.Peer.Session] {
			return nil, wamp.Errorf(wamp.ErrNotAuthorized, "%s is for administrators", op.URI)
		}
		return ctx, nil
	}}
	callee, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithInterceptors(guard))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer callee.Close(ctx)
	_, err = callee.Handle(ctx, "com.example.stop", func(context.Context, *wamp.Invocation) error { return nil }, wamp.DiscloseCaller())
	if err != nil {
		fmt.Println(err)
		return
	}

	stranger := joined(ctx, router)
	defer stranger.Close(ctx)
	_, err = session.Call(ctx, "com.example.stop", wamp.Payload{}).Final()
	fmt.Println(err)
	_, err = stranger.Call(ctx, "com.example.stop", wamp.Payload{}).Final()
	fmt.Println(err)
	// Output:
	// <nil>
	// wamp: call com.example.stop: wamp.error.not_authorized: com.example.stop is for administrators
}

// A deadline for every call that has none.
func ExampleWithInterceptors_deadline() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	type cancelKey struct{}
	budget := wamp.InterceptorFuncs{
		BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
			if _, has := ctx.Deadline(); has || op.Kind != wamp.OpCall {
				return ctx, nil
			}
			ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			return context.WithValue(ctx, cancelKey{}, cancel), nil
		},
		EndFunc: func(ctx context.Context, _ *wamp.Op, _ error) {
			if cancel, is := ctx.Value(cancelKey{}).(context.CancelFunc); is {
				cancel()
			}
		},
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithInterceptors(budget))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	callee := joined(ctx, router)
	defer callee.Close(ctx)
	_, err = callee.Handle(ctx, "com.example.never", func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = session.Call(context.Background(), "com.example.never", wamp.Payload{}).Final()
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// Counters of all operations by kind and outcome, published by expvar.
func ExampleWithInterceptors_metrics() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	counters := new(expvar.Map) // expvar.NewMap publishes it
	count := wamp.InterceptorFuncs{EndFunc: func(_ context.Context, op *wamp.Op, err error) {
		name := op.Kind.String() + ".done"
		if err != nil {
			name = op.Kind.String() + ".failed"
		}
		counters.Add(name, 1)
	}}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithInterceptors(count))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	for range 3 {
		_, _ = session.Call(ctx, "com.example.nobody", wamp.Payload{}).Final()
	}
	_, _ = session.Publish(ctx, "com.example.topic", wamp.Args(1), wamp.Acknowledge()).Wait()
	fmt.Println(counters)
	// Output: {"call.failed": 3, "connect.done": 1, "publish.done": 1}
}

// A validator of what a stream brings, without Begin and End: what is not valid ends the call, and the callee is
// told to stop. It is an Interceptor of its own type.
func ExampleWithInterceptors_validation() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithInterceptors(validator{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	callee := joined(ctx, router)
	defer callee.Close(ctx)
	_, err = callee.Handle(ctx, "com.example.temperatures", func(_ context.Context, inv *wamp.Invocation) error {
		for _, t := range []float64{20.5, 21, -400, 22} {
			if err := inv.Progress(wamp.Args(t)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for t, err := range wamp.Stream[float64](ctx, session, "com.example.temperatures", wamp.Payload{}) {
		fmt.Println(t, err)
	}
	// Output:
	// 20.5 <nil>
	// 21 <nil>
	// 0 wamp: call com.example.temperatures: result 3 is -400, which is colder than can be
}

type validator struct{ wamp.InterceptorFuncs }

// Progress implements wamp.Interceptor.
func (validator) Progress(_ context.Context, op *wamp.Op, part *wamp.Part) error {
	var t float64
	if op.Kind != wamp.OpCall || part.Sent || part.NArgs() == 0 {
		return nil
	}
	if err := part.Scan(&t); err != nil {
		return err
	}
	if t < -273.15 {
		return errors.New("result " + strconv.Itoa(part.N) + " is " + strconv.FormatFloat(t, 'g', -1, 64) + ", which is colder than can be")
	}
	return nil
}

// What Begin puts into the context of an event is there where the event is read.
func ExampleEvent_Context() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	type receivedKey struct{}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithInterceptors(wamp.InterceptorFuncs{
		BeginFunc: func(ctx context.Context, op *wamp.Op) (context.Context, error) {
			return context.WithValue(ctx, receivedKey{}, op.Pattern), nil
		},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	sub, err := session.Subscribe(ctx, "com.example", wamp.Match(wamp.Prefix))
	if err != nil {
		fmt.Println(err)
		return
	}
	publisher := joined(ctx, router)
	defer publisher.Close(ctx)
	_, err = publisher.Publish(ctx, "com.example.topic", wamp.Args("hello"), wamp.Acknowledge()).Wait()
	if err != nil {
		fmt.Println(err)
		return
	}

	ev := <-sub.Events()
	fmt.Println(ev.Topic, "came for", ev.Context().Value(receivedKey{}))
	// Output: com.example.topic came for com.example
}
