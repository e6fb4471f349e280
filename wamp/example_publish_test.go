package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// The broker's word that it has the event.
func ExampleAcknowledge() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	id, err := session.Publish(ctx, "com.example.order", wamp.Args(17), wamp.Acknowledge()).Wait()
	fmt.Println(id != 0, err)
	// Output: true <nil>
}

// Wait tells why an event was not published, also without Acknowledge where that is
// known here.
func ExampleAcks_Wait() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	_, err := session.Publish(ctx, "com.example.order", wamp.Args(func() {})).Wait()
	var odd *wamp.EncodeError
	fmt.Println(errors.As(err, &odd), odd.Path)
	_, err = session.Publish(ctx, "com..order", wamp.Args(17)).Wait()
	fmt.Println(err)
	// Output:
	// true args[0]
	// wamp: publish com..order: invalid URI "com..order": it has an empty component
}

// Who publishes is left out, unless it wants its own events.
func ExampleExcludeMe() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.chat")
	if err != nil {
		fmt.Println(err)
		return
	}

	session.Publish(ctx, "com.example.chat", wamp.Args("for the others"))
	session.Publish(ctx, "com.example.chat", wamp.Args("for all of us"), wamp.ExcludeMe(false))
	event := <-sub.Events()
	fmt.Println(event.Args())
	// Output: [for all of us] <nil>
}

// subscribers are sessions that have subscribed to com.example.orders.
func subscribers(ctx context.Context, router *wamptest.Router, n int) (sessions []*wamp.Session, subs []*wamp.Subscription) {
	for range n {
		session := joined(ctx, router)
		sub, err := session.Subscribe(ctx, "com.example.orders")
		if err != nil {
			panic(err)
		}
		sessions, subs = append(sessions, session), append(subs, sub)
	}
	return sessions, subs
}

// Everybody but one session gets the event.
func ExampleExclude() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	guests, subs := subscribers(ctx, router, 2)

	session.Publish(ctx, "com.example.orders", wamp.Args("a surprise"), wamp.Exclude(guests[0].ID()))
	session.Publish(ctx, "com.example.orders", wamp.Args("for all"))
	for _, sub := range subs {
		event := <-sub.Events()
		fmt.Println(event.Args())
	}
	// Output:
	// [for all] <nil>
	// [a surprise] <nil>
}

// Roles are what the router gave to the sessions when they logged in.
func ExampleEligibleAuthRole() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	_, subs := subscribers(ctx, router, 1)

	session.Publish(ctx, "com.example.orders", wamp.Args("for the staff"), wamp.EligibleAuthRole("staff", "admin"))
	session.Publish(ctx, "com.example.orders", wamp.Args("for guests"), wamp.EligibleAuthRole("anonymous"))
	event := <-subs[0].Events()
	fmt.Println(event.Args())
	// Output: [for guests] <nil>
}

// All sessions that are logged in under one name, such as the devices of a person.
func ExampleEligibleAuthID() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	guests, subs := subscribers(ctx, router, 2)

	session.Publish(ctx, "com.example.orders", wamp.Args("yours is ready"), wamp.EligibleAuthID(guests[1].Details().AuthID))
	event := <-subs[1].Events()
	fmt.Println(event.Args())
	// Output: [yours is ready] <nil>
}

// A room that everybody hears but the people who are muted.
func ExampleExcludeAuthID() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	guests, subs := subscribers(ctx, router, 2)

	session.Publish(ctx, "com.example.orders", wamp.Args("a surprise"), wamp.ExcludeAuthID(guests[0].Details().AuthID))
	session.Publish(ctx, "com.example.orders", wamp.Args("for all"))
	event := <-subs[0].Events()
	fmt.Println(event.Args())
	// Output: [for all] <nil>
}

// Everybody who has logged in, and no guests.
func ExampleExcludeAuthRole() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)
	_, subs := subscribers(ctx, router, 1)

	session.Publish(ctx, "com.example.orders", wamp.Args("for users"), wamp.ExcludeAuthRole("anonymous"))
	session.Publish(ctx, "com.example.orders", wamp.Args("for all"))
	event := <-subs[0].Events()
	fmt.Println(event.Args())
	// Output: [for all] <nil>
}

// The last event of a topic is kept for those who come later, and ask for it.
func ExampleRetain() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	door, guest := joined(ctx, router), joined(ctx, router)
	defer door.Close(ctx)
	defer guest.Close(ctx)

	for _, state := range []string{"opening", "open"} {
		if _, err := door.Publish(ctx, "com.example.door", wamp.Args(state), wamp.Retain(), wamp.Acknowledge()).Wait(); err != nil {
			fmt.Println(err)
			return
		}
	}
	sub, err := guest.Subscribe(ctx, "com.example.door", wamp.GetRetained())
	if err != nil {
		fmt.Println(err)
		return
	}
	event := <-sub.Events()
	args, err := event.Args()
	fmt.Println(args, err, "retained:", event.Retained)
	// Output: [open] <nil> retained: true
}

// Values out of a channel, each of which becomes an event.
func ExamplePublishStream() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	type reading struct {
		Room    string  `json:"room"`
		Celsius float64 `json:"celsius"`
	}

	readings := make(chan reading)
	go func() {
		defer close(readings)
		for _, r := range []reading{{"kitchen", 21.5}, {"hall", 18}} {
			select {
			case readings <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	for ack := range wamp.PublishStream(ctx, session, "com.example.temperature", readings) {
		fmt.Println(ack.ID != 0, ack.Err)
	}
	// Output:
	// true <nil>
	// true <nil>
}

// What a function produces is published; its error ends the stream.
func ExamplePublishFunc() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	acks := wamp.PublishFunc(ctx, session, "com.example.lines", func(_ context.Context, send func(string) error) error {
		for _, line := range []string{"one", "two"} {
			if err := send(line); err != nil {
				return err // no more are taken
			}
		}
		return errors.New("the disk is gone")
	})
	for ack := range acks {
		fmt.Println(ack.Err)
	}
	// Output:
	// <nil>
	// <nil>
	// wamp: publish com.example.lines: the disk is gone
}

// Publishes that fail, here because they cannot be encoded, do not end the stream.
func ExampleGoOn() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	acks := session.PublishFunc(ctx, "com.example.readings", func(_ context.Context, send func(wamp.Payload) error) error {
		for _, v := range []any{1, func() {}, 3} {
			if err := send(wamp.Args(v)); err != nil {
				return err
			}
		}
		return nil
	}, wamp.GoOn())
	for ack := range acks {
		fmt.Println(ack.Err == nil)
	}
	// Output:
	// true
	// false
	// true
}

// A thousand events, of which sixteen at most wait for their acknowledgement.
func ExampleWindow() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	published := 0
	for ack := range wamp.PublishFunc(ctx, session, "com.example.ticks", func(_ context.Context, send func(int) error) error {
		for n := range 1000 {
			if err := send(n); err != nil {
				return err
			}
		}
		return nil
	}, wamp.Window(16)) {
		if ack.Err == nil {
			published++
		}
	}
	fmt.Println(published)
	// Output: 1000
}

// The arguments of a message, each of its own type.
func ExampleArgs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	sub, err := session.Subscribe(ctx, "com.example.moved")
	if err != nil {
		fmt.Println(err)
		return
	}

	session.Publish(ctx, "com.example.moved", wamp.Args("crane 2", 3.5, -1), wamp.ExcludeMe(false))
	event := <-sub.Events()
	var crane string
	var x, y float64
	fmt.Println(event.Scan(&crane, &x, &y), crane, x, y)
	// Output: <nil> crane 2 3.5 -1
}

// Named arguments, from a struct with json tags or a map.
func ExampleKwargs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()
	type position struct {
		Crane string  `json:"crane"`
		X     float64 `json:"x"`
		Y     float64 `json:"y,omitempty"`
	}
	sub, err := session.Subscribe(ctx, "com.example.moved")
	if err != nil {
		fmt.Println(err)
		return
	}

	session.Publish(ctx, "com.example.moved", wamp.Kwargs(position{Crane: "crane 2", X: 3.5}), wamp.ExcludeMe(false))
	event := <-sub.Events()
	fmt.Println(event.Kwargs())
	// Output: map[crane:crane 2 x:3.5] <nil>
}

// An operation that comes too late: why the session is over is wrapped.
func ExampleClosedError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)
	router.GoodbyeAll("com.example.maintenance")
	<-session.Done()

	_, err := session.Publish(ctx, "com.example.order", wamp.Args(17)).Wait()
	var goodbye *wamp.GoodbyeError
	fmt.Println(errors.Is(err, wamp.ErrSessionClosed), errors.As(err, &goodbye))
	fmt.Println(goodbye.Reason)
	// Output:
	// true true
	// com.example.maintenance
}

// An operation whose context has ended says so, and why there was no connection.
func ExampleCanceledError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial), wamp.WithReconnect(wamp.Backoff{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	router.RefuseDials(1000, errors.New("down for maintenance"))
	router.Cut(session.ID())
	for state := range session.States(ctx) {
		if state.Phase == wamp.Reconnecting {
			break
		}
	}

	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	_, err = wamp.Call[int](short, session, "com.example.count", wamp.Args(3))
	var canceled *wamp.CanceledError
	fmt.Println(errors.As(err, &canceled), "offline:", canceled.Offline != nil)
	// Output: true offline: true
}
