package wamptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func (c *client) cancel(id proto.ID, mode string) {
	c.t.Helper()
	m := &proto.Message{Type: proto.Cancel, Request: id}
	if mode != "" {
		m.Options = options("mode", mode)
	}
	c.send(m)
}

func (c *client) invocationError(inv *proto.Message, uri string) {
	c.t.Helper()
	c.send(&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: inv.Request, URI: uri})
}

// running returns a callee and a caller with a call under way.
func running(t *testing.T, r *wamptest.Router, without ...proto.Feature) (callee, caller *client, id proto.ID, inv *proto.Message) {
	t.Helper()
	callee, caller = join(t, r, without...), join(t, r)
	callee.register("com.example.proc")
	id = caller.call("com.example.proc", options("receive_progress", true))
	return callee, caller, id, callee.expect(proto.Invocation)
}

// settled says that nothing is left of any call and nothing more has come.
func settled(t *testing.T, r *wamptest.Router, clients ...*client) {
	t.Helper()
	synctest.Wait()
	for _, c := range clients {
		c.expectNothing()
	}
	if s := r.Stats(); s.Calls+s.Invocations != 0 || len(s.Violations) != 0 {
		t.Errorf("left: %+v", s)
	}
}

func TestCancel(t *testing.T) {
	for name, c := range map[string]struct {
		mode      string
		without   []proto.Feature
		crossbar  bool
		interrupt string // mode of INTERRUPT, "" for none
		atOnce    bool   // ERROR does not wait for the callee
		fail      bool   // the callee answers with ERROR
		answer    string // then: "result", an error URI, or "" for nothing
	}{
		"default":               {"", nil, false, "killnowait", true, false, ""},
		"killnowait":            {"killnowait", nil, false, "killnowait", true, true, ""},
		"skip":                  {"skip", nil, false, "", true, false, ""},
		"kill, result":          {"kill", nil, false, "kill", false, false, "result"},
		"kill, error":           {"kill", nil, false, "kill", false, true, "com.example.stopped"},
		"callee cannot, kill":   {"kill", []proto.Feature{proto.CallCanceling}, false, "", true, false, ""},
		"callee cannot, no":     {"killnowait", []proto.Feature{proto.CallCanceling}, false, "", true, true, ""},
		"crossbar default":      {"", nil, true, "killnowait", true, false, ""},
		"crossbar skip":         {"skip", nil, true, "", false, false, ""},
		"crossbar kill, result": {"kill", nil, true, "kill", false, false, proto.ErrURICanceled},
		"crossbar kill, error":  {"kill", nil, true, "kill", false, true, proto.ErrURICanceled},
		"crossbar cannot":       {"kill", []proto.Feature{proto.CallCanceling}, true, "", false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var o []wamptest.Option
			if c.crossbar {
				o = append(o, wamptest.CrossbarQuirks())
			}
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller, id, inv := running(t, r, c.without...)
				caller.cancel(id, c.mode)
				if c.interrupt != "" {
					if m := callee.expect(proto.Interrupt); m.Request != inv.Request || m.Options.Str("mode") != c.interrupt {
						t.Errorf("%+v", m)
					}
				}
				if c.atOnce {
					caller.expectError(proto.Call, id, proto.ErrURICanceled)
				}
				synctest.Wait()
				caller.expectNothing()
				callee.expectNothing()
				if c.fail {
					callee.invocationError(inv, "com.example.stopped")
				} else {
					callee.yield(inv, false)
				}
				switch c.answer {
				case "":
				case "result":
					caller.expect(proto.Result)
				default:
					caller.expectError(proto.Call, id, c.answer)
				}
				caller.cancel(id, c.mode) // it is over: ignored
				settled(t, r, caller, callee)
			}, o...)
		})
	}
}

func TestCancelWithProgress(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller, id, inv := running(t, r)
		caller.cancel(id, "kill")
		caller.cancel(id, "kill")
		callee.expect(proto.Interrupt)
		callee.yield(inv, true, "one more")
		caller.expect(proto.Result)
		caller.cancel(id, "killnowait") // cannot wait any longer; one INTERRUPT is enough
		caller.expectError(proto.Call, id, proto.ErrURICanceled)
		callee.yield(inv, true, "and more")
		callee.invocationError(inv, proto.ErrURICanceled)
		settled(t, r, caller, callee)
		if s := r.Stats(); s.Late != 2 {
			t.Errorf("%d late", s.Late)
		}
	})
}

func TestCallerGone(t *testing.T) {
	for name, leave := range map[string]func(c *client, r *wamptest.Router){
		"link": func(c *client, _ *wamptest.Router) { _ = c.conn.CloseNow() },
		"cut":  func(c *client, r *wamptest.Router) { r.Cut(c.id) },
		"goodbye": func(c *client, _ *wamptest.Router) {
			c.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		},
		"killed":    func(c *client, r *wamptest.Router) { r.Kill(c.id, proto.CloseURIKilled) },
		"violation": func(c *client, _ *wamptest.Router) { c.send(&proto.Message{Type: proto.Welcome, ID: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller, _, inv := running(t, r)
				leave(caller, r)
				m := callee.expect(proto.Interrupt)
				if m.Request != inv.Request || m.Options.Str("mode") != "killnowait" {
					t.Errorf("%+v", m)
				}
				callee.yield(inv, true)
				callee.invocationError(inv, proto.ErrURICanceled)
				synctest.Wait()
				callee.expectNothing()
				if s := r.Stats(); s.Calls != 0 || s.Sessions != 1 || s.Late != 2 {
					t.Errorf("left: %+v", s)
				}
			})
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller, _, inv := running(t, r, proto.CallCanceling)
				leave(caller, r)
				synctest.Wait()
				callee.expectNothing() // it cannot be interrupted
				callee.yield(inv, false)
				synctest.Wait()
				if s := r.Stats(); s.Calls != 0 || s.Sessions != 1 {
					t.Errorf("left: %+v", s)
				}
			})
		})
	}
}

func TestCalleeGone(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller, id, _ := running(t, r)
		second := caller.call("com.example.proc", nil)
		callee.expect(proto.Invocation)
		r.Cut(callee.id)
		caller.expectError(proto.Call, id, proto.ErrURICanceled)
		caller.expectError(proto.Call, second, proto.ErrURICanceled)
		third := caller.call("com.example.proc", nil)
		caller.expectError(proto.Call, third, proto.ErrURINoSuchProcedure)
		settled(t, r, caller)
		if s := r.Stats(); !s.Idle() {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestCancelOfProgressiveCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		id := caller.call("com.example.proc", options("progress", true))
		callee.expect(proto.Invocation)
		caller.cancel(id, "killnowait")
		caller.expectError(proto.Call, id, proto.ErrURICanceled)
		callee.expect(proto.Interrupt)
		caller.send(&proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc", Options: options("progress", true)})
		settled(t, r, caller, callee)
	})
}
