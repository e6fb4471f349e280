package wamptest_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// args returns the first argument of each of n messages.
func (c *client) args(t proto.MessageType, n int) (out []int64) {
	c.t.Helper()
	for range n {
		out = append(out, c.arg(c.expect(t)).(int64))
	}
	return out
}

// What is held back for as long keeps its order: events and calls, by a fault and by a hook.
func TestHeldBackInOrder(t *testing.T) {
	const n = 50
	for name, hold := range map[string]func(r *wamptest.Router){
		"fault": func(r *wamptest.Router) {
			r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Delay: time.Second})
			r.Inject(wamptest.Fault{Operation: wamptest.Calls, Delay: time.Second})
		},
		"hook": func(r *wamptest.Router) {
			r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
				if x.Message.Type == proto.Publish || x.Message.Type == proto.Call {
					return wamptest.Hold(time.Second)
				}
				return wamptest.Pass()
			})
		},
		"hook on what is sent": func(r *wamptest.Router) {
			r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
				if x.Message.Type == proto.Event || x.Message.Type == proto.Invocation {
					return wamptest.Hold(time.Second)
				}
				return wamptest.Pass()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				other, c := join(t, r), join(t, r)
				other.subscribe("com.example.x")
				other.register("com.example.x")
				hold(r)
				var want []int64
				for i := range n {
					c.publish("com.example.x", nil, i)
					want = append(want, int64(i))
				}
				if got := other.args(proto.Event, n); !slices.Equal(got, want) {
					t.Errorf("events: %v", got)
				}
				for i := range n {
					c.call("com.example.x", nil, i)
				}
				if got := other.args(proto.Invocation, n); !slices.Equal(got, want) {
					t.Errorf("calls: %v", got)
				}
			})
		})
	}
}

// The same in real time, where timers of other times fire in another order too.
func TestHeldBackInOrderInRealTime(t *testing.T) {
	r := wamptest.NewRouter(t)
	reader, c := join(t, r), join(t, r)
	reader.subscribe("com.example.x")
	r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Delay: 20 * time.Millisecond})
	const n = 500
	for i := range n {
		c.publish("com.example.x", nil, i)
	}
	if got := reader.args(proto.Event, n); !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
}

// What is held back for a shorter time overtakes, and each waits for its own time.
func TestHeldBackForOtherTimes(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		reader, c := join(t, r), join(t, r)
		reader.subscribe("com.example.x")
		start := time.Now()
		for i, d := range []time.Duration{3, 1, 2, 2, 0, 1} {
			r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Delay: d*time.Second + 1, Times: 1})
			c.publish("com.example.x", nil, i)
			synctest.Wait()
		}
		var after []time.Duration
		for _, want := range []int64{4, 1, 5, 2, 3, 0} {
			if got := reader.arg(reader.expect(proto.Event)); got != want {
				t.Errorf("got %v, want %d", got, want)
			}
			after = append(after, time.Since(start).Truncate(time.Second)/time.Second)
		}
		if !slices.Equal(after, []time.Duration{0, 1, 1, 2, 2, 3}) {
			t.Errorf("after %v", after)
		}
	})
}
