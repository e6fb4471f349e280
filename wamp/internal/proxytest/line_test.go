package proxytest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/internal/faults"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

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
