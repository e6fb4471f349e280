package wamp_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Room is the argument of the procedure and of the events.
type Room struct {
	Name   string  `json:"name"`
	Target float64 `json:"target"`
}

// heat serves a procedure that warms a room, degree by degree, and publishes when
// the room is warm.
func heat(ctx context.Context, session *wamp.Session) error {
	_, err := session.Handle(ctx, "com.example.heat", func(ctx context.Context, inv *wamp.Invocation) error {
		var room Room
		if err := inv.Scan(&room); err != nil {
			return wamp.ErrInvalidArgument
		}
		if room.Target > 25 {
			return wamp.NewError("com.example.error.too_hot", wamp.Args(room.Target))
		}
		for degrees := 18.0; degrees < room.Target; degrees++ {
			if err := inv.Progress(wamp.Args(degrees)); err != nil {
				return err // the caller cancelled the call, or is gone
			}
		}
		session.Publish(ctx, "com.example.warm", wamp.Args(room))
		return inv.Return(wamp.Args(room.Target))
	})
	return err
}

// warmUp calls the procedure and prints how the room gets warmer, then waits for
// the event.
func warmUp(ctx context.Context, session *wamp.Session, room Room) error {
	sub, err := session.Subscribe(ctx, "com.example.warm")
	if err != nil {
		return err
	}
	for degrees, err := range wamp.Stream[float64](ctx, session, "com.example.heat", wamp.Args(room)) {
		if err != nil {
			return err
		}
		fmt.Println(degrees)
	}
	event, ok := <-sub.Events()
	if !ok {
		return sub.Err()
	}
	var warm Room
	if err := event.Scan(&warm); err != nil {
		return err
	}
	fmt.Println(warm.Name, "is warm")
	return sub.Unsubscribe(ctx)
}

// openSession opens a session. A program that uses a router elsewhere has only the
// Connect, with its address.
func openSession(ctx context.Context, router *wamptest.Router) (*wamp.Session, error) {
	return wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithReconnect(wamp.Backoff{Max: 5 * time.Second}))
}

// A complete program: one session serves a procedure, another one calls it as a
// stream, and an event passes between the two.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start() // in the place of a router elsewhere
	defer router.Close()

	heater, err := openSession(ctx, router)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer heater.Close(ctx)
	if err := heat(ctx, heater); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}

	guest, err := openSession(ctx, router)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer guest.Close(ctx)
	if err := warmUp(ctx, guest, Room{Name: "the kitchen", Target: 21}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	err = warmUp(ctx, guest, Room{Name: "the oven", Target: 200})
	fmt.Println(wamp.ErrorURI(err))
	// Output:
	// 18
	// 19
	// 20
	// 21
	// the kitchen is warm
	// com.example.error.too_hot
}
