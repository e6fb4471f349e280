// Package transport carries whole messages over one connection: WebSocket, RawSocket
// over TCP, TLS or a Unix socket, and a pipe in memory; in JavaScript the WebSocket
// of the browser, or of Node. It owns framing, handshakes,
// pings, the closing of connections, and the gathering of writes.
//
// Most applications do not import it: wamp.Connect takes an address. Those that bring
// a connection of their own import it for the [Dialer] that wamp.WithTransport takes,
// with [ParseAddress], [DialWebSocket], [DialRawSocket], [NewRawSocket], [WebSocket],
// [Pipe] or another implementation of [Conn]. Routers and test servers import it for
// [AcceptWebSocket] and [AcceptRawSocket].
//
// # In a browser
//
// With GOOS=js connections are those of JavaScript: there are [DialWebSocket] and
// addresses with ws and wss, and of the options ReadLimit, MaxSend and Separator. Others
// are refused with an error that wraps [ErrNotInBrowser]. A browser does not say why a
// dial failed; a ping returns [ErrNoPing]; and close codes that JavaScript may not send
// become 4000 plus their last digits. Up to 64 MiB may wait unread, then the connection
// ends with [ErrBacklog].
//
// # Promises
//
// Until 1.0 names may change with any version; CHANGELOG.md lists those that did.
// After that they are kept, except for what only the engine calls: [TryWriter],
// [TryWriterOf], [Headroom] and the fields of [Batch], of which a [Conn] uses
// [Batch.Len], [Batch.Message] and [Batch.Next]. What a peer sends is bounded before memory is taken for
// it, and everything that waits ends with its context or its connection. A panic in a
// dialer or connection of the user's becomes a [PanicError].
//
// The package knows bytes only. What a message means, who reconnects and when a ping
// is due is not its business, and it imports nothing of this module.
package transport
