package wamptest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// What a client sends at once meets a queue in which nothing moves meanwhile:
// the first answers are kept, the others are lost, and so is all else.
func TestQueueDropsAnswers(t *testing.T) {
	const requests, room = 500, 64
	for range 20 { // however the goroutines run
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			c, other := join(t, r), join(t, r)
			var b transport.Batch
			for i := range requests {
				c.last = c.last.Next()
				m := &proto.Message{Type: proto.Subscribe, Request: c.last, URI: "com.example.topic" + string(rune('a'+i%26))}
				if i%2 == 1 {
					m.Type, m.URI = proto.Register, m.URI+string(rune('0'+i/26))
				}
				b.Begin()
				var err error
				if b.Buf, err = c.codec.AppendMessage(b.Buf, m); err != nil {
					t.Fatal(err)
				}
				b.End()
			}
			if err := c.conn.Write(&b); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			other.publish("com.example.topica", nil)
			synctest.Wait()
			if s := r.Stats(); s.Dropped != requests+1-room || s.Registrations != requests/2 || s.Queued != room {
				t.Errorf("%d dropped, %d registrations, %d queued", s.Dropped, s.Registrations, s.Queued)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if len(c.inbox) != room {
				t.Errorf("%d answers", len(c.inbox))
			}
			for i := range room {
				if m := c.next().m; m.Request != proto.ID(i+1) {
					t.Fatalf("answer %d is for %d", i, m.Request)
				}
			}
			// Who waits for answers has room again.
			for range 3 {
				for range room {
					c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.topic"})
				}
				for range room {
					c.expect(proto.Subscribed)
				}
			}
			// The end comes behind what is queued.
			c.send(&proto.Message{Type: proto.Welcome, ID: 1})
			c.expectAbort(proto.ErrURIProtocolViolation)
		}, wamptest.WithQueueLimit(room))
	}
}

// A callee is not told that its caller is gone, and what it answers is late.
func TestWithoutInterrupt(t *testing.T) {
	for name, end := range map[string]func(r *wamptest.Router, caller *client){
		"cut": func(r *wamptest.Router, caller *client) { r.Cut(caller.id) },
		"goodbye": func(r *wamptest.Router, caller *client) {
			caller.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				callee, caller := join(t, r), join(t, r)
				callee.register("com.example.proc")
				caller.call("com.example.proc", options("receive_progress", true, "timeout", 1000))
				inv := callee.expect(proto.Invocation)
				end(r, caller)
				time.Sleep(time.Hour)
				callee.yield(inv, true)
				callee.yield(inv, false)
				settled(t, r, callee)
				if s := r.Stats(); s.Late != 2 {
					t.Errorf("%+v", s)
				}
				// One that is cancelled is told.
				again := join(t, r)
				id := again.call("com.example.proc", nil)
				callee.expect(proto.Invocation)
				again.cancel(id, "killnowait")
				callee.expect(proto.Interrupt)
			}, wamptest.WithoutInterrupt())
		})
	}
}

// A link that ends without a word leaves its session behind for a while.
func TestHalfOpen(t *testing.T) {
	const after = 30 * time.Second
	for name, tt := range map[string]struct {
		end  func(r *wamptest.Router, c *client)
		kept bool
	}{
		"cut by the router": {func(r *wamptest.Router, c *client) { r.Cut(c.id) }, true},
		"torn":              {func(_ *wamptest.Router, c *client) { _ = c.conn.CloseNow() }, true},
		"closed":            {func(_ *wamptest.Router, c *client) { _ = c.conn.Close(t.Context()) }, true},
		"GOODBYE":           {func(_ *wamptest.Router, c *client) { c.send(&proto.Message{Type: proto.Goodbye, URI: "com.x"}) }, false},
		"ABORT":             {func(_ *wamptest.Router, c *client) { c.send(&proto.Message{Type: proto.Abort, URI: "com.x"}) }, false},
		"violation":         {func(_ *wamptest.Router, c *client) { c.sendRaw([]byte{0xff}) }, false},
		"killed":            {func(r *wamptest.Router, c *client) { r.Cut(c.id); r.Kill(c.id, "com.x") }, false},
		"restart":           {func(r *wamptest.Router, c *client) { r.Cut(c.id); r.Restart() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := join(t, r)
				c.register("com.example.proc")
				c.subscribe("com.example.topic")
				tt.end(r, c)
				synctest.Wait()
				if s := r.Stats(); s.Links > 1 || s.Sessions != map[bool]int{true: 1, false: 0}[tt.kept] || s.Idle() == tt.kept {
					t.Fatalf("%+v", s)
				}
				if !tt.kept {
					return
				}
				again := join(t, r)
				register := &proto.Message{Type: proto.Register, URI: "com.example.proc"}
				again.expectError(proto.Register, again.request(register), proto.ErrURIProcedureAlreadyExists)
				id := again.call("com.example.proc", nil)
				again.publish("com.example.topic", nil)
				time.Sleep(after - time.Second)
				synctest.Wait()
				again.expectNothing()
				time.Sleep(time.Second)
				again.expectError(proto.Call, id, proto.ErrURICanceled)
				again.register("com.example.proc")
				if s := r.Stats(); s.Sessions != 1 || s.Subscriptions != 0 {
					t.Errorf("%+v", s)
				}
				r.Cut(again.id) // Close does not wait for it
			}, wamptest.WithHalfOpen(after))
		})
	}
}

// Results that come do not give a call more time.
func TestWithoutRearm(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		start := time.Now()
		id := caller.call("com.example.proc", options("timeout", 500, "receive_progress", true))
		inv := callee.expect(proto.Invocation)
		for range 3 {
			time.Sleep(150 * time.Millisecond)
			callee.yield(inv, true)
			caller.expect(proto.Result)
		}
		caller.expectError(proto.Call, id, proto.ErrURITimeout)
		if d := time.Since(start); d != 500*time.Millisecond {
			t.Errorf("after %v", d)
		}
	}, wamptest.WithoutRearm())
}

// The chunks of a call that has ended are calls of their own.
func TestLateChunks(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r), join(t, r)
		callee.register("com.example.proc")
		id := caller.call("com.example.proc", options("progress", true), 1)
		callee.yield(callee.expect(proto.Invocation), false, "done")
		caller.expect(proto.Result)
		for i, more := range []bool{true, false} {
			caller.send(&proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc", Options: options("progress", more)}, i)
			inv := callee.expect(proto.Invocation)
			if inv.Request != proto.ID(i+2) || inv.Options.Bool("progress") != more {
				t.Errorf("%d %v", inv.Request, inv.Options.Map())
			}
			callee.yield(inv, false)
			if m := caller.expect(proto.Result); m.Request != id {
				t.Errorf("%d", m.Request)
			}
		}
		settled(t, r, callee, caller)
	}, wamptest.WithLateChunks())
}

// A router that does not read: what is sent to it piles up, what it sends
// arrives.
func TestStopReading(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c, other := join(t, r), join(t, r)
		c.subscribe("com.example.topic")
		if !r.StopReading(c.id) || r.StopReading(4711) || r.ResumeReading(4711) {
			t.Error("StopReading does not know who is there")
		}
		stuck := make(chan bool)
		go func() {
			big := make([]byte, 20<<10) // more than the way takes, all together
			for range 200 {
				c.request(&proto.Message{Type: proto.Publish, URI: "com.example.other"}, big)
			}
			close(stuck)
		}()
		for range 100 {
			other.publish("com.example.topic", nil)
			c.expect(proto.Event)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case <-stuck:
			t.Error("the router has read")
		default:
		}
		if s := r.Stats(); s.Received[proto.Publish] != 100 {
			t.Errorf("%d publishes", s.Received[proto.Publish])
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.conn.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a pong: %v", err)
		}
		r.ResumeReading(c.id)
		<-stuck
		synctest.Wait()
		if s := r.Stats(); s.Received[proto.Publish] != 300 {
			t.Errorf("%d publishes", s.Received[proto.Publish])
		}
		r.StopReading(c.id) // Close does not wait for it
	})
}
