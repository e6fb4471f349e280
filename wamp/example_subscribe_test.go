package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The channel of the events, in a loop that waits for something else too.
func ExampleSubscription_Events() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.alarm")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Publish(ctx, "com.example.alarm", wamp.Args("smoke in the kitchen"), wamp.ExcludeMe(false))

	select {
	case event, open := <-sub.Events():
		if !open {
			fmt.Println(sub.Err())
			return
		}
		var text string
		fmt.Println(event.Scan(&text), text)
	case <-ctx.Done():
	}
	// Output: <nil> smoke in the kitchen
}

// A subscription that is given up is over at once, with its channel.
func ExampleSubscription_Unsubscribe() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.alarm")
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(sub.Err(), sub.Unsubscribe(ctx))
	_, open := <-sub.Events()
	fmt.Println(open, errors.Is(sub.Err(), wamp.ErrUnsubscribed))
	// Output:
	// <nil> <nil>
	// false true
}

// Why a channel of events has been closed.
func ExampleSubscription_Err() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	sub, err := session.Subscribe(ctx, "com.example.secret")
	if err != nil {
		fmt.Println(err)
		return
	}

	router.RevokeSubscription(sub.ID(), "wamp.error.not_authorized")
	for range sub.Events() {
	}
	var revoked *wamp.RevokedError
	switch err := sub.Err(); {
	case errors.As(err, &revoked):
		fmt.Println("taken away:", errors.Is(err, wamp.ErrNotAuthorized))
	case errors.Is(err, wamp.ErrSessionClosed):
		fmt.Println("the session is over")
	}
	// Output: taken away: true
}

// fastEvents publishes more than a slow consumer holds.
func fastEvents(ctx context.Context, session *wamp.Session, topic string) {
	for n := range 1000 {
		<-session.Publish(ctx, topic, wamp.Args(n), wamp.ExcludeMe(false), wamp.Acknowledge())
	}
}

// Of a stock price the newest counts: what was not read in time is dropped, which is the
// default.
func ExampleOverflowDropOldest() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.price", wamp.Buffer(10, 0), wamp.OverflowDropOldest())
	if err != nil {
		fmt.Println(err)
		return
	}

	fastEvents(ctx, session, sub.Topic())
	lost, last := 0, 0
	for event := range sub.Events() {
		lost += int(event.Lost)
		if err := event.Scan(&last); err != nil || last == 999 {
			break
		}
	}
	fmt.Println(last, lost > 900, sub.Dropped() == uint64(lost))
	// Output: 999 true true
}

// Of the entries of a log the first ones count.
func ExampleOverflowDropNewest() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.failures", wamp.Buffer(10, 0), wamp.OverflowDropNewest())
	if err != nil {
		fmt.Println(err)
		return
	}

	fastEvents(ctx, session, sub.Topic())
	event := <-sub.Events()
	var first int
	fmt.Println(event.Scan(&first), first, sub.Dropped() > 900, sub.Unsubscribe(ctx))
	// Output: <nil> 0 true <nil>
}

// A consumer for which an incomplete stream is worth nothing ends instead.
func ExampleOverflowFail() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.ledger", wamp.Buffer(10, 0), wamp.OverflowFail())
	if err != nil {
		fmt.Println(err)
		return
	}

	fastEvents(ctx, session, sub.Topic())
	n := 0
	for range sub.Events() {
		n++
	}
	fmt.Println(n < 100, errors.Is(sub.Err(), wamp.ErrSlowConsumer))
	// Output: true true
}

// A consumer that must have every event, of a session that has nothing else to do: the
// router is held back until it has caught up.
func ExampleOverflowBlock() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	publisher, session := joined(ctx, router), joined(ctx, router)
	defer publisher.Close(ctx)
	defer session.Close(ctx)
	sub, err := session.Subscribe(ctx, "com.example.ledger", wamp.Buffer(10, 0), wamp.OverflowBlock())
	if err != nil {
		fmt.Println(err)
		return
	}

	fastEvents(ctx, publisher, sub.Topic())
	for n := 0; n < 1000; n++ {
		event := <-sub.Events()
		var got int
		if err := event.Scan(&got); err != nil || got != n {
			fmt.Println(got, "instead of", n, err)
			return
		}
	}
	fmt.Println(sub.Dropped())
	// Output: 0
}

// Positional arguments of an event.
func ExampleEvent_Scan() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.price")
	if err != nil {
		fmt.Println(err)
		return
	}

	session.Publish(ctx, sub.Topic(), wamp.Args("ACME", 12.5, "EUR"), wamp.ExcludeMe(false))
	event := <-sub.Events()
	var name string
	var price float64
	fmt.Println(event.Scan(&name, &price), name, price, "of", event.NArgs())
	// Output: <nil> ACME 12.5 of 3
}

func ExampleEvent_ScanKw() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.price")
	if err != nil {
		fmt.Println(err)
		return
	}

	session.Publish(ctx, sub.Topic(), wamp.Kwargs(map[string]any{"name": "ACME", "price": 12.5}), wamp.ExcludeMe(false))
	event := <-sub.Events()
	var quote struct {
		Name  string  `json:"name"`
		Price float64 `json:"price"`
	}
	fmt.Println(event.ScanKw(&quote), quote.Name, quote.Price)
	// Output: <nil> ACME 12.5
}

// Who has published, where that was disclosed.
func ExampleEvent_Publisher() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.chat")
	if err != nil {
		fmt.Println(err)
		return
	}

	session.Publish(ctx, sub.Topic(), wamp.Args("hello"), wamp.ExcludeMe(false), wamp.DiscloseMe())
	event := <-sub.Events()
	who := event.Publisher()
	fmt.Println(who.Session == session.ID(), who.AuthRole)
	// Output: true anonymous
}

// A handler that is not wanted any more.
func ExampleConsumer_Unsubscribe() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	seen := make(chan string, 1)
	consumer, err := wamp.On(ctx, session, "com.example.door", func(_ context.Context, ev wamp.EventOf[string]) error {
		seen <- ev.Value
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	session.Publish(ctx, consumer.Topic(), wamp.Args("open"), wamp.ExcludeMe(false))
	fmt.Println(<-seen)
	fmt.Println(consumer.Unsubscribe(ctx))
	// Output:
	// open
	// <nil>
}

// A consumer ends with its context, too.
func ExampleConsumer_Done() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	short, stop := context.WithCancel(ctx)
	defer stop()
	consumer, err := session.SubscribeFunc(short, "com.example.door", func(context.Context, wamp.Event) error { return nil })
	if err != nil {
		fmt.Println(err)
		return
	}

	stop()
	<-consumer.Done()
	fmt.Println(errors.Is(consumer.Err(), context.Canceled))
	// Output: true
}
