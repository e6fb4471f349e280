package wamptest_test

import (
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee := dial(t, r.Dial, "json")
		callee.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		caller := join(t, r)
		reg := callee.register("com.example.proc")
		for i := 1; i <= 3; i++ {
			id := caller.call("com.example.proc", nil, i)
			inv := callee.expect(proto.Invocation)
			if inv.ID != reg || inv.Request != proto.ID(i) || callee.arg(inv) != int64(i) || len(inv.Options) != 0 {
				t.Errorf("%+v", inv)
			}
			if s := r.Stats(); s.Calls != 1 {
				t.Errorf("%d calls under way", s.Calls)
			}
			if i == 3 {
				m := &proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: inv.Request, URI: "com.example.error",
					Options: options("hint", "h")}
				m.Kwargs, _ = callee.codec.AppendValue(nil, dict{"k": 1})
				callee.send(m, "no")
				e := caller.expectError(proto.Call, id, "com.example.error")
				if kw, _ := caller.payload(e).Kwargs(); caller.arg(e) != "no" || kw["k"] != int64(1) || e.Options.Str("hint") != "h" {
					t.Errorf("%+v", e)
				}
				continue
			}
			callee.yield(inv, false, "r", i)
			if m := caller.expect(proto.Result); m.Request != id || caller.arg(m) != "r" || len(m.Options) != 0 {
				t.Errorf("%+v", m)
			}
		}
		id := callee.request(&proto.Message{Type: proto.Unregister, ID: reg})
		if m := callee.expect(proto.Unregistered); m.Request != id {
			t.Errorf("%+v", m)
		}
		id = caller.call("com.example.proc", nil)
		caller.expectError(proto.Call, id, proto.ErrURINoSuchProcedure)
		if s := r.Stats(); !s.Idle() {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestCallOfOwnProcedure(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.register("com.example.proc")
		c.call("com.example.proc", nil, "me")
		c.yield(c.expect(proto.Invocation), false, "too")
		if m := c.expect(proto.Result); c.arg(m) != "too" {
			t.Errorf("%+v", m)
		}
		c.call("com.example.proc", nil)
		c.expect(proto.Invocation)
		_ = c.conn.CloseNow()
		synctest.Wait()
		if s := r.Stats(); !s.Idle() || s.Sessions != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestUnregisterLetsCallsFinish(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		reg := callee.register("com.example.proc")
		caller.call("com.example.proc", nil)
		inv := callee.expect(proto.Invocation)
		callee.request(&proto.Message{Type: proto.Unregister, ID: reg})
		callee.expect(proto.Unregistered)
		callee.yield(inv, false, "late")
		caller.expect(proto.Result)
	})
}

func TestDealerErrors(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		fails := func(c *client, m *proto.Message, uri string) {
			t.Helper()
			kind := m.Type
			c.expectError(kind, c.request(m), uri)
		}
		a.register("com.example.proc")
		fails(b, &proto.Message{Type: proto.Register, URI: "com.example.proc"}, proto.ErrURIProcedureAlreadyExists)
		fails(a, &proto.Message{Type: proto.Register, URI: "com.example.proc"}, proto.ErrURIProcedureAlreadyExists)
		fails(b, &proto.Message{Type: proto.Register, URI: "com.example.proc", Options: options("invoke", "first")},
			proto.ErrURIProcedureAlreadyExists)
		a.register("com.example.shared", "invoke", "first")
		fails(b, &proto.Message{Type: proto.Register, URI: "com.example.shared"}, proto.ErrURIInvocationPolicy)
		fails(b, &proto.Message{Type: proto.Register, URI: "com.example.new", Options: options("invoke", "best")},
			proto.ErrURIInvalidArgument)
		for _, uri := range []string{"", "a..b", "a b", "wamp.proc"} {
			fails(b, &proto.Message{Type: proto.Register, URI: uri}, proto.ErrURIInvalidURI)
		}
		fails(b, &proto.Message{Type: proto.Call, URI: "a..b"}, proto.ErrURIInvalidURI)
		fails(b, &proto.Message{Type: proto.Call, URI: "com.example.none"}, proto.ErrURINoSuchProcedure)
		fails(b, &proto.Message{Type: proto.Call, URI: "wamp.session.counts"}, proto.ErrURINoSuchProcedure)
		fails(b, &proto.Message{Type: proto.Unregister, ID: 4711}, proto.ErrURINoSuchRegistration)
	})
}

func TestProgressiveResults(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		id := caller.call("com.example.proc", options("receive_progress", true))
		inv := callee.expect(proto.Invocation)
		if !inv.Options.Bool("receive_progress") {
			t.Error("the callee is not asked for progress")
		}
		for i := range 100 {
			callee.yield(inv, true, i)
		}
		callee.yield(inv, false, "end")
		callee.yield(inv, true, "behind the end")
		for i := range 100 {
			m := caller.expect(proto.Result)
			if m.Request != id || !m.Options.Bool("progress") || caller.arg(m) != int64(i) {
				t.Fatalf("%d: %+v", i, m)
			}
		}
		if m := caller.expect(proto.Result); m.Options.Has("progress") || caller.arg(m) != "end" {
			t.Errorf("%+v", m)
		}
		synctest.Wait()
		caller.expectNothing()
		if s := r.Stats(); s.Late != 1 || s.Calls != 0 {
			t.Errorf("%+v", s)
		}
		caller.call("com.example.proc", nil) // without the wish
		inv = callee.expect(proto.Invocation)
		callee.yield(inv, true, "unasked")
		callee.yield(inv, false, "end")
		if m := caller.expect(proto.Result); caller.arg(m) != "end" {
			t.Errorf("%+v", m)
		}
	})
	for _, lacks := range []proto.Feature{proto.ProgressiveCallResults, proto.CallCanceling} {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			callee, caller := join(t, r, lacks), join(t, r)
			callee.register("com.example.proc")
			caller.call("com.example.proc", options("receive_progress", true))
			if inv := callee.expect(proto.Invocation); inv.Options.Has("receive_progress") {
				t.Errorf("a callee without %v is asked for progress", lacks)
			}
		})
	}
}

func TestProgressiveCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, other, caller := join(t, r), join(t, r), join(t, r)
		callee.register("com.example.proc", "invoke", "roundrobin")
		other.register("com.example.proc", "invoke", "roundrobin")
		chunk := func(id proto.ID, progress bool, v any) {
			m := &proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc"}
			if progress {
				m.Options = options("progress", true)
			}
			caller.send(m, v)
		}
		id := caller.call("com.example.proc", options("progress", true, "receive_progress", true), 0)
		inv := callee.expect(proto.Invocation)
		chunk(id, true, 1)
		chunk(id, false, 2)
		for i := range int64(3) {
			m := inv
			if i > 0 {
				m = callee.expect(proto.Invocation)
			}
			if m.Request != inv.Request || m.ID != inv.ID || callee.arg(m) != i || m.Options.Bool("progress") != (i < 2) {
				t.Errorf("chunk %d: %+v", i, m)
			}
			callee.yield(m, true, i)
			caller.expect(proto.Result)
		}
		callee.yield(inv, false, "sum")
		caller.expect(proto.Result)
		chunk(id, true, "late")
		synctest.Wait()
		callee.expectNothing()
		other.expectNothing() // the policy was applied once
		if s := r.Stats(); s.Calls != 0 || s.Late != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestProgressiveCallNotSupported(t *testing.T) {
	for _, lacks := range []proto.Feature{proto.ProgressiveCallInvocations, proto.CallCanceling} {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			callee, caller := join(t, r, lacks), join(t, r)
			callee.register("com.example.proc")
			id := caller.call("com.example.proc", options("progress", true))
			caller.expectError(proto.Call, id, proto.ErrURIFeatureNotSupported)
			caller.send(&proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc"}) // late, no harm
			caller.call("com.example.proc", nil)
			callee.expect(proto.Invocation)
		})
	}
}

func TestDisclosedCaller(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		callee.register("com.example.curious", "disclose_caller", true)
		caller.call("com.example.proc", options("disclose_me", true))
		caller.call("com.example.curious", nil)
		for range 2 {
			d := callee.expect(proto.Invocation).Options
			if d.ID("caller") != caller.id || d.Str("caller_authrole") != "anonymous" || d.Str("caller_authid") == "" {
				t.Error(d.Map())
			}
		}
	})
}

func TestSharedRegistration(t *testing.T) {
	for policy, want := range map[string][]int{
		"roundrobin": {0, 1, 2, 0, 1}, "first": {0, 0, 0, 0, 0}, "last": {2, 2, 2, 2, 2},
	} {
		t.Run(policy, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callees := []*client{join(t, r), join(t, r), join(t, r)}
				for _, c := range callees {
					c.register("com.example.proc", "invoke", policy)
				}
				caller := join(t, r)
				for _, who := range want {
					caller.call("com.example.proc", nil)
					callees[who].yield(callees[who].expect(proto.Invocation), false)
					caller.expect(proto.Result)
				}
				if s := r.Stats(); s.Registrations != 1 || s.Callees != 3 {
					t.Errorf("%+v", s)
				}
				for _, c := range callees[:2] {
					_ = c.conn.CloseNow()
				}
				synctest.Wait()
				for range 3 {
					caller.call("com.example.proc", nil)
					callees[2].yield(callees[2].expect(proto.Invocation), false)
					caller.expect(proto.Result)
				}
			})
		})
	}
	t.Run("random", func(t *testing.T) {
		draw := func(t *testing.T) (drawn string) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := join(t, r)
				other := join(t, r)
				a := c.register("com.example.proc", "invoke", "random")
				if b := other.register("com.example.proc", "invoke", "random"); a != b {
					t.Error("two registrations")
				}
				for range 50 {
					c.call("com.example.proc", nil)
				}
				synctest.Wait()
				drawn = strconv.Itoa(len(other.inbox))
			}, wamptest.WithSeed(7))
			return drawn
		}
		first, second := draw(t), draw(t)
		if first != second || first == "0" || first == "50" {
			t.Errorf("drawn %s and %s of 50", first, second)
		}
	})
}

// Who may register what is registered already.
func TestMismatchedPolicies(t *testing.T) {
	policies := []string{"", "single", "roundrobin", "random", "first", "last"}
	for _, has := range policies {
		for _, wants := range policies {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				a, b := join(t, r), join(t, r)
				register := func(c *client, policy string) proto.ID {
					m := &proto.Message{Type: proto.Register, URI: "com.example.proc"}
					if policy != "" {
						m.Options = options("invoke", policy)
					}
					return c.request(m)
				}
				register(a, has)
				reg := a.expect(proto.Registered)
				id := register(b, wants)
				switch {
				case has == "" || has == "single":
					b.expectError(proto.Register, id, proto.ErrURIProcedureAlreadyExists)
				case has != wants:
					b.expectError(proto.Register, id, proto.ErrURIInvocationPolicy)
				default:
					if m := b.expect(proto.Registered); m.ID != reg.ID {
						t.Errorf("%s: the ids are %d and %d", has, reg.ID, m.ID)
					}
				}
				a.expectError(proto.Register, register(a, has), proto.ErrURIProcedureAlreadyExists)
				r.RevokeRegistration(reg.ID, "")
				synctest.Wait()
				register(a, wants) // the policy went with the last callee
				for m := a.expect(proto.Unregistered); m.Type != proto.Registered; m = a.next().m {
				}
				if s := r.Stats(); s.Registrations != 1 || s.Callees != 1 {
					t.Errorf("%+v", s)
				}
			})
		}
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		for _, policy := range policies[2:] {
			m := &proto.Message{Type: proto.Register, URI: "com.example.proc", Options: options("invoke", policy)}
			c.expectError(proto.Register, c.request(m), proto.ErrURIOptionNotAllowed)
		}
	}, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.SharedRegistration)))
}
