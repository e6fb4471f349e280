package wamptest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A call that is held back or of which something is lost is open: its caller is
// answered when it cancels, or when the timeout of the call passes.
func TestFaultyCallIsOpen(t *testing.T) {
	for name, f := range map[string]wamptest.Fault{
		"late": {Delay: time.Hour}, "fails late": {Delay: time.Hour, Error: "com.example.busy"}, "cut late": {Delay: time.Hour, Lose: wamptest.CutBefore},
		"request lost": {Lose: wamptest.LoseRequest}, "answer lost": {Lose: wamptest.LoseAnswer},
	} {
		for _, crossbar := range []bool{false, true} {
			if crossbar {
				name += " at Crossbar"
			}
			t.Run(name, func(t *testing.T) {
				var o []wamptest.Option
				if crossbar {
					o = append(o, wamptest.CrossbarQuirks())
				}
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					callee, caller := join(t, r), join(t, r)
					callee.register("com.example.proc")
					f := f
					f.Operation = wamptest.Calls
					r.Inject(f)
					answered := func() {
						t.Helper()
						synctest.Wait()
						if f.Lose == wamptest.LoseAnswer {
							callee.yield(callee.expect(proto.Invocation), false)
							synctest.Wait()
						}
						caller.expectNothing()
						if n := r.Stats().Calls; n != 1 {
							t.Errorf("%d calls are open", n)
						}
					}
					for _, mode := range []string{"", "kill", "killnowait"} {
						id := caller.call("com.example.proc", nil)
						answered()
						caller.cancel(id, mode)
						caller.expectError(proto.Call, id, proto.ErrURICanceled)
					}
					id := caller.call("com.example.proc", nil)
					answered()
					caller.cancel(id, "skip")
					if synctest.Wait(); !crossbar { // which says nothing
						caller.expectError(proto.Call, id, proto.ErrURICanceled)
					}
					start, timeout, uri := time.Now(), 2, proto.ErrURICanceled
					if !crossbar {
						timeout, uri = 2000, proto.ErrURITimeout
					}
					id = caller.call("com.example.proc", options("timeout", timeout))
					answered()
					caller.expectError(proto.Call, id, uri)
					if d := time.Since(start); d != 2*time.Second {
						t.Errorf("timed out after %v", d)
					}
					caller.call("com.example.proc", nil)
					answered()
					r.Cut(caller.id)
					caller.expectEnd()
					time.Sleep(2 * time.Hour)
					settled(t, r, callee)
				}, o...)
			})
		}
	}
}

// The timeout of a call that is held back has begun when it is passed on.
func TestFaultDelayAndTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, Delay: time.Second})
		start := time.Now()
		id := caller.call("com.example.proc", options("timeout", 3000))
		callee.expect(proto.Invocation)
		caller.expectError(proto.Call, id, proto.ErrURITimeout)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("after %v", d)
		}
		callee.expect(proto.Interrupt)
		settled(t, r, callee, caller)
	})
}

// A CANCEL while the callee works gets the callee's answer, which is not lost then;
// nor is that the time is over.
func TestFaultAndCancel(t *testing.T) {
	for _, lose := range []wamptest.Loss{wamptest.LoseAnswer, wamptest.CutAfter} {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: lose})
			callee, caller, id, inv := running(t, r)
			callee.yield(inv, true)
			caller.expect(proto.Result) // a progressive one is not lost
			caller.cancel(id, "kill")
			callee.expect(proto.Interrupt)
			callee.invocationError(inv, "com.example.stopped")
			caller.expectError(proto.Call, id, "com.example.stopped")
			id = caller.call("com.example.proc", options("timeout", 1000)) // and so does a timeout
			callee.expect(proto.Invocation)
			caller.expectError(proto.Call, id, proto.ErrURITimeout)
			callee.expect(proto.Interrupt)
			settled(t, r, callee, caller)
		})
	}
}

// A caller that does not wait for the callee is answered at once, and not cut.
func TestCutAfterAndCancel(t *testing.T) {
	for _, mode := range []string{"killnowait", "skip"} {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			i := r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.CutAfter})
			callee, caller, id, inv := running(t, r)
			caller.cancel(id, mode)
			caller.expectError(proto.Call, id, proto.ErrURICanceled)
			if mode == "killnowait" {
				callee.expect(proto.Interrupt)
			}
			callee.yield(inv, false)
			settled(t, r, callee, caller)
			if s := r.Stats(); i.Hits() != 1 || s.Links != 2 {
				t.Errorf("%d hits, %d links", i.Hits(), s.Links)
			}
		})
	}
}

// Errors are answers too: a callee's, the router's, and that the callee is gone.
func TestFaultLosesErrors(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.LoseAnswer})
		callee, caller, id, inv := running(t, r)
		open := func() {
			t.Helper()
			synctest.Wait()
			caller.expectNothing()
			if s := r.Stats(); s.Calls != 1 || s.Invocations != 0 {
				t.Errorf("%+v", s)
			}
			caller.cancel(id, "")
			caller.expectError(proto.Call, id, proto.ErrURICanceled)
		}
		callee.invocationError(inv, "com.example.no")
		open()
		id = caller.call("com.example.proc", nil)
		callee.expect(proto.Invocation)
		r.Cut(callee.id)
		callee.expectEnd()
		open()
		id = caller.call("com.example.proc", nil) // nobody has registered it
		open()
		id = caller.call("wamp.session.count", nil)
		open()
		settled(t, r, caller)
	})
}

// A call of every callee loses its end.
func TestFaultOfAScatteredCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 2, "roundrobin"), join(t, r)
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.LoseAnswer, Times: 1})
		i := r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.CutAfter})
		for n := range 2 {
			id := caller.call("com.example.proc", options("runmode", "all", "receive_progress", true))
			for _, callee := range callees {
				callee.yield(callee.expect(proto.Invocation), false)
				caller.expectPart(id, callee, "")
			}
			if n == 0 {
				synctest.Wait()
				caller.expectNothing()
				caller.cancel(id, "kill")
				caller.expectError(proto.Call, id, proto.ErrURICanceled)
			}
		}
		caller.expectEnd()
		if i.Hits() != 1 {
			t.Errorf("%d hits", i.Hits())
		}
		settled(t, r, callees...)
	})
}

// Of a progressive call the first chunk meets the fault.
func TestFaultOfAProgressiveCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		i := r.Inject(wamptest.Fault{Operation: wamptest.Calls, Times: 1})
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.LoseRequest, Times: 1})
		late := r.Inject(wamptest.Fault{Operation: wamptest.Calls, Delay: time.Second})

		id := caller.call("com.example.proc", bothWays, 0)
		caller.expectError(proto.Call, id, proto.ErrURINotAuthorized)
		caller.chunk(id, true, 1)
		caller.cancel(id, "kill") // it has just ended
		caller.chunk(id, false, 2)
		settled(t, r, callee, caller)
		if i.Hits() != 1 || late.Hits() != 0 {
			t.Errorf("hits: %d, %d", i.Hits(), late.Hits())
		}

		id = caller.call("com.example.proc", bothWays, 0) // lost
		caller.chunk(id, true, 1)
		caller.chunk(id, false, 2)
		synctest.Wait()
		callee.expectNothing()
		caller.cancel(id, "")
		caller.expectError(proto.Call, id, proto.ErrURICanceled)

		for _, last := range []bool{false, true} { // late, with and without all chunks
			start := time.Now()
			id = caller.call("com.example.proc", bothWays, 0)
			caller.chunk(id, true, 1)
			caller.chunk(id, !last, 2)
			for n := range 3 {
				inv := callee.expect(proto.Invocation)
				if callee.arg(inv) != int64(n) || inv.Options.Bool("progress") != (n < 2 || !last) {
					t.Errorf("chunk %d: %+v", n, inv)
				}
				if d := time.Since(start); d != time.Second {
					t.Errorf("after %v", d)
				}
				if n == 2 && !last {
					caller.chunk(id, false, 3)
					inv = callee.expect(proto.Invocation)
				}
				if n == 2 {
					callee.yield(inv, false)
				}
			}
			caller.expect(proto.Result)
		}

		id = caller.call("com.example.proc", bothWays, 0) // the callee's error, or ours, ends it
		r.LoseCallee("com.example.proc")
		callee.expectEnd()
		caller.chunk(id, true, 1)
		caller.expectError(proto.Call, id, proto.ErrURINoSuchProcedure)
		caller.chunk(id, false, 2)
		id = caller.call("com.example.proc", bothWays, 0) // what is wrong is so while it is held back too
		caller.chunk(id, false, 1)
		caller.chunk(id, false, 2)
		caller.expectAbort(proto.ErrURIProtocolViolation)
		time.Sleep(time.Minute)
		if s := r.Stats(); s.Held+s.Calls+s.Invocations != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// What is lost of a meta call is its answer.
func TestFaultOfTheMetaAPI(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "wamp.session.", Times: 1})
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, URI: "wamp.", Lose: wamptest.CutAfter})
		a.expectError(proto.Call, a.call("wamp.session.count", nil), proto.ErrURINotAuthorized)
		a.call("wamp.session.kill", nil, b.id)
		a.expectEnd()
		b.expect(proto.Goodbye)
	})
}

// A late chunk that is taken for a call is one.
func TestFaultOfALateChunk(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		caller := join(t, r)
		i := r.Inject(wamptest.Fault{Operation: wamptest.Calls, Delay: time.Second})
		id := caller.call("com.example.proc", bothWays, 0)
		caller.cancel(id, "")
		caller.expectError(proto.Call, id, proto.ErrURICanceled)
		caller.chunk(id, true, 1)
		caller.expectError(proto.Call, id, proto.ErrURINoSuchProcedure)
		settled(t, r, caller)
		if i.Hits() != 2 {
			t.Errorf("%d hits", i.Hits())
		}
	}, wamptest.WithLateChunks())
}

// Of a call of all callees the parts of those that are lost fail, and so the call ends.
func TestLoseCalleeOfAScatteredCall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 3, "roundrobin"), join(t, r)
		id := caller.call("com.example.proc", options("runmode", "all", "receive_progress", true))
		for _, callee := range callees {
			callee.expect(proto.Invocation)
		}
		if n := r.LoseCallee("com.example.proc"); n != 3 {
			t.Errorf("%d were cut", n)
		}
		for _, callee := range callees {
			caller.expectPart(id, callee, proto.ErrURICanceled)
			callee.expectEnd()
		}
		caller.expectWhole(id)
		settled(t, r, caller)
	})
}

func TestLoseCallee(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callees, caller := workers(t, r, 2, "roundrobin"), join(t, r)
		pattern := join(t, r)
		pattern.register("com.example", "match", "prefix")
		if n := r.LoseCallee("org.example.proc"); n != 0 {
			t.Errorf("%d were cut", n)
		}
		id := caller.call("com.example.proc", nil)
		callees[0].expect(proto.Invocation)
		if n := r.LoseCallee("com.example.proc"); n != 2 {
			t.Errorf("%d were cut", n)
		}
		callees[0].expectEnd()
		callees[1].expectEnd()
		caller.expectError(proto.Call, id, proto.ErrURICanceled)
		caller.call("com.example.proc", nil)
		pattern.yield(pattern.expect(proto.Invocation), false) // it is the next one
		caller.expect(proto.Result)
		if n := r.LoseCallee("com.example.proc"); n != 1 {
			t.Errorf("%d were cut", n)
		}
		pattern.expectEnd()
		caller.expectError(proto.Call, caller.call("com.example.proc", nil), proto.ErrURINoSuchProcedure)
		settled(t, r, caller)
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller, id, _ := running(t, r)
		if a, b := r.LoseCallee("com.example.proc"), r.LoseCallee("com.example.proc"); a != 1 || b != 0 {
			t.Errorf("%d and %d were cut", a, b)
		}
		callee.expectEnd()
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		caller.expectNothing()
		caller.expectError(proto.Call, id, proto.ErrURICanceled)
	}, wamptest.WithHalfOpen(time.Minute))
}
