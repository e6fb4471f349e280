package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What the router of a session can do.
func ExampleSession_Has() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithFeatures(wamptest.FeaturesWithout(proto.EventHistory)))
	defer router.Close()
	s, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close(ctx)

	engine := s.Engine()
	fmt.Println(engine.Has(proto.Broker, proto.EventRetention), engine.Has(proto.Broker, proto.EventHistory))
	// Output: true false
}

// A goroutine that belongs to the session: Close waits for it, and its context tells it
// that it is time to go.
func ExampleSession_Go() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	s, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial))
	if err != nil {
		fmt.Println(err)
		return
	}

	err = s.Engine().Go(func() {
		<-s.Engine().Context().Done()
		fmt.Println("tidied up")
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Close(ctx))
	// Output:
	// tidied up
	// <nil>
}
