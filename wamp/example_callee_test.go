package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Two invocations at once, however many come.
func ExampleConcurrency() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	var running, most atomic.Int32
	_, err := wamp.Serve(ctx, session, "com.example.resize", func(_ context.Context, picture string) (string, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return picture + " is small", nil
	}, wamp.Concurrency(2))
	if err != nil {
		fmt.Println(err)
		return
	}

	var calls []wamp.Results
	for i := range 20 {
		calls = append(calls, session.Call(ctx, "com.example.resize", wamp.Args(fmt.Sprint("picture ", i))))
	}
	failed := 0
	for _, call := range calls {
		if _, err := call.Final(); err != nil {
			failed++
		}
	}
	fmt.Println(failed, most.Load() <= 2)
	// Output: 0 true
}

// Two workers share a procedure, and take turns.
func ExampleInvoke() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	for _, name := range []string{"north", "south"} {
		_, err := wamp.Serve(ctx, joined(ctx, router), "com.example.render", func(_ context.Context, page int) (string, error) {
			return name, nil
		}, wamp.Invoke(wamp.RoundRobin))
		if err != nil {
			fmt.Println(err)
			return
		}
	}

	caller := joined(ctx, router)
	defer caller.Close(ctx)
	for page := range 3 {
		fmt.Println(wamp.Call[string](ctx, caller, "com.example.render", wamp.Args(page)))
	}
	// Output:
	// north <nil>
	// south <nil>
	// north <nil>
}

// A caller that vanished in the middle of its chunks does not keep a handler for ever.
func ExampleChunkIdle() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.upload", func(ctx context.Context, inv *wamp.Invocation) error {
		for range inv.Chunks() {
		}
		return context.Cause(ctx) // nil if the chunks are complete
	}, wamp.ChunkIdle(20*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}

	chunks := make(chan wamp.Payload, 1)
	chunks <- wamp.Args("the first, and no other")
	_, err = session.CallStream(ctx, "com.example.upload", chunks).Final()
	fmt.Println(errors.Is(err, wamp.ErrTimeout))
	// Output: true
}

// A procedure that is told of all its callers, whether they ask for it or not.
func ExampleDiscloseCaller() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, caller := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	defer caller.Close(ctx)
	_, err := session.Handle(ctx, "com.example.audit", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args(inv.Caller().Session == caller.ID()))
	}, wamp.DiscloseCaller())
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(wamp.Call[bool](ctx, caller, "com.example.audit", wamp.Args()))
	// Output: true <nil>
}

// An error with a text for the caller.
func ExampleErrorf() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := wamp.Serve(ctx, session, "com.example.half", func(_ context.Context, n int) (int, error) {
		if n%2 != 0 {
			return 0, wamp.Errorf(wamp.ErrInvalidArgument, "%d is odd", n)
		}
		return n / 2, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = wamp.Call[int](ctx, session, "com.example.half", wamp.Args(7))
	fmt.Println(errors.Is(err, wamp.ErrInvalidArgument))
	fmt.Println(err)
	// Output:
	// true
	// wamp: call com.example.half: wamp.error.invalid_argument: 7 is odd
}

// An error of the application's own, with what a caller needs to go on.
func ExampleNewError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := wamp.Serve(ctx, session, "com.example.book", func(_ context.Context, room string) (int, error) {
		return 0, wamp.NewError("com.example.error.occupied", wamp.Args(room, "until noon"))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = wamp.Call[int](ctx, session, "com.example.book", wamp.Args("blue"))
	var occupied *wamp.Error
	if errors.As(err, &occupied) && occupied.URI == "com.example.error.occupied" {
		fmt.Println(occupied.Args())
	}
	// Output: [blue until noon] <nil>
}

// The arguments of a call, and its answer.
func ExampleInvocation_Return() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.divide", func(_ context.Context, inv *wamp.Invocation) error {
		var a, b int
		if err := inv.Scan(&a, &b); err != nil || b == 0 {
			return wamp.ErrInvalidArgument
		}
		return inv.Return(wamp.Args(a/b, a%b))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	r, err := session.Call(ctx, "com.example.divide", wamp.Args(17, 5)).Final()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Args())
	// Output: [3 2] <nil>
}

// Other errors say nothing to the caller: their text is logged, not sent.
func ExampleInvocation_Fail() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	reg, err := session.Register(ctx, "com.example.lookup")
	if err != nil {
		fmt.Println(err)
		return
	}

	results := session.Call(ctx, "com.example.lookup", wamp.Args("joe"))
	inv := <-reg.Invocations()
	var name string
	if err := inv.Scan(&name); err != nil || name != "sue" {
		err = inv.Fail(wamp.Errorf(wamp.ErrInvalidArgument, "nobody is called %s", name))
		fmt.Println(err)
	}
	_, err = results.Final()
	fmt.Println(err)
	// Output:
	// <nil>
	// wamp: call com.example.lookup: wamp.error.invalid_argument: nobody is called joe
}

// Results are sent while the work goes on, if the caller asked for them.
func ExampleInvocation_Progress() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.search", func(_ context.Context, inv *wamp.Invocation) error {
		hits := []string{"north", "northern"}
		if !inv.Progressive() {
			return inv.Return(wamp.Args(hits)) // all at once
		}
		for _, hit := range hits {
			if err := inv.Progress(wamp.Args(hit)); err != nil {
				return err // the caller cancelled, or is gone
			}
		}
		return inv.Return()
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for hit, err := range wamp.Stream[string](ctx, session, "com.example.search", wamp.Args("nor")) {
		fmt.Println(hit, err)
	}
	fmt.Println(wamp.Call[[]string](ctx, session, "com.example.search", wamp.Args("nor")))
	// Output:
	// north <nil>
	// northern <nil>
	// [north northern] <nil>
}

// The chunks of a progressive call, until the caller has sent the last.
func ExampleInvocation_Chunks() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.sum", func(ctx context.Context, inv *wamp.Invocation) error {
		sum := 0
		for chunk := range inv.Chunks() {
			var n int
			if err := chunk.Scan(&n); err != nil {
				return wamp.ErrInvalidArgument
			}
			sum += n
		}
		if ctx.Err() != nil {
			return ctx.Err() // these were not all
		}
		return inv.Return(wamp.Args(sum))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	r, err := session.CallFunc(ctx, "com.example.sum", func(_ context.Context, send func(wamp.Payload) error) error {
		return errors.Join(send(wamp.Args(1)), send(wamp.Args(2)), send(wamp.Args(3).Last()))
	}).Final()
	var sum int
	fmt.Println(errors.Join(err, r.Scan(&sum)), sum)
	// Output: <nil> 6
}

// With a pattern the procedure that was called tells what is meant.
func ExampleInvocation_Procedure() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.device", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args("this is " + inv.Procedure()))
	}, wamp.Match(wamp.Prefix))
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(wamp.Call[string](ctx, session, "com.example.device.lamp.on", wamp.Args()))
	// Output: this is com.example.device.lamp.on <nil>
}

// Named arguments of a call.
func ExampleInvocation_ScanKw() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.print", func(_ context.Context, inv *wamp.Invocation) error {
		var options struct {
			Copies int  `json:"copies"`
			Duplex bool `json:"duplex"`
		}
		if err := inv.ScanKw(&options); err != nil {
			return wamp.ErrInvalidArgument
		}
		if options.Copies == 0 { // absent
			options.Copies = 1
		}
		return inv.Return(wamp.Args(fmt.Sprint(options.Copies, " copies, duplex: ", options.Duplex)))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(wamp.Call[string](ctx, session, "com.example.print", wamp.Args("page").With("duplex", true)))
	// Output: 1 copies, duplex: true <nil>
}

// Why an invocation is over is the cause of its context.
func ExampleInvocation_Context() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	reg, err := session.Register(ctx, "com.example.work")
	if err != nil {
		fmt.Println(err)
		return
	}

	work, stop := context.WithCancel(ctx)
	results := session.Call(work, "com.example.work", wamp.Args())
	inv := <-reg.Invocations()
	stop()
	<-inv.Context().Done()
	var interrupt *wamp.Interrupt
	fmt.Println(errors.As(context.Cause(inv.Context()), &interrupt), interrupt.Mode)
	<-results
	// Output: true killnowait
}

// A procedure is taken back; calls that follow find nobody.
func ExampleService_Unregister() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	service, err := wamp.Serve(ctx, session, "com.example.add", func(_ context.Context, n int) (int, error) { return n + 1, nil })
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(wamp.Call[int](ctx, session, service.Procedure(), wamp.Args(1)))
	fmt.Println(service.Unregister(ctx))
	_, err = wamp.Call[int](ctx, session, service.Procedure(), wamp.Args(1))
	fmt.Println(errors.Is(err, wamp.ErrNoSuchProcedure))
	// Output:
	// 2 <nil>
	// <nil>
	// true
}

// The router may take a procedure away.
func ExampleService_Done() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	service, err := wamp.Serve(ctx, session, "com.example.add", func(_ context.Context, n int) (int, error) { return n + 1, nil })
	if err != nil {
		fmt.Println(err)
		return
	}

	router.RevokeRegistration(service.ID(), "com.example.not_allowed")
	<-service.Done()
	var revoked *wamp.RevokedError
	fmt.Println(errors.As(service.Err(), &revoked), revoked.Reason)
	// Output: true com.example.not_allowed
}

// What waits when a registration ends is declined, so that the router asks others.
func ExampleRegistration_Unregister() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	reg, err := session.Register(ctx, "com.example.job", wamp.Buffer(100, 0))
	if err != nil {
		fmt.Println(err)
		return
	}

	results := session.Call(ctx, "com.example.job", wamp.Args(1))
	fmt.Println(reg.Unregister(ctx))
	_, err = results.Final()
	fmt.Println(errors.Is(err, wamp.ErrUnavailable) || errors.Is(err, wamp.ErrNoAvailableCallee), reg.Err())
	// Output:
	// <nil>
	// true wamp: unregistered
}
