package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// newSession joins a session to a router in this process, with a procedure that
// counts. With a real router there is only the Connect.
func newSession(ctx context.Context) (session *wamp.Session, done func()) {
	router := wamptest.Start()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		panic(err)
	}
	_, err = session.Handle(ctx, "com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
		var n int
		if err := inv.Scan(&n); err != nil {
			return wamp.ErrInvalidArgument
		}
		for i := range n {
			if err := inv.Progress(wamp.Args(i)); err != nil {
				return err // the caller cancelled, or is gone
			}
		}
		return inv.Return(wamp.Args(n))
	})
	if err != nil {
		panic(err)
	}
	return session, func() {
		_ = session.Close(ctx)
		router.Close()
	}
}

func ExampleConnect() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	address, err := router.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, address, "realm1", wamp.WithSerializers(codec.JSON))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Realm, session.Details().AuthRole, session.Details().Protocol)
	// Output: realm1 anonymous wamp.2.json
}

func ExampleSession_Call() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	// A call is a stream: progressive results, then the final one.
	for r := range session.Call(ctx, "com.example.count", wamp.Args(2), wamp.Progressive()) {
		var n int
		if err := errors.Join(r.Err, r.Scan(&n)); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n, r.Progress)
	}
	// Output:
	// 0 true
	// 1 true
	// 2 false
}

func ExampleResults_Final() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	r, err := session.Call(ctx, "com.example.count", wamp.Args(3)).Final()
	if err != nil {
		fmt.Println(err)
		return
	}
	var n int
	fmt.Println(r.Scan(&n), n)

	_, err = session.Call(ctx, "com.example.nothing", wamp.Args()).Final()
	fmt.Println(errors.Is(err, wamp.ErrNoSuchProcedure))
	// Output:
	// <nil> 3
	// true
}

func ExampleCall() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	n, err := wamp.Call[int](ctx, session, "com.example.count", wamp.Args(3))
	fmt.Println(n, err)
	// Output: 3 <nil>
}

func ExampleStream() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	for n, err := range wamp.Stream[int](ctx, session, "com.example.count", wamp.Args(1_000_000)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n)
		if n == 2 {
			break // cancels the call: the callee's context ends
		}
	}
	// Output:
	// 0
	// 1
	// 2
}

func ExampleSession_Call_cancel() {
	ctx, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	session, closeAll := newSession(ctx)
	defer closeAll()
	started, stopped := make(chan struct{}), make(chan error, 1)
	_, err := session.Handle(ctx, "com.example.work", func(ctx context.Context, _ *wamp.Invocation) error {
		close(started)
		<-ctx.Done() // work that ends when it is cancelled
		stopped <- context.Cause(ctx)
		return ctx.Err()
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	callCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	call := session.Call(callCtx, "com.example.work", wamp.Args())
	<-started
	cancel()
	_, err = call.Final()
	fmt.Println(errors.Is(err, context.Canceled))

	var interrupt *wamp.Interrupt
	fmt.Println(errors.As(<-stopped, &interrupt), interrupt.Mode)
	// Output:
	// true
	// true killnowait
}

func ExampleSession_Publish() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	// Nothing to wait for.
	session.Publish(ctx, "com.example.topic", wamp.Args("hi"))

	// Or the broker's word for it.
	id, err := session.Publish(ctx, "com.example.topic", wamp.Args("hi"), wamp.Acknowledge()).Wait()
	fmt.Println(id != 0, err)
	// Output: true <nil>
}

func ExampleSession_Subscribe() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	sub, err := session.Subscribe(ctx, "com.example.temperature")
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 3 {
		session.Publish(ctx, "com.example.temperature", wamp.Args(20+i).With("room", "kitchen"), wamp.ExcludeMe(false))
	}
	for event := range sub.Events() {
		var degrees int
		var where struct {
			Room string `json:"room"`
		}
		if err := errors.Join(event.Scan(&degrees), event.ScanKw(&where)); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(where.Room, degrees)
		if degrees == 22 {
			_ = sub.Unsubscribe(ctx) // closes the channel
		}
	}
	fmt.Println(sub.Err())
	// Output:
	// kitchen 20
	// kitchen 21
	// kitchen 22
	// wamp: unsubscribed
}

// The events by an iterator, which costs less than the channel.
func ExampleSubscription_All() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	subCtx, enough := context.WithCancel(ctx)
	defer enough()
	sub, err := session.Subscribe(subCtx, "com.example.temperature")
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 3 {
		session.Publish(ctx, "com.example.temperature", wamp.Args(20+i), wamp.ExcludeMe(false))
	}
	for event, err := range sub.All() {
		if err != nil { // the last pair: why the subscription is over
			fmt.Println(err)
			break
		}
		var degrees int
		if err := event.Scan(&degrees); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(degrees)
		if degrees == 22 {
			enough()
		}
	}
	// Output:
	// 20
	// 21
	// 22
	// wamp: subscription com.example.temperature: context canceled
}

// The invocations by an iterator; the loop that is left can be gone on with.
func ExampleRegistration_All() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	reg, err := session.Register(ctx, "com.example.ticket")
	if err != nil {
		fmt.Println(err)
		return
	}
	var calls []wamp.Results
	for range 3 {
		calls = append(calls, session.Call(ctx, "com.example.ticket", wamp.Payload{}))
	}
	n := 0
	for inv, err := range reg.All() {
		if err != nil {
			fmt.Println(err)
			return
		}
		n++
		_ = inv.Return(wamp.Args(n))
		if n == len(calls) {
			break
		}
	}
	for _, call := range calls {
		r, err := call.Final()
		var ticket int
		fmt.Println(errors.Join(err, r.Scan(&ticket)), ticket)
	}
	// Output:
	// <nil> 1
	// <nil> 2
	// <nil> 3
}

func ExampleSession_Register() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	regCtx, unregister := context.WithCancel(ctx)
	defer unregister()
	reg, err := session.Register(regCtx, "com.example.add")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for inv := range reg.Invocations() {
			var a, b int
			if err := inv.Scan(&a, &b); err != nil {
				_ = inv.Fail(wamp.ErrInvalidArgument)
				continue
			}
			_ = inv.Return(wamp.Args(a + b))
		}
	}()

	r, err := session.Call(ctx, "com.example.add", wamp.Args(2, 3)).Final()
	var sum int
	fmt.Println(errors.Join(err, r.Scan(&sum)), sum)
	unregister()
	<-served
	// Output: <nil> 5
}

func ExampleServe() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	type order struct {
		Item  string `json:"item"`
		Count int    `json:"count"`
	}
	_, err := wamp.Serve(ctx, session, "com.example.order", func(_ context.Context, o order) (string, error) {
		if o.Count < 1 {
			return "", wamp.Errorf(wamp.ErrInvalidArgument, "%d of %s", o.Count, o.Item)
		}
		return fmt.Sprintf("%d of %s", o.Count, o.Item), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, count := range []int{2, 0} {
		fmt.Println(wamp.Call[string](ctx, session, "com.example.order", wamp.Kwargs(order{"tea", count})))
	}
	_, err = wamp.Call[string](ctx, session, "com.example.order", wamp.Args("tea"))
	fmt.Println(err)
	// Output:
	// 2 of tea <nil>
	//  wamp: call com.example.order: wamp.error.invalid_argument: 0 of tea
	// wamp: call com.example.order: wamp.error.invalid_argument: args[0]: cannot decode the string "tea" into wamp_test.order
}

func ExampleSession_Handle() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := session.Handle(ctx, "com.example.divide", func(_ context.Context, inv *wamp.Invocation) error {
		var a, b int
		if err := inv.Scan(&a, &b); err != nil {
			return wamp.ErrInvalidArgument
		}
		if b == 0 {
			return wamp.NewError("com.example.error.division", wamp.Args("by zero"))
		}
		return inv.Return(wamp.Args(a / b))
	}, wamp.Concurrency(8))
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = session.Call(ctx, "com.example.divide", wamp.Args(1, 0)).Final()
	fmt.Println(wamp.ErrorURI(err))
	var said *wamp.Error
	if errors.As(err, &said) {
		args, _ := said.Args()
		fmt.Println(args...)
	}
	// Output:
	// com.example.error.division
	// by zero
}

func ExampleSession_Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	fmt.Println(session.Close(ctx))
	<-session.Done()
	_, err := session.Call(ctx, "com.example.count", wamp.Args(1)).Final()
	fmt.Println(errors.Is(err, wamp.ErrSessionClosed))
	// Output:
	// <nil>
	// true
}

func ExamplePayload() {
	type point struct {
		X int `json:"x"`
		Y int `json:"y"`
	}
	p := wamp.Args(point{1, 2}, []byte{3}, "four").With("five", 5.0)

	var where point
	var data []byte
	fmt.Println(p.Scan(&where, &data), where, data)
	kwargs, err := p.Kwargs()
	fmt.Println(kwargs, err)
	// Output:
	// <nil> {1 2} [3]
	// map[five:5] <nil>
}
