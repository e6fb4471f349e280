package wamptest_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// ask makes a request of each operation, for the URI com.example.x, and says what its
// answer is.
func (c *client) ask(op wamptest.Operation, handle proto.ID) (id proto.ID, of, answer proto.MessageType) {
	c.t.Helper()
	switch op {
	case wamptest.Calls:
		return c.call("com.example.x", nil), proto.Call, proto.Result
	case wamptest.Publishes:
		return c.publish("com.example.x", options("acknowledge", true)), proto.Publish, proto.Published
	case wamptest.Subscribes:
		return c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.x"}), proto.Subscribe, proto.Subscribed
	case wamptest.Unsubscribes:
		return c.request(&proto.Message{Type: proto.Unsubscribe, ID: handle}), proto.Unsubscribe, proto.Unsubscribed
	case wamptest.Registers:
		return c.request(&proto.Message{Type: proto.Register, URI: "com.example.x"}), proto.Register, proto.Registered
	default:
		return c.request(&proto.Message{Type: proto.Unregister, ID: handle}), proto.Unregister, proto.Unregistered
	}
}

// asking runs f for each operation, with a client for which it is natural, and a
// function that says how often the router has done it.
func asking(t *testing.T, f func(t *testing.T, r *wamptest.Router, op wamptest.Operation, c *client, handle proto.ID, done func() int)) {
	for op := wamptest.Calls; op <= wamptest.Unregisters; op++ {
		t.Run(op.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := join(t, r)
				var handle proto.ID
				done := func() int { synctest.Wait(); return r.Stats().Subscriptions + r.Stats().Registrations }
				switch op {
				case wamptest.Calls: // a callee that answers by itself is the router
					callee := join(t, r)
					callee.register("com.example.x")
					n := 0
					done = func() int {
						synctest.Wait()
						select {
						case inv := <-callee.inbox:
							callee.yield(inv.m, false)
							n++
						default:
						}
						return n
					}
				case wamptest.Publishes:
					reader := join(t, r)
					reader.subscribe("com.example.x")
					done = func() int { synctest.Wait(); return r.Stats().Sent[proto.Event] }
				case wamptest.Unsubscribes:
					handle = c.subscribe("com.example.x")
					done = func() int { synctest.Wait(); return 1 - r.Stats().Subscriptions }
				case wamptest.Unregisters:
					handle = c.register("com.example.x")
					done = func() int { synctest.Wait(); return 1 - r.Stats().Registrations }
				}
				f(t, r, op, c, handle, done)
				if v := r.Stats().Violations; len(v) > 0 {
					t.Error(v)
				}
			})
		})
	}
}

func TestFaultFails(t *testing.T) {
	asking(t, func(t *testing.T, r *wamptest.Router, op wamptest.Operation, c *client, handle proto.ID, done func() int) {
		usual := r.Inject(wamptest.Fault{Operation: op, Times: 1})
		own := r.Inject(wamptest.Fault{Operation: op, URI: "com.example.x", Error: "com.example.busy", Payload: codec.Args("not today"), Times: 1})
		late := r.Inject(wamptest.Fault{Operation: op, URI: "com.example.", Delay: 5 * time.Second, Payload: codec.Args("late"), Times: 1})
		for other := wamptest.Calls; other <= wamptest.Unregisters; other++ {
			if other != op {
				r.Inject(wamptest.Fault{Operation: other})
			}
		}
		r.Inject(wamptest.Fault{Operation: op, URI: "com.example"})
		r.Inject(wamptest.Fault{Operation: op, URI: "com.example.x."})
		id, of, answer := c.ask(op, handle)
		if text, _ := c.arg(c.expectError(of, id, proto.ErrURINotAuthorized)).(string); text != "the test has injected this fault" {
			t.Errorf("the text is %q", text)
		}
		id, _, _ = c.ask(op, handle)
		if text := c.arg(c.expectError(of, id, "com.example.busy")); text != "not today" {
			t.Errorf("the text is %q", text)
		}
		start := time.Now()
		id, _, _ = c.ask(op, handle)
		synctest.Wait()
		if n := r.Stats().Held; n != 1 {
			t.Errorf("%d are held back", n)
		}
		c.expectError(of, id, proto.ErrURINotAuthorized)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("after %v", d)
		}
		if n := done(); n != 0 {
			t.Errorf("it was done %d times", n)
		}
		id, _, _ = c.ask(op, handle)
		if n := done(); n != 1 {
			t.Errorf("it was done %d times", n)
		}
		if m := c.expect(answer); m.Request != id {
			t.Errorf("%+v", m)
		}
		if usual.Hits() != 1 || own.Hits() != 1 || late.Hits() != 1 || r.Stats().Faults != 3 {
			t.Errorf("hits: %d %d %d, all %d", usual.Hits(), own.Hits(), late.Hits(), r.Stats().Faults)
		}
	})
}

func TestFaultDelays(t *testing.T) {
	asking(t, func(t *testing.T, r *wamptest.Router, op wamptest.Operation, c *client, handle proto.ID, done func() int) {
		i := r.Inject(wamptest.Fault{Operation: op, Delay: time.Minute})
		id, _, answer := c.ask(op, handle)
		time.Sleep(time.Minute - time.Nanosecond)
		if n := done(); n != 0 {
			t.Error("it is done early")
		}
		i.Remove() // what is held back remains so
		i.Remove()
		time.Sleep(time.Nanosecond)
		if n := done(); n != 1 {
			t.Error("it is not done in time")
		}
		if m := c.expect(answer); m.Request != id {
			t.Errorf("%+v", m)
		}
	})
}

// What is held back is dropped with its session.
func TestFaultDelaysTheDead(t *testing.T) {
	asking(t, func(t *testing.T, r *wamptest.Router, op wamptest.Operation, c *client, handle proto.ID, done func() int) {
		r.Inject(wamptest.Fault{Operation: op, Delay: time.Minute})
		before := done()
		c.ask(op, handle)
		synctest.Wait()
		r.Cut(c.id)
		c.expectEnd()
		if n := r.Stats().Held; n != 0 {
			t.Errorf("%d are held back", n)
		}
		time.Sleep(time.Hour)
		if n := done(); handle == 0 && n != before {
			t.Errorf("it was done %d times", n)
		}
		if s := r.Stats(); s.Held+s.Calls+s.Invocations != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestFaultLoses(t *testing.T) {
	asking(t, func(t *testing.T, r *wamptest.Router, op wamptest.Operation, c *client, handle proto.ID, done func() int) {
		r.Inject(wamptest.Fault{Operation: op, Lose: wamptest.LoseRequest, Times: 1})
		r.Inject(wamptest.Fault{Operation: op, Lose: wamptest.LoseAnswer, Times: 1, Delay: time.Second})
		c.ask(op, handle)
		if n := done(); n != 0 {
			t.Error("a lost request is done")
		}
		c.ask(op, handle)
		if n := done(); n != 0 {
			t.Error("it is done early")
		}
		time.Sleep(time.Second)
		if n := done(); n != 1 {
			t.Errorf("it was done %d times", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		c.expectNothing()
		c.subscribe("com.example.other") // the session goes on
	})
}

func TestFaultCuts(t *testing.T) {
	for lose, want := range map[wamptest.Loss]int{wamptest.CutBefore: 0, wamptest.CutAfter: 1} {
		asking(t, func(t *testing.T, r *wamptest.Router, op wamptest.Operation, c *client, handle proto.ID, done func() int) {
			r.Inject(wamptest.Fault{Operation: op, Lose: lose, Delay: time.Second})
			c.ask(op, handle)
			synctest.Wait()
			if n := r.Stats().Links; n < 1 {
				t.Error("it is cut early")
			}
			links := r.Stats().Links
			time.Sleep(time.Second)
			n := done()
			if (op == wamptest.Calls || op == wamptest.Publishes) && n != want { // the others do not outlive the session
				t.Errorf("it was done %d times", n)
			}
			if err := c.expectEnd(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Error(err)
			}
			if n := r.Stats().Links; n != links-1 {
				t.Errorf("%d links, there were %d", n, links)
			}
		})
	}
}

// A publish that asks for no acknowledgement is never answered.
func TestFaultOfAPublish(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		a.subscribe("com.example.x")
		i := r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Times: 1})
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Lose: wamptest.LoseAnswer, Times: 1})
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Lose: wamptest.CutAfter, Times: 1})
		for n := range 2 {
			b.publish("com.example.x", nil, n)
		}
		if n := a.arg(a.expect(proto.Event)); n != int64(1) {
			t.Errorf("event %v", n)
		}
		if i.Hits() != 1 {
			t.Errorf("%d hits", i.Hits())
		}
		b.publish("com.example.x", nil, 2)
		if n := a.arg(a.expect(proto.Event)); n != int64(2) {
			t.Errorf("event %v", n)
		}
		b.expectEnd()
		settled(t, r, a)
	})
}

// Who asks.
func TestFaultFrom(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), dial(t, r.Dial, "json")
		b.hello("realm2", proto.Entry{Key: "roles", Value: roles()}, proto.Entry{Key: "authid", Value: "joe"})
		infos := map[proto.ID]wamptest.SessionInfo{}
		for _, info := range r.Sessions() {
			infos[info.ID] = info
		}
		joe := infos[b.id]
		for name, from := range map[string]wamptest.SessionInfo{
			"session": {ID: b.id}, "realm": {Realm: "realm2"}, "authid": {AuthID: "joe"}, "all": joe,
			"protocol": {Protocol: joe.Protocol}, "role and realm": {AuthRole: joe.AuthRole, Realm: "realm2"},
		} {
			i := r.Inject(wamptest.Fault{Operation: wamptest.Subscribes, From: from})
			a.subscribe("com.example.x")
			id, of, _ := b.ask(wamptest.Subscribes, 0)
			b.expectError(of, id, proto.ErrURINotAuthorized)
			if i.Hits() != 1 {
				t.Errorf("%s: %d hits", name, i.Hits())
			}
			i.Remove()
		}
		r.Inject(wamptest.Fault{Operation: wamptest.Subscribes, From: wamptest.SessionInfo{AuthID: "joe", Realm: "realm1"}})
		r.Inject(wamptest.Fault{Operation: wamptest.Subscribes, From: wamptest.SessionInfo{AuthMethod: "ticket"}})
		a.subscribe("com.example.x")
		b.subscribe("com.example.x")
	})
}

// The faults stay when the router restarts; the one that was injected first is met.
func TestFaultsInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		first := r.Inject(wamptest.Fault{Operation: wamptest.Subscribes, Error: "com.example.first", Times: 3})
		second := r.Inject(wamptest.Fault{Operation: wamptest.Subscribes, URI: "com.example.x", Error: "com.example.second"})
		expect := func(uri string) {
			t.Helper()
			id, of, _ := c.ask(wamptest.Subscribes, 0)
			c.expectError(of, id, uri)
		}
		expect("com.example.first")
		expect("com.example.first")
		r.Restart()
		c.expectEnd()
		c = join(t, r)
		expect("com.example.first")
		expect("com.example.second")
		second.Remove()
		c.subscribe("com.example.x")
		if first.Hits() != 3 || second.Hits() != 1 {
			t.Errorf("hits: %d %d", first.Hits(), second.Hits())
		}
	})
}

// A handle meets a fault by its URI, and one that is not there by none.
func TestFaultOfAHandle(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		sub := c.subscribe("com.example.x")
		r.Inject(wamptest.Fault{Operation: wamptest.Unsubscribes, URI: "com.example.y"})
		id, of, _ := c.ask(wamptest.Unsubscribes, sub+1)
		c.expectError(of, id, proto.ErrURINoSuchSubscription)
		c.ask(wamptest.Unsubscribes, sub)
		c.expect(proto.Unsubscribed)
		r.Inject(wamptest.Fault{Operation: wamptest.Unregisters})
		id, of, _ = c.ask(wamptest.Unregisters, 4711)
		c.expectError(of, id, proto.ErrURINotAuthorized) // any
	}, wamptest.WithSharedIDs(wamptest.SameURI))
}

// A handle that stands for several meets the fault by the URI of any.
func TestFaultOfASharedHandle(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		sub, reg := c.subscribe("com.example.a"), c.register("com.example.a")
		if c.subscribe("com.example.b") != sub || c.register("com.example.b") != reg {
			t.Fatal("not shared")
		}
		for _, uri := range []string{"com.example.a", "com.example.b"} {
			for op, handle := range map[wamptest.Operation]proto.ID{wamptest.Unsubscribes: sub, wamptest.Unregisters: reg} {
				r.Inject(wamptest.Fault{Operation: op, URI: "com.example.c"})
				r.Inject(wamptest.Fault{Operation: op, URI: uri, Times: 1})
				id, of, _ := c.ask(op, handle)
				c.expectError(of, id, proto.ErrURINotAuthorized)
			}
		}
		_, _, answer := c.ask(wamptest.Unsubscribes, sub)
		c.expect(answer)
	}, wamptest.WithSharedIDs(wamptest.AnyURI))
}

// Request id 0 is one, where LenientIDs takes any.
func TestFaultOfRequestZero(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		r.Inject(wamptest.Fault{Operation: wamptest.Subscribes, Lose: wamptest.LoseAnswer, Times: 1})
		for range 2 {
			synctest.Wait()
			c.expectNothing()
			c.send(&proto.Message{Type: proto.Subscribe, URI: "com.example.x"})
		}
		c.expect(proto.Subscribed)
	}, wamptest.LenientIDs())
}

// Errors come in the serializer of who asks.
func TestFaultInEachSerializer(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, Payload: codec.Kwargs(map[string]any{"wait": 7})})
		for _, c := range codec.All() {
			c := dial(t, r.Dial, c.Name())
			c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
			m := c.expectError(proto.Call, c.call("wamp.session.count", nil), proto.ErrURINotAuthorized)
			var kw struct {
				Wait int `json:"wait"`
			}
			if err := c.payload(m).ScanKw(&kw); err != nil || kw.Wait != 7 {
				t.Errorf("%s: %+v, %v", c.codec.Name(), kw, err)
			}
		}
	})
}

// What makes no sense is a panic that names the field.
func TestFaultThatCannotBe(t *testing.T) {
	r := wamptest.NewRouter(t)
	for name, tt := range map[string]struct {
		field string
		fault wamptest.Fault
	}{
		"nothing":            {"Operation", wamptest.Fault{}},
		"no operation":       {"Operation", wamptest.Fault{URI: "com.example.x"}},
		"unknown":            {"Operation", wamptest.Fault{Operation: 7}},
		"unknown loss":       {"Lose", wamptest.Fault{Operation: wamptest.Calls, Lose: 5}},
		"space":              {"URI", wamptest.Fault{Operation: wamptest.Calls, URI: "com. example"}},
		"error space":        {"Error", wamptest.Fault{Operation: wamptest.Calls, Error: "not today"}},
		"error prefix":       {"Error", wamptest.Fault{Operation: wamptest.Calls, Error: "com.example."}},
		"nameless protocol":  {"From", wamptest.Fault{Operation: wamptest.Calls, From: wamptest.SessionInfo{Protocol: transport.Protocol{Text: true}}}},
		"delay":              {"Delay", wamptest.Fault{Operation: wamptest.Calls, Delay: -1}},
		"times":              {"Times", wamptest.Fault{Operation: wamptest.Calls, Times: -1}},
		"payload":            {"Payload", wamptest.Fault{Operation: wamptest.Calls, Payload: codec.Args(make(chan int))}},
		"payload in JSON":    {"Payload", wamptest.Fault{Operation: wamptest.Calls, Payload: codec.Args(math.NaN())}},
		"error and loss":     {"Error", wamptest.Fault{Operation: wamptest.Calls, Error: "com.example.x", Lose: wamptest.CutAfter}},
		"payload and loss":   {"Payload", wamptest.Fault{Operation: wamptest.Calls, Payload: codec.Args(1), Lose: wamptest.LoseAnswer}},
		"lost and then late": {"Delay", wamptest.Fault{Operation: wamptest.Calls, Delay: 1, Lose: wamptest.LoseRequest}},
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "wamptest: Fault."+tt.field) {
					t.Errorf("%s: %q", name, text)
				}
			}()
			r.Inject(tt.fault)
		}()
	}
	if text := wamptest.Operation(9).String(); text != "Operation(9)" {
		t.Error(text)
	}
}

// The log tells of the first request that meets each fault, and of faults that none has
// met, when they are removed or in the end. Of a router that is closed, nothing is asked.
func TestFaultsInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		r := wamptest.NewRouter(t, wamptest.WithLog(func(line string) { lines = append(lines, line) }))
		c := join(t, r)
		for _, f := range []wamptest.Fault{
			{Error: "com.example.busy", Times: 1}, {Delay: time.Second, Times: 1}, {Delay: time.Second, Error: "com.example.busy", Times: 1},
			{Lose: wamptest.LoseRequest, Times: 1}, {Lose: wamptest.LoseAnswer, Times: 1}, {Lose: wamptest.CutAfter, URI: "com.example.nowhere"},
			{Lose: wamptest.CutBefore}, {URI: "com.exmaple.x"},
		} {
			f.Operation = wamptest.Calls
			r.Inject(f)
		}
		for range 6 {
			c.call("com.example.x", nil)
		}
		time.Sleep(time.Minute)
		typo := r.Inject(wamptest.Fault{Operation: wamptest.Publishes, URI: "com.exmaple."})
		_, _, line, _ := runtime.Caller(0)
		for range 2 {
			typo.Remove()
		}
		r.Inject(wamptest.Fault{Operation: wamptest.Calls}) // behind one that takes all
		r.Close()
		want := []string{"CALL of com.example.x by session", " fails with com.example.busy", " is held back for 1s",
			" is held back for 1s and then fails with com.example.busy", " is lost", " is done, and its answer is lost",
			" is not done, and the link is cut", " no request has met it: CALL of com.example.nowhere\n",
			" no request has met it: CALL of com.exmaple.x\n", " no request has met it: CALL of any URI\n",
			fmt.Sprintf("wamptest: fault 9 (faults_test.go:%d): no request has met it: PUBLISH of com.exmaple.\n", line-1)}
		if len(lines) != 10 {
			t.Errorf("%q", lines)
		}
		for _, part := range want {
			if !strings.Contains(strings.Join(lines, "\n")+"\n", part) {
				t.Errorf("%q is missing in %q", part, lines)
			}
		}
		i := r.Inject(wamptest.Fault{Operation: wamptest.Calls})
		i.Remove()
		if i.Hits() != 0 || r.LoseCallee("com.example.x") != 0 {
			t.Error("a closed router does something")
		}
	})
}

// A hook and a condition may ask for the hits. A hook sees what then meets the fault,
// and what it drops does not.
func TestFaultBehindTheHook(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		i := r.Inject(wamptest.Fault{Operation: wamptest.Publishes})
		var hits []int
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Message.Type != proto.Publish {
				return wamptest.Pass()
			}
			hits = append(hits, i.Hits())
			if len(hits) == 1 {
				return wamptest.Drop()
			}
			return wamptest.Pass()
		})
		c.ask(wamptest.Publishes, 0)
		id, of, _ := c.ask(wamptest.Publishes, 0)
		c.expectError(of, id, proto.ErrURINotAuthorized)
		if err := r.WaitFor(t.Context(), func(wamptest.Stats) bool { return i.Hits() == 1 }); err != nil {
			t.Error(err)
		}
		if len(hits) != 2 || hits[1] != 0 {
			t.Error(hits)
		}
	})
}

// The end of one who is cut can be the answer in whose place another one is cut.
func TestFaultMetByTheDying(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		r.Inject(wamptest.Fault{Operation: wamptest.Calls, Lose: wamptest.CutAfter})
		r.Inject(wamptest.Fault{Operation: wamptest.Publishes, Lose: wamptest.CutBefore})
		callee, caller, _, _ := running(t, r)
		callee.publish("com.example.x", nil)
		callee.expectEnd()
		caller.expectEnd()
		if s := r.Stats(); s.Links != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}
