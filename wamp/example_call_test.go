package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A procedure that reports how far it is while it works.
func ExampleProgressive() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.backup", func(_ context.Context, inv *wamp.Invocation) error {
		for _, percent := range []int{50, 100} {
			if err := inv.Progress(wamp.Args(percent)); err != nil {
				return err
			}
		}
		return inv.Return(wamp.Args("12 files"))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for r := range session.Call(ctx, "com.example.backup", wamp.Args("/home"), wamp.Progressive()) {
		switch args, err := r.Args(); {
		case r.Err != nil:
			fmt.Println(r.Err)
		case r.Progress:
			fmt.Println(args, "percent", err)
		default:
			fmt.Println("done:", args, err)
		}
	}
	// Output:
	// [50] percent <nil>
	// [100] percent <nil>
	// done: [12 files] <nil>
}

// interruptible registers a procedure that does not answer before it is interrupted.
func interruptible(ctx context.Context, session *wamp.Session, procedure string) {
	_, err := session.Handle(ctx, procedure, func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		panic(err)
	}
}

// Nothing has come from the callee for 20 ms. The dealer may have noticed first: the
// error matches ErrTimeout in either case.
func ExampleTimeout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	interruptible(ctx, session, "com.example.report")

	_, err := wamp.Call[string](ctx, session, "com.example.report", wamp.Args(), wamp.Timeout(20*time.Millisecond))
	fmt.Println(errors.Is(err, wamp.ErrTimeout), errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

// The dealer is told of the limit too, so that it interrupts the callee even if the
// caller is gone by then.
func ExamplePassDeadline() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	interruptible(ctx, session, "com.example.report")

	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	_, err := wamp.Call[string](short, session, "com.example.report", wamp.Args(), wamp.PassDeadline(true))
	fmt.Println(errors.Is(err, wamp.ErrTimeout))
	// Output: true
}

// A callee that does not answer its interruption is waited for no longer than this.
func ExampleKillGrace() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	running, over := make(chan bool), make(chan bool)
	defer close(over)
	_, err := session.Handle(ctx, "com.example.stubborn", func(context.Context, *wamp.Invocation) error {
		running <- true
		<-over // it does not look at its context
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	work, stop := context.WithCancel(ctx)
	results := session.Call(work, "com.example.stubborn", wamp.Args(), wamp.CancelMode(wamp.Kill), wamp.KillGrace(20*time.Millisecond))
	<-running
	stop()
	_, err = results.Final()
	var canceled *wamp.CanceledError
	fmt.Println(errors.As(err, &canceled), "answered:", canceled.Peer != nil)
	// Output: true answered: false
}

// A call that does the same however often it is made is sent again when its connection
// is lost.
func ExampleIdempotent() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	caller, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer caller.Close(ctx)
	callee := joined(ctx, router)
	defer callee.Close(ctx)
	runs := 0
	_, err = wamp.Serve(ctx, callee, "com.example.balance", func(_ context.Context, account string) (int, error) {
		if runs++; runs == 1 {
			router.Cut(caller.ID())
		}
		return 100, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	balance, err := wamp.Call[int](ctx, caller, "com.example.balance", wamp.Args("joe"), wamp.Idempotent())
	fmt.Println(balance, err, runs)
	// Output: 100 <nil> 2
}

// The callee learns who calls where both sides, and the router, allow it.
func ExampleDiscloseMe() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, caller := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	defer caller.Close(ctx)
	_, err := session.Handle(ctx, "com.example.whoami", func(_ context.Context, inv *wamp.Invocation) error {
		who := inv.Caller()
		return inv.Return(wamp.Args(who.Session == caller.ID(), who.AuthRole))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, options := range [][]wamp.CallOption{nil, {wamp.DiscloseMe()}} {
		r, err := caller.Call(ctx, "com.example.whoami", wamp.Args(), options...).Final()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Args())
	}
	// Output:
	// [false ] <nil>
	// [true anonymous] <nil>
}

// A result may have several arguments, and keyword arguments.
func ExampleResult_Scan() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.measure", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args(21.5, "celsius").With("sensor", 7))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	r, err := session.Call(ctx, "com.example.measure", wamp.Args()).Final()
	if err != nil {
		fmt.Println(err)
		return
	}
	var degrees float64
	var unit string
	fmt.Println(r.Scan(&degrees, &unit), degrees, unit, "of", r.NArgs())
	// Output: <nil> 21.5 celsius of 2
}

func ExampleResult_ScanKw() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.measure", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Kwargs(map[string]any{"degrees": 21.5, "sensor": 7}))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	r, err := session.Call(ctx, "com.example.measure", wamp.Args()).Final()
	if err != nil {
		fmt.Println(err)
		return
	}
	var reading struct {
		Degrees float64 `json:"degrees"`
		Sensor  int     `json:"sensor"`
	}
	fmt.Println(r.ScanKw(&reading), reading.Degrees, reading.Sensor)
	// Output: <nil> 21.5 7
}

// One of the callees fails, which ends its answer and not the call.
func ExampleResult_CalleeErr() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	for _, full := range []bool{false, true} {
		_, err := wamp.Serve(ctx, joined(ctx, router), "com.example.free", func(context.Context, struct{}) (int, error) {
			if full {
				return 0, wamp.Errorf(wamp.ErrUnavailable, "the disk is full")
			}
			return 40, nil
		}, wamp.Invoke(wamp.RoundRobin))
		if err != nil {
			fmt.Println(err)
			return
		}
	}

	sum, failed := 0, 0
	for r := range session.Call(ctx, "com.example.free", wamp.Args(), wamp.RunMode(wamp.All)) {
		var free int
		switch {
		case r.CalleeErr() != nil:
			failed++
		case r.Progress && r.Scan(&free) == nil:
			sum += free
		}
	}
	fmt.Println(sum, "free,", failed, "failed")
	// Output: 40 free, 1 failed
}

// The results by an iterator, each with its error.
func ExampleResults_All() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	for r, err := range session.Call(ctx, "com.example.count", wamp.Args(2), wamp.Progressive()).All() {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(r.Args())
	}
	// Output:
	// [0] <nil>
	// [1] <nil>
	// [2] <nil>
}

// Progress of one type, a result of another; Result may be asked for alone.
func ExampleResultStream_Result() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	st := wamp.OpenStream[int, int](ctx, session, "com.example.count", wamp.Args(3))
	fmt.Println(st.Result())
	// Output: 3 <nil>
}

func ExampleResultStream_All() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	st := wamp.OpenStream[int, string](ctx, session, "com.example.count", wamp.Args(2))
	for n, err := range st.All() {
		fmt.Println(n, err)
	}
	_, err := st.Result() // the final result is a number too
	var wrong *wamp.ScanError
	fmt.Println(errors.As(err, &wrong))
	// Output:
	// 0 <nil>
	// 1 <nil>
	// true
}

// A stream that is not wanted any more is closed, which cancels the call.
func ExampleResultStream_Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	interruptible(ctx, session, "com.example.tail")

	st := wamp.OpenStream[string, struct{}](ctx, session, "com.example.tail", wamp.Args("log"))
	st.Close()
	_, err := st.Result()
	fmt.Println(errors.Is(err, wamp.ErrCanceled))
	// Output: true
}

// A file that goes up line by line, and comes back as one number.
func ExampleOpenCall() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := session.Handle(ctx, "com.example.upload", func(ctx context.Context, inv *wamp.Invocation) error {
		size := 0
		for chunk := range inv.Chunks() {
			var line string
			if err := chunk.Scan(&line); err != nil {
				return wamp.ErrInvalidArgument
			}
			size += len(line)
		}
		if ctx.Err() != nil {
			return ctx.Err() // cut off
		}
		return inv.Return(wamp.Args(size))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	size, err := wamp.OpenCall[string, struct{}, int](ctx, session, "com.example.upload",
		func(_ context.Context, send func(string) error) error {
			for _, line := range []string{"one", "two", "three"} {
				if err := send(line); err != nil {
					return err // the call is over
				}
			}
			return nil
		}).Result()
	fmt.Println(size, err)
	// Output: 11 <nil>
}

// The URI of an error, whoever made it.
func ExampleErrorURI() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := wamp.Call[int](ctx, session, "com.example.nothing", wamp.Args())
	fmt.Println(wamp.ErrorURI(err))
	fmt.Println(wamp.ErrorURI(wamp.ErrInvalidArgument))
	fmt.Printf("%q\n", wamp.ErrorURI(context.Canceled))
	// Output:
	// wamp.error.no_such_procedure
	// wamp.error.invalid_argument
	// ""
}

// What a callee sends with its error is read as the arguments of a result are.
func ExampleError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	_, err := wamp.Serve(ctx, session, "com.example.pay", func(_ context.Context, amount int) (struct{}, error) {
		return struct{}{}, wamp.NewError("com.example.error.too_little", wamp.Kwargs(map[string]any{"missing": amount - 30}))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = wamp.Call[struct{}](ctx, session, "com.example.pay", wamp.Args(40))
	var refused *wamp.Error
	if errors.As(err, &refused) {
		var why struct {
			Missing int `json:"missing"`
		}
		fmt.Println(refused.URI, refused.ScanKw(&why), why.Missing)
	}
	// Output: com.example.error.too_little <nil> 10
}

// The operation that failed, and why.
func ExampleOpError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := wamp.Call[int](ctx, session, "com.example.nothing", wamp.Args())
	var failed *wamp.OpError
	if errors.As(err, &failed) {
		fmt.Println(failed.Op, failed.URI)
		fmt.Println(failed.Err)
	}
	// Output:
	// call com.example.nothing
	// wamp: wamp.error.no_such_procedure: nobody has registered com.example.nothing
}

// The path leads to the value that did not fit.
func ExampleScanError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := wamp.Call[string](ctx, session, "com.example.count", wamp.Args(3))
	var wrong *wamp.ScanError
	if errors.As(err, &wrong) {
		fmt.Println(wrong.Path, wrong.Type)
	}
	// Output: args[0] *string
}

// A value that cannot be sent is refused before anything is.
func ExampleEncodeError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := wamp.Call[int](ctx, session, "com.example.count", wamp.Args(map[string]any{"notify": func() {}}))
	var odd *wamp.EncodeError
	if errors.As(err, &odd) {
		fmt.Println(odd.Path)
	}
	// Output: args[0].notify
}
