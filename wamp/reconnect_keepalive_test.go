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

// A link that is lost as soon as it is up, before its keeper has begun. Without
// the race detector this shows only now and then.
func TestKeepaliveOfLinkLostAtOnce(t *testing.T) {
	r := wamptest.NewRouter(t, wamptest.WithHook(func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == proto.Welcome {
			m := *x.Message
			return wamptest.Replace(&m, &proto.Message{Type: proto.Goodbye, URI: proto.CloseURISystemShutdown})
		}
		return wamptest.Pass()
	}))
	s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: 1, Max: 1}), wamp.WithKeepalive(wamp.Keepalive{Interval: time.Minute}))
	if err := r.WaitFor(within(t, patience), func(st wamptest.Stats) bool { return st.Accepted > 50 }); err != nil {
		t.Error(err)
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

// A router that takes a RawSocket PING for an error, as Crossbar does, is asked
// by calls: by the keepalive and by Ping. Who insists on pings pays for them.
func TestKeepaliveWithoutPing(t *testing.T) {
	probed := make(chan struct{}, 64)
	r := wamptest.NewRouter(t, wamptest.WithReceive(func(_ proto.ID, m *proto.Message) wamptest.Action {
		if m.Type == proto.Call && m.URI == "wamp.session.count" {
			select {
			case probed <- struct{}{}:
			default:
			}
		}
		return wamptest.Pass()
	}))
	url, err := r.ListenRawSocket("tcp", "127.0.0.1:0", wamptest.WithPingHangUp())
	if err != nil {
		t.Fatal(err)
	}
	connect := func(rawSocket bool) *wamp.Session {
		s, err := wamp.Connect(within(t, patience), url, "realm1", wamp.WithKeepalive(wamp.Keepalive{
			Interval: 10 * time.Millisecond, Timeout: patience, RawSocket: rawSocket,
		}))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := connect(false)
	for range 5 {
		select {
		case <-probed:
		case <-s.Done():
			t.Fatal(s.Err())
		}
	}
	for range 3 {
		if _, err := s.Ping(within(t, patience)); err != nil {
			t.Error(err)
		}
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	closeIt(t, s)
	s = connect(true)
	<-s.Done()
	if err := s.Err(); err == nil {
		t.Error("the router did not hang up")
	}
	closeIt(t, s)
}

func TestKeepaliveNoticesDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithKeepalive(wamp.Keepalive{Interval: 10 * time.Second, Timeout: 3 * time.Second}))
		<-time.After(time.Minute)
		if s.Err() != nil || s.RTT().Last == 0 {
			t.Fatalf("Err %v, RTT %+v", s.Err(), s.RTT())
		}
		start := time.Now()
		r.Stall(s.ID())
		<-s.Done()
		if d := time.Since(start); d > 13*time.Second || !errors.Is(s.Err(), wamp.ErrPongTimeout) {
			t.Errorf("after %v: %v", d, s.Err())
		}
	})
}

// A peer that is gone is noticed while a consumer holds the connection back, and
// what it had sent is still delivered.
func TestLossBehindAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s, other := join(t, r, wamp.WithReconnect(quick())), join(t, r)
		sub := subscribe(t, s, "com.example.topic", wamp.OverflowBlock(), wamp.Buffer(4, 0))
		waiting := subscribe(t, s, "com.example.other")
		publish(t, other, "com.example.topic", 0, 100)
		publish(t, other, "com.example.other", 0, 3)
		synctest.Wait()
		was := s.ID()
		r.Cut(was)
		<-time.After(time.Minute)
		if s.ID() == was {
			t.Fatal("the loss was not noticed")
		}
		for i := range 100 {
			if got := number(t, (<-sub.Events()).Payload); got != i {
				t.Fatalf("event %d is %d", i, got)
			}
		}
		for i := range 3 {
			if got := number(t, (<-waiting.Events()).Payload); got != i {
				t.Fatalf("the other event %d is %d", i, got)
			}
		}
		<-time.After(time.Minute)
		publish(t, other, "com.example.topic", 0, 1)
		if ev := <-sub.Events(); !ev.AfterGap {
			t.Error("no gap is marked")
		}
	})
}
