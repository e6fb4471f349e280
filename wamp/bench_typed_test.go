package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/connectanum/connectanum-go/wamp"
)

// bothWays runs a benchmark of a typed form and of the same by hand.
func bothWays(b *testing.B, typed, byHand func(*testing.B)) {
	b.Run("typed", typed)
	b.Run("by hand", byHand)
}

// servedBy serves with two sessions, of which the first calls.
func servedBy(b *testing.B, serve func(s *wamp.Session) error) *wamp.Session {
	b.Helper()
	s := benchSessions(b, 2)
	if err := serve(s[1]); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s[0]
}

// BenchmarkTypedStream takes b.N progressive results: an operation is one of them.
func BenchmarkTypedStream(b *testing.B) {
	count := func(s *wamp.Session) error {
		_, err := s.Handle(b.Context(), "com.example.count", countTo)
		return err
	}
	for name, take := range map[string]func(*wamp.Session, int) error{
		"Stream": func(s *wamp.Session, n int) (err error) {
			for _, e := range wamp.Stream[int](b.Context(), s, "com.example.count", wamp.Args(n), wamp.Buffer(0, 1<<30)) {
				err = errors.Join(err, e)
			}
			return err
		},
		"OpenStream": func(s *wamp.Session, n int) error {
			st := wamp.OpenStream[int, int](b.Context(), s, "com.example.count", wamp.Args(n), wamp.Buffer(0, 1<<30))
			for _, err := range st.All() {
				if err != nil {
					return err
				}
			}
			_, err := st.Result()
			return err
		},
		"by hand": func(s *wamp.Session, n int) error {
			for r := range s.Call(b.Context(), "com.example.count", wamp.Args(n), wamp.Progressive(), wamp.Buffer(0, 1<<30)) {
				var v int
				if r.Err != nil {
					return r.Err
				}
				if err := r.Scan(&v); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := servedBy(b, count)
			if err := take(s, b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkTypedCalls makes calls of three progressive results: an operation is a call.
func BenchmarkTypedCalls(b *testing.B) {
	count := func(s *wamp.Session) error {
		_, err := s.Handle(b.Context(), "com.example.count", countTo)
		return err
	}
	for name, call := range map[string]func(ctx context.Context, s *wamp.Session) (int, error){
		"Stream": func(ctx context.Context, s *wamp.Session) (last int, err error) {
			for n, e := range wamp.Stream[int](ctx, s, "com.example.count", wamp.Args(3)) {
				if last, err = n, e; err != nil {
					break
				}
			}
			return last, err
		},
		"OpenStream": func(ctx context.Context, s *wamp.Session) (int, error) {
			st := wamp.OpenStream[int, int](ctx, s, "com.example.count", wamp.Args(3))
			for _, err := range st.All() {
				if err != nil {
					return 0, err
				}
			}
			return st.Result()
		},
		"by hand": func(ctx context.Context, s *wamp.Session) (last int, err error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			for r := range s.Call(ctx, "com.example.count", wamp.Args(3), wamp.Progressive()) {
				if err := errors.Join(r.Err, r.Scan(&last)); err != nil {
					return 0, err
				}
			}
			return last, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := servedBy(b, count)
			for b.Loop() {
				if n, err := call(b.Context(), s); n != 3 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkServeStream sends b.N items.
func BenchmarkServeStream(b *testing.B) {
	take := func(b *testing.B, s *wamp.Session) {
		for _, err := range wamp.Stream[int](b.Context(), s, "com.example.count", wamp.Args(b.N), wamp.Buffer(0, 1<<30)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	bothWays(b, func(b *testing.B) {
		take(b, servedBy(b, func(s *wamp.Session) error {
			_, err := wamp.ServeStream(b.Context(), s, "com.example.count", func(_ context.Context, n int, send func(int) error) (int, error) {
				for i := range n {
					if err := send(i); err != nil {
						return 0, err
					}
				}
				return n, nil
			})
			return err
		}))
	}, func(b *testing.B) {
		take(b, servedBy(b, func(s *wamp.Session) error {
			_, err := s.Handle(b.Context(), "com.example.count", countTo)
			return err
		}))
	})
}

// BenchmarkServeChunks takes b.N chunks.
func BenchmarkServeChunks(b *testing.B) {
	bothWays(b, func(b *testing.B) {
		s := servedBy(b, func(s *wamp.Session) error {
			_, err := wamp.ServeChunks(b.Context(), s, "com.example.sum", func(_ context.Context, in iter.Seq2[int, error], _ func(int) error) (sum int, err error) {
				for n, err := range in {
					if err != nil {
						return 0, err
					}
					sum += n
				}
				return sum, nil
			}, wamp.Buffer(0, 1<<30))
			return err
		})
		if _, err := wamp.OpenCall[int, int, int](b.Context(), s, "com.example.sum", func(_ context.Context, send func(int) error) error {
			for i := range b.N {
				if err := send(i); err != nil {
					return err
				}
			}
			return nil
		}).Result(); err != nil {
			b.Fatal(err)
		}
	}, func(b *testing.B) {
		s := servedBy(b, func(s *wamp.Session) error {
			_, err := s.Handle(b.Context(), "com.example.sum", func(ctx context.Context, inv *wamp.Invocation) error {
				sum := 0
				for p := range inv.Chunks() {
					var n int
					if err := p.Scan(&n); err != nil {
						return err
					}
					sum += n
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return inv.Return(wamp.Args(sum))
			}, wamp.Buffer(0, 1<<30))
			return err
		})
		r, err := s.CallFunc(b.Context(), "com.example.sum", func(_ context.Context, send func(wamp.Payload) error) error {
			for i := range b.N {
				if err := send(wamp.Args(i)); err != nil {
					return err
				}
			}
			return nil
		}).Final()
		var sum int
		if err := errors.Join(err, r.Scan(&sum)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkOn takes b.N events: by a handler of values, by a loop of values, and by a
// loop that decodes by hand.
func BenchmarkOn(b *testing.B) {
	flood := func(b *testing.B, s *wamp.Session) {
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			s.Publish(b.Context(), "com.example.topic", wamp.Args(i))
		}
	}
	for _, most := range []int{1, 4} {
		b.Run(fmt.Sprint("On, ", most), func(b *testing.B) {
			s := benchSessions(b, 2)
			all, got := make(chan struct{}), make(chan struct{}, 64)
			go func() {
				for range b.N {
					<-got
				}
				close(all)
			}()
			if _, err := wamp.On(b.Context(), s[1], "com.example.topic", func(context.Context, wamp.EventOf[int]) error {
				got <- struct{}{}
				return nil
			}, wamp.Buffer(b.N+1, 1<<30), wamp.Concurrency(most)); err != nil {
				b.Fatal(err)
			}
			flood(b, s[0])
			<-all
		})
	}
	for name, take := range map[string]func(b *testing.B, sub *wamp.Subscription){
		"Events": func(b *testing.B, sub *wamp.Subscription) {
			n := 0
			for _, err := range wamp.Events[int](sub) {
				if n++; err != nil {
					b.Fatal(err)
				} else if n == b.N {
					break
				}
			}
		},
		"by hand": func(b *testing.B, sub *wamp.Subscription) {
			n := 0
			for ev, err := range sub.All() {
				var v int
				if n++; errors.Join(err, ev.Scan(&v)) != nil {
					b.Fatal(err)
				} else if n == b.N {
					break
				}
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := benchSessions(b, 2)
			sub, err := s[1].Subscribe(b.Context(), "com.example.topic", wamp.Buffer(b.N+1, 1<<30))
			if err != nil {
				b.Fatal(err)
			}
			go flood(b, s[0]) // ends with what it has to publish
			take(b, sub)
		})
	}
}

// BenchmarkPublishTyped publishes b.N values, acknowledged, from a channel and by a
// function.
func BenchmarkPublishTyped(b *testing.B) {
	for name, publish := range map[string]func(b *testing.B, s *wamp.Session) wamp.Acks{
		"channel, typed": func(b *testing.B, s *wamp.Session) wamp.Acks {
			ch := make(chan int, 64)
			go func() {
				defer close(ch)
				for i := range b.N {
					ch <- i
				}
			}()
			return wamp.PublishStream(b.Context(), s, "com.example.topic", ch, wamp.Window(256))
		},
		"channel, by hand": func(b *testing.B, s *wamp.Session) wamp.Acks {
			ch := make(chan wamp.Payload, 64)
			go func() {
				defer close(ch)
				for i := range b.N {
					ch <- wamp.Args(i)
				}
			}()
			return s.PublishStream(b.Context(), "com.example.topic", ch, wamp.Window(256))
		},
		"function, typed": func(b *testing.B, s *wamp.Session) wamp.Acks {
			return wamp.PublishFunc(b.Context(), s, "com.example.topic", func(_ context.Context, send func(int) error) error {
				for i := range b.N {
					if err := send(i); err != nil {
						return err
					}
				}
				return nil
			}, wamp.Window(256))
		},
		"function, by hand": func(b *testing.B, s *wamp.Session) wamp.Acks {
			return s.PublishFunc(b.Context(), "com.example.topic", func(_ context.Context, send func(wamp.Payload) error) error {
				for i := range b.N {
					if err := send(wamp.Args(i)); err != nil {
						return err
					}
				}
				return nil
			}, wamp.Window(256))
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := benchSessions(b, 1)[0]
			b.ReportAllocs()
			b.ResetTimer()
			for ack := range publish(b, s) {
				if ack.Err != nil {
					b.Fatal(ack.Err)
				}
			}
		})
	}
}

// BenchmarkTypedCall makes calls of one result: an operation is a call.
func BenchmarkTypedCall(b *testing.B) {
	half := func(s *wamp.Session) error {
		_, err := wamp.Serve(b.Context(), s, "com.example.half", func(_ context.Context, n int) (int, error) { return n / 2, nil })
		return err
	}
	bothWays(b, func(b *testing.B) {
		s := servedBy(b, half)
		for b.Loop() {
			if n, err := wamp.Call[int](b.Context(), s, "com.example.half", wamp.Args(8)); n != 4 || err != nil {
				b.Fatal(n, err)
			}
		}
	}, func(b *testing.B) {
		s := servedBy(b, half)
		for b.Loop() {
			var n int
			r, err := s.Call(b.Context(), "com.example.half", wamp.Args(8)).Final()
			if err := errors.Join(err, r.Scan(&n)); n != 4 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}
