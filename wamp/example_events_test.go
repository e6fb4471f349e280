package wamp_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/seal"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The state of something: its last event is retained for those who come later.
func ExampleGetRetained() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	publisher, session := joined(ctx, router), joined(ctx, router)
	defer publisher.Close(ctx)
	defer session.Close(ctx)

	ack := <-publisher.Publish(ctx, "com.example.door", wamp.Args("open"), wamp.Retain(), wamp.Acknowledge())
	if ack.Err != nil {
		fmt.Println(ack.Err)
		return
	}
	sub, err := session.Subscribe(ctx, "com.example.door", wamp.GetRetained())
	if err != nil {
		fmt.Println(err)
		return
	}
	ev := <-sub.Events()
	var state string
	if err := ev.Scan(&state); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(state, ev.Retained)
	// Output: open true
}

func ExampleEvents() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	type reading struct {
		Room    string  `json:"room"`
		Celsius float64 `json:"celsius"`
	}
	sub, err := session.Subscribe(ctx, "com.example.temperature")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range []any{reading{"kitchen", 21.5}, "warm", reading{"hall", 18}} {
		session.Publish(ctx, "com.example.temperature", wamp.Args(v), wamp.ExcludeMe(false))
	}
	for ev, err := range wamp.Events[reading](sub) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(ev.Value.Room, ev.Value.Celsius)
		if ev.Value.Room == "hall" {
			break
		}
	}
	// Output:
	// kitchen 21.5
	// wamp: event com.example.temperature: args[0]: cannot decode the string "warm" into wamp_test.reading
	// hall 18
}

// What was published before and what is published now, as one stream.
func ExampleFromHistory() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithHistory(100))
	defer router.Close()
	publisher, session := joined(ctx, router), joined(ctx, router)
	defer publisher.Close(ctx)
	defer session.Close(ctx)

	publish := func(n int) {
		<-publisher.Publish(ctx, "com.example.log", wamp.Args(n), wamp.Acknowledge())
	}
	for n := range 4 {
		publish(n)
	}
	sub, err := session.Subscribe(ctx, "com.example.log", wamp.FromHistory(wamp.HistoryQuery{Last: 2}))
	if err != nil {
		fmt.Println(err)
		return
	}
	publish(4)
	for range 3 {
		ev := <-sub.Events()
		var n int
		if err := ev.Scan(&n); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n, ev.Historic)
	}
	// Output:
	// 2 true
	// 3 true
	// 4 false
}

// Many events, each acknowledged, without waiting for one after the other.
func ExampleSession_PublishFunc() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	acks := session.PublishFunc(ctx, "com.example.readings", func(ctx context.Context, send func(wamp.Payload) error) error {
		for n := range 1000 {
			if err := send(wamp.Args(n)); err != nil {
				return err
			}
		}
		return nil
	})
	published := 0
	for ack := range acks {
		if ack.Err != nil {
			fmt.Println(ack.Err)
			return
		}
		published++
	}
	fmt.Println(published)
	// Output: 1000
}

// What is published if the session is gone without a word.
func ExampleSession_AddTestament() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, watcher := joined(ctx, router), joined(ctx, router)
	defer session.Close(ctx)
	defer watcher.Close(ctx)

	sub, err := watcher.Subscribe(ctx, "com.example.lost")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := session.AddTestament(ctx, wamp.Destroyed, "com.example.lost", wamp.Args("sensor 7")); err != nil {
		fmt.Println(err)
		return
	}
	router.Cut(session.ID())
	ev := <-sub.Events()
	var who string
	if err := ev.Scan(&who); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("lost:", who)
	// Output: lost: sensor 7
}

// Payloads that the router cannot read.
func ExampleWithPayloadCodec() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	secret := bytes.Repeat([]byte{7}, 32) // of course from a safe place
	ring, err := seal.NewRing([]seal.Key{{ID: "2026-07", Pattern: "com.example.private", Match: wamp.Prefix, Secret: secret}})
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithPayloadCodec(ring))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	stranger := joined(ctx, router)
	defer stranger.Close(ctx)

	mine, err := session.Subscribe(ctx, "com.example.private.note")
	if err != nil {
		fmt.Println(err)
		return
	}
	theirs, err := stranger.Subscribe(ctx, "com.example.private.note")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Publish(ctx, "com.example.private.note", wamp.Args("for friends"), wamp.ExcludeMe(false))
	ev := <-mine.Events()
	var text string
	if err := ev.Scan(&text); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)
	ev = <-theirs.Events()
	fmt.Println(ev.Scan(&text) != nil, ev.Details.Str("ppt_cipher"))
	// Output:
	// for friends
	// true aes256gcm
}
