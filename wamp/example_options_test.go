package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a session may take: time, memory, and requests under way.
func ExampleConnect_bounds() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	address, err := router.ListenRawSocket("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, address, "realm1",
		wamp.DialTimeout(5*time.Second),
		wamp.LoginTimeout(5*time.Second),
		wamp.AckTimeout(5*time.Second),
		wamp.CloseTimeout(2*time.Second),
		wamp.WithLimits(codec.Limits{Size: 1 << 20}), // of one message
		wamp.WithOutbound(4<<20),                     // bytes that wait to be written
		wamp.WithMemory(64<<20),                      // bytes that wait to be read
		wamp.WithWindow(16, 16),                      // requests that wait for the router
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Close(ctx))
	// Output: <nil>
}

// A WebSocket through whatever proxy the environment names.
func ExampleConnect_webSocket() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	address, err := router.ListenWebSocket("127.0.0.1:0", wamptest.WithCompression())
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, address, "realm1",
		wamp.WithProxy(http.ProxyFromEnvironment),
		wamp.WithHeader("X-Tenant", "north"),
		wamp.WithCompression(),
		wamp.WithBatching(0),
		wamp.WithAgent("meters 1.4"),
		wamp.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Codec().Name(), session.Details().Protocol)
	// Output: cbor wamp.2.cbor.batched
}

// Two routers, of which the first is down and is taken again at the first loss a minute
// later, and probes that notice one that vanishes.
func ExampleWithURLs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	address, err := router.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, "ws://127.0.0.1:1/ws", "realm1",
		wamp.WithURLs(false, address),
		wamp.WithPreferred(time.Minute),
		wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond, Initial: true}),
		wamp.WithKeepalive(wamp.Keepalive{Interval: 10 * time.Second}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	_, err = session.Ping(ctx) // a probe by hand
	fmt.Println(err, session.RTT().Last > 0, session.Details().Router == address)
	// Output: <nil> true true
}

// Features that a router has and does not announce, or announces and does not have.
func ExampleAssume() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithFeatures(wamptest.FeaturesWithout(proto.EventHistory)))
	defer router.Close()

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.Assume("event_history"), wamp.Without("event_retention"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	var lacks *wamp.FeatureError
	_, err = session.Publish(ctx, "com.example.door", wamp.Args("open"), wamp.Retain(), wamp.Acknowledge()).Wait()
	fmt.Println(errors.As(err, &lacks), lacks.Feature)
	// An option by hand says by itself what it needs.
	_, err = session.Publish(ctx, "com.example.door", wamp.Args("open"), wamp.Acknowledge(),
		wamp.Set("retain", true), wamp.Require(proto.Broker, proto.EventRetention)).Wait()
	fmt.Println(errors.As(err, &lacks), lacks.Feature)
	// Output:
	// true event_retention
	// true event_retention
}

// A call that waits for its callee's last word when it is cancelled.
func ExampleCancelMode() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	running := make(chan bool)
	_, err := session.Handle(ctx, "com.example.copy", func(ctx context.Context, inv *wamp.Invocation) error {
		running <- inv.Caller().Session != 0
		<-ctx.Done()
		return wamp.NewError("com.example.error.stopped", wamp.Args("at file 7"))
	}, wamp.DiscloseCaller())
	if err != nil {
		fmt.Println(err)
		return
	}

	work, stop := context.WithCancel(ctx)
	results := session.Call(work, "com.example.copy", wamp.Args(),
		wamp.CancelMode(wamp.Kill), wamp.KillGrace(time.Second), // instead of KillNoWait
		wamp.Timeout(time.Minute), wamp.PassDeadline(false), // the callee is not told of limits
		wamp.DiscloseMe())
	fmt.Println("the callee knows who calls:", <-running)
	stop()
	_, err = results.Final()
	var canceled *wamp.CanceledError
	if errors.As(err, &canceled) {
		fmt.Println(canceled.Peer)
	}
	// Output:
	// the callee knows who calls: true
	// wamp: com.example.error.stopped: at file 7
}

// What becomes of a consumer that does not keep up.
func ExampleBuffer() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	over := make(chan bool)
	_, err := session.Handle(ctx, "com.example.measure", func(_ context.Context, inv *wamp.Invocation) error {
		defer close(over)
		for n := 0; ; n++ {
			if err := inv.Progress(wamp.Args(n)); err != nil {
				return err // cancelled
			}
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	// The call is cancelled at the bound, which is the default. OverflowBlock would
	// hold the whole connection back instead.
	results := session.Call(ctx, "com.example.measure", wamp.Args(), wamp.Progressive(),
		wamp.Buffer(100, 0), wamp.OverflowFail())
	<-over // and nobody has read a result
	_, err = results.Final()
	fmt.Println(errors.Is(err, wamp.ErrSlowConsumer))

	// A subscription drops the oldest events by default, with OverflowDropOldest, or
	// the newest ones.
	sub, err := session.Subscribe(ctx, "com.example.readings", wamp.Buffer(100, 1<<20), wamp.OverflowDropNewest())
	if err != nil {
		fmt.Println(err)
		return
	}
	for n := range 1000 {
		<-session.Publish(ctx, sub.Topic(), wamp.Args(n), wamp.ExcludeMe(false), wamp.Acknowledge())
	}
	fmt.Println(sub.Dropped() > 0)
	// Output:
	// true
	// true
}

// Who gets an event.
func ExampleEligible() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, north, south := joined(ctx, router), joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	var subs []*wamp.Subscription
	for _, s := range []*wamp.Session{north, south} {
		sub, err := s.Subscribe(ctx, "com.example.orders")
		if err != nil {
			fmt.Println(err)
			return
		}
		subs = append(subs, sub)
	}

	for i, option := range []wamp.PublishOption{
		wamp.Eligible(north.ID()),
		wamp.EligibleAuthRole("admin"),
		wamp.EligibleAuthID("joe"),
		wamp.Exclude(north.ID()),
		wamp.ExcludeAuthRole("anonymous"),
		wamp.ExcludeAuthID("joe"),
	} {
		<-session.Publish(ctx, "com.example.orders", wamp.Args(i), option, wamp.DiscloseMe(), wamp.Acknowledge())
	}
	for _, sub := range subs {
		for range 2 {
			ev := <-sub.Events()
			var i int
			fmt.Println(ev.Scan(&i), i, ev.Publisher().Session == session.ID())
		}
	}
	// Output:
	// <nil> 0 true
	// <nil> 5 true
	// <nil> 3 true
	// <nil> 5 true
}

// A callee by hand, which takes what it can and lets others have the rest.
func ExampleInvocation_Decline() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, other := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	reg, err := session.Register(ctx, "com.example.print", wamp.Invoke(wamp.First), wamp.ChunkIdle(time.Minute))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = other.Handle(ctx, "com.example.print", func(_ context.Context, inv *wamp.Invocation) error {
		return inv.Return(wamp.Args("elsewhere"))
	}, wamp.Invoke(wamp.First), wamp.Concurrency(4))
	if err != nil {
		fmt.Println(err)
		return
	}

	results := other.Call(ctx, "com.example.print", wamp.Args("page"))
	inv := <-reg.Invocations()
	level, rated := inv.TrustLevel()
	fmt.Println(inv.Procedure(), inv.NArgs(), level, rated)
	if err := inv.Decline(); err != nil { // out of paper
		fmt.Println(err)
	}
	r, err := results.Final()
	fmt.Println(err)
	fmt.Println(r.Args())
	fmt.Println(reg.Refused(), reg.Unregister(ctx))
	// Output:
	// com.example.print 1 0 false
	// <nil>
	// [elsewhere] <nil>
	// 0 <nil>
}

// Sharded subscribers: each part of the events goes to those with one node key.
func ExampleNodeKey() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	var subs []*wamp.Subscription
	for _, node := range []string{"north", "south"} {
		sub, err := joined(ctx, router).Subscribe(ctx, "com.example.orders", wamp.NodeKey(node))
		if err != nil {
			fmt.Println(err)
			return
		}
		subs = append(subs, sub)
	}

	for i := range 10 {
		<-session.Publish(ctx, "com.example.orders", wamp.Args(i), wamp.RoutingKey("customer 17"), wamp.Acknowledge())
	}
	var ev wamp.Event
	select {
	case ev = <-subs[0].Events():
	case ev = <-subs[1].Events():
	}
	var i int
	fmt.Println(ev.Scan(&i), i)
	// Output: <nil> 0
}

// All topics of a pattern with one subscription.
func ExampleMatch() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	sub, err := session.Subscribe(ctx, "com.example..temperature", wamp.Match(wamp.Wildcard))
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, room := range []string{"cellar", "roof"} {
		<-session.Publish(ctx, "com.example."+room+".temperature", wamp.Args(i), wamp.ExcludeMe(false), wamp.Acknowledge())
	}
	fmt.Println((<-sub.Events()).Topic)
	fmt.Println((<-sub.Events()).Topic)
	// Output:
	// com.example.cellar.temperature
	// com.example.roof.temperature
}

// What was published before, without a subscription to what is to come.
func ExampleSubscription_History() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithHistory(100))
	defer router.Close()
	session, publisher := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	for n := range 4 {
		<-publisher.Publish(ctx, "com.example.log", wamp.Args(n), wamp.Acknowledge())
	}

	sub, err := session.Subscribe(ctx, "com.example.log")
	if err != nil {
		fmt.Println(err)
		return
	}
	events, err := sub.History(ctx, wamp.HistoryQuery{Limit: 2, Reverse: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for ev := range events {
		fmt.Println(ev.Args())
	}
	// Output:
	// [3] <nil>
	// [2] <nil>
}

// What comes out of a channel is published, and goes on where one event fails.
func ExampleSession_PublishStream() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	readings := make(chan wamp.Payload)
	go func() {
		defer close(readings)
		for n := range 3 {
			readings <- wamp.Args(n)
		}
		readings <- wamp.Args(make(chan int)) // cannot be sent
	}()
	published, failed := 0, 0
	for ack := range session.PublishStream(ctx, "com.example.readings", readings, wamp.Window(100), wamp.GoOn()) {
		if ack.Err != nil {
			failed++
			continue
		}
		published++
	}
	fmt.Println(published, failed)
	// Output: 3 1
}

// A testament that is taken back.
func ExampleSession_FlushTestaments() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	if err := session.AddTestament(ctx, wamp.Detached, "com.example.lost", wamp.Args("sensor 7")); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.FlushTestaments(ctx, wamp.Detached))
	// Output: <nil>
}

// A payload that is passed on as it came, without being decoded.
func ExampleRaw() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	r, err := session.Call(ctx, "com.example.count", wamp.Raw(codec.JSON, []byte(`[3]`), nil)).Final()
	if err != nil {
		fmt.Println(err)
		return
	}
	var n int
	fmt.Println(r.Scan(&n), n, r.Codec().Name())
	// Output: <nil> 3 cbor
}

func ExampleSession_Engine() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	// The engine has what only few programs need.
	fmt.Println(session.Engine().Details().Realm)
	// Output: realm1
}
