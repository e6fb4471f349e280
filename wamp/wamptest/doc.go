// Package wamptest is the other side of the wire, for tests and demos: a small
// router that runs in the process, and a script player that plays a router
// which misbehaves. Both work stand-alone and inside a bubble of
// testing/synctest; what is used inside a bubble must be started inside it.
//
// It owns the tables of a broker and a dealer, the accepting side of logins,
// listeners, and the hooks that break things. It is written for clarity, not
// for production, and must not know the session engine or package wamp.
package wamptest
