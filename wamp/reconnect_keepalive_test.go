package wamp_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// pongByReader is a connection whose pongs are taken in by who reads, as on
// sockets. It notes how it is closed.
type pongByReader struct {
	transport.Conn
	reading   atomic.Bool
	inOrder   *atomic.Int32
	unplugged atomic.Bool // nothing can be written any more
}

func (c *pongByReader) Read() ([]byte, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	return c.Conn.Read()
}

func (c *pongByReader) Ping(ctx context.Context) error {
	if c.unplugged.Load() {
		return errors.New("broken pipe")
	}
	if c.reading.Load() {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (c *pongByReader) Close(ctx context.Context) error {
	if c.inOrder != nil {
		c.inOrder.Add(1)
	}
	return c.Conn.Close(ctx)
}

// overPongs joins over such a connection.
func overPongs(t *testing.T, r *wamptest.Router, inOrder *atomic.Int32, options ...wamp.Option) (*wamp.Session, *atomic.Pointer[pongByReader]) {
	t.Helper()
	var last atomic.Pointer[pongByReader]
	dial := func(ctx context.Context, p []transport.Protocol) (transport.Conn, error) {
		conn, err := r.Dial(ctx, p)
		if err != nil {
			return nil, err
		}
		c := &pongByReader{Conn: conn, inOrder: inOrder}
		last.Store(c)
		return c, nil
	}
	return join(t, r, append(options, wamp.WithTransport(dial))...), &last
}

// While a consumer holds the connection back its pongs cannot be read: it is not
// given up for that, though for a probe that cannot be written it is.
func TestKeepaliveOfAHeldLink(t *testing.T) {
	const n = 5000 // more than reader and actor hold between them
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, conn := overPongs(t, r, nil, wamp.WithReconnect(quick()), wamp.WithKeepalive(wamp.Keepalive{Interval: time.Second, Timeout: time.Second}))
		other := join(t, r)
		sub := subscribe(t, s, "com.example.topic", wamp.OverflowBlock(), wamp.Buffer(4, 0))
		publish(t, other, "com.example.topic", 0, n)
		was := s.ID()
		<-time.After(time.Minute)
		if s.ID() != was {
			t.Fatal("it was given up")
		}
		if conn.Load().reading.Load() {
			t.Fatal("the connection is not held back")
		}
		for i := range n {
			select {
			case ev := <-sub.Events():
				if got := number(t, ev.Payload); got != i {
					t.Fatalf("event %d is %d", i, got)
				}
			case <-time.After(time.Second):
				t.Fatalf("event %d does not come, %d reconnects", i, s.Stats().Reconnects)
			}
		}
		publish(t, other, "com.example.topic", 0, n)
		<-time.After(time.Minute)
		conn.Load().unplugged.Store(true)
		<-time.After(time.Minute)
		if s.ID() == was {
			t.Error("a connection to which nothing can be written was kept")
		}
	})
}

// The connection is closed in order when the session is over, and when the router
// has said why it goes.
func TestLinksAreClosedInOrder(t *testing.T) {
	for name, end := range map[string]func(*wamptest.Router, *wamp.Session){
		"Close":   func(_ *wamptest.Router, s *wamp.Session) { _ = s.Close(context.Background()) },
		"GOODBYE": func(r *wamptest.Router, s *wamp.Session) { r.Kill(s.ID(), proto.CloseURISystemShutdown) },
		"ABORT": func(r *wamptest.Router, s *wamp.Session) {
			_, _ = r.Send(s.ID(), &proto.Message{Type: proto.Abort, URI: proto.ErrURIUnavailable})
		},
		"ABORT of ours": func(r *wamptest.Router, s *wamp.Session) {
			_, _ = r.Send(s.ID(), &proto.Message{Type: proto.Welcome, ID: 1})
		},
	} {
		for _, again := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var inOrder atomic.Int32
				r := wamptest.NewRouter(t)
				var options []wamp.Option
				if again {
					options = append(options, wamp.WithReconnect(quick()))
				}
				s, _ := overPongs(t, r, &inOrder, options...)
				end(r, s)
				<-time.After(time.Minute)
				if n := inOrder.Load(); n != 1 {
					t.Errorf("%s, with reconnect %v: closed in order %d times", name, again, n)
				}
			})
		}
	}
}

// A call whose ctx has ended does not put its end behind what nobody reads, also
// where the end comes later: in mode kill.
func TestEndOfACanceledCallDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		handle(t, other, "com.example.part", func(ctx context.Context, inv *wamp.Invocation) error {
			for i := range 1000 {
				if err := inv.Progress(wamp.Args(i)); err != nil {
					return err
				}
			}
			<-ctx.Done()
			<-time.After(time.Second)
			return wamp.NewError("com.example.stopped", wamp.Args())
		})
		ctx, cancel := context.WithCancel(t.Context())
		results := s.Call(ctx, "com.example.part", wamp.Args(), wamp.Progressive(), wamp.CancelMode(wamp.Kill))
		synctest.Wait()
		cancel()
		<-time.After(2 * time.Second)
		n, last := 0, wamp.Result{}
		for last = range results {
			n++
		}
		if !errors.Is(last.Err, context.Canceled) || wamp.ErrorURI(last.Err) != "com.example.stopped" || n > inChannel {
			t.Errorf("%d elements, then %v", n, last.Err)
		}
	})
}

// Nor does the end of one that is over: its feeder has it in hand, or it waits in
// the backlog.
func TestEndOfAFinishedCallDoesNotWait(t *testing.T) {
	for _, results := range []int{inChannel, inChannel + inHand/2, 1000} {
		synctest.Test(t, func(t *testing.T) {
			_, s, _ := slowRig(t)
			ctx, cancel := context.WithCancel(t.Context())
			call := s.Call(ctx, "com.example.count", wamp.Args(results), wamp.Progressive())
			synctest.Wait()
			if n := s.Stats().Tables.Requests; n != 0 {
				t.Fatalf("%d requests are unanswered", n)
			}
			cancel()
			synctest.Wait()
			n, last := 0, wamp.Result{}
			for last = range call {
				n++
			}
			if last.Progress || last.Err != nil || n > inChannel {
				t.Errorf("%d results: %d elements, then %+v", results, n, last)
			}
		})
	}
}

// A timeout that is too long for a time.Duration is a long one, and none that has
// passed.
func TestLongTimeoutOfAnInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ms := range []int64{1 << 62, 1<<63/1_000_000 + 1, 1<<63 - 1} {
			for _, option := range []wamp.CallOption{wamp.Progressive(), wamp.DiscloseMe()} {
				r := wamptest.NewRouter(t, wamptest.WithSend(func(_ proto.ID, m *proto.Message) wamptest.Action {
					if m.Type == proto.Invocation {
						m.Options = m.Options.With("timeout", ms)
					}
					return wamptest.Pass()
				}))
				s, c := join(t, r), join(t, r)
				handle(t, s, "com.example.slow", func(ctx context.Context, inv *wamp.Invocation) error {
					<-time.After(time.Hour)
					return ctx.Err()
				}, wamp.ForwardTimeout())
				if _, err := c.Call(t.Context(), "com.example.slow", wamp.Args(), option).Final(); err != nil {
					t.Errorf("%d ms: %v", ms, err)
				}
			}
		}
	})
}
