package wamptest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestPartition(t *testing.T) {
	const keys = 300
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 4, "roundrobin"), join(t, r)
		homes := func() (home [keys]*client) {
			for i := range home {
				caller.call("com.example.proc", options("runmode", "partition", "rkey", fmt.Sprint("key", i)))
				who, inv := asked(t, callees)
				home[i] = callees[who]
				home[i].yield(inv, false)
				caller.expect(proto.Result)
			}
			return home
		}
		before := homes()
		if before != homes() {
			t.Error("the same key goes elsewhere, though nothing has changed")
		}
		for i, c := range callees {
			n := 0
			for _, home := range before {
				if home == c {
					n++
				}
			}
			if n < keys/8 || n > keys/2 {
				t.Errorf("callee %d has %d keys", i, n)
			}
		}
		more := join(t, r)
		more.register("com.example.proc", "invoke", "roundrobin")
		callees = append(callees, more)
		with := homes()
		moved := 0
		for i := range with {
			if with[i] != before[i] {
				moved++
				if with[i] != more {
					t.Errorf("key %d moves between those that were there", i)
				}
			}
		}
		if moved == 0 || moved > keys/2 {
			t.Errorf("%d keys move to the new one", moved)
		}
		r.Cut(more.id)
		callees = callees[:4]
		if homes() != before {
			t.Error("one comes and goes, and keys of others have moved")
		}
		gone := callees[0]
		r.Cut(gone.id)
		callees = callees[1:]
		for i, home := range homes() {
			if home != before[i] && before[i] != gone {
				t.Errorf("key %d moves, though its callee is there", i)
			}
		}
		settled(t, r, append(callees, caller)...)
	})
}

func TestPartitionIsNotRerouted(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 3, "first"), join(t, r)
		id := caller.call("com.example.proc", options("rkey", "k")) // alone it means partition
		who, inv := asked(t, callees)
		callees[who].invocationError(inv, proto.ErrURIUnavailable)
		caller.expectError(proto.Call, id, proto.ErrURINoAvailableCallee)
		settled(t, r, append(callees, caller)...)
	})
}

func TestPartitionOfProgressiveCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 3, "roundrobin"), join(t, r)
		id := caller.call("com.example.proc", options("rkey", "k", "runmode", "partition", "progress", true), 1)
		who, first := asked(t, callees)
		caller.send(&proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc"}, 2)
		next, inv := asked(t, callees)
		if next != who || inv.Request != first.Request {
			t.Errorf("the second chunk goes to %d, the first went to %d", next, who)
		}
		callees[who].yield(inv, false)
		caller.expect(proto.Result)
		settled(t, r, append(callees, caller)...)
	})
}

func TestShardingRefused(t *testing.T) {
	for name, o := range map[string]proto.Dict{
		"partition without a key":   options("runmode", "partition"),
		"unknown":                   options("runmode", "most"),
		"all of one key":            options("runmode", "all", "rkey", "k", "receive_progress", true),
		"all without progress":      options("runmode", "all"),
		"all of a progressive call": options("runmode", "all", "receive_progress", true, "progress", true),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callees, caller := workers(t, r, 1, "single"), join(t, r)
				caller.expectError(proto.Call, caller.call("com.example.proc", o), proto.ErrURIInvalidArgument)
				settled(t, r, callees[0], caller)
			})
		})
	}
	plain := func(t *testing.T, r *wamptest.Router, without ...proto.Feature) { // a call as any other
		t.Helper()
		callees, caller := workers(t, r, 3, "first"), join(t, r, without...)
		for range 20 {
			caller.call("com.example.proc", options("runmode", "all", "rkey", "k"))
			callees[0].yield(callees[0].expect(proto.Invocation), false)
			caller.expect(proto.Result)
		}
		settled(t, r, append(callees, caller)...)
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) { plain(t, r) }, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.ShardedRegistration)))
	bubble(t, func(t *testing.T, r *wamptest.Router) { plain(t, r, proto.ShardedRegistration) })
	bubble(t, func(t *testing.T, r *wamptest.Router) { plain(t, r) }, wamptest.CrossbarQuirks())
}

var everyone = options("runmode", "all", "receive_progress", true)

// expectPart expects the answer of one callee to a scatter-gather call.
func (c *client) expectPart(id proto.ID, of *client, uri string) *proto.Message {
	c.t.Helper()
	m := c.expect(proto.Result)
	d := m.Options
	if m.Request != id || !d.Bool("progress") || d.ID("callee") != of.id || d.Str("callee_authid") == "" ||
		d.Str("callee_authrole") != "anonymous" || d.Str("error") != uri || d.Has("error") != (uri != "") {
		c.t.Errorf("%d: %v, want that of %d, error %q", m.Request, d.Map(), of.id, uri)
	}
	return m
}

// expectWhole expects the end of a scatter-gather call.
func (c *client) expectWhole(id proto.ID) {
	c.t.Helper()
	if m := c.expect(proto.Result); m.Request != id || len(m.Options) != 0 || m.Args != nil || m.Kwargs != nil {
		c.t.Errorf("%+v", m)
	}
}

func TestScatterGather(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 4, "first", "disclose_caller", true, "forward_timeout", true), join(t, r)
		id := caller.call("com.example.proc", everyone.With("timeout", 1000), "q")
		var invs []*proto.Message
		for _, c := range callees {
			inv := c.expect(proto.Invocation)
			if c.arg(inv) != "q" || inv.Options.Has("receive_progress") || inv.Options.Has("timeout") || inv.Options.ID("caller") != caller.id {
				t.Errorf("%+v", inv)
			}
			invs = append(invs, inv)
		}
		if s := r.Stats(); s.Calls != 1 || s.Invocations != 4 {
			t.Errorf("%+v", s)
		}
		callees[2].yield(invs[2], true, "unasked")
		callees[2].yield(invs[2], false, "two")
		if m := caller.expectPart(id, callees[2], ""); caller.arg(m) != "two" {
			t.Errorf("%+v", m)
		}
		callees[0].invocationError(invs[0], "com.example.error")
		caller.expectPart(id, callees[0], "com.example.error")
		callees[1].invocationError(invs[1], proto.ErrURIUnavailable) // nobody else is asked: everybody has been
		caller.expectPart(id, callees[1], proto.ErrURIUnavailable)
		r.Cut(callees[3].id)
		caller.expectPart(id, callees[3], proto.ErrURICanceled)
		caller.expectWhole(id)
		callees[2].yield(invs[2], false, "late")
		time.Sleep(time.Hour)
		settled(t, r, append(callees[:3], caller)...)
	})
}

// A callee for which the call cannot be sent has failed, the others have not.
func TestScatterGatherAcrossSerializers(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 1, "first"), join(t, r)
		other := dial(t, r.Dial, "json")
		other.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		other.register("com.example.proc", "invoke", "first")
		bad := &proto.Message{Type: proto.Call, URI: "com.example.proc", Options: everyone, Args: []byte{0x81, 0xf9, 0x7e, 0}} // NaN
		id := caller.request(bad)
		caller.expectPart(id, other, proto.ErrURIInvalidPayload)
		inv := callees[0].expect(proto.Invocation)
		callees[0].yield(inv, false)
		caller.expectPart(id, callees[0], "")
		caller.expectWhole(id)
		settled(t, r, callees[0], other, caller)
	})
}

func TestScatterGatherEnds(t *testing.T) {
	interrupted := func(t *testing.T, invs []*proto.Message, callees ...*client) {
		t.Helper()
		for i, c := range callees {
			if m := c.expect(proto.Interrupt); m.Request != invs[i].Request {
				t.Errorf("%+v", m)
			}
		}
	}
	for name, end := range map[string]func(t *testing.T, r *wamptest.Router, callees []*client, caller *client, id proto.ID, invs []*proto.Message){
		"timeout": func(t *testing.T, r *wamptest.Router, callees []*client, caller *client, id proto.ID, invs []*proto.Message) {
			time.Sleep(900 * time.Millisecond) // between results
			callees[2].yield(invs[2], false)
			caller.expectPart(id, callees[2], "")
			time.Sleep(900 * time.Millisecond)
			synctest.Wait()
			caller.expectNothing()
			caller.expectError(proto.Call, id, proto.ErrURITimeout)
			interrupted(t, invs, callees[:2]...)
		},
		"killnowait": func(t *testing.T, r *wamptest.Router, callees []*client, caller *client, id proto.ID, invs []*proto.Message) {
			caller.cancel(id, "killnowait")
			caller.expectError(proto.Call, id, proto.ErrURICanceled)
			interrupted(t, invs, callees[:2]...)
		},
		"skip": func(t *testing.T, r *wamptest.Router, callees []*client, caller *client, id proto.ID, invs []*proto.Message) {
			caller.cancel(id, "skip")
			caller.expectError(proto.Call, id, proto.ErrURICanceled)
		},
		"kill": func(t *testing.T, r *wamptest.Router, callees []*client, caller *client, id proto.ID, invs []*proto.Message) {
			caller.cancel(id, "kill") // the last callee cannot be interrupted, so it is not waited for
			interrupted(t, invs, callees[:2]...)
			callees[1].yield(invs[1], false)
			caller.expectPart(id, callees[1], "")
			callees[0].invocationError(invs[0], proto.ErrURICanceled)
			caller.expectPart(id, callees[0], proto.ErrURICanceled)
			caller.expectError(proto.Call, id, proto.ErrURICanceled)
		},
		"caller gone": func(t *testing.T, r *wamptest.Router, callees []*client, caller *client, id proto.ID, invs []*proto.Message) {
			r.Cut(caller.id)
			caller.expectEnd()
			interrupted(t, invs, callees[:2]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callees, caller := workers(t, r, 2, "random"), join(t, r)
				stubborn := join(t, r, proto.CallCanceling)
				stubborn.register("com.example.proc", "invoke", "random")
				callees = append(callees, stubborn)
				id := caller.call("com.example.proc", everyone.With("timeout", 1000))
				var invs []*proto.Message
				for _, c := range callees {
					invs = append(invs, c.expect(proto.Invocation))
				}
				end(t, r, callees, caller, id, invs)
				for i, c := range callees {
					c.yield(invs[i], false, "late")
				}
				time.Sleep(time.Hour)
				settled(t, r, append(callees, caller)...)
			})
		})
	}
}

// A callee that calls everyone is one of them, and when it goes it takes its
// call and its answer with it.
func TestScatterGatherOfOneself(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees := workers(t, r, 2, "first")
		id := callees[0].call("com.example.proc", everyone)
		callees[0].yield(callees[0].expect(proto.Invocation), false)
		callees[0].expectPart(id, callees[0], "")
		inv := callees[1].expect(proto.Invocation)
		callees[1].yield(inv, false)
		callees[0].expectPart(id, callees[1], "")
		callees[0].expectWhole(id)
		callees[0].call("com.example.proc", everyone)
		callees[0].expect(proto.Invocation)
		callees[1].expect(proto.Invocation)
		r.Cut(callees[0].id)
		callees[1].expect(proto.Interrupt)
		settled(t, r, callees[1])
	})
}

// What goes to a callee, and what comes from one, may be too much for whom it
// is for: then that one has failed.
func TestScatterGatherTooBig(t *testing.T) {
	r := wamptest.NewRouter(t)
	url, err := r.ListenRawSocket("tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	small := dial(t, rawDialer(url, nil, 1024), "cbor")
	small.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
	c := join(t, r)
	small.register("com.example.proc", "invoke", "first")
	c.register("com.example.proc", "invoke", "first")
	big := make([]byte, 4096)
	id := c.call("com.example.proc", everyone, big)
	c.expectPart(id, small, proto.ErrURIPayloadSizeExceeded)
	c.yield(c.expect(proto.Invocation), false)
	c.expectPart(id, c, "")
	c.expectWhole(id)
	id = small.call("com.example.proc", everyone)
	c.yield(c.expect(proto.Invocation), false, big)
	small.yield(small.expect(proto.Invocation), false)
	for range 2 {
		m := small.expect(proto.Result)
		if of, e := m.Options.ID("callee"), m.Options.Str("error"); of == c.id != (e == proto.ErrURIPayloadSizeExceeded) {
			t.Errorf("%v", m.Options.Map())
		}
	}
	small.expectWhole(id)
	if s := r.Stats(); s.Calls+s.Invocations != 0 {
		t.Errorf("%+v", s)
	}
}
