package session

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
)

// A testament is set once on each link, also where the link before was lost
// while it was being set again.
func TestStepTestamentSetAgainOnce(t *testing.T) {
	r := newLifeRig(t)
	s := &tape{}
	r.do(&Testament{Scope: "destroyed", Call: &Call{Ctx: t.Context(), URI: "wamp.session.add_testament", Sink: s, Idempotent: true}})
	r.want(proto.Call)
	r.feed(proto.Message{Type: proto.Result, Request: 1})
	for range 3 {
		r.lose()
		r.rejoin(routerRoles())
		r.want(proto.Call)
	}
	r.feed(proto.Message{Type: proto.Result, Request: 1})
	if len(s.ends) != 1 || s.ends[0].Err != nil || len(r.core.wills.all) != 1 {
		t.Errorf("ends %v, %d testaments", s.ends, len(r.core.wills.all))
	}
	r.clean()
}
