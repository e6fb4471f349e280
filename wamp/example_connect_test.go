package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A connection that a program has already, for a session that does not reconnect.
func ExampleWithTransport() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	conn, err := router.Dial(ctx, transport.Protocols())
	if err != nil {
		fmt.Println(err)
		return
	}

	once := func(context.Context, []transport.Protocol) (transport.Conn, error) {
		if conn == nil {
			return nil, errors.New("there was one connection only")
		}
		c := conn
		conn = nil
		return c, nil
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(once))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Realm)
	// Output: realm1
}

// JSON only, to read along on the wire.
func ExampleWithSerializers() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithSerializers(codec.JSON))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Codec().Name())
	// Output: json
}

// What a session logs of a handler that panics: by default to slog.Default, with its
// stack, which is left out here.
func ExampleWithLogger() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "stack" {
				return slog.Attr{}
			}
			return a
		},
	}))

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithLogger(logger))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = wamp.Serve(ctx, session, "com.example.first", func(_ context.Context, names []string) (string, error) {
		return names[0], nil // of none
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = wamp.Call[string](ctx, session, "com.example.first", wamp.Args([]string{}))
	failed := wamp.ErrorURI(err)
	if err := session.Close(ctx); err != nil { // writes what is left of the log
		fmt.Println(err)
	}
	fmt.Println("the caller got", failed)
	// Output:
	// level=ERROR msg="wamp: user code panicked" code="the handler of com.example.first" panic="runtime error: index out of range [0] with length 0"
	// the caller got wamp.error.runtime_error
}

// A router that has vanished without a word is noticed within 40 ms.
func ExampleWithKeepalive() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithKeepalive(wamp.Keepalive{Interval: 20 * time.Millisecond}))
	if err != nil {
		fmt.Println(err)
		return
	}
	router.Stall(session.ID()) // it neither reads nor writes any more
	<-session.Done()
	fmt.Println(errors.Is(session.Err(), wamp.ErrPongTimeout))
	// Output: true
}

// Nobody answers within the limit.
func ExampleDialTimeout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	nowhere := func(ctx context.Context, _ []transport.Protocol) (transport.Conn, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}

	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(nowhere), wamp.DialTimeout(10*time.Millisecond))
	fmt.Println(errors.Is(err, wamp.ErrDialTimeout))
	// Output: true
}

// Somebody answers who says nothing to HELLO.
func ExampleLoginTimeout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mute := transport.PipeDialer(func(context.Context, transport.Conn) error { return nil })

	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(mute), wamp.LoginTimeout(10*time.Millisecond))
	fmt.Println(errors.Is(err, wamp.ErrLoginTimeout))
	// Output: true
}

// A broker that does not answer a SUBSCRIBE.
func ExampleAckTimeout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Message.Type == proto.Subscribed {
			return wamptest.Drop()
		}
		return wamptest.Pass()
	}))
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.AckTimeout(10*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	_, err = session.Subscribe(ctx, "com.example.news")
	fmt.Println(errors.Is(err, wamp.ErrAckTimeout))
	// Output: true
}

// A router that does not answer GOODBYE is waited for no longer than this; the session
// is over in any case.
func ExampleCloseTimeout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.CloseTimeout(10*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	router.Stall(session.ID())
	fmt.Println(session.Close(context.Background()) != nil) // a deadline would take its place
	<-session.Done()
	// Output: true
}

// An answer that is larger than what the program wants to have in memory ends the
// connection.
func ExampleWithLimits() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	callee := joined(ctx, router)
	defer callee.Close(ctx)
	_, err := wamp.Serve(ctx, callee, "com.example.dump", func(context.Context, struct{}) ([]byte, error) {
		return make([]byte, 1<<20), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithLimits(codec.Limits{Size: 64 << 10}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	_, err = wamp.Call[[]byte](ctx, session, "com.example.dump", wamp.Args())
	<-session.Done()
	fmt.Println(err != nil, session.Err())
	// Output: true wamp: session closed: protocol violation by the router: message of 1048587 bytes is over the limit
}

// A publisher that is faster than its router waits, under its context, when 64 KiB are
// on their way.
func ExampleWithOutbound() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithOutbound(64<<10))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	router.Stall(session.ID())
	defer router.Unstall(session.ID())

	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	for {
		if ack, failed := <-session.Publish(short, "com.example.frames", wamp.Args(make([]byte, 16<<10))); failed {
			fmt.Println(errors.Is(ack.Err, context.DeadlineExceeded))
			return
		}
	}
	// Output: true
}

// All streams of the session together hold one mebibyte for consumers that are slow.
func ExampleWithMemory() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithMemory(1<<20))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	sub, err := session.Subscribe(ctx, "com.example.frames") // and nobody reads
	if err != nil {
		fmt.Println(err)
		return
	}

	for range 100 {
		<-session.Publish(ctx, sub.Topic(), wamp.Args(make([]byte, 64<<10)), wamp.ExcludeMe(false), wamp.Acknowledge())
	}
	fmt.Println(sub.Dropped() > 0, sub.Unsubscribe(ctx))
	// Output: true <nil>
}

// At most four publishes wait for their acknowledgement at once; others wait in the
// session.
func ExampleWithWindow() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithWindow(4, 4))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	var acks []wamp.Acks
	for n := range 100 {
		acks = append(acks, session.Publish(ctx, "com.example.readings", wamp.Args(n), wamp.Acknowledge()))
	}
	published := 0
	for _, ack := range acks {
		if _, err := ack.Wait(); err == nil {
			published++
		}
	}
	fmt.Println(published)
	// Output: 100
}

// The name by which the router knows this program, in its log.
func ExampleWithAgent() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Message.Type == proto.Hello {
			fmt.Println(x.Message.Options.Str("agent"))
		}
		return wamptest.Pass()
	}))
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithAgent("meters 1.4"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	// Output: meters 1.4
}

// A feature that a router announces and does not have: what needs it is refused before
// anything is sent.
func ExampleWithout() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.Without("event_retention"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	_, err = session.Publish(ctx, "com.example.door", wamp.Args("open"), wamp.Retain(), wamp.Acknowledge()).Wait()
	var lacks *wamp.FeatureError
	fmt.Println(errors.As(err, &lacks), lacks.Feature)
	// Output: true event_retention
}

// An operation that makes no sense without a feature of the router.
func ExampleRequire() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallCanceling)))
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	_, err := wamp.Call[string](ctx, session, "com.example.render", wamp.Args(),
		wamp.Require(proto.Dealer, proto.CallCanceling))
	var lacks *wamp.FeatureError
	fmt.Println(errors.As(err, &lacks), lacks.Feature)
	// Output: true call_canceling
}

// An option of one router, which the library does not know.
func ExampleSet() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithForwardedOptions("transaction_hash"))
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	_, err := session.Handle(ctx, "com.example.pay", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args(inv.Details.Str("transaction_hash")))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(wamp.Call[string](ctx, session, "com.example.pay", wamp.Args(10), wamp.Set("transaction_hash", "0x9f2c")))
	// Output: 0x9f2c <nil>
}

// A session that tries for a while to come back, and says why it gave up.
func ExampleBackoff() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond, Attempts: 3}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	router.RefuseDials(3, errors.New("down for maintenance"))
	router.Cut(session.ID())
	<-session.Done()
	var gaveUp *wamp.GaveUpError
	if errors.As(session.Err(), &gaveUp) {
		fmt.Println(gaveUp.Attempts)
	}
	// Output: 3
}
