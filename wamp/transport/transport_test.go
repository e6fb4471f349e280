//go:build !js

package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// each runs a test over every kind of connection.
func each(t *testing.T, f func(t *testing.T, k kind, client, server transport.Conn)) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			client, server := k.connect(t, k.proto)
			f(t, k, client, server)
		})
	}
}

func batch(messages ...[]byte) *transport.Batch {
	b := new(transport.Batch)
	for _, m := range messages {
		b.Begin()
		b.Buf = append(b.Buf, m...)
		b.End()
	}
	return b
}

// payload is a message of n bytes that no other call returns. It is text, and
// has no separator of batches in it.
func payload(n int) []byte {
	p := make([]byte, n)
	state := rand.Uint64()
	for i := range p {
		state = state*6364136223846793005 + 1442695040888963407
		p[i] = ' ' + byte(state>>58)
	}
	return p
}

// send writes in the background: net.Pipe holds nothing.
func send(t testing.TB, c transport.Conn, messages ...[]byte) (wait func()) {
	done := background(func() error { return c.Write(batch(messages...)) })
	return func() {
		t.Helper()
		if err := within(t, done, "Write"); err != nil {
			t.Errorf("Write: %v", err)
		}
	}
}

// pass sends messages and reads them at the other end.
func pass(t testing.TB, from, to transport.Conn, messages ...[]byte) {
	t.Helper()
	wait := send(t, from, messages...)
	for _, m := range messages {
		mustRead(t, to, m)
	}
	wait()
}

func mustRead(t testing.TB, c transport.Conn, want []byte) {
	t.Helper()
	got, err := c.Read()
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes %.40q, want %d bytes %.40q", len(got), got, len(want), want)
	}
}

// background runs f and returns a channel with its error.
func background(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func within(t testing.TB, done <-chan error, what string) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("%s did not return", what)
		return nil
	}
}

// readAll reads until there is an error and returns it.
func readAll(c transport.Conn) <-chan error {
	return background(func() error {
		for {
			if _, err := c.Read(); err != nil {
				return err
			}
		}
	})
}

func echo(c transport.Conn) <-chan error {
	return background(func() error {
		b := new(transport.Batch)
		for {
			m, err := c.Read()
			if err != nil {
				return err
			}
			b.Reset(1 << 20)
			b.Begin()
			b.Buf = append(b.Buf, m...)
			b.End()
			if err := c.Write(b); err != nil {
				return err
			}
		}
	})
}

func TestEchoOfAllSizes(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		done := echo(server)
		sizes := []int{0, 1, 2, 3, 124, 125, 126, 127, 128, 4095, 4096, 4097, 65530, 65535, 65536, 65537, 200_000, testLimit - 16}
		if !k.proto.Batched {
			sizes = append(sizes, testLimit)
		}
		for _, n := range append(sizes, 5, 0, 70_000, 1) {
			m := payload(n)
			wait := send(t, client, m)
			mustRead(t, client, m)
			wait()
		}
		_ = client.CloseNow()
		within(t, done, "echo")
	})
}

func TestBatchKeepsOrder(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		for round := range 3 {
			var messages [][]byte
			for i := range 3000 {
				messages = append(messages, append(fmt.Appendf(nil, "%d/%d ", round, i), payload(rand.IntN(300))...))
			}
			messages[1000] = payload(100_000)
			done := background(func() error { return client.Write(batch(messages...)) })
			for _, m := range messages {
				mustRead(t, server, m)
			}
			if err := within(t, done, "Write"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The owner of a batch uses its memory again as soon as Write has returned.
func TestWriteDoesNotKeepTheBatch(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		const rounds = 500
		done := background(func() error {
			b := new(transport.Batch)
			for i := range rounds {
				b.Reset(1 << 20)
				for j := range 3 {
					b.Begin()
					b.Buf = append(b.Buf, strings.Repeat(fmt.Sprint(i, j, " "), 20)...)
					b.End()
				}
				if err := client.Write(b); err != nil {
					return err
				}
				clear(b.Buf)
			}
			return nil
		})
		for i := range rounds {
			for j := range 3 {
				mustRead(t, server, []byte(strings.Repeat(fmt.Sprint(i, j, " "), 20)))
			}
		}
		if err := within(t, done, "Write"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseInOrder(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		wait := send(t, client, []byte("last words"))
		ends := background(func() error {
			m, err := server.Read()
			if err != nil || string(m) != "last words" {
				return fmt.Errorf("read %q, %w", m, err)
			}
			_, err = server.Read()
			return err
		})
		clientRead := readAll(client)
		wait()
		if err := client.Close(bound(t)); err != nil {
			t.Errorf("Close: %v", err)
		}
		var ce *transport.CloseError
		if err := within(t, ends, "Read"); !errors.As(err, &ce) || ce.Code != k.code {
			t.Errorf("the peer read %v, want a CloseError with code %d", err, k.code)
		}
		if err := within(t, clientRead, "Read"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("own Read: %v, want net.ErrClosed", err)
		}
		if err := client.Close(bound(t)); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if err := client.CloseNow(); err != nil {
			t.Errorf("CloseNow after Close: %v", err)
		}
		if _, err := client.Read(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Close: %v", err)
		}
		if err := client.Write(batch([]byte("x"))); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
		if _, err := server.Read(); !errors.As(err, &ce) {
			t.Errorf("second Read of the peer: %v", err)
		}
	})
}

// Close with nobody who reads here: the library has to do it.
func TestCloseWithoutReader(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		wait := send(t, server, payload(100), payload(10_000))
		for range 2 { // for which the Write of an unbuffered connection waits
			if k.unbuffered {
				if _, err := client.Read(); err != nil {
					t.Fatal(err)
				}
			}
		}
		wait()
		ends := readAll(server)
		if err := client.Close(bound(t)); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := within(t, ends, "Read"); err == nil {
			t.Error("the peer noticed nothing")
		}
	})
}

func TestBothClose(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		a, b := readAll(client), readAll(server)
		c := background(func() error { return client.Close(bound(t)) })
		d := background(func() error { return server.Close(bound(t)) })
		for _, done := range []<-chan error{a, b, c, d} {
			within(t, done, "Read or Close")
		}
	})
}

// The peer does not take part in the close handshake.
func TestCloseIsBoundedByItsContext(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		for _, reading := range []bool{false, true} {
			var done <-chan error
			if reading {
				done = readAll(client)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			start := time.Now()
			_ = client.Close(ctx)
			cancel()
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("Close took %v", d)
			}
			if reading {
				within(t, done, "Read")
			}
			client, _ = k.connect(t, k.proto)
		}
	})
}

func TestCloseNow(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		reads := readAll(client)
		ends := readAll(server)
		if err := client.CloseNow(); err != nil {
			t.Errorf("CloseNow: %v", err)
		}
		if err := within(t, reads, "Read"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read: %v, want net.ErrClosed", err)
		}
		var frame *transport.FrameError
		if err := within(t, ends, "Read of the peer"); err == nil || errors.As(err, &frame) {
			t.Errorf("the peer read %v", err)
		}
		if err := client.CloseNow(); err != nil {
			t.Errorf("second CloseNow: %v", err)
		}
		if err := client.Close(bound(t)); err != nil {
			t.Errorf("Close after CloseNow: %v", err)
		}
		if client.Buffered() {
			t.Error("Buffered after CloseNow")
		}
	})
}

// stall writes until nothing goes any more, and returns the Write that hangs.
func stall(c transport.Conn) <-chan error {
	progress := make(chan struct{}, 1)
	done := background(func() error {
		for {
			if err := c.Write(batch(payload(100_000))); err != nil {
				return err
			}
			select {
			case progress <- struct{}{}:
			default:
			}
		}
	})
	for {
		select {
		case <-progress:
		case <-time.After(100 * time.Millisecond):
			return done
		}
	}
}

func TestCloseNowUnblocksWrite(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		done := stall(client)
		_ = client.CloseNow()
		if err := within(t, done, "Write"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write: %v, want net.ErrClosed", err)
		}
	})
}

func TestCloseWhileStalledIsBounded(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		done := stall(client)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		_ = client.Close(ctx)
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("Close took %v", d)
		}
		within(t, done, "Write")
	})
}

func TestOversizeReceived(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		if k.limit == 0 {
			return // memory has no limit
		}
		if n := client.MaxSend(); n < k.limit {
			t.Fatalf("MaxSend is %d", n)
		}
		written := background(func() error { return client.Write(batch(payload(k.limit + 1))) })
		clientReads := readAll(client)
		if strings.HasPrefix(k.name, "rawsocket") { // the limit is known here
			var size *transport.SizeError
			if err := within(t, written, "Write"); !errors.As(err, &size) || size.Limit != k.limit || !errors.Is(err, transport.ErrTooBig) {
				t.Fatalf("Write: %v, want a SizeError", err)
			}
			pass(t, client, server, payload(10)) // nothing of it was sent
			_ = client.CloseNow()
			within(t, clientReads, "Read")
			return
		}
		var frame *transport.FrameError
		if _, err := server.Read(); !errors.As(err, &frame) || !errors.Is(err, transport.ErrTooBig) {
			t.Fatalf("Read: %v, want ErrTooBig", err)
		}
		_ = server.Close(bound(t))
		within(t, written, "Write")
		var ce *transport.CloseError
		if err := within(t, clientReads, "Read"); !errors.As(err, &ce) || ce.Code != 1009 {
			t.Errorf("the sender read %v, want close code 1009", err)
		}
	})
}

// Buffered is never true without a message, and true often enough to be of
// use.
func TestBuffered(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		if client.Buffered() || server.Buffered() {
			t.Fatal("Buffered on a fresh connection")
		}
		const n = 500
		var messages [][]byte
		for range n {
			messages = append(messages, payload(30))
		}
		done := background(func() error { return client.Write(batch(messages...)) })
		seen := 0
		for i, m := range messages {
			mustRead(t, server, m)
			if server.Buffered() {
				seen++
				if i == n-1 {
					t.Fatal("Buffered after the last message")
				}
			}
		}
		if err := within(t, done, "Write"); err != nil {
			t.Fatal(err)
		}
		switch {
		case !k.buffered:
		case seen < n/2:
			t.Errorf("Buffered was true %d times of %d", seen, n-1)
		}
	})
}

func TestWhatAConnSays(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		for _, c := range []transport.Conn{client, server} {
			if c.Protocol() != k.proto {
				t.Errorf("Protocol is %v", c.Protocol())
			}
			if got := transport.Private(c); got != k.private && (c == client || k.owned) {
				t.Errorf("Private is %v", got)
			}
			state := c.TLS()
			if (state != nil) != k.tls {
				t.Fatalf("TLS is %v", state)
			}
		}
		if !k.tls {
			return
		}
		var keys [2][]byte
		for i, c := range []transport.Conn{client, server} {
			key, err := c.TLS().ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
			if err != nil {
				t.Fatal(err)
			}
			keys[i] = key
		}
		if !bytes.Equal(keys[0], keys[1]) {
			t.Error("the two ends have different channel bindings")
		}
	})
}

func TestTryWrite(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		try, ok := client.(transport.TryWriter)
		if !ok {
			t.Fatal("no TryWriter")
		}
		// Until the peer's buffers are full, then the rest by Write, while it
		// reads.
		var sent [][]byte
		b := new(transport.Batch)
		did := 0
		for {
			b.Reset(1 << 20)
			for range 3 {
				m := payload(rand.IntN(min(20_000, 100<<min(did, 10)))) // small ones first: a new socket has little room
				sent = append(sent, m)
				b.Begin()
				b.Buf = append(b.Buf, m...)
				b.End()
			}
			done, err := try.TryWrite(b)
			if err != nil {
				t.Fatal(err)
			}
			if !done {
				break
			}
			did++
		}
		written := background(func() error { return client.Write(b) })
		for _, m := range sent {
			mustRead(t, server, m)
		}
		if err := within(t, written, "Write"); err != nil {
			t.Fatal(err)
		}
		if k.try && did == 0 {
			t.Error("TryWrite took nothing")
		}
		pass(t, client, server, []byte("after"))
	})
}
