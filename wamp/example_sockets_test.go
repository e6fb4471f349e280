//go:build !js

package wamp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// listening is the address of a router, where WebSockets are accepted.
func listening(router *wamptest.Router, options ...wamptest.ListenOption) string {
	address, err := router.ListenWebSocket("127.0.0.1:0", options...)
	if err != nil {
		panic(err)
	}
	return address
}

// A router with a certificate of a private authority.
func ExampleWithTLS() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server, client, err := wamptest.LocalTLS() // a program would read the authority's certificate into RootCAs
	if err != nil {
		fmt.Println(err)
		return
	}
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, listening(router, wamptest.WithTLS(server)), "realm1",
		wamp.WithTLS(&tls.Config{RootCAs: client.RootCAs, MinVersion: tls.VersionTLS13}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(strings.HasPrefix(session.Details().Router, "wss://"))
	// Output: true
}

// A token for the proxy in front of the router.
func ExampleWithHeader() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, listening(router), "realm1",
		wamp.WithHeader("Authorization", "Bearer 7c1f"),
		wamp.WithHeader("X-Tenant", "north"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Realm)
	// Output: realm1
}

// The proxy of the environment, but for hosts inside.
func ExampleWithProxy() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, listening(router), "realm1", wamp.WithProxy(func(r *http.Request) (*url.URL, error) {
		if strings.HasSuffix(r.URL.Hostname(), ".example.com") || r.URL.Hostname() == "127.0.0.1" {
			return nil, nil // none
		}
		return http.ProxyFromEnvironment(r)
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Realm)
	// Output: realm1
}

// Cookies of a web login, which a program has made with the same jar.
func ExampleWithCookieJar() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	session, err := wamp.Connect(ctx, listening(router), "realm1", wamp.WithCookieJar(jar))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().AuthMethod)
	// Output: anonymous
}

// Compression over a slow line.
func ExampleWithCompression() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, listening(router, wamptest.WithCompression()), "realm1", wamp.WithCompression())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	_, err = session.Publish(ctx, "com.example.log", wamp.Args(strings.Repeat("all is well\n", 1000)), wamp.Acknowledge()).Wait()
	fmt.Println(err)
	// Output: <nil>
}

// Many small messages in one frame each time that the connection is written to.
func ExampleWithBatching() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()

	session, err := wamp.Connect(ctx, listening(router), "realm1", wamp.WithBatching(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Protocol)
	// Output: wamp.2.cbor.batched
}

// The session prefers its own region, from which it starts, and to which it comes back
// at the first loss that is a minute later than the last failure there.
func ExampleWithPreferred() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	here := listening(router)

	session, err := wamp.Connect(ctx, here, "realm1",
		wamp.WithURLs(true, "wss://south.example.com/ws", "wss://west.example.com/ws"),
		wamp.WithPreferred(time.Minute),
		wamp.WithReconnect(wamp.Backoff{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Router == here)
	// Output: true
}

// Why none of several addresses worked, the one that was tried last first.
func ExampleAddressesError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := wamp.Connect(ctx, "ws://127.0.0.1:1/ws", "realm1", wamp.WithURLs(false, "tcp://127.0.0.1:1"))
	var none *wamp.AddressesError
	if errors.As(err, &none) {
		for _, f := range none.Failures {
			var dial *wamp.DialError
			fmt.Println(f.Address, errors.As(f.Err, &dial))
		}
	}
	// Output:
	// tcp://127.0.0.1:1 true
	// ws://127.0.0.1:1/ws true
}
