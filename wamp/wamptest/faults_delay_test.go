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
		const half = 500 * time.Millisecond
		for i, d := range []time.Duration{7 * half, 3 * half, 5 * half, 5 * half, half, 3 * half} {
			r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Delay: d, Times: 1})
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

// holding are the ways to hold something of a client back, which publishes and has
// subscribed to com.example.x.
var holding = map[string]func(r *wamptest.Router){
	"fault": func(r *wamptest.Router) { r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Delay: time.Hour}) },
	"call":  func(r *wamptest.Router) { r.Inject(wamptest.Fault{Operation: wamptest.Calls, Delay: time.Hour}) },
	"hook": func(r *wamptest.Router) {
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Message.Type == proto.Publish {
				return wamptest.Hold(time.Hour)
			}
			return wamptest.Pass()
		})
	},
	"hook on what is sent": func(r *wamptest.Router) {
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Message.Type == proto.Event {
				return wamptest.Hold(time.Hour)
			}
			return wamptest.Pass()
		})
	},
	"Delay": func(r *wamptest.Router) { r.Delay(time.Hour) },
}

// hold has something of a new client held back.
func hold(t *testing.T, r *wamptest.Router, how string, n int) *client {
	t.Helper()
	c := join(t, r)
	c.subscribe("com.example.x")
	holding[how](r)
	for range n {
		c.publish("com.example.x", options("exclude_me", false), 1)
		c.call("com.example.x", nil)
	}
	if err := r.WaitFor(t.Context(), func(s wamptest.Stats) bool { return s.Held >= n }); err != nil {
		t.Fatal(err)
	}
	r.Delay(0)
	return c
}

// What is held back goes with its session, or with a link that is closed.
func TestHeldBackIsDroppedWithItsOwner(t *testing.T) {
	for how := range holding {
		for name, end := range map[string]func(r *wamptest.Router, c *client){
			"cut":       func(r *wamptest.Router, c *client) { r.Cut(c.id) },
			"end":       func(_ *wamptest.Router, c *client) { _ = c.conn.CloseNow() },
			"violation": func(_ *wamptest.Router, c *client) { c.send(&proto.Message{Type: proto.Welcome, ID: 1}) },
			"restart":   func(r *wamptest.Router, _ *client) { r.Restart() },
		} {
			t.Run(how+" "+name, func(t *testing.T) {
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					c := hold(t, r, how, 3)
					join(t, r)
					synctest.Wait()
					if n := r.Stats().Held; n < 3 {
						t.Errorf("%d are held back", n)
					}
					end(r, c)
					synctest.Wait()
					if n := r.Stats().Held; n != 0 && (how != "Delay" || name != "violation") { // whose end is behind it
						t.Errorf("%d are held back", n)
					}
					time.Sleep(2 * time.Hour)
					synctest.Wait()
					if s := r.Stats(); name != "restart" && (s.Held != 0 || s.Sessions != 1) {
						t.Errorf("%+v", s)
					}
				})
			})
		}
	}
}

// A call that its caller has cancelled is not held back any more.
func TestHeldBackCallIsCancelled(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, Delay: time.Hour})
		id := c.call("com.example.x", nil)
		synctest.Wait()
		c.cancel(id, "killnowait")
		c.expectError(proto.Call, id, proto.ErrURICanceled)
		if s := r.Stats(); s.Calls != 0 || s.Held != 0 {
			t.Errorf("calls %d, held back %d", s.Calls, s.Held)
		}
	})
}

// A router that is closed is no longer in memory, whatever it has held back for an hour.
func TestHeldBackIsNotKeptBehindClose(t *testing.T) {
	for how := range holding {
		t.Run(how, func(t *testing.T) {
			gone := make(chan struct{})
			func() {
				r := wamptest.Start(wamptest.WithHalfOpen(time.Hour))
				runtime.AddCleanup(r, func(c chan struct{}) { close(c) }, gone)
				r.Cut(hold(t, r, how, 1).id)
				c := hold(t, r, how, 1)
				last := r.Inject(wamptest.Fault{Operation: wamptest.Subscribes, Lose: wamptest.CutBefore})
				c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.x"})
				if err := r.WaitFor(t.Context(), func(wamptest.Stats) bool { return last.Hits() == 1 }); err != nil {
					t.Error(err)
				}
				r.Close()
			}()
			for range 1000 {
				runtime.GC()
				select {
				case <-gone:
					return
				case <-time.After(time.Millisecond):
				}
			}
			t.Error("it is there")
		})
	}
}

// The session of a link that is half-open is there, and so what it has asked for is done.
func TestHeldBackOfAHalfOpenSession(t *testing.T) {
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
	} {
		for _, noticed := range []time.Duration{time.Minute, time.Millisecond} {
			t.Run(name+" "+noticed.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					other, c := join(t, r), join(t, r)
					other.register("com.example.x")
					other.subscribe("com.example.x")
					hold(r)
					c.call("com.example.x", nil)
					c.publish("com.example.x", nil)
					synctest.Wait()
					r.Cut(c.id)
					time.Sleep(2 * time.Second)
					synctest.Wait()
					want := 1
					if noticed < time.Second {
						want = 0
					}
					s := r.Stats()
					if s.Sessions != 1+want || s.Sent[proto.Event] != want || s.Sent[proto.Invocation] != want {
						t.Errorf("%d sessions, %d events, %d invocations", s.Sessions, s.Sent[proto.Event], s.Sent[proto.Invocation])
					}
				}, wamptest.WithHalfOpen(noticed))
			})
		}
	}
}
