package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// joined is a session of a router in this process.
func joined(ctx context.Context, router *wamptest.Router) *wamp.Session {
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		panic(err)
	}
	return session
}

// A call that is a stream both ways: numbers go out, running totals come back.
func ExampleSession_CallFunc() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	_, err := session.Handle(ctx, "com.example.totals", func(ctx context.Context, inv *wamp.Invocation) error {
		total := 0
		for chunk := range inv.Chunks() {
			var n int
			if err := chunk.Scan(&n); err != nil {
				return wamp.ErrInvalidArgument
			}
			total += n
			if err := inv.Progress(wamp.Args(total)); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err() // interrupted: this is not all there was
		}
		return inv.Return(wamp.Args("that is all"))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for r := range session.CallFunc(ctx, "com.example.totals", func(_ context.Context, send func(wamp.Payload) error) error {
		for _, n := range []int{1, 2, 3} {
			if err := send(wamp.Args(n)); err != nil {
				return err // the call has ended
			}
		}
		return nil
	}, wamp.Progressive()) {
		args, err := r.Args()
		fmt.Println(args, r.Progress, errors.Join(r.Err, err))
	}
	// Output:
	// [1] true <nil>
	// [3] true <nil>
	// [6] true <nil>
	// [that is all] false <nil>
}

func ExampleSession_CallStream() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	_, err := session.Handle(ctx, "com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
		n := 0
		for range inv.Chunks() {
			n++
		}
		return inv.Return(wamp.Args(n))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	chunks := make(chan wamp.Payload)
	go func() {
		defer close(chunks)
		for _, line := range []string{"one", "two"} {
			select {
			case chunks <- wamp.Args(line):
			case <-ctx.Done(): // nobody takes them when the call is over
			}
		}
	}()
	r, err := session.CallStream(ctx, "com.example.count", chunks).Final()
	var n int
	err = errors.Join(err, r.Scan(&n))
	fmt.Println(n, err)
	// Output: 2 <nil>
}

// The deadline of a call reaches the worker that serves it.
func ExampleForwardTimeout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	deadline := make(chan bool, 1)
	_, err := session.Handle(ctx, "com.example.work", func(ctx context.Context, _ *wamp.Invocation) error {
		_, has := ctx.Deadline() // pass ctx on to whatever the work needs
		<-ctx.Done()
		deadline <- has
		return ctx.Err()
	}, wamp.ForwardTimeout())
	if err != nil {
		fmt.Println(err)
		return
	}

	short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	_, err = session.Call(short, "com.example.work", wamp.Args()).Final()
	fmt.Println("timeout:", errors.Is(err, wamp.ErrTimeout))
	fmt.Println("the worker had a deadline, and has stopped:", <-deadline)
	// Output:
	// timeout: true
	// the worker had a deadline, and has stopped: true
}

// workers register a procedure together; each answers with its name.
func workers(ctx context.Context, router *wamptest.Router, names ...string) {
	for _, name := range names {
		_, err := joined(ctx, router).Handle(ctx, "com.example.shard", func(_ context.Context, inv *wamp.Invocation) error {
			return inv.Return(wamp.Args(name))
		}, wamp.Invoke(wamp.RoundRobin))
		if err != nil {
			panic(err)
		}
	}
}

// Scatter-gather: every worker answers.
func ExampleRunMode() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	workers(ctx, router, "north", "south", "west")
	session := joined(ctx, router)
	defer session.Close(ctx)

	var names []string
	for r := range session.Call(ctx, "com.example.shard", wamp.Args(), wamp.RunMode(wamp.All)) {
		var name string
		switch {
		case r.Err != nil:
			fmt.Println(r.Err)
		case r.Progress && r.CalleeErr() == nil && r.Callee().Session != session.ID() && r.Scan(&name) == nil:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	fmt.Println(names)
	// Output: [north south west]
}

// Sharded workers: what has the same key goes to the same one.
func ExampleRoutingKey() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	workers(ctx, router, "north", "south", "west")
	session := joined(ctx, router)
	defer session.Close(ctx)

	seen := map[string]bool{}
	for range 20 {
		r, err := session.Call(ctx, "com.example.shard", wamp.Args(), wamp.RoutingKey("customer 17")).Final()
		var name string
		if err := errors.Join(err, r.Scan(&name)); err != nil {
			fmt.Println(err)
		}
		seen[name] = true
	}
	fmt.Println(len(seen), "worker has served all 20 calls")
	// Output: 1 worker has served all 20 calls
}
