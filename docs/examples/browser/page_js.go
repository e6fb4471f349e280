// Command browser is a page that speaks WAMP. This is the page; server.go has the other
// side.
package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"syscall/js"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
)

const topic = "com.example.page"

var said []string

// say writes a line into the page.
func say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	said = append(said, line)
	lines := js.Global().Get("document").Call("getElementById", "lines")
	lines.Call("append", line+"\n")
}

func main() {
	if err := run(context.Background()); err != nil {
		say("failed:    %v", err)
	}
	select {} // handlers and streams go on for as long as the page is there
}

// router is the address in the page's own, as in ?router=wss://router.example/ws, else
// /ws of the server that the page is from.
func router() (string, error) {
	location := js.Global().Get("location")
	page, err := url.Parse(location.Get("href").String())
	if err != nil {
		return "", err
	}
	if address := page.Query().Get("router"); address != "" {
		return address, nil
	}
	return strings.Replace(page.Scheme, "http", "ws", 1) + "://" + page.Host + "/ws", nil
}

func run(ctx context.Context) error {
	address, err := router()
	if err != nil {
		return err
	}
	start := time.Now()
	session, err := wamp.Connect(ctx, address, "realm1", wamp.WithReconnect(wamp.Backoff{Min: 100 * time.Millisecond}))
	if err != nil {
		return err
	}
	say("joined:    session %d over %s, in %d ms", session.ID(), session.Details().Protocol, time.Since(start).Milliseconds())
	if err := stream(ctx, session); err != nil {
		return err
	}
	if err := cancelled(ctx, session); err != nil {
		return err
	}
	sub, err := session.Subscribe(ctx, topic)
	if err != nil {
		return err
	}
	if err := publish(ctx, session, sub, "hello, page"); err != nil {
		return err
	}
	return comeBack(ctx, session, sub)
}

// stream calls a procedure that counts, and takes all progressive results.
func stream(ctx context.Context, session *wamp.Session) error {
	start, got := time.Now(), 0
	for n, err := range wamp.Stream[int](ctx, session, "com.example.count", wamp.Args(1000), wamp.Progressive()) {
		if err != nil {
			return err
		}
		if got++; n != got {
			return fmt.Errorf("result %d came as number %d", n, got)
		}
	}
	say("stream:    %d results in %d ms", got, time.Since(start).Milliseconds())
	return nil
}

// cancelled stops reading in the middle, which the callee learns of.
func cancelled(ctx context.Context, session *wamp.Session) error {
	before, err := wamp.Call[int](ctx, session, "com.example.interrupts", wamp.Args())
	if err != nil {
		return err
	}
	for n, err := range wamp.Stream[int](ctx, session, "com.example.count", wamp.Args(100_000_000), wamp.Progressive()) {
		if err != nil {
			return err
		}
		if n == 5 {
			break // this cancels the call
		}
	}
	for range 100 {
		after, err := wamp.Call[int](ctx, session, "com.example.interrupts", wamp.Args())
		if err != nil {
			return err
		}
		if after > before {
			say("cancelled: after 5 results, and the callee was interrupted")
			return nil
		}
		rest(20 * time.Millisecond)
	}
	return fmt.Errorf("the callee was not interrupted")
}

// publish publishes a text, and waits for it to come.
func publish(ctx context.Context, session *wamp.Session, sub *wamp.Subscription, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if _, err := session.Publish(ctx, topic, wamp.Args(text), wamp.ExcludeMe(false), wamp.Acknowledge()).Wait(); err != nil {
		return err
	}
	select {
	case event := <-sub.Events():
		var got string
		if err := event.Scan(&got); err != nil {
			return err
		}
		say("event:     %s", got)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// comeBack tells of each loss of the connection, and that everything goes on after it.
func comeBack(ctx context.Context, session *wamp.Session, sub *wamp.Subscription) error {
	say("waiting:   stop the server, or the router, and start it again")
	session.Publish(ctx, "com.example.shown", wamp.Args(said)) // for the terminal of the server
	id, lost := session.ID(), false
	for state := range session.States(ctx) {
		switch {
		case state.Phase == wamp.Joined && state.Details.Session != id: // it is another one
			id, lost = state.Details.Session, false
			say("back:      session %d", id)
			if err := publish(ctx, session, sub, "hello again"); err != nil {
				return err
			}
			if err := stream(ctx, session); err != nil {
				return err
			}
			say("done")
		case state.Phase == wamp.Reconnecting && !lost:
			lost = true
			say("lost:      %v", state.Cause)
		}
	}
	return session.Err()
}

// rest waits a moment.
func rest(d time.Duration) { <-time.NewTimer(d).C }
