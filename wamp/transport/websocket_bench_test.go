//go:build !js

package transport_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Frames of a server, many at a time: what one costs the client.
func BenchmarkWebSocketRead(b *testing.B) {
	for _, size := range []int{16, 200, 4000, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c, peer := webSocketOverPipe(b)
			chunk := bytes.Repeat(frame(false, 0x82, payload(size)), 1+100_000/(size+4))
			done := background(func() error {
				for {
					if _, err := peer.Write(chunk); err != nil {
						return err
					}
				}
			})
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Read(); err != nil {
					b.Fatal(err)
				}
			}
			_ = c.CloseNow()
			_ = peer.Close()
			within(b, done, "Write of the peer")
		})
	}
}

// Batches of messages: what one message costs the client.
func BenchmarkWebSocketWrite(b *testing.B) {
	for _, bb := range []struct{ size, count int }{{16, 1}, {16, 64}, {200, 64}, {4000, 16}, {1 << 20, 1}} {
		b.Run(fmt.Sprintf("%dx%d", bb.count, bb.size), func(b *testing.B) {
			c, peer := webSocketOverPipe(b)
			done := background(func() error { _, err := io.Copy(io.Discard, peer); return err })
			m := payload(bb.size)
			out := new(transport.Batch)
			b.SetBytes(int64(bb.size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%bb.count == 0 {
					out.Reset(1 << 21)
				}
				out.Begin()
				out.Buf = append(out.Buf, m...)
				out.End()
				if i%bb.count == bb.count-1 {
					if err := c.Write(out); err != nil {
						b.Fatal(err)
					}
				}
			}
			_ = c.CloseNow()
			_ = peer.Close()
			within(b, done, "Read of the peer")
		})
	}
}
