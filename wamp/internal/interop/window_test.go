//go:build interop

package interop_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
)

// streamed publishes a stream with a window, and returns how many of the
// acknowledgements came, and how many publishes ended without one.
func streamed(tb testing.TB, s *wamp.Session, topic string, n, window int) (acked, unknown int) {
	tb.Helper()
	for ack := range s.PublishFunc(tb.Context(), topic, func(_ context.Context, send func(wamp.Payload) error) error {
		for i := range n {
			if err := send(wamp.Args(i)); err != nil {
				return err
			}
		}
		return nil
	}, wamp.Window(window), wamp.GoOn()) {
		var lost *wamp.OutcomeUnknown
		switch {
		case ack.Err == nil:
			acked++
		case errors.As(ack.Err, &lost):
			unknown++
		default:
			tb.Fatal(ack.Err)
		}
	}
	return acked, unknown
}

// TestWideWindows: Crossbar drops no answers, however many are under way. So
// wider windows than the defaults, which fit other routers, are safe there.
func TestWideWindows(t *testing.T) {
	const n = 1000
	for _, kind := range []string{"ws", "raw"} {
		t.Run(kind, func(t *testing.T) {
			s := cell{kind, codec.CBOR}.join(t, wamp.WithWindow(2*n, n))
			topic := fresh("com.interop.window.")
			under := underWay(t, s)
			if acked, unknown := streamed(t, s, topic, 3*n, n); acked != 3*n || unknown != 0 {
				t.Errorf("%d acknowledgements of %d, %d unknown", acked, 3*n, unknown)
			}
			if most := under(); most <= 64 {
				t.Errorf("%d publishes of the stream were under way at most", most)
			}
			acks := make([]wamp.Acks, 2*n)
			for i := range acks {
				acks[i] = s.Publish(limit(t), topic, wamp.Args(i), wamp.Acknowledge())
			}
			for i, a := range acks {
				if _, err := a.Wait(); err != nil {
					t.Fatalf("publish %d: %v", i, err)
				}
			}
			if most := under(); most <= 64 {
				t.Errorf("%d publishes were under way at most", most)
			}
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() {
					sub, err := s.Subscribe(s.Context(), fmt.Sprint(topic, ".n", i))
					if err == nil {
						err = sub.Unsubscribe(limit(t))
					}
					if err != nil {
						t.Errorf("subscription %d: %v", i, err)
					}
				})
				all.Go(func() {
					reg, err := s.Register(s.Context(), fmt.Sprint(topic, ".p", i))
					if err == nil {
						err = reg.Unregister(limit(t))
					}
					if err != nil {
						t.Errorf("registration %d: %v", i, err)
					}
				})
			}
			all.Wait()
			if most := under(); most <= 64 {
				t.Errorf("%d requests about handles were under way at most", most)
			}
			idle(t, s)
		})
	}
}

// underWay looks how many requests of the session wait for their answers. The
// function that it returns gives the most that there were since the last time.
func underWay(t *testing.T, s *wamp.Session) func() int {
	var most atomic.Int64
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				most.Store(max(most.Load(), int64(s.Stats().Tables.Requests)))
			}
		}
	})
	t.Cleanup(func() { close(stop); looking.Wait() })
	return func() int { return int(most.Swap(0)) }
}

// far is a connection to the router's RawSocket that takes some time each way.
func far(b *testing.B, away time.Duration) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var work sync.WaitGroup
	b.Cleanup(func() { _ = l.Close(); work.Wait() })
	type part struct {
		due  time.Time
		text []byte
	}
	carry := func(from, to net.Conn) {
		parts := make(chan part, 1<<16)
		work.Go(func() {
			defer close(parts)
			for {
				buf := make([]byte, 1<<16)
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				parts <- part{time.Now().Add(away), buf[:n]}
			}
		})
		work.Go(func() {
			for p := range parts {
				time.Sleep(time.Until(p.due))
				_, _ = to.Write(p.text)
			}
			_ = to.Close()
		})
	}
	work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", strings.TrimPrefix(rig.URLs["raw"], "tcp://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			carry(client, server)
			carry(server, client)
		}
	})
	return "tcp://" + l.Addr().String()
}

// BenchmarkWindow are the figures of docs/benchmarks.md: publishes of a stream,
// acknowledged by Crossbar, and subscriptions that are asked for at once and left
// again, with so many requests under way.
func BenchmarkWindow(b *testing.B) {
	for _, where := range []string{"raw", "ws", "far"} {
		for _, window := range []int{1, 8, 24, 32, 64, 256, 1024} {
			url := rig.URLs[where]
			open := func(b *testing.B) *wamp.Session {
				b.Helper()
				if where == "far" {
					url = far(b, 5*time.Millisecond)
				}
				s, err := wamp.Connect(b.Context(), url, realm, wamp.WithSerializers(codec.CBOR), wamp.WithWindow(window, window))
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = s.Close(context.Background()) })
				return s
			}
			b.Run(fmt.Sprintf("publishes/%s/%d", where, window), func(b *testing.B) {
				s, topic := open(b), fresh("com.interop.window.")
				b.ResetTimer()
				acked, unknown := streamed(b, s, topic, b.N, window)
				b.ReportMetric(float64(acked)/b.Elapsed().Seconds(), "answers/s")
				b.ReportMetric(float64(unknown), "dropped")
				b.ReportMetric(0, "ns/op")
			})
			b.Run(fmt.Sprintf("handles/%s/%d", where, window), func(b *testing.B) {
				s, topic := open(b), fresh("com.interop.window.")
				var all sync.WaitGroup
				var dropped atomic.Int64
				each := make(chan int)
				b.ResetTimer()
				for range 1024 { // each subscribes and leaves, one topic after the other
					all.Go(func() {
						for i := range each {
							sub, err := s.Subscribe(s.Context(), fmt.Sprint(topic, ".n", i))
							if err == nil {
								err = sub.Unsubscribe(context.Background())
							}
							if err != nil {
								dropped.Add(1)
							}
						}
					})
				}
				for i := range b.N {
					each <- i
				}
				close(each)
				all.Wait()
				b.ReportMetric(float64(b.N)*2/b.Elapsed().Seconds(), "answers/s")
				b.ReportMetric(float64(dropped.Load()), "dropped")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
