// Command bench measures the client library against a floor.
//
//	go run ./wamp/internal/bench
//
// It runs as a pair of processes. The second is a server that answers with
// canned bytes, so that the client is what is measured. In the first, this
// library and a hand-written client (the floor: fixed bytes, one map, one
// lock, one write for all that is queued) do the same work in turns, several
// times, and the medians and their ratios are printed as Markdown tables, with a
// verdict for each target. Other clients can take part: docs/benchmarks.md says how.
//
//	-growth    how cost grows with callers, subscriptions, sessions, payloads
//	-stopped   memory while one consumer has stopped and the router has not
//	-md FILE   into the page FILE too, between the markers that it has for that
//	-raw FILE  every run as CSV
//
// It owns what a benchmark needs to know of the wire, written by hand: it must
// not use the project's codecs or transports for the server or the floor.
package main
