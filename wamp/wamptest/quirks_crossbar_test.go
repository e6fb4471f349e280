package wamptest_test

import (
	"testing"

	"github.com/connectanum/connectanum-go/wamp/proto"
	"github.com/connectanum/connectanum-go/wamp/wamptest"
)

// Who answers is said in each RESULT, and who can send progressive ones is not
// asked. The other quirks are tested where the feature is.
func TestResultsOfCrossbar(t *testing.T) {
	bubble(t, func(t *testing.T, r *wamptest.Router) {
		callee, caller := join(t, r, proto.ProgressiveCallResults), join(t, r)
		callee.register("com.example.proc")
		for _, o := range []proto.Dict{nil, options("receive_progress", true)} {
			caller.call("com.example.proc", o)
			inv := callee.expect(proto.Invocation)
			if inv.Options.Has("receive_progress") != o.Has("receive_progress") {
				t.Errorf("%v", inv.Options.Map())
			}
			callee.yield(inv, true, 1)
			callee.yield(inv, false, 2)
			for i := int64(1); i <= 2; i++ {
				m := caller.expect(proto.Result)
				if d := m.Options; caller.arg(m) != i || d.Bool("progress") != (i == 1) || d.ID("callee") != callee.id ||
					d.Str("callee_authid") == "" || d.Str("callee_authrole") != "anonymous" {
					t.Errorf("%v", d.Map())
				}
			}
		}
		settled(t, r, callee, caller)
	}, wamptest.CrossbarQuirks())
}
