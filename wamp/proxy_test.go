package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
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

// This file shows that a session outlives what real sockets do to it: a TCP
// proxy stands between it and the router's listeners and cuts, slows down,
// corrupts and swallows what goes through.

// kinds are the transports that go over TCP.
var kinds = []string{"ws", "wss", "tcp", "tcps"}

// prompt is a policy that wastes no time.
func prompt() wamp.Backoff { return wamp.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond} }

// line is a router, a session that reaches it through a proxy, and a peer that
// reaches it directly.
type line struct {
	router  *wamptest.Router
	proxy   *faults.Proxy
	direct  string // address of the listener
	url     string // address of the proxy
	options []wamp.Option

	s, peer *wamp.Session
	sub     *wamp.Subscription // of s
	reg     *wamp.Service      // of s
	states  <-chan wamp.State  // of s
	marker  int                // of the last event
}

// behindProxy starts a router with one listener and a proxy before it.
func behindProxy(t *testing.T, r *wamptest.Router, kind string) *line {
	t.Helper()
	l := &line{router: r}
	server, client, err := wamptest.LocalTLS()
	if err != nil {
		t.Fatal(err)
	}
	l.options = []wamp.Option{wamp.WithTLS(client)}
	switch kind {
	case "ws":
		l.direct, err = r.ListenWebSocket("")
	case "wss":
		l.direct, err = r.ListenWebSocket("", wamptest.WithTLS(server))
	case "tcp":
		l.direct, err = r.ListenRawSocket("tcp", "")
	case "tcps":
		l.direct, err = r.ListenRawSocket("tcp", "", wamptest.WithTLS(server))
	}
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(l.direct)
	if err != nil {
		t.Fatal(err)
	}
	if l.proxy, err = faults.Start(t.Context(), u.Host, 1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.proxy.Close)
	u.Host = l.proxy.Addr()
	l.url = u.String()
	return l
}

// connect joins a session at an address and closes it with the test.
func (l *line) connect(t *testing.T, address string, options ...wamp.Option) *wamp.Session {
	t.Helper()
	s, err := wamp.Connect(within(t, patience), address, "realm1", append(l.options[:len(l.options):len(l.options)], options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, s) })
	return s
}

// newLine starts all of it. The session subscribes to com.example.news and
// registers com.example.echo; the peer has com.example.add, com.example.count
// and com.example.hung.
func newLine(t *testing.T, kind string, options ...wamp.Option) *line {
	t.Helper()
	return newLineTo(t, wamptest.NewRouter(t), kind, options...)
}

// newLineTo is newLine to a router of the test's.
func newLineTo(t *testing.T, r *wamptest.Router, kind string, options ...wamp.Option) *line {
	t.Helper()
	l := behindProxy(t, r, kind)
	l.peer = l.connect(t, l.direct)
	handle(t, l.peer, "com.example.add", add)
	handle(t, l.peer, "com.example.count", countTo)
	handle(t, l.peer, "com.example.hung", func(ctx context.Context, _ *wamp.Invocation) error {
		<-ctx.Done()
		return ctx.Err()
	})
	l.s = l.connect(t, l.url, append([]wamp.Option{wamp.WithReconnect(prompt())}, options...)...)
	l.sub = subscribe(t, l.s, "com.example.news")
	l.reg = handle(t, l.s, "com.example.echo", echo)
	l.states = l.s.States(t.Context())
	return l
}

func add(_ context.Context, inv *wamp.Invocation) error {
	var a, b int
	if inv.Scan(&a, &b) != nil {
		return wamp.ErrInvalidArgument
	}
	return inv.Return(wamp.Args(a + b))
}

// phase waits for a phase and returns its state.
func (l *line) phase(t *testing.T, phase wamp.Phase) wamp.State {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case st, open := <-l.states:
			if !open {
				t.Fatalf("the session is over: %v", l.s.Err())
			}
			if st.Phase == phase {
				return st
			}
		case <-timeout.C:
			t.Fatalf("the session is not %s", phase)
		}
	}
}

// try repeats f until it succeeds.
func try(t *testing.T, what string, f func(ctx context.Context) error) {
	t.Helper()
	ctx := within(t, patience)
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for {
		one, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		err := f(one)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// calls checks that the session can call.
func (l *line) calls(t *testing.T) {
	t.Helper()
	try(t, "call", func(ctx context.Context) error { return sum(ctx, l.s, 2, 3) })
}

// hears checks that the session's subscription has events again.
func (l *line) hears(t *testing.T) {
	t.Helper()
	try(t, "event", func(ctx context.Context) error {
		l.marker++
		if _, err := l.peer.Publish(ctx, "com.example.news", wamp.Args(l.marker), wamp.Acknowledge()).Wait(); err != nil {
			return err
		}
		for {
			select {
			case ev, open := <-l.sub.Events():
				var n int
				if !open {
					return fmt.Errorf("the subscription is over: %w", l.sub.Err())
				}
				if err := ev.Scan(&n); err != nil || n == l.marker {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// serves checks that the session's registration is called again.
func (l *line) serves(t *testing.T) {
	t.Helper()
	try(t, "invocation", func(ctx context.Context) error {
		if err := l.reg.Err(); err != nil {
			return fmt.Errorf("the registration is over: %w", err)
		}
		r, err := l.peer.Call(ctx, "com.example.echo", wamp.Args(l.marker)).Final()
		if err != nil {
			return err
		}
		var n int
		if err := r.Scan(&n); err != nil {
			return err
		}
		if n != l.marker {
			return fmt.Errorf("%w: echo %d, want %d", errWrong, n, l.marker)
		}
		return nil
	})
}

// works checks all three, on the handles of old.
func (l *line) works(t *testing.T) {
	t.Helper()
	l.calls(t)
	l.hears(t)
	l.serves(t)
}

// sum calls com.example.add. A wrong answer is errWrong.
func sum(ctx context.Context, s *wamp.Session, a, b int, options ...wamp.CallOption) error {
	n := 0
	var last wamp.Result
	for last = range s.Call(ctx, "com.example.add", wamp.Args(a, b), options...) {
		n++
	}
	var got int
	switch {
	case n != 1:
		return fmt.Errorf("%w: %d elements", errWrong, n)
	case last.Err != nil:
		return last.Err
	case last.Scan(&got) != nil || got != a+b:
		return fmt.Errorf("%w: %d + %d = %d", errWrong, a, b, got)
	}
	return nil
}

var errWrong = errors.New("wrong answer")

// load is what goes on while the line is broken. Each operation must end once,
// with an outcome that is true.
type load struct {
	l    *line
	stop chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex
	outcomes map[string]int
	errs     []error
	acked    map[int]bool // numbers of published events by their outcome
	heard    map[int]int  // numbers of events that the peer has got
}

// begin starts a load.
func (l *line) begin(t *testing.T) *load {
	t.Helper()
	ld := &load{l: l, stop: make(chan struct{}), outcomes: map[string]int{}, acked: map[int]bool{}, heard: map[int]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	witness, err := l.peer.Subscribe(ctx, "com.example.log")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ev := range witness.Events() {
			var n int
			if ev.Scan(&n) == nil {
				ld.mu.Lock()
				ld.heard[n]++
				ld.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-over })
	for name, op := range map[string]func(ctx context.Context, i int) error{
		"call": func(ctx context.Context, i int) error { return sum(ctx, l.s, i, i) },
		"call, idempotent": func(ctx context.Context, i int) error {
			err := sum(ctx, l.s, i, 1, wamp.Idempotent())
			if errors.As(err, new(*wamp.OutcomeUnknown)) {
				return fmt.Errorf("%w: an idempotent call: %w", errWrong, err)
			}
			return err
		},
		"stream": func(ctx context.Context, _ int) error {
			return follow(ctx, l.s.Call(ctx, "com.example.count", wamp.Args(20), wamp.Progressive()), 20)
		},
		"cancelled call": func(ctx context.Context, _ int) error {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, err := l.s.Call(ctx, "com.example.hung", wamp.Args()).Final()
			if err == nil {
				return errWrong
			}
			return err
		},
		"publish": func(ctx context.Context, i int) error {
			_, err := l.s.Publish(ctx, "com.example.log", wamp.Args(i), wamp.Acknowledge()).Wait()
			ld.mu.Lock()
			defer ld.mu.Unlock()
			ld.acked[i] = err == nil
			return err
		},
		"invocation": func(ctx context.Context, i int) error {
			ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			r, err := l.peer.Call(ctx, "com.example.echo", wamp.Args(i)).Final()
			var n int
			if err == nil && (r.Scan(&n) != nil || n != i) {
				return fmt.Errorf("%w: %d came back as %d", errWrong, i, n)
			}
			if wamp.ErrorURI(err) != "" { // the dealer's word: the callee is gone
				err = nil
			}
			return err
		},
	} {
		ld.done.Go(func() { ld.run(t.Context(), name, op) })
	}
	return ld
}

// run repeats one operation until the load is stopped.
func (ld *load) run(ctx context.Context, name string, op func(ctx context.Context, i int) error) {
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for i := 1; ; i++ {
		one, cancel := context.WithTimeout(ctx, patience)
		err := op(one, i)
		cancel()
		var unknown *wamp.OutcomeUnknown
		ld.mu.Lock()
		switch {
		case errors.Is(err, errWrong):
			ld.errs = append(ld.errs, fmt.Errorf("%s %d: %w", name, i, err))
		case err == nil:
			ld.outcomes["success"]++
		case errors.As(err, &unknown) && errors.As(err, new(*wamp.LinkError)):
			ld.outcomes["unknown"]++
		case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
			ld.outcomes["context"]++
		default:
			ld.errs = append(ld.errs, fmt.Errorf("%s %d: not a true outcome: %w", name, i, err))
		}
		ld.mu.Unlock()
		select {
		case <-pause.C:
		case <-ld.stop:
			return
		}
	}
}

// follow reads a stream of the numbers below most to its end. There must be no
// hole, up to the final result, or to where the error says; only the end of the
// call's own context drops what was not delivered, also before an outcome that
// was there already.
func follow(ctx context.Context, results wamp.Results, most int) error {
	n, ends := 0, 0
	var hole error
	var last wamp.Result
	for last = range results {
		if !last.Progress {
			ends++
			continue
		}
		var got int
		if (last.Scan(&got) != nil || got != n) && hole == nil {
			hole = fmt.Errorf("%w: progressive result %d is %d", errWrong, n, got)
		}
		n++
	}
	var unknown *wamp.OutcomeUnknown
	switch {
	case ends != 1:
		return fmt.Errorf("%w: %d ends", errWrong, ends)
	case ctx.Err() != nil:
		return last.Err
	case errors.As(last.Err, &unknown) && unknown.Delivered != n:
		return fmt.Errorf("%w: %d results delivered, it says %d", errWrong, n, unknown.Delivered)
	case last.Err == nil && n != most:
		return fmt.Errorf("%w: %d results", errWrong, n)
	case hole != nil:
		return hole
	}
	return last.Err
}

// end stops the load and judges it. It returns how often each outcome came.
func (ld *load) end(t *testing.T) map[string]int {
	t.Helper()
	close(ld.stop)
	over := make(chan struct{})
	go func() { ld.done.Wait(); close(over) }()
	select {
	case <-over:
	case <-within(t, 2*patience).Done():
		t.Fatal("an operation does not end")
	}
	const last = -1 // behind everything that the session has published
	try(t, "last event", func(ctx context.Context) error {
		if _, err := ld.l.s.Publish(ctx, "com.example.log", wamp.Args(last), wamp.Acknowledge(), wamp.Idempotent()).Wait(); err != nil {
			return err
		}
		for ctx.Err() == nil {
			ld.mu.Lock()
			n := ld.heard[last]
			ld.mu.Unlock()
			if n > 0 {
				return nil
			}
			runtime.Gosched()
		}
		return ctx.Err()
	})
	ld.mu.Lock()
	defer ld.mu.Unlock()
	for _, err := range ld.errs {
		t.Error(err)
	}
	for i, acked := range ld.acked {
		if n := ld.heard[i]; n > 1 || acked && n == 0 {
			t.Errorf("event %d, acknowledged %v, was published %d times", i, acked, n)
		}
	}
	if ld.outcomes["success"] == 0 {
		t.Error("nothing has succeeded")
	}
	return ld.outcomes
}

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
			l := newLineTo(t, r, kind, wamp.WithKeepalive(k), wamp.WithOutbound(1<<20))
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
