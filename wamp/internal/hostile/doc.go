// Package hostile attacks the whole library from outside: input that no router may
// send, odd details, routers with quirks, connections that slip, and users' code
// that panics, never returns or says what it must not. Nothing of it may cost more
// than what it belongs to ("Who pays for a fault" in docs/design.md). It has tests
// only.
package hostile
