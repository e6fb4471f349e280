package wamptest_test

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// workers returns n callees of com.example.proc, in the order they registered.
func workers(t *testing.T, r *wamptest.Router, n int, policy string, o ...any) []*client {
	t.Helper()
	out := make([]*client, n)
	for i := range out {
		out[i] = join(t, r)
		out[i].register("com.example.proc", append([]any{"invoke", policy}, o...)...)
	}
	return out
}

// asked returns which of the callees has the one invocation there is.
func asked(t *testing.T, callees []*client) (int, *proto.Message) {
	t.Helper()
	synctest.Wait()
	who, inv := -1, (*proto.Message)(nil)
	for i, c := range callees {
		for len(c.inbox) > 0 {
			m := c.expect(proto.Invocation)
			if who >= 0 {
				t.Errorf("%d and %d are asked", who, i)
			}
			who, inv = i, m
		}
	}
	return who, inv
}

func TestReroute(t *testing.T) {
	for name, tt := range map[string]struct {
		policy  string
		decline []bool // one call after another: who is asked first declines, and so on
		want    []int  // who is asked in turn; -1: the caller gets no_available_callee
	}{
		"single":             {"single", []bool{true}, []int{0, -1}},
		"roundrobin":         {"roundrobin", []bool{true, false}, []int{0, 1}},
		"roundrobin, after":  {"roundrobin", []bool{true, false, false, false}, []int{0, 1, 2, 0}}, // the turn of 1 is over
		"roundrobin, wraps":  {"roundrobin", []bool{false, true, true, false}, []int{0, 1, 2, 0}},
		"roundrobin, nobody": {"roundrobin", []bool{false, true, true, true, false}, []int{0, 1, 2, 0, -1, 1}},
		"first":              {"first", []bool{true, true, false, false}, []int{0, 1, 2, 0}},
		"first, nobody":      {"first", []bool{true, true, true, false}, []int{0, 1, 2, -1, 0}},
		"last":               {"last", []bool{true, true, false, false}, []int{2, 1, 0, 2}},
		"last, nobody":       {"last", []bool{true, true, true, false}, []int{2, 1, 0, -1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				n := 3
				if tt.policy == "single" {
					n = 1
				}
				callees, caller := workers(t, r, n, tt.policy), join(t, r)
				var id proto.ID
				want := tt.want
				for i, decline := range tt.decline {
					if id == 0 {
						id = caller.call("com.example.proc", nil, "for", i)
					}
					who, inv := asked(t, callees)
					if who != want[0] {
						t.Fatalf("step %d: %d is asked, want %d", i, who, want[0])
					}
					if args, _ := callees[who].payload(inv).Args(); len(args) != 2 || args[0] != "for" {
						t.Errorf("step %d: the payload is %v", i, args)
					}
					want = want[1:]
					if decline {
						callees[who].invocationError(inv, proto.ErrURIUnavailable)
						if len(want) == 0 || want[0] != -1 {
							continue
						}
						want = want[1:]
						caller.expectError(proto.Call, id, proto.ErrURINoAvailableCallee)
					} else {
						callees[who].yield(inv, false)
						if m := caller.expect(proto.Result); m.Request != id {
							t.Errorf("%+v", m)
						}
					}
					id = 0
				}
				settled(t, r, append(callees, caller)...)
			})
		})
	}
}

// The turn is behind who has taken the last call, whatever else goes on.
func TestTurns(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 3, "roundrobin"), join(t, r)
		call := func(want int) *proto.Message {
			t.Helper()
			caller.call("com.example.proc", nil)
			who, inv := asked(t, callees)
			if who != want {
				t.Errorf("%d is asked, want %d", who, want)
			}
			return inv
		}
		inv := call(0)
		call(1)
		callees[0].invocationError(inv, proto.ErrURIUnavailable)
		if who, _ := asked(t, callees); who != 1 {
			t.Errorf("%d is asked, want the next", who)
		}
		call(2)
		call(0)
		r.RevokeRegistration(inv.ID, "", callees[0].id) // it was before the one whose turn it is
		callees[0].expectRevoked(inv.ID, "")
		call(1)
		r.RevokeRegistration(inv.ID, "", callees[1].id)
		callees[1].expectRevoked(inv.ID, "")
		call(2)
	})
}

func TestRerouteRandom(t *testing.T) {
	order := func(t *testing.T) (asking string) {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			callees, caller := workers(t, r, 4, "random"), join(t, r)
			for range 10 {
				id := caller.call("com.example.proc", nil)
				var all []int
				for range callees {
					who, inv := asked(t, callees)
					asking += strconv.Itoa(who)
					all = append(all, who)
					callees[who].invocationError(inv, proto.ErrURIUnavailable)
				}
				slices.Sort(all)
				if !slices.Equal(all, []int{0, 1, 2, 3}) {
					t.Errorf("%v are asked", all)
				}
				caller.expectError(proto.Call, id, proto.ErrURINoAvailableCallee)
			}
			settled(t, r, append(callees, caller)...)
		}, wamptest.WithSeed(7))
		return asking
	}
	first, second := order(t), order(t)
	if first != second || first[:4] == first[4:8] && first[:4] == first[8:12] {
		t.Errorf("asked %s and %s", first, second)
	}
}

// The set of callees changes while the call is at one of them.
func TestRerouteWhileCalleesChange(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(r *wamptest.Router, callees []*client, reg proto.ID)
		want   int
	}{
		"who declines has left": {func(_ *wamptest.Router, c []*client, reg proto.ID) {
			c[0].request(&proto.Message{Type: proto.Unregister, ID: reg})
			c[0].expect(proto.Unregistered)
		}, 1},
		"the next has left": {func(r *wamptest.Router, c []*client, _ proto.ID) { r.Cut(c[1].id) }, 2},
		"one has come": {func(_ *wamptest.Router, c []*client, reg proto.ID) {
			for _, old := range c[1:3] {
				old.request(&proto.Message{Type: proto.Unregister, ID: reg})
				old.expect(proto.Unregistered)
			}
			c[3].register("com.example.proc", "invoke", "first")
		}, 3},
		"all others have left": {func(r *wamptest.Router, c []*client, _ proto.ID) { r.Cut(c[1].id); r.Cut(c[2].id) }, -1},
		"the registration is gone": {func(r *wamptest.Router, c []*client, reg proto.ID) {
			r.RevokeRegistration(reg, "")
			for _, old := range c[:3] {
				old.expect(proto.Unregistered)
			}
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callees, caller := workers(t, r, 3, "first"), join(t, r)
				callees = append(callees, join(t, r))
				id := caller.call("com.example.proc", nil)
				inv := callees[0].expect(proto.Invocation)
				tt.change(r, callees, inv.ID)
				callees[0].invocationError(inv, proto.ErrURIUnavailable)
				if tt.want < 0 {
					caller.expectError(proto.Call, id, proto.ErrURINoAvailableCallee)
					settled(t, r, caller)
					return
				}
				m := callees[tt.want].expect(proto.Invocation)
				callees[tt.want].yield(m, false)
				caller.expect(proto.Result)
				settled(t, r, caller)
			})
		})
	}
}

// What is not for another callee reaches the caller as it is.
func TestNotRerouted(t *testing.T) {
	progressive := options("progress", true, "receive_progress", true)
	for name, tt := range map[string]struct {
		options proto.Dict
		without proto.Feature
		router  []wamptest.Option
		before  func(callee, caller *client, id proto.ID, inv *proto.Message)
		uri     string
	}{
		"another error":                     {uri: "com.example.error"},
		"a callee that did not announce it": {without: proto.CallReroute},
		"a router that does not know it":    {router: []wamptest.Option{wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallReroute))}},
		"Crossbar":                          {router: []wamptest.Option{wamptest.CrossbarQuirks()}},
		"behind a progressive result": {options: options("receive_progress", true), before: func(callee, caller *client, _ proto.ID, inv *proto.Message) {
			callee.yield(inv, true)
			caller.expect(proto.Result)
		}},
		"behind a second chunk": {options: progressive, before: func(callee, caller *client, id proto.ID, _ *proto.Message) {
			caller.send(&proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc"}, 2)
			callee.expect(proto.Invocation)
		}},
		"cancelled": {before: func(callee, caller *client, id proto.ID, _ *proto.Message) {
			caller.cancel(id, "kill")
			callee.expect(proto.Interrupt)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				var without []proto.Feature
				if tt.without != 0 {
					without = append(without, tt.without)
				}
				callee, other, caller := join(t, r, without...), join(t, r, without...), join(t, r)
				callee.register("com.example.proc", "invoke", "first")
				other.register("com.example.proc", "invoke", "first")
				id := caller.call("com.example.proc", tt.options, 1)
				inv := callee.expect(proto.Invocation)
				if tt.before != nil {
					tt.before(callee, caller, id, inv)
					synctest.Wait()
				}
				if tt.uri == "" {
					tt.uri = proto.ErrURIUnavailable
				}
				callee.invocationError(inv, tt.uri)
				caller.expectError(proto.Call, id, tt.uri)
				settled(t, r, callee, other, caller)
			}, tt.router...)
		})
	}
}

// A progressive call whose first chunk is declined moves on with it, and its
// other chunks go where it is.
func TestRerouteOfProgressiveCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 2, "first"), join(t, r)
		id := caller.call("com.example.proc", options("progress", true), 1)
		callees[0].invocationError(callees[0].expect(proto.Invocation), proto.ErrURIUnavailable)
		inv := callees[1].expect(proto.Invocation)
		if !inv.Options.Bool("progress") || callees[1].arg(inv) != int64(1) {
			t.Errorf("%+v", inv)
		}
		caller.send(&proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc"}, 2)
		if m := callees[1].expect(proto.Invocation); m.Request != inv.Request || callees[1].arg(m) != int64(2) {
			t.Errorf("%+v", m)
		}
		callees[1].yield(inv, false)
		caller.expect(proto.Result)
		settled(t, r, append(callees, caller)...)
	})
}

// The time of a call runs on at the next callee, whoever keeps it.
func TestRerouteKeepsTheTime(t *testing.T) {
	for name, forward := range map[string][2]bool{
		"dealer, dealer": {false, false}, "dealer, callee": {false, true}, "callee, dealer": {true, false}, "callee, callee": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				a, b, caller := join(t, r), join(t, r), join(t, r)
				a.register("com.example.proc", "invoke", "first", "forward_timeout", forward[0])
				b.register("com.example.proc", "invoke", "first", "forward_timeout", forward[1])
				timeout := func(m *proto.Message) int64 { ms, _ := m.Options.Int("timeout"); return ms }
				start := time.Now()
				id := caller.call("com.example.proc", options("timeout", 1000))
				inv := a.expect(proto.Invocation)
				if ms := timeout(inv); ms != 0 != forward[0] || ms != 0 && ms != 1000 {
					t.Errorf("the first callee has %d ms", ms)
				}
				time.Sleep(300*time.Millisecond + 1)
				a.invocationError(inv, proto.ErrURIUnavailable)
				inv = b.expect(proto.Invocation)
				if ms := timeout(inv); ms != 0 != forward[1] || ms != 0 && ms != 700 {
					t.Errorf("the second callee has %d ms", ms)
				}
				if forward[1] {
					time.Sleep(time.Hour)
					synctest.Wait()
					caller.expectNothing() // it is the callee's business
					b.yield(inv, false)
					caller.expect(proto.Result)
				} else {
					caller.expectError(proto.Call, id, proto.ErrURITimeout)
					if d := time.Since(start); d != time.Second {
						t.Errorf("after %v", d)
					}
					b.expect(proto.Interrupt)
				}
				settled(t, r, a, b, caller)
			})
		})
	}
}

// A callee of Crossbar may say how many invocations it takes at once.
func TestConcurrencyOfCrossbar(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 2, "first", "concurrency", 1), join(t, r)
		caller.call("com.example.proc", nil)
		caller.call("com.example.proc", nil)
		first, second := callees[0].expect(proto.Invocation), callees[1].expect(proto.Invocation)
		caller.expectError(proto.Call, caller.call("com.example.proc", nil), proto.ErrURIMaxConcurrencyReached)
		callees[1].yield(second, false)
		caller.expect(proto.Result)
		caller.call("com.example.proc", nil)
		callees[1].yield(callees[1].expect(proto.Invocation), false)
		callees[0].yield(first, false)
		caller.expect(proto.Result)
		caller.expect(proto.Result)
		settled(t, r, append(callees, caller)...)
	}, wamptest.CrossbarQuirks())
	bubble(t, func(t *testing.T, r *wamptest.Router) { // others have not heard of it
		callees, caller := workers(t, r, 1, "single", "concurrency", 1), join(t, r)
		caller.call("com.example.proc", nil)
		caller.call("com.example.proc", nil)
		callees[0].expect(proto.Invocation)
		callees[0].expect(proto.Invocation)
	})
}
