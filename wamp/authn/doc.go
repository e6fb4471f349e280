// Package authn holds the logins of WAMP: how a client answers a router's
// CHALLENGE and checks its WELCOME, and the same seen from the accepting side.
//
// A router is not trusted: what it asks for is held against Limits before any
// work is done, it proves that it knows the password where the method allows,
// and a secret in the clear leaves only over a private connection. No value of
// this package prints a secret. It must not know sessions, sockets or bytes of
// messages; it imports proto only.
package authn
