package wamptest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// raw sends a message whose elements are as given: a float stays one.
func (c *client) raw(elements ...any) {
	c.t.Helper()
	data, err := c.codec.AppendList(nil, elements)
	if err != nil {
		c.t.Fatal(err)
	}
	c.sendRaw(data)
}

// A client that has floats only means the integer, wherever it says an id.
func TestFloatsForIDs(t *testing.T) {
	for _, serializer := range []string{"json", "msgpack", "cbor"} {
		t.Run(serializer, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c, other := dial(t, r.Dial, serializer), join(t, r)
				c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
				f := func(id proto.ID) float64 { return float64(id) }
				sub := other.subscribe("com.example.topic")

				// Messages.
				c.raw(float64(proto.Register), 1.0, dict{}, "com.example.proc")
				reg := c.expect(proto.Registered).ID
				c.raw(proto.Subscribe, 2.0, dict{}, "com.example.topic")
				mine := c.expect(proto.Subscribed).ID
				if mine != sub {
					t.Errorf("%d and %d", mine, sub)
				}
				for i := range 2 {
					id := other.call("com.example.proc", nil)
					inv := c.expect(proto.Invocation)
					if i == 0 {
						c.raw(proto.Yield, f(inv.Request), dict{}, []any{1.0})
						if v := other.arg(other.expect(proto.Result)); v != 1.0 {
							t.Errorf("the payload has become %T %v", v, v)
						}
						continue
					}
					c.raw(proto.Error, float64(proto.Invocation), f(inv.Request), dict{}, "com.example.error")
					other.expectError(proto.Call, id, "com.example.error")
				}
				c.raw(proto.Publish, 3.0, dict{"acknowledge": true, "exclude": []any{f(other.id)}}, "com.example.topic", []any{7.0})
				c.expect(proto.Published)
				c.raw(proto.Publish, 4.0, dict{"acknowledge": true, "exclude_me": false, "eligible": []any{f(c.id)}}, "com.example.topic")
				c.expect(proto.Published)
				c.expect(proto.Event)
				c.raw(proto.Call, 5.0, dict{"timeout": 50.0}, "com.example.proc")
				c.expect(proto.Invocation)
				c.expect(proto.Interrupt)
				c.expectError(proto.Call, 5, proto.ErrURITimeout)
				c.raw(proto.Call, 6.0, dict{}, "com.example.proc")
				c.expect(proto.Invocation)
				c.raw(proto.Cancel, 6.0, dict{"mode": "killnowait"})
				c.expect(proto.Interrupt)
				c.expectError(proto.Call, 6, proto.ErrURICanceled)

				c.raw(proto.Publish, 7.0, dict{"exclude_me": false}, "com.example.topic") // without a list of sessions, so it is kept
				c.expect(proto.Event)
				other.expect(proto.Event)

				// Arguments of the meta API.
				c.last = 7
				call := func(want proto.MessageType, procedure string, kw dict, args ...any) *proto.Message {
					t.Helper()
					c.last++
					c.raw(proto.Call, c.last, dict{}, procedure, args, kw)
					return c.expect(want)
				}
				got := call(proto.Result, "wamp.session.get", dict{}, f(c.id))
				if d, _ := c.arg(got).(dict); fmt.Sprint(d["session"]) != fmt.Sprint(uint64(c.id)) {
					t.Errorf("%v", d)
				}
				call(proto.Result, "wamp.registration.get", dict{}, f(reg))
				call(proto.Result, "wamp.registration.count_callees", dict{}, f(reg))
				call(proto.Result, "wamp.subscription.list_subscribers", dict{}, f(sub))
				got = call(proto.Result, "wamp.subscription.get_events", dict{"limit": 1.0}, f(sub))
				args, err := c.payload(got).Args()
				if err != nil || len(args) != 1 {
					t.Fatalf("%v: %v", args, err)
				}
				first := args[0].(dict)["publication"].(int64)
				got = call(proto.Result, "wamp.subscription.get_events", dict{"after_publication": float64(first)}, f(sub))
				if args, _ := c.payload(got).Args(); len(args) != 0 {
					t.Errorf("%v", args)
				}
				call(proto.Result, "wamp.session.add_testament", dict{"publish_options": dict{"exclude": []any{f(other.id)}}},
					"com.example.topic", []any{}, dict{})
				call(proto.Result, "wamp.session.kill", dict{}, f(other.id))
				other.expect(proto.Goodbye)

				c.raw(proto.Unsubscribe, float64(c.last+1), f(mine))
				c.expect(proto.Unsubscribed)
				c.raw(proto.Unregister, float64(c.last+2), f(reg))
				c.expect(proto.Unregistered)
				settled(t, r, c, other)
			}, wamptest.WithHistory(10))
		})
	}
}

// What is no integer is no id.
func TestFloatsThatAreNoIDs(t *testing.T) {
	for _, id := range []any{1.5, -1.0, 9007199254740994.0, 1e300, "1", nil, true} {
		for _, serializer := range []string{"json", "msgpack", "cbor"} {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := dial(t, r.Dial, serializer)
				c.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
				c.raw(proto.Call, 1, dict{}, "wamp.session.get", []any{id})
				c.expectError(proto.Call, 1, proto.ErrURINoSuchSession)
				c.raw(proto.Subscribe, id, dict{}, "com.example.topic")
				c.expectAbort(proto.ErrURIProtocolViolation)
			})
		}
	}
}

// The ABORT for a gap says how to live with it.
func TestGapNamesLenientIDs(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		c := join(t, r)
		c.send(&proto.Message{Type: proto.Subscribe, Request: 7, URI: "com.example"})
		m := c.expectAbort(proto.ErrURIProtocolViolation)
		for _, want := range []string{"LenientIDs", "SUBSCRIBE", "7", "1"} {
			if text := m.Options.Str("message"); !strings.Contains(text, want) {
				t.Errorf("%q does not say %s", text, want)
			}
		}
		synctest.Wait()
	})
}

// So it is where the parser lets them through.
func TestFloatsInLists(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		cs := []*client{join(t, r), join(t, r), join(t, r)}
		for _, c := range cs {
			c.subscribe("com.example.topic")
		}
		for _, key := range []string{"exclude", "eligible"} {
			r.SetHook(func(x *wamptest.Exchange) wamptest.Action {
				if x.Message.Type == proto.Publish {
					x.Message.Options = options(key, []any{float64(cs[1].id)})
				}
				return wamptest.Pass()
			})
			cs[0].publish("com.example.topic", nil)
			has := map[string]*client{"exclude": cs[2], "eligible": cs[1]}[key]
			has.expect(proto.Event)
			settled(t, r, cs...)
		}
	})
}
