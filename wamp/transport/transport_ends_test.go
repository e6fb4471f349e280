//go:build !js

package transport_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/transport"
)

// A Close whose context has ended still says what needs no waiting, and takes
// no time.
func TestCloseWithEndedContext(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	each(t, func(t *testing.T, k kind, client, server transport.Conn) {
		wait := send(t, client, []byte("last words"))
		mustRead(t, server, []byte("last words"))
		wait()
		closes := func(reading bool) error {
			clientReads := make(<-chan error)
			if reading {
				clientReads = readAll(client)
			}
			ends := readAll(server)
			start := time.Now()
			_ = client.Close(ended)
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("Close took %v", d)
			}
			err := within(t, ends, "Read")
			if reading {
				if err := within(t, clientReads, "Read"); !errors.Is(err, net.ErrClosed) {
					t.Errorf("own Read: %v", err)
				}
			}
			client, server = k.connect(t, k.proto)
			return err
		}
		for _, reading := range []bool{true, false} {
			var ce *transport.CloseError
			var err error
			for range 3 { // there are 50 ms for the last words; a machine under load may take longer
				if err = closes(reading); errors.As(err, &ce) {
					break
				}
			}
			if ce == nil || ce.Code != k.code {
				t.Errorf("the peer read %v, want a CloseError with code %d", err, k.code)
			}
		}
		// One that cannot be said is not waited for.
		done := stall(client)
		start := time.Now()
		_ = client.Close(ended)
		if d := time.Since(start); d > 3*time.Second { // the library waits for five
			t.Errorf("Close of a stalled connection took %v", d)
		}
		within(t, done, "Write")
	})
}

// Pings that time out leave nothing behind, and later ones are none the worse.
func TestTimedOutPingsLeaveNoGoroutine(t *testing.T) {
	for _, k := range kinds(t) { // one after the other: goroutines are counted
		t.Run(k.name, func(t *testing.T) {
			client, server := k.connect(t, k.proto)
			reads := readAll(client)
			count := func(n int) {
				var all []<-chan error
				for range n { // nobody reads at the other end
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					defer cancel()
					all = append(all, background(func() error { return client.Ping(ctx) }))
				}
				for _, done := range all {
					if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("Ping: %v", err)
					}
				}
			}
			count(5)
			before := runtime.NumGoroutine()
			for range 20 {
				count(50)
			}
			n := runtime.NumGoroutine() - before
			for end := time.Now().Add(patience); n > 3 && time.Now().Before(end); n = runtime.NumGoroutine() - before {
				time.Sleep(time.Millisecond) // those of contexts are on their way out
			}
			if n > 3 {
				t.Errorf("%d goroutines more", n)
			}
			ends := echo(server)
			for range 3 {
				if err := client.Ping(bound(t)); err != nil {
					t.Errorf("Ping: %v", err)
				}
			}
			_ = client.CloseNow()
			within(t, reads, "Read")
			within(t, ends, "echo")
		})
	}
}
