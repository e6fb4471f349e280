// Package wamp is a client for WAMP, the protocol of routed RPC and
// publish/subscribe: context-first and channel-based. Every operation takes a
// context that owns it until its channel is closed, and answers with a Go
// channel, so that progressive results are streams; cancelling the context
// travels as CANCEL to the dealer and as INTERRUPT to the callee, whose
// invocation context ends with it.
//
// The package owns the public types: Session, streams, options, typed helpers.
// It must not know sockets (transport) or protocol state (session). Start with
// Connect; docs/design.md tells how it is built.
package wamp
