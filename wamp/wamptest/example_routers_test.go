package wamptest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The same at two routers: a service that has to know who calls is not told at Crossbar,
// even where the caller asks for it.
func ExampleCrossbarQuirks() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, options := range [][]wamptest.Option{nil, {wamptest.CrossbarQuirks()}} {
		router := wamptest.Start(options...)
		session := connect(ctx, router)
		_, err := session.Handle(ctx, "com.example.whoami", func(_ context.Context, inv *wamp.Invocation) error {
			return inv.Return(wamp.Args(inv.Caller().Session == session.ID()))
		})
		if err != nil {
			fmt.Println(err)
		}
		fmt.Println(wamp.Call[bool](ctx, session, "com.example.whoami", wamp.Payload{}, wamp.DiscloseMe()))
		session.Close(ctx)
		router.Close()
	}
	// Output:
	// true <nil>
	// false <nil>
}

// A router that speaks JSON only.
func ExampleWithProtocols() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithProtocols("wamp.2.json"))
	defer router.Close()

	session := connect(ctx, router)
	defer session.Close(ctx)
	fmt.Println(session.Details().Protocol)
	_, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithSerializers(codec.CBOR))
	fmt.Println(errors.Is(err, transport.ErrNoProtocol))
	// Output:
	// wamp.2.json
	// true
}

// What was published before a subscriber came.
func ExampleWithHistory() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithHistory(100))
	defer router.Close()
	shop, customer := connect(ctx, router), connect(ctx, router)
	defer shop.Close(ctx)
	defer customer.Close(ctx)
	for _, price := range []int{250, 240, 260} {
		_, err := shop.Publish(ctx, "com.example.price", wamp.Args(price), wamp.Acknowledge()).Wait()
		if err != nil {
			fmt.Println(err)
			return
		}
	}

	prices, err := customer.Subscribe(ctx, "com.example.price", wamp.FromHistory(wamp.HistoryQuery{Last: 2}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		event := <-prices.Events()
		args, err := event.Args()
		fmt.Println(args, err, event.Historic)
	}
	// Output:
	// [240] <nil> true
	// [260] <nil> true
}

// A router that has a feature and does not say so: the option is refused before anything
// is sent, unless the program assumes that it is there.
func ExampleAnnounce() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.Announce(wamptest.FeaturesWithout(proto.PatternBasedSubscription)))
	defer router.Close()

	for _, options := range [][]wamp.Option{nil, {wamp.Assume("pattern_based_subscription")}} {
		session := connect(ctx, router, options...)
		_, err := session.Subscribe(ctx, "com.example", wamp.Match(wamp.Prefix))
		var lacks *wamp.FeatureError
		fmt.Println(err == nil, errors.As(err, &lacks))
		session.Close(ctx)
	}
	// Output:
	// false true
	// true false
}

// A subscriber that does not keep up, at a router that drops what it has no room for. Some
// of the ten events arrive, and nobody is told of the others.
func ExampleWithQueueLimit() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithQueueLimit(2))
	defer router.Close()
	publisher, subscriber := connect(ctx, router), connect(ctx, router)
	defer publisher.Close(ctx)
	defer subscriber.Close(ctx)
	news, err := subscriber.Subscribe(ctx, "com.example.news")
	if err != nil {
		fmt.Println(err)
		return
	}

	router.Stall(subscriber.ID())
	for n := range 10 {
		if _, err := publisher.Publish(ctx, "com.example.news", wamp.Args(n), wamp.Acknowledge()).Wait(); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(router.Stats().Dropped > 0)
	router.Unstall(subscriber.ID())
	first := <-news.Events()
	fmt.Println(first.Args())
	// Output:
	// true
	// [0] <nil>
}

// A caller vanishes in the middle of its call. By default the callee is interrupted, and
// may save itself the rest; at some routers it is not, and works on for nobody.
func ExampleWithoutInterrupt() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, options := range [][]wamptest.Option{nil, {wamptest.WithoutInterrupt()}} {
		router := wamptest.Start(options...)
		service, caller := connect(ctx, router), connect(ctx, router)
		told := make(chan bool, 1)
		_, err := service.Handle(ctx, "com.example.work", func(work context.Context, _ *wamp.Invocation) error {
			router.Cut(caller.ID())
			// An INTERRUPT would come before this answer.
			_, err := wamp.Call[int](ctx, service, "wamp.session.count", wamp.Payload{})
			told <- work.Err() != nil
			return err
		})
		if err != nil {
			fmt.Println(err)
		}
		caller.Call(ctx, "com.example.work", wamp.Payload{})
		fmt.Println("interrupted:", <-told)
		service.Close(ctx)
		router.Close()
	}
	// Output:
	// interrupted: true
	// interrupted: false
}

// All subscriptions of a session have one id. It is the session that finds out for which
// of them an event is, and a program that takes ids for its keys gets them mixed up.
func ExampleWithSharedIDs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithSharedIDs(wamptest.AnyURI))
	defer router.Close()
	session := connect(ctx, router)
	defer session.Close(ctx)
	tea, err := session.Subscribe(ctx, "com.example.tea")
	if err != nil {
		fmt.Println(err)
		return
	}
	coffee, err := session.Subscribe(ctx, "com.example.coffee")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tea.ID() == coffee.ID())

	session.Publish(ctx, "com.example.coffee", wamp.Args("is ready"), wamp.ExcludeMe(false))
	session.Publish(ctx, "com.example.tea", wamp.Args("is not"), wamp.ExcludeMe(false))
	for _, sub := range []*wamp.Subscription{tea, coffee} {
		event := <-sub.Events()
		args, err := event.Args()
		fmt.Println(event.Topic, args, err)
	}
	// Output:
	// true
	// com.example.tea [is not] <nil>
	// com.example.coffee [is ready] <nil>
}

// Some routers name the topic in each event, most only where it is matched by a pattern.
// The Topic of an Event is there in any case, its Details may be empty.
func ExampleWithURIs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, presence := range []wamptest.Presence{wamptest.Always, wamptest.WhereNeeded} {
		router := wamptest.Start(wamptest.WithURIs(presence))
		session := connect(ctx, router)
		news, err := session.Subscribe(ctx, "com.example.news")
		if err != nil {
			fmt.Println(err)
			return
		}
		session.Publish(ctx, "com.example.news", wamp.Args("rain"), wamp.ExcludeMe(false))
		event := <-news.Events()
		fmt.Println(event.Topic, event.Details.Has("topic"))
		session.Close(ctx)
		router.Close()
	}
	// Output:
	// com.example.news true
	// com.example.news false
}

// A router that agrees with clients about the encryption of payloads, and turns away those
// that offer none.
func ExampleWithE2EE() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithE2EE(wamptest.E2EE{Required: true, KeyIDs: []string{"2026-07"}}))
	defer router.Close()
	sealed, err := seal.NewProfile1([]seal.Key{
		{ID: "2026-07", Pattern: "com.example.patient", Match: wamp.Prefix, Secret: bytes.Repeat([]byte{7}, 32)},
	}, seal.Required())
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithPayloadCodec(sealed))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthExtra["e2ee"].(map[string]any)["cipher"])
	_, err = wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	fmt.Println(errors.Is(err, wamp.ErrNotAuthorized))
	// Output:
	// xsalsa20poly1305
	// true
}
