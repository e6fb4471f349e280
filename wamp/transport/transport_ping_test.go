//go:build !js

package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// Both ends write at the same time, more than any buffer holds, and ping.
func TestBothWaysWithPings(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		const rounds, perBatch = 25, 40
		var tasks []<-chan error
		readers := make(chan struct{}, 2)
		for i, c := range []transport.Conn{client, server} {
			var messages [2][][]byte
			for end := range messages {
				for j := range perBatch {
					messages[end] = append(messages[end], bytes.Repeat(fmt.Appendf(nil, "%d.%d;", end, j), 400))
				}
			}
			tasks = append(tasks, background(func() error {
				for range rounds {
					if err := c.Write(batch(messages[i]...)); err != nil {
						return fmt.Errorf("write: %w", err)
					}
				}
				return nil
			}))
			all := func() error {
				defer func() { readers <- struct{}{} }()
				for range rounds {
					for _, want := range messages[1-i] {
						got, err := c.Read()
						if err != nil {
							return fmt.Errorf("read: %w", err)
						}
						if !bytes.Equal(got, want) {
							return fmt.Errorf("read %.40q, want %.40q", got, want)
						}
					}
				}
				return nil
			}
			tasks = append(tasks, background(func() error {
				if err := all(); err != nil {
					return err
				}
				_, err := c.Read() // answers pings until the end
				if !errors.Is(err, net.ErrClosed) && k.name != "" && i == 0 {
					return fmt.Errorf("last read: %w", err)
				}
				return nil
			}))
		}
		for range 20 {
			if err := client.Ping(bound(t)); err != nil {
				t.Errorf("Ping of the client: %v", err)
			}
			if err := server.Ping(bound(t)); err != nil {
				t.Errorf("Ping of the server: %v", err)
			}
		}
		for _, writer := range []int{0, 2} {
			if err := within(t, tasks[writer], "writer"); err != nil {
				t.Error(err)
			}
		}
		for range 20 { // on an idle link too
			if err := client.Ping(bound(t)); err != nil {
				t.Errorf("Ping of the client: %v", err)
			}
		}
		<-readers
		<-readers
		_ = client.CloseNow()
		for _, reader := range []int{1, 3} {
			if err := within(t, tasks[reader], "reader"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPingWaitsForItsContextOnly(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		ctx, cancel := context.WithCancel(t.Context())
		done := background(func() error { return client.Ping(ctx) }) // nobody reads at the other end
		cancel()
		if err := within(t, done, "Ping"); !errors.Is(err, context.Canceled) {
			t.Fatalf("Ping: %v, want context.Canceled", err)
		}
		clientEnd := readAll(client)
		serverEnd := echo(server)
		if err := client.Ping(bound(t)); err != nil {
			t.Fatalf("Ping after a cancelled one: %v", err)
		}
		_ = client.CloseNow()
		within(t, clientEnd, "Read")
		within(t, serverEnd, "echo")
		if err := client.Ping(bound(t)); err == nil {
			t.Fatal("Ping of a closed connection succeeded")
		}
	})
}

func TestPingEndsWithTheConnection(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		done := background(func() error { return client.Ping(context.Background()) })
		_ = client.CloseNow()
		if err := within(t, done, "Ping"); err == nil {
			t.Fatal("Ping succeeded, nobody has answered")
		}
	})
}

// A peer that pings and does not read must not stop us from reading, and a
// ping of ours does not end the connection.
func TestPingsWhileStalled(t *testing.T) {
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		if !k.owned || k.unbuffered {
			return // the library, or net.Pipe, waits there
		}
		done := stall(client)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := server.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping of the peer: %v", err)
		}
		if err := client.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ping: %v", err)
		}
		pass(t, server, client, payload(1000)) // it pings before and goes on writing
		ends := readAll(server)                // now it reads
		clientReads := readAll(client)
		if err := server.Ping(bound(t)); err != nil {
			t.Errorf("Ping of the peer: %v", err)
		}
		if err := client.Ping(bound(t)); err != nil {
			t.Errorf("Ping: %v", err)
		}
		_ = client.CloseNow()
		within(t, done, "Write")
		within(t, ends, "Read")
		within(t, clientReads, "Read")
	})
}
