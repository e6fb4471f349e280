package wamp_test

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

// What a service reports while it works, and what it has to say in the end.
type (
	importRequest struct {
		Lines []string `json:"lines"`
	}
	importProgress struct {
		Line int `json:"line"`
	}
	importSummary struct {
		Lines, Bytes int
	}
)

func ExampleOpenStream() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := wamp.ServeStream(ctx, session, "com.example.import", func(_ context.Context, in importRequest, send func(importProgress) error) (importSummary, error) {
		sum := importSummary{Lines: len(in.Lines)}
		for i, line := range in.Lines {
			if line == "" {
				return sum, wamp.Errorf(wamp.ErrInvalidArgument, "line %d is empty", i+1)
			}
			sum.Bytes += len(line)
			if err := send(importProgress{i + 1}); err != nil {
				return sum, err // the caller cancelled, or is gone
			}
		}
		return sum, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	st := wamp.OpenStream[importProgress, importSummary](ctx, session, "com.example.import", wamp.Args(importRequest{[]string{"a", "bc"}}))
	defer st.Close() // ends the call, where it is left
	for p, err := range st.All() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("line", p.Line)
	}
	sum, err := st.Result()
	fmt.Println(sum, err)

	_, err = wamp.OpenStream[importProgress, importSummary](ctx, session, "com.example.import", wamp.Args(importRequest{[]string{""}})).Result()
	fmt.Println(err)
	// Output:
	// line 1
	// line 2
	// {2 3} <nil>
	// wamp: call com.example.import: wamp.error.invalid_argument: line 1 is empty
}

func ExampleServeStream() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := wamp.ServeStream(ctx, session, "com.example.squares", func(_ context.Context, n int, send func(int) error) (struct{}, error) {
		for i := range n {
			if err := send(i * i); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	}, wamp.Concurrency(8))
	if err != nil {
		fmt.Println(err)
		return
	}
	for n, err := range wamp.Stream[int](ctx, session, "com.example.squares", wamp.Args(4)) {
		fmt.Println(n, err)
	}
	// Output:
	// 0 <nil>
	// 1 <nil>
	// 4 <nil>
	// 9 <nil>
}

// A stream both ways: chunks go up, running sums come down.
func ExampleServeChunks() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := wamp.ServeChunks(ctx, session, "com.example.sum", func(_ context.Context, in iter.Seq2[int, error], send func(int) error) (string, error) {
		sum := 0
		for n, err := range in {
			if err != nil {
				return "", err // a chunk that is no int, or the input was cut
			}
			sum += n
			if err := send(sum); err != nil {
				return "", err
			}
		}
		return fmt.Sprint("in all ", sum), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	st := wamp.OpenCall[int, int, string](ctx, session, "com.example.sum", func(_ context.Context, send func(int) error) error {
		for _, n := range []int{1, 2, 3} {
			if err := send(n); err != nil {
				return err // the call is over
			}
		}
		return nil
	})
	for sum, err := range st.All() {
		fmt.Println(sum, err)
	}
	fmt.Println(st.Result())

	_, err = wamp.OpenCall[any, int, string](ctx, session, "com.example.sum", func(_ context.Context, send func(any) error) error {
		if err := send(1); err != nil {
			return err
		}
		return send("two")
	}).Result()
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// 3 <nil>
	// 6 <nil>
	// in all 6 <nil>
	// wamp: call com.example.sum: wamp.error.invalid_argument: chunk 2: args[0]: cannot decode the string "two" into int
}

func ExampleOn() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	type reading struct {
		Room    string  `json:"room"`
		Celsius float64 `json:"celsius"`
	}
	warm := make(chan string)
	consumer, err := wamp.On(ctx, session, "com.example.temperature", func(ctx context.Context, ev wamp.EventOf[reading]) error {
		select {
		case warm <- fmt.Sprint(ev.Value.Room, " ", ev.Value.Celsius):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	acks := wamp.PublishStream(ctx, session, consumer.Topic(), readings(reading{"kitchen", 21.5}, reading{"hall", 18}), wamp.ExcludeMe(false))
	fmt.Println(<-warm)
	fmt.Println(<-warm)
	for ack := range acks {
		fmt.Println(ack.Err)
	}
	if err := consumer.Unsubscribe(ctx); err != nil {
		fmt.Println(err)
	}
	<-consumer.Done()
	fmt.Println(consumer.Err(), consumer.Dropped())
	// Output:
	// kitchen 21.5
	// hall 18
	// <nil>
	// <nil>
	// wamp: unsubscribed 0
}

// readings is a channel of values, which is closed behind them.
func readings[T any](values ...T) <-chan T {
	ch := make(chan T, len(values))
	for _, v := range values {
		ch <- v
	}
	close(ch)
	return ch
}

// Four events are handled at once; Drain waits for those that have arrived.
func ExampleSession_SubscribeFunc() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	handled := make(chan int, 10)
	consumer, err := session.SubscribeFunc(ctx, "com.example.jobs", func(_ context.Context, ev wamp.Event) error {
		var n int
		if err := ev.Scan(&n); err != nil {
			return err // logged, with the topic
		}
		handled <- n
		return nil
	}, wamp.Concurrency(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	for ack := range wamp.PublishFunc(ctx, session, "com.example.jobs", func(_ context.Context, send func(int) error) error {
		for i := range 10 {
			if err := send(i); err != nil {
				return err
			}
		}
		return nil
	}, wamp.ExcludeMe(false)) {
		if ack.Err != nil {
			fmt.Println(ack.Err)
		}
	}
	fmt.Println(session.Drain(ctx), consumer.Err())
	fmt.Println(len(handled), "were handled")
	// Output:
	// <nil> wamp: the session is being drained
	// 10 were handled
}
