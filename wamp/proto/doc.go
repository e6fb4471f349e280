// Package proto holds what WAMP messages are made of: the message struct, the
// trait table that says of each message its shape, who may send it in which
// state and what it answers, the key table that says of each option and detail
// where it stands, what its value is and what it needs of a router, ids, URIs,
// features and error URIs.
//
// Most applications do not import it: package
// [github.com/connectanum/connectanum-go/wamp] has names for what they need of it.
// Those that require a feature of the router, by wamp.Require, import its [Role] and
// [Feature] constants. Most packages of this module build on it.
//
// # Promises
//
// The package is data and imports nothing but the standard library. [Dict], [ID],
// [Entry], [MatchPolicy], [InvokePolicy], [CancelMode], [RunMode], [Scope], [URIError],
// [Role], [Roles] and [Feature], and what wamptest takes, [Message] and [MessageType],
// are kept from 1.0 on; CHANGELOG.md lists what changes before. Everything else may
// change with any version.
//
// The package does not know how a message is written (package codec), how it is
// carried (package transport) or what happened before it (package session).
package proto
