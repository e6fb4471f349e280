package wamptest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// chunk sends a further CALL of a progressive call.
func (c *client) chunk(id proto.ID, progress bool, args ...any) {
	c.t.Helper()
	m := &proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc"}
	if progress {
		m.Options = options("progress", true)
	}
	c.send(m, args...)
}

var bothWays = options("progress", true, "receive_progress", true)

// streaming returns a progressive call under way, whose callee is one of two.
func streaming(t *testing.T, r *wamptest.Router, o proto.Dict) (callee, other, caller *client, id proto.ID, inv *proto.Message) {
	t.Helper()
	callees := workers(t, r, 2, "roundrobin")
	caller = join(t, r)
	id = caller.call("com.example.proc", o, 0)
	return callees[0], callees[1], caller, id, callees[0].expect(proto.Invocation)
}

// The races of a progressive call: each ends the call once, and what is still
// on its way is dropped without a word.
func TestProgressiveRaces(t *testing.T) {
	type rig struct {
		t                     *testing.T
		r                     *wamptest.Router
		callee, other, caller *client
		id                    proto.ID
		inv                   *proto.Message
	}
	for name, tt := range map[string]struct {
		play func(x rig)
		late int
	}{
		"the callee ends early": {func(x rig) {
			x.callee.yield(x.inv, false, "enough")
			x.caller.expect(proto.Result)
			x.caller.chunk(x.id, true)
			x.caller.chunk(x.id, true)
			x.caller.chunk(x.id, false)
		}, 3},
		"the callee fails early": {func(x rig) {
			x.callee.invocationError(x.inv, "com.example.error")
			x.caller.expectError(proto.Call, x.id, "com.example.error")
			x.caller.chunk(x.id, false)
		}, 1},
		"chunks cross the final result": {func(x rig) {
			x.caller.chunk(x.id, true, 1)
			x.callee.yield(x.inv, false, "enough")
			x.caller.chunk(x.id, true, 2)
			x.caller.chunk(x.id, false, 3)
			x.caller.expect(proto.Result)
			synctest.Wait()
			for len(x.callee.inbox) > 0 { // those that were ahead of it
				if m := x.callee.expect(proto.Invocation); m.Request != x.inv.Request {
					x.t.Errorf("%+v", m)
				}
			}
		}, -1},
		"the last chunk, then the final result": {func(x rig) {
			x.caller.chunk(x.id, false, 1)
			if m := x.callee.expect(proto.Invocation); m.Options.Bool("progress") || !m.Options.Has("progress") {
				x.t.Errorf("%+v", m)
			}
			x.callee.yield(x.inv, true, "one")
			x.callee.yield(x.inv, false, "end")
			x.caller.expect(proto.Result)
			x.caller.expect(proto.Result)
		}, 0},
		"the callee speaks behind its end": {func(x rig) {
			x.callee.yield(x.inv, false)
			x.callee.yield(x.inv, true)
			x.callee.yield(x.inv, false)
			x.callee.invocationError(x.inv, "com.example.error")
			x.caller.expect(proto.Result)
		}, 3},
		"the caller is silent": {func(x rig) {
			time.Sleep(time.Hour)
			synctest.Wait()
			x.caller.expectNothing()
			if s := x.r.Stats(); s.Calls != 1 {
				x.t.Errorf("%+v", s)
			}
			x.caller.chunk(x.id, false, 1)
			x.callee.expect(proto.Invocation)
			x.callee.yield(x.inv, false)
			x.caller.expect(proto.Result)
		}, 0},
		"the callee's link is cut": {func(x rig) {
			x.caller.chunk(x.id, true, 1)
			x.callee.expect(proto.Invocation)
			x.r.Cut(x.callee.id)
			x.callee.expectEnd()
			x.caller.expectError(proto.Call, x.id, proto.ErrURICanceled)
			x.caller.chunk(x.id, true, 2)
			x.caller.chunk(x.id, false, 3)
		}, 2},
		"the caller's link is cut": {func(x rig) {
			x.r.Cut(x.caller.id)
			x.caller.expectEnd()
			if m := x.callee.expect(proto.Interrupt); m.Request != x.inv.Request {
				x.t.Errorf("%+v", m)
			}
			x.callee.yield(x.inv, true)
			x.callee.yield(x.inv, false)
		}, 2},
		"both links are cut": {func(x rig) {
			x.r.CutAll()
			x.callee.expectEnd()
			x.caller.expectEnd()
			x.other.expectEnd()
		}, 0},
		"the callee unregisters": {func(x rig) {
			x.r.RevokeRegistration(x.inv.ID, "", x.callee.id)
			x.callee.expect(proto.Unregistered)
			x.caller.chunk(x.id, false, 1) // it is pinned
			x.callee.expect(proto.Invocation)
			x.callee.yield(x.inv, false)
			x.caller.expect(proto.Result)
		}, 0},
		"killnowait": {func(x rig) {
			x.caller.cancel(x.id, "killnowait")
			x.caller.chunk(x.id, true)
			x.caller.expectError(proto.Call, x.id, proto.ErrURICanceled)
			x.callee.expect(proto.Interrupt)
			x.callee.yield(x.inv, true)
			x.callee.invocationError(x.inv, proto.ErrURICanceled)
		}, 3},
		"skip": {func(x rig) {
			x.caller.cancel(x.id, "skip")
			x.caller.expectError(proto.Call, x.id, proto.ErrURICanceled)
			x.caller.chunk(x.id, false)
			x.callee.yield(x.inv, false)
		}, 2},
		"kill, and the rest of the chunks": {func(x rig) {
			x.caller.cancel(x.id, "kill")
			x.caller.chunk(x.id, true)
			x.caller.chunk(x.id, false) // nobody wants them
			x.callee.expect(proto.Interrupt)
			x.callee.yield(x.inv, true, "this far")
			x.callee.yield(x.inv, false, "and here")
			x.caller.expect(proto.Result)
			if m := x.caller.expect(proto.Result); m.Options.Bool("progress") || x.caller.arg(m) != "and here" {
				x.t.Errorf("%+v", m)
			}
		}, -1},
		"kill, and the callee is cut": {func(x rig) {
			x.caller.cancel(x.id, "kill")
			x.callee.expect(proto.Interrupt)
			x.r.Cut(x.callee.id)
			x.callee.expectEnd()
			x.caller.expectError(proto.Call, x.id, proto.ErrURICanceled)
			x.caller.chunk(x.id, false)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				x := rig{t: t, r: r}
				x.callee, x.other, x.caller, x.id, x.inv = streaming(t, r, bothWays)
				tt.play(x)
				settled(t, r, x.callee, x.other, x.caller)
				if s := r.Stats(); tt.late >= 0 && s.Late != tt.late {
					t.Errorf("%d came late, want %d", s.Late, tt.late)
				}
			})
		})
	}
}

// Chunks and results at the same time, each in its own order.
func TestBothWays(t *testing.T) {
	const n = 200
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, other, caller, id, inv := streaming(t, r, bothWays)
		if !inv.Options.Bool("progress") || !inv.Options.Bool("receive_progress") {
			t.Errorf("%v", inv.Options.Map())
		}
		for i := 1; i <= n; i++ {
			caller.chunk(id, i < n, i)
			callee.yield(inv, true, -i)
			if i%50 == 0 {
				synctest.Wait()
			}
		}
		for i := 1; i <= n; i++ {
			m := callee.expect(proto.Invocation)
			if m.Request != inv.Request || m.ID != inv.ID || len(m.Options) != 1 || m.Options.Bool("progress") != (i < n) || callee.arg(m) != int64(i) {
				t.Fatalf("chunk %d: %+v", i, m)
			}
			if m := caller.expect(proto.Result); m.Request != id || !m.Options.Bool("progress") || caller.arg(m) != int64(-i) {
				t.Fatalf("result %d: %+v", i, m)
			}
		}
		callee.yield(inv, false)
		caller.expect(proto.Result)
		settled(t, r, callee, other, caller)
	})
}

// The options of the first chunk hold for all of them.
func TestOptionsOfLaterChunks(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, other, caller, id, inv := streaming(t, r, options("progress", true))
		caller.send(&proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc",
			Options: options("progress", true, "receive_progress", true, "disclose_me", true, "timeout", 10, "rkey", "k", "runmode", "nonsense")})
		if m := callee.expect(proto.Invocation); len(m.Options) != 1 || !m.Options.Bool("progress") {
			t.Errorf("%v", m.Options.Map())
		}
		time.Sleep(time.Second)
		callee.yield(inv, true, "unasked")
		callee.yield(inv, false)
		caller.expect(proto.Result)
		settled(t, r, callee, other, caller)
	})
}

// The watermark tells a late chunk from a mistake.
func TestChunkViolations(t *testing.T) {
	for name, tt := range map[string]struct {
		without []proto.Feature // that the caller lacks
		router  []wamptest.Option
		do      func(caller *client, id proto.ID)
	}{
		"one behind the last":          {do: func(c *client, id proto.ID) { c.chunk(id, false); c.chunk(id, false) }},
		"another procedure":            {do: func(c *client, id proto.ID) { c.send(&proto.Message{Type: proto.Call, Request: id, URI: "a.b"}) }},
		"an id that is to come":        {do: func(c *client, id proto.ID) { c.chunk(id+2, true) }},
		"the id 0":                     {do: func(c *client, _ proto.ID) { c.chunk(0, true) }},
		"a call that is no such thing": {do: func(c *client, _ proto.ID) { c.chunk(c.call("com.example.proc", nil), false) }},
		"not announced by the caller": {without: []proto.Feature{proto.ProgressiveCallInvocations},
			do: func(c *client, _ proto.ID) { c.call("com.example.proc", options("progress", true)) }},
		"an old id, not announced": {without: []proto.Feature{proto.ProgressiveCallInvocations}, do: func(c *client, id proto.ID) { c.chunk(id, false) }},
		"not announced by the router": {router: []wamptest.Option{wamptest.WithFeatures(wamptest.FeaturesWithout(proto.ProgressiveCallInvocations))},
			do: func(c *client, _ proto.ID) { c.call("com.example.proc", options("progress", true)) }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller := join(t, r), join(t, r, tt.without...)
				callee.register("com.example.proc")
				first := proto.Dict(nil)
				if tt.without == nil && tt.router == nil {
					first = options("progress", true)
				}
				id := caller.call("com.example.proc", first)
				tt.do(caller, id)
				caller.expectAbort(proto.ErrURIProtocolViolation)
				synctest.Wait()
				if s := r.Stats(); s.Calls+s.Invocations != 0 || len(s.Violations) != 1 {
					t.Errorf("%+v", s)
				}
			}, tt.router...)
		})
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) { // an old id of whatever it was is late, not wrong
		c := join(t, r)
		c.subscribe("com.example.topic")
		c.chunk(c.last, true)
		settled(t, r, c)
	})
}
