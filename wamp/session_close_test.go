package wamp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/meta"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// leavers are the ways to leave a session.
var leavers = map[string]func(*wamp.Session, context.Context) error{
	"Close": (*wamp.Session).Close,
	"Drain": (*wamp.Session).Drain,
}

// Nobody reads any more what has arrived: the README's first example with an
// early return.
func TestCloseDoesNotWaitForUnreadStreams(t *testing.T) {
	for name, leave := range leavers {
		synctest.Test(t, func(t *testing.T) {
			r, s, other := slowRig(t)
			results := s.Call(t.Context(), "com.example.count", wamp.Args(1000), wamp.Progressive())
			sub := subscribe(t, s, "com.example.topic")
			publish(t, other, "com.example.topic", 0, 1000)
			joins, err := meta.Of(s).OnJoin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_, changes, err := meta.Of(s).FollowSessions(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			acks := s.PublishStream(t.Context(), "com.example.other", feeding(t.Context(), 500))
			states := s.States(t.Context())
			for range 200 {
				join(t, r)
			}
			<-results
			synctest.Wait()
			if err := endsWithin(t, name, time.Second, func() error { return leave(s, context.Background()) }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var closed *wamp.ClosedError
			last, lastErr := wamp.Result{}, error(nil)
			for last = range results {
			}
			if lastErr = last.Err; !errors.As(lastErr, &closed) || closed.Undelivered == 0 {
				t.Errorf("%s: the call ended with %v", name, lastErr)
			}
			for range sub.Events() {
			}
			if !errors.As(sub.Err(), &closed) || closed.Undelivered == 0 {
				t.Errorf("%s: the subscription ended with %v", name, sub.Err())
			}
			for range joins {
			}
			for range changes {
			}
			for range acks {
			}
			for range states {
			}
		})
	}
}

// Inside a handler, with its context or one that derives from it, Close and Drain
// do not wait for that handler.
func TestCloseInsideHandler(t *testing.T) {
	type key struct{}
	for name, leave := range leavers {
		for how, derive := range map[string]func(context.Context) (context.Context, context.CancelFunc){
			"its own": func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} },
			"derived": func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(context.WithValue(ctx, key{}, 1), time.Minute)
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s, c := join(t, r), join(t, r)
				ended := make(chan error, 1)
				handle(t, s, "com.example.leave", func(ctx context.Context, _ *wamp.Invocation) error {
					inner, cancel := derive(ctx)
					defer cancel()
					ended <- endsWithin(t, name+" with "+how, 0, func() error { return leave(s, inner) })
					return nil
				})
				c.Call(t.Context(), "com.example.leave", wamp.Args())
				if err := <-ended; err != nil {
					t.Errorf("%s with %s: %v", name, how, err)
				}
			})
		}
	}
}

// With a context of another kind it is one of the handlers that are waited for.
func TestCloseInsideHandlerWithOtherContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		ended := make(chan error, 1)
		handle(t, s, "com.example.leave", func(context.Context, *wamp.Invocation) error {
			ended <- endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) })
			return nil
		})
		c.Call(t.Context(), "com.example.leave", wamp.Args())
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "1 invocation of com.example.leave still runs") {
			t.Error(err)
		}
	})
}

// Inside the loop that reads, there is nobody else to read.
func TestCloseInsideLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, other := slowRig(t)
		sub := subscribe(t, s, "com.example.topic")
		publish(t, other, "com.example.topic", 0, 1000)
		closed := false
		for range sub.Events() {
			if closed {
				break
			}
			closed = true
			if err := endsWithin(t, "Close", time.Second, func() error { return s.Close(context.Background()) }); err != nil {
				t.Error(err)
			}
		}
	})
}

// Handlers that do not end: Close waits a second for them, Drain within its ctx,
// and the error names them.
func TestLeavingNamesHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, wait := range map[string]time.Duration{"Close": time.Second, "Drain": 3 * time.Second} {
			r := wamptest.NewRouter(t)
			s, c := join(t, r), join(t, r)
			wake := make(chan struct{})
			deaf := func(context.Context, *wamp.Invocation) error { <-wake; return nil }
			handle(t, s, "com.example.a", deaf)
			handle(t, s, "com.example.b", deaf)
			for _, procedure := range []string{"com.example.a", "com.example.b", "com.example.b"} {
				c.Call(t.Context(), procedure, wamp.Args())
			}
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			err := endsWithin(t, name, wait, func() error { return leavers[name](s, ctx) })
			cancel()
			const left = "1 invocation of com.example.a still runs, 2 invocations of com.example.b still run"
			if err == nil || !strings.Contains(err.Error(), left) || strings.Count(err.Error(), "still run") != 2 {
				t.Errorf("%s: %v", name, err)
			}
			close(wake)
		}
	})
}

// A router that does not answer GOODBYE, one that does not read, and both without
// a deadline.
func TestCloseAtSilentRouter(t *testing.T) {
	for name, mute := range map[string]func(*wamptest.Router, *wamp.Session){
		"no answer": func(r *wamptest.Router, _ *wamp.Session) {
			r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
				if x.Message.Type == proto.Goodbye {
					return wamptest.Drop()
				}
				return wamptest.Pass()
			})
		},
		"does not read": func(r *wamptest.Router, s *wamp.Session) { r.Stall(s.ID()) },
	} {
		for how, leave := range leavers {
			synctest.Test(t, func(t *testing.T) {
				r := wamptest.NewRouter(t)
				s := join(t, r, wamp.CloseTimeout(4*time.Second))
				mute(r, s)
				start := time.Now()
				err := endsWithin(t, how, 4*time.Second, func() error { return leave(s, context.Background()) })
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 4*time.Second || !strings.Contains(err.Error(), "GOODBYE") {
					t.Errorf("%s, %s: %v", name, how, err)
				}
			})
		}
	}
}

// A context that has ended already: GOODBYE goes out all the same, behind what
// was begun before, and nothing is waited for.
func TestCloseWithEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		r := wamptest.NewRouter(t, wamptest.WithHook(p.hook))
		s := join(t, r)
		synctest.Wait()
		p.take()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Publish(t.Context(), "com.example.topic", wamp.Args(1))
		if err := endsWithin(t, "Close", 0, func() error { return s.Close(ctx) }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		if got := p.take(proto.Publish, proto.Goodbye); len(got) != 2 || got[0].Type != proto.Publish {
			t.Errorf("the router got %d messages", len(got))
		}
	})
}

// blockedConn is a connection of the user's whose methods block for ever, as it
// was told.
type blockedConn struct {
	transport.Conn
	read, write, close bool
	never              chan struct{}
	armed              chan struct{} // closed when it begins to block
}

func (c *blockedConn) blocks(on bool) {
	if !on {
		return
	}
	select {
	case <-c.armed:
		<-c.never
	default:
	}
}

func (c *blockedConn) Read() ([]byte, error) {
	b, err := c.Conn.Read()
	c.blocks(c.read)
	return b, err
}

func (c *blockedConn) Write(b *transport.Batch) error { c.blocks(c.write); return c.Conn.Write(b) }
func (c *blockedConn) Close(ctx context.Context) error {
	c.blocks(c.close)
	return c.Conn.Close(ctx)
}

func (c *blockedConn) CloseNow() error {
	c.blocks(c.close)
	return c.Conn.CloseNow()
}
func (c *blockedConn) TLS() *tls.ConnectionState { return nil }

// Nobody waits for a user's connection for longer than it was asked to.
func TestCloseWithBlockedConnection(t *testing.T) {
	for name, conn := range map[string]blockedConn{"Read": {read: true}, "Write": {write: true}, "Close": {close: true}, "all": {read: true, write: true, close: true}} {
		for how, leave := range leavers {
			for _, deadline := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					r := wamptest.NewRouter(t)
					c := conn
					c.never, c.armed = make(chan struct{}), make(chan struct{})
					s, err := wamp.Connect(t.Context(), "", "realm1", wamp.CloseTimeout(5*time.Second), wamp.WithTransport(
						func(ctx context.Context, p []transport.Protocol) (_ transport.Conn, err error) {
							c.Conn, err = r.Dial(ctx, p)
							return &c, err
						}))
					if err != nil {
						t.Fatal(err)
					}
					close(c.armed)
					ctx, limit := context.Background(), 5*time.Second
					if deadline {
						limit = 2 * time.Second
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, limit)
						defer cancel()
					}
					if err := endsWithin(t, how, limit, func() error { return leave(s, ctx) }); err == nil {
						t.Errorf("%s blocks, %s: no error", name, how)
					}
					<-time.After(time.Minute)
					close(c.never) // what was left behind ends now
					_ = c.Conn.CloseNow()
				})
			}
		}
	}
}

// Operations that come when the session is over are refused, all of them, also
// those that were on their way.
func TestNothingIsAppliedBehindTheEnd(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			r := wamptest.NewRouter(t)
			s := join(t, r)
			echoed := handle(t, s, "com.example.echo", echo)
			var all sync.WaitGroup
			all.Go(func() { closeIt(t, s) })
			for range 4 {
				all.Go(func() {
					for st := range s.States(t.Context()) {
						_ = st
					}
				})
				all.Go(func() { _ = s.Drain(context.Background()) })
				all.Go(func() { _ = echoed.Unregister(t.Context()) })
				all.Go(func() {
					if st := s.Stats(); st.Sent == 0 {
						t.Error("Stats are zero")
					}
				})
				all.Go(func() { _, _ = s.Subscribe(t.Context(), "com.example.topic") })
			}
			done := make(chan struct{})
			go func() { all.Wait(); close(done) }()
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatal("something hangs")
			}
		})
	}
}

// A consumer that holds the link back, and does not read any more, holds no end
// back.
func TestCloseWithHeldLink(t *testing.T) {
	for name, leave := range leavers {
		synctest.Test(t, func(t *testing.T) {
			_, s, other := slowRig(t)
			sub := subscribe(t, s, "com.example.topic", wamp.OverflowBlock(), wamp.Buffer(10, 0))
			publish(t, other, "com.example.topic", 0, 16) // more than its channel has room for, so that some are lost in any case
			synctest.Wait()
			results := s.Call(t.Context(), "com.example.count", wamp.Args(100_000), wamp.Progressive(), wamp.OverflowBlock(), wamp.Buffer(10, 0))
			publish(t, other, "com.example.topic", 16, 1000)
			synctest.Wait()
			if err := endsWithin(t, name, 2*time.Second, func() error { return leave(s, context.Background()) }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var closed *wamp.ClosedError
			if err := lastErr(results); err == nil {
				t.Errorf("%s: the call: %v", name, err)
			}
			for range sub.Events() {
			}
			if !errors.As(sub.Err(), &closed) || closed.Undelivered == 0 {
				t.Errorf("%s: the subscription: %v", name, sub.Err())
			}
		})
	}
}

// Handlers that do not listen to their contexts do not keep Close beyond its
// own, also when more invocations wait for their turn.
func TestCloseWithDeafHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, c := join(t, r), join(t, r)
		wake := make(chan struct{})
		ran := 0
		handle(t, s, "com.example.deaf", func(context.Context, *wamp.Invocation) error {
			ran++
			<-wake
			return nil
		}, wamp.Concurrency(1))
		for range 40 {
			c.Call(t.Context(), "com.example.deaf", wamp.Args())
		}
		synctest.Wait()
		start := time.Now()
		if err := s.Close(t.Context()); err == nil || time.Since(start) != time.Second ||
			!strings.Contains(err.Error(), "1 invocation of com.example.deaf still runs") {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second/2 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		close(wake)
		closeIt(t, s)
		if ran != 1 {
			t.Errorf("%d handlers ran, although the session was over", ran)
		}
	})
}

// Close says GOODBYE behind all that was begun before it, also behind what waits
// for outbound room and for the window, within its ctx.
func TestCloseIsBehindWhatWasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		r := wamptest.NewRouter(t, wamptest.WithHook(p.hook))
		s := join(t, r, wamp.WithOutbound(4096))
		r.Stall(s.ID())
		const n = 200
		for i := range n {
			go s.Publish(t.Context(), "com.example.topic", wamp.Args(i, strings.Repeat("x", 1000)))
			synctest.Wait()
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close(t.Context()) }()
		synctest.Wait()
		r.Unstall(s.ID())
		if err := <-closed; err != nil {
			t.Error(err)
		}
		got := p.take(proto.Publish, proto.Goodbye)
		if len(got) != n+1 || got[n].Type != proto.Goodbye {
			t.Errorf("%d messages, the last is %s", len(got), got[len(got)-1].Type)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var p tap
		r := wamptest.NewRouter(t, wamptest.WithHook(p.hook))
		s := join(t, r)
		r.Delay(time.Second)
		const n = 100
		for i := range n {
			s.Publish(t.Context(), "com.example.topic", wamp.Args(i), wamp.Acknowledge())
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := p.take(proto.Publish, proto.Goodbye); len(got) != n+1 || got[n].Type != proto.Goodbye {
			t.Errorf("%d messages", len(got))
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
