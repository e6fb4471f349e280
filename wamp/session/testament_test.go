package session

import (
	"testing"
	"time"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A testament that is set again is set once on each link, however soon the link
// is lost.
func TestStepTestamentsAreSetOnce(t *testing.T) {
	for _, answered := range []bool{true, false} {
		r := newLifeRig(t)
		sinks := []*tape{{}, {}}
		for _, s := range sinks {
			call := newCall(t.Context(), s)
			call.Idempotent = true
			r.do(&Testament{Call: call, Scope: "destroyed"})
		}
		r.want(proto.Call, proto.Call)
		for i := range proto.ID(2) {
			r.feed(proto.Message{Type: proto.Result, Request: i + 1})
		}
		for range 3 {
			r.pass(deathTime + time.Second) // nobody shall take it for what ends the links
			r.lose()
			r.rejoin(routerRoles())
			r.want(proto.Call, proto.Call)
			if answered {
				r.feed(proto.Message{Type: proto.Result, Request: 1})
				r.feed(proto.Message{Type: proto.Result, Request: 2})
			}
		}
		r.lose()
		r.rejoin(routerRoles())
		r.lose() // before anything was written
		r.rejoin(routerRoles())
		r.want(proto.Call, proto.Call)
		// One that is refused is forgotten, the other is not.
		r.feed(proto.Message{Type: proto.Error, RequestType: proto.Call, Request: 1, URI: proto.ErrURINotAuthorized})
		r.feed(proto.Message{Type: proto.Result, Request: 2})
		r.lose()
		r.rejoin(routerRoles())
		r.want(proto.Call)
		r.feed(proto.Message{Type: proto.Result, Request: 1})
		r.clean()
	}
}
