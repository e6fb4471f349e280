// Package wamp is a client for WAMP, the Web Application Messaging Protocol:
// remote procedure calls and publish/subscribe, routed over one connection.
// Programs join a realm on a router and there call, serve, publish and subscribe.
//
// Every operation takes a [context.Context], which governs it. Results, events and
// invocations arrive on Go channels, which the session closes, or by iterators. A call is
// a stream of results; when its context ends, the callee is interrupted and the context
// of its handler ends too.
//
// Before version 1.0 names may change with any version; CHANGELOG.md lists those that
// did.
//
// # Connect
//
// [Connect] opens a connection, logs in and returns a [Session], whose methods may
// be called from any goroutine:
//
//	session, err := wamp.Connect(ctx, "ws://127.0.0.1:8080/ws", "realm1")
//	if err != nil {
//		return err
//	}
//	defer session.Close(context.Background())
//
// [WithAuth] logs in by one of the methods of package
// [github.com/connectanum/connectanum-go/wamp/authn], [WithTLS], [WithHeader] and
// [WithProxy] configure the connection, and [WithSerializers] chooses between CBOR,
// MessagePack and JSON. [WithLogger] logs what happens. [Session.Details] describes the
// session, [Session.Stats] counts what it does, and [Session.Close] or [Session.Drain]
// ends it.
//
// # Call
//
// [Session.Call] calls a procedure. [Results.Final] waits for its result, whose
// [Result.Scan] decodes the arguments into variables:
//
//	r, err := session.Call(ctx, "com.example.add", wamp.Args(2, 3)).Final()
//	if err != nil {
//		return err
//	}
//	var sum int
//	err = r.Scan(&sum)
//
// The function [Call] does both, and costs less:
//
//	sum, err := wamp.Call[int](ctx, session, "com.example.add", wamp.Args(2, 3))
//
// [Args] and [Kwargs] make the [Payload] of a message from Go values; docs/values.md
// describes how each Go type is encoded. The end of ctx cancels the call, as [CancelMode]
// says. [Timeout] limits the time between results.
//
// # Stream
//
// With [Progressive] the callee may send any number of results before the final
// one. Range over the channel, or use [Stream], which decodes each result and
// cancels the call when the loop is left:
//
//	for n, err := range wamp.Stream[int](ctx, session, "com.example.count", wamp.Args(10)) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(n)
//	}
//
// [OpenStream] is for calls whose final result has another type than the progressive
// ones. [Session.CallFunc], [Session.CallStream] and [OpenCall] send the arguments in
// chunks, so that a call is a stream in both directions. For a consumer that does not
// keep up a stream holds up to a bound, which [Buffer] sets; [OverflowFail],
// [OverflowBlock], [OverflowDropOldest] and [OverflowDropNewest] choose what happens when
// it is reached.
//
// # Serve
//
// [Session.Handle] registers a procedure and runs a [Handler] for each
// [Invocation]. The handler reads the arguments by [Invocation.Scan], may send
// results by [Invocation.Progress], reads further chunks from [Invocation.Chunks]
// and answers by [Invocation.Return] or with an error:
//
//	_, err := session.Handle(ctx, "com.example.add", func(ctx context.Context, inv *wamp.Invocation) error {
//		var a, b int
//		if err := inv.Scan(&a, &b); err != nil {
//			return wamp.ErrInvalidArgument
//		}
//		return inv.Return(wamp.Args(a + b))
//	})
//
// Where one value goes in and one comes out, [Serve] decodes and encodes them, and
// [Errorf] makes an error with a text for the caller:
//
//	_, err := wamp.Serve(ctx, session, "com.example.half", func(ctx context.Context, n int) (int, error) {
//		if n%2 != 0 {
//			return 0, wamp.Errorf(wamp.ErrInvalidArgument, "%d is odd", n)
//		}
//		return n / 2, nil
//	})
//
// [ServeStream] sends items before the response, and [ServeChunks] takes the chunks of a
// progressive call.
//
// [Concurrency] limits how many invocations run at once, [Match] registers a
// pattern and [Invoke] shares a procedure with other callees. [Session.Register]
// delivers the invocations by a channel or an iterator instead.
//
// # Publish and subscribe
//
// [Session.Subscribe] returns a [Subscription], whose [Subscription.Events] is a
// channel of [Event]; [Subscription.All] is an iterator, which costs less, and [Events]
// one that decodes them. [Session.SubscribeFunc] and [On] run a handler for each event
// instead. [Session.Publish] publishes one event, with [Acknowledge] if the outcome
// matters; [Session.PublishStream] and [Session.PublishFunc] publish many, and the
// functions [PublishStream] and [PublishFunc] do so with values of a Go type:
//
//	sub, err := session.Subscribe(ctx, "com.example.topic")
//	if err != nil {
//		return err
//	}
//	session.Publish(ctx, "com.example.topic", wamp.Args("hi"), wamp.ExcludeMe(false))
//	event := <-sub.Events()
//
// [Eligible] and [Exclude] select who gets an event. [Retain] and [GetRetained]
// give late subscribers the last event, [FromHistory] gives them earlier ones, and
// [Session.AddTestament] leaves an event with the router, which publishes it when the
// session is gone.
//
// The meta API of the router is in package
// [github.com/connectanum/connectanum-go/wamp/meta], end-to-end encryption
// ([WithPayloadCodec]) in package [github.com/connectanum/connectanum-go/wamp/seal].
//
// # When the connection breaks
//
// Without further options the session ends with its connection. With
// [WithReconnect] it dials again, logs in again, and restores subscriptions and
// registrations on the channels that they have. Operations that were not sent yet
// wait; one that was sent and not answered ends with an [OutcomeUnknown], unless it
// is [Idempotent] and can be sent again. The AfterGap field of an [Event] tells
// that events may be missing. [WithKeepalive] notices a router that has vanished,
// [WithURLs] adds other routers, to which the session goes when one dies (docs/routers.md),
// and [Session.States] reports the state of the connection.
//
// # Errors
//
// Errors name their operation, see [OpError], and wrap the reason. What a
// router or a peer sent is an [Error] and matches the constant of its URI; errors that
// arise on this side have types of their own, such as [CanceledError], [TimeoutError] or
// [ClosedError]:
//
//	switch {
//	case errors.Is(err, wamp.ErrNoSuchProcedure): // nobody serves it
//	case errors.Is(err, context.DeadlineExceeded): // ctx or Timeout
//	case errors.Is(err, wamp.ErrSessionClosed): // see ClosedError
//	}
//
// A handler returns a constant, or an error of [NewError] or [Errorf], to send its URI to
// the caller; other errors are not disclosed, see [Invocation.Fail]. [ErrorURI] returns the URI of an error.
//
// # Testing
//
// Package [github.com/connectanum/connectanum-go/wamp/wamptest] is a router that
// runs inside a test, also in a bubble of [testing/synctest]. [WithTransport]
// connects a session to it.
package wamp
