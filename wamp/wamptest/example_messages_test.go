package wamptest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A record of what the service asks for. The hook is there before the first client is.
func ExampleWithHook() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var asked []string
	router := wamptest.Start(wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if !x.Sent && x.Message.URI != "" {
			asked = append(asked, x.Message.Type.String()+" "+x.Message.URI)
		}
		return wamptest.Pass()
	}))
	service := double(ctx, router)
	_, err := wamp.Call[int](ctx, service, "com.example.double", wamp.Args(21))
	fmt.Println(err)
	router.Close() // the hook runs no more
	for _, a := range asked {
		fmt.Println(a)
	}
	// Output:
	// <nil>
	// HELLO realm1
	// REGISTER com.example.double
	// CALL com.example.double
}

// A hook that changes what passes: each event has a price that the service should refuse.
func ExampleExchange_SetPayload() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == proto.Event {
			var price int
			if x.Payload().Scan(&price) == nil && x.SetPayload(wamp.Args(-price)) != nil {
				return wamptest.Drop()
			}
		}
		return wamptest.Pass()
	}))
	defer router.Close()
	session := connect(ctx, router)
	defer session.Close(ctx)
	prices, err := session.Subscribe(ctx, "com.example.price")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Publish(ctx, "com.example.price", wamp.Args(250), wamp.ExcludeMe(false))
	event := <-prices.Events()
	fmt.Println(event.Args())
	// Output: [-250] <nil>
}

// An event that no publisher has published, to one session: its payload is not what the
// service expects.
func ExampleRouter_Send() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := connect(ctx, router)
	defer session.Close(ctx)
	prices, err := session.Subscribe(ctx, "com.example.price")
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(router.Send(session.ID(), &proto.Message{Type: proto.Event, ID: prices.ID(), Publication: 1}, wamp.Args("many")))
	event := <-prices.Events()
	var price int
	fmt.Println(event.Scan(&price))
	// Output:
	// true <nil>
	// args[0]: cannot decode the string "many" into int
}
