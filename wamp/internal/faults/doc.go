// Package faults is a TCP proxy for tests that breaks the connections that go
// through it: it cuts them at a byte, by FIN or RST, throttles, delays and
// corrupts what they carry, stops taking it, or lets it vanish without a word,
// in one direction or both. [Tunnel] is an HTTP proxy.
//
// It knows bytes and sockets, and nothing of what they mean.
package faults
