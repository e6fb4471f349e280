package wamp_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Operations of one goroutine leave in the order in which it began them.
func TestProgramOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p tap
		r := wamptest.NewRouter(t, wamptest.WithHook(p.hook))
		s := join(t, r)
		for i := range 500 {
			sub := subscribe(t, s, "com.example.topic")
			reg := handle(t, s, "com.example.proc", echo)
			synctest.Wait()
			p.take()
			for range i % 5 {
				s.Publish(t.Context(), "com.example.topic", wamp.Args(i))
			}
			if err := sub.Unsubscribe(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range i % 5 {
				s.Call(t.Context(), "com.example.other", wamp.Args(i))
			}
			if err := reg.Unregister(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			last := proto.Publish
			for _, m := range p.take(proto.Publish, proto.Unsubscribe, proto.Call, proto.Unregister) {
				if rank(m.Type) < rank(last) {
					t.Fatalf("round %d: %s left behind %s", i, m.Type, last)
				}
				last = m.Type
			}
			if last != proto.Unregister {
				t.Fatalf("the last was %s", last)
			}
		}
	})
}

func rank(t proto.MessageType) int {
	for i, o := range []proto.MessageType{proto.Publish, proto.Unsubscribe, proto.Call, proto.Unregister} {
		if o == t {
			return i
		}
	}
	return -1
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

// Timeout counts whether there is a connection or not, also while an operation
// waits to be handed over.
func TestTimeoutWithoutLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wamptest.NewRouter(t)
		s := join(t, r, wamp.WithReconnect(wamp.Backoff{Min: time.Hour, Max: time.Hour}), wamp.WithOutbound(1000))
		r.RefuseDials(1000, errors.New("down"))
		r.Stall(s.ID())
		hanging := s.Call(t.Context(), "com.example.none", wamp.Args(), wamp.Timeout(3*time.Second), wamp.Idempotent())
		synctest.Wait()
		big := strings.Repeat("x", 2000)
		s.Publish(t.Context(), "com.example.topic", wamp.Args(big)) // what comes now waits for room
		for _, cut := range []bool{false, true} {
			if cut {
				r.Cut(s.ID())
				synctest.Wait()
			}
			start := time.Now()
			_, err := s.Call(t.Context(), "com.example.none", wamp.Args(big), wamp.Timeout(time.Second)).Final()
			if took := time.Since(start); took != time.Second || !errors.Is(err, wamp.ErrTimeout) || cut != strings.Contains(err.Error(), "while not connected") {
				t.Errorf("after %v: %v", took, err)
			}
		}
		start := time.Now()
		if _, err := hanging.Final(); !errors.Is(err, wamp.ErrTimeout) || time.Since(start) != time.Second {
			t.Errorf("the call that is repeated, after %v: %v", time.Since(start), err)
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
