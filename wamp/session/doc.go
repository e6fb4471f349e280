// Package session is the engine: one actor goroutine that owns every table of
// a WAMP session (requests, subscriptions, registrations, invocations), the
// join handshake, and the links, each a reader and a writer goroutine. It
// knows messages, and hands what arrives to Sinks; it must not know the
// streams and types that users see (package wamp), nor how a message is
// written (codec) or carried (transport).
//
// The actor's logic is the step function of core: event in, effects out, no
// goroutine, no lock, no clock of its own. See docs/design.md.
package session
