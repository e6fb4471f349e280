package wamptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// passed are the keys of payload passthru.
var passed = []any{"ppt_scheme", "x_test", "ppt_serializer", "cbor", "ppt_cipher", "aes256gcm", "ppt_keyid", "k"}

func keysOf(d proto.Dict) (n int) {
	for i := 0; i < len(passed); i += 2 {
		if d.Str(passed[i].(string)) == passed[i+1] {
			n++
		}
	}
	return n
}

func TestPassthru(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		b.subscribe("com.example.topic")
		b.register("com.example.proc")
		data := []byte{1, 2, 3}
		a.publish("com.example.topic", options(passed...), data)
		if e := b.expect(proto.Event); keysOf(e.Options) != 4 {
			t.Error(e.Options.Map())
		}
		call := a.call("com.example.proc", options(append([]any{"receive_progress", true}, passed...)...), data)
		inv := b.expect(proto.Invocation)
		if keysOf(inv.Options) != 4 {
			t.Error(inv.Options.Map())
		}
		b.send(&proto.Message{Type: proto.Yield, Request: inv.Request, Options: options(append([]any{"progress", true}, passed...)...)}, data)
		if m := a.expect(proto.Result); keysOf(m.Options) != 4 || !m.Options.Bool("progress") {
			t.Error(m.Options.Map())
		}
		b.send(&proto.Message{Type: proto.Error, RequestType: proto.Invocation, Request: inv.Request, URI: "com.example.error", Options: options(passed...)}, data)
		if m := a.expectError(proto.Call, call, "com.example.error"); keysOf(m.Options) != 4 {
			t.Error(m.Options.Map())
		}
		settled(t, r, a, b)
	})
}

func TestPassthruIsAnnounced(t *testing.T) {
	send := map[string]func(c *client){
		"PUBLISH": func(c *client) { c.publish("com.example.topic", options(passed...), []byte{1}) },
		"CALL":    func(c *client) { c.call("com.example.proc", options(passed...), []byte{1}) },
	}
	for name, f := range send {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := join(t, r, proto.PayloadPassthruMode)
				f(c)
				c.expectAbort(proto.ErrURIProtocolViolation)
			})
			bubble(t, func(t *testing.T, r *wamptest.Router) {
				c := join(t, r)
				f(c)
				c.expectAbort(proto.ErrURIProtocolViolation)
			}, wamptest.WithFeatures(wamptest.FeaturesWithout(proto.PayloadPassthruMode)))
			bubble(t, func(t *testing.T, r *wamptest.Router) { // taken off without a word
				c, other := join(t, r), join(t, r)
				other.subscribe("com.example.topic")
				other.register("com.example.proc")
				f(c)
				for range 1 {
					if m := other.next().m; keysOf(m.Options) != 0 || m.Args == nil {
						t.Errorf("%v", m.Options.Map())
					}
				}
			}, wamptest.CrossbarQuirks())
		})
	}
	bubble(t, func(t *testing.T, r *wamptest.Router) { // a callee, and a caller, without it
		a, b := join(t, r), join(t, r, proto.PayloadPassthruMode)
		b.register("com.example.blind")
		a.expectError(proto.Call, a.call("com.example.blind", options(passed...), []byte{1}), proto.ErrURIFeatureNotSupported)
		a.register("com.example.proc")
		call := b.call("com.example.proc", nil)
		inv := a.expect(proto.Invocation)
		a.send(&proto.Message{Type: proto.Yield, Request: inv.Request, Options: options(passed...)}, []byte{1})
		b.expectError(proto.Call, call, proto.ErrURIFeatureNotSupported)
		settled(t, r, a, b)
	})
}

// Autobahn's form, where the bytes take the place of the arguments.
func TestAutobahnPayload(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), dial(t, r.Dial, "json")
		b.hello("realm1", proto.Entry{Key: "roles", Value: roles()})
		b.subscribe("com.example.topic")
		m := &proto.Message{Type: proto.Publish, URI: "com.example.topic", Options: options("enc_algo", "cryptobox", "enc_serializer", "json")}
		m.Args, _ = a.codec.AppendValue(nil, []byte("sealed"))
		a.request(m)
		e := b.expect(proto.Event)
		v, err := b.codec.Plain(e.Args)
		if data, ok := v.([]byte); !ok || err != nil || string(data) != "sealed" || e.Options.Str("enc_algo") != "cryptobox" {
			t.Errorf("%v, %v, %v", v, err, e.Options.Map())
		}
		synctest.Wait()
		if v := r.Stats().Violations; len(v) > 0 {
			t.Error(v)
		}
	}, wamptest.CrossbarQuirks())
}

// Meta events do not reach a session that has left, nor patterns that do not
// name them.
func TestMetaEventsReachWhoAsked(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, all, meta := join(t, r), join(t, r), join(t, r)
		all.subscribe("", "match", "prefix")
		meta.subscribe("wamp.session.", "match", "prefix")
		meta.subscribe("wamp.subscription.on_unsubscribe")
		b := join(t, r)
		if e := meta.expect(proto.Event); e.Options.Str("topic") != "wamp.session.on_join" {
			t.Error(e.Options.Map())
		}
		b.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		b.expect(proto.Goodbye)
		if e := meta.expect(proto.Event); e.Options.Str("topic") != "wamp.session.on_leave" {
			t.Error(e.Options.Map())
		}
		meta.send(&proto.Message{Type: proto.Goodbye, URI: proto.CloseURICloseRealm})
		meta.expect(proto.Goodbye)
		synctest.Wait()
		a.expectNothing()
		all.expectNothing()
		meta.expectNothing()
		for _, bad := range []proto.Dict{options("scope", "tomorrow"), options("publish_options", dict{"exclude": 5})} {
			m := &proto.Message{Type: proto.Call, URI: "wamp.session.add_testament"}
			m.Args, _ = a.codec.AppendList(nil, []any{"com.example.gone", []any{}, dict{}})
			m.Kwargs, _ = a.codec.AppendValue(nil, bad.Map())
			a.expectError(proto.Call, a.request(m), proto.ErrURIInvalidArgument)
		}
	})
}

// The keys that are named are handed on, whatever their value, and no others.
func TestForwardedOptions(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		a, b := join(t, r), join(t, r)
		b.subscribe("com.example.topic")
		b.register("com.example.proc")
		keys := options("x_a", map[string]any{"k": "v"}, "x_b", 1, "x_c", "none", "disclose_me", true)
		a.publish("com.example.topic", keys, "x")
		a.call("com.example.proc", keys, "x")
		for _, m := range []*proto.Message{b.expect(proto.Event), b.expect(proto.Invocation)} {
			if n, _ := m.Options.Int("x_b"); m.Options.Dict("x_a")["k"] != "v" || n != 1 || m.Options.Has("x_c") || m.Options.Has("disclose_me") {
				t.Errorf("%s: %v", m.Type, m.Options.Map())
			}
			if m.Type == proto.Invocation {
				b.send(&proto.Message{Type: proto.Yield, Request: m.Request})
			}
		}
		a.expect(proto.Result)
		settled(t, r, a, b)
	}, wamptest.WithForwardedOptions("x_a", "x_b"))
}
