package wamp_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
)

// BenchmarkFanOut publishes to one topic that one session has subscribed to many
// times: one EVENT, delivered to each of its handles. An operation is a
// delivery.
func BenchmarkFanOut(b *testing.B) {
	for _, handles := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(handles), func(b *testing.B) {
			s := benchSessions(b, 2)
			got := make(chan struct{}, handles)
			rounds := max(1, b.N/handles)
			for range handles {
				sub, err := s[1].Subscribe(b.Context(), "com.example.topic", wamp.Buffer(1<<20, 1<<30))
				if err != nil {
					b.Fatal(err)
				}
				go func() {
					for range rounds {
						if _, open := <-sub.Events(); !open {
							return
						}
					}
					got <- struct{}{}
				}()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range rounds {
				s[0].Publish(b.Context(), "com.example.topic", wamp.Args(i))
			}
			for range handles {
				<-got
			}
			b.ReportMetric(float64(rounds*handles)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkHeldSubscriptions holds 100,000 subscriptions in one session and says
// what each costs in memory, on this side and in the router of this process
// together.
func BenchmarkHeldSubscriptions(b *testing.B) {
	const count = 100_000
	for b.Loop() {
		s := benchSessions(b, 1)[0]
		subs := make([]*wamp.Subscription, count)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range subs {
			var err error
			if subs[i], err = s.Subscribe(b.Context(), fmt.Sprint("com.example.topic.", i)); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/count, "B/subscription")
		b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
		runtime.KeepAlive(subs)
		_ = s.Close(context.Background())
	}
}

// BenchmarkAcknowledgedPublish publishes with an acknowledgement: one at a time,
// and as a stream with a window in flight.
func BenchmarkAcknowledgedPublish(b *testing.B) {
	b.Run("one at a time", func(b *testing.B) {
		s := benchSessions(b, 1)[0]
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			if _, err := s.Publish(b.Context(), "com.example.topic", wamp.Args(i), wamp.Acknowledge()).Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, window := range []int{16, 256, 4096} {
		b.Run(fmt.Sprint("window ", window), func(b *testing.B) {
			s := benchSessions(b, 1)[0]
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for ack := range s.PublishFunc(b.Context(), "com.example.topic", func(_ context.Context, send func(wamp.Payload) error) error {
				for i := range b.N {
					if err := send(wamp.Args(i)); err != nil {
						return err
					}
				}
				return nil
			}, wamp.Window(window)) {
				if ack.Err != nil {
					b.Fatal(ack.Err)
				}
				n++
			}
			if n != b.N {
				b.Fatal(n)
			}
		})
	}
}
