package wamptest_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/codec"
	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// sample returns a well-formed message of a type, as the first request.
func sample(t proto.MessageType) *proto.Message {
	m := &proto.Message{Type: t}
	for _, f := range t.Traits().Fields {
		switch f {
		case proto.FieldRequestType:
			m.RequestType = proto.Invocation
		case proto.FieldRequest:
			m.Request = 1
		case proto.FieldID:
			m.ID = 1
		case proto.FieldPublication:
			m.Publication = 1
		case proto.FieldURI:
			m.URI = "com.example.uri"
		case proto.FieldText:
			m.Text = "text"
		case proto.FieldOptions:
		}
	}
	if t == proto.Hello {
		m.Options = options("roles", roles())
	}
	return m
}

// Every message in every state: what the trait table does not allow is answered
// with ABORT, what it allows is not.
func TestStateTimesMessage(t *testing.T) {
	enter := map[proto.State]func(c *client, r *wamptest.Router){
		proto.StateClosed: func(*client, *wamptest.Router) {},
		proto.StateChallenged: func(c *client, _ *wamptest.Router) {
			c.send(&proto.Message{Type: proto.Hello, URI: "realm1", Options: options("roles", roles(), "authmethods", []string{"ticket"})})
			c.expect(proto.Challenge)
		},
		proto.StateEstablished: func(c *client, _ *wamptest.Router) {
			c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		},
		proto.StateClosing: func(c *client, r *wamptest.Router) {
			c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
			r.GoodbyeAll(proto.CloseURISystemShutdown)
			c.expect(proto.Goodbye)
		},
	}
	for state, enter := range enter {
		for _, tr := range proto.AllTraits() {
			t.Run(state.String()+" "+tr.Name, func(t *testing.T) {
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					c := dial(t, r.Dial, "cbor")
					enter(c, r)
					c.send(sample(tr.Type))
					synctest.Wait()
					wrong := tr.FromClient&state == 0
					// An answer to an invocation that never was is wrong as well.
					wrong = wrong || state == proto.StateEstablished && (tr.Type == proto.Error || tr.Type == proto.Yield || tr.Type == proto.Cancel)
					if state == proto.StateClosing {
						wrong = false // all but GOODBYE and ABORT is ignored
					}
					s := r.Stats()
					if wrong {
						c.expectAbort(proto.ErrURIProtocolViolation)
					}
					if got := len(s.Violations) == 1; got != wrong {
						t.Errorf("violation %v, want %v: %v", got, wrong, s.Violations)
					}
				}, wamptest.WithLogins(wamptest.Anonymous(), wamptest.Ticket(lookup)))
			})
		}
	}
}

func TestMalformedMessages(t *testing.T) {
	for _, text := range []string{
		"", "[]", "{}", "[", "nonsense", "[99, 1]", "[48]", "[48, 1, {}]", "[48, 0.5, {}, \"com.example\"]",
		"[48, -1, {}, \"com.example\"]", "[48, 1, [], \"com.example\"]", "[48, 1, {}, 5]", "[48, 1, {}, \"com.example\", {}]",
		"[48, 1, {}, \"com.example\", [], []]", "[48, 9007199254740993, {}, \"com.example\"]",
		"[32, 1, {\"match\": \"invalid\"}, \"com.example\"]", "[49, 1, {\"mode\": \"murder\"}]", "[16, 1, {\"acknowledge\": 1}, \"com.example\"]",
		"[8, 36, 1, {}, \"com.example\"]", "[48, 1, {}, \"com.example\"] ]", "[48, 1, {}, \"com.example\", [[[[[[[[[[1]]]]]]]]]]]",
	} {
		t.Run(text, func(t *testing.T) {
			for _, joined := range []bool{false, true} {
				bubble(t, func(t *testing.T, r *wamptest.Router) {
					c := dial(t, r.Dial, "json")
					if joined {
						c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
					}
					c.sendRaw([]byte(text))
					c.expectAbort(proto.ErrURIProtocolViolation)
					synctest.Wait()
					if s := r.Stats(); len(s.Violations) != 1 || s.Links != 0 || s.Sessions != 0 {
						t.Errorf("left: %+v", s)
					}
				}, wamptest.WithLimits(codec.Limits{Depth: 8, Size: 1 << 12}))
			}
		})
	}
}

// A message that is fine, in front of one that is not, is still served.
func TestMessageBeforeTheFault(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.topic"})
		c.sendRaw([]byte{0xff})
		c.request(&proto.Message{Type: proto.Subscribe, URI: "com.example.other"})
		c.expect(proto.Subscribed)
		c.expectAbort(proto.ErrURIProtocolViolation)
	})
}

func violates(t *testing.T, do func(c *client)) {
	t.Helper()
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		do(c)
		c.expectAbort(proto.ErrURIProtocolViolation)
		synctest.Wait()
		if s := r.Stats(); len(s.Violations) != 1 || s.Links != 0 || s.Sessions != 0 || !s.Idle() {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestViolations(t *testing.T) {
	call := func(id proto.ID, o ...any) *proto.Message {
		return &proto.Message{Type: proto.Call, Request: id, URI: "com.example.proc", Options: options(o...)}
	}
	for name, do := range map[string]func(c *client){
		"request id 0":       func(c *client) { c.send(&proto.Message{Type: proto.Subscribe, URI: "com.example"}) },
		"request id skipped": func(c *client) { c.send(&proto.Message{Type: proto.Subscribe, Request: 2, URI: "com.example"}) },
		"request id again": func(c *client) {
			c.subscribe("com.example")
			c.send(&proto.Message{Type: proto.Register, Request: 1, URI: "com.example"})
		},
		"call id skipped": func(c *client) { c.send(call(2)) },
		"call under way again": func(c *client) {
			c.register("com.example.proc")
			c.call("com.example.proc", nil)
			c.expect(proto.Invocation)
			c.send(call(2))
		},
		"chunk behind the last": func(c *client) {
			c.register("com.example.proc")
			c.send(call(2, "progress", true))
			c.send(call(2))
			c.send(call(2, "progress", true))
			c.expect(proto.Invocation)
			c.expect(proto.Invocation)
		},
		"chunk of another procedure": func(c *client) {
			c.register("com.example.proc")
			c.send(call(2, "progress", true))
			c.send(&proto.Message{Type: proto.Call, Request: 2, URI: "com.example.other"})
			c.expect(proto.Invocation)
		},
		"YIELD for no invocation": func(c *client) { c.send(&proto.Message{Type: proto.Yield, Request: 1}) },
		"ERROR for no invocation": func(c *client) {
			c.send(&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: 1, URI: "com.example"})
		},
		"ERROR for a call": func(c *client) {
			c.send(&proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: "com.example"})
		},
		"CANCEL for no call": func(c *client) { c.send(&proto.Message{Type: proto.Cancel, Request: 1}) },
	} {
		t.Run(name, func(t *testing.T) { violates(t, do) })
	}
}

func TestFeaturesTheRouterLacks(t *testing.T) {
	without := func(f ...proto.Feature) wamptest.Option { return wamptest.WithFeatures(wamptest.FeaturesWithout(f...)) }
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.register("com.example.proc")
		c.call("com.example.proc", options("timeout", 10, "receive_progress", true, "disclose_me", true))
		if inv := c.expect(proto.Invocation); len(inv.Options) != 0 {
			t.Error(inv.Options.Map())
		}
		for _, o := range []proto.Dict{options("match", "prefix"), options("invoke", "first")} {
			id := c.request(&proto.Message{Type: proto.Register, URI: "com.example.other", Options: o})
			c.expectError(proto.Register, id, proto.ErrURIOptionNotAllowed)
		}
		c.cancel(2, "skip")
		c.expectAbort(proto.ErrURIProtocolViolation)
	}, without(proto.CallTimeout, proto.CallCanceling, proto.CallerIdentification, proto.PatternBasedRegistration, proto.SharedRegistration))
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.register("com.example.proc")
		c.call("com.example.proc", options("progress", true))
		c.expectAbort(proto.ErrURIProtocolViolation)
	}, without(proto.ProgressiveCallInvocations))
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r, proto.ProgressiveCallInvocations)
		c.call("com.example.proc", options("progress", true))
		c.expectAbort(proto.ErrURIProtocolViolation)
	})
	// It can more than it says.
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := dial(t, r.Dial, "cbor")
		w := c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		said := proto.ParseRoles(w.Options)
		if said.Features(proto.Dealer).Has(proto.CallCanceling) {
			t.Error("announced")
		}
		c.register("com.example.proc")
		id := c.call("com.example.proc", nil)
		c.expect(proto.Invocation)
		c.cancel(id, "skip")
		c.expectError(proto.Call, id, proto.ErrURICanceled)
	}, wamptest.Announce(wamptest.FeaturesWithout(proto.CallCanceling)))
}

func TestLenientIDs(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		for _, id := range []proto.ID{7, 3, 3, proto.MaxID} {
			c.send(&proto.Message{Type: proto.Subscribe, Request: id, URI: fmt.Sprint("com.example.t", id)})
			if m := c.expect(proto.Subscribed); m.Request != id {
				t.Error(m.Request)
			}
		}
		c.send(&proto.Message{Type: proto.Call, Request: 5, URI: "com.example.none"})
		c.expectError(proto.Call, 5, proto.ErrURINoSuchProcedure)
	}, wamptest.LenientIDs())
}
