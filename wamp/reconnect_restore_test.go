package wamp_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// manyHandles makes n subscriptions or registrations, pipelined. They end with ctx.
func manyHandles(ctx context.Context, tb testing.TB, s *wamp.Session, what string, n int) {
	tb.Helper()
	ended := make(chan error, n)
	for i := range n {
		go func() {
			var err error
			if uri := "com.example.many." + strconv.Itoa(i); what == "registrations" {
				_, err = s.Register(ctx, uri)
			} else {
				_, err = s.Subscribe(ctx, uri)
			}
			ended <- err
		}()
	}
	for range n {
		if err := <-ended; err != nil {
			tb.Fatal(err)
		}
	}
}

// restored reports what of a session stands at the router.
func restored(s *wamp.Session, what string) int {
	if what == "registrations" {
		return s.Stats().Tables.Registrations
	}
	return s.Stats().Tables.Subscriptions
}

// backAgain waits until the session has been joined again and everything that it
// had is back.
func backAgain(ctx context.Context, tb testing.TB, s *wamp.Session, what string, n int) {
	tb.Helper()
	if _, err := s.Call(ctx, "com.example.nobody", wamp.Args(), wamp.Idempotent()).Final(); wamp.ErrorURI(err) == "" {
		tb.Fatal(err)
	}
	for restored(s, what) < n {
		<-time.After(time.Millisecond)
	}
}

// With 10,000 subscriptions or registrations and a round trip of a second, the
// restore takes a round trip for the join and one for each window of them.
func TestRestoreIsPipelined(t *testing.T) {
	const n, rtt = 10_000, time.Second
	for _, what := range []string{"subscriptions", "registrations"} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: 1, Max: 1}), wamp.WithWindow(n/4, 1))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				manyHandles(ctx, t, s, what, n)
				r.Delay(rtt)
				start := time.Now()
				r.Restart()
				synctest.Wait()
				backAgain(ctx, t, s, what, n)
				if d := time.Since(start); d < 5*rtt || d >= 6*rtt {
					t.Errorf("restored after %v, a round trip takes %v", d, rtt)
				}
				if got := restored(s, what); got != n {
					t.Errorf("%d %s are back, want %d", got, what, n)
				}
				st := r.Stats()
				if st.Subscriptions+st.Registrations != n {
					t.Errorf("the router has %d subscriptions and %d registrations", st.Subscriptions, st.Registrations)
				}
				r.Delay(0)
			})
		})
	}
}

// BenchmarkRestore measures from the cut of the link until 10,000 subscriptions
// or registrations stand again, with the router in the same process: in memory,
// over RawSocket and over WebSocket on the loopback interface. The delay before
// the attempt is none.
func BenchmarkRestore(b *testing.B) {
	const n = 10_000
	for _, what := range []string{"subscriptions", "registrations"} {
		for _, kind := range []string{"memory", "tcp", "ws"} {
			b.Run(fmt.Sprintf("%s=%d/%s", what, n, kind), func(b *testing.B) {
				r := wamptest.NewRouter(b)
				var url string
				var err error
				options := []wamp.Option{wamp.WithReconnect(wamp.Backoff{Min: 1, Max: 1})}
				switch kind {
				case "memory":
					options = append(options, wamp.WithTransport(r.Dial))
				case "tcp":
					url, err = r.ListenRawSocket("tcp", "")
				case "ws":
					url, err = r.ListenWebSocket("")
				}
				if err != nil {
					b.Fatal(err)
				}
				s, err := wamp.Connect(b.Context(), url, "realm1", options...)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close(context.Background())
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				manyHandles(ctx, b, s, what, n)
				b.ReportAllocs()
				for b.Loop() {
					r.Cut(s.ID())
					backAgain(ctx, b, s, what, n)
					if got := restored(s, what); got != n {
						b.Fatalf("%d of %d are back", got, n)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/each")
			})
		}
	}
}
