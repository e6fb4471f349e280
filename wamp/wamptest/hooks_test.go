package wamptest_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func TestCut(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		a.subscribe("com.example.topic")
		if !r.Cut(a.id) {
			t.Error("there is no such session")
		}
		if err := a.expectEnd(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a goodbye: %v", err)
		}
		if s := r.Stats(); s.Sessions != 1 || !s.Idle() || s.Links != 1 {
			t.Errorf("left: %+v", s)
		}
		if r.Cut(a.id) {
			t.Error("cut twice")
		}
		dial(t, r.Dial, "cbor") // not joined
		r.CutAll()
		b.expectEnd()
		if s := r.Stats(); s.Sessions != 0 || s.Links != 0 || s.Accepted != 3 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a := join(t, r)
		a.register("com.example.proc")
		a.call("com.example.proc", nil)
		a.expect(proto.Invocation)
		r.Restart()
		a.expectEnd()
		if s := r.Stats(); s.Sessions != 0 || s.Links != 0 || !s.Idle() {
			t.Errorf("left: %+v", s)
		}
		b := join(t, r)
		id := b.call("com.example.proc", nil)
		b.expectError(proto.Call, id, proto.ErrURINoSuchProcedure)
	})
}

func TestStall(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		a.subscribe("com.example.topic")
		ping := func(c *client) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return c.conn.Ping(ctx)
		}
		if err := ping(a); err != nil {
			t.Error(err)
		}
		if !r.Stall(a.id) || r.Stall(4711) {
			t.Error("Stall does not know who is there")
		}
		if err := ping(a); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a stalled link answers a ping: %v", err)
		}
		b.publish("com.example.topic", nil)
		a.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.other"})
		time.Sleep(time.Hour)
		synctest.Wait()
		a.expectNothing()
		if err := ping(b); err != nil {
			t.Error(err)
		}
		r.Unstall(a.id)
		a.expect(proto.Event)
		a.expect(proto.Subscribed)
		if err := ping(a); err != nil {
			t.Error(err)
		}

		r.StallAll()
		c := dial(t, r.Dial, "cbor")
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
		time.Sleep(time.Hour)
		synctest.Wait()
		c.expectNothing()
		r.UnstallAll()
		c.expect(proto.Welcome)

		r.Stall(a.id)
		b.publish("com.example.topic", nil)
		r.Cut(a.id) // a stalled link can be cut
		a.expectEnd()
		r.Stall(b.id)
	})
}

func TestDelay(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		start := time.Now()
		r.Delay(time.Second)
		for range 3 {
			c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.topic"})
		}
		synctest.Wait()
		if s := r.Stats(); s.Held != 3 {
			t.Errorf("%d held", s.Held)
		}
		r.Delay(0) // what is held back keeps its place
		c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.topic"})
		for i := range 4 {
			if m := c.expect(proto.Subscribed); m.Request != proto.ID(i+1) {
				t.Errorf("%d is %d", i, m.Request)
			}
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("after %v", d)
		}
		r.Delay(time.Second)
		c.send(&proto.Message{Type: proto.Welcome, ID: 1})
		c.expectAbort(proto.ErrURIProtocolViolation) // the end waits for it
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestHook(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		sub := a.subscribe("com.example.topic")
		publish := func() { b.publish("com.example.topic", nil, "x") }
		var seen []string
		hook := func(t proto.MessageType, sent bool, action func(x *wamptest.Exchange) wamptest.Action) {
			r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
				if x.Message.Type != t || x.Sent != sent {
					return wamptest.Pass()
				}
				who := "b"
				if x.Session == a.id {
					who = "a"
				}
				seen = append(seen, who+" "+t.String())
				return action(x)
			})
		}

		hook(proto.Publish, false, func(*wamptest.Exchange) wamptest.Action { return wamptest.Drop() })
		publish()
		synctest.Wait()
		hook(proto.Event, true, func(*wamptest.Exchange) wamptest.Action { return wamptest.Drop() })
		publish()
		synctest.Wait()
		a.expectNothing()
		if s := r.Stats(); s.Dropped != 2 || s.Sent[proto.Event] != 0 || s.Received[proto.Publish] != 2 {
			t.Errorf("%+v", s)
		}
		if len(seen) != 2 || seen[0] != "b PUBLISH" || seen[1] != "a EVENT" {
			t.Error(seen)
		}

		hook(proto.Event, true, func(x *wamptest.Exchange) wamptest.Action {
			args, err := x.Payload().Args()
			if err != nil || args[0] != "x" {
				t.Error(args, err)
			}
			if err := x.SetPayload(codec.Args("y")); err != nil {
				t.Error(err)
			}
			return wamptest.Pass()
		})
		publish()
		if e := a.expect(proto.Event); a.arg(e) != "y" {
			t.Errorf("%+v", e)
		}

		start := time.Now()
		hook(proto.Event, true, func(x *wamptest.Exchange) wamptest.Action {
			twice := *x.Message
			return wamptest.Replace(x.Message, &twice).Hold(5 * time.Second)
		})
		publish()
		synctest.Wait()
		r.SetHook(nil)
		publish()
		if a.expect(proto.Event); time.Since(start) != 0 {
			t.Error("nothing overtakes what is held back")
		}
		if s := r.Stats(); s.Held != 2 {
			t.Errorf("%d held", s.Held)
		}
		for range 2 {
			if e := a.expect(proto.Event); a.arg(e) != "x" || time.Since(start) != 5*time.Second {
				t.Errorf("%+v", e)
			}
		}

		hook(proto.Unsubscribe, false, func(*wamptest.Exchange) wamptest.Action { return wamptest.Hold(time.Second) })
		start = time.Now()
		a.request(&proto.Message{Type: proto.Unsubscribe, ID: sub})
		if a.expect(proto.Unsubscribed); time.Since(start) != time.Second {
			t.Error("not held back")
		}

		hook(proto.Publish, false, func(*wamptest.Exchange) wamptest.Action { return wamptest.Replace() })
		b.publish("com.example.topic", options("acknowledge", true))
		synctest.Wait()
		b.expectNothing()

		hook(proto.Subscribe, false, func(*wamptest.Exchange) wamptest.Action { return wamptest.CutLink() })
		b.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.topic"})
		b.expectEnd()
	})
}

// A hook that cuts a receiver in the middle of a fan-out must not disturb the
// others.
func TestHookCutsReceiver(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		var cs []*client
		for range 4 {
			cs = append(cs, join(t, r))
			cs[len(cs)-1].subscribe("com.example.topic")
		}
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Sent && x.Message.Type == proto.Event && x.Session == cs[1].id {
				return wamptest.CutLink()
			}
			return wamptest.Pass()
		})
		cs[0].publish("com.example.topic", options("exclude_me", false))
		synctest.Wait()
		cs[1].expectEnd()
		for _, i := range []int{0, 2, 3} {
			cs[i].expect(proto.Event)
			cs[i].expectNothing()
		}
		if s := r.Stats(); s.Subscribers != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOneSidedHooks(t *testing.T) {
	var received, sent []proto.MessageType
	bubble(t, func(t *testing.T, r *wamptest.Router) { join(t, r) },
		wamptest.WithReceive(func(id proto.ID, m *proto.Message) wamptest.Action {
			received = append(received, m.Type)
			return wamptest.Pass()
		}))
	bubble(t, func(t *testing.T, r *wamptest.Router) { join(t, r) },
		wamptest.WithSend(func(id proto.ID, m *proto.Message) wamptest.Action {
			sent = append(sent, m.Type)
			return wamptest.Pass()
		}))
	if len(received) != 1 || received[0] != proto.Hello || len(sent) != 1 || sent[0] != proto.Welcome {
		t.Error(received, sent)
	}
}

func TestRefuse(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		r.Refuse(1, proto.ErrURINotAuthorized)
		c := dial(t, r.Dial, "cbor")
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
		c.expectAbort(proto.ErrURINotAuthorized)
		join(t, r)
		r.Refuse(-1, proto.ErrURINoSuchRealm)
		for range 3 {
			c := dial(t, r.Dial, "cbor")
			c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
			c.expectAbort(proto.ErrURINoSuchRealm)
		}
		r.Refuse(0, "")
		join(t, r)

		refused := errors.New("refused")
		r.RefuseDials(1, refused)
		if _, err := r.Dial(t.Context(), transport.Protocols()); !errors.Is(err, refused) {
			t.Error(err)
		}
		join(t, r)
	})
}

func TestSend(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		ok, err := r.Send(c.id, &proto.Message{Type: proto.Event, ID: 5, Publication: 6}, codec.Args("forged"))
		if m := c.expect(proto.Event); !ok || err != nil || c.arg(m) != "forged" || m.ID != 5 {
			t.Errorf("%+v", m)
		}
		if ok, _ := r.Send(4711, &proto.Message{Type: proto.Event}); ok {
			t.Error("sent to nobody")
		}
		r.SendRaw(c.id, []byte{0xff})
		if got := c.next(); !errors.As(got.err, new(*codec.SyntaxError)) {
			t.Error(got.err)
		}
	})
}

func TestSlowClient(t *testing.T) {
	const events = 5000
	flood := func(t *testing.T, r *wamptest.Router) (slow *client) {
		slow = join(t, r)
		fast, p := join(t, r), join(t, r)
		slow.subscribe("com.example.topic")
		fast.subscribe("com.example.topic")
		r.Stall(slow.id)
		for i := range events {
			p.publish("com.example.topic", nil, i)
			if i%500 == 0 {
				time.Sleep(2 * time.Millisecond) // a bounded queue moves with the time
				synctest.Wait()
			}
		}
		synctest.Wait()
		for i := range events {
			if e := fast.expect(proto.Event); fast.arg(e) != int64(i) {
				t.Fatalf("%d is %v", i, fast.arg(e))
			}
		}
		return slow
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		slow := flood(t, r)
		s := r.Stats()
		if s.Queued < events-64 || s.QueuedBytes == 0 || s.Dropped != 0 { // the writer holds what it had
			t.Errorf("%+v", s)
		}
		r.Unstall(slow.id)
		for i := range events {
			if e := slow.expect(proto.Event); slow.arg(e) != int64(i) {
				t.Fatalf("%d is %v", i, slow.arg(e))
			}
		}
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		slow := flood(t, r)
		s := r.Stats()
		if s.Queued > 600 || s.Dropped == 0 {
			t.Errorf("%+v", s)
		}
		r.Unstall(slow.id)
		synctest.Wait()
		if got := len(slow.inbox); got+s.Dropped != events {
			t.Errorf("%d came, %d were dropped", got, s.Dropped)
		}
	}, wamptest.WithQueueLimit(600))
}

func TestTooBig(t *testing.T) {
	r := wamptest.NewRouter(t)
	url, err := r.ListenRawSocket("tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 4096)
	small := dial(t, rawDialer(url, nil, 1024), "cbor")
	small.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
	c := join(t, r)
	small.subscribe("com.example.topic")
	small.register("com.example.proc")
	c.register("com.example.big")
	c.publish("com.example.topic", nil, big)
	c.expectError(proto.Call, c.call("com.example.proc", nil, big), proto.ErrURIPayloadSizeExceeded)
	id := small.call("com.example.big", options("receive_progress", true))
	inv := c.expect(proto.Invocation)
	c.yield(inv, true, big)
	small.expectError(proto.Call, id, proto.ErrURIPayloadSizeExceeded)
	c.expect(proto.Interrupt)
	id = small.call("com.example.big", nil)
	c.yield(c.expect(proto.Invocation), false, big)
	small.expectError(proto.Call, id, proto.ErrURIPayloadSizeExceeded)
	c.call("com.example.proc", nil, "small")
	if inv := small.expect(proto.Invocation); inv.Request != 1 {
		t.Errorf("the invocation that did not leave has burnt an id: %d", inv.Request)
	}
	if s := r.Stats(); s.Dropped != 1 || s.Calls != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWaitFor(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.WaitFor(ctx, func(s wamptest.Stats) bool { return s.Sessions > 0 }); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := r.WaitFor(t.Context(), func(s wamptest.Stats) bool { return s.Sessions == 0 }); err != nil {
			t.Error(err)
		}
		go func() {
			time.Sleep(time.Minute)
			join(t, r)
		}()
		start := time.Now()
		if err := r.WaitFor(t.Context(), func(s wamptest.Stats) bool { return s.Sessions == 1 }); err != nil || time.Since(start) != time.Minute {
			t.Error(err, time.Since(start))
		}
		waiting := make(chan error)
		go func() {
			waiting <- r.WaitFor(t.Context(), func(s wamptest.Stats) bool { return s.Sessions == 2 })
		}()
		synctest.Wait()
		r.Close()
		if err := <-waiting; !errors.Is(err, wamptest.ErrClosed) {
			t.Error(err)
		}
	})
}

// A worker behind a proxy dies: everybody is sent away, and nobody is let in
// until it is back.
func TestLoseWorker(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		hello := func() *client {
			c := dial(t, r.Dial, "cbor")
			c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles())})
			return c
		}
		r.LoseWorker(time.Minute)
		for _, c := range []*client{a, b} {
			if m := c.expect(proto.Goodbye); m.URI != proto.CloseURINormal {
				t.Error(m.URI)
			}
		}
		for range 3 {
			hello().expectAbort(proto.ErrURIAuthenticationFailed)
			time.Sleep(19 * time.Second)
		}
		time.Sleep(3 * time.Second)
		join(t, r)
		r.RefuseFor(time.Minute, proto.ErrURINoSuchRealm)
		hello().expectAbort(proto.ErrURINoSuchRealm)
		r.Refuse(0, "")
		join(t, r)
	})
}
