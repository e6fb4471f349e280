package wamptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A shared procedure that a session registers twice is one registration.
func TestSameProcedure(t *testing.T) {
	for name, o := range map[string]wamptest.Option{
		"option": wamptest.WithSharedIDs(wamptest.SameProcedure), "Crossbar": wamptest.CrossbarQuirks(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c, caller := join(t, r), join(t, r)
				id := c.register("com.example.proc", "invoke", "roundrobin")
				if again := c.register("com.example.proc", "invoke", "roundrobin"); again != id {
					t.Errorf("%d, then %d", id, again)
				}
				for range 2 {
					caller.call("com.example.proc", nil)
					inv := c.expect(proto.Invocation)
					if inv.ID != id || inv.Options.Has("procedure") {
						t.Errorf("%d %v", inv.ID, inv.Options.Map())
					}
					c.yield(inv, false)
					caller.expect(proto.Result)
				}
				// What is not shared, or in another way, is taken.
				c.expectError(proto.Register, c.request(&proto.Message{Type: proto.Register, URI: "com.example.proc"}), proto.ErrURIInvocationPolicy)
				c.register("com.example.single")
				c.expectError(proto.Register, c.request(&proto.Message{Type: proto.Register, URI: "com.example.single"}), proto.ErrURIProcedureAlreadyExists)
				if s := r.Stats(); s.Registrations != 2 || s.Callees != 2 {
					t.Errorf("%+v", s)
				}
				c.request(&proto.Message{Type: proto.Unregister, ID: id})
				c.expect(proto.Unregistered)
				caller.expectError(proto.Call, caller.call("com.example.proc", nil), proto.ErrURINoSuchProcedure)
				c.expectError(proto.Unregister, c.request(&proto.Message{Type: proto.Unregister, ID: id}), proto.ErrURINoSuchRegistration)
			}, o)
		})
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) { // not asked for
		c := join(t, r)
		c.register("com.example.proc", "invoke", "roundrobin")
		c.expectError(proto.Register, c.request(&proto.Message{Type: proto.Register, URI: "com.example.proc", Options: options("invoke", "roundrobin")}),
			proto.ErrURIProcedureAlreadyExists)
	})
}

// One id for what is registered under one URI, or at all; it ends all of them.
func TestSharedRegistrations(t *testing.T) {
	for name, tt := range map[string]struct {
		how  wamptest.Sharing
		uris wamptest.Presence
	}{
		"a URI": {wamptest.SameURI, wamptest.WhereNeeded}, "any URI": {wamptest.AnyURI, wamptest.WhereNeeded},
		"always": {wamptest.AnyURI, wamptest.Always}, "never": {wamptest.AnyURI, wamptest.Never}, "not shared": {0, wamptest.Always},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				other, c := join(t, r), join(t, r)
				foreign := other.register("com.example.first", "invoke", "roundrobin")
				regs := []proto.ID{c.register("com.example"), c.register("com.example", "match", "prefix"),
					c.register("com.example.first", "invoke", "roundrobin"), c.register("com.other")}
				want := map[wamptest.Sharing][]int{wamptest.SameURI: {0, 0, 2, 3}, wamptest.AnyURI: {0, 0, 0, 0}, 0: {0, 1, 2, 3}}[tt.how]
				for i, id := range regs {
					if id != regs[want[i]] {
						t.Errorf("%v", regs)
					}
				}
				if (regs[2] == foreign) == (tt.how == wamptest.AnyURI) {
					t.Errorf("another session's is %d, of %v", foreign, regs)
				}
				for i, uri := range []string{"com.example", "com.example.x", "com.other"} {
					id := other.call(uri, nil)
					inv := c.expect(proto.Invocation)
					named := tt.uris == wamptest.Always || tt.uris == wamptest.WhereNeeded && (i < 2 || tt.how == wamptest.AnyURI)
					if p := inv.Options.Str("procedure"); named != (p == uri) || !named && p != "" {
						t.Errorf("%s is named %q", uri, p)
					}
					if want := regs[[]int{0, 1, 3}[i]]; inv.ID != want {
						t.Errorf("%s is for %d, want %d", uri, inv.ID, want)
					}
					c.yield(inv, false)
					if other.expect(proto.Result).Request != id {
						t.Error("wrong result")
					}
				}
				c.request(&proto.Message{Type: proto.Unregister, ID: regs[0]})
				c.expect(proto.Unregistered)
				left := map[wamptest.Sharing]int{wamptest.SameURI: 3, wamptest.AnyURI: 1, 0: 4}[tt.how] // with that of the other
				synctest.Wait()
				if s := r.Stats(); s.Callees != left {
					t.Errorf("%d callees left, want %d", s.Callees, left)
				}
			}, wamptest.WithSharedIDs(tt.how), wamptest.WithURIs(tt.uris))
		})
	}
}

// A progressive call goes on under the id that it began with.
func TestSharedChunks(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c, caller := join(t, r), join(t, r)
		id := c.register("com.example.a")
		c.register("com.example.b")
		caller.call("com.example.b", options("progress", true))
		caller.send(&proto.Message{Type: proto.Call, Request: caller.last, URI: "com.example.b"})
		for range 2 {
			if inv := c.expect(proto.Invocation); inv.ID != id || inv.Request != 1 {
				t.Errorf("%d %d", inv.ID, inv.Request)
			}
		}
	}, wamptest.WithSharedIDs(wamptest.AnyURI))
}

// One id for several subscriptions: an event comes once, and says for what it is.
func TestSharedSubscriptions(t *testing.T) {
	for name, tt := range map[string]struct {
		how  wamptest.Sharing
		uris wamptest.Presence
	}{
		"a URI": {wamptest.SameURI, wamptest.WhereNeeded}, "any URI": {wamptest.AnyURI, wamptest.WhereNeeded},
		"always": {wamptest.AnyURI, wamptest.Always}, "never": {wamptest.AnyURI, wamptest.Never}, "not shared": {0, wamptest.Never},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				p, c := join(t, r), join(t, r)
				p.subscribe("com.other")
				subs := []proto.ID{c.subscribe("com.example"), c.subscribe("com.example", "match", "prefix"),
					c.subscribe("com.example", "match", "wildcard"), c.subscribe("com.other"), c.subscribe("com.other")}
				want := map[wamptest.Sharing][]int{wamptest.SameURI: {0, 0, 0, 3, 3}, wamptest.AnyURI: {0, 0, 0, 0, 0}, 0: {0, 1, 2, 3, 3}}[tt.how]
				for i, id := range subs {
					if id != subs[want[i]] {
						t.Errorf("%v", subs)
					}
				}
				for _, uri := range []string{"com.example", "com.example.x", "com.other"} {
					p.publish(uri, nil)
					n := 1
					if uri == "com.example" && tt.how == 0 {
						n = 3
					}
					for range n {
						ev := c.expect(proto.Event)
						if tt.how != 0 && ev.ID != subs[map[string]int{"com.example": 0, "com.example.x": 1, "com.other": 3}[uri]] {
							t.Errorf("%s is for %d, of %v", uri, ev.ID, subs)
						}
						named := tt.uris == wamptest.Always || tt.uris == wamptest.WhereNeeded && (uri != "com.other" || tt.how == wamptest.AnyURI)
						if topic := ev.Options.Str("topic"); named != (topic == uri) || !named && topic != "" {
							t.Errorf("%s is named %q", uri, topic)
						}
					}
					synctest.Wait()
					c.expectNothing()
				}
				c.request(&proto.Message{Type: proto.Unsubscribe, ID: subs[0]})
				c.expect(proto.Unsubscribed)
				synctest.Wait()
				left := map[wamptest.Sharing]int{wamptest.SameURI: 2, wamptest.AnyURI: 1, 0: 4}[tt.how] // with that of the other
				if s := r.Stats(); s.Subscribers != left {
					t.Errorf("%d subscribers left, want %d", s.Subscribers, left)
				}
			}, wamptest.WithSharedIDs(tt.how), wamptest.WithURIs(tt.uris))
		})
	}
}

// What is retained comes under the shared id, and a revocation ends all of it.
func TestSharedAndRevoked(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		p, c := join(t, r), join(t, r)
		p.publish("com.b", options("retain", true))
		synctest.Wait()
		id := c.subscribe("com.a")
		c.subscribe("com.b", "get_retained", true)
		if ev := c.expect(proto.Event); ev.ID != id || !ev.Options.Bool("retained") {
			t.Errorf("%d %v", ev.ID, ev.Options.Map())
		}
		reg := c.register("com.a")
		c.register("com.b")
		lookup := func(procedure string) proto.ID {
			p.call(procedure, nil, "com.b")
			return proto.ID(p.arg(p.expect(proto.Result)).(int64))
		}
		if n := r.RevokeSubscription(lookup("wamp.subscription.lookup"), "com.example.reason"); n != 1 {
			t.Errorf("%d subscribers", n)
		}
		if m := c.expect(proto.Unsubscribed); m.Options.ID("subscription") != id {
			t.Errorf("%v", m.Options.Map())
		}
		if n := r.RevokeRegistration(lookup("wamp.registration.lookup"), ""); n != 1 {
			t.Errorf("%d callees", n)
		}
		if m := c.expect(proto.Unregistered); m.Options.ID("registration") != reg {
			t.Errorf("%v", m.Options.Map())
		}
		synctest.Wait()
		if s := r.Stats(); !s.Idle() {
			t.Errorf("%+v", s)
		}
	}, wamptest.WithSharedIDs(wamptest.AnyURI))
}
