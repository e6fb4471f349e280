package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Who this session is, and what its router can do.
func ExampleSession_Details() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	details := session.Details()
	fmt.Println(details.Session == session.ID(), details.AuthID != "", details.AuthRole)
	fmt.Println(details.Roles.Features(proto.Broker).Has(proto.EventRetention))
	// Output:
	// true true anonymous
	// true
}

// How long the way to the router and back takes.
func ExampleSession_Ping() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	took, err := session.Ping(ctx)
	fmt.Println(took > 0, err, session.RTT().Last == took)
	// Output: true <nil> true
}

// What becomes of the connection.
func ExampleSession_States() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithReconnect(wamp.Backoff{Min: time.Millisecond, Max: time.Millisecond}))
	if err != nil {
		fmt.Println(err)
		return
	}

	states := session.States(ctx)
	fmt.Println((<-states).Phase)
	router.RefuseDials(1, errors.New("down for maintenance"))
	router.Cut(session.ID())
	for state := range states {
		if state.Phase == wamp.Joined {
			fmt.Println("joined again")
			break
		}
	}
	if err := session.Close(ctx); err != nil {
		fmt.Println(err)
	}
	for state := range states { // ends behind the last one
		fmt.Println(state.Phase)
	}
	// Output:
	// joined
	// joined again
	// closed
}

// A program that stops when its session does.
func ExampleSession_Done() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session := joined(ctx, router)

	router.Kill(session.ID(), "com.example.too_many")
	select {
	case <-session.Done():
		var goodbye *wamp.GoodbyeError
		if errors.As(session.Err(), &goodbye) {
			fmt.Println("sent away:", goodbye.Reason)
		}
	case <-ctx.Done():
	}
	// Output: sent away: com.example.too_many
}

// Work that makes no sense without the session.
func ExampleSession_Context() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	go session.Close(ctx)
	<-session.Context().Done()
	fmt.Println(errors.Is(context.Cause(session.Context()), wamp.ErrSessionClosed))
	// Output: true
}

// Why a session is not ready.
func ExampleHealthError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	session, done := newSession(ctx)
	defer done()

	fmt.Println(session.Healthy())
	if err := session.Close(ctx); err != nil {
		fmt.Println(err)
	}
	var sick *wamp.HealthError
	if errors.As(session.Healthy(), &sick) {
		fmt.Println(sick.Phase)
	}
	// Output:
	// <nil>
	// closed
}

// A router that lacks what an option needs.
func ExampleFeatureError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start(wamptest.WithFeatures(wamptest.FeaturesWithout(proto.EventHistory)))
	defer router.Close()
	session := joined(ctx, router)
	defer session.Close(ctx)

	_, err := session.Subscribe(ctx, "com.example.log", wamp.FromHistory(wamp.HistoryQuery{Last: 10}))
	var lacks *wamp.FeatureError
	if errors.As(err, &lacks) {
		fmt.Println(lacks.Role, "without", lacks.Feature)
	}
	// Output: broker without event_history
}

// An interceptor made of functions, of which any may be left out: this one measures.
func ExampleInterceptorFuncs() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(router.Dial),
		wamp.WithInterceptors(wamp.InterceptorFuncs{
			EndFunc: func(_ context.Context, op *wamp.Op, err error) {
				if op.Kind == wamp.OpCall {
					fmt.Println(op.Kind, op.URI, time.Since(op.Began) < time.Minute, wamp.ErrorURI(err))
				}
			},
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)

	_, _ = wamp.Call[int](ctx, session, "com.example.nothing", wamp.Args())
	// Output: call com.example.nothing true wamp.error.no_such_procedure
}
