package wamptest_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/transport"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// A hook that ends its goroutine, as t.Fatal does, costs the message, and the
// router goes on: with the rest of what came at once, too.
func TestHookEndsItsGoroutine(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		for _, sent := range []bool{false, true} {
			r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
				if x.Sent == sent && (x.Message.URI == "com.example.topic1" || x.Message.Type == proto.Subscribed && x.Message.Request%3 == 2) {
					runtime.Goexit()
				}
				return wamptest.Pass()
			})
			var b transport.Batch
			for i := range 3 {
				c.last++
				m := &proto.Message{Type: proto.Subscribe, Request: c.last, URI: "com.example.topic" + string(rune('0'+i))}
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
			for _, id := range []proto.ID{c.last - 2, c.last} {
				if m := c.expect(proto.Subscribed); m.Request != id {
					t.Errorf("SUBSCRIBED %d, want %d", m.Request, id)
				}
			}
			synctest.Wait()
			c.expectNothing()
		}
		r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
			if x.Message.Type == proto.Goodbye {
				runtime.Goexit()
			}
			return wamptest.Pass()
		})
		r.GoodbyeAll(proto.CloseURISystemShutdown) // comes back
		r.SetHook(nil)
		for range 20 { // each message is a batch: none may be missing
			c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.other"})
			c.expect(proto.Subscribed)
		}
	})
}

// So it is with a condition of WaitFor and with a login.
func TestOthersEndTheirGoroutine(t *testing.T) {
	begin := func(wamptest.LoginRequest) wamptest.LoginStep { runtime.Goexit(); return wamptest.LoginStep{} }
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		waiting := make(chan error)
		go func() {
			waiting <- r.WaitFor(t.Context(), func(wamptest.Stats) bool { runtime.Goexit(); return false })
		}()
		<-waiting
		other := make(chan error)
		go func() {
			other <- r.WaitFor(t.Context(), func(s wamptest.Stats) bool { return s.Sessions == 1 })
		}()
		c := dial(t, r.Dial, "cbor")
		c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles(), "authmethods", []string{"odd"})})
		join(t, r)
		if err := <-other; err != nil {
			t.Error(err)
		}
	}, wamptest.WithLogins(wamptest.Anonymous(), wamptest.LoginFunc("odd", begin)))
}

// A hook that calls the router would wait for itself: it is told so.
func TestHookCallsTheRouter(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		var said any
		r.SetHook(func(*wamptest.Exchange) wamptest.Action {
			defer func() { said = recover() }()
			r.Cut(c.id)
			return wamptest.Pass()
		})
		c.subscribe("com.example.topic")
		synctest.Wait()
		if text, _ := said.(string); !strings.Contains(text, "hook") {
			t.Errorf("%v", said)
		}
		r.SetHook(func(*wamptest.Exchange) wamptest.Action {
			go r.Cut(c.id) // that is fine
			return wamptest.Pass()
		})
		c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.topic"})
		c.closed()
	})
}
