package wamptest_test

import (
	"testing"
	"testing/synctest"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Who asks to be disclosed is, to those who announced that they can be told.
func TestDisclosedToThoseWhoAnnounced(t *testing.T) {
	for _, announced := range []bool{true, false} {
		bubble(t, func(t *testing.T, r *wamptest.Router) {
			var without []proto.Feature
			if !announced {
				without = []proto.Feature{proto.CallerIdentification, proto.PublisherIdentification}
			}
			c, other, able := join(t, r, without...), join(t, r), join(t, r)
			c.register("com.example.proc")
			c.register("com.example.always", "disclose_caller", true)
			able.subscribe("com.example.topic")
			c.subscribe("com.example.topic")
			for _, procedure := range []string{"com.example.proc", "com.example.always"} {
				other.call(procedure, options("disclose_me", procedure == "com.example.proc"))
				inv := c.expect(proto.Invocation)
				if inv.Options.Has("caller") != announced || inv.Options.Has("caller_authid") != announced {
					t.Errorf("%v", inv.Options.Map())
				}
				c.yield(inv, false)
				other.expect(proto.Result)
			}
			other.publish("com.example.topic", options("disclose_me", true))
			if ev := c.expect(proto.Event); ev.Options.Has("publisher") != announced || ev.Options.Has("publisher_authrole") != announced {
				t.Errorf("%v", ev.Options.Map())
			}
			if ev := able.expect(proto.Event); ev.Options.ID("publisher") != other.id {
				t.Errorf("%v", ev.Options.Map())
			}
			synctest.Wait()
		})
	}
}
