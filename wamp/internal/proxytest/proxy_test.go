package proxytest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/faults"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// These tests show that a session outlives what real sockets do to it: a TCP
// proxy stands between it and the router's listeners and cuts, slows down,
// corrupts and swallows what goes through.

// A connection that is cut at any byte, in order or not.
func TestProxyCuts(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for name, with := range map[string]faults.End{"fin": faults.FIN, "rst": faults.RST} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				l := newLine(t, kind)
				ld := l.begin(t)
				l.works(t)
				for range 6 {
					cut := faults.Fault{Cut: 1 + rand.Int64N(2000), With: with}
					id := l.s.ID()
					if rand.IntN(2) == 0 {
						l.proxy.SetLive(faults.Plan{Up: cut})
					} else {
						l.proxy.SetLive(faults.Plan{Down: cut})
					}
					for l.s.ID() == id { // there is a load, so the byte comes
						if st := l.phase(t, wamp.Joined); st.Details.Session != id {
							break
						}
					}
					l.works(t)
				}
				// The next connections end in the middle of their handshakes.
				var plans []faults.Plan
				for range 6 {
					plans = append(plans, faults.Plan{Up: faults.Fault{Cut: 1 + rand.Int64N(150), With: with}},
						faults.Plan{Down: faults.Fault{Cut: 1 + rand.Int64N(150), With: with}}, faults.Plan{Refuse: true})
				}
				l.proxy.Queue(plans...)
				l.proxy.Cut(with)
				l.works(t)
				outcomes := ld.end(t)
				if st := l.proxy.Stats(); st.Cut < 7 || st.Accepted < 12 {
					t.Errorf("%+v, %v", st, outcomes)
				}
			})
		}
	}
}

// A line that is slow is not lost.
func TestProxySlow(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, kind, wamp.WithKeepalive(wamp.Keepalive{Interval: 20 * time.Millisecond, Timeout: patience}))
			id := l.s.ID()
			const delay = 10 * time.Millisecond
			slow := faults.Fault{Rate: 1 << 20, Delay: delay}
			l.proxy.SetLive(faults.Plan{Up: slow, Down: slow})
			ld := l.begin(t)
			l.works(t)
			big := make([]byte, 100_000)
			start := time.Now()
			var got []byte
			r, err := l.peer.Call(within(t, patience), "com.example.echo", wamp.Args(big)).Final()
			if err != nil || r.Scan(&got) != nil || len(got) != len(big) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if d := time.Since(start); d < 2*delay+150*time.Millisecond {
				t.Errorf("200 kB at 1 MiB a second took %v", d)
			}
			try(t, "round trip", func(context.Context) error {
				if rtt := l.s.RTT(); rtt.Last < 2*delay || rtt.Min > rtt.Last {
					return fmt.Errorf("round trips %+v", rtt)
				}
				return nil
			})
			if outcomes := ld.end(t); outcomes["unknown"] > 0 || l.s.ID() != id {
				t.Errorf("%v; session %d, then %d", outcomes, id, l.s.ID())
			}
		})
	}
}

// A peer that is gone without a word is noticed within interval and timeout,
// also when the writer is stuck, and the session comes back, also while the
// router still believes in the old one.
func TestProxyBlackHole(t *testing.T) {
	t.Parallel()
	hole := faults.Fault{Hole: true}
	for _, kind := range append([]string{"tcp ping", "tcps ping"}, kinds...) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			k := wamp.Keepalive{Interval: 50 * time.Millisecond, Timeout: 250 * time.Millisecond}
			calls := kind == "tcp" || kind == "tcps" // where a ping may cost the connection
			if kind == "tcp ping" || kind == "tcps ping" {
				kind, k.RawSocket, calls = kind[:len(kind)-len(" ping")], true, false
			}
			var probes atomic.Int64
			r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
				if m.Type == proto.Call && m.URI == "wamp.session.count" {
					probes.Add(1)
				}
				return wamptest.Pass()
			}))
			// States that nobody has read are replaced: it is away for a while each time.
			away := wamp.WithReconnect(wamp.Backoff{Min: 50 * time.Millisecond, Max: 50 * time.Millisecond})
			l := newLineTo(t, r, kind, wamp.WithKeepalive(k), wamp.WithOutbound(1<<20), away)
			ld := l.begin(t)
			l.works(t)
			for _, tt := range []struct {
				name string
				plan faults.Plan
			}{
				{"both ways", faults.BlackHole},
				{"up", faults.Plan{Up: hole}},
				{"down", faults.Plan{Down: hole}},
				{"stalled", faults.Stalled},
			} {
				id := l.s.ID()
				start := time.Now()
				l.proxy.SetLive(tt.plan)
				flooded := make(chan struct{})
				if tt.name == "stalled" {
					go func() { // until the writer is stuck and the outbound bound is reached
						defer close(flooded)
						for range 40 {
							if _, err := l.s.Publish(within(t, patience), "com.example.other", wamp.Args(make([]byte, 256<<10))).Wait(); err != nil {
								t.Error(err)
							}
						}
					}()
				} else {
					close(flooded)
				}
				st := l.phase(t, wamp.Reconnecting)
				// How long it took to be seen is the machine's affair too.
				if d := time.Since(start); d > k.Interval+k.Timeout+3*time.Second {
					t.Errorf("%s: noticed after %v", tt.name, d)
				}
				if !errors.Is(st.Cause, wamp.ErrPongTimeout) {
					t.Errorf("%s: the cause is %v", tt.name, st.Cause)
				}
				for l.s.ID() == id {
					l.phase(t, wamp.Joined)
				}
				<-flooded
				l.calls(t)
				l.hears(t)
				// The router holds the procedure for the old session until
				// the network forgets that.
				if err := l.reg.Err(); err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				if l.proxy.CutDead() == 0 {
					t.Errorf("%s: no dead connection: %+v", tt.name, l.proxy.Stats())
				}
				l.works(t)
			}
			ld.end(t)
			if n := probes.Load(); calls != (n > 0) {
				t.Errorf("%d calls to keep the link alive, RawSocket: %v", n, k.RawSocket)
			}
		})
	}
}

// Connect through a black hole ends with its context, wherever in the
// handshakes the hole begins.
func TestProxyConnectBlackHole(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l := behindProxy(t, wamptest.NewRouter(t), kind)
			initial := prompt()
			initial.Initial = true
			for _, from := range []int64{0, 3, 4, 100, 300, 1000} {
				for _, options := range [][]wamp.Option{nil, {wamp.WithReconnect(initial)}} {
					l.proxy.SetNew(faults.Plan{Up: faults.Fault{Hole: true, From: from}, Down: faults.Fault{Hole: true, From: from}})
					if kind == "ws" && from == 1000 { // long enough to join
						l.proxy.SetNew(faults.Plan{Down: faults.Fault{Hole: true, From: 180}})
					}
					if kind == "tcp" && from > 100 {
						l.proxy.SetNew(faults.Plan{Down: faults.Fault{Hole: true, From: 5}})
					}
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
					start := time.Now()
					s, err := wamp.Connect(ctx, l.url, "realm1", append(l.options[:1:1], options...)...)
					cancel()
					if err == nil {
						closeIt(t, s)
					}
					if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
						t.Errorf("from byte %d: after %v: %v", from, time.Since(start), err)
					}
				}
			}
		})
	}
}

// An app that starts before its router.
func TestProxyInitial(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l := behindProxy(t, wamptest.NewRouter(t), kind)
			l.proxy.Shut()
			var refused *net.OpError
			if s, err := wamp.Connect(within(t, patience), l.url, "realm1", l.options[0], wamp.WithReconnect(prompt())); err == nil {
				closeIt(t, s)
				t.Fatal("connected to nothing")
			} else if !errors.As(err, &refused) {
				t.Errorf("refused: %v", err)
			}
			policy := prompt()
			policy.Initial = true
			attempts := make(chan struct{}, 1000)
			draw := policy.Random
			if draw == nil {
				draw = rand.Float64
			}
			policy.Random = func() float64 { attempts <- struct{}{}; return draw() }
			joined := make(chan error, 1)
			var s *wamp.Session
			go func() {
				var err error
				s, err = wamp.Connect(within(t, patience), l.url, "realm1", l.options[0], wamp.WithReconnect(policy))
				joined <- err
			}()
			for range 3 {
				<-attempts
			}
			l.proxy.Queue(faults.Plan{Refuse: true}, faults.Plan{Down: faults.Fault{Cut: 2}})
			try(t, "listen", func(context.Context) error { return l.proxy.Open() })
			if err := <-joined; err != nil {
				t.Fatal(err)
			}
			closeIt(t, s)
		})
	}
}

// Bytes that change on their way end in anything but a crash, a hang or
// memory without a bound. Under TLS they are the loss of the connection, and
// nothing else. It is not parallel: it looks at the memory of the process.
func TestProxyCorrupts(t *testing.T) {
	before := heap()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			l := behindProxy(t, r, kind)
			secure := kind == "wss" || kind == "tcps"
			l.peer = l.connect(t, l.direct)
			handle(t, l.peer, "com.example.add", add)
			handle(t, l.peer, "com.example.count", countTo)
			ends := map[string]int{}
			for i := range 15 {
				flip := faults.Fault{Flip: 20 + rand.Int64N(2000)}
				if i%5 > 0 { // spares the handshakes
					flip.From = 1000
					if secure {
						flip.From = 5000
					}
				}
				l.proxy.SetNew(faults.Plan{Up: flip, Down: flip})
				ends[l.corrupted(t, secure)]++
				if now := heap(); now > before+128<<20 {
					t.Fatalf("%d MiB in use, %d MiB before", now>>20, before>>20)
				}
			}
			l.proxy.SetNew(faults.Clean)
			alive := l.connect(t, l.url)
			if err := sum(within(t, patience), alive, 1, 2); err != nil {
				t.Errorf("the router does not work any more: %v", err)
			}
			t.Logf("%v; %d bytes flipped", ends, l.proxy.Stats().Flipped)
			if l.proxy.Stats().Flipped == 0 {
				t.Error("nothing was flipped")
			}
		})
	}
}

// corrupted lives one session on a line that corrupts, and tells how that
// ended. Every operation must end with its context at the latest.
func (l *line) corrupted(t *testing.T, secure bool) string {
	t.Helper()
	const most = 60 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	s, err := wamp.Connect(ctx, l.url, "realm1", l.options[0], wamp.WithReconnect(prompt()), wamp.AckTimeout(most),
		wamp.WithKeepalive(wamp.Keepalive{Interval: most / 4, Timeout: most / 2}))
	if err != nil {
		return "no connection"
	}
	var ops sync.WaitGroup
	ops.Go(func() {
		if sub, err := s.Subscribe(ctx, "com.example.news"); err == nil {
			for range sub.Events() {
			}
		}
	})
	ops.Go(func() {
		if reg, err := s.Handle(ctx, fmt.Sprintf("com.example.echo%d", rand.Int()), echo); err == nil {
			for ctx.Err() == nil && reg.Err() == nil {
				_, _ = l.peer.Call(ctx, reg.Procedure(), wamp.Args("some text")).Final()
			}
		}
	})
	ops.Go(func() {
		for ctx.Err() == nil && s.Err() == nil {
			if err := sum(ctx, s, 1, 2); secure && errors.Is(err, errWrong) {
				t.Error(err)
			}
			_, _ = s.Call(ctx, "com.example.count", wamp.Args(100), wamp.Progressive()).Final()
		}
	})
	ops.Go(func() {
		for ctx.Err() == nil && s.Err() == nil {
			_, _ = s.Publish(ctx, "com.example.news", wamp.Args(make([]byte, 500)), wamp.Acknowledge(), wamp.ExcludeMe(false)).Wait()
		}
	})
	over := make(chan struct{})
	go func() { ops.Wait(); close(over) }()
	select {
	case <-over:
	case <-within(t, patience).Done():
		t.Fatal("an operation does not end with its context")
	}
	end := "alive"
	if err := s.Err(); err != nil {
		end = "closed"
		var violation *wamp.ProtocolError
		var abort *wamp.AbortError
		var goodbye *wamp.GoodbyeError
		if secure || !errors.As(err, &violation) && !errors.As(err, &abort) && !errors.As(err, &goodbye) {
			t.Errorf("the session has ended: %v", err)
		}
	}
	closing, cancelClosing := context.WithTimeout(context.Background(), patience)
	defer cancelClosing()
	start := time.Now()
	leaving, cancelLeaving := context.WithTimeout(closing, 50*time.Millisecond)
	defer cancelLeaving()
	_ = s.Close(leaving) // GOODBYE may be lost
	if time.Since(start) > 5*time.Second {
		t.Errorf("Close took %v", time.Since(start))
	}
	if err := s.Close(closing); err != nil {
		t.Errorf("Close: %v", err)
	}
	return end
}

// heap is the memory in use that is no garbage.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
