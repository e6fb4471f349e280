package wamptest_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A listener with TLS, and clients that trust it.
func ExampleLocalTLS() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		fmt.Println(err)
		return
	}
	address, err := router.ListenWebSocket("", wamptest.WithTLS(server))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.HasPrefix(address, "wss://127.0.0.1:"))

	_, err = wamp.Connect(ctx, address, "realm1")
	fmt.Println("trusted without more:", err == nil)
	session, err := wamp.Connect(ctx, address, "realm1", wamp.WithTLS(client))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Realm)
	// Output:
	// true
	// trusted without more: false
	// realm1
}

// A RawSocket listener with TLS, as devices with little memory use it.
func ExampleWithTLS() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		fmt.Println(err)
		return
	}
	address, err := router.ListenRawSocket("tcp", "", wamptest.WithTLS(server))
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := wamp.Connect(ctx, address, "realm1", wamp.WithTLS(client))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(strings.HasPrefix(address, "tcps://"), session.Details().Roles.Has(proto.Broker))
	// Output: true true
}
