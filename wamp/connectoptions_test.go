package wamp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Each serializer, batched, over a real WebSocket: events and calls in bursts
// arrive whole and in order; where there is no batched form, the plain one does.
func TestBatching(t *testing.T) {
	r := wamptest.NewRouter(t)
	address, err := r.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.ListenRawSocket("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plainRouter := wamptest.NewRouter(t, wamptest.WithProtocols(namesOf(transport.Protocols())...))
	plain, err := plainRouter.ListenWebSocket("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, cd := range serializers {
		for name, tt := range map[string]struct {
			address   string
			separator byte
			want      string
		}{
			"batched":              {address, 0, ".batched"},
			"Crossbar's separator": {address, 0x18, ".batched"},
			"not at this router":   {plain, 0, ""},
			"RawSocket":            {raw, 0, ""},
		} {
			t.Run(cd.Name()+" "+name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				s, err := wamp.Connect(ctx, tt.address, "realm1", wamp.WithSerializers(cd), wamp.WithBatching(tt.separator))
				if err != nil {
					t.Fatal(err)
				}
				defer closeIt(t, s)
				if got := s.Details().Protocol; got != "wamp.2."+cd.Name()+tt.want {
					t.Errorf("protocol %s", got)
				}
				sub := subscribe(t, s, "com.example.topic")
				const count = 3000
				text := strings.Repeat("x", 100)
				publish(t, s, "com.example.unheard", 0, 1)
				for i := range count {
					s.Publish(ctx, "com.example.topic", wamp.Args(i, text), wamp.ExcludeMe(false))
				}
				for i := range count {
					ev := <-sub.Events()
					var got string
					if ev.Scan(nil, &got) != nil || number(t, ev.Payload) != i || got != text {
						t.Fatalf("event %d: %s", i, got)
					}
				}
			})
		}
	}
	if _, err := wamp.Connect(t.Context(), address, "realm1", wamp.WithBatching(7)); err == nil {
		t.Error("a separator that is none")
	}
	// With several serializers each is offered in both forms, by preference.
	s, err := wamp.Connect(t.Context(), address, "realm1", wamp.WithSerializers(codec.JSON, codec.CBOR), wamp.WithBatching(0))
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, s)
	if got := s.Details().Protocol; got != "wamp.2.json.batched" {
		t.Errorf("protocol %s", got)
	}
}

// What waits to be written is bounded: when the router does not read, operations
// wait under their contexts and none leaves anything behind. What ends something
// is never held back: a call can be cancelled, and Close ends.
func TestOutboundIsBounded(t *testing.T) {
	const bound = 10_000
	stuck := func(t *testing.T) (*wamptest.Router, *wamp.Session, wamp.Results, context.CancelFunc) {
		r := wamptest.NewRouter(t)
		s, callee := join(t, r, wamp.WithOutbound(bound)), join(t, r)
		hung(t, callee, "com.example.hang")
		handle(t, callee, "com.example.echo", echo)
		ctx, cancel := context.WithCancel(t.Context())
		waiting := s.Call(ctx, "com.example.hang", wamp.Args())
		synctest.Wait()
		r.Stall(s.ID())
		for { // until there is no room
			if _, err := s.Publish(within(t, time.Second), "com.example.topic", wamp.Args(make([]byte, 1000))).Wait(); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				break
			}
		}
		return r, s, waiting, cancel
	}
	t.Run("and goes on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r, s, waiting, cancel := stuck(t)
			if st := s.Stats(); st.QueuedBytes > bound || st.Waited == 0 {
				t.Errorf("%d bytes are queued, %d operations waited", st.QueuedBytes, st.Waited)
			}
			big := wamp.Args(make([]byte, 1000))
			start := time.Now()
			_, callErr := s.Call(within(t, time.Second), "com.example.echo", big).Final()
			_, subErr := s.Subscribe(within(t, time.Second), "com.example.topic")
			_, ackErr := s.Publish(within(t, time.Second), "com.example.topic", big, wamp.Acknowledge()).Wait()
			for what, err := range map[string]error{"call": callErr, "subscribe": subErr, "publish": ackErr} {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if d := time.Since(start); d != 3*time.Second {
				t.Errorf("after %v", d)
			}
			cancel()
			if _, err := waiting.Final(); !errors.Is(err, context.Canceled) || time.Since(start) != 3*time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			later := make(chan error, 1)
			go func() {
				_, err := s.Call(t.Context(), "com.example.echo", big).Final()
				later <- err
			}()
			synctest.Wait()
			r.Unstall(s.ID())
			if err := <-later; err != nil {
				t.Errorf("the call that waited for room: %v", err)
			}
			alive(t, s)
			synctest.Wait()
			if st := s.Stats(); st.QueuedBytes != 0 {
				t.Errorf("%d bytes are queued", st.QueuedBytes)
			}
			empty(t, s)
		})
	})
	t.Run("and is closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, s, waiting, cancel := stuck(t)
			defer cancel()
			start := time.Now()
			if err := s.Close(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close: %v", err)
			}
			if d := time.Since(start); d != time.Second && d != 2*time.Second { // with the time that a link has to close
				t.Errorf("after %v", d)
			}
			if _, err := waiting.Final(); !errors.Is(err, wamp.ErrSessionClosed) {
				t.Errorf("the call: %v", err)
			}
			if _, err := s.Call(t.Context(), "com.example.echo", wamp.Args()).Final(); !errors.Is(err, wamp.ErrSessionClosed) {
				t.Errorf("a call after it: %v", err)
			}
		})
	})
}

// What happens to a session is in its log: where it is, what was lost, what came
// back, what has ended by itself, what waits.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		r := wamptest.NewRouter(t)
		s := join(t, r, log.Option(), wamp.WithReconnect(wamp.Backoff{Min: 20 * time.Second, Max: 20 * time.Second}))
		log.Has(t, "INFO", "session joined", "subprotocol=wamp.2.cbor")
		sub := subscribe(t, s, "com.example.topic")
		handle(t, s, "com.example.echo", echo)
		r.Cut(s.ID())
		synctest.Wait()
		log.Has(t, "WARN", "connection lost", "error=")
		log.Has(t, "DEBUG", "connecting", "attempt=1")
		results := s.Call(t.Context(), "com.example.echo", wamp.Args(1))
		<-time.After(6 * time.Second)
		log.Has(t, "WARN", "wait for a connection", "waiting=1", "error=")
		if _, err := results.Final(); err != nil {
			t.Error(err)
		}
		<-time.After(time.Second)
		log.Has(t, "INFO", "session restored", "handles=2")
		r.RevokeSubscription(sub.ID(), "com.example.reason")
		log.Has(t, "WARN", "subscription ended", "com.example.topic", "com.example.reason")
		if n := strings.Count(log.String(), "wait for a connection"); n != 1 {
			t.Errorf("%d records of what waited", n)
		}
	})
}

// All streams of a session together have a bound, above which the largest applies
// its policy; and it is told of.
func TestWithMemory(t *testing.T) {
	const limit = 4 << 20
	filler := strings.Repeat("x", 1000)
	for name, tt := range map[string]struct {
		option wamp.SubscribeOption
		check  func(t *testing.T, s *wamp.Session, sub *wamp.Subscription)
	}{
		"drop oldest": {wamp.OverflowDropOldest(), func(t *testing.T, s *wamp.Session, sub *wamp.Subscription) {
			if sub.Dropped() == 0 || s.Stats().Dropped < sub.Dropped() {
				t.Errorf("Dropped %d, in Stats %d", sub.Dropped(), s.Stats().Dropped)
			}
		}},
		"drop newest": {wamp.OverflowDropNewest(), func(t *testing.T, s *wamp.Session, sub *wamp.Subscription) {
			if sub.Dropped() == 0 {
				t.Error("nothing was dropped")
			}
		}},
		"fail": {wamp.OverflowFail(), func(t *testing.T, s *wamp.Session, sub *wamp.Subscription) {
			for range sub.Events() {
			}
			if !errors.Is(sub.Err(), wamp.ErrSlowConsumer) {
				t.Error(sub.Err())
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logged
				r := wamptest.NewRouter(t)
				s, p := join(t, r, wamp.WithMemory(limit), log.Option()), join(t, r)
				large := subscribe(t, s, "com.example.large", tt.option)
				var small []*wamp.Subscription
				for range 8 {
					small = append(small, subscribe(t, s, "com.example.small", tt.option))
				}
				publish(t, p, "com.example.small", 0, 50, filler)
				publish(t, p, "com.example.large", 0, 10_000, filler)
				synctest.Wait()
				tt.check(t, s, large)
				for i, sub := range small {
					if sub.Dropped() != 0 || sub.Err() != nil {
						t.Errorf("small stream %d: %d dropped, %v", i, sub.Dropped(), sub.Err())
					}
					for k := range 50 {
						if got := number(t, (<-sub.Events()).Payload); got != k {
							t.Fatalf("event %d is %d", k, got)
						}
					}
				}
				log.Has(t, "WARN", "slow consumer", "com.example.large")
			})
		})
	}
}

// A dialer that does not know of DialTimeout returns the error of its context, and one
// of another library wraps that.
func TestDialTimeoutOfADialer(t *testing.T) {
	broken := errors.New("the cable is cut")
	for name, c := range map[string]struct {
		answer func(ctx context.Context) error
		after  time.Duration
		late   bool
		text   string
	}{
		"the cause":             {context.Cause, time.Minute, true, "wamp: connect: no connection within DialTimeout"},
		"the error of its ctx":  {func(ctx context.Context) error { return ctx.Err() }, time.Minute, true, "wamp: connect: no connection within DialTimeout"},
		"one that wraps it":     {func(ctx context.Context) error { return fmt.Errorf("carrier pigeon: %w", ctx.Err()) }, time.Minute, true, "wamp: connect: no connection within DialTimeout: carrier pigeon: context deadline exceeded"},
		"another one":           {func(context.Context) error { return broken }, time.Minute, false, "wamp: connect: the cable is cut"},
		"a deadline of its own": {func(context.Context) error { return context.DeadlineExceeded }, time.Second, false, "wamp: connect: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := func(ctx context.Context, _ []transport.Protocol) (transport.Conn, error) {
					select {
					case <-ctx.Done():
					case <-time.After(c.after):
					}
					return nil, c.answer(ctx)
				}
				_, err := wamp.Connect(t.Context(), "", "realm1", wamp.WithTransport(dial), wamp.DialTimeout(3*time.Second))
				if errors.Is(err, wamp.ErrDialTimeout) != c.late || err.Error() != c.text {
					t.Errorf("late: %v, %v", !c.late, err)
				}
			})
		})
	}
}
