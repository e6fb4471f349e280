// Package proto holds what WAMP messages are made of: the message struct, the
// trait table that says of each message its shape, who may send it in which
// state and what it answers, ids, URIs, options, features and error URIs.
//
// It is data only and imports nothing but the standard library. It must not
// know how a message is written in bytes (codec), how it travels (transport)
// or what happened before it (session).
package proto
