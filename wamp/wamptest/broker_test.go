package wamptest_test

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

func (c *client) publish(topic string, o proto.Dict, args ...any) proto.ID {
	c.t.Helper()
	return c.request(&proto.Message{Type: proto.Publish, URI: topic, Options: o}, args...)
}

func TestPublish(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		first, again := a.subscribe("com.example.topic"), a.subscribe("com.example.topic")
		other := b.subscribe("com.example.topic")
		if first != again || first != other {
			t.Error("one topic has several subscriptions")
		}
		if s := r.Stats(); s.Subscriptions != 1 || s.Subscribers != 2 {
			t.Errorf("%+v", s)
		}
		request := b.publish("com.example.topic", options("acknowledge", true), "hi", 5)
		ack := b.expect(proto.Published)
		e := a.expect(proto.Event)
		if ack.Request != request || !ack.Publication.Valid() || e.Publication != ack.Publication || e.ID != first || a.arg(e) != "hi" {
			t.Errorf("ack %+v, event %+v", ack, e)
		}
		if len(e.Options) != 0 {
			t.Errorf("details %v", e.Options.Map())
		}
		b.publish("com.example.topic", options("exclude_me", false), "to all")
		a.expect(proto.Event)
		b.expect(proto.Event)
		synctest.Wait()
		a.expectNothing() // and only once, though it has subscribed twice
		b.expectNothing() // the publisher is left out, nothing is acknowledged unasked

		id := a.request(&proto.Message{Type: proto.Unsubscribe, ID: first})
		if m := a.expect(proto.Unsubscribed); m.Request != id || m.Options != nil {
			t.Errorf("%+v", m)
		}
		b.publish("com.example.topic", nil)
		synctest.Wait()
		a.expectNothing()
		_ = b.conn.CloseNow()
		synctest.Wait()
		if s := r.Stats(); !s.Idle() || s.Sessions != 1 {
			t.Errorf("left: %+v", s)
		}
	})
}

func TestPatterns(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		subs := map[proto.ID]string{
			a.subscribe("com.example.a.x"):                      "exact",
			a.subscribe("com.example.", "match", "prefix"):      "prefix",
			a.subscribe("com.ex", "match", "prefix"):            "short",
			a.subscribe("com.example..x", "match", "wildcard"):  "wildcard",
			a.subscribe("com.example.a.x", "match", "wildcard"): "full",
			a.subscribe("com.example..x.", "match", "wildcard"): "longer",
			a.subscribe("com.example.a", "match", "exact"):      "other",
			a.subscribe("com.example.a.xx", "match", "prefix"):  "too long",
			a.subscribe("", "match", "prefix"):                  "all",
		}
		b.publish("com.example.a.x", nil, 1)
		synctest.Wait()
		got := map[string]bool{}
		for range 6 {
			e := a.expect(proto.Event)
			name := subs[e.ID]
			if got[name] {
				t.Errorf("%s twice", name)
			}
			got[name] = true
			if topic := e.Options.Str("topic"); (name != "exact") != (topic == "com.example.a.x") {
				t.Errorf("%s: topic %q", name, topic)
			}
		}
		a.expectNothing()
		want := map[string]bool{"exact": true, "prefix": true, "short": true, "wildcard": true, "full": true, "all": true}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v", got)
		}
	})
}

func TestReceivers(t *testing.T) {
	for i, c := range []struct {
		option string
		values func(ids []proto.ID) []any
		want   []bool // of three subscribers, with authids a, b, b and roles x, x, y
	}{
		{"exclude", func(ids []proto.ID) []any { return []any{ids[0], ids[2]} }, []bool{false, true, false}},
		{"exclude", func(ids []proto.ID) []any { return []any{} }, []bool{true, true, true}},
		{"exclude_authid", func([]proto.ID) []any { return []any{"b"} }, []bool{true, false, false}},
		{"exclude_authrole", func([]proto.ID) []any { return []any{"y", "z"} }, []bool{true, true, false}},
		{"eligible", func(ids []proto.ID) []any { return []any{ids[1]} }, []bool{false, true, false}},
		{"eligible", func(ids []proto.ID) []any { return []any{} }, []bool{false, false, false}},
		{"eligible_authid", func([]proto.ID) []any { return []any{"b"} }, []bool{false, true, true}},
		{"eligible_authrole", func([]proto.ID) []any { return []any{"x"} }, []bool{true, true, false}},
	} {
		t.Run(fmt.Sprint(i, " ", c.option), func(t *testing.T) {
			roleOf := wamptest.LoginFunc("named", func(req wamptest.LoginRequest) wamptest.LoginStep {
				return wamptest.LoginStep{Grant: &wamptest.Grant{AuthID: req.AuthID, AuthRole: req.AuthRole}}
			})
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				var cs []*client
				var ids []proto.ID
				for _, who := range [][2]string{{"a", "x"}, {"b", "x"}, {"b", "y"}, {"p", "p"}} {
					cl := dial(t, r.Dial, "cbor")
					cl.hello("realm1", options("roles", roles(), "authmethods", []string{"named"}, "authid", who[0], "authrole", who[1])...)
					cl.subscribe("com.example.topic")
					cs, ids = append(cs, cl), append(ids, cl.id)
				}
				cs[3].publish("com.example.topic", options(c.option, c.values(ids)), 1)
				synctest.Wait()
				for k, want := range c.want {
					if want {
						cs[k].expect(proto.Event)
					}
					cs[k].expectNothing()
				}
				// Both have to hold.
				cs[3].publish("com.example.topic", options("eligible_authrole", []any{"x"}, "exclude_authid", []any{"a"}), 2)
				synctest.Wait()
				cs[1].expect(proto.Event)
				for _, cl := range cs {
					cl.expectNothing()
				}
			}, wamptest.WithLogins(roleOf))
		})
	}
}

func TestDisclosedPublisher(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		a.subscribe("com.example.topic")
		b.publish("com.example.topic", options("disclose_me", true))
		e := a.expect(proto.Event)
		if e.Options.ID("publisher") != b.id || e.Options.Str("publisher_authrole") != "anonymous" || e.Options.Str("publisher_authid") == "" {
			t.Error(e.Options.Map())
		}
	})
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		b := join(t, r)
		b.publish("com.example.topic", options("disclose_me", true)) // not acknowledged: no answer
		id := b.publish("com.example.topic", options("disclose_me", true, "acknowledge", true))
		b.expectError(proto.Publish, id, proto.ErrURIDiscloseMe)
	}, wamptest.WithoutDisclosure())
}

func TestBrokerErrors(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		for _, topic := range []string{"", "a..b", "a b", "a#", "wamp.topic", "wamp"} {
			c.publish(topic, nil) // nobody hears of it
			id := c.publish(topic, options("acknowledge", true))
			c.expectError(proto.Publish, id, proto.ErrURIInvalidURI)
		}
		for topic, match := range map[string]string{"a..b": "exact", "a.": "exact", "a..": "prefix", "a b": "wildcard"} {
			id := c.request(&proto.Message{Type: proto.Subscribe, URI: topic, Options: options("match", match)})
			c.expectError(proto.Subscribe, id, proto.ErrURIInvalidURI)
		}
		c.subscribe("wamp.session.on_join")
		id := c.request(&proto.Message{Type: proto.Unsubscribe, ID: 4711})
		c.expectError(proto.Unsubscribe, id, proto.ErrURINoSuchSubscription)
	})
}

func TestBasicBroker(t *testing.T) {
	var basic proto.Roles
	basic.Set(proto.Broker, 0)
	basic.Set(proto.Dealer, 0)
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		a.subscribe("com.example.topic")
		b.subscribe("com.example.topic")
		b.publish("com.example.topic", options("exclude_me", false, "disclose_me", true, "eligible", []any{}))
		if e := a.expect(proto.Event); len(e.Options) != 0 {
			t.Error(e.Options.Map())
		}
		synctest.Wait()
		b.expectNothing()
		id := a.request(&proto.Message{Type: proto.Subscribe, URI: "com", Options: options("match", "prefix")})
		a.expectError(proto.Subscribe, id, proto.ErrURIOptionNotAllowed)
	}, wamptest.WithFeatures(basic))
}

// Each payload has to arrive in the form of the receiver's serializer.
func TestSerializersMeet(t *testing.T) {
	values := []any{int64(-5), uint64(1) << 63, 1.5, "ü", []byte{0, 255}, true, nil, []any{int64(1)}, dict{"k": "v"}}
	names := []string{"json", "msgpack", "cbor"}
	for _, from := range names {
		t.Run(from, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				var subscribers []*client
				for _, to := range append(names, names...) {
					s := dial(t, r.Dial, to)
					s.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
					s.subscribe("com.example.topic")
					subscribers = append(subscribers, s)
				}
				p := dial(t, r.Dial, from)
				p.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
				m := &proto.Message{Type: proto.Publish, URI: "com.example.topic"}
				m.Kwargs, _ = p.codec.AppendValue(nil, dict{"n": 7})
				p.request(m, values...)
				for _, s := range subscribers {
					payload := s.payload(s.expect(proto.Event))
					args, err := payload.Args()
					kwargs, err2 := payload.Kwargs()
					if err != nil || err2 != nil || !reflect.DeepEqual(args, values) || kwargs["n"] != int64(7) {
						t.Errorf("%s: %v %v %v %v", s.codec.Name(), args, kwargs, err, err2)
					}
				}
			})
		})
	}
}
