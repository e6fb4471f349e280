//go:build !js

package transport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A session through a tunnel: the program opens the socket itself, and leaves the
// handshakes to the dialer of the address.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	url, err := router.ListenRawSocket("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}

	address, err := transport.ParseAddress(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	dial := address.Dialer(transport.DialOptions{
		Dial: func(ctx context.Context, network, host string) (net.Conn, error) {
			fmt.Println("a socket of kind", network)
			return new(net.Dialer).DialContext(ctx, network, host) // here, the tunnel's
		},
	})
	session, err := wamp.Connect(ctx, "", "realm1", wamp.WithTransport(dial))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	fmt.Println(session.Details().Realm, session.Details().Protocol)
	// Output:
	// a socket of kind tcp
	// realm1 wamp.2.cbor
}

// The text of an address has no password in it, and may be logged.
func ExampleParseAddress() {
	for _, url := range []string{
		"wss://joe:secret@router.example.com/ws?token=1",
		"tcp://router.example.com:8081",
		"unix:///run/router.sock",
		"http://router.example.com",
	} {
		address, err := transport.ParseAddress(url)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(address, "WebSocket:", address.WebSocket(), "TLS:", address.TLS(), address.Network)
	}
	// Output:
	// wss://router.example.com/ws WebSocket: true TLS: true tcp
	// tcp://router.example.com:8081 WebSocket: false TLS: false tcp
	// unix:///run/router.sock WebSocket: false TLS: false unix
	// unknown scheme "http": want ws, wss, tcp, tcps, unix or ws+unix
}

// The phase of a DialError tells how far the attempt came.
func ExampleDialError() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	page := httptest.NewServer(http.NotFoundHandler()) // a web server, not a router
	defer page.Close()
	host := page.Listener.Addr().String()

	for _, url := range []string{"ws://127.0.0.1:1/ws", "ws://" + host + "/ws", "wss://" + host + "/ws"} {
		_, err := wamp.Connect(ctx, url, "realm1")
		var failed *transport.DialError
		if !errors.As(err, &failed) {
			fmt.Println(err)
			return
		}
		switch failed.Phase {
		case transport.PhaseDial:
			fmt.Println("nobody answers there")
		case transport.PhaseTLS:
			fmt.Println("no TLS is spoken there, or the certificate is not trusted")
		case transport.PhaseWebSocket:
			var refused *transport.HandshakeError
			if errors.As(err, &refused) {
				fmt.Println("no router under this path: HTTP status", refused.Status)
			}
		}
	}
	// Output:
	// nobody answers there
	// no router under this path: HTTP status 404
	// no TLS is spoken there, or the certificate is not trusted
}

// A connection in memory, for tests of what is written for a Conn.
func ExamplePipe() {
	client, server := transport.Pipe(transport.Protocols()[0])
	defer server.CloseNow()

	var b transport.Batch
	b.Begin()
	b.Buf = append(b.Buf, "hello"...)
	b.End()
	if err := client.Write(&b); err != nil {
		fmt.Println(err)
		return
	}
	m, err := server.Read()
	fmt.Printf("%s %v\n", m, err)

	_ = client.Close(context.Background())
	_, err = server.Read()
	var closed *transport.CloseError
	fmt.Println(errors.As(err, &closed))
	// Output:
	// hello <nil>
	// true
}

// The far ends of the connections of a PipeDialer go to a function, such as the accept
// of a server.
func ExamplePipeDialer() {
	accepted := make(chan transport.Conn, 1)
	dial := transport.PipeDialer(func(_ context.Context, server transport.Conn) error {
		accepted <- server
		return nil
	})

	protocols, err := transport.Offer(false, "json", "cbor")
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := dial(context.Background(), protocols)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.CloseNow()
	fmt.Println((<-accepted).Protocol().Name)
	// Output: wamp.2.json
}

// A RawSocket over a connection whose handshake the program has done itself.
func ExampleNewRawSocket() {
	near, far := net.Pipe()
	defer far.Close()
	go func() { // the peer: one frame, of type 0 and five bytes
		w := bufio.NewWriter(far)
		_, _ = w.Write([]byte{0, 0, 0, 5})
		_, _ = w.WriteString("hello")
		_ = w.Flush()
	}()

	protocol, _ := transport.ProtocolByName("wamp.2.json")
	conn := transport.NewRawSocket(near, protocol, 1<<20, 1<<20)
	defer conn.CloseNow()
	m, err := conn.Read()
	fmt.Printf("%s %v %s\n", m, err, conn.Protocol().Serializer())
	// Output: hello <nil> json
}

// A server of its own that speaks WebSocket and sends back what it gets.
func ExampleAcceptWebSocket() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := transport.AcceptWebSocket(w, r, transport.Protocols(), transport.AcceptOptions{})
		if err != nil {
			return // the client has been told
		}
		defer conn.CloseNow()
		for {
			m, err := conn.Read()
			if err != nil {
				return
			}
			var b transport.Batch
			b.Begin()
			b.Buf = append(b.Buf, m...)
			b.End()
			if conn.Write(&b) != nil {
				return
			}
		}
	}))
	defer server.Close()

	conn, err := transport.DialWebSocket(ctx, "ws://"+server.Listener.Addr().String(), transport.Protocols(), transport.WebSocketOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.CloseNow()
	var b transport.Batch
	b.Begin()
	b.Buf = append(b.Buf, "hello"...)
	b.End()
	if err := conn.Write(&b); err != nil {
		fmt.Println(err)
		return
	}
	m, err := conn.Read()
	fmt.Printf("%s %v %v\n", m, err, transport.Private(conn))
	// Output: hello <nil> true
}

// Both sides of a RawSocket. The dialer offers the batched protocols of BatchedProtocols
// to WebSockets only.
func ExampleAcceptRawSocket() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	served := make(chan string, 1)
	go func() {
		socket, err := listener.Accept()
		if err != nil {
			return
		}
		conn, err := transport.AcceptRawSocket(ctx, socket, func(id byte) (transport.Protocol, bool) {
			for _, p := range transport.Protocols() {
				if p.RawSocketID == id {
					return p, true
				}
			}
			return transport.Protocol{}, false
		}, transport.RawSocketOptions{})
		if err != nil {
			return // the client has been told
		}
		served <- conn.Protocol().Name
		_ = conn.CloseNow()
	}()

	json, _ := transport.ProtocolByName("wamp.2.json")
	conn, err := transport.DialRawSocket(ctx, "tcp", listener.Addr().String(), nil, []transport.Protocol{json}, transport.RawSocketOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.CloseNow()
	// Routers that take a PING for an error exist, which is why it is risky.
	fmt.Println(<-served, transport.RiskyPing(conn))
	// Output: wamp.2.json true
}

// Two addresses of one router: the second is asked where nobody answers at the first.
func ExampleRotation() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	router := wamptest.Start()
	defer router.Close()
	url, err := router.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}

	rotation, err := transport.NewRotation(false, transport.DialOptions{}, "ws://127.0.0.1:1/ws", url)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range rotation.Len() {
		conn, err := rotation.Dial(ctx, transport.Protocols())
		if err != nil {
			continue
		}
		fmt.Println(rotation.Last() == url, len(rotation.Failures()))
		_ = conn.CloseNow()
		break
	}
	// Output: true 1
}
