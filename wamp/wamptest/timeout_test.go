package wamptest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		start := time.Now()
		id := caller.call("com.example.proc", options("timeout", 1500, "receive_progress", true))
		inv := callee.expect(proto.Invocation)
		if inv.Options.Has("timeout") {
			t.Error("the timeout is forwarded unasked")
		}
		time.Sleep(time.Second)
		callee.yield(inv, true) // sets the timer again
		caller.expect(proto.Result)
		caller.expectError(proto.Call, id, proto.ErrURITimeout)
		if d := time.Since(start); d != 2500*time.Millisecond {
			t.Errorf("after %v", d)
		}
		in := callee.expect(proto.Interrupt)
		if in.Request != inv.Request || in.Options.Str("mode") != "killnowait" || in.Options.Str("reason") != proto.ErrURITimeout {
			t.Errorf("%+v", in)
		}
		caller.call("com.example.proc", options("timeout", 100))
		callee.yield(callee.expect(proto.Invocation), false)
		caller.expect(proto.Result)
		time.Sleep(time.Second)
		synctest.Wait()
		caller.expectNothing()
		callee.expectNothing()
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc", "forward_timeout", true)
		caller.call("com.example.proc", options("timeout", 100))
		if ms, _ := callee.expect(proto.Invocation).Options.Int("timeout"); ms != 100 {
			t.Errorf("forwarded as %d", ms)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		caller.expectNothing() // it is the callee's business now
	})
}

// Who keeps the time, and in what units.
func TestWhoKeepsTheTime(t *testing.T) {
	const asked = 1500
	crossbar := []wamptest.Option{wamptest.CrossbarQuirks()}
	unknown := []wamptest.Option{wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallTimeout))}
	for name, tt := range map[string]struct {
		forward bool            // the callee asks for it
		callee  []proto.Feature // that it lacks
		caller  []proto.Feature
		router  []wamptest.Option
		told    bool          // the callee has it in the details
		after   time.Duration // when the call ends, 0: never
		uri     string
		kills   bool // the callee is interrupted
	}{
		"dealer":                             {after: 1500 * time.Millisecond, uri: proto.ErrURITimeout, kills: true},
		"callee":                             {forward: true, told: true},
		"callee that did not announce it":    {forward: true, callee: []proto.Feature{proto.CallTimeout}, after: 1500 * time.Millisecond, uri: proto.ErrURITimeout, kills: true},
		"callee that cannot be interrupted":  {callee: []proto.Feature{proto.CallCanceling}, after: 1500 * time.Millisecond, uri: proto.ErrURITimeout},
		"a router that does not know it":     {forward: true, router: unknown},
		"Crossbar":                           {router: crossbar, told: true, after: 1500 * time.Second, uri: proto.ErrURICanceled, kills: true},
		"Crossbar whatever the callee asks":  {forward: true, router: crossbar, told: true, after: 1500 * time.Second, uri: proto.ErrURICanceled, kills: true},
		"Crossbar, the caller cannot cancel": {router: crossbar, caller: []proto.Feature{proto.CallCanceling}, told: true, after: 1500 * time.Second, kills: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller := join(t, r, tt.callee...), join(t, r, tt.caller...)
				callee.register("com.example.proc", "forward_timeout", tt.forward)
				start := time.Now()
				id := caller.call("com.example.proc", options("timeout", asked))
				inv := callee.expect(proto.Invocation)
				if ms, told := inv.Options.Int("timeout"); told != tt.told || told && ms != asked {
					t.Errorf("the callee is told %d", ms)
				}
				if tt.after > 0 {
					time.Sleep(tt.after - time.Nanosecond)
					synctest.Wait()
					caller.expectNothing()
					callee.expectNothing()
					time.Sleep(time.Nanosecond)
					synctest.Wait()
				}
				if tt.kills {
					callee.expect(proto.Interrupt)
				}
				if tt.uri != "" {
					caller.expectError(proto.Call, id, tt.uri)
				}
				if d := time.Since(start); d != tt.after {
					t.Errorf("after %v", d)
				}
				time.Sleep(24 * time.Hour)
				callee.yield(inv, false)
				if tt.after == 0 {
					caller.expect(proto.Result)
				}
				settled(t, r, callee, caller)
			}, tt.router...)
		})
	}
}

// The callee keeps the time by itself: it says so, and it may be late.
func TestCalleeSaysTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc", "forward_timeout", true)
		id := caller.call("com.example.proc", options("timeout", 1000, "receive_progress", true))
		inv := callee.expect(proto.Invocation)
		time.Sleep(time.Minute)
		callee.yield(inv, true)
		caller.expect(proto.Result)
		callee.invocationError(inv, proto.ErrURITimeout)
		caller.expectError(proto.Call, id, proto.ErrURITimeout)
		settled(t, r, callee, caller)
	})
}

func TestTimeoutEdges(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		for _, timeout := range []int64{0, 1 << 53, 1<<63 - 1} { // none, and more than a clock can count
			caller.call("com.example.proc", options("timeout", timeout))
			inv := callee.expect(proto.Invocation)
			time.Sleep(365 * 24 * time.Hour)
			callee.yield(inv, false)
			caller.expect(proto.Result)
		}
		settled(t, r, callee, caller)
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) { // the time runs on while a kill is awaited
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		id := caller.call("com.example.proc", options("timeout", 1000))
		inv := callee.expect(proto.Invocation)
		caller.cancel(id, "kill")
		callee.expect(proto.Interrupt)
		caller.expectError(proto.Call, id, proto.ErrURITimeout)
		callee.invocationError(inv, proto.ErrURICanceled)
		settled(t, r, callee, caller) // one INTERRUPT
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) { // chunks do not set it again
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		start := time.Now()
		id := caller.call("com.example.proc", options("timeout", 1000, "progress", true))
		for range 5 {
			callee.expect(proto.Invocation)
			time.Sleep(150 * time.Millisecond)
			caller.chunk(id, true)
		}
		caller.expectError(proto.Call, id, proto.ErrURITimeout)
		if d := time.Since(start); d != time.Second {
			t.Errorf("after %v", d)
		}
		callee.expect(proto.Invocation)
		callee.expect(proto.Interrupt)
		caller.chunk(id, false)
		settled(t, r, callee, caller)
	})
}
