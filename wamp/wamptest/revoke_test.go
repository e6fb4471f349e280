package wamptest_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// expectRevoked expects UNREGISTERED with request 0.
func (c *client) expectRevoked(registration proto.ID, reason string) {
	c.t.Helper()
	m := c.expect(proto.Unregistered)
	if d := m.Options; m.Request != 0 || d.ID("registration") != registration || d.Str("reason") != reason || d.Has("reason") != (reason != "") {
		c.t.Errorf("%+v", m)
	}
}

func TestRevokeRegistration(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 3, "first"), join(t, r)
		untold := join(t, r, proto.RegistrationRevocation)
		reg := untold.register("com.example.proc", "invoke", "first")
		call := func() (id proto.ID) { return caller.call("com.example.proc", nil) }
		running := call()
		inv := callees[0].expect(proto.Invocation)
		if n := r.RevokeRegistration(reg, "com.example.because", callees[0].id); n != 1 {
			t.Errorf("revoked from %d", n)
		}
		callees[0].expectRevoked(reg, "com.example.because")
		call()
		callees[1].yield(callees[1].expect(proto.Invocation), false)
		caller.expect(proto.Result)
		callees[0].yield(inv, false) // what runs goes on
		if m := caller.expect(proto.Result); m.Request != running {
			t.Errorf("%+v", m)
		}
		callees[0].expectError(proto.Unregister, callees[0].request(&proto.Message{Type: proto.Unregister, ID: reg}),
			proto.ErrURINoSuchRegistration) // it crosses the revocation
		if n := r.RevokeRegistration(reg, ""); n != 3 {
			t.Errorf("revoked from %d", n)
		}
		callees[1].expectRevoked(reg, "")
		callees[2].expectRevoked(reg, "")
		caller.expectError(proto.Call, call(), proto.ErrURINoSuchProcedure)
		if n := r.RevokeRegistration(reg, ""); n != 0 {
			t.Errorf("revoked from %d, though there is none", n)
		}
		settled(t, r, append(callees, untold, caller)...)
		if s := r.Stats(); !s.Idle() || s.Callees != 0 {
			t.Errorf("left: %+v", s)
		}
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		if reg := c.register("com.example.proc"); r.RevokeRegistration(reg, "") != 1 {
			t.Error("not revoked")
		}
		settled(t, r, c) // the router does not know how to say it
	}, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.RegistrationRevocation)))
}

// A callee that does not hear of it is no trouble: its UNREGISTER fails, and it
// may register again.
func TestRegisterAfterRevocation(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		reg := c.register("com.example.proc")
		c.call("com.example.proc", nil)
		inv := c.expect(proto.Invocation)
		r.RevokeRegistration(reg, "")
		c.expectRevoked(reg, "")
		if again := c.register("com.example.proc"); again == reg {
			t.Error("the id is used again")
		}
		c.yield(inv, false)
		c.expect(proto.Result)
		settled(t, r, c)
	})
}

func TestForceReregister(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		old, caller := join(t, r, proto.RegistrationRevocation), join(t, r)
		reg := old.register("com.example.proc")
		caller.call("com.example.proc", nil)
		inv := old.expect(proto.Invocation)
		c := join(t, r)
		if again := c.register("com.example.proc", "force_reregister", true); again == reg {
			t.Error("the id is used again")
		}
		old.expectRevoked(reg, proto.ErrURIUnregistered) // although it has not announced that it understands
		old.yield(inv, false)
		caller.expect(proto.Result)
		caller.call("com.example.proc", nil)
		c.yield(c.expect(proto.Invocation), false)
		caller.expect(proto.Result)
		c.register("com.example.new", "force_reregister", true)
		settled(t, r, old, c, caller)
	}, wamptest.CrossbarQuirks())
	bubble(t, func(t *testing.T, r *wamptest.Router) { // others have not heard of it
		a, b := join(t, r), join(t, r)
		a.register("com.example.proc")
		m := &proto.Message{Type: proto.Register, URI: "com.example.proc", Options: options("force_reregister", true)}
		b.expectError(proto.Register, b.request(m), proto.ErrURIProcedureAlreadyExists)
		settled(t, r, a, b)
	})
}
