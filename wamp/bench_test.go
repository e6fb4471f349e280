package wamp_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// These go through the router of wamptest, in this process: they compare
// versions of this library with each other, not libraries.

func benchSessions(b *testing.B, n int) []*wamp.Session {
	b.Helper()
	r := wamptest.Start()
	b.Cleanup(r.Close)
	var all []*wamp.Session
	for range n {
		s, err := wamp.Connect(b.Context(), "", "realm1", wamp.WithTransport(r.Dial))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close(context.Background()) })
		all = append(all, s)
	}
	return all
}

// BenchmarkChunks sends chunks in one progressive call, whose callee takes them
// all: an operation is a chunk from the producer to the handler.
func BenchmarkChunks(b *testing.B) {
	s := benchSessions(b, 2)
	_, err := s[1].Handle(b.Context(), "com.example.count", func(_ context.Context, inv *wamp.Invocation) error {
		n := 0
		for range inv.Chunks() {
			n++
		}
		return inv.Return(wamp.Args(n))
	}, wamp.Buffer(0, 1<<30))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	r, err := s[0].CallFunc(b.Context(), "com.example.count", func(_ context.Context, send func(wamp.Payload) error) error {
		for i := range b.N {
			if err := send(wamp.Args(i)); err != nil {
				return err
			}
		}
		return nil
	}).Final()
	if err != nil {
		b.Fatal(err)
	}
	var n int
	if err := r.Scan(&n); err != nil || n != b.N {
		b.Fatal(n, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "chunks/s")
}

// BenchmarkResults takes the progressive results of a call and scans them: from the
// channel, and by Stream, which does without one.
func BenchmarkResults(b *testing.B) {
	take := map[string]func(s *wamp.Session, n int) error{
		"channel": func(s *wamp.Session, n int) error {
			for r := range s.Call(b.Context(), "com.example.count", wamp.Args(n), wamp.Progressive(), wamp.Buffer(0, 1<<30)) {
				var v int
				if err := r.Err; err != nil {
					return err
				}
				if err := r.Scan(&v); err != nil {
					return err
				}
			}
			return nil
		},
		"iterator": func(s *wamp.Session, n int) error {
			for _, err := range wamp.Stream[int](b.Context(), s, "com.example.count", wamp.Args(n), wamp.Buffer(0, 1<<30)) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	for _, way := range []string{"channel", "iterator"} {
		b.Run(way, func(b *testing.B) {
			s := benchSessions(b, 2)
			if _, err := s[1].Handle(b.Context(), "com.example.count", countTo); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			if err := take[way](s[0], b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkCancel is a call that is cancelled once its callee runs, until the
// callee has stopped.
func BenchmarkCancel(b *testing.B) {
	s := benchSessions(b, 2)
	began, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	_, err := s[1].Handle(b.Context(), "com.example.hang", func(ctx context.Context, _ *wamp.Invocation) error {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		results := s[0].Call(ctx, "com.example.hang", wamp.Args())
		<-began
		cancel()
		if _, err := results.Final(); err == nil {
			b.Fatal("not cancelled")
		}
		<-ended
	}
}

// BenchmarkRegister10000 registers 10,000 procedures, and ends them.
func BenchmarkRegister10000(b *testing.B) {
	const n = 10_000
	s := benchSessions(b, 1)[0]
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, n)
		limit := make(chan struct{}, 256)
		for i := range n {
			limit <- struct{}{}
			go func() {
				_, err := s.Register(ctx, fmt.Sprint("com.example.p", i))
				<-limit
				done <- err
			}()
		}
		for range n {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		cancel()
		for s.Stats().Tables.Requests+s.Stats().Tables.Procedures > 0 {
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "registrations/s")
}

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

// BenchmarkEvents takes events of one subscription, by its channel and by All.
func BenchmarkEvents(b *testing.B) {
	for _, way := range []string{"channel", "iterator"} {
		b.Run(way, func(b *testing.B) {
			s := benchSessions(b, 2)
			sub, err := s[1].Subscribe(b.Context(), "com.example.topic", wamp.Buffer(b.N+1, 1<<30))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			go func() { // ends with what it has to publish
				for i := range b.N {
					s[0].Publish(b.Context(), "com.example.topic", wamp.Args(i))
				}
			}()
			n := 0
			if way == "channel" {
				for range b.N {
					if _, open := <-sub.Events(); !open {
						b.Fatal(sub.Err())
					}
					n++
				}
			} else {
				for _, err := range sub.All() {
					if err != nil {
						b.Fatal(err)
					}
					if n++; n == b.N {
						break
					}
				}
			}
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

// BenchmarkServe makes one call after the other: to a handler of Serve, and to one that
// does the same by hand.
func BenchmarkServe(b *testing.B) {
	for name, serve := range map[string]func(context.Context, *wamp.Session) error{
		"typed": func(ctx context.Context, s *wamp.Session) error {
			_, err := wamp.Serve(ctx, s, "com.example.half", func(_ context.Context, n int) (int, error) { return n / 2, nil })
			return err
		},
		"by hand": func(ctx context.Context, s *wamp.Session) error {
			_, err := s.Handle(ctx, "com.example.half", func(_ context.Context, inv *wamp.Invocation) error {
				var n int
				if err := inv.Scan(&n); err != nil {
					return err
				}
				return inv.Return(wamp.Args(n / 2))
			})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := benchSessions(b, 2)
			if err := serve(b.Context(), s[1]); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if n, err := wamp.Call[int](b.Context(), s[0], "com.example.half", wamp.Args(8)); n != 4 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkHealthy and BenchmarkStats look at a session that works.
func BenchmarkHealthy(b *testing.B) {
	s := benchSessions(b, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Healthy(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStats(b *testing.B) {
	s := benchSessions(b, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		if st := s.Stats(); st.Reconnects > 0 {
			b.Fatal(st)
		}
	}
}
