package wamp_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// many is how many events or results a stream has to keep in order.
const many = 100_000

func TestOrderOfEvents(t *testing.T) {
	for name, wait := range map[string]bool{"read behind": true, "read beside": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, p := slowRig(t)
				sub := subscribe(t, s, "com.example.topic", wamp.Buffer(many, 0))
				go func() {
					for i := range many {
						p.Publish(t.Context(), "com.example.topic", wamp.Args(i))
					}
				}()
				if wait {
					synctest.Wait()
				}
				for i := range many {
					if ev := <-sub.Events(); number(t, ev.Payload) != i || ev.Lost != 0 {
						t.Fatalf("event %d is %d, %d lost", i, number(t, ev.Payload), ev.Lost)
					}
				}
				if sub.Dropped() != 0 {
					t.Errorf("%d dropped", sub.Dropped())
				}
			})
		})
	}
}

func TestOrderOfResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, _ := slowRig(t)
		n := 0
		for r := range s.Call(t.Context(), "com.example.count", wamp.Args(many), wamp.Progressive()) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if got := number(t, r.Payload); got != n {
				t.Fatalf("result %d is %d", n, got)
			}
			if n++; n%9973 == 0 { // the consumer falls behind, and catches up
				<-time.After(time.Second)
			}
		}
		if n != many+1 {
			t.Errorf("%d results", n)
		}
		empty(t, s)
	})
}

// Several streams of one session at once, with consumers of different pace.
func TestOrderOfSeveralStreams(t *testing.T) {
	const n = 20_000
	synctest.Test(t, func(t *testing.T) {
		_, s, p := slowRig(t)
		var all sync.WaitGroup
		for i := range 4 {
			results := s.Call(t.Context(), "com.example.count", wamp.Args(n), wamp.Progressive())
			sub := subscribe(t, s, "com.example.topic", wamp.Buffer(n, 0))
			pause := func(k int) {
				if k%(1000*(i+1)) == 0 {
					<-time.After(time.Duration(i) * time.Millisecond)
				}
			}
			all.Go(func() {
				k := 0
				for r := range results {
					if r.Err != nil || number(t, r.Payload) != k {
						t.Errorf("stream %d, result %d: %+v", i, k, r)
						return
					}
					k++
					pause(k)
				}
				if k != n+1 {
					t.Errorf("stream %d: %d results", i, k)
				}
			})
			all.Go(func() {
				for k := range n {
					ev := <-sub.Events()
					if number(t, ev.Payload) != k {
						t.Errorf("subscription %d, event %d is %d", i, k, number(t, ev.Payload))
						return
					}
					pause(k)
				}
			})
		}
		publish(t, p, "com.example.topic", 0, n)
		all.Wait()
	})
}

// Invocations reach a registration in the order of the calls.
func TestOrderOfInvocations(t *testing.T) {
	const n = 20_000
	synctest.Test(t, func(t *testing.T) {
		_, s, callee := slowRig(t)
		reg, err := callee.Register(t.Context(), "com.example.ordered", wamp.Buffer(n, 0))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := make([]wamp.Results, n)
		for i := range n {
			calls[i] = s.Call(ctx, "com.example.ordered", wamp.Args(i))
		}
		for i := range n {
			inv := <-reg.Invocations()
			if got := number(t, inv.Payload); got != i {
				t.Fatalf("invocation %d is %d", i, got)
			}
			_ = inv.Return(inv.Payload)
		}
		for i, c := range calls {
			if r, err := c.Final(); err != nil || number(t, r.Payload) != i {
				t.Fatalf("call %d: %v", i, err)
			}
		}
	})
}

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
