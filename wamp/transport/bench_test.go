//go:build !js

package transport_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// benchKinds are the connections whose speed matters.
func benchKinds(b *testing.B) []kind {
	var out []kind
	for _, k := range kinds(b) {
		switch k.name {
		case "rawsocket_tcp", "rawsocket_tls", "ws", "ws_text", "wss", "coder", "nhooyr":
			out = append(out, k)
		}
	}
	return out
}

// One message there and back.
func BenchmarkRoundTrip(b *testing.B) {
	for _, k := range benchKinds(b) {
		b.Run(k.name, func(b *testing.B) {
			client, server := k.connect(b, k.proto)
			done := echo(server)
			m := payload(200)
			out := new(transport.Batch)
			b.ReportAllocs()
			for b.Loop() {
				out.Reset(1 << 20)
				out.Begin()
				out.Buf = append(out.Buf, m...)
				out.End()
				if err := client.Write(out); err != nil {
					b.Fatal(err)
				}
				if _, err := client.Read(); err != nil {
					b.Fatal(err)
				}
			}
			_ = client.CloseNow()
			within(b, done, "echo")
		})
	}
}

// Batches of 64 messages one way.
func BenchmarkStream(b *testing.B) {
	const n = 64
	for _, k := range benchKinds(b) {
		b.Run(k.name, func(b *testing.B) {
			client, server := k.connect(b, k.proto)
			m := payload(200)
			b.ReportAllocs()
			b.SetBytes(n * 200)
			count := make(chan int, 1)
			done := background(func() error {
				total, read := -1, 0
				for read != total {
					if _, err := server.Read(); err != nil {
						return err
					}
					read++
					select {
					case total = <-count:
					default:
					}
				}
				return nil
			})
			out := new(transport.Batch)
			sent := 0
			for b.Loop() {
				out.Reset(1 << 20)
				for range n {
					out.Begin()
					out.Buf = append(out.Buf, m...)
					out.End()
				}
				if err := client.Write(out); err != nil {
					b.Fatal(err)
				}
				sent += n
			}
			count <- sent + n
			out.Reset(1 << 20)
			for range n {
				out.Begin()
				out.Buf = append(out.Buf, m...)
				out.End()
			}
			if err := client.Write(out); err != nil {
				b.Fatal(err)
			}
			if err := within(b, done, "Read"); err != nil {
				b.Fatal(err)
			}
		})
	}
}
