//go:build !js

package transport_test

import (
	"bytes"
	"net"
	"runtime"
	"testing"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// kept is the last message of a Conn, without a copy where it is the reader's.
func kept(c transport.Conn, m []byte) (own []byte, given bool) {
	if k, ok := c.(transport.Keeper); ok && k.Keep() {
		return m, true
	}
	return bytes.Clone(m), false
}

// What was kept stays as it is while other messages come, small and large, and has
// about its own size. Over sockets of ours all that are large can be kept.
func TestKeep(t *testing.T) {
	sizes := []int{10, 64<<10 - 5, 64<<10 - 4, 64 << 10, 64<<10 + 1, 100_000, 300, testLimit - 5, testLimit - 4, 20, 200_000, 70_000, 64<<10 + 1}
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		deflate := k.name == "ws_deflate"
		var sent, got [][]byte
		for range 2 {
			for _, n := range sizes {
				sent = append(sent, payload(n))
			}
		}
		wait := send(t, client, sent...)
		for i := range sent {
			m, err := server.Read()
			if err != nil {
				t.Fatal(err)
			}
			own, given := kept(server, m)
			if given && (len(m) < 64<<10 || cap(m) > len(m)) {
				t.Errorf("%d bytes with a capacity of %d were given away", len(m), cap(m))
			}
			if k.owned && !deflate && !k.proto.Batched && !given && len(m) > 64<<10 {
				t.Errorf("message %d of %d bytes was not given away", i, len(m))
			}
			if _, twice := kept(server, m); twice && k.name != "pipe" {
				t.Error("it was given away twice")
			}
			if given {
				_ = append(m, 'x')
			}
			got = append(got, own)
		}
		wait()
		for i, m := range sent {
			if !bytes.Equal(m, got[i]) {
				t.Errorf("message %d of %d bytes has changed", i, len(m))
			}
		}
	})
}

// again is a net.Conn that gives frames again and again.
type again struct {
	net.Conn
	frames []byte
	at     int
}

func (s *again) Read(p []byte) (int, error) {
	n := copy(p, s.frames[s.at:])
	s.at = (s.at + n) % len(s.frames)
	return n, nil
}

// allocated is how much memory f takes, garbage included.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// A large message that is kept takes little more memory than it has bytes.
func TestKeepMemory(t *testing.T) {
	const times = 3
	for _, tt := range []struct {
		size int
		most float64
	}{{300_000, 1.6}, {1 << 20, 1.2}, {16<<20 - 1, 1.2}} {
		m := bytes.Repeat(payload(977), tt.size/977+1)[:tt.size]
		a, b := net.Pipe()
		defer a.Close()
		raw := transport.NewRawSocket(&again{Conn: b, frames: append([]byte{0, byte(tt.size >> 16), byte(tt.size >> 8), byte(tt.size)}, m...)}, protocol(t, "wamp.2.cbor"), 0, 0)
		defer raw.CloseNow()
		ws := transport.NewMessageReader(&again{frames: frame(true, 0x82, m)}, true, false, 16<<20, 64<<10, nil)
		for name, read := range map[string]func() bool{
			"RawSocket": func() bool {
				got, err := raw.Read()
				return err == nil && bytes.Equal(got, m) && raw.(transport.Keeper).Keep()
			},
			"WebSocket": func() bool {
				got, err := ws.Next()
				return err == nil && bytes.Equal(got, m) && ws.Keep()
			},
		} {
			n := allocated(func() {
				for range times {
					if !read() {
						t.Errorf("%s: %d bytes: not read or not kept", name, tt.size)
					}
				}
			})
			if share := float64(n) / times / float64(tt.size); share > tt.most {
				t.Errorf("%s: a message of %d bytes takes %.2f times that", name, tt.size, share)
			}
		}
	}
}

// A message costs no more than some times what has come of it, whatever its header says.
func TestKeepClaims(t *testing.T) {
	for _, came := range []int{0, 100, 2 << 10, 60 << 10, 64 << 10, 70 << 10, 300 << 10, 1 << 20, 2 << 20} {
		most := max(20*came, 2<<10)
		if came > 1<<10 {
			most += 128 << 10
		}
		a, b := net.Pipe()
		raw := transport.NewRawSocket(b, protocol(t, "wamp.2.cbor"), 0, 0)
		done := background(func() error { _, err := raw.Read(); return err })
		_, _ = a.Write(append([]byte{0, 0xff, 0xff, 0xff}, make([]byte, came)...))
		_ = a.Close()
		_ = within(t, done, "Read")
		if n := transport.ReadBuffer(raw); n > most {
			t.Errorf("RawSocket: %d bytes for %d", n, came)
		}
		_ = raw.CloseNow()
		head := []byte{0x82, 127, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff}
		ws := transport.NewMessageReader(bytes.NewReader(append(head, make([]byte, came)...)), false, false, 16<<20, 64<<10, nil)
		if _, err := ws.Next(); err == nil {
			t.Error("a part of a message was returned")
		}
		if n := ws.Memory(); n > max(most, 66<<10) {
			t.Errorf("WebSocket: %d bytes for %d", n, came)
		}
	}
}

// Messages of 1 MiB that the reader keeps.
func BenchmarkKeep(b *testing.B) {
	m := payload(testLimit)
	for _, k := range benchKinds(b) {
		if !k.owned {
			continue
		}
		b.Run(k.name, func(b *testing.B) {
			client, server := k.connect(b, k.proto)
			stop := make(chan struct{})
			writes := background(func() error {
				for {
					select {
					case <-stop:
						return nil
					default:
					}
					if err := client.Write(batch(m)); err != nil {
						return nil //nolint:nilerr // the end of it
					}
				}
			})
			b.SetBytes(testLimit)
			for b.Loop() {
				got, err := server.Read()
				if err != nil {
					b.Fatal(err)
				}
				_, _ = kept(server, got)
			}
			close(stop)
			_ = server.CloseNow()
			within(b, writes, "Write")
		})
	}
}
