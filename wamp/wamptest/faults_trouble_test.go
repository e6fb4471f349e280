package wamptest_test

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// ending is a hook that ends its goroutine at the messages of a type that the router
// sends whose turn it is, counted from 0.
func ending(of proto.MessageType, at ...int) wamptest.Hook {
	n := 0
	return func(x *wamptest.Exchange) wamptest.Action {
		if x.Sent && x.Message.Type == of {
			n++
			if slices.Contains(at, n-1) {
				runtime.Goexit()
			}
		}
		return wamptest.Pass()
	}
}

// A hook that ends its goroutine costs the message, and not what the fault does.
func TestHookEndsInAFault(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		reader, c := join(t, r), join(t, r)
		reader.subscribe("com.example.x")
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Lose: wamptest.LoseAnswer, Times: 1})
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Lose: wamptest.CutAfter})
		r.SetHook(ending(proto.Event, 0, 1))
		c.publish("com.example.x", options("acknowledge", true))
		c.last-- // whose answer is not lost
		c.subscribe("com.example.y")
		c.publish("com.example.x", options("acknowledge", true))
		c.expectEnd()
		synctest.Wait()
		reader.expectNothing()
		if n := r.Stats().Links; n != 1 {
			t.Errorf("%d links", n)
		}
	}, wamptest.LenientIDs())
}

// So it is with the chunks of a progressive call, held back or not.
func TestHookEndsAtAChunk(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Second} {
		for _, at := range [][]int{{0}, {1}, {0, 1}, {1, 2}, {3}} {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, c := join(t, r), join(t, r)
				callee.register("com.example.proc")
				if delay > 0 {
					r.Inject(wamptest.Fault{Operation: wamptest.Calls, Delay: delay})
				}
				r.SetHook(ending(proto.Invocation, at...))
				id := c.call("com.example.proc", bothWays, 0)
				for i := range 4 {
					c.chunk(id, i < 3, i+1)
				}
				var want []int64
				for i := range int64(5) {
					if !slices.Contains(at, int(i)) {
						want = append(want, i)
					}
				}
				var inv *proto.Message
				var got []int64
				for range want {
					inv = callee.expect(proto.Invocation)
					got = append(got, callee.arg(inv).(int64))
				}
				if !slices.Equal(got, want) {
					t.Errorf("ending at %v, delay %v: %v", at, delay, got)
				}
				callee.yield(inv, false)
				c.expect(proto.Result)
				settled(t, r, callee, c)
			})
		}
	}
}

// What is due at the same time does not wait behind a hook that ends its goroutine.
func TestHookEndsAtWhatIsHeldBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		reader, c := join(t, r), join(t, r)
		reader.subscribe("com.example.x")
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Delay: time.Second})
		r.SetHook(ending(proto.Event, 0, 3, 4))
		for i := range 6 {
			c.publish("com.example.x", nil, i)
		}
		if got := reader.args(proto.Event, 3); !slices.Equal(got, []int64{1, 2, 5}) {
			t.Errorf("%v", got)
		}
		settled(t, r, reader, c)
	})
}

// Nor is a call lost for another callee that one declines to whom the hook has lost it.
func TestHookEndsAtAnInvocation(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, c := workers(t, r, 2, "roundrobin"), join(t, r)
		r.SetHook(ending(proto.Invocation, 0))
		id := c.call("com.example.proc", nil, 7)
		synctest.Wait()
		if s := r.Stats(); s.Calls != 1 || s.Invocations != 1 {
			t.Errorf("%+v", s)
		}
		callees[0].invocationError(&proto.Message{Request: 1}, proto.ErrURIUnavailable) // of which it has not heard
		if got := callees[1].args(proto.Invocation, 1); got[0] != 7 {
			t.Errorf("%v", got)
		}
		c.cancel(id, "killnowait")
		c.expectError(proto.Call, id, proto.ErrURICanceled)
	})
}
