package wamptest_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestCallTrust(t *testing.T) {
	level := func(c *client) any {
		c.t.Helper()
		v, _ := c.expect(proto.Invocation).Options.Get("trustlevel")
		return v
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		caller.call("com.example.proc", nil)
		if v := level(callee); v != nil {
			t.Errorf("level %v without a rule", v)
		}
	})
	rule := wamptest.WithCallTrust(func(caller wamptest.SessionInfo, procedure string) int {
		switch {
		case procedure == "com.example.any":
			return -1
		case caller.AuthID == "joe" && caller.AuthRole == "anonymous" && caller.Realm == "realm1":
			return 7
		}
		return 0
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		joe := dial(t, r.Dial, "json")
		joe.hello("realm1", proto.Entry{Key: "roles", Value: roles()}, proto.Entry{Key: "authid", Value: "joe"})
		callee.register("com.example.proc", "match", "prefix")
		callee.register("com.example.any")
		for _, tt := range []struct {
			who       *client
			procedure string
			want      any
		}{
			{joe, "com.example.proc", int64(7)}, {joe, "com.example.proc.more", int64(7)}, {joe, "com.example.any", nil},
			{caller, "com.example.proc", int64(0)}, {callee, "com.example.proc", int64(0)},
		} {
			tt.who.call(tt.procedure, nil)
			if v := level(callee); v != tt.want {
				t.Errorf("%s has level %v, want %v", tt.procedure, v, tt.want)
			}
		}
		blind := join(t, r, proto.CallTrustlevels)
		blind.register("com.example.other")
		joe.call("com.example.other", nil)
		if v := level(blind); v != nil {
			t.Errorf("level %v for a callee that did not announce it", v)
		}
	}, rule)
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.register("com.example.proc")
		c.call("com.example.proc", nil)
		if v := level(c); v != nil {
			t.Errorf("level %v of a router that does not know it", v)
		}
	}, rule, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallTrustlevels)))
}

func TestDisclosure(t *testing.T) {
	without := wamptest.WithFeatures(wamptest.FeaturesWithout(proto.CallerIdentification))
	for name, tt := range map[string]struct {
		register, call bool // the option is set there
		router         []wamptest.Option
		want           bool
	}{
		"nobody asks":                 {},
		"the caller asks":             {call: true, want: true},
		"the callee asks":             {register: true, want: true},
		"both ask":                    {register: true, call: true, want: true},
		"a router that knows neither": {register: true, call: true, router: []wamptest.Option{without}},
		"and one that would not":      {register: true, call: true, router: []wamptest.Option{without, wamptest.WithoutDisclosure()}},
		"Crossbar goes by permission": {register: true, call: true, router: []wamptest.Option{wamptest.CrossbarQuirks()}},
		"nobody asks who would not":   {router: []wamptest.Option{wamptest.WithoutDisclosure()}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller := join(t, r), join(t, r)
				callee.register("com.example.proc", "disclose_caller", tt.register)
				caller.call("com.example.proc", options("disclose_me", tt.call))
				if d := callee.expect(proto.Invocation).Options; d.Has("caller") != tt.want || d.Has("caller_authid") != tt.want {
					t.Error(d.Map())
				}
			}, tt.router...)
		})
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.register("com.example.proc")
		c.expectError(proto.Call, c.call("com.example.proc", options("disclose_me", true)), proto.ErrURIDiscloseMe)
		m := &proto.Message{Type: proto.Register, URI: "com.example.curious", Options: options("disclose_caller", true)}
		c.expectError(proto.Register, c.request(m), proto.ErrURIDiscloseMe)
		settled(t, r, c)
	}, wamptest.WithoutDisclosure())
}
