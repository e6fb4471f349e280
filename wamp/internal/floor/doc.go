// Package floor is a hand-written WAMP client that does as little as such a client can:
// fixed bytes, one map, one lock, one write for all that is queued. This library is
// measured against it, by wamp/internal/bench and by the bench command of the terminal
// tool.
//
// It owns what a benchmark needs to know of the wire, written by hand, and a histogram of
// durations. It must not use the project's codecs or transports.
package floor
