// Package transport carries whole messages over one connection: WebSocket,
// RawSocket over TCP, TLS or a Unix socket, and a pipe in memory. It owns
// framing, handshakes, pings, the closing of connections, and the coalescing
// of writes. It knows octets only: what a message means, who reconnects and
// when a ping is due is none of its business, and it imports nothing of this
// module.
package transport
