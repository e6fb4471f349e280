// Package otelwamp makes OpenTelemetry spans and metrics of what WAMP sessions do. It is a
// module of its own, so that who does not use it has none of its dependencies.
//
//	session, err := wamp.Connect(ctx, url, realm, wamp.WithInterceptors(otelwamp.New()))
//
// [New] makes an interceptor of package wamp, and [Observe] makes metrics of a session
// that has none. Names are those of the semantic conventions for RPC and messaging, of the
// one version that [SemconvVersion] names; what they have no name for begins with wamp.
//
// # Spans
//
// Each operation is one span, over its whole life: that of a call ends with its last
// result, whatever Retry and Resume have made of it, and that of an invocation with the
// answer. Names are those of registrations and subscriptions, of which there are few; where
// another URI was named, it is an attribute.
//
//	call        CLIENT    com.example.add           rpc.*
//	invocation  SERVER    com.example.add           rpc.*, rpc.method_original
//	publish     PRODUCER  publish com.example.done  messaging.*
//	event       CONSUMER  receive com.example.done  messaging.*; "process" where a handler runs in it
//	connect, subscribe, register
//	            CLIENT    subscribe com.example.done
//
// An event that comes by a channel or a loop is over when it is handed over; its
// Event.Context belongs to the span all the same. [ProgressEvents] adds an event for each
// result and chunk. A call that was made again has the event wamp.resumed, and
// wamp.attempts.
//
// # Outcomes
//
// The attribute wamp.outcome says how an operation ended. error.type is there if it has
// failed, and the status of the span is Error then. rpc.response.status_code is the URI of
// the error, where there is one. A callee that answers with an error has not failed, unless
// it did not mean to: an error without a URI, which the caller does not see, or a panic.
//
//	wamp.outcome   what happened              caller: status, error.type      callee: status, error.type
//	ok             a result                   Unset                           Unset
//	canceled       the caller's ctx ended,    Unset                           Unset
//	               or its loop was left       wamp.canceled_by caller         wamp.canceled_by peer
//	canceled       somebody else did it       Error, wamp.error.canceled
//	                                          wamp.canceled_by peer
//	timeout        a deadline or time limit   Error, wamp.error.timeout       Error, wamp.error.timeout, if its own
//	refused        by router or callee        Error, the URI                  Unset
//	               nothing was sent           Error, not_sent
//	error          an error with a URI        Error, the URI                  Unset
//	               any other error            Error, wamp.error.runtime_error Error, its Go type
//	unknown        OutcomeUnknown             Error, outcome_unknown          Error, outcome_unknown
//	slow_consumer  nobody read the results    Error, slow_consumer
//	closed         the session is over        Error, session_closed           Error, session_closed
//	panic          of the handler             Error, wamp.error.runtime_error Error, panic
//	dropped        an event that nobody took  Unset
//
// wamp.cancel.cause is the cause of the context that has ended.
//
// # Metrics
//
// Of operations:
//
//	rpc.client.call.duration             calls, in seconds
//	rpc.server.call.duration             invocations
//	messaging.client.operation.duration  publishes
//	messaging.client.sent.messages       publishes
//	messaging.client.consumed.messages   events
//	messaging.process.duration           events with a handler
//	wamp.call.results                    results of progressive calls
//
// Their attributes are rpc.system.name or messaging.system, the pattern, error.type,
// rpc.response.status_code, and the address of the router. A program that calls any number
// of URIs has as many; it may let its SDK drop rpc.method by a view.
//
// Of sessions, with wamp.realm: wamp.session.open, wamp.session.reconnects,
// wamp.session.rtt in seconds, wamp.session.queue.size in bytes, wamp.session.waiting,
// wamp.session.messages with network.io.direction, wamp.session.dropped,
// wamp.session.overflowed, wamp.session.refused, wamp.session.faults. See wamp.Stats.
//
// # Trace context
//
// By default a trace ends at the router. [InKwargs] lets it go on by a keyword argument,
// through any router, and [InOptions] by an option, where the router forwards that. Both
// sides need the same. W3C Trace Context has two fields, traceparent and tracestate, of
// which the second means nothing without the first. A keyword argument whose value is a
// dict of the fields keeps them together, under the names of W3C; it takes one name from
// the application instead of one for each, has room for baggage or the fields of another
// propagator, and is what propagators of other languages extract from as it is.
//
// Who can call can also say which trace it belongs to. What is no traceparent, or is too
// long, is no error: the invocation begins a trace.
package otelwamp
