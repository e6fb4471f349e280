// Package session is the engine of package
// [github.com/connectanum/connectanum-go/wamp]: it joins a realm, keeps the state of
// the session, and reconnects.
//
// Applications do not import it: they use package wamp, where its error types and
// descriptions such as [Details] have names. Packages that add operations to a
// session, as wamp/meta does, import it and get the engine from Session.Engine of
// package wamp.
//
// # Promises
//
// The types that package wamp names by an alias are kept from 1.0 on. Everything else
// may change with any version.
//
// # How it works
//
// One goroutine, the actor, owns every table of a session: requests, subscriptions,
// registrations, invocations. Its logic is a step function, event in and effects
// out, without goroutines, locks or a clock of its own. A connection has a reader and
// a writer goroutine. Operations are structs such as [Call], [Publish] and
// [Subscription]; what arrives for one is given to its [Sink], on the actor.
//
// The package knows messages. It does not know the streams and types that users see
// (package wamp), how a message is written (package codec) or how it is carried
// (package transport). See docs/design.md.
package session
